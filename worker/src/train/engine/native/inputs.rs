//! The first layer: rows of a dataset, and its two products, in which nothing is multiplied by a 0 that it costs less to
//! jump over.
//!
//! Most values of a drawing are 0. [`gather`] notes for each [`GROUP`] of rows the features of which any row has another
//! value, and for each [`BLOCK`] of features the rows with another value in it; the products visit only those. What they
//! leave out are products with an exact 0, which change no sum (weights and gradients that are not finite end a run anyway),
//! so that neither constant may change a bit. The order of the sums and the layout of weights are those of [`super::dense`].

use std::ops::Range;

use super::ahead::Ahead;
use super::rows::{Panel, Rows, panels, put, put_row, vectors};
use crate::train::simd::{Band, BandMut, Columns, LANES, Lanes, Simd, dispatched};

/// Rows whose features are listed together. They share the loads of weights; more of them have fewer zeros in common.
pub(super) const GROUP: usize = 8;

/// Features whose rows are listed together: one bit each of a byte.
const BLOCK: usize = 8;

/// Bits of a word.
const WORD: usize = u64::BITS as usize;

/// Rows that the bits of a word are enough for.
pub(super) const MOST_ROWS: usize = WORD;

/// Features between two questions for rows ahead, and cache lines of a question: in the product, in the gradient of a group,
/// and in that of a block.
const FEATURES_AN_ASK: usize = 12;
const LINES_IN_PRODUCT: usize = 1;
const LINES_IN_GROUP: usize = 2;
const LINES_IN_BLOCK: usize = 4;

/// Scaled rows of a dataset, and where they are not 0.
pub(super) struct Inputs {
    features: usize,
    /// Rows in use, at most [`MOST_ROWS`].
    count: usize,
    /// Room for whole groups of rows; what lies behind those in use is finite.
    rows: Rows,
    /// For each 64 blocks of features a square of bits, of which 64 rows of the dataset are rows, those in use and zeros,
    /// while it is filled, and columns afterwards: whether the block is not all 0 in the row.
    blocks: Vec<[u64; MOST_ROWS]>,
    /// Scratch: the bits of the features that are not 0, in a row and in any row of a group.
    filled: Vec<u64>,
    any: Vec<u64>,
    /// For each group `width` places, of which the first so many are features that are not 0 in all rows of the group.
    lists: Vec<u32>,
    lengths: Vec<usize>,
    /// Places of a list.
    width: usize,
}

impl Inputs {
    /// Room for `most` rows of `features` numbers.
    pub(super) fn new(most: usize, features: usize) -> Self {
        assert!(most <= MOST_ROWS, "{MOST_ROWS} rows have bits");
        let groups = most.div_ceil(GROUP);
        let words = features.div_ceil(WORD);
        // Positions are written sixteen at a time.
        let width = words * WORD + LANES;
        Self {
            features,
            count: 0,
            rows: Rows::new(groups * GROUP, features),
            filled: vec![0; words],
            any: vec![0; words],
            blocks: vec![[0; MOST_ROWS]; words.div_ceil(BLOCK)],
            lists: vec![0; groups * width],
            lengths: vec![0; groups],
            width,
        }
    }

    /// Takes the numbers `x` as they are.
    #[cfg(test)]
    pub(super) fn set(&mut self, x: &[Vec<f32>]) {
        let isa = crate::train::simd::Isa::detect();
        // Rows without a 0, and then their numbers.
        gather(isa, &vec![1; self.features], &vec![0; x.len()], 1.0, self);
        for (row, x) in x.iter().enumerate() {
            self.rows.padded_mut(row)[..self.features].copy_from_slice(x);
        }
    }

    /// The features of a group that are not 0 in all its rows.
    fn list(&self, group: usize) -> &[u32] {
        &self.lists[group * self.width..][..self.lengths[group]]
    }

    /// The bits of the rows that are not all 0 in a block.
    fn rows_of(&self, block: usize) -> u64 {
        let (square, at) = (&self.blocks[block / WORD], block % WORD);
        if self.count > GROUP {
            return square[at];
        }
        (0..self.count).fold(0, |rows, row| rows | (square[row] >> at & 1) << row)
    }

    /// Rows from `row` on, of which columns are read.
    #[inline(always)]
    fn columns<const R: usize>(&self, row: usize) -> Columns<'_, R> {
        Columns::new(&self.rows.values[row * self.rows.stride..], self.rows.stride)
    }
}

dispatched!(
    /// Fills `inputs` with the rows `rows` of `bytes`, as numbers times `scale`.
    pub(super) fn gather(bytes: &[u8], rows: &[u32], scale: f32, inputs: &mut Inputs) = gather_with
);

#[inline(always)]
fn gather_with<S: Simd>(s: S, bytes: &[u8], rows: &[u32], scale: f32, inputs: &mut Inputs) {
    inputs.count = rows.len();
    inputs.blocks.fill([0; MOST_ROWS]);
    let scale = s.splat(scale);
    for (group, rows) in rows.chunks(GROUP).enumerate() {
        inputs.any.fill(0);
        for (r, &row) in rows.iter().enumerate() {
            let row = &bytes[row as usize * inputs.features..][..inputs.features];
            gather_row(s, row, scale, group * GROUP + r, inputs);
        }
        list(s, group, inputs);
    }
    // The gradient of one group goes by its list if it can.
    if rows.len() > GROUP {
        for square in &mut inputs.blocks {
            transpose_bits(square);
        }
    }
}

/// Scales a row into the row `row` of `inputs`, and notes where it is not 0. Nothing may be loaded that has just been stored in
/// other sizes: it would wait for all stores of the row before.
#[inline(always)]
fn gather_row<S: Simd>(s: S, bytes: &[u8], scale: S::V, row: usize, inputs: &mut Inputs) {
    let stride = inputs.rows.stride;
    let out = &mut inputs.rows.values[row * stride..][..stride];
    for (bytes, out) in bytes.as_chunks().0.iter().zip(out.as_chunks_mut().0) {
        (s.load_bytes(bytes) * scale).store(out);
    }
    let rest = bytes.len() % LANES;
    if rest > 0 {
        // The last ones again, if there are enough.
        let from = bytes.len().saturating_sub(LANES);
        let mut last = [0; LANES];
        last[..bytes.len() - from].copy_from_slice(&bytes[from..]);
        if let Some(out) = out[from..].first_chunk_mut() {
            (s.load_bytes(&last) * scale).store(out);
        }
    }
    for ((filled, any), bytes) in inputs.filled.iter_mut().zip(&mut inputs.any).zip(bytes.chunks(WORD)) {
        *filled = s.filled(bytes);
        *any |= *filled;
    }
    for (square, filled) in inputs.blocks.iter_mut().zip(inputs.filled.chunks(BLOCK)) {
        square[row] = filled.iter().rev().fold(0, |blocks, &filled| blocks << BLOCK | u64::from(bytes_filled(filled)));
    }
}

/// For each byte of a word a bit, whether it is not 0.
#[inline(always)]
fn bytes_filled(word: u64) -> u8 {
    let word = word | word >> 4;
    let word = word | word >> 2;
    let word = (word | word >> 1) & 0x0101_0101_0101_0101;
    // Moves the bit of byte i to bit 56 + i; no two products meet in a bit.
    (word.wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
}

/// Lists the features of a group.
#[inline(always)]
fn list<S: Simd>(s: S, group: usize, inputs: &mut Inputs) {
    let list = &mut inputs.lists[group * inputs.width..][..inputs.width];
    let mut length = 0;
    for (word, &any) in inputs.any.iter().enumerate() {
        for at in (0..WORD).step_by(LANES) {
            let bits = (any >> at) as u16;
            if let Some(to) = list[length..].first_chunk_mut() {
                s.positions(bits, (word * WORD + at) as u32, to);
            }
            length += bits.count_ones() as usize;
        }
    }
    inputs.lengths[group] = length;
}

/// Turns a square of bits: bit c of row r becomes bit r of row c.
#[inline(always)]
fn transpose_bits(square: &mut [u64; 64]) {
    // The upper right and the lower left quarter change places; then those of the quarters.
    let mut size = 32;
    let mut left = u64::MAX >> 32;
    while size > 0 {
        for block in square.chunks_exact_mut(2 * size) {
            let (upper, lower) = block.split_at_mut(size);
            for (upper, lower) in upper.iter_mut().zip(lower) {
                let changed = (*upper >> size ^ *lower) & left;
                *upper ^= changed << size;
                *lower ^= changed;
            }
        }
        size /= 2;
        left ^= left << size;
    }
}

/// What [`first_product`] multiplies and adds.
#[derive(Clone, Copy)]
pub(super) struct FirstFactors<'a> {
    pub(super) inputs: &'a Inputs,
    pub(super) weights: &'a [f32],
    /// What the sums start from, one an output.
    pub(super) bias: &'a [f32],
    /// Weights of one feature.
    pub(super) outputs: usize,
    /// Whether the results are cut at 0 from below.
    pub(super) relu: bool,
}

dispatched!(
    /// `out = inputs weights + bias`. `out` has room for whole groups; what follows the rows in use becomes anything, and
    /// the padding of rows 0.
    pub(super) fn first_product(factors: &FirstFactors<'_>, out: &mut Rows, ahead: &mut Ahead<'_>) = first_product_with
);

#[inline(always)]
fn first_product_with<S: Simd>(s: S, factors: &FirstFactors<'_>, out: &mut Rows, ahead: &mut Ahead<'_>) {
    for row in (0..factors.inputs.count).step_by(GROUP) {
        panels!(S, factors.outputs, product_panel(s, factors, row, out, ahead));
    }
}

/// The group of rows that begins with `row`.
#[inline(always)]
fn product_panel<S: Simd, const N: usize, const FULL: bool>(
    panel: Panel,
    s: S,
    factors: &FirstFactors<'_>,
    row: usize,
    out: &mut Rows,
    ahead: &mut Ahead<'_>,
) {
    match factors.inputs.count - row {
        1 => product_rows::<S, 1, N, FULL>(panel, s, factors, row, out, ahead),
        2 => product_rows::<S, 2, N, FULL>(panel, s, factors, row, out, ahead),
        5.. if S::WIDE => product_rows::<S, 8, N, FULL>(panel, s, factors, row, out, ahead),
        left => {
            product_rows::<S, 4, N, FULL>(panel, s, factors, row, out, ahead);
            if left > 4 {
                product_rows::<S, 4, N, FULL>(panel, s, factors, row + 4, out, ahead);
            }
        }
    }
}

/// `R` rows from `row` on, all of one group.
#[inline(always)]
fn product_rows<S: Simd, const R: usize, const N: usize, const FULL: bool>(
    panel: Panel,
    s: S,
    factors: &FirstFactors<'_>,
    row: usize,
    out: &mut Rows,
    ahead: &mut Ahead<'_>,
) {
    let mut sums = [vectors::<S, N, FULL>(s, factors.bias, panel.at, panel.last); R];
    let columns = factors.inputs.columns::<R>(row);
    let Inputs { features, .. } = *factors.inputs;
    let weights = Band::new(factors.weights, features, factors.outputs, panel.at, panel.width(N, FULL));
    for features in factors.inputs.list(row / GROUP).chunks(FEATURES_AN_ASK) {
        ahead.ask(LINES_IN_PRODUCT);
        for &feature in features {
            let w = vectors::<S, N, FULL>(s, weights.row(feature as usize), 0, panel.last);
            let x = columns.at(feature as usize);
            for r in 0..R {
                let x = s.splat(*x[r]);
                for n in 0..N {
                    sums[r][n] = x.mul_add(w[n], sums[r][n]);
                }
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        put_row(s, sums, factors.relu, row + r, panel.at, out);
    }
}

/// What [`first_gradient`] multiplies.
#[derive(Clone, Copy)]
pub(super) struct FirstOuter<'a> {
    pub(super) inputs: &'a Inputs,
    /// A row of `outputs` numbers for each row of inputs.
    pub(super) delta: &'a Rows,
    pub(super) outputs: usize,
}

/// Where the gradient of the first kernel goes.
pub(super) enum Sums<'a> {
    /// Into the gradient, over what it holds.
    Start(&'a mut [f32]),
    /// Into the gradient, added to what it holds.
    GoOn(&'a mut [f32]),
    /// `weights -= gradient lr`, where the gradient is the sum over these rows alone, and is not written.
    Descend { weights: &'a mut [f32], lr: f32 },
    /// `weights -= gradient lr`, where the gradient goes on from what it holds, and is not written.
    EndDescent { weights: &'a mut [f32], lr: f32, gradient: &'a [f32] },
}

dispatched!(
    /// The gradient of the first kernel: `inputsT delta`.
    pub(super) fn first_gradient(outer: &FirstOuter<'_>, to: &mut Sums<'_>, ahead: &mut Ahead<'_>) = first_gradient_with
);

#[inline(always)]
fn first_gradient_with<S: Simd>(s: S, outer: &FirstOuter<'_>, to: &mut Sums<'_>, ahead: &mut Ahead<'_>) {
    let Inputs { features, count, .. } = *outer.inputs;
    if count <= GROUP {
        match to {
            Sums::Start(gradient) => return group_gradient::<S, false>(s, outer, gradient, 0.0, ahead),
            Sums::Descend { weights, lr } => return group_gradient::<S, true>(s, outer, weights, *lr, ahead),
            // The rest of a larger batch.
            Sums::GoOn(_) | Sums::EndDescent { .. } => {}
        }
    }
    for block in 0..features.div_ceil(BLOCK) {
        let rows = outer.inputs.rows_of(block);
        ahead.ask(LINES_IN_BLOCK);
        let changes_nothing = matches!(to, Sums::GoOn(_) | Sums::Descend { .. });
        if rows != 0 || !changes_nothing {
            let block = block * BLOCK..features.min((block + 1) * BLOCK);
            panels!(S, outer.outputs, gradient_panel(s, outer, &block, rows, to));
        }
    }
}

/// The features `block`, of which `rows` have others than 0.
#[inline(always)]
fn gradient_panel<S: Simd, const N: usize, const FULL: bool>(
    panel: Panel,
    s: S,
    outer: &FirstOuter<'_>,
    block: &Range<usize>,
    rows: u64,
    to: &mut Sums<'_>,
) {
    let mut feature = block.start;
    while feature < block.end {
        feature += match block.end - feature {
            8.. if S::WIDE => gradient_block::<S, 8, N, FULL>(panel, s, outer, feature, rows, to),
            4.. => gradient_block::<S, 4, N, FULL>(panel, s, outer, feature, rows, to),
            _ => gradient_block::<S, 1, N, FULL>(panel, s, outer, feature, rows, to),
        };
    }
}

/// `P` features; gives `P`.
#[inline(always)]
fn gradient_block<S: Simd, const P: usize, const N: usize, const FULL: bool>(
    panel: Panel,
    s: S,
    outer: &FirstOuter<'_>,
    feature: usize,
    mut rows: u64,
    to: &mut Sums<'_>,
) -> usize {
    let Inputs { count, rows: ref x, .. } = *outer.inputs;
    let weights = feature * outer.outputs..(feature + P) * outer.outputs;
    let mut sums = [[s.splat(0.0); N]; P];
    if let Some(gradient) = to.held() {
        let gradient = Band::new(&gradient[weights.clone()], P, outer.outputs, panel.at, panel.width(N, FULL));
        for (p, sums) in sums.iter_mut().enumerate() {
            *sums = vectors::<S, N, FULL>(s, gradient.row(p), 0, panel.last);
        }
    }
    let x = Band::new(&x.values, count, x.stride, feature, P);
    let delta = Band::new(&outer.delta.values, count, outer.delta.stride, panel.at, N * LANES);
    while rows != 0 {
        let row = rows.trailing_zeros() as usize;
        rows &= rows - 1;
        let delta = vectors::<S, N, true>(s, delta.row(row), 0, LANES);
        let x = x.row(row);
        for p in 0..P {
            let x = s.splat(x[p]);
            for n in 0..N {
                sums[p][n] = x.mul_add(delta[n], sums[p][n]);
            }
        }
    }
    let (to, lr) = to.target();
    let mut to = BandMut::new(&mut to[weights], P, outer.outputs, panel.at, panel.width(N, FULL));
    for (p, sums) in sums.iter().enumerate() {
        match lr {
            None => put::<S, N, FULL>(sums, to.row(p)),
            Some(lr) => descend::<S, N, FULL>(s, to.row(p), lr, sums, panel),
        }
    }
    P
}

impl Sums<'_> {
    /// What the sums go on from, if not from 0.
    #[inline(always)]
    fn held(&self) -> Option<&[f32]> {
        match self {
            Self::Start(_) | Self::Descend { .. } => None,
            Self::GoOn(gradient) => Some(gradient),
            Self::EndDescent { gradient, .. } => Some(gradient),
        }
    }

    /// Where they are written, or with a rate what descends by them.
    #[inline(always)]
    fn target(&mut self) -> (&mut [f32], Option<f32>) {
        match self {
            Self::Start(gradient) | Self::GoOn(gradient) => (gradient, None),
            Self::Descend { weights, lr } | Self::EndDescent { weights, lr, .. } => (weights, Some(*lr)),
        }
    }
}

/// `weights -= sums lr`
#[inline(always)]
fn descend<S: Simd, const N: usize, const FULL: bool>(
    s: S,
    weights: &mut [f32],
    lr: f32,
    sums: &[S::V; N],
    panel: Panel,
) {
    let lr = s.splat(lr);
    let mut moved = vectors::<S, N, FULL>(s, weights, 0, panel.last);
    for (w, &sum) in moved.iter_mut().zip(sums) {
        *w = *w - sum * lr;
    }
    put::<S, N, FULL>(&moved, weights);
}

/// The gradient over a group of rows, or with `DESCEND` `to -= gradient lr`: feature by feature, because a block of features
/// has hardly fewer rows than the group, and none is visited that is 0 in all of them.
#[inline(always)]
fn group_gradient<S: Simd, const DESCEND: bool>(
    s: S,
    outer: &FirstOuter<'_>,
    to: &mut [f32],
    lr: f32,
    ahead: &mut Ahead<'_>,
) {
    match (outer.inputs.count, DESCEND) {
        (0 | 1, false) => panels!(S, outer.outputs, group_panel[1, false](s, outer, to, lr, ahead)),
        (2, false) => panels!(S, outer.outputs, group_panel[2, false](s, outer, to, lr, ahead)),
        (3 | 4, false) => panels!(S, outer.outputs, group_panel[4, false](s, outer, to, lr, ahead)),
        (_, false) => panels!(S, outer.outputs, group_panel[8, false](s, outer, to, lr, ahead)),
        (0 | 1, true) => panels!(S, outer.outputs, group_panel[1, true](s, outer, to, lr, ahead)),
        (2, true) => panels!(S, outer.outputs, group_panel[2, true](s, outer, to, lr, ahead)),
        (3 | 4, true) => panels!(S, outer.outputs, group_panel[4, true](s, outer, to, lr, ahead)),
        (_, true) => panels!(S, outer.outputs, group_panel[8, true](s, outer, to, lr, ahead)),
    }
    if !DESCEND {
        clear_others(outer, to);
    }
}

/// Zeroes the gradient of all features that are not listed.
fn clear_others(outer: &FirstOuter<'_>, gradient: &mut [f32]) {
    let mut next = 0;
    for &feature in outer.inputs.list(0) {
        let start = feature as usize * outer.outputs;
        if next < start {
            gradient[next..start].fill(0.0);
        }
        next = start + outer.outputs;
    }
    gradient[next..].fill(0.0);
}

/// `R` rows, those behind the rows in use times 0.
#[inline(always)]
fn group_panel<S: Simd, const R: usize, const DESCEND: bool, const N: usize, const FULL: bool>(
    panel: Panel,
    s: S,
    outer: &FirstOuter<'_>,
    to: &mut [f32],
    lr: f32,
    ahead: &mut Ahead<'_>,
) {
    let mut delta = [[s.splat(0.0); N]; R];
    for (row, delta) in delta.iter_mut().enumerate().take(outer.inputs.count) {
        *delta = vectors::<S, N, true>(s, &outer.delta.values, row * outer.delta.stride + panel.at, LANES);
    }
    let columns = outer.inputs.columns::<R>(0);
    let mut to = BandMut::new(to, outer.inputs.features, outer.outputs, panel.at, panel.width(N, FULL));
    for features in outer.inputs.list(0).chunks(FEATURES_AN_ASK) {
        ahead.ask(LINES_IN_GROUP);
        for &feature in features {
            let x = columns.at(feature as usize);
            let mut sums = [s.splat(0.0); N];
            for r in 0..R {
                let x = s.splat(*x[r]);
                for n in 0..N {
                    sums[n] = x.mul_add(delta[r][n], sums[n]);
                }
            }
            if DESCEND {
                descend::<S, N, FULL>(s, to.row(feature as usize), lr, &sums, panel);
            } else {
                put::<S, N, FULL>(&sums, to.row(feature as usize));
            }
        }
    }
}
