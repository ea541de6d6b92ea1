//! SVG, element by element: the seven shapes of a drawing need no more, and every text is escaped
//! in one place.

use std::fmt::{self, Display, Write};

use crate::{
    shape::{Align, Scene, Shape, Stroke},
    style::{Color, FAMILIES},
};

/// The drawing as one SVG document.
pub(crate) fn write(scene: &Scene) -> String {
    let mut writer =
        Writer { text: String::with_capacity(200 + scene.shapes.len() * 100), clips: Vec::new(), depth: 1 };
    writer.shapes(&scene.shapes);
    let (width, height) = (scene.width, scene.height);
    let defs =
        if writer.clips.is_empty() { String::new() } else { format!("  <defs>{}</defs>\n", writer.clips.concat()) };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" font-family=\"{FAMILIES}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\">\n  <title>{}</title>\n\
         \x20 <rect width=\"100%\" height=\"100%\" fill=\"white\" />\n{defs}{}</svg>\n",
        Number(width),
        Number(height),
        Escaped(&scene.title),
        writer.text
    )
}

/// The elements so far, and what is defined for them.
struct Writer {
    text: String,
    /// Each once.
    clips: Vec<String>,
    depth: usize,
}

impl Writer {
    fn shapes(&mut self, shapes: &[Shape]) {
        for shape in shapes {
            self.shape(shape);
        }
    }

    fn shape(&mut self, shape: &Shape) {
        match shape {
            Shape::Text { x, y, text, own, size, align, turn, color } => {
                let (x, y) = (Number(*x), Number(*y));
                let anchor = match align {
                    Align::Start => "start",
                    Align::Middle => "middle",
                    Align::End => "end",
                };
                let turned = turn.map(|turn| format!(" transform=\"rotate({},{x},{y})\"", Number(turn)));
                let turned = turned.unwrap_or_default();
                let place = format!("x=\"{x}\" y=\"{y}\" font-size=\"{size}\" text-anchor=\"{anchor}\"");
                let element = format!("<text {place} fill=\"{color}\"{turned}>{}</text>", Escaped(text));
                match own {
                    // A reader shows it where the mouse rests.
                    Some(own) => self.group("", |writer| {
                        writer.line(format_args!("<title>{}</title>", Escaped(own)));
                        writer.line(format_args!("{element}"));
                    }),
                    None => self.line(format_args!("{element}")),
                }
            }
            Shape::Line { from, to, stroke } => {
                let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(Number);
                self.line(format_args!("<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"{stroke} />"));
            }
            Shape::Path { points, stroke } => {
                self.line(format_args!("<path d=\"{}\" fill=\"none\"{stroke} />", Points(points)));
            }
            Shape::Area { points, color, opacity } => {
                let opacity = Opacity("fill", *opacity);
                self.line(format_args!("<path d=\"{}Z\" fill=\"{color}\"{opacity} />", Points(points)));
            }
            Shape::Rect { x, y, width, height, color, opacity } => {
                let ([x, y, width, height], opacity) =
                    ([*x, *y, *width, *height].map(Number), Opacity("fill", *opacity));
                let place = format_args!("x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"").to_string();
                self.line(format_args!("<rect {place} fill=\"{color}\"{opacity} />"));
            }
            Shape::Circle { x, y, radius, color, opacity, edge } => {
                let ([x, y, radius], opacity) = ([*x, *y, *radius].map(Number), Opacity("fill", *opacity));
                let edge = edge.map(|edge| edge.to_string()).unwrap_or_default();
                let place = format!("cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"");
                self.line(format_args!("<circle {place} fill=\"{color}\"{opacity}{edge} />"));
            }
            Shape::Clip { x, y, width, height, shapes } => {
                // Named by its place, so that figures put into one page do not clip each other.
                let id = format!("clip-{x:.0}-{y:.0}-{width:.0}-{height:.0}");
                let rect = format!("<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" height=\"{height:.2}\"/>");
                let clip = format!("<clipPath id=\"{id}\">{rect}</clipPath>");
                if !self.clips.contains(&clip) {
                    self.clips.push(clip);
                }
                self.group(&format!(" clip-path=\"url(#{id})\""), |writer| writer.shapes(shapes));
            }
        }
    }

    fn group(&mut self, attributes: &str, inside: impl FnOnce(&mut Self)) {
        self.line(format_args!("<g{attributes}>"));
        self.depth += 1;
        inside(self);
        self.depth -= 1;
        self.line(format_args!("</g>"));
    }

    fn line(&mut self, element: fmt::Arguments<'_>) {
        let _ = writeln!(self.text, "{:1$}{element}", "", 2 * self.depth);
    }
}

/// At most two decimals: a hundredth of a unit is not seen.
struct Number(f64);

impl Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Plus 0, so that what is rounded to -0 has no sign.
        write!(f, "{}", (self.0 * 100.0).round() / 100.0 + 0.0)
    }
}

/// The data of a path.
struct Points<'a>(&'a [(f64, f64)]);

impl Display for Points<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .enumerate()
            .try_for_each(|(index, (x, y))| write!(f, "{}{x:.2},{y:.2}", if index == 0 { 'M' } else { 'L' }))
    }
}

/// Text or the value of an attribute.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&apos;"),
            other => f.write_char(other),
        })
    }
}

/// An attribute, where it is needed: of what, and how much from 0 to 1.
struct Opacity(&'static str, f64);

impl Display for Opacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.1 < 1.0 { write!(f, " {}-opacity=\"{}\"", self.0, Number(self.1)) } else { Ok(()) }
    }
}

impl Display for Stroke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { color, width, dash, opacity } = *self;
        write!(f, " stroke=\"{color}\" stroke-width=\"{}\"{}", Number(width), Opacity("stroke", opacity))?;
        dash.map_or(Ok(()), |dash| write!(f, " stroke-dasharray=\"{dash}\""))
    }
}

impl Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_two_decimals_at_most_and_no_sign_of_nothing() {
        let texts = [3.0, 0.57, 12.345, -0.001, 1e6, 0.1 + 0.2].map(|value| Number(value).to_string());
        assert_eq!(texts, ["3", "0.57", "12.35", "0", "1000000", "0.3"]);
    }

    #[test]
    fn nothing_in_a_text_ends_its_element_or_attribute() {
        assert_eq!(Escaped("a<b>&\"'").to_string(), "a&lt;b&gt;&amp;&quot;&apos;");
    }

    #[test]
    fn what_is_clipped_stands_in_a_group_with_its_rectangle_defined_once() {
        let clipped = || {
            let stroke = Stroke::new(Color(1, 2, 255), 2.0).dashed(Some("4 2")).faint(0.5);
            let line = Shape::Path { points: vec![(0.0, 0.0), (9.0, 9.0)], stroke };
            Shape::Clip { x: 1.0, y: 2.0, width: 3.0, height: 4.0, shapes: vec![line] }
        };
        let scene = Scene { width: 20.0, height: 10.0, title: "x".into(), shapes: vec![clipped(), clipped()] };
        let svg = write(&scene);
        assert_eq!(svg.matches("<clipPath id=\"clip-1-2-3-4\">").count(), 1, "{svg}");
        let path = "\n    <path d=\"M0.00,0.00L9.00,9.00\" fill=\"none\" stroke=\"#0102ff\" stroke-width=\"2\" \
                    stroke-opacity=\"0.5\" stroke-dasharray=\"4 2\" />\n  </g>\n";
        assert_eq!(svg.matches(path).count(), 2, "{svg}");
    }
}
