//! What there is to know of a dataset at a glance, for `besom dataset inspect`.

use super::{Dataset, Header};

/// One split of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitDescription {
    /// Number of samples.
    pub samples: u32,
    /// Smallest value.
    pub min: u8,
    /// Largest value.
    pub max: u8,
    /// Samples of each class, in label order.
    pub classes: Vec<u32>,
}

/// A dataset described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Shape, class names, sizes.
    pub header: Header,
    /// SHA-256 of the artifact.
    pub digest: String,
    /// Size of the artifact in bytes.
    pub bytes: u64,
    /// The training split.
    pub train: SplitDescription,
    /// The test split.
    pub test: SplitDescription,
}

/// Counts classes and finds the range of values of both splits.
#[must_use]
pub fn describe(dataset: &Dataset) -> Description {
    let header = dataset.header();
    let (train, test) = dataset.labels().split_at(header.train as usize);
    let (train_rows, test_rows) = dataset.rows().split_at(train.len() * header.features as usize);
    let split = |labels: &[u8], rows: &[u8]| {
        let mut classes = vec![0; header.classes.len()];
        for &label in labels {
            classes[usize::from(label)] += 1;
        }
        SplitDescription {
            samples: labels.len() as u32,
            min: rows.iter().copied().min().unwrap_or(0),
            max: rows.iter().copied().max().unwrap_or(0),
            classes,
        }
    };
    Description {
        digest: dataset.digest().to_owned(),
        bytes: dataset.artifact().len() as u64,
        train: split(train, train_rows),
        test: split(test, test_rows),
        header: header.clone(),
    }
}
