//! Shuffle and split: which sample goes to which split, for ever the same for one seed.

use super::DataError;
use super::samples::counted;
use crate::random::Stream;

/// Share of samples in the test split where none is given.
pub(super) const DEFAULT_TEST_FRACTION: f64 = 0.2;

/// The samples of both splits, by their index in the source, in the order of the artifact.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) train: Vec<u32>,
    pub(super) test: Vec<u32>,
}

/// Permutes `0..samples` by Fisher-Yates and takes the first `ceil(samples x test_fraction)` for the test split.
///
/// # Errors
/// Where one of the splits would be empty.
pub(super) fn split(what: &str, samples: u32, test_fraction: f64, seed: u64) -> Result<Split, DataError> {
    if !(test_fraction > 0.0 && test_fraction < 1.0) {
        return Err(DataError::refused(what, format!("test_fraction must be between 0 and 1, not {test_fraction}")));
    }
    // `as` saturates: the product lies in 0..=samples.
    let test = (f64::from(samples) * test_fraction).ceil() as u32;
    if test == 0 || test >= samples {
        return Err(DataError::refused(
            what,
            format!(
                "{} with test_fraction {test_fraction}: no sample is left for one of the splits",
                counted(samples as usize, "sample")
            ),
        ));
    }
    let mut order = Stream::new(*b"besom/data/split", seed, 0).permutation(samples);
    let train = order.split_off(test as usize);
    Ok(Split { train, test: order })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_split_is_a_permutation(samples in 2_u32..3_000, fraction in 0.001_f64..0.999, seed: u64) {
            match split("x", samples, fraction, seed) {
                Ok(Split { train, test }) => {
                    prop_assert_eq!(test.len(), (f64::from(samples) * fraction).ceil() as usize);
                    prop_assert!(!train.is_empty() && !test.is_empty());
                    let mut all: Vec<u32> = train.into_iter().chain(test).collect();
                    all.sort_unstable();
                    prop_assert_eq!(all, (0..samples).collect::<Vec<_>>());
                }
                Err(_) => prop_assert!((f64::from(samples) * fraction).ceil() >= f64::from(samples)),
            }
        }
    }

    #[test]
    fn a_split_depends_on_its_seed_alone() {
        let of = |seed| split("x", 100, 0.2, seed).unwrap();
        assert_eq!(of(42), of(42));
        assert_ne!(of(42), of(43));
        // Pinned: a change here changes every published result.
        assert_eq!(split("x", 8, 0.25, 42).unwrap(), Split { train: vec![1, 6, 5, 7, 3, 0], test: vec![4, 2] });
    }

    #[test]
    fn an_empty_split_is_refused() {
        for (samples, fraction) in [(0, 0.2), (1, 0.2), (2, 0.9), (10, 0.0), (10, 1.0), (10, f64::NAN)] {
            assert!(split("x", samples, fraction, 1).is_err(), "{samples} {fraction}");
        }
    }
}
