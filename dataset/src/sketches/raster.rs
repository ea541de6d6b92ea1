//! Strokes to pixels: poly-lines with round ends, anti-aliased by distance.

/// Pixels a side.
pub(super) const SIDE: usize = 28;
/// Pixels of a drawing.
pub(super) const PIXELS: usize = SIDE * SIDE;

/// A point; in pixels where pixels are meant, in units of the drawing in templates.
pub(super) type Point = (f32, f32);

/// Coverage of each pixel by ink, 0..=1, row by row.
pub(super) struct Canvas([f32; PIXELS]);

impl Canvas {
    pub(super) fn blank() -> Self {
        Self([0.0; PIXELS])
    }

    /// Draws the line through `points` (pixels), `width` wide. Ink does not add up: the darker
    /// wins.
    pub(super) fn stroke(&mut self, points: &[Point], width: f32) {
        for pair in points.windows(2) {
            self.segment(pair[0], pair[1], width / 2.0);
        }
    }

    fn segment(&mut self, from: Point, to: Point, radius: f32) {
        let reach = radius + 1.0;
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx * dx + dy * dy;
        for y in pixels(from.1.min(to.1) - reach, from.1.max(to.1) + reach) {
            for x in pixels(from.0.min(to.0) - reach, from.0.max(to.0) + reach) {
                let (px, py) = (x as f32 + 0.5 - from.0, y as f32 + 0.5 - from.1);
                let along = if length > 0.0 { ((px * dx + py * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
                let (ox, oy) = (px - along * dx, py - along * dy);
                let cover = (radius + 0.5 - (ox * ox + oy * oy).sqrt()).clamp(0.0, 1.0);
                let pixel = &mut self.0[y * SIDE + x];
                *pixel = pixel.max(cover);
            }
        }
    }

    /// Bytes: 0 is paper, `ink` the darkest stroke.
    pub(super) fn bytes(&self, ink: f32) -> [u8; PIXELS] {
        self.0.map(|cover| (cover * ink + 0.5) as u8)
    }
}

/// The pixels of one axis between two positions, clipped to the canvas.
fn pixels(from: f32, to: f32) -> std::ops::Range<usize> {
    let clip = |position: f32| position.clamp(0.0, SIDE as f32) as usize;
    clip(from)..clip(to + 1.0)
}

/// Sine of an angle in turns, by its Taylor series on a quarter turn: the library's differs between
/// platforms.
pub(super) fn sin(turns: f32) -> f32 {
    let turns = turns - (turns + 0.5).floor();
    let folded = if turns > 0.25 {
        0.5 - turns
    } else if turns < -0.25 {
        -0.5 - turns
    } else {
        turns
    };
    let angle = folded * std::f32::consts::TAU;
    let square = angle * angle;
    angle * (1.0 - square / 6.0 * (1.0 - square / 20.0 * (1.0 - square / 42.0 * (1.0 - square / 72.0))))
}

/// Cosine of an angle in turns.
pub(super) fn cos(turns: f32) -> f32 {
    sin(turns + 0.25)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sine_and_cosine_are_those_of_the_library() {
        for step in -300..300 {
            let turns = step as f32 / 100.0;
            let angle = f64::from(turns) * std::f64::consts::TAU;
            assert!((f64::from(sin(turns)) - angle.sin()).abs() < 1e-5, "sin {turns}");
            assert!((f64::from(cos(turns)) - angle.cos()).abs() < 1e-5, "cos {turns}");
        }
    }

    #[test]
    fn a_stroke_covers_what_it_crosses_and_clips_what_it_does_not() {
        let mut canvas = Canvas::blank();
        canvas.stroke(&[(-50.0, 14.5), (90.0, 14.5)], 1.0);
        let bytes = canvas.bytes(255.0);
        assert!(bytes[14 * SIDE..15 * SIDE].iter().all(|&value| value == 255));
        assert_eq!(bytes.iter().filter(|&&value| value > 0).count(), SIDE);
        canvas.stroke(&[(f32::MAX, f32::MAX), (f32::MAX, f32::MAX)], 3.0);
    }
}
