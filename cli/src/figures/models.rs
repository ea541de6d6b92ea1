//! Figures of models, as the bytes of a file.

use std::path::Path;

use super::{Format, canvas::Canvas, confusion, predictions};
use crate::{
    output::usage,
    predictions::{Report, Sheet},
};

impl Format {
    /// What the suffix of `path` says.
    ///
    /// # Errors
    /// A usage error.
    pub(crate) fn of(path: &Path) -> anyhow::Result<Self> {
        match path.extension().and_then(|end| end.to_str()) {
            Some("svg") => Ok(Self::Svg),
            Some("png") => Ok(Self::Png),
            _ => Err(usage(format_args!("{}: the suffix says the format: .svg or .png", path.display()))),
        }
    }
}

/// Drawings with what models say of them.
///
/// # Errors
/// The figure is too large for a PNG.
pub(crate) fn of_predictions(sheet: &Sheet, format: Format) -> anyhow::Result<Vec<u8>> {
    bytes(&predictions::draw(sheet), format)
}

/// Confusion matrices of models.
///
/// # Errors
/// The figure is too large for a PNG.
pub(crate) fn of_confusion(title: &str, reports: &[Report], format: Format) -> anyhow::Result<Vec<u8>> {
    bytes(&confusion::draw(title, reports), format)
}

fn bytes(canvas: &Canvas, format: Format) -> anyhow::Result<Vec<u8>> {
    match format {
        Format::Svg => Ok(canvas.svg().into_bytes()),
        Format::Png => canvas.png(),
    }
}
