//! From an SVG to a PNG, with the font inside this program and no other: the same bytes on every machine.

use resvg::{tiny_skia, usvg};

use super::style::FONT;

/// Pixels for one unit of the drawing: sharp on a dense screen and in print.
const SCALE: f32 = 2.0;
/// Pixels of a picture, at most: they stand in memory twice, four bytes each. A larger drawing gets fewer for a unit.
const MOST: f64 = 16e6;
/// With fewer pixels for a unit no letter can be read.
const LEAST: f32 = 0.25;

/// Draws the SVG.
///
/// # Errors
/// It is too large for a picture, or no SVG.
pub(super) fn png(svg: &str) -> anyhow::Result<Vec<u8>> {
    let mut options = usvg::Options::default();
    let fonts = options.fontdb_mut();
    fonts.load_font_data(FONT.to_vec());
    fonts.set_sans_serif_family("DejaVu Sans");
    let tree = usvg::Tree::from_str(svg, &options)?;
    let (width, height) = (tree.size().width(), tree.size().height());
    let fitting = (MOST / (f64::from(width) * f64::from(height))).sqrt() as f32;
    let scale = SCALE.min(fitting);
    let size = tree.size().to_int_size().scale_by(scale);
    let size = size.ok_or_else(|| anyhow::anyhow!("the figure has no size"))?;
    let pixels = if scale < LEAST { None } else { tiny_skia::Pixmap::new(size.width(), size.height()) };
    let Some(mut pixels) = pixels else {
        anyhow::bail!("the figure is too large for a PNG ({width:.0} by {height:.0} units): use svg");
    };
    resvg::render(&tree, tiny_skia::Transform::from_scale(scale, scale), &mut pixels.as_mut());
    Ok(pixels.encode_png()?)
}
