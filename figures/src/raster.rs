//! From an SVG to a PNG, with the font inside this program and no other: the same bytes on every
//! machine.

use resvg::{tiny_skia, usvg};

use crate::letters::FONT;

/// Pixels for one unit of the drawing: sharp on a dense screen and in print.
const SCALE: f32 = 2.0;
/// Pixels of a picture, at most: they stand in memory twice, four bytes each. A larger drawing gets
/// fewer for a unit.
const MOST: f64 = 16e6;
/// With fewer pixels for a unit no letter can be read.
const LEAST: f32 = 0.25;

/// Why a figure cannot be drawn as a picture.
#[derive(Debug, thiserror::Error)]
pub enum DrawError {
    /// It would need too many pixels, or too few for a letter.
    #[error("the figure is too large for a PNG ({width:.0} by {height:.0} units): use svg")]
    TooLarge {
        /// Of the drawing.
        width: f32,
        /// Of the drawing.
        height: f32,
    },
    /// The SVG cannot be read back.
    #[error("the figure cannot be drawn: {0}")]
    Unreadable(#[from] usvg::Error),
    /// The pixels cannot be written as a PNG.
    #[error("the figure cannot be stored as a PNG: {0}")]
    Encoding(String),
}

/// Draws the SVG.
///
/// # Errors
/// It is too large for a picture, or no SVG.
pub(crate) fn png(svg: &str) -> Result<Vec<u8>, DrawError> {
    let mut options = usvg::Options::default();
    let fonts = options.fontdb_mut();
    fonts.load_font_data(FONT.to_vec());
    fonts.set_sans_serif_family("DejaVu Sans");
    let tree = usvg::Tree::from_str(svg, &options)?;
    let (width, height) = (tree.size().width(), tree.size().height());
    let fitting = (MOST / (f64::from(width) * f64::from(height))).sqrt() as f32;
    let scale = SCALE.min(fitting);
    let size = tree.size().to_int_size().scale_by(scale).filter(|_| scale >= LEAST);
    let pixels = size.and_then(|size| tiny_skia::Pixmap::new(size.width(), size.height()));
    let mut pixels = pixels.ok_or(DrawError::TooLarge { width, height })?;
    resvg::render(&tree, tiny_skia::Transform::from_scale(scale, scale), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| DrawError::Encoding(error.to_string()))
}
