//! What a drawing is made of, whoever writes it.

use crate::style::Color;

/// All shapes of a drawing, in the order in which they cover each other. Units are those of the
/// SVG, y downwards.
#[derive(Debug, PartialEq)]
pub(crate) struct Scene {
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// What a screen reader says.
    pub(crate) title: String,
    pub(crate) shapes: Vec<Shape>,
}

/// Where a text stands from its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// It begins there.
    Start,
    /// It is centred there.
    Middle,
    /// It ends there.
    End,
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stroke {
    pub(crate) color: Color,
    pub(crate) width: f64,
    /// Lengths drawn and left out, as in SVG.
    pub(crate) dash: Option<&'static str>,
    /// 0 to 1.
    pub(crate) opacity: f64,
}

impl Stroke {
    /// A full, opaque line.
    pub(crate) fn new(color: Color, width: f64) -> Self {
        Self { color, width, dash: None, opacity: 1.0 }
    }

    pub(crate) fn dashed(self, dash: Option<&'static str>) -> Self {
        Self { dash, ..self }
    }

    pub(crate) fn faint(self, opacity: f64) -> Self {
        Self { opacity, ..self }
    }
}

/// What a drawing is made of.
#[derive(Debug, PartialEq)]
pub(crate) enum Shape {
    /// A line of text; `turn` is in degrees, clockwise.
    Text { x: f64, y: f64, text: String, own: Option<String>, size: u32, align: Align, turn: Option<f64>, color: Color },
    /// From one point to another.
    Line { from: (f64, f64), to: (f64, f64), stroke: Stroke },
    /// Through all points.
    Path { points: Vec<(f64, f64)>, stroke: Stroke },
    /// What the points enclose.
    Area { points: Vec<(f64, f64)>, color: Color, opacity: f64 },
    /// A filled rectangle.
    Rect { x: f64, y: f64, width: f64, height: f64, color: Color, opacity: f64 },
    /// A circle; `edge` is its outline.
    Circle { x: f64, y: f64, radius: f64, color: Color, opacity: f64, edge: Option<Stroke> },
    /// Shapes of which nothing outside the rectangle is seen.
    Clip { x: f64, y: f64, width: f64, height: f64, shapes: Vec<Shape> },
}
