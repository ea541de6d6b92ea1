//! From an SVG to a PNG, with the font inside this program and no other: the same bytes on every machine.

use resvg::{tiny_skia, usvg};

use super::style::FONT;

/// Pixels for one unit of the drawing: sharp on a dense screen and in print.
const SCALE: f32 = 2.0;

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
    let size = tree.size().to_int_size().scale_by(SCALE);
    let size = size.ok_or_else(|| anyhow::anyhow!("the figure has no size"))?;
    let Some(mut pixels) = tiny_skia::Pixmap::new(size.width(), size.height()) else {
        anyhow::bail!("the figure is too large for a PNG ({} by {} pixels): use svg", size.width(), size.height());
    };
    resvg::render(&tree, tiny_skia::Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    Ok(pixels.encode_png()?)
}
