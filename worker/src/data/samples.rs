//! What the parsers give: samples and labels as they stand in the source, and how they become a dataset.

use std::collections::{BTreeSet, HashSet};

use besom_sweep::DatasetSpec;

use super::dataset::MAX_CLASSES;
use super::limits::check_label_count;
use super::split::{DEFAULT_TEST_FRACTION, Split, split};
use super::{DataError, Dataset, Header};

/// Labels as the source has them.
#[derive(Debug)]
pub(super) enum Labels {
    /// Any whole numbers, one a sample.
    Integers(Vec<i64>),
    /// Texts (CSV): the distinct names in order of appearance, and an index into them for each sample.
    Names { names: Vec<String>, indices: Vec<u8> },
}

impl Labels {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Integers(values) => values.len(),
            Self::Names { indices, .. } => indices.len(),
        }
    }
}

/// Samples of equal shape with their labels; `rows` has one byte a value.
#[derive(Debug)]
pub(super) struct Samples {
    /// Shape of one sample.
    pub(super) shape: Vec<u32>,
    pub(super) rows: Vec<u8>,
    pub(super) labels: Labels,
}

/// What a source holds: samples to be split, or both splits.
#[derive(Debug)]
pub(super) enum Parsed {
    Whole(Samples),
    Split { train: Samples, test: Samples },
}

/// Makes the dataset that `spec` asks for.
///
/// # Errors
/// Where labels, classes, shapes or the split do not fit; `what` names the source.
pub(super) fn assemble(what: &str, parsed: Parsed, spec: &DatasetSpec, synthetic: bool) -> Result<Dataset, DataError> {
    match parsed {
        Parsed::Whole(samples) => {
            check_counts(what, &samples)?;
            let (classes, labels) = classes(what, &[&samples.labels], spec.classes.as_deref())?;
            let count = u32::try_from(samples.labels.len())
                .map_err(|_| DataError::refused(what, format!("more than {} samples", u32::MAX)))?;
            let fraction = spec.test_fraction.unwrap_or(DEFAULT_TEST_FRACTION);
            let Split { train, test } = split(what, count, fraction, spec.split_seed)?;
            check_variety(what, train.iter().map(|&index| labels[index as usize]))?;
            let header = header(samples.shape, classes, train.len(), test.len(), synthetic);
            let width = header.features as usize;
            // The parsed rows go when they are laid out: the bytes move to large pages afterwards.
            Dataset::build(what, header, move |out| {
                let order = || train.iter().chain(&test).map(|&index| index as usize);
                order().for_each(|index| out.extend_from_slice(&samples.rows[index * width..(index + 1) * width]));
                out.extend(order().map(|index| labels[index]));
            })
        }
        Parsed::Split { train, test } => {
            if spec.test_fraction.is_some() {
                return Err(DataError::refused(
                    what,
                    "brings its own test split: remove test_fraction from besom.dataset",
                ));
            }
            check_counts(&format!("{what}: training split"), &train)?;
            check_counts(&format!("{what}: test split"), &test)?;
            if train.shape != test.shape {
                return Err(DataError::refused(
                    what,
                    format!("training samples have shape {:?}, test samples {:?}", train.shape, test.shape),
                ));
            }
            let (classes, labels) = classes(what, &[&train.labels, &test.labels], spec.classes.as_deref())?;
            check_variety(what, labels[..train.labels.len()].iter().copied())?;
            let header = header(train.shape, classes, train.labels.len(), test.labels.len(), synthetic);
            Dataset::build(what, header, move |out| {
                out.extend_from_slice(&train.rows);
                out.extend_from_slice(&test.rows);
                out.extend_from_slice(&labels);
            })
        }
    }
}

/// A header without its maximum; sizes beyond u32 become values that its check refuses.
fn header(shape: Vec<u32>, classes: Vec<String>, train: usize, test: usize, synthetic: bool) -> Header {
    let features = shape.iter().try_fold(1_u32, |product, &size| product.checked_mul(size)).unwrap_or(0);
    let [train, test] = [train, test].map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    Header { features, shape, classes, train, test, max: 0, synthetic }
}

fn check_counts(what: &str, samples: &Samples) -> Result<(), DataError> {
    let width: usize = samples.shape.iter().map(|&size| size as usize).product();
    let count = samples.labels.len();
    if count == 0 || width == 0 {
        return Err(DataError::refused(what, "holds no samples"));
    }
    check_label_count(what, (samples.rows.len() / width) as u64, count as u64)
}

/// With one class alone every guess is right, and no figure of a run means anything.
fn check_variety(what: &str, mut train: impl Iterator<Item = u8>) -> Result<(), DataError> {
    let first = train.next();
    if train.any(|label| Some(label) != first) {
        return Ok(());
    }
    Err(DataError::refused(what, "the training split holds one class only: a classifier needs samples of at least 2"))
}

/// The class names and, for the samples of all `parts` one after the other, the class index.
fn classes(what: &str, parts: &[&Labels], given: Option<&[String]>) -> Result<(Vec<String>, Vec<u8>), DataError> {
    if let Some(given) = given {
        let mut seen = HashSet::new();
        if let Some(twice) = given.iter().find(|name| !seen.insert(*name)) {
            return Err(DataError::refused(what, format!("classes: `{twice}` stands there twice")));
        }
    }
    if let [Labels::Names { names, indices }] = parts {
        return named_classes(what, names, indices, given);
    }
    let mut distinct = BTreeSet::new();
    let mut integers = Vec::new();
    for part in parts {
        let Labels::Integers(values) = part else {
            return Err(DataError::refused(what, "one split has text labels"));
        };
        integers.push(values);
        for &value in values {
            if distinct.insert(value) && distinct.len() > MAX_CLASSES {
                return Err(DataError::refused(
                    what,
                    format!("has more than {MAX_CLASSES} different labels: are these values and not classes?"),
                ));
            }
        }
    }
    let order: Vec<i64> = distinct.into_iter().collect();
    let labels = integers
        .into_iter()
        .flatten()
        .map(|value| order.binary_search(value).expect("every label was put into the set") as u8)
        .collect();
    let names = match given {
        None => order.iter().map(i64::to_string).collect(),
        Some(given) if given.len() == order.len() => given.to_vec(),
        Some(given) => {
            return Err(DataError::refused(
                what,
                format!(
                    "classes names {}, but the data have {} ({})",
                    counted(given.len(), "class"),
                    counted(order.len(), "label"),
                    preview(&order)
                ),
            ));
        }
    };
    Ok((names, labels))
}

/// Classes of text labels: sorted, or in the order given, which must name the same ones.
fn named_classes(
    what: &str,
    names: &[String],
    indices: &[u8],
    given: Option<&[String]>,
) -> Result<(Vec<String>, Vec<u8>), DataError> {
    let mut order: Vec<String> = names.to_vec();
    order.sort_unstable();
    if let Some(given) = given {
        let mut sorted = given.to_vec();
        sorted.sort_unstable();
        if sorted != order {
            return Err(DataError::refused(
                what,
                format!("classes must name the labels of the file in the order wanted: {}", preview(&order)),
            ));
        }
        order = given.to_vec();
    }
    let new: Vec<u8> = names
        .iter()
        .map(|name| order.iter().position(|other| other == name).expect("both hold the same names") as u8)
        .collect();
    Ok((order, indices.iter().map(|&index| new[usize::from(index)]).collect()))
}

/// `1 class`, `2 classes`.
pub(super) fn counted(count: usize, what: &str) -> String {
    let end = match what {
        _ if count == 1 => "",
        what if what.ends_with('s') => "es",
        _ => "s",
    };
    format!("{count} {what}{end}")
}

fn preview<T: ToString>(values: &[T]) -> String {
    let mut text = values.iter().take(12).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if values.len() > 12 {
        text.push_str(", ...");
    }
    text
}
