//! The first layer's two products, in which nothing is multiplied by a strip of zeros.
//!
//! What they leave out are products with an exact 0, which change no finite sum but the sign of a
//! zero that underflow made. Which they are depends on a sample alone, not on its company, and not
//! on the instructions: a run that diverges has the same bits too. Sums over features go strip by
//! strip, in the order of [`Strips::halves`](super::strips::Strips::halves); otherwise the order of
//! sums and the layout of weights are those of [`super::dense`].

use super::ahead::Ahead;
use super::inputs::{Entries, Inputs};
use super::rows::{Panel, Rows, panels, put, vectors};
use super::strips::{HALF, STRIP};
use super::sums::{Columns, Sums};
use crate::simd::{Band, BandMut, LANES, Lanes, Simd, dispatched};

/// What [`first_product`] multiplies and adds.
#[derive(Clone, Copy)]
pub(super) struct FirstFactors<'a> {
    /// The left matrix.
    pub(super) inputs: &'a Inputs,
    /// `outputs` weights for each feature.
    pub(super) weights: &'a [f32],
    /// What the sums start from, one an output.
    pub(super) bias: &'a [f32],
    /// Weights of one feature.
    pub(super) outputs: usize,
    /// Whether the results are cut at 0 from below.
    pub(super) relu: bool,
}

dispatched!(
    /// `out = inputs weights + bias`; the padding of rows becomes 0.
    pub(super) fn first_product(factors: &FirstFactors<'_>, out: &mut Rows, ahead: &mut Ahead<'_>) = first_product_with
);

#[inline(always)]
fn first_product_with<S: Simd>(s: S, factors: &FirstFactors<'_>, out: &mut Rows, ahead: &mut Ahead<'_>) {
    panels!(S, factors.outputs, product_panel(s, factors, out, ahead));
}

#[inline(always)]
fn product_panel<S: Simd, const N: usize, const FULL: bool>(
    panel: Panel,
    s: S,
    factors: &FirstFactors<'_>,
    out: &mut Rows,
    ahead: &mut Ahead<'_>,
) {
    let FirstFactors { inputs, outputs, .. } = *factors;
    let bias = vectors::<S, N, FULL>(s, factors.bias, panel.at, panel.last);
    let stride = out.stride;
    let mut out = BandMut::new(&mut out.values, inputs.count, stride, panel.at, N * LANES);
    for row in 0..inputs.count {
        put::<S, N, true>(&bias, out.row(row));
    }
    let features = factors.weights.len() / outputs;
    let weights = Band::new(factors.weights, features, outputs, panel.at, panel.width(N, FULL));
    let mut values = inputs.values();
    for strips in inputs.strips.chunks(ahead.pace()) {
        ahead.ask();
        for strip in strips {
            let [one, other] = strip.halves.map(|half| weights.block::<HALF>(half as usize));
            let entries = strip.take(&mut values);
            if S::WIDE {
                let w: [&[f32]; STRIP] = std::array::from_fn(|p| if p < HALF { one[p] } else { other[p - HALF] });
                product_strip::<S, STRIP, N, FULL>(panel, s, w, entries, 0, &mut out);
            } else {
                // There are no registers for the weights of a whole strip.
                product_strip::<S, HALF, N, FULL>(panel, s, one, entries, 0, &mut out);
                product_strip::<S, HALF, N, FULL>(panel, s, other, entries, HALF, &mut out);
            }
        }
    }
    if let Some(strip) = &inputs.rest {
        for p in 0..inputs.rest_count() {
            let w = weights.row(strip.halves[0] as usize + p);
            product_strip::<S, 1, N, FULL>(panel, s, [w], inputs.entries(strip), p, &mut out);
        }
    }
    if factors.relu {
        for row in 0..inputs.count {
            let row = out.row(row);
            // In this order a NaN stays.
            let mut sums = vectors::<S, N, true>(s, row, 0, LANES);
            for sum in &mut sums {
                *sum = s.splat(0.0).larger(*sum);
            }
            put::<S, N, true>(&sums, row);
        }
    }
}

/// Adds the products of `P` features of a strip, `from` on, with their weights `w` to the rows of
/// its entries.
#[inline(always)]
fn product_strip<S: Simd, const P: usize, const N: usize, const FULL: bool>(
    panel: Panel,
    s: S,
    w: [&[f32]; P],
    entries: Entries<'_>,
    from: usize,
    out: &mut BandMut<'_>,
) {
    let mut weights = [[s.splat(0.0); N]; P];
    for (weights, w) in weights.iter_mut().zip(w) {
        *weights = vectors::<S, N, FULL>(s, w, 0, panel.last);
    }
    for (x, row) in entries.iter() {
        let x = &x[from..from + P];
        let out = out.row(row);
        let mut sums = vectors::<S, N, true>(s, out, 0, LANES);
        for p in 0..P {
            let x = s.splat(x[p]);
            for n in 0..N {
                sums[n] = x.mul_add(weights[p][n], sums[n]);
            }
        }
        put::<S, N, true>(&sums, out);
    }
}

/// What [`first_gradient`] multiplies.
#[derive(Clone, Copy)]
pub(super) struct FirstOuter<'a> {
    /// The left matrix, which is turned.
    pub(super) inputs: &'a Inputs,
    /// A row of `outputs` numbers for each row of inputs.
    pub(super) delta: &'a Rows,
    /// Weights of one feature.
    pub(super) outputs: usize,
}

dispatched!(
    /// The gradient of the first kernel: `inputsT delta`.
    pub(super) fn first_gradient(outer: &FirstOuter<'_>, to: &mut Sums<'_>, ahead: &mut Ahead<'_>) = first_gradient_with
);

#[inline(always)]
fn first_gradient_with<S: Simd>(s: S, outer: &FirstOuter<'_>, to: &mut Sums<'_>, ahead: &mut Ahead<'_>) {
    panels!(S, outer.outputs, gradient_panel(s, outer, to, ahead));
}

#[inline(always)]
fn gradient_panel<S: Simd, const N: usize, const FULL: bool>(
    panel: Panel,
    s: S,
    outer: &FirstOuter<'_>,
    to: &mut Sums<'_>,
    ahead: &mut Ahead<'_>,
) {
    let FirstOuter { inputs, delta, outputs } = *outer;
    let delta = Band::new(&delta.values, inputs.count, delta.stride, panel.at, N * LANES);
    let ignore_zeros = to.ignore_zeros();
    let mut to = to.columns(outputs, panel.at, panel.width(N, FULL));
    for strips in inputs.sorted.chunks(ahead.pace()) {
        ahead.ask();
        for strip in strips {
            if strip.is_blank() && ignore_zeros {
                continue;
            }
            let [one, other] = strip.halves.map(|half| std::array::from_fn::<_, HALF, _>(|p| half as usize + p));
            let entries = inputs.entries(strip);
            if S::WIDE {
                let features = std::array::from_fn(|p| if p < HALF { one[p] } else { other[p - HALF] });
                gradient_strip::<S, STRIP, N, FULL>(panel, s, &delta, features, entries, 0, &mut to);
            } else {
                gradient_strip::<S, HALF, N, FULL>(panel, s, &delta, one, entries, 0, &mut to);
                gradient_strip::<S, HALF, N, FULL>(panel, s, &delta, other, entries, HALF, &mut to);
            }
        }
    }
    if let Some(strip) = inputs.rest.as_ref().filter(|strip| !(strip.is_blank() && ignore_zeros)) {
        for p in 0..inputs.rest_count() {
            let (feature, entries) = ([strip.halves[0] as usize + p], inputs.entries(strip));
            gradient_strip::<S, 1, N, FULL>(panel, s, &delta, feature, entries, p, &mut to);
        }
    }
}

/// The gradient of `P` features, whose numbers are those `from` on of the entries.
#[inline(always)]
fn gradient_strip<S: Simd, const P: usize, const N: usize, const FULL: bool>(
    panel: Panel,
    s: S,
    delta: &Band<'_>,
    features: [usize; P],
    entries: Entries<'_>,
    from: usize,
    to: &mut Columns<'_>,
) {
    let mut sums = to.begin::<S, P, N, FULL>(s, features, panel);
    for (x, row) in entries.iter() {
        let x = &x[from..from + P];
        let delta = vectors::<S, N, true>(s, delta.row(row), 0, LANES);
        for p in 0..P {
            let x = s.splat(x[p]);
            for n in 0..N {
                sums[p][n] = x.mul_add(delta[n], sums[p][n]);
            }
        }
    }
    to.end::<S, P, N, FULL>(s, features, sums, panel);
}
