//! Shuffle and split: which sample goes to which split, for ever the same for one seed.

use besom_sweep::number::plural;

use super::DataError;
use crate::random::Stream;

/// Share of samples in the test split where none is given.
pub(super) const DEFAULT_TEST_FRACTION: f64 = 0.2;

/// The samples of both splits, by their index in the source, in the order of the artifact.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) train: Vec<u32>,
    pub(super) test: Vec<u32>,
}

/// Permutes `0..samples` by Fisher-Yates and takes the first `ceil(samples x test_fraction)` for
/// the test split.
///
/// # Errors
/// Where one of the splits would be empty.
pub(super) fn split(what: &str, samples: u32, test_fraction: f64, seed: u64) -> Result<Split, DataError> {
    let test = count_test(what, samples, test_fraction)?;
    let mut order = permutation(samples, seed);
    let train = order.split_off(test as usize);
    Ok(Split { train, test: order })
}

/// As [`split`], but the test split takes of each class its share: the first ones in the same
/// order. Of a class of two samples or more both splits get one; a single sample is for training.
///
/// # Errors
/// Where one of the splits would be empty.
pub(super) fn split_by_class(what: &str, labels: &[u16], test_fraction: f64, seed: u64) -> Result<Split, DataError> {
    let samples = labels.len() as u32;
    let test = count_test(what, samples, test_fraction)?;
    let mut left = quotas(labels, test);
    let (test, train) = permutation(samples, seed).into_iter().partition(|&sample| {
        let left = &mut left[usize::from(labels[sample as usize])];
        let is_test = *left > 0;
        *left -= u32::from(is_test);
        is_test
    });
    let split = Split { train, test };
    if split.test.is_empty() {
        return Err(DataError::refused(
            what,
            "stratify: every class has a single sample, so that none is left for testing",
        ));
    }
    Ok(split)
}

fn permutation(samples: u32, seed: u64) -> Vec<u32> {
    Stream::new(*b"besom/data/split", seed, 0).permutation(samples)
}

/// Samples of the test split.
pub(super) fn count_test(what: &str, samples: u32, test_fraction: f64) -> Result<u32, DataError> {
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
                plural(samples.into(), "sample")
            ),
        ));
    }
    Ok(test)
}

/// How many samples of each class are for testing, of `test` in all: its share rounded down, and
/// those that are missing then go to the classes with the largest remainders, the first of equal
/// ones.
fn quotas(labels: &[u16], test: u32) -> Vec<u32> {
    let mut counts = vec![0_u32; labels.iter().max().map_or(0, |&label| usize::from(label) + 1)];
    labels.iter().for_each(|&label| counts[usize::from(label)] += 1);
    let samples = labels.len() as u64;
    let share = |count: u32| u64::from(count) * u64::from(test);
    let mut quotas: Vec<u32> = counts.iter().map(|&count| (share(count) / samples) as u32).collect();
    let missing = test - quotas.iter().sum::<u32>();
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_by_key(|&class| std::cmp::Reverse(share(counts[class]) % samples));
    order.iter().take(missing as usize).for_each(|&class| quotas[class] += 1);
    for (quota, &count) in quotas.iter_mut().zip(&counts) {
        *quota = match count {
            0 | 1 => 0,
            count => (*quota).clamp(1, count - 1),
        };
    }
    quotas
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

    proptest! {
        #[test]
        fn a_split_by_class_keeps_the_shares(
            labels in prop::collection::vec(0_u16..7, 2..400), fraction in 0.05_f64..0.95, seed: u64,
        ) {
            let Ok(Split { train, test }) = split_by_class("x", &labels, fraction, seed) else { return Ok(()) };
            let mut all: Vec<u32> = train.iter().chain(&test).copied().collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..labels.len() as u32).collect::<Vec<_>>());
            let of = |part: &[u32], class: u16| part.iter().filter(|&&it| labels[it as usize] == class).count();
            for class in 0..7 {
                let (train, test) = (of(&train, class), of(&test, class));
                let wanted = (train + test) as f64 * (labels.len() as f64 * fraction).ceil() / labels.len() as f64;
                let near = (test as f64 - wanted).abs() < 1.0 + 1e-9;
                prop_assert!(near || test == 1 || train == 1, "class {}: {} of {}", class, test, train + test);
                prop_assert!(train + test < 2 || (train > 0 && test > 0), "class {}: {} and {}", class, train, test);
            }
        }
    }

    #[test]
    fn shares_of_classes_are_those_of_scikit_learn() {
        // Its train_test_split(stratify=y) gives small classes 0 in the test split, where there is
        // 1 here; of equal remainders it draws lots.
        for (counts, test, expected) in [
            (&[50, 30, 15, 5][..], 20, &[10, 6, 3, 1][..]),
            (&[50, 30, 15, 5], 10, &[5, 3, 2, 0]),
            (&[33, 33, 34], 25, &[8, 8, 9]),
            (&[7, 11, 2], 5, &[2, 3, 0]),
            (&[100, 3, 3, 2], 27, &[25, 1, 1, 0]),
            (&[6, 6, 6, 6], 7, &[2, 2, 2, 1]),
        ] {
            let labels: Vec<u16> = (0..).zip(counts).flat_map(|(class, &count)| vec![class; count]).collect();
            let expected: Vec<u32> = expected.iter().map(|&quota: &u32| quota.max(1)).collect();
            assert_eq!(quotas(&labels, test), expected, "{counts:?}");
        }
        assert_eq!(quotas(&[0, 0, 0, 1, 2, 2], 2), [1, 0, 1], "a single sample is for training");
        assert_eq!(quotas(&[0, 0, 1, 1, 1, 1], 5), [1, 3], "one of two samples is left for training");
    }

    #[test]
    fn a_split_by_class_is_pinned() {
        let labels = [0, 1, 0, 1, 0, 1, 0, 1, 2, 2];
        let split = split_by_class("x", &labels, 0.25, 42).unwrap();
        assert_eq!(split, split_by_class("x", &labels, 0.25, 42).unwrap());
        assert_eq!(split.test.len(), 3);
        assert!(split_by_class("x", &[0, 1, 2], 0.25, 42).unwrap_err().to_string().contains("single sample"));
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
