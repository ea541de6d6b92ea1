//! The inputs of the first layer: some samples as numbers, strip by strip, without the strips that
//! are all 0.
//!
//! [`gather`] turns what [`Strips`] tells of each sample into what the products of [`super::first`]
//! ask: which rows are there in a strip. What is left out decides about time and the sign of zeros,
//! never about another finite result.

use besom_dataset::Rows;

use super::strips::{HALF, STRIP, Strips};
use crate::simd::{Aligned, Samples, Simd, dispatched};

/// Bits of a word.
const WORD: usize = u64::BITS as usize;

/// Rows that the bits of a word are enough for.
pub(super) const MOST_ROWS: usize = WORD;

/// A strip and the rows in which it is not all 0.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Strip {
    /// The first features of its halves.
    pub(super) halves: [u32; 2],
    /// Where its numbers begin, in strips.
    begin: u32,
    /// Bits of the rows.
    rows: u64,
}

/// Samples on their way through the first layer.
pub(super) struct Inputs {
    /// Numbers of a row.
    features: usize,
    /// Rows in use, at most [`MOST_ROWS`].
    pub(super) count: usize,
    /// Strips of [`STRIP`] features. Sums over features go strip by strip in this order.
    pub(super) strips: Vec<Strip>,
    /// The same, sorted by the number of their rows: loops over rows that are as long as the one
    /// before are predicted.
    pub(super) sorted: Vec<Strip>,
    /// The features behind those strips, if there are any.
    pub(super) rest: Option<Strip>,
    /// The numbers of the strips in the rows in which they are not all 0, strip by strip, and of
    /// one strip row by row; for features that there are not, 0.
    values: Aligned,
    /// Scratch: for each 64 strips a square of bits. First for each row a word with the bits of its
    /// strips; then turned, see [`turn_bits`].
    squares: Vec<[u64; MOST_ROWS]>,
}

impl Inputs {
    /// Room for `most` rows of `features` numbers, cut into `strips`.
    pub(super) fn new(most: usize, features: usize, strips: &Strips) -> Self {
        assert!(most <= MOST_ROWS, "{MOST_ROWS} rows have bits");
        let all = strips.halves().len();
        let mut strips: Vec<Strip> =
            strips.halves().iter().map(|&halves| Strip { halves, ..Strip::default() }).collect();
        let rest = if features.is_multiple_of(STRIP) { None } else { strips.pop() };
        Self {
            features,
            count: 0,
            sorted: strips.clone(),
            strips,
            rest,
            values: Aligned::zeros(most * all * STRIP),
            squares: vec![[0; MOST_ROWS]; all.div_ceil(WORD)],
        }
    }

    /// How many features there are behind the strips.
    pub(super) fn rest_count(&self) -> usize {
        self.features % STRIP
    }

    /// The numbers of a strip in its rows.
    #[inline(always)]
    pub(super) fn entries(&self, strip: &Strip) -> Entries<'_> {
        Entries { rows: strip.rows, values: &self.values()[strip.begin as usize..][..strip.count()] }
    }

    /// The numbers of all strips, see [`Strip::take`].
    #[inline(always)]
    pub(super) fn values(&self) -> &[[f32; STRIP]] {
        self.values.as_chunks().0
    }

    /// Takes the numbers `x` as they are.
    #[cfg(test)]
    pub(super) fn set(&mut self, x: &[Vec<f32>]) {
        let isa = crate::simd::Isa::detect();
        // Rows without a 0, and then their numbers.
        let ones = vec![1; self.features];
        let ones = Rows::Bytes(&ones);
        gather(isa, ones, &Strips::new(&[self.features as u32], ones), &vec![0; x.len()], 1.0, self);
        for strip in self.strips.iter().chain(&self.rest) {
            let values = &mut self.values.as_chunks_mut::<STRIP>().0[strip.begin as usize..];
            for (x, values) in x.iter().zip(values) {
                for (half, values) in strip.halves.iter().zip(values.chunks_mut(HALF)) {
                    for (x, value) in x.iter().skip(*half as usize).zip(values) {
                        *value = *x;
                    }
                }
            }
        }
    }
}

/// The numbers of a strip in the rows in which it is not all 0.
#[derive(Clone, Copy)]
pub(super) struct Entries<'a> {
    rows: u64,
    values: &'a [[f32; STRIP]],
}

impl<'a> Entries<'a> {
    /// Numbers and rows.
    #[inline(always)]
    pub(super) fn iter(self) -> impl Iterator<Item = (&'a [f32; STRIP], usize)> {
        self.values.iter().zip(positions(self.rows))
    }
}

impl Strip {
    /// Takes its rows; their numbers go to `begin`, which moves behind them.
    #[inline(always)]
    fn set(&mut self, rows: u64, begin: &mut u32) {
        self.rows = rows;
        self.begin = *begin;
        *begin += rows.count_ones();
    }

    /// Its numbers and rows, if they are what `values` begins with: it moves to those of the next
    /// strip.
    #[inline(always)]
    pub(super) fn take<'a>(&self, values: &mut &'a [[f32; STRIP]]) -> Entries<'a> {
        let (mine, others) = values.split_at(self.count());
        *values = others;
        Entries { rows: self.rows, values: mine }
    }

    /// Whether it is all 0 in all rows.
    #[inline(always)]
    pub(super) fn is_blank(&self) -> bool {
        self.rows == 0
    }

    /// How many rows.
    #[inline(always)]
    fn count(&self) -> usize {
        self.rows.count_ones() as usize
    }
}

/// The positions of set bits, from the lowest on: of as many as are taken, 64 behind the last.
#[inline(always)]
fn positions(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::repeat_with(move || {
        let position = bits.trailing_zeros() as usize;
        bits &= bits.wrapping_sub(1);
        position
    })
}

dispatched!(
    /// Fills `inputs` with the rows `rows` of `all`, which are cut into `strips`: floats as they
    /// are, bytes as numbers times `scale`.
    pub(super) fn gather(all: Rows<'_>, strips: &Strips, rows: &[u32], scale: f32, inputs: &mut Inputs) = gather_with
);

#[inline(always)]
fn gather_with<S: Simd>(_s: S, all: Rows<'_>, strips: &Strips, rows: &[u32], scale: f32, inputs: &mut Inputs) {
    inputs.count = rows.len();
    // Few rows need a small part of a square.
    match rows.len() {
        0..=8 => list::<8>(strips, rows, inputs),
        9..=16 => list::<16>(strips, rows, inputs),
        17..=32 => list::<32>(strips, rows, inputs),
        _ => list::<MOST_ROWS>(strips, rows, inputs),
    }
    match all {
        Rows::Bytes(bytes) => pack(bytes, rows, scale, inputs),
        Rows::Floats(floats) => pack_floats(floats, rows, inputs),
    }
}

/// Notes the rows of each strip, of at most `SIDE` rows, and sorts the strips by how many they are.
#[inline(always)]
fn list<const SIDE: usize>(strips: &Strips, rows: &[u32], inputs: &mut Inputs) {
    for square in &mut inputs.squares {
        square[rows.len()..SIDE].fill(0);
    }
    for (row, &sample) in rows.iter().enumerate() {
        for (square, &bits) in inputs.squares.iter_mut().zip(strips.filled(sample as usize)) {
            square[row] = bits;
        }
    }
    for square in &mut inputs.squares {
        turn_bits::<SIDE>(square);
    }
    // How many strips have so many rows, and then where the next of them goes.
    let mut places = [0_u32; MOST_ROWS + 1];
    let mut begin = 0;
    for (strips, square) in inputs.strips.chunks_mut(WORD).zip(&inputs.squares) {
        for (at, strip) in strips.iter_mut().enumerate() {
            strip.set(rows_of::<SIDE>(square, at), &mut begin);
            places[strip.count()] += 1;
        }
    }
    if let Some(rest) = &mut inputs.rest {
        let at = inputs.strips.len();
        rest.set(rows_of::<SIDE>(&inputs.squares[at / WORD], at % WORD), &mut begin);
    }
    let mut next = 0;
    for place in &mut places[..=rows.len()] {
        (*place, next) = (next, next + *place);
    }
    for strip in &inputs.strips {
        let place = &mut places[strip.count()];
        inputs.sorted[*place as usize] = *strip;
        *place += 1;
    }
}

/// The bits of rows of the strip number `at` in words turned by `SIDE`.
#[inline(always)]
fn rows_of<const SIDE: usize>(words: &[u64; WORD], at: usize) -> u64 {
    words[at % SIDE] >> (at / SIDE * SIDE % WORD) & u64::MAX >> (WORD - SIDE)
}

/// Turns the squares of `SIDE` by `SIDE` bits that lie beside each other in the first `SIDE` words:
/// bit c of row r of each changes places with bit r of row c.
#[inline(always)]
fn turn_bits<const SIDE: usize>(words: &mut [u64; WORD]) {
    // The upper right and the lower left quarter change places; then those of the quarters.
    let mut size = SIDE / 2;
    // Of each 2 size bits the lower ones.
    let mut left = u64::MAX / ((1 << size) + 1);
    while size > 0 {
        for block in words[..SIDE].chunks_exact_mut(2 * size) {
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

/// Writes bytes as numbers.
#[inline(always)]
fn pack(bytes: &[u8], rows: &[u32], scale: f32, inputs: &mut Inputs) {
    let samples = Samples::new(bytes, inputs.features, rows);
    let values = inputs.values.as_chunks_mut().0;
    for strip in &inputs.sorted {
        let of_strip = samples.pairs(strip.halves.map(|half| half as usize));
        let values = &mut values[strip.begin as usize..][..strip.count()];
        for (values, row) in values.iter_mut().zip(positions(strip.rows)) {
            *values = of_strip.row(row).map(|byte| f32::from(byte) * scale);
        }
    }
    if let Some(strip) = &inputs.rest {
        let values = &mut values[strip.begin as usize..][..strip.count()];
        for (values, row) in values.iter_mut().zip(positions(strip.rows)) {
            let sample = &bytes[rows[row] as usize * inputs.features..][..inputs.features];
            let sample = &sample[strip.halves[0] as usize..];
            *values = std::array::from_fn(|at| sample.get(at).map_or(0.0, |&byte| f32::from(byte) * scale));
        }
    }
}

/// Writes floats, whose two halves of a strip need not lie beside each other.
#[inline(always)]
fn pack_floats(floats: &[[u8; 4]], rows: &[u32], inputs: &mut Inputs) {
    let values = inputs.values.as_chunks_mut::<STRIP>().0;
    for strip in inputs.sorted.iter().chain(&inputs.rest) {
        let values = &mut values[strip.begin as usize..][..strip.count()];
        for (values, row) in values.iter_mut().zip(positions(strip.rows)) {
            let sample = &floats[rows[row] as usize * inputs.features..][..inputs.features];
            for (&half, values) in strip.halves.iter().zip(values.as_chunks_mut::<HALF>().0) {
                let sample = sample.get(half as usize..).unwrap_or_default();
                *values = match sample.first_chunk::<HALF>() {
                    Some(half) => half.map(f32::from_le_bytes),
                    None => std::array::from_fn(|at| sample.get(at).map_or(0.0, |&value| f32::from_le_bytes(value))),
                };
            }
        }
    }
}
