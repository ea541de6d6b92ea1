//! Matrix products shaped for small dense layers, in safe code over vectors of 16 lanes.
//!
//! Lanes are outputs and every result has one accumulator, so that a sum has one order, ascending over inputs or rows,
//! whatever the size of a block, a panel or a chunk: none of them may change a bit. Weights and gradients are read and
//! written where they lie in the flat vector, `[inputs, outputs]` without padding; matrices of rows (`Rows`) have their
//! rows padded to whole vectors. Nothing allocates.

use crate::train::simd::{Aligned, LANES, Lanes, Simd, dispatched, prefetch};

/// Inputs of a product whose weights stay in the first-level cache while all rows pass by: 192 x 32 x 4 bytes.
const INPUTS_A_PASS: usize = 192;

/// A matrix of rows, each padded to whole vectors.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) values: Aligned,
    /// Numbers from one row to the next: a multiple of [`LANES`].
    pub(super) stride: usize,
}

impl Rows {
    /// `rows` rows of `width` numbers, all 0.
    pub(super) fn new(rows: usize, width: usize) -> Self {
        let stride = width.next_multiple_of(LANES);
        Self { values: Aligned::zeros(rows * stride), stride }
    }

    /// The first `width` numbers of a row.
    pub(super) fn row(&self, row: usize, width: usize) -> &[f32] {
        &self.values[row * self.stride..][..width]
    }

    /// The whole row, padding included.
    pub(super) fn padded_mut(&mut self, row: usize) -> &mut [f32] {
        &mut self.values[row * self.stride..][..self.stride]
    }
}

/// Inputs between two questions for rows ahead in [`product`], and cache lines of a question, there and in each block of
/// [`outer_product`]: so few that the memory keeps up, and enough for a chunk while the chunk before it is worked on.
const INPUTS_AN_ASK: usize = 32;
const LINES_AN_ASK: usize = 5;

/// Bytes of a cache line.
const LINE: usize = 64;

/// Rows of the dataset that will be needed next; cache lines of them are asked for while a product runs.
#[derive(Default)]
pub(super) struct Ahead<'a> {
    bytes: &'a [u8],
    features: usize,
    rows: &'a [u32],
    /// What is left of the row at hand.
    left: &'a [u8],
}

impl<'a> Ahead<'a> {
    /// `rows` of `bytes`, which has rows of `features`.
    pub(super) fn new(bytes: &'a [u8], features: usize, rows: &'a [u32]) -> Self {
        Self { bytes, features, rows, left: &[] }
    }

    /// Asks for the next `lines` cache lines, or what is left of a row.
    #[inline(always)]
    fn ask(&mut self, lines: usize) {
        if self.left.is_empty() {
            let Some((&row, rest)) = self.rows.split_first() else { return };
            self.rows = rest;
            self.left = &self.bytes[row as usize * self.features..][..self.features];
        }
        let (now, later) = self.left.split_at(self.left.len().min(lines * LINE));
        for line in now.chunks(LINE) {
            prefetch(line);
        }
        self.left = later;
    }
}

/// What [`product`] multiplies and adds.
#[derive(Clone, Copy)]
pub(super) struct Factors<'a> {
    /// The left matrix: `rows` rows of `starts.len()` inputs.
    pub(super) x: &'a Rows,
    pub(super) rows: usize,
    /// Where the weights of each input begin in `weights`.
    pub(super) starts: &'a [u32],
    pub(super) weights: &'a [f32],
    /// Weights of one input.
    pub(super) outputs: usize,
    /// What the sums start from, one an output; 0 without.
    pub(super) bias: Option<&'a [f32]>,
    /// Whether the results are cut at 0 from below.
    pub(super) relu: bool,
}

dispatched!(
    /// `out = x weights + bias`, row by row; the padding of `out` becomes 0.
    pub(super) fn product(factors: &Factors<'_>, out: &mut Rows, ahead: &mut Ahead<'_>) = product_with
);

#[inline(always)]
fn product_with<S: Simd>(s: S, factors: &Factors<'_>, out: &mut Rows, ahead: &mut Ahead<'_>) {
    let mut at = 0;
    while at < factors.outputs {
        let left = factors.outputs - at;
        // Two vectors an output block where they fit in the registers, the last one partly filled if need be.
        if S::WIDE && left >= 2 * LANES {
            product_panel::<S, 2, true>(s, factors, at, LANES, out, ahead);
            at += 2 * LANES;
        } else if S::WIDE && left > LANES {
            product_panel::<S, 2, false>(s, factors, at, left - LANES, out, ahead);
            at = factors.outputs;
        } else if left >= LANES {
            product_panel::<S, 1, true>(s, factors, at, LANES, out, ahead);
            at += LANES;
        } else {
            product_panel::<S, 1, false>(s, factors, at, left, out, ahead);
            at = factors.outputs;
        }
    }
}

/// The outputs from `at` on: `N` vectors, the last of `last` lanes.
#[inline(always)]
fn product_panel<S: Simd, const N: usize, const FULL: bool>(
    s: S,
    factors: &Factors<'_>,
    at: usize,
    last: usize,
    out: &mut Rows,
    ahead: &mut Ahead<'_>,
) {
    let inputs = factors.starts.len();
    let mut from = 0;
    loop {
        let to = inputs.min(from + INPUTS_A_PASS);
        let pass = Pass { from, to, at, last, end: to == inputs };
        let mut row = 0;
        while row < factors.rows {
            // As many rows as there are registers for. Eight in two halves: a block of two would wait for its own sums.
            row += match factors.rows - row {
                12.. if S::WIDE => block::<S, 12, N, FULL>(s, factors, &pass, row, out, ahead),
                8.. if S::WIDE => block::<S, 8, N, FULL>(s, factors, &pass, row, out, ahead),
                7 | 8 => block::<S, 4, N, FULL>(s, factors, &pass, row, out, ahead),
                6.. => block::<S, 6, N, FULL>(s, factors, &pass, row, out, ahead),
                4 | 5 => block::<S, 4, N, FULL>(s, factors, &pass, row, out, ahead),
                2 | 3 => block::<S, 2, N, FULL>(s, factors, &pass, row, out, ahead),
                _ => block::<S, 1, N, FULL>(s, factors, &pass, row, out, ahead),
            };
        }
        from = to;
        if pass.end {
            return;
        }
    }
}

/// The part of a product between two points in its sums.
struct Pass {
    /// Inputs.
    from: usize,
    to: usize,
    /// The first output.
    at: usize,
    /// Lanes of the last vector.
    last: usize,
    /// Whether the sums are complete after it.
    end: bool,
}

/// `R` rows of a pass; gives `R`.
#[inline(always)]
fn block<S: Simd, const R: usize, const N: usize, const FULL: bool>(
    s: S,
    factors: &Factors<'_>,
    pass: &Pass,
    row: usize,
    out: &mut Rows,
    ahead: &mut Ahead<'_>,
) -> usize {
    let zero = s.splat(0.0);
    let mut sums = [[zero; N]; R];
    if pass.from > 0 {
        for (r, sums) in sums.iter_mut().enumerate() {
            *sums = vectors::<S, N, true>(s, &out.values, (row + r) * out.stride + pass.at, LANES);
        }
    } else if let Some(bias) = factors.bias {
        sums = [vectors::<S, N, FULL>(s, bias, pass.at, pass.last); R];
    }
    let starts = &factors.starts[pass.from..pass.to];
    let inputs = starts.len();
    let mut x: [&[f32]; R] = [&[]; R];
    for (r, x) in x.iter_mut().enumerate() {
        *x = &factors.x.values[(row + r) * factors.x.stride + pass.from..][..inputs];
    }
    let weights = &factors.weights[pass.at..];
    for from in (0..inputs).step_by(INPUTS_AN_ASK) {
        ahead.ask(LINES_AN_ASK);
        for k in from..inputs.min(from + INPUTS_AN_ASK) {
            let w = vectors::<S, N, FULL>(s, weights, starts[k] as usize, pass.last);
            for r in 0..R {
                let x = s.splat(x[r][k]);
                for n in 0..N {
                    sums[r][n] = x.mul_add(w[n], sums[r][n]);
                }
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        let to = &mut out.values[(row + r) * out.stride + pass.at..][..N * LANES];
        for (to, &sum) in to.as_chunks_mut().0.iter_mut().zip(sums) {
            // In this order a NaN stays.
            let value = if pass.end && factors.relu { zero.larger(sum) } else { sum };
            value.store(to);
        }
    }
    R
}

/// `N` vectors from `at` on; unless `FULL`, the last one has `last` lanes.
#[inline(always)]
fn vectors<S: Simd, const N: usize, const FULL: bool>(s: S, from: &[f32], at: usize, last: usize) -> [S::V; N] {
    let mut vectors = [s.splat(0.0); N];
    let from = &from[at..at + (N - 1) * LANES + if FULL { LANES } else { last }];
    for (n, vector) in vectors.iter_mut().enumerate() {
        let from = &from[n * LANES..];
        *vector = match from.first_chunk() {
            Some(whole) if FULL || n + 1 < N => s.load(whole),
            _ => s.load_part(from),
        };
    }
    vectors
}

/// What [`outer_product`] multiplies and where the result goes.
pub(super) struct Outer<'a> {
    /// `rows` rows of `starts.len()` inputs.
    pub(super) x: &'a Rows,
    pub(super) rows: usize,
    /// Where the results of each input begin.
    pub(super) starts: &'a [u32],
    /// `rows` rows of `outputs` numbers.
    pub(super) delta: &'a Rows,
    pub(super) outputs: usize,
    /// Whether the sums go on from what `gradient` holds, or start from 0.
    pub(super) go_on: bool,
}

dispatched!(
    /// `gradient (+)= xT delta`; with `descend`, `(w, lr)`, the sums go into `w -= gradient lr` instead of `gradient`.
    pub(super) fn outer_product(
        outer: &Outer<'_>,
        gradient: &mut [f32],
        descend: Option<(&mut [f32], f32)>,
        ahead: &mut Ahead<'_>,
    ) = outer_product_with
);

#[inline(always)]
fn outer_product_with<S: Simd>(
    s: S,
    outer: &Outer<'_>,
    gradient: &mut [f32],
    mut descend: Option<(&mut [f32], f32)>,
    ahead: &mut Ahead<'_>,
) {
    let mut at = 0;
    while at < outer.outputs {
        let left = outer.outputs - at;
        let descend = descend.as_mut().map(|(w, lr)| (&mut **w, *lr));
        if S::WIDE && left >= 2 * LANES {
            outer_panel::<S, 2, true>(s, outer, at, LANES, gradient, descend, ahead);
            at += 2 * LANES;
        } else if S::WIDE && left > LANES {
            outer_panel::<S, 2, false>(s, outer, at, left - LANES, gradient, descend, ahead);
            at = outer.outputs;
        } else if left >= LANES {
            outer_panel::<S, 1, true>(s, outer, at, LANES, gradient, descend, ahead);
            at += LANES;
        } else {
            outer_panel::<S, 1, false>(s, outer, at, left, gradient, descend, ahead);
            at = outer.outputs;
        }
    }
}

#[inline(always)]
fn outer_panel<S: Simd, const N: usize, const FULL: bool>(
    s: S,
    outer: &Outer<'_>,
    at: usize,
    last: usize,
    gradient: &mut [f32],
    mut descend: Option<(&mut [f32], f32)>,
    ahead: &mut Ahead<'_>,
) {
    let inputs = outer.starts.len();
    let mut input = 0;
    while input < inputs {
        let descend = descend.as_mut().map(|(w, lr)| (&mut **w, *lr));
        ahead.ask(LINES_AN_ASK);
        let place = (at, last, input);
        input += match inputs - input {
            14.. if S::WIDE => outer_block::<S, 14, N, FULL>(s, outer, place, gradient, descend),
            8.. if S::WIDE => outer_block::<S, 8, N, FULL>(s, outer, place, gradient, descend),
            6.. => outer_block::<S, 6, N, FULL>(s, outer, place, gradient, descend),
            4.. => outer_block::<S, 4, N, FULL>(s, outer, place, gradient, descend),
            2 | 3 => outer_block::<S, 2, N, FULL>(s, outer, place, gradient, descend),
            _ => outer_block::<S, 1, N, FULL>(s, outer, place, gradient, descend),
        };
    }
}

/// `P` inputs; gives `P`.
#[inline(always)]
fn outer_block<S: Simd, const P: usize, const N: usize, const FULL: bool>(
    s: S,
    outer: &Outer<'_>,
    (at, last, input): (usize, usize, usize),
    gradient: &mut [f32],
    descend: Option<(&mut [f32], f32)>,
) -> usize {
    let zero = s.splat(0.0);
    let mut sums = [[zero; N]; P];
    let Some(starts) = outer.starts[input..].first_chunk::<P>() else { return P };
    if outer.go_on {
        for (sums, &start) in sums.iter_mut().zip(starts) {
            *sums = vectors::<S, N, FULL>(s, gradient, start as usize + at, last);
        }
    }
    let x = outer.x.values.chunks_exact(outer.x.stride);
    let delta = outer.delta.values.chunks_exact(outer.delta.stride);
    for (x, delta) in x.zip(delta).take(outer.rows) {
        let delta = vectors::<S, N, true>(s, delta, at, LANES);
        let x = &x[input..input + P];
        for p in 0..P {
            let x = s.splat(x[p]);
            for n in 0..N {
                sums[p][n] = x.mul_add(delta[n], sums[p][n]);
            }
        }
    }
    let width = (N - 1) * LANES + if FULL { LANES } else { last };
    match descend {
        None => {
            for (sums, &start) in sums.iter().zip(starts) {
                put::<S, N, FULL>(sums, &mut gradient[start as usize + at..][..width]);
            }
        }
        Some((w, lr)) => {
            let lr = s.splat(lr);
            for (sums, &start) in sums.iter().zip(starts) {
                let w = &mut w[start as usize + at..][..width];
                let mut moved = vectors::<S, N, FULL>(s, w, 0, last);
                for (w, &sum) in moved.iter_mut().zip(sums) {
                    *w = *w - sum * lr;
                }
                put::<S, N, FULL>(&moved, w);
            }
        }
    }
    P
}

/// Writes vectors to `to`, which is as long as their used lanes.
#[inline(always)]
fn put<S: Simd, const N: usize, const FULL: bool>(vectors: &[S::V; N], to: &mut [f32]) {
    for (n, vector) in vectors.iter().enumerate() {
        let to = &mut to[n * LANES..];
        match to.first_chunk_mut() {
            Some(whole) if FULL || n + 1 < N => vector.store(whole),
            _ => vector.store_part(to),
        }
    }
}

dispatched!(
    /// `gradient (+)=` the sum of the first `rows` rows of `delta`.
    pub(super) fn column_sums(delta: &Rows, rows: usize, go_on: bool, gradient: &mut [f32]) = column_sums_with
);

#[inline(always)]
fn column_sums_with<S: Simd>(s: S, delta: &Rows, rows: usize, go_on: bool, gradient: &mut [f32]) {
    for (panel, gradient) in gradient.chunks_mut(LANES).enumerate() {
        let mut sum = if go_on { s.load_part(gradient) } else { s.splat(0.0) };
        for row in 0..rows {
            let [value] = vectors::<S, 1, true>(s, &delta.values, row * delta.stride + panel * LANES, LANES);
            sum = sum + value;
        }
        sum.store_part(gradient);
    }
}

dispatched!(
    /// `out[o][i] = weights[i][o]`, where `weights` has rows of `outputs`; `out` has a row for each output.
    pub(super) fn transpose(weights: &[f32], outputs: usize, out: &mut Rows) = transpose_with
);

#[inline(always)]
fn transpose_with<S: Simd>(_s: S, weights: &[f32], outputs: usize, out: &mut Rows) {
    let stride = out.stride;
    let inputs = weights.len() / outputs;
    let whole = (inputs - inputs % LANES, outputs - outputs % LANES);
    for i in (0..whole.0).step_by(LANES) {
        for o in (0..whole.1).step_by(LANES) {
            // Of fixed size, so that the compiler makes shuffles of it.
            let mut block = [[0.0; LANES]; LANES];
            for (k, row) in block.iter_mut().enumerate() {
                row.copy_from_slice(&weights[(i + k) * outputs + o..][..LANES]);
            }
            for n in 0..LANES {
                let mut turned = [0.0; LANES];
                for k in 0..LANES {
                    turned[k] = block[k][n];
                }
                out.values[(o + n) * stride + i..][..LANES].copy_from_slice(&turned);
            }
        }
    }
    for o in 0..outputs {
        let done = if o < whole.1 { whole.0 } else { 0 };
        for i in done..inputs {
            out.values[o * stride + i] = weights[i * outputs + o];
        }
    }
}

/// A stretch of at most [`LANES`] columns: where it begins in a row of the dataset, and in a row of inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    from: u32,
    to: u32,
}

/// The pieces of the stretches `runs`, `(start, length)`, of a row, which go one after the other into a row of inputs. A
/// piece always moves a whole vector: what it moves too much is overwritten by the next, or lies in the padding of
/// [`input_width`].
pub(super) fn pieces(runs: &[(u32, u32)]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut end = 0;
    for &(start, length) in runs {
        let offsets = (0..length).step_by(LANES);
        pieces.extend(offsets.map(|at| Piece { from: start + at, to: end + at }));
        end += length;
    }
    pieces
}

/// Room for a row of inputs that [`gather`] fills.
pub(super) fn input_width(features: usize) -> usize {
    features + LANES
}

dispatched!(
    /// Moves `pieces` of the rows `rows` of `bytes`, which are `features` long, to the rows of `out`, as numbers times
    /// `scale`.
    pub(super) fn gather(bytes: &[u8], features: usize, rows: &[u32], pieces: &[Piece], scale: f32, out: &mut Rows)
        = gather_with
);

#[inline(always)]
fn gather_with<S: Simd>(
    s: S,
    bytes: &[u8],
    features: usize,
    rows: &[u32],
    pieces: &[Piece],
    scale: f32,
    out: &mut Rows,
) {
    let scale = s.splat(scale);
    for (&row, out) in rows.iter().zip(out.values.chunks_exact_mut(out.stride)) {
        let row = &bytes[row as usize * features..][..features];
        for piece in pieces {
            let (from, to) = (piece.from as usize, piece.to as usize);
            let numbers = match row[from..].first_chunk() {
                Some(bytes) => s.load_bytes(bytes),
                None => {
                    let mut bytes = [0; LANES];
                    bytes[..features - from].copy_from_slice(&row[from..]);
                    s.load_bytes(&bytes)
                }
            };
            if let Some(to) = out[to..].first_chunk_mut() {
                (numbers * scale).store(to);
            }
        }
    }
}
