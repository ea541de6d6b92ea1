//! One drawing: a template, deformed as a hasty hand would.

use super::raster::{Canvas, PIXELS, Point, SIDE, cos, sin};
use super::templates::Stroke;
use crate::random::Stream;

// How far drawings stray. Chosen so that the classic network (784-32-32-10, sgd 0.01, batch 32)
// ends near 0.85 on 20,000 of them.
/// Largest rotation, in turns; small ones are likelier.
const ROTATION: f32 = 0.068;
/// Smallest and largest size of the drawing, as a share of the canvas; width and height apart.
const SIZE: (f32, f32) = (0.64, 0.98);
/// Largest shear.
const SHEAR: f32 = 0.2;
/// Largest offset of the whole, in pixels.
const SHIFT: f32 = 2.25;
/// Largest offset and relative growth of one stroke.
const STROKE_SHIFT: f32 = 0.048;
const STROKE_GROWTH: f32 = 0.17;
/// Amplitude of the bend of a stroke.
const WOBBLE: f32 = 0.037;
/// Chance that a stroke is forgotten, that it ends early, and that a scribble is added.
const FORGOTTEN: f32 = 0.1;
const UNFINISHED: f32 = 0.1;
const SCRIBBLE: f32 = 0.25;
/// Thinnest and thickest pen, in pixels.
const PEN: (f32, f32) = (1.0, 2.4);
/// Points of a curve between two of its knots, and of an arc's whole turn.
const CURVE_STEPS: usize = 6;
const ARC_STEPS: f32 = 28.0;

/// Draws sample `index` of `seed` after one of `variants`.
pub(super) fn draw(seed: u64, index: u64, variants: &[&[Stroke]]) -> [u8; PIXELS] {
    let mut random = Stream::new(*b"besom/sketches/1", seed, index);
    let template = variants[random.below(variants.len() as u64) as usize];
    let placing = Placing::random(&mut random);
    let pen = between(PEN, random.unit());
    let mut canvas = Canvas::blank();
    for (number, stroke) in template.iter().enumerate() {
        let forgotten = random.unit() < FORGOTTEN;
        let mut points = trace(stroke);
        deform(&mut points, &mut random);
        // The first stroke is the body: without it nobody knows the thing.
        if forgotten && number > 0 {
            continue;
        }
        points.iter_mut().for_each(|point| *point = placing.apply(*point));
        canvas.stroke(&points, pen * (0.85 + 0.3 * random.unit()));
    }
    if random.unit() < SCRIBBLE {
        canvas.stroke(&scribble(&mut random), pen);
    }
    canvas.bytes(200.0 + 55.0 * random.unit())
}

/// Where the whole drawing goes: an affine map of the unit square to pixels.
struct Placing {
    x: (f32, f32),
    y: (f32, f32),
    origin: Point,
}

impl Placing {
    fn random(random: &mut Stream) -> Self {
        let turn = ROTATION * random.around_zero();
        let (sine, cosine) = (sin(turn), cos(turn));
        let mirrored = if random.unit() < 0.5 { -1.0 } else { 1.0 };
        let width = between(SIZE, random.unit()) * SIDE as f32 * mirrored;
        let height = between(SIZE, random.unit()) * SIDE as f32;
        let shear = SHEAR * random.around_zero();
        let middle = SIDE as f32 / 2.0;
        Self {
            x: (cosine * width, (shear * cosine - sine) * height),
            y: (sine * width, (shear * sine + cosine) * height),
            origin: (middle + SHIFT * random.around_zero(), middle + SHIFT * random.around_zero()),
        }
    }

    fn apply(&self, (x, y): Point) -> Point {
        let (x, y) = (x - 0.5, y - 0.5);
        (self.origin.0 + self.x.0 * x + self.x.1 * y, self.origin.1 + self.y.0 * x + self.y.1 * y)
    }
}

/// A stroke as points close enough to bend.
fn trace(stroke: &Stroke) -> Vec<Point> {
    match stroke {
        Stroke::Line(knots) => smooth(knots, |pair, t| mix(pair[1], pair[2], t)),
        Stroke::Curve(knots) => smooth(knots, |[before, from, to, after], t| {
            (catmull_rom(before.0, from.0, to.0, after.0, t), catmull_rom(before.1, from.1, to.1, after.1, t))
        }),
        Stroke::Arc(centre, radii, from, to) => {
            let steps = ((to - from) * ARC_STEPS) as usize + 2;
            (0..=steps)
                .map(|step| from + (to - from) * step as f32 / steps as f32)
                .map(|turn| (centre.0 + radii.0 * cos(turn), centre.1 + radii.1 * sin(turn)))
                .collect()
        }
    }
}

/// Points between each two knots, made of them and their neighbours; the ends are their own
/// neighbours.
fn smooth(knots: &[Point], between: impl Fn([Point; 4], f32) -> Point) -> Vec<Point> {
    let mut points = vec![knots[0]];
    for at in 1..knots.len() {
        let around = [knots[at.saturating_sub(2)], knots[at - 1], knots[at], knots[(at + 1).min(knots.len() - 1)]];
        points.extend((1..=CURVE_STEPS).map(|step| between(around, step as f32 / CURVE_STEPS as f32)));
    }
    points
}

/// Catmull and Rom's cubic from `b` to `c`.
fn catmull_rom(a: f32, b: f32, c: f32, d: f32, t: f32) -> f32 {
    let slope = c - a;
    let square = 2.0 * a - 5.0 * b + 4.0 * c - d;
    let cube = 3.0 * (b - c) + d - a;
    b + 0.5 * t * (slope + t * (square + t * cube))
}

/// Moves, grows, bends and cuts one stroke.
fn deform(points: &mut Vec<Point>, random: &mut Stream) {
    let shift = (STROKE_SHIFT * random.around_zero(), STROKE_SHIFT * random.around_zero());
    let growth = 1.0 + STROKE_GROWTH * random.around_zero();
    let middle = points[points.len() / 2];
    let waves = [(); 2].map(|()| (WOBBLE * random.unit(), 0.4 + 1.6 * random.unit(), random.unit()));
    let last = (points.len() - 1).max(1) as f32;
    for (number, point) in points.iter_mut().enumerate() {
        let along = number as f32 / last;
        let bend = waves.map(|(amplitude, turns, phase)| amplitude * sin(turns * along + phase));
        point.0 = middle.0 + (point.0 - middle.0) * growth + shift.0 + bend[0];
        point.1 = middle.1 + (point.1 - middle.1) * growth + shift.1 + bend[1];
    }
    let (unfinished, rest) = (random.unit() < UNFINISHED, random.unit());
    if unfinished {
        let kept = (points.len() as f32 * (0.4 + 0.5 * rest)) as usize;
        points.truncate(kept.max(2));
    }
}

/// A line that means nothing, in pixels.
fn scribble(random: &mut Stream) -> Vec<Point> {
    let side = SIDE as f32;
    let knots: Vec<Point> = (0..3).map(|_| (side * random.unit(), side * random.unit())).collect();
    let end = mix(knots[0], knots[1], 0.6);
    vec![knots[0], end, mix(end, knots[2], 0.4)]
}

fn mix(from: Point, to: Point, t: f32) -> Point {
    (from.0 + (to.0 - from.0) * t, from.1 + (to.1 - from.1) * t)
}

fn between(range: (f32, f32), share: f32) -> f32 {
    range.0 + (range.1 - range.0) * share
}
