//! What there is to know of a dataset at a glance, for `besom dataset inspect`.

use super::{Dataset, Header};

/// One split of a dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitDescription {
    /// Number of samples.
    pub samples: u32,
    /// Smallest value, scaled where they are floats.
    pub min: f32,
    /// Largest value, scaled where they are floats.
    pub max: f32,
    /// Samples of each class, in label order.
    pub classes: Vec<u32>,
}

/// A dataset described.
#[derive(Debug, Clone, PartialEq)]
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
    let features = header.features as usize;
    let split = |labels: &[u16], begin: usize| {
        let mut classes = vec![0; header.classes.len()];
        for &label in labels {
            classes[usize::from(label)] += 1;
        }
        let values = dataset.rows().part(begin * features..(begin + labels.len()) * features).numbers();
        let (min, max) = values.fold((f32::INFINITY, f32::NEG_INFINITY), |(min, max), v| (min.min(v), max.max(v)));
        SplitDescription { samples: labels.len() as u32, min, max, classes }
    };
    Description {
        digest: dataset.digest().to_owned(),
        bytes: dataset.artifact().len() as u64,
        train: split(train, 0),
        test: split(test, train.len()),
        header: header.clone(),
    }
}
