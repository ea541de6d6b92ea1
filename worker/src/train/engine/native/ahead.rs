//! Asking for the memory of the next rows while the present ones are worked on.

use crate::train::simd::prefetch;

/// Bytes of a cache line.
const LINE: usize = 64;

/// Rows of the dataset that will be needed next. A row lies anywhere in a dataset larger than the caches: kernels ask for
/// few lines at a time, so that the memory keeps up, and often enough that most of a chunk is there when the one before it ends.
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
    pub(super) fn ask(&mut self, lines: usize) {
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
