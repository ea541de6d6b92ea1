//! The seam to the crates that draw: kuva writes SVG and terminal text from one scene, resvg makes a PNG of the SVG.
//!
//! kuva's own PNGs know neither dashes nor translucent lines and blur turned letters. Nothing outside this file and
//! `raster` names either crate; the same calls always give the same bytes, whatever fonts the machine has.

use std::fmt::Write;

use super::{
    letters, raster,
    style::{Color, FAMILIES, WHITE},
};
use kuva::{
    backend::{svg::SvgBackend, terminal::TerminalBackend},
    render::{
        color::Color as Paint,
        render::{PathData, Primitive, Scene, TextAnchor},
    },
};

/// Where a text stands from its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    /// It begins there.
    Start,
    /// It is centred there.
    Middle,
    /// It ends there.
    End,
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stroke {
    pub(super) color: Color,
    pub(super) width: f64,
    /// Lengths drawn and left out, as in SVG.
    pub(super) dash: Option<&'static str>,
    /// 0 to 1.
    pub(super) opacity: f64,
}

impl Stroke {
    /// A full, opaque line.
    pub(super) fn new(color: Color, width: f64) -> Self {
        Self { color, width, dash: None, opacity: 1.0 }
    }

    pub(super) fn dashed(self, dash: Option<&'static str>) -> Self {
        Self { dash, ..self }
    }

    pub(super) fn faint(self, opacity: f64) -> Self {
        Self { opacity, ..self }
    }
}

/// A drawing in the making; units are those of the SVG, y downwards.
pub(super) struct Canvas {
    scene: Scene,
    title: String,
}

impl Canvas {
    /// An empty one; `title` is what a screen reader says.
    pub(super) fn new(width: f64, height: f64, title: &str) -> Self {
        let mut scene = Scene::new(width, height);
        scene.font_family = Some(FAMILIES.to_owned());
        Self { scene, title: clean(title) }
    }

    pub(super) fn text(&mut self, x: f64, y: f64, text: &str, size: u32, align: Align, color: Color) {
        self.turned(x, y, text, size, align, color, None);
    }

    /// Read from below upwards.
    pub(super) fn upright(&mut self, x: f64, y: f64, text: &str, size: u32, color: Color) {
        self.turned(x, y, text, size, Align::Middle, color, Some(-90.0));
    }

    /// Ends at its point and rises towards it: names under an axis that has no room for them side by side.
    pub(super) fn slanted(&mut self, x: f64, y: f64, text: &str, size: u32, color: Color) {
        self.turned(x, y, text, size, Align::End, color, Some(-35.0));
    }

    #[allow(clippy::too_many_arguments, reason = "the three above name them")]
    fn turned(&mut self, x: f64, y: f64, text: &str, size: u32, align: Align, color: Color, turn: Option<f64>) {
        let text = clean(text);
        let drawn = letters::drawn(&text);
        // The crate sets mathematics between dollars.
        let content = drawn.replace('$', "\\$");
        let anchor = match align {
            Align::Start => TextAnchor::Start,
            Align::Middle => TextAnchor::Middle,
            Align::End => TextAnchor::End,
        };
        let color = Some(paint(color));
        let is_own = drawn == text;
        if !is_own {
            // The class keeps the crate from styling it as a part of an interactive figure.
            let attributes = Some("class=\"latin\"".to_owned());
            self.scene.add(Primitive::GroupStart {
                transform: None,
                title: Some(text.clone()),
                extra_attrs: attributes,
            });
        }
        self.scene.add(Primitive::Text { x, y, content, size, anchor, rotate: turn, bold: false, color });
        if !is_own {
            self.scene.add(Primitive::GroupEnd);
        }
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: Stroke) {
        if stroke.opacity < 1.0 || is_point(&[from, to]) {
            return self.polyline(&[from, to], stroke);
        }
        self.scene.add(Primitive::Line {
            x1: from.0,
            y1: from.1,
            x2: to.0,
            y2: to.1,
            stroke: paint(stroke.color),
            stroke_width: stroke.width,
            stroke_dasharray: stroke.dash.map(str::to_owned),
        });
    }

    pub(super) fn polyline(&mut self, points: &[(f64, f64)], stroke: Stroke) {
        if is_point(points) {
            return;
        }
        // The crate gives fills an opacity, lines none.
        let faint = stroke.opacity < 1.0;
        if faint {
            let attributes = Some(format!("stroke-opacity=\"{:.2}\"", stroke.opacity));
            self.scene.add(Primitive::GroupStart { transform: None, title: None, extra_attrs: attributes });
        }
        self.path(PathData {
            d: path(points),
            fill: None,
            stroke: paint(stroke.color),
            stroke_width: stroke.width,
            opacity: None,
            stroke_dasharray: stroke.dash.map(str::to_owned),
        });
        if faint {
            self.scene.add(Primitive::GroupEnd);
        }
    }

    /// A closed shape without an outline.
    pub(super) fn area(&mut self, points: &[(f64, f64)], color: Color, opacity: f64) {
        if points.len() < 3 {
            return;
        }
        self.path(PathData {
            d: path(points) + "Z",
            fill: Some(paint(color)),
            stroke: Paint::None,
            stroke_width: 0.0,
            opacity: (opacity < 1.0).then_some(opacity),
            stroke_dasharray: None,
        });
    }

    fn path(&mut self, data: PathData) {
        let data = PathData { fill: data.fill.or(Some(Paint::None)), ..data };
        self.scene.add(Primitive::Path(Box::new(data)));
    }

    pub(super) fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, fill: Color, opacity: f64) {
        let opacity = (opacity < 1.0).then_some(opacity);
        let (stroke, stroke_width) = (None, None);
        self.scene.add(Primitive::Rect { x, y, width, height, fill: paint(fill), stroke, stroke_width, opacity });
    }

    /// The outline of a rectangle.
    pub(super) fn frame(&mut self, x: f64, y: f64, width: f64, height: f64, stroke: Stroke) {
        let corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)];
        self.polyline(&corners, stroke);
    }

    pub(super) fn dot(&mut self, x: f64, y: f64, radius: f64, fill: Color, opacity: f64) {
        self.scene.add(Primitive::Circle {
            cx: x,
            cy: y,
            r: radius,
            fill: paint(fill),
            fill_opacity: (opacity < 1.0).then_some(opacity),
            stroke: None,
            stroke_width: None,
        });
    }

    /// A circle that is empty inside.
    pub(super) fn ring(&mut self, x: f64, y: f64, radius: f64, stroke: Stroke) {
        self.scene.add(Primitive::Circle {
            cx: x,
            cy: y,
            r: radius,
            fill: paint(WHITE),
            fill_opacity: None,
            stroke: Some(paint(stroke.color)),
            stroke_width: Some(stroke.width),
        });
    }

    /// What diverged or was lost.
    pub(super) fn cross(&mut self, x: f64, y: f64, radius: f64, stroke: Stroke) {
        self.line((x - radius, y - radius), (x + radius, y + radius), stroke);
        self.line((x - radius, y + radius), (x + radius, y - radius), stroke);
    }

    /// Draws with `draw`, and nothing outside the rectangle.
    pub(super) fn within(&mut self, x: f64, y: f64, width: f64, height: f64, draw: impl FnOnce(&mut Self)) {
        // Named by its place, so that figures put into one page do not clip each other.
        let id = format!("clip-{x:.0}-{y:.0}-{width:.0}-{height:.0}");
        let rect = format!("<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" height=\"{height:.2}\"/>");
        let clip = format!("<clipPath id=\"{id}\">{rect}</clipPath>");
        if !self.scene.defs.contains(&clip) {
            self.scene.defs.push(clip);
        }
        self.scene.add(Primitive::ClipStart { x, y, width, height, id });
        draw(self);
        self.scene.add(Primitive::ClipEnd);
    }

    /// As an SVG that scales and has a name for screen readers.
    pub(super) fn svg(&self) -> String {
        let svg = SvgBackend::new().with_pretty(true).render_scene(&self.scene);
        let (width, height) = (self.scene.width, self.scene.height);
        let title = escape(&self.title);
        match svg.split_once('>') {
            Some((head, rest)) => {
                format!("{head} viewBox=\"0 0 {width} {height}\" role=\"img\">\n  <title>{title}</title>{rest}")
            }
            None => svg,
        }
    }

    /// As a PNG, drawn with the font inside this program only.
    ///
    /// # Errors
    /// The drawing is too large for a picture.
    pub(super) fn png(&self) -> anyhow::Result<Vec<u8>> {
        raster::png(&self.svg())
    }

    /// As lines of text, `columns` by `rows`; the drawing's units are divided evenly. With colours, if wanted.
    pub(super) fn terminal(&mut self, columns: usize, rows: usize, colored: bool) -> String {
        self.scene.text_color = Some("#b0b0b0".to_owned());
        let text = TerminalBackend::new(columns, rows).render_scene(&self.scene);
        let text = if colored { text } else { console::strip_ansi_codes(&text).into_owned() };
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        lines.join("\n")
    }
}

/// A line without length cannot be stroked.
fn is_point(points: &[(f64, f64)]) -> bool {
    let near = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).abs() < 0.02 && (a.1 - b.1).abs() < 0.02;
    points.windows(2).all(|pair| near(pair[0], pair[1]))
}

fn paint(color: Color) -> Paint {
    Paint::Rgb(color.0, color.1, color.2)
}

/// Control characters and two that are none have no place in XML, line feeds and turns of direction none in a label.
fn clean(text: &str) -> String {
    let has_place = |c: char| !besom_sweep::steers_terminal(c) && !matches!(c, '\u{fffe}' | '\u{ffff}');
    text.chars().map(|c| if has_place(c) { c } else { ' ' }).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Two decimals: a hundredth of a unit is not seen.
fn path(points: &[(f64, f64)]) -> String {
    let mut text = String::with_capacity(points.len() * 14);
    for (index, (x, y)) in points.iter().enumerate() {
        let _ = write!(text, "{}{x:.2},{y:.2}", if index == 0 { 'M' } else { 'L' });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{super::style::INK, *};

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
