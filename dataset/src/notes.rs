//! What a person should hear of a dataset before its numbers are believed: classes that nothing is
//! learnt or known of, and splits too small for their purpose.

use besom_sweep::{Scale, number::plural};

use super::{Dataset, describe};

/// Names that a note lists.
const LISTED: usize = 5;
/// In a test split of fewer samples each one moves the accuracy visibly.
const HANDFUL: u32 = 50;
/// Inputs beyond it are far from what initial weights are made for.
const FAR: f32 = 20.0;

/// How many samples of each class both splits have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Names in label order.
    pub classes: Vec<String>,
    /// Samples of the training split, in label order.
    pub train: Vec<u32>,
    /// Samples of the test split, in label order.
    pub test: Vec<u32>,
}

impl Survey {
    /// Of a dataset.
    #[must_use]
    pub fn of(dataset: &Dataset) -> Self {
        let header = dataset.header();
        let (train, test) = dataset.labels().split_at(header.train as usize);
        Self::count(header.classes.clone(), train.iter().copied(), test.iter().copied())
    }

    pub(super) fn count(
        classes: Vec<String>,
        train: impl Iterator<Item = u16>,
        test: impl Iterator<Item = u16>,
    ) -> Self {
        let mut counts = [vec![0; classes.len()], vec![0; classes.len()]];
        train.for_each(|label| counts[0][usize::from(label)] += 1);
        test.for_each(|label| counts[1][usize::from(label)] += 1);
        let [train, test] = counts;
        Self { classes, train, test }
    }

    /// Samples of the training split.
    #[must_use]
    pub fn train_samples(&self) -> u32 {
        self.train.iter().sum()
    }

    /// Samples of the test split.
    #[must_use]
    pub fn test_samples(&self) -> u32 {
        self.test.iter().sum()
    }

    /// What is odd about the splits, a sentence each.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let without = |counts: &[u32]| -> Vec<usize> {
            counts.iter().enumerate().filter(|&(_, &count)| count == 0).map(|(class, _)| class).collect()
        };
        let mut notes = Vec::new();
        let unseen = without(&self.train);
        if !unseen.is_empty() {
            let it = if unseen.len() == 1 { "it" } else { "them" };
            notes.push(format!("{} no training samples: no model learns {it}", self.have(&unseen)));
        }
        let untested = without(&self.test);
        if !untested.is_empty() {
            let it = if untested.len() == 1 { "it" } else { "them" };
            let advice = match untested.iter().any(|&class| self.train[class] > 1) {
                true => {
                    "; besom.dataset.stratify: true takes a share of each class, unless the source has a split of its own"
                }
                false => "",
            };
            notes.push(format!(
                "{} no test samples: val_accuracy and val_loss say nothing of {it}{advice}",
                self.have(&untested)
            ));
        }
        let test = self.test_samples();
        if test < HANDFUL {
            let samples = plural(test.into(), "sample");
            notes.push(format!(
                "the test split has {samples}: one of them moves val_accuracy by {:.3}; more samples make it \
                 finer",
                1.0 / f64::from(test.max(1))
            ));
        }
        notes
    }

    /// `class a has`, `classes a, b and 7 more have`.
    fn have(&self, classes: &[usize]) -> String {
        let names: Vec<String> =
            classes.iter().take(LISTED).map(|&class| format!("`{}`", self.classes[class])).collect();
        match classes.len() {
            1 => format!("class {} has", names[0]),
            all if all > LISTED => format!("classes {} and {} more have", names.join(", "), all - LISTED),
            _ => {
                let (last, others) = names.split_last().expect("there are two or more");
                format!("classes {} and {last} have", others.join(", "))
            }
        }
    }
}

/// What is odd about a dataset, a sentence each.
#[must_use]
pub fn notes(dataset: &Dataset) -> Vec<String> {
    let mut notes = Survey::of(dataset).notes();
    if dataset.header().scale == Some(Scale::None) {
        let train = describe(dataset).train;
        if train.min < -FAR || train.max > FAR {
            notes.push(format!(
                "the values lie between {} and {} and are not scaled: a network learns badly from numbers so far from 0; \
                 besom.dataset.scale: standard makes them comparable",
                train.min, train.max
            ));
        }
    }
    notes
}

/// What becomes of batches that are larger than the training split of `train` samples; nothing
/// where none is.
#[must_use]
pub fn note_on_batches(sizes: &[u64], train: u32) -> Option<String> {
    let beyond: Vec<String> =
        sizes.iter().filter(|&&size| size > u64::from(train)).map(|size| size.to_string()).collect();
    let (last, others) = beyond.split_last()?;
    let samples = plural(train.into(), "sample");
    Some(match others {
        [] => format!(
            "batch_size {last} is larger than the training split of {samples}: an epoch is one step on all of them, as with \
             batch_size {train}"
        ),
        others => format!(
            "batch_size {} and {last} are larger than the training split of {samples}: an epoch is one step on all of them, as \
             with batch_size {train}, so their runs give the same numbers",
            others.join(", ")
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey(train: &[u32], test: &[u32]) -> Survey {
        let classes = (0..train.len()).map(|class| format!("c{class}")).collect();
        Survey { classes, train: train.to_vec(), test: test.to_vec() }
    }

    #[test]
    fn full_splits_need_no_word() {
        assert_eq!(survey(&[200, 100], &[30, 20]).notes(), [""; 0]);
    }

    #[test]
    fn classes_without_samples_are_named() {
        let notes = survey(&[200, 0, 3, 1], &[60, 2, 0, 0]).notes();
        assert_eq!(
            notes,
            [
                "class `c1` has no training samples: no model learns it",
                "classes `c2` and `c3` have no test samples: val_accuracy and val_loss say nothing of them; \
                 besom.dataset.stratify: true takes a share of each class, unless the source has a split of its own",
            ]
        );
        let many = survey(&[1; 9], &[60, 0, 0, 0, 0, 0, 0, 0, 0]).notes();
        assert_eq!(
            many,
            [
                "classes `c1`, `c2`, `c3`, `c4`, `c5` and 3 more have no test samples: val_accuracy and val_loss say nothing of them"
            ]
        );
    }

    #[test]
    fn a_handful_of_test_samples_is_told() {
        let notes = survey(&[200, 100], &[7, 5]).notes();
        assert_eq!(notes.len(), 1);
        assert!(
            notes[0].starts_with("the test split has 12 samples: one of them moves val_accuracy by 0.083"),
            "{notes:?}"
        );
    }

    #[test]
    fn batches_beyond_the_training_split_are_told() {
        assert_eq!(note_on_batches(&[8, 320], 320), None);
        let one = note_on_batches(&[8, 512], 320).unwrap();
        assert!(one.starts_with("batch_size 512 is larger than the training split of 320 samples"), "{one}");
        let three = note_on_batches(&[512, 8, 1024, 4096], 320).unwrap();
        assert!(
            three.starts_with("batch_size 512, 1024 and 4096 are larger") && three.contains("the same numbers"),
            "{three}"
        );
    }
}
