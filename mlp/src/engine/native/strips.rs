//! Which parts of samples are all 0: most of a drawing is.
//!
//! Samples are cut into strips of [`STRIP`] features, and a bit tells for each strip of each sample
//! whether any of its values is not 0. In images a strip is a block of two lines: drawings fill
//! fewer of those than of strips of one.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use besom_dataset::{Dataset, Rows};

/// The strips of the datasets that were trained on lately, latest first: the next job mostly has
/// the same one, and a look at all of its values takes as long as a short epoch.
static LATELY: Mutex<Vec<(String, Shared)>> = Mutex::new(Vec::new());

/// Strips that are found by whoever asks first.
type Shared = Arc<OnceLock<Arc<Strips>>>;

/// So many are kept.
const KEPT: usize = 4;

/// Features of a half of a strip, which follow each other.
pub(super) const HALF: usize = 4;

/// Features of a strip.
pub(super) const STRIP: usize = 2 * HALF;

/// The strips of some samples.
pub(super) struct Strips {
    /// For each strip the first features of its halves, which together are all features, once;
    /// those of the last one may go beyond them.
    halves: Vec<[u32; 2]>,
    /// Words of a sample.
    words: usize,
    /// For each sample `words` words of bits: from the lowest on, whether a strip is not all 0.
    filled: Vec<u64>,
}

impl Strips {
    /// Of all samples of a dataset. Jobs that begin together share the work; those of other
    /// datasets do not wait for it.
    pub(super) fn of_dataset(data: &Dataset) -> Arc<Self> {
        let place = {
            let mut lately = LATELY.lock().unwrap_or_else(PoisonError::into_inner);
            let known = lately.iter().position(|(digest, _)| digest == data.digest());
            let entry = known.map_or_else(|| (data.digest().to_owned(), Arc::default()), |at| lately.remove(at));
            let place = Arc::clone(&entry.1);
            lately.insert(0, entry);
            lately.truncate(KEPT);
            place
        };
        Arc::clone(place.get_or_init(|| Arc::new(Self::new(&data.header().shape, data.rows()))))
    }

    /// Of the samples `rows`, which have the shape `shape`.
    pub(super) fn new(shape: &[u32], rows: Rows<'_>) -> Self {
        match rows {
            Rows::Bytes(rows) => Self::of(shape, rows, |half| match half {
                &[a, b, c, d] => u32::from_le_bytes([a, b, c, d]) != 0,
                rest => rest.iter().any(|&value| value != 0),
            }),
            Rows::Floats(rows) => Self::of(shape, rows, |half| half.iter().any(|&value| value != [0; 4])),
        }
    }

    /// `is_filled`: whether any value of a half is not 0.
    fn of<T>(shape: &[u32], rows: &[T], is_filled: impl Fn(&[T]) -> bool) -> Self {
        let is_filled = |sample: &[T], halves: &[u32; 2]| {
            halves.iter().any(|&start| {
                let rest = sample.get(start as usize..).unwrap_or_default();
                is_filled(&rest[..rest.len().min(HALF)])
            })
        };
        let features = shape.iter().map(|&size| size as usize).product();
        let halves = halves(features, line(shape));
        let words = halves.len().div_ceil(u64::BITS as usize);
        let mut filled = Vec::with_capacity(rows.len() / features * words);
        for sample in rows.chunks_exact(features) {
            for halves in halves.chunks(u64::BITS as usize) {
                let strips = halves.iter().enumerate();
                filled.push(strips.fold(0, |bits, (at, halves)| bits | u64::from(is_filled(sample, halves)) << at));
            }
        }
        Self { halves, words, filled }
    }

    /// For each strip the first features of its halves.
    pub(super) fn halves(&self) -> &[[u32; 2]] {
        &self.halves
    }

    /// The words of bits of a sample: from the lowest on, whether a strip is not all 0.
    pub(super) fn filled(&self, sample: usize) -> &[u64] {
        &self.filled[sample * self.words..][..self.words]
    }
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

/// The strips of `features`: blocks of two lines where halves fit in `line`, and otherwise as the
/// features follow each other.
fn halves(features: usize, line: Option<usize>) -> Vec<[u32; 2]> {
    let strip = |one: usize, other: usize| [one as u32, other as u32];
    match line {
        Some(line) if line > 0 && line.is_multiple_of(HALF) && features.is_multiple_of(2 * line) => (0..features)
            .step_by(2 * line)
            .flat_map(|at| (at..at + line).step_by(HALF))
            .map(|at| strip(at, at + line))
            .collect(),
        _ => (0..features).step_by(STRIP).map(|at| strip(at, at + HALF)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_halves_of_strips_are_all_features_once() {
        for shape in
            [vec![28, 28], vec![784], vec![40, 32], vec![3, 4], vec![1], vec![19], vec![4, 4, 2], vec![2, 3, 8]]
        {
            let features = shape.iter().product::<u32>();
            let strips = Strips::new(&shape, Rows::Bytes(&[]));
            let halves = strips.halves().as_flattened();
            let mut all: Vec<u32> =
                halves.iter().flat_map(|&half| half..half + 4).filter(|&at| at < features).collect();
            all.sort_unstable();
            assert_eq!(all, (0..features).collect::<Vec<_>>(), "{shape:?}");
            assert_eq!(halves.len() / 2, features.div_ceil(8) as usize, "{shape:?}");
        }
    }

    #[test]
    fn images_are_cut_into_blocks_of_two_lines() {
        for shape in [vec![28, 28], vec![784]] {
            assert_eq!(
                Strips::new(&shape, Rows::Bytes(&[])).halves()[..8],
                [0, 4, 8, 12, 16, 20, 24, 56].map(|at| [at, at + 28])
            );
        }
        assert_eq!(Strips::new(&[27, 28], Rows::Bytes(&[])).halves()[..2], [[0, 4], [8, 12]]);
    }

    #[test]
    fn a_bit_tells_of_every_strip_whether_it_is_filled() {
        for shape in [vec![24, 24], vec![13], vec![600]] {
            let features = shape.iter().product::<u32>() as usize;
            // Each sample has one value that is not 0.
            let mut rows = vec![0; features * features];
            (0..features).for_each(|at| rows[at * features + at] = 1 << (at % 8));
            let floats: Vec<[u8; 4]> =
                rows.iter().map(|&value| (-f32::from(value) / 3.0 + 0.0).to_le_bytes()).collect();
            let strips = Strips::new(&shape, Rows::Bytes(&rows));
            assert_eq!(Strips::new(&shape, Rows::Floats(&floats)).filled, strips.filled);
            for sample in 0..features {
                let holds = |half: u32| (half as usize..half as usize + HALF).contains(&sample);
                for (strip, halves) in strips.halves().iter().enumerate() {
                    let bit = strips.filled(sample)[strip / 64] >> (strip % 64) & 1 == 1;
                    assert_eq!(bit, halves.iter().any(|&half| holds(half)), "{shape:?}: value {sample}, strip {strip}");
                }
            }
        }
    }
}
