//! Products of layers behind the first, in safe code over vectors of 16 lanes.
//!
//! Lanes are outputs and every result has one accumulator, so that a sum has one order, ascending
//! over inputs or rows, whatever the size of a block, a panel or a chunk: none of them may change a
//! bit. Weights and gradients are read and written where they lie in the flat vector, `[inputs,
//! outputs]` without padding; matrices of rows ([`Rows`]) have their rows padded to whole vectors.
//! Nothing allocates.

use super::rows::{Panel, Rows, panels, put_row, vectors};
use super::sums::{Columns, Sums};
use crate::simd::{LANES, Lanes, Simd, dispatched};

/// What [`product`] multiplies and adds.
#[derive(Clone, Copy)]
pub(super) struct Factors<'a> {
    /// The left matrix: `rows` rows of `inputs` numbers.
    pub(super) x: &'a Rows,
    pub(super) rows: usize,
    pub(super) inputs: usize,
    /// `outputs` weights for each input, and what is between them.
    pub(super) weights: &'a [f32],
    /// Numbers from the weights of one input to those of the next.
    pub(super) stride: usize,
    /// Weights of one input.
    pub(super) outputs: usize,
    /// What the sums start from, one an output; 0 without.
    pub(super) bias: Option<&'a [f32]>,
    /// Whether the results are cut at 0 from below.
    pub(super) relu: bool,
}

dispatched!(
    /// `out = x weights + bias`, row by row; the padding of `out` becomes 0.
    pub(super) fn product(factors: &Factors<'_>, out: &mut Rows) = product_with
);

#[inline(always)]
fn product_with<S: Simd>(s: S, factors: &Factors<'_>, out: &mut Rows) {
    panels!(S, factors.outputs, product_panel(s, factors, out));
}

#[inline(always)]
fn product_panel<S: Simd, const N: usize, const FULL: bool>(panel: Panel, s: S, factors: &Factors<'_>, out: &mut Rows) {
    let mut row = 0;
    while row < factors.rows {
        // As many rows as there are registers for. Eight in two halves: a block of two would wait
        // for its own sums.
        row += match factors.rows - row {
            12.. if S::WIDE => product_block::<S, 12, N, FULL>(panel, s, factors, row, out),
            8.. if S::WIDE => product_block::<S, 8, N, FULL>(panel, s, factors, row, out),
            7 | 8 => product_block::<S, 4, N, FULL>(panel, s, factors, row, out),
            6.. => product_block::<S, 6, N, FULL>(panel, s, factors, row, out),
            4 | 5 => product_block::<S, 4, N, FULL>(panel, s, factors, row, out),
            2 | 3 => product_block::<S, 2, N, FULL>(panel, s, factors, row, out),
            _ => product_block::<S, 1, N, FULL>(panel, s, factors, row, out),
        };
    }
}

/// `R` rows; gives `R`.
#[inline(always)]
fn product_block<S: Simd, const R: usize, const N: usize, const FULL: bool>(
    panel: Panel,
    s: S,
    factors: &Factors<'_>,
    row: usize,
    out: &mut Rows,
) -> usize {
    let bias = factors.bias.map(|bias| vectors::<S, N, FULL>(s, bias, panel.at, panel.last));
    let mut sums = [bias.unwrap_or([s.splat(0.0); N]); R];
    let mut x: [&[f32]; R] = [&[]; R];
    for (r, x) in x.iter_mut().enumerate() {
        *x = factors.x.row(row + r, factors.inputs);
    }
    for k in 0..factors.inputs {
        let w = vectors::<S, N, FULL>(s, factors.weights, k * factors.stride + panel.at, panel.last);
        for r in 0..R {
            let x = s.splat(x[r][k]);
            for n in 0..N {
                sums[r][n] = x.mul_add(w[n], sums[r][n]);
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        put_row(s, sums, factors.relu, row + r, panel.at, out);
    }
    R
}

/// What [`outer_product`] multiplies.
#[derive(Clone, Copy)]
pub(super) struct Outer<'a> {
    /// `rows` rows of `inputs` numbers.
    pub(super) x: &'a Rows,
    pub(super) rows: usize,
    pub(super) inputs: usize,
    /// `rows` rows of `outputs` numbers.
    pub(super) delta: &'a Rows,
    pub(super) outputs: usize,
}

dispatched!(
    /// The gradient of a kernel: `xT delta`.
    pub(super) fn outer_product(outer: &Outer<'_>, to: &mut Sums<'_>) = outer_product_with
);

#[inline(always)]
fn outer_product_with<S: Simd>(s: S, outer: &Outer<'_>, to: &mut Sums<'_>) {
    panels!(S, outer.outputs, outer_panel(s, outer, to));
}

#[inline(always)]
fn outer_panel<S: Simd, const N: usize, const FULL: bool>(panel: Panel, s: S, outer: &Outer<'_>, to: &mut Sums<'_>) {
    let mut to = to.columns(outer.outputs, panel.at, panel.width(N, FULL));
    let mut input = 0;
    while input < outer.inputs {
        input += match outer.inputs - input {
            14.. if S::WIDE => outer_block::<S, 14, N, FULL>(panel, s, outer, input, &mut to),
            8.. if S::WIDE => outer_block::<S, 8, N, FULL>(panel, s, outer, input, &mut to),
            6.. => outer_block::<S, 6, N, FULL>(panel, s, outer, input, &mut to),
            4.. => outer_block::<S, 4, N, FULL>(panel, s, outer, input, &mut to),
            2 | 3 => outer_block::<S, 2, N, FULL>(panel, s, outer, input, &mut to),
            _ => outer_block::<S, 1, N, FULL>(panel, s, outer, input, &mut to),
        };
    }
}

/// `P` inputs; gives `P`.
#[inline(always)]
fn outer_block<S: Simd, const P: usize, const N: usize, const FULL: bool>(
    panel: Panel,
    s: S,
    outer: &Outer<'_>,
    input: usize,
    to: &mut Columns<'_>,
) -> usize {
    let rows: [usize; P] = std::array::from_fn(|p| input + p);
    let mut sums = to.begin::<S, P, N, FULL>(s, rows, panel);
    let x = outer.x.values.chunks_exact(outer.x.stride);
    let delta = outer.delta.values.chunks_exact(outer.delta.stride);
    for (x, delta) in x.zip(delta).take(outer.rows) {
        let delta = vectors::<S, N, true>(s, delta, panel.at, LANES);
        let x = &x[input..input + P];
        for p in 0..P {
            let x = s.splat(x[p]);
            for n in 0..N {
                sums[p][n] = x.mul_add(delta[n], sums[p][n]);
            }
        }
    }
    to.end::<S, P, N, FULL>(s, rows, sums, panel);
    P
}

dispatched!(
    /// The gradient of a bias: the sum of the first `rows` rows of `delta`, which have `outputs`
    /// numbers.
    pub(super) fn column_sums(delta: &Rows, rows: usize, outputs: usize, to: &mut Sums<'_>) = column_sums_with
);

#[inline(always)]
fn column_sums_with<S: Simd>(s: S, delta: &Rows, rows: usize, outputs: usize, to: &mut Sums<'_>) {
    panels!(S, outputs, column_panel(s, delta, rows, outputs, to));
}

#[inline(always)]
fn column_panel<S: Simd, const N: usize, const FULL: bool>(
    panel: Panel,
    s: S,
    delta: &Rows,
    rows: usize,
    outputs: usize,
    to: &mut Sums<'_>,
) {
    let mut to = to.columns(outputs, panel.at, panel.width(N, FULL));
    let [mut sums] = to.begin::<S, 1, N, FULL>(s, [0], panel);
    for row in 0..rows {
        let values = vectors::<S, N, true>(s, &delta.values, row * delta.stride + panel.at, LANES);
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum = *sum + value;
        }
    }
    to.end::<S, 1, N, FULL>(s, [0], [sums], panel);
}

dispatched!(
    /// `out[o][i] = weights[i][o]`, where `weights` has rows of `outputs`; `out` has a row for each
    /// output.
    pub(super) fn transpose(weights: &[f32], outputs: usize, out: &mut Rows) = transpose_with
);

#[inline(always)]
fn transpose_with<S: Simd>(s: S, weights: &[f32], outputs: usize, out: &mut Rows) {
    let (inputs, stride) = (weights.len() / outputs, out.stride);
    for i in (0..inputs).step_by(LANES) {
        for o in (0..outputs).step_by(LANES) {
            let width = LANES.min(outputs - o);
            let mut square = [s.splat(0.0); LANES];
            for (k, row) in square.iter_mut().enumerate().take(inputs - i) {
                let from = &weights[(i + k) * outputs + o..][..width];
                *row = from.first_chunk().map_or_else(|| s.load_part(from), |whole| s.load(whole));
            }
            s.turn(&mut square);
            for (n, column) in square.iter().enumerate().take(width) {
                if let Some(to) = out.values[(o + n) * stride + i..].first_chunk_mut() {
                    column.store(to);
                }
            }
        }
    }
}
