//! The inputs of the first layer: rows of a dataset, and where they are not 0.
//!
//! Most values of a drawing are 0. [`gather`] notes for each [`GROUP`] of rows the features of which any row has another
//! value, and for each [`STRIP`] of features the rows that have another value in it; the products of [`super::first`] visit
//! only those. Rows of a group should have their zeros in common: therefore they lie sorted by where their first value is
//! that is not 0, which in an image tells how much is free above the drawing. All of this decides about time, never about
//! results.

use super::rows::Rows;
use crate::train::simd::{Columns, LANES, Lanes, Simd, dispatched};

/// Rows whose features are listed together. They share the loads of weights; more of them have fewer zeros in common.
pub(super) const GROUP: usize = 8;

/// Features whose rows are listed together.
pub(super) const STRIP: usize = 4;

/// Bits of a word.
const WORD: usize = u64::BITS as usize;

/// Rows that the bits of a word are enough for.
pub(super) const MOST_ROWS: usize = WORD;

/// Where rows are told apart by their first value that is not 0: so many parts of a row at most.
const PARTS: usize = 64;

/// Scaled rows of a dataset, and where they are not 0.
pub(super) struct Inputs {
    /// Numbers of a row.
    pub(super) features: usize,
    /// Rows in use, at most [`MOST_ROWS`].
    pub(super) count: usize,
    /// Room for whole groups of rows; what lies behind those in use is finite.
    pub(super) rows: Rows,
    /// For each place in `rows` which row is there: a permutation of the rows in use, and behind them each in its own place.
    pub(super) order: [u8; MOST_ROWS],
    /// For each row its place.
    pub(super) places: [u8; MOST_ROWS],
    /// Strips that are worked on together, by their first features: below each other in an image, behind each other elsewhere.
    pub(super) pairs: Vec<[u32; 2]>,
    /// The first feature behind the pairs.
    pub(super) rest: usize,
    /// For each 64 strips a square of bits, whether the strip is not all 0 in a row: for each row in use, and zeros behind, a
    /// word of strips; with more than a group of rows turned at the end, to a word of rows for each strip.
    strips: Vec<[u64; MOST_ROWS]>,
    /// For each row `words` words with the bits of the features that are not 0.
    filled: Vec<u64>,
    words: usize,
    /// Scratch: the bits of the features that are not 0 in some row of a group.
    any: Vec<u64>,
    /// For each group `width` numbers, of which the first so many are features that are not 0 in some row of the group.
    lists: Vec<u32>,
    lengths: Vec<usize>,
    width: usize,
}

impl Inputs {
    /// Room for `most` rows of the shape `shape`, whose product is `features`.
    pub(super) fn new(most: usize, features: usize, shape: &[u32]) -> Self {
        assert!(most <= MOST_ROWS, "{MOST_ROWS} rows have bits");
        let groups = most.div_ceil(GROUP);
        let words = features.div_ceil(WORD);
        // Positions are written sixteen at a time, at most as many as there are features before and among them.
        let width = words * WORD;
        let pairs = pairs(features, line(shape));
        Self {
            features,
            count: 0,
            rows: Rows::new(groups * GROUP, features),
            order: as_they_came(),
            places: as_they_came(),
            rest: pairs.len() * 2 * STRIP,
            pairs,
            strips: vec![[0; MOST_ROWS]; features.div_ceil(STRIP).div_ceil(WORD)],
            filled: vec![0; groups * GROUP * words],
            words,
            any: vec![0; words],
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
            self.rows.padded_mut(usize::from(self.places[row]))[..self.features].copy_from_slice(x);
        }
    }

    /// The features of a group that are not 0 in some of its rows.
    pub(super) fn list(&self, group: usize) -> &[u32] {
        &self.lists[group * self.width..][..self.lengths[group]]
    }

    /// The bits of the rows that are not all 0 in the strip that begins with `feature`.
    #[inline(always)]
    pub(super) fn rows_of(&self, feature: usize) -> u64 {
        let strip = feature / STRIP;
        let (square, at) = (&self.strips[strip / WORD], strip % WORD);
        if self.count > GROUP {
            return square[at];
        }
        (0..self.count).fold(0, |rows, row| rows | (square[row] >> at & 1) << row)
    }

    /// Places from `place` on, of which columns are read.
    #[inline(always)]
    pub(super) fn columns<const R: usize>(&self, place: usize) -> Columns<'_, R> {
        Columns::new(&self.rows.values[place * self.rows.stride..], self.rows.stride)
    }

    /// Gives the rows in use their places: sorted by the part of a row in which their first strip is that is not all 0, where
    /// there is more than a group, and otherwise as they came.
    #[inline(always)]
    fn sort(&mut self) {
        (self.order, self.places) = (as_they_came(), as_they_came());
        if self.count <= GROUP {
            return;
        }
        let mut parts = [0; MOST_ROWS];
        let shift = (self.features / STRIP / PARTS).checked_ilog2().map_or(0, |log| log + 1);
        for (number, square) in self.strips.iter().enumerate().rev() {
            for (part, &strips) in parts.iter_mut().zip(square).take(self.count) {
                if strips != 0 {
                    *part = (number * WORD + strips.trailing_zeros() as usize) >> shift;
                }
            }
        }
        // Where the next row of each part goes.
        let mut next = [0; PARTS + 1];
        for &part in &parts[..self.count] {
            next[part + 1] += 1;
        }
        for part in 0..PARTS {
            next[part + 1] += next[part];
        }
        for (row, (place, &part)) in self.places[..self.count].iter_mut().zip(&parts).enumerate() {
            *place = next[part];
            next[part] += 1;
            self.order[usize::from(*place)] = row as u8;
        }
    }
}

/// Each row in its own place.
#[inline(always)]
fn as_they_came() -> [u8; MOST_ROWS] {
    std::array::from_fn(|row| row as u8)
}

/// Features of a line of an image of this shape; one of a single dimension may be a square.
fn line(shape: &[u32]) -> Option<usize> {
    match *shape {
        [features] => Some(features.isqrt()).filter(|side| side * side == features),
        [.., line] => Some(line),
        [] => None,
    }
    .map(|line| line as usize)
}

/// Pairs of strips below each other in two lines where strips fit in `line`: drawings fill fewer of those than of strips behind
/// each other.
fn pairs(features: usize, line: Option<usize>) -> Vec<[u32; 2]> {
    let pair = |first: usize, other: usize| [first as u32, other as u32];
    match line {
        Some(line) if line > 0 && line.is_multiple_of(STRIP) && features.is_multiple_of(2 * line) => (0..features)
            .step_by(2 * line)
            .flat_map(|at| (at..at + line).step_by(STRIP))
            .map(|at| pair(at, at + line))
            .collect(),
        _ => (0..features / (2 * STRIP)).map(|at| pair(at * 2 * STRIP, at * 2 * STRIP + STRIP)).collect(),
    }
}

dispatched!(
    /// Fills `inputs` with the rows `rows` of `bytes`, as numbers times `scale`.
    pub(super) fn gather(bytes: &[u8], rows: &[u32], scale: f32, inputs: &mut Inputs) = gather_with
);

#[inline(always)]
fn gather_with<S: Simd>(s: S, bytes: &[u8], rows: &[u32], scale: f32, inputs: &mut Inputs) {
    let features = inputs.features;
    let bytes_of = |row: u32| &bytes[row as usize * features..][..features];
    inputs.count = rows.len();
    inputs.strips.fill([0; MOST_ROWS]);
    inputs.any.fill(0);
    for (row, &at) in rows.iter().enumerate() {
        note(s, bytes_of(at), row, inputs);
    }
    inputs.sort();
    let scale = s.splat(scale);
    for group in 0..rows.len().div_ceil(GROUP) {
        let places = group * GROUP..rows.len().min((group + 1) * GROUP);
        for place in places.clone() {
            let at = rows[usize::from(inputs.order[place])];
            scale_row(s, bytes_of(at), scale, inputs.rows.padded_mut(place));
        }
        // Those of a single group are noted together.
        if rows.len() > GROUP {
            for (word, any) in inputs.any.iter_mut().enumerate() {
                let rows = inputs.order[places.clone()].iter();
                *any = rows.fold(0, |any, &row| any | inputs.filled[usize::from(row) * inputs.words + word]);
            }
        }
        list(s, group, inputs);
    }
    // The gradient of one group goes by its list if it can.
    if rows.len() > GROUP {
        for square in &mut inputs.strips {
            transpose_bits(square);
        }
    }
}

/// Notes where a row is not 0. Nothing is loaded here that has just been stored in other sizes: it would have to wait.
#[inline(always)]
fn note<S: Simd>(s: S, bytes: &[u8], row: usize, inputs: &mut Inputs) {
    let filled = inputs.filled[row * inputs.words..][..inputs.words].chunks_mut(STRIP);
    let any = inputs.any.chunks_mut(STRIP);
    let words = bytes.chunks(STRIP * WORD);
    for (((square, filled), any), bytes) in inputs.strips.iter_mut().zip(filled).zip(any).zip(words) {
        let mut all = 0;
        for (word, (filled, any)) in filled.iter_mut().zip(any).enumerate() {
            let bytes = &bytes[word * WORD..];
            let (features, strips) = match bytes.first_chunk::<WORD>() {
                Some(whole) => s.filled(whole),
                None => s.filled(bytes),
            };
            *filled = features;
            *any |= features;
            all |= u64::from(strips) << (word * (WORD / STRIP));
        }
        square[row] = all;
    }
}

/// Numbers times `scale`.
#[inline(always)]
fn scale_row<S: Simd>(s: S, bytes: &[u8], scale: S::V, out: &mut [f32]) {
    for (bytes, out) in bytes.as_chunks().0.iter().zip(out.as_chunks_mut().0) {
        (s.load_bytes(bytes) * scale).store(out);
    }
    if !bytes.len().is_multiple_of(LANES) {
        // The last ones again, if there are enough.
        let from = bytes.len().saturating_sub(LANES);
        let mut last = [0; LANES];
        last[..bytes.len() - from].copy_from_slice(&bytes[from..]);
        if let Some(out) = out[from..].first_chunk_mut() {
            (s.load_bytes(&last) * scale).store(out);
        }
    }
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
fn transpose_bits(square: &mut [u64; WORD]) {
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
