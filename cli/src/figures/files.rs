//! Figures as the bytes of files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use besom_figures::{Canvas, Figure};

use super::Figures;
use crate::output::usage;

/// How a figure is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Vectors: sharp at every size, and text stays text
    Svg,
    /// Pixels, the same on every machine
    Png,
}

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

    /// A figure's bytes.
    ///
    /// # Errors
    /// The figure is too large for a PNG.
    pub(crate) fn bytes(self, canvas: &Canvas) -> anyhow::Result<Vec<u8>> {
        match self {
            Self::Svg => Ok(canvas.svg().into_bytes()),
            Self::Png => Ok(canvas.png()?),
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Png => "png",
        }
    }
}

impl Figures {
    /// Writes those of the figures that apply into `folder`, which is made; gives the paths.
    ///
    /// # Errors
    /// A figure cannot be drawn or written.
    pub(crate) fn write(&self, figures: &[Figure], folder: &Path, format: Format) -> anyhow::Result<Vec<PathBuf>> {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let mut written = Vec::new();
        for figure in figures {
            let Some(canvas) = figure.draw(&self.data) else { continue };
            let bytes = format.bytes(&canvas).with_context(|| figure.name())?;
            let path = folder.join(format!("{}.{}", figure.name(), format.suffix()));
            fs::write(&path, bytes).with_context(|| path.display().to_string())?;
            written.push(path);
        }
        Ok(written)
    }
}
