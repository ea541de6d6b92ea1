//! Figures as SVG and PNG.

mod canvas;
mod confusion;
mod models;
mod predictions;
mod style;

pub(crate) use models::{of_confusion, of_predictions};

/// How a figure is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Vectors: sharp at every size, and text stays text
    Svg,
    /// Pixels, the same on every machine
    Png,
}
