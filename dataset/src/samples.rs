//! What the parsers give: samples and labels as they stand in the source, and how they become a
//! dataset.

use std::collections::{BTreeSet, HashMap, HashSet};

use besom_sweep::{DatasetSpec, MAX_CLASSES, Scale, number::plural};

use super::labels;
use super::limits::check_label_count;
use super::scaling::Scaling;
use super::split::{DEFAULT_TEST_FRACTION, Split, split, split_by_class};
use super::{DataError, Dataset, Header, Kind};

/// Labels as the source has them.
#[derive(Debug)]
pub(super) enum Labels {
    /// Any whole numbers, one a sample.
    Integers(Vec<i64>),
    /// Texts (CSV): the distinct names in order of appearance, and an index into them for each
    /// sample.
    Names { names: Vec<String>, indices: Vec<u16> },
}

impl Labels {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Integers(values) => values.len(),
            Self::Names { indices, .. } => indices.len(),
        }
    }

    /// The whole numbers; none where the labels are texts.
    pub(super) fn integers(&self) -> &[i64] {
        match self {
            Self::Integers(values) => values,
            Self::Names { .. } => &[],
        }
    }
}

/// The values of some samples as their source has them, row by row.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Whole numbers 0 to 255.
    Bytes(Vec<u8>),
    /// Multiples of 1/255 from 0 to 1, each as its 255-fold.
    Fractions(Vec<u8>),
    /// Any finite numbers.
    Floats(Vec<f32>),
}

impl Values {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(values) | Self::Fractions(values) => values.len(),
            Self::Floats(values) => values.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers of the source.
    #[must_use]
    pub fn into_floats(self) -> Vec<f32> {
        match self {
            Self::Bytes(values) => values.into_iter().map(f32::from).collect(),
            Self::Fractions(values) => values.into_iter().map(|value| f32::from(value) / 255.0).collect(),
            Self::Floats(values) => values,
        }
    }

    /// What may be divided by the largest one: bytes, unless the values are floats.
    pub(super) fn into_bytes(self) -> Result<Vec<u8>, Vec<f32>> {
        match self {
            Self::Bytes(values) | Self::Fractions(values) => Ok(values),
            Self::Floats(values) => Err(values),
        }
    }

    /// The values of two splits of one source, in the same form.
    fn alike(what: &str, train: Self, test: Self) -> Result<(Self, Self), DataError> {
        let is_binary = |values: &[u8]| values.iter().all(|&value| value <= 1);
        let as_fractions = |values: Vec<u8>| Self::Fractions(values.into_iter().map(|value| value * 255).collect());
        Ok(match (train, test) {
            // 0 and 1 are whole numbers and fractions.
            (Self::Bytes(train), test @ Self::Fractions(_)) if is_binary(&train) => (as_fractions(train), test),
            (train @ Self::Fractions(_), Self::Bytes(test)) if is_binary(&test) => (train, as_fractions(test)),
            (Self::Bytes(_), Self::Fractions(_)) | (Self::Fractions(_), Self::Bytes(_)) => {
                let problem =
                    "one split has whole numbers up to 255, the other fractions from 0 to 1: scale both alike";
                return Err(DataError::refused(what, problem));
            }
            (train, test) if matches!(train, Self::Floats(_)) != matches!(test, Self::Floats(_)) => {
                (Self::Floats(train.into_floats()), Self::Floats(test.into_floats()))
            }
            alike => alike,
        })
    }
}

/// The rows of one source, which may come in two parts.
struct Parts<T> {
    first: Vec<T>,
    second: Vec<T>,
    width: usize,
}

impl<T> Parts<T> {
    fn row(&self, index: usize) -> &[T] {
        let begin = index * self.width;
        match begin.checked_sub(self.first.len()) {
            None => &self.first[begin..begin + self.width],
            Some(begin) => &self.second[begin..begin + self.width],
        }
    }
}

/// Samples of equal shape with their labels.
#[derive(Debug)]
pub(super) struct Samples {
    /// Shape of one sample.
    pub(super) shape: Vec<u32>,
    pub(super) values: Values,
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
            let (classes, labels, order) = divide(what, &samples.labels, spec)?;
            let header = header(samples.shape, classes, order.train.len(), order.test.len(), synthetic);
            lay_out(what, header, [samples.values, Values::Bytes(Vec::new())], &labels, &order, spec.scale)
        }
        Parsed::Split { train, test } => {
            if spec.test_fraction.is_some() {
                return Err(DataError::refused(
                    what,
                    "brings its own test split: remove test_fraction from besom.dataset",
                ));
            }
            if spec.stratify {
                return Err(DataError::refused(what, "brings its own test split: remove stratify from besom.dataset"));
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
            let counts = [train.labels.len(), test.labels.len()];
            let header = header(train.shape, classes, counts[0], counts[1], synthetic);
            let [train_count, count] = [counts[0], counts[0] + counts[1]].map(|count| count as u32);
            let order = Split { train: (0..train_count).collect(), test: (train_count..count).collect() };
            if [&train.values, &test.values].iter().any(|values| matches!(values, Values::Floats(_))) {
                // Bytes beside floats take four times their memory: too many are refused before
                // they do.
                let scale = Some(spec.scale.unwrap_or(Scale::None));
                Header { values: Kind::Floats, scale, ..header.clone() }.check(what)?;
            }
            let (train, test) = Values::alike(what, train.values, test.values)?;
            lay_out(what, header, [train, test], &labels, &order, spec.scale)
        }
    }
}

/// The class names, and for samples with these labels the class index and the split.
pub(super) fn divide(
    what: &str,
    labels: &Labels,
    spec: &DatasetSpec,
) -> Result<(Vec<String>, Vec<u16>, Split), DataError> {
    let (classes, labels) = classes(what, &[labels], spec.classes.as_deref())?;
    let count =
        u32::try_from(labels.len()).map_err(|_| DataError::refused(what, format!("more than {} samples", u32::MAX)))?;
    let fraction = spec.test_fraction.unwrap_or(DEFAULT_TEST_FRACTION);
    let order = match spec.stratify {
        true => split_by_class(what, &labels, fraction, spec.split_seed)?,
        false => split(what, count, fraction, spec.split_seed)?,
    };
    Ok((classes, labels, order))
}

/// Lays out samples in the order of their splits: bytes as they are, and what is scaled otherwise
/// as floats. The second of `values` is empty or of the form of the first.
fn lay_out(
    what: &str,
    header: Header,
    values: [Values; 2],
    labels: &[u16],
    order: &Split,
    scale: Option<Scale>,
) -> Result<Dataset, DataError> {
    check_variety(what, order.train.iter().map(|&index| labels[index as usize]))?;
    let width = header.features as usize;
    let rows = || order.train.iter().chain(&order.test).map(|&index| index as usize);
    let ordered = rows().map(|index| labels[index]);
    // The parsed rows go when they are laid out: the bytes move to large pages afterwards.
    let scale = match (scale, &values[0]) {
        (None | Some(Scale::Max), Values::Bytes(_) | Values::Fractions(_)) => {
            let [first, second] = values.map(|values| values.into_bytes().unwrap_or_default());
            let parts = Parts { first, second, width };
            return Dataset::of_bytes(what, header, ordered, move |out| {
                rows().for_each(|index| out.extend_from_slice(parts.row(index)));
            });
        }
        (scale, _) => scale.unwrap_or(Scale::None),
    };
    let header = Header { values: Kind::Floats, scale: Some(scale), ..header };
    header.check(what)?;
    let [first, second] = values.map(Values::into_floats);
    let parts = Parts { first, second, width };
    let scaling = Scaling::of(scale, width, order.train.iter().map(|&index| parts.row(index as usize)));
    let mut is_blank = true;
    for (place, index) in rows().enumerate() {
        for (feature, &number) in parts.row(index).iter().enumerate() {
            let value = scaling.apply(feature, number);
            if !value.is_finite() {
                let problem =
                    format!("sample {index}, value {feature}: {number} has no finite 32-bit form when it is scaled");
                return Err(DataError::refused(what, problem));
            }
            is_blank &= value == 0.0 || place >= order.train.len();
        }
    }
    if is_blank {
        let same = if scale == Scale::Standard { "the same in all samples" } else { "0" };
        return Err(DataError::refused(what, format!("every value of the training split is {same}")));
    }
    let numbers = &scaling;
    Dataset::of_floats(what, header, &scaling, ordered, move |out| {
        for index in rows() {
            let row = parts.row(index).iter().enumerate();
            out.extend(row.flat_map(|(feature, &number)| numbers.apply(feature, number).to_le_bytes()));
        }
    })
}

/// A header without its maximum; sizes beyond u32 become values that its check refuses.
fn header(shape: Vec<u32>, classes: Vec<String>, train: usize, test: usize, synthetic: bool) -> Header {
    let features = shape.iter().try_fold(1_u32, |product, &size| product.checked_mul(size)).unwrap_or(0);
    let [train, test] = [train, test].map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    Header { features, shape, classes, train, test, max: 0, synthetic, values: Kind::Bytes, scale: None }
}

fn check_counts(what: &str, samples: &Samples) -> Result<(), DataError> {
    let width: usize = samples.shape.iter().map(|&size| size as usize).product();
    let count = samples.labels.len();
    if count == 0 || width == 0 {
        return Err(DataError::refused(what, "holds no samples"));
    }
    check_label_count(what, (samples.values.len() / width) as u64, count as u64)
}

/// With one class alone every guess is right, and no figure of a run means anything.
fn check_variety(what: &str, mut train: impl Iterator<Item = u16>) -> Result<(), DataError> {
    let first = train.next();
    if train.any(|label| Some(label) != first) {
        return Ok(());
    }
    Err(DataError::refused(what, "the training split holds one class only: a classifier needs samples of at least 2"))
}

/// The class names and, for the samples of all `parts` one after the other, the class index.
fn classes(what: &str, parts: &[&Labels], given: Option<&[String]>) -> Result<(Vec<String>, Vec<u16>), DataError> {
    if let Some(given) = given {
        let mut seen = HashSet::new();
        if let Some(twice) = given.iter().find(|name| !seen.insert(*name)) {
            return Err(DataError::refused(what, format!("classes: `{twice}` stands there twice")));
        }
    }
    if parts.iter().any(|part| matches!(part, Labels::Names { .. })) {
        let (names, indices) = one_list(what, parts)?;
        return named_classes(what, &names, &indices, given);
    }
    let mut distinct = BTreeSet::new();
    let mut integers = Vec::new();
    for part in parts {
        let Labels::Integers(values) = part else { continue };
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
        .map(|value| order.binary_search(value).expect("every label was put into the set") as u16)
        .collect();
    let names = match given {
        None => order.iter().map(i64::to_string).collect(),
        Some(given) if given.len() == order.len() => given.to_vec(),
        Some(given) => {
            return Err(DataError::refused(
                what,
                format!(
                    "classes names {}, but the data have {} ({})",
                    plural(given.len() as u64, "class"),
                    plural(order.len() as u64, "label"),
                    preview(&order)
                ),
            ));
        }
    };
    Ok((names, labels))
}

/// The names of all parts in one list, and the indices into it. A number that two parts spell in
/// different ways is one class.
fn one_list(what: &str, parts: &[&Labels]) -> Result<(Vec<String>, Vec<u16>), DataError> {
    let mut places: HashMap<String, u16> = HashMap::new();
    // By the whole numbers among the names of the parts before.
    let mut numbers: HashMap<i64, u16> = HashMap::new();
    let mut names = Vec::new();
    let mut indices = Vec::new();
    let mut place = |name: String, numbers: &HashMap<i64, u16>| match places
        .get(&name)
        .or_else(|| labels::whole(&name).and_then(|number| numbers.get(&number)))
    {
        Some(&place) => Ok(place),
        None if names.len() == MAX_CLASSES => {
            Err(DataError::refused(what, format!("has more than {MAX_CLASSES} different labels")))
        }
        None => {
            let place = names.len() as u16;
            names.push(name.clone());
            places.insert(name, place);
            Ok(place)
        }
    };
    for part in parts {
        match part {
            Labels::Names { names, indices: own } => {
                let map = names.iter().map(|name| place(name.clone(), &numbers)).collect::<Result<Vec<_>, _>>()?;
                for (name, &place) in names.iter().zip(&map) {
                    if let Some(number) = labels::whole(name) {
                        numbers.entry(number).or_insert(place);
                    }
                }
                indices.extend(own.iter().map(|&index| map[usize::from(index)]));
            }
            Labels::Integers(values) => {
                for value in values {
                    indices.push(place(value.to_string(), &numbers)?);
                }
                for &value in values {
                    let place = place(value.to_string(), &numbers)?;
                    numbers.entry(value).or_insert(place);
                }
            }
        }
    }
    Ok((names, indices))
}

/// Classes of text labels: sorted, or in the order given, which must name the same ones.
fn named_classes(
    what: &str,
    names: &[String],
    indices: &[u16],
    given: Option<&[String]>,
) -> Result<(Vec<String>, Vec<u16>), DataError> {
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
    let new: Vec<u16> = names
        .iter()
        .map(|name| order.iter().position(|other| other == name).expect("both hold the same names") as u16)
        .collect();
    Ok((order, indices.iter().map(|&index| new[usize::from(index)]).collect()))
}

fn preview<T: ToString>(values: &[T]) -> String {
    let mut text = values.iter().take(12).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if values.len() > 12 {
        text.push_str(", ...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(values: Values, labels: &[i64]) -> Samples {
        Samples { shape: vec![2], values, labels: Labels::Integers(labels.to_vec()) }
    }

    fn split(train: Values, test: Values, scale: Option<Scale>) -> Result<Dataset, DataError> {
        let count = |values: &Values| (0..values.len() as i64 / 2).map(|label| label % 2).collect::<Vec<_>>();
        let (train_labels, test_labels) = (count(&train), count(&test));
        let parsed = Parsed::Split { train: samples(train, &train_labels), test: samples(test, &test_labels) };
        assemble("x", parsed, &DatasetSpec { scale, ..DatasetSpec::new("x") }, false)
    }

    fn numbers(dataset: &Dataset) -> Vec<f32> {
        dataset.rows().numbers().collect()
    }

    #[test]
    fn floats_are_scaled_by_the_training_split_alone() {
        let train = Values::Floats(vec![1.0, -10.0, 3.0, 20.0]);
        let test = || Values::Floats(vec![5.0, 40.0]);
        let of = |scale| split(train.clone(), test(), scale).unwrap();
        assert_eq!(numbers(&of(None)), [1.0, -10.0, 3.0, 20.0, 5.0, 40.0]);
        assert_eq!(of(None).artifact(), of(Some(Scale::None)).artifact());
        assert_eq!(numbers(&of(Some(Scale::Max))), [1.0 / 3.0, -0.5, 1.0, 1.0, 5.0 / 3.0, 2.0]);
        let standard = of(Some(Scale::Standard));
        assert_eq!(numbers(&standard), [-1.0, -1.0, 1.0, 1.0, 3.0, 35.0 / 15.0]);
        assert_eq!(standard.scaling().unwrap().shifts(), [2.0, 5.0]);
        let kinds = [of(None), of(Some(Scale::Max)), standard].map(|data| data.digest().to_owned());
        assert_eq!(kinds.iter().collect::<HashSet<_>>().len(), 3, "{kinds:?}");
    }

    #[test]
    fn bytes_stay_bytes_unless_they_are_scaled_otherwise() {
        let train = Values::Bytes(vec![0, 51, 102, 204]);
        let test = Values::Bytes(vec![255, 1]);
        let of = |scale| split(train.clone(), test.clone(), scale).unwrap();
        assert_eq!(of(None).rows().bytes().unwrap(), [0, 51, 102, 204, 255, 1]);
        assert_eq!(of(None).artifact(), of(Some(Scale::Max)).artifact());
        assert_eq!(of(None).artifact()[8], 1);
        assert_eq!(numbers(&of(Some(Scale::None))), [0.0, 51.0, 102.0, 204.0, 255.0, 1.0]);
        assert_eq!(numbers(&of(Some(Scale::Standard)))[..4], [-1.0, -1.0, 1.0, 1.0]);
    }

    #[test]
    fn fractions_are_the_bytes_that_they_were_made_of_and_keep_their_size() {
        let train = Values::Fractions(vec![0, 51, 102, 204]);
        let test = Values::Fractions(vec![255, 1]);
        let of = |scale| split(train.clone(), test.clone(), scale).unwrap();
        let bytes = split(Values::Bytes(vec![0, 51, 102, 204]), Values::Bytes(vec![255, 1]), None).unwrap();
        assert_eq!(of(None).artifact(), bytes.artifact());
        assert_eq!(numbers(&of(Some(Scale::None)))[..5], [0.0, 0.2, 0.4, 0.8, 1.0]);
    }

    #[test]
    fn splits_of_different_forms_become_alike_or_are_refused() {
        let (zeros, ones) = (Values::Bytes(vec![0, 1]), Values::Bytes(vec![0, 1, 1, 1]));
        let fractions = Values::Fractions(vec![0, 51, 102, 204]);
        assert_eq!(split(fractions.clone(), zeros, None).unwrap().rows().bytes().unwrap()[4..], [0, 255]);
        let test = Values::Fractions(vec![51, 0]);
        assert_eq!(split(ones, test, None).unwrap().rows().bytes().unwrap(), [0, 255, 255, 255, 51, 0]);
        let refused = split(fractions.clone(), Values::Bytes(vec![0, 2]), None).unwrap_err().to_string();
        assert!(refused.contains("scale both alike"), "{refused}");
        let mixed = split(fractions, Values::Floats(vec![0.5, -1.0]), None).unwrap();
        assert_eq!(numbers(&mixed), [0.0, 0.2, 0.4, 0.8, 0.5, -1.0]);
    }

    #[test]
    fn numbers_that_scaling_cannot_hold_and_blank_splits_are_refused() {
        let of = |train: [f32; 4], test: [f32; 2], scale| {
            split(Values::Floats(train.to_vec()), Values::Floats(test.to_vec()), scale).unwrap_err().to_string()
        };
        let beyond = of([1e-30, 0.0, 1e-30, 1.0], [1e30, 0.0], Some(Scale::Max));
        assert!(beyond.contains("sample 2, value 0") && beyond.contains("no finite 32-bit form"), "{beyond}");
        assert!(of([0.0, -0.0, 0.0, 0.0], [1.0, 0.0], None).contains("every value of the training split is 0"));
        let same = of([7.0, 0.5, 7.0, 0.5], [1.0, 0.0], Some(Scale::Standard));
        assert!(same.contains("the same in all samples"), "{same}");
    }
}
