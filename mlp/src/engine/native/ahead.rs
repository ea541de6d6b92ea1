//! Asking for the memory of the next rows while the present ones are worked on.

use besom_dataset::Dataset;

use super::strips::Strips;
use crate::simd::prefetch;

/// Bytes of a cache line.
const LINE: usize = 64;

/// Cache lines that are asked for at a time.
const LINES: usize = 5;

/// Samples that will be needed next. They lie anywhere in a dataset larger than the caches: kernels
/// ask for a few lines at a time, so that the memory keeps up, and often enough that most of a
/// chunk is there when the one before it ends.
pub(super) struct Ahead<'a> {
    data: Option<(&'a Dataset, &'a Strips)>,
    rows: &'a [u32],
    /// What is left of the sample at hand.
    left: &'a [u8],
    /// Strips from one time to ask to the next.
    pace: usize,
}

impl<'a> Ahead<'a> {
    /// The samples `rows`, with what is known of their strips.
    pub(super) fn new(data: &'a Dataset, strips: &'a Strips, rows: &'a [u32]) -> Self {
        // Often enough for all lines of a chunk of drawings: there is a strip for every eight
        // features, in each of both products.
        let pace = (64 / rows.len().max(1)).max(1);
        Self { data: Some((data, strips)), rows, left: &[], pace }
    }

    /// No samples.
    pub(super) fn none() -> Self {
        Self { data: None, rows: &[], left: &[], pace: usize::MAX }
    }

    /// Strips from one time to ask to the next.
    pub(super) fn pace(&self) -> usize {
        self.pace
    }

    /// Asks for the next lines.
    #[inline(always)]
    pub(super) fn ask(&mut self) {
        if self.left.is_empty() {
            self.begin();
        }
        if let Some((now, later)) = self.left.split_first_chunk::<{ LINES * LINE }>() {
            for line in 0..LINES {
                prefetch(&now[line * LINE..]);
            }
            self.left = later;
        } else {
            for line in self.left.chunks(LINE) {
                prefetch(line);
            }
            self.left = &[];
        }
    }

    /// Goes on to the next sample, if there is one.
    #[inline(never)]
    fn begin(&mut self) {
        if let (Some((data, strips)), Some((&row, rest))) = (self.data, self.rows.split_first()) {
            let row = row as usize;
            self.rows = rest;
            self.left = data.row(row).memory();
            prefetch(strips.filled(row));
        }
    }
}
