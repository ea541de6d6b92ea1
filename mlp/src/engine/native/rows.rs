//! Matrices of rows, and what the kernels share: vectors of a row of numbers, whole or in part, and
//! panels of outputs.

use crate::simd::{Aligned, LANES, Lanes, Simd};

/// A matrix of rows, each padded to whole vectors.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// The rows, one after the other.
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

/// Outputs that a kernel works on together.
#[derive(Clone, Copy)]
pub(super) struct Panel {
    /// The first output.
    pub(super) at: usize,
    /// Lanes of the last vector.
    pub(super) last: usize,
}

impl Panel {
    /// Outputs of a panel of `vectors` vectors, which are all full or not.
    #[inline(always)]
    pub(super) fn width(self, vectors: usize, full: bool) -> usize {
        (vectors - 1) * LANES + if full { LANES } else { self.last }
    }
}

/// Calls `kernel::<S, N, FULL>(panel, arguments)` for one panel of `outputs` after the other:
/// panels of two vectors where those fit in the registers, and of one elsewhere; `FULL` unless the
/// last vector is filled in part.
macro_rules! panels {
    ($S:ident, $outputs:expr, $kernel:ident($($argument:expr),* $(,)?)) => {{
        let outputs: usize = $outputs;
        let mut at = 0;
        while at < outputs {
            let left = outputs - at;
            let panel = |last| $crate::engine::native::rows::Panel { at, last };
            if $S::WIDE && left >= 2 * LANES {
                $kernel::<$S, 2, true>(panel(LANES), $($argument),*);
                at += 2 * LANES;
            } else if $S::WIDE && left > LANES {
                $kernel::<$S, 2, false>(panel(left - LANES), $($argument),*);
                at = outputs;
            } else if left >= LANES {
                $kernel::<$S, 1, true>(panel(LANES), $($argument),*);
                at += LANES;
            } else {
                $kernel::<$S, 1, false>(panel(left), $($argument),*);
                at = outputs;
            }
        }
    }};
}
pub(super) use panels;

/// `N` vectors from `at` on; unless `FULL`, the last one has `last` lanes.
#[inline(always)]
pub(super) fn vectors<S: Simd, const N: usize, const FULL: bool>(
    s: S,
    from: &[f32],
    at: usize,
    last: usize,
) -> [S::V; N] {
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

/// Writes vectors to `to`, which is as long as their used lanes.
#[inline(always)]
pub(super) fn put<S: Simd, const N: usize, const FULL: bool>(vectors: &[S::V; N], to: &mut [f32]) {
    for (n, vector) in vectors.iter().enumerate() {
        let to = &mut to[n * LANES..];
        match to.first_chunk_mut() {
            Some(whole) if FULL || n + 1 < N => vector.store(whole),
            _ => vector.store_part(to),
        }
    }
}

/// Writes `N` whole vectors of the row `row` of `out`, the outputs from `at` on; with `relu` cut at
/// 0 from below.
#[inline(always)]
pub(super) fn put_row<S: Simd, const N: usize>(
    s: S,
    sums: &[S::V; N],
    relu: bool,
    row: usize,
    at: usize,
    out: &mut Rows,
) {
    let to = &mut out.values[row * out.stride + at..][..N * LANES];
    for (to, &sum) in to.as_chunks_mut().0.iter_mut().zip(sums) {
        // In this order a NaN stays.
        let value = if relu { s.splat(0.0).larger(sum) } else { sum };
        value.store(to);
    }
}
