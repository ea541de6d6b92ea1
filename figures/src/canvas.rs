//! A drawing in the making, which collects shapes; `svg` and `cells` write them.

use crate::{
    cells, letters,
    raster::{self, DrawError},
    shape::{Scene, Shape},
    style::{Color, WHITE},
    svg,
};

pub(crate) use crate::shape::{Align, Stroke};

/// A drawing, to be had as SVG or PNG. Its units are those of the SVG, y downwards.
#[derive(Debug)]
pub struct Canvas(Scene);

impl Canvas {
    /// An empty one; `title` is what a screen reader says.
    pub(crate) fn new(width: f64, height: f64, title: &str) -> Self {
        Self(Scene { width, height, title: clean(title), shapes: Vec::new() })
    }

    pub(crate) fn text(&mut self, x: f64, y: f64, text: &str, size: u32, align: Align, color: Color) {
        self.turned(x, y, text, size, align, color, None);
    }

    /// Read from below upwards.
    pub(crate) fn upright(&mut self, x: f64, y: f64, text: &str, size: u32, color: Color) {
        self.turned(x, y, text, size, Align::Middle, color, Some(-90.0));
    }

    /// Ends at its point and rises towards it: names under an axis that has no room for them side
    /// by side.
    pub(crate) fn slanted(&mut self, x: f64, y: f64, text: &str, size: u32, color: Color) {
        self.turned(x, y, text, size, Align::End, color, Some(-35.0));
    }

    #[allow(clippy::too_many_arguments, reason = "the three above name them")]
    fn turned(&mut self, x: f64, y: f64, text: &str, size: u32, align: Align, color: Color, turn: Option<f64>) {
        let given = clean(text);
        let text = letters::drawn(&given).into_owned();
        let own = (text != given).then_some(given);
        self.0.shapes.push(Shape::Text { x, y, text, own, size, align, turn, color });
    }

    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: Stroke) {
        if !is_point(&[from, to]) {
            self.0.shapes.push(Shape::Line { from, to, stroke });
        }
    }

    pub(crate) fn polyline(&mut self, points: &[(f64, f64)], stroke: Stroke) {
        if !is_point(points) {
            self.0.shapes.push(Shape::Path { points: points.to_owned(), stroke });
        }
    }

    /// A closed shape without an outline.
    pub(crate) fn area(&mut self, points: &[(f64, f64)], color: Color, opacity: f64) {
        if points.len() >= 3 {
            self.0.shapes.push(Shape::Area { points: points.to_owned(), color, opacity });
        }
    }

    pub(crate) fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, color: Color, opacity: f64) {
        self.0.shapes.push(Shape::Rect { x, y, width, height, color, opacity });
    }

    /// The outline of a rectangle.
    pub(crate) fn frame(&mut self, x: f64, y: f64, width: f64, height: f64, stroke: Stroke) {
        let corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)];
        self.polyline(&corners, stroke);
    }

    pub(crate) fn dot(&mut self, x: f64, y: f64, radius: f64, color: Color, opacity: f64) {
        self.0.shapes.push(Shape::Circle { x, y, radius, color, opacity, edge: None });
    }

    /// A circle that is empty inside.
    pub(crate) fn ring(&mut self, x: f64, y: f64, radius: f64, stroke: Stroke) {
        self.0.shapes.push(Shape::Circle { x, y, radius, color: WHITE, opacity: 1.0, edge: Some(stroke) });
    }

    /// What diverged or was lost.
    pub(crate) fn cross(&mut self, x: f64, y: f64, radius: f64, stroke: Stroke) {
        self.line((x - radius, y - radius), (x + radius, y + radius), stroke);
        self.line((x - radius, y + radius), (x + radius, y - radius), stroke);
    }

    /// Draws with `draw`, and nothing outside the rectangle.
    pub(crate) fn within(&mut self, x: f64, y: f64, width: f64, height: f64, draw: impl FnOnce(&mut Self)) {
        let outside = std::mem::take(&mut self.0.shapes);
        draw(self);
        let shapes = std::mem::replace(&mut self.0.shapes, outside);
        self.0.shapes.push(Shape::Clip { x, y, width, height, shapes });
    }

    /// As an SVG that scales and has a name for screen readers.
    #[must_use]
    pub fn svg(&self) -> String {
        svg::write(&self.0)
    }

    /// As a PNG, drawn with the font inside this program only.
    ///
    /// # Errors
    /// The drawing is too large for a picture.
    pub fn png(&self) -> Result<Vec<u8>, DrawError> {
        raster::png(&self.svg())
    }

    /// As lines of text, `columns` by `rows`; the drawing's units are divided evenly. With colours,
    /// if wanted.
    pub(crate) fn terminal(&self, columns: usize, rows: usize, colored: bool) -> String {
        cells::draw(&self.0, columns, rows, colored)
    }
}

/// A line without length cannot be stroked.
fn is_point(points: &[(f64, f64)]) -> bool {
    let near = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).abs() < 0.02 && (a.1 - b.1).abs() < 0.02;
    points.windows(2).all(|pair| near(pair[0], pair[1]))
}

/// Control characters and two that are none have no place in XML, line feeds and turns of direction
/// none in a label.
fn clean(text: &str) -> String {
    let has_place = |c: char| !besom_sweep::steers_terminal(c) && !matches!(c, '\u{fffe}' | '\u{ffff}');
    text.chars().map(|c| if has_place(c) { c } else { ' ' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::style::INK;

    fn drawing() -> Canvas {
        let mut canvas = Canvas::new(200.0, 100.0, "a < b & c");
        canvas.text(10.0, 20.0, "cost in $ & <more>\u{1}", 12, Align::Start, INK);
        canvas.within(0.0, 0.0, 50.0, 50.0, |canvas| {
            canvas.polyline(&[(0.0, 0.0), (90.0, 90.0)], Stroke::new(INK, 2.0).dashed(Some("4 2")).faint(0.5));
        });
        canvas
    }

    #[test]
    fn whatever_a_label_holds_the_svg_is_well_formed_and_says_it() {
        let svg = drawing().svg();
        let tree = resvg::usvg::roxmltree::Document::parse(&svg).unwrap();
        let texts: Vec<_> = tree.descendants().filter(|n| n.has_tag_name("text")).filter_map(|n| n.text()).collect();
        assert_eq!(texts, ["cost in $ & <more> "]);
        let title = tree.descendants().find(|n| n.has_tag_name("title")).and_then(|n| n.text());
        assert_eq!(title, Some("a < b & c"));
        assert_eq!(tree.root_element().attribute("viewBox"), Some("0 0 200 100"));
    }

    #[test]
    fn letters_that_the_font_lacks_are_drawn_as_latin_ones_and_kept_as_a_tooltip() {
        let mut canvas = Canvas::new(200.0, 100.0, "");
        canvas.text(10.0, 20.0, "猫 < 犬\u{ffff}", 12, Align::Start, INK);
        canvas.slanted(10.0, 20.0, "кошка", 12, INK);
        let svg = canvas.svg();
        let tree = resvg::usvg::roxmltree::Document::parse(&svg).unwrap();
        let of = |name: &str| -> Vec<&str> {
            let nodes = tree.descendants().filter(|node| node.has_tag_name(name));
            nodes.filter_map(|node| node.text()).map(str::trim).filter(|text| !text.is_empty()).collect()
        };
        assert_eq!(of("text"), ["Mao < Quan", "кошка"]);
        assert_eq!(of("title"), ["猫 < 犬"]);
        canvas.png().unwrap();
    }

    #[test]
    fn a_png_has_letters_without_any_font_of_the_machine() {
        let blank = Canvas::new(200.0, 100.0, "");
        let mut written = Canvas::new(200.0, 100.0, "");
        written.text(10.0, 50.0, "letters", 12, Align::Start, INK);
        assert!(written.png().unwrap().len() > blank.png().unwrap().len() + 200);
        assert_eq!(written.png().unwrap(), written.png().unwrap());
    }
}
