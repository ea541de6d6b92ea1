//! Arrays with names, as an .npz archive or a folder of .npy files holds them: which of them are
//! the samples and which the labels of which split.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use super::DataError;
use super::form::{Filling, Seen};
use super::limits::{Axes, Room};
use super::npy::Array;
use super::samples::{Labels, Parsed, Samples};

/// Names of samples. The first ones are `numpy.savez`'s own for arrays without a name.
const SAMPLES: &[&str] = &[
    "arr_0", "x", "xs", "data", "images", "image", "imgs", "img", "pictures", "drawings", "features", "samples",
    "inputs", "input", "pixels",
];
/// Names of labels, in the same order.
const LABELS: &[&str] = &["arr_1", "y", "ys", "target", "targets", "labels", "label"];
/// Words for the splits.
const TRAIN: &[&str] = &["train", "training", "trn"];
const TEST: &[&str] = &["test", "testing", "tst"];
const VALIDATION: &[&str] = &["val", "valid", "validation", "dev"];

/// What to do with a source that names its arrays otherwise.
pub(super) const KNOWN: &str = "arr_0 and arr_1, or such as x and y, data and target, images and labels, or these with \
                                train and test (x_train, y_train, x_test, y_test)";

/// A split as a name tells it; [`Split::Whole`] where it tells none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Split {
    Whole,
    Train,
    Test,
    Validation,
}

/// The names of the samples and labels of one split.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pair {
    samples: String,
    labels: String,
}

/// The pairs of the one or two splits that are read, the training split first, and the arrays that
/// are not read.
#[derive(Default)]
struct Roles {
    pairs: Vec<Pair>,
    left_out: Vec<String>,
}

/// Opens the array of a name and hands it on with the words that name it in messages.
pub(super) type Open<'a> = dyn FnMut(&str, &mut Take<'_>) -> Result<(), DataError> + 'a;
/// What is done with an opened array.
pub(super) type Take<'a> = dyn FnMut(&str, &Array, &mut dyn Read) -> Result<(), DataError> + 'a;

/// True if the names are those of samples and labels.
pub(super) fn are_known(names: &[String]) -> bool {
    matches!(roles(names), Ok(Some(_)))
}

/// True if the name is that of samples without a split.
pub(super) fn are_samples(name: &str) -> bool {
    role(name) == Some((Split::Whole, true))
}

/// Whether the name is that of samples or labels.
pub(super) fn has_role(name: &str) -> bool {
    role(name).is_some()
}

/// Reads the samples and labels that `names` tell; `None` where they tell none.
///
/// # Errors
/// Where several arrays may be the same thing, or an array is not what its name says.
pub(super) fn read(
    what: &str,
    names: &[String],
    open: &mut Open<'_>,
    notes: &mut Vec<String>,
) -> Result<Option<Parsed>, DataError> {
    let roles = roles(names).map_err(|problem| DataError::refused(what, problem))?;
    let Some(Roles { pairs, left_out }) = roles else { return Ok(None) };
    if !left_out.is_empty() {
        let (verb, them) = if left_out.len() == 1 { ("is", "it") } else { ("are", "them") };
        notes.push(format!("{what}: {} {verb} left out; besom trains without {them}", left_out.join(", ")));
    }
    let (mut room, mut columns) = (Room::new(), 0);
    let mut samples = |pair| samples(pair, open, &mut room, &mut columns);
    let parsed = match &pairs[..] {
        [whole] => Parsed::Whole(samples(whole)?),
        [train, test, ..] => Parsed::Split { train: samples(train)?, test: samples(test)? },
        [] => return Ok(None),
    };
    note_empty_columns(what, columns, &parsed, notes);
    Ok(Some(parsed))
}

/// Notes the columns of one-hot labels in which no sample has its 1: they become no classes.
fn note_empty_columns(what: &str, columns: u64, parsed: &Parsed, notes: &mut Vec<String>) {
    let parts = match parsed {
        Parsed::Whole(whole) => vec![&whole.labels],
        Parsed::Split { train, test } => vec![&train.labels, &test.labels],
    };
    let found: BTreeSet<i64> = parts.into_iter().flat_map(Labels::integers).copied().collect();
    let columns = i64::try_from(columns).unwrap_or(i64::MAX);
    let empty = columns.saturating_sub(found.len() as i64);
    if empty > 0 && !found.is_empty() {
        let shown = (0..columns).filter(|column| !found.contains(column)).take(8);
        let shown = shown.map(|column| column.to_string()).collect::<Vec<_>>().join(", ");
        let more = if empty > 8 { ", ..." } else { "" };
        notes.push(format!(
            "{what}: {empty} of the {columns} columns of the labels hold no 1 ({shown}{more}); they are not among the classes"
        ));
    }
}

/// Reads one split; `columns` becomes the number of columns of its labels where there is one for
/// each class.
fn samples(pair: &Pair, open: &mut Open<'_>, room: &mut Room, columns: &mut u64) -> Result<Samples, DataError> {
    let mut seen = Seen::default();
    let mut axes = None;
    open(&pair.samples, &mut |what, array, mut reader| {
        let found = Axes::new(what, &array.shape)?;
        // Bytes are the least that they take: more than fits is refused before it is looked at.
        Room::new().take(what, found.samples, array.count())?;
        array.see(what, &mut reader, found.samples, &mut seen)?;
        axes = Some(found);
        Ok(())
    })?;
    let Some(Axes { samples, shape, .. }) = axes else {
        return Err(DataError::refused(&pair.samples, "cannot be opened"));
    };
    let form = seen.form();
    let mut values = None;
    open(&pair.samples, &mut |what, array, mut reader| {
        room.take_wide(what, samples, array.count(), form.width())?;
        let mut filling = Filling::new(what, form, array.count())?;
        array.read_values(what, &mut reader, samples, &mut filling)?;
        values = Some(filling.finish());
        Ok(())
    })?;
    let mut labels = None;
    open(&pair.labels, &mut |what, array, mut reader| {
        labels = Some(array.read_labels(what, &mut reader, samples)?);
        *columns = (*columns).max(array.one_hot_columns().unwrap_or(0));
        Ok(())
    })?;
    match (values, labels) {
        (Some(values), Some(labels)) => Ok(Samples { shape, values, labels }),
        _ => Err(DataError::refused(&pair.samples, "cannot be opened")),
    }
}

/// What the names tell; `None` where they tell no samples with labels.
fn roles(names: &[String]) -> Result<Option<Roles>, String> {
    let mut found: BTreeMap<(Split, bool), Vec<&String>> = BTreeMap::new();
    for name in names {
        if let Some(role) = role(name) {
            found.entry(role).or_default().push(name);
        }
    }
    let pair = |split: Split| -> Result<Option<Pair>, String> {
        let (Some(samples), Some(labels)) = (found.get(&(split, true)), found.get(&(split, false))) else {
            return Ok(None);
        };
        // An archive without names has arr_0, arr_1 and maybe more.
        let one = |several: &[&String], role: &str| match several {
            [one] => Ok((*one).clone()),
            several => {
                let shown = several.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ");
                Err(format!("{shown} may all be the {role}: keep one of them"))
            }
        };
        Ok(Some(Pair { samples: one(samples, "samples")?, labels: one(labels, "labels")? }))
    };
    let test = match pair(Split::Test)? {
        Some(test) => Some(test),
        None => pair(Split::Validation)?,
    };
    let pairs = match (pair(Split::Train)?, test) {
        (Some(train), Some(test)) => vec![train, test],
        (train, _) => match pair(Split::Whole)?.or(train) {
            Some(whole) => vec![whole],
            None => return Ok(None),
        },
    };
    let is_read = |name: &String| pairs.iter().any(|pair| pair.samples == *name || pair.labels == *name);
    let left_out = names.iter().filter(|name| !is_read(name)).map(|name| format!("`{name}`")).collect();
    Ok(Some(Roles { pairs, left_out }))
}

/// The split that a name tells, and whether it is that of samples.
fn role(name: &str) -> Option<(Split, bool)> {
    let name: String = name.chars().map(|c| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    let kind = |word: &str| match word {
        word if SAMPLES.contains(&word) => Some(true),
        word if LABELS.contains(&word) => Some(false),
        _ => None,
    };
    if let Some(is_samples) = kind(&name) {
        return Some((Split::Whole, is_samples));
    }
    let splits = [(Split::Train, TRAIN), (Split::Test, TEST), (Split::Validation, VALIDATION)];
    splits.into_iter().find_map(|(split, words)| {
        let rest = words.iter().flat_map(|word| [name.strip_prefix(word), name.strip_suffix(word)]);
        let is_samples = rest.flatten().find_map(|rest| kind(rest.trim_matches('_')))?;
        Some((split, is_samples))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(names: &str) -> Vec<String> {
        let names: Vec<String> = names.split(' ').map(str::to_owned).collect();
        let Roles { pairs, left_out } = roles(&names).unwrap().unwrap_or_default();
        let shown = pairs.into_iter().map(|pair| format!("{}/{}", pair.samples, pair.labels));
        shown.chain(left_out.into_iter().map(|name| format!("-{name}"))).collect()
    }

    #[test]
    fn the_usual_names_are_known_in_any_case_and_order() {
        for (names, expected) in [
            ("arr_0 arr_1", &["arr_0/arr_1"][..]),
            ("X y", &["X/y"]),
            ("target data", &["data/target"]),
            ("images labels", &["images/labels"]),
            ("X_train y_train X_test y_test", &["X_train/y_train", "X_test/y_test"]),
            ("xtrain ytrain xtest ytest", &["xtrain/ytrain", "xtest/ytest"]),
            ("train_x train_y test_x test_y", &["train_x/train_y", "test_x/test_y"]),
            (
                "train_images val_images test_images train_labels val_labels test_labels",
                &["train_images/train_labels", "test_images/test_labels", "-`val_images`", "-`val_labels`"],
            ),
            (
                "train_images train_labels val_images val_labels",
                &["train_images/train_labels", "val_images/val_labels"],
            ),
            ("training-images training-labels", &["training-images/training-labels"]),
            ("arr_0 arr_1 arr_2 arr_3", &["arr_0/arr_1", "-`arr_2`", "-`arr_3`"]),
            ("trainData trainLabels testData testLabels", &["trainData/trainLabels", "testData/testLabels"]),
            ("train valid test", &[]),
            ("latest y", &[]),
        ] {
            assert_eq!(pairs(names), expected, "{names}");
        }
    }

    #[test]
    fn two_arrays_of_one_role_are_told() {
        let names = ["x", "data", "y"].map(str::to_owned);
        assert_eq!(roles(&names).err().unwrap(), "`x` and `data` may all be the samples: keep one of them");
    }
}
