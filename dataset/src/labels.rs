//! Labels that stand as texts: names of classes, or numbers that may be spelled in several ways.

use std::collections::HashMap;

use besom_sweep::MAX_CLASSES;

use super::samples::Labels;

/// Longest label; longer ones are no class names.
pub(super) const MAX_LABEL: usize = 200;

/// What is told of labels that are real numbers.
pub(super) const VALUES: &str = "labels are classes, and these are real values, which besom does not predict: give whole \
                                 numbers or names, such as one name for each range of values";

/// Texts that stand for a value that is not known.
const MISSING: [&str; 8] = ["", "na", "n/a", "nan", "null", "none", "?", "-"];

/// Whether a cell stands for a value that is not known.
pub(super) fn is_missing(cell: &str) -> bool {
    MISSING.contains(&cell.to_ascii_lowercase().as_str())
}

/// The distinct texts as they appear, and one index a sample.
#[derive(Default)]
pub(super) struct Texts {
    known: HashMap<String, u16>,
    texts: Vec<String>,
    /// Where each text stands first.
    places: Vec<String>,
    indices: Vec<u16>,
}

/// A number as programs write it.
pub(super) fn plain(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// The whole number that a text is, as programs write it.
pub(super) fn whole(text: &str) -> Option<i64> {
    match number(text, plain) {
        Some(Number::Whole(number)) => Some(number),
        _ => None,
    }
}

/// What a text is, read as a number.
enum Number {
    Whole(i64),
    Real,
    Missing,
}

impl Texts {
    /// Adds the label of the next sample, which stands at `place`.
    ///
    /// # Errors
    /// Where it is no label, in words that follow its place.
    pub(super) fn add(&mut self, text: &str, place: impl FnOnce() -> String) -> Result<(), String> {
        let index = match self.known.get(text) {
            Some(&index) => index,
            None if text.is_empty() => return Err("the label is empty".to_owned()),
            None if text.contains(char::is_control) => {
                return Err("the label holds a line break or another control character; is a quotation mark missing?"
                    .to_owned());
            }
            None if text.len() > MAX_LABEL => return Err(format!("the label is longer than {MAX_LABEL} bytes")),
            None if self.texts.len() == MAX_CLASSES => {
                return Err(format!("more than {MAX_CLASSES} different labels: is this the label column?"));
            }
            None => {
                let index = self.texts.len() as u16;
                self.known.insert(text.to_owned(), index);
                self.texts.push(text.to_owned());
                self.places.push(place());
                index
            }
        };
        self.indices.push(index);
        Ok(())
    }

    /// The labels: numbers where all are whole numbers, else names. Where one number is spelled in
    /// several ways, as `1`, `1.0` and `01`, it is one class. `read` says what number a text is.
    ///
    /// # Errors
    /// Where the labels are real numbers, or one of them is missing, with the place.
    pub(super) fn finish(self, read: impl Fn(&str) -> Option<f64>) -> Result<Labels, String> {
        let Self { texts, places, indices, .. } = self;
        let number = |text: &str| number(text, &read);
        let as_integers =
            |numbers: &[i64]| Ok(Labels::Integers(indices.iter().map(|&index| numbers[usize::from(index)]).collect()));
        if let Ok(numbers) = texts.iter().map(|text| text.parse::<i64>()).collect::<Result<Vec<_>, _>>() {
            return as_integers(&numbers);
        }
        let Some(numbers) = texts.iter().map(|text| number(text)).collect::<Option<Vec<_>>>() else {
            return Ok(one_name_a_number(texts, indices, number));
        };
        for ((number, text), place) in numbers.iter().zip(&texts).zip(&places) {
            match number {
                Number::Real => return Err(format!("{place}: the label is `{text}`: {VALUES}")),
                Number::Missing => return Err(format!("{place}: the label is `{text}`: give one or drop the sample")),
                Number::Whole(_) => {}
            }
        }
        let numbers: Vec<i64> = numbers
            .into_iter()
            .filter_map(|number| if let Number::Whole(number) = number { Some(number) } else { None })
            .collect();
        let mut distinct = numbers.clone();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() == numbers.len() {
            // Each number has one spelling, such as `1.0`: it stays the name of the class.
            return Ok(Labels::Names { names: texts, indices });
        }
        as_integers(&numbers)
    }
}

/// Names among which numbers are spelled in one way.
fn one_name_a_number(texts: Vec<String>, indices: Vec<u16>, number: impl Fn(&str) -> Option<Number>) -> Labels {
    let mut names: Vec<String> = Vec::with_capacity(texts.len());
    let mut first: HashMap<i64, u16> = HashMap::new();
    let mut merged = Vec::with_capacity(texts.len());
    for text in texts {
        let known = match number(&text) {
            Some(Number::Whole(whole)) => Some(*first.entry(whole).or_insert(names.len() as u16)),
            _ => None,
        };
        let index = known.unwrap_or(names.len() as u16);
        if usize::from(index) == names.len() {
            names.push(text);
        }
        merged.push(index);
    }
    Labels::Names { names, indices: indices.into_iter().map(|index| merged[usize::from(index)]).collect() }
}

fn number(text: &str, read: impl Fn(&str) -> Option<f64>) -> Option<Number> {
    if is_missing(text) {
        return Some(Number::Missing);
    }
    match read(text) {
        // Beyond 2^53 an f64 does not hold every integer, and no class is called that.
        Some(value) if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 => {
            Some(Number::Whole(value as i64))
        }
        Some(value) if value.is_finite() => Some(Number::Real),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(texts: &[&str]) -> Result<Labels, String> {
        let mut all = Texts::default();
        for (line, text) in texts.iter().enumerate() {
            all.add(text, || format!("line {}", line + 2)).unwrap();
        }
        all.finish(plain)
    }

    #[test]
    fn one_number_in_several_spellings_is_one_class() {
        let Ok(Labels::Integers(values)) = labels(&["1", "1.0", "01", "2", "+1", "1e0"]) else { panic!() };
        assert_eq!(values, [1, 1, 1, 2, 1, 1]);
        let Ok(Labels::Names { names, indices }) = labels(&["1", "cat", "1.0", "01"]) else { panic!() };
        assert_eq!((names, indices), (vec!["1".to_owned(), "cat".to_owned()], vec![0, 1, 0, 0]));
    }

    #[test]
    fn labels_with_one_spelling_keep_it() {
        let Ok(Labels::Names { names, .. }) = labels(&["1.0", "2.0", "1.0"]) else { panic!() };
        assert_eq!(names, ["1.0", "2.0"]);
        let Ok(Labels::Integers(values)) = labels(&["01", "2"]) else { panic!() };
        assert_eq!(values, [1, 2]);
    }

    #[test]
    fn real_values_and_missing_labels_are_refused_by_their_place() {
        let error = labels(&["1", "2.5", "3"]).unwrap_err();
        assert!(error.starts_with("line 3: the label is `2.5`") && error.contains("real values"), "{error}");
        let error = labels(&["1.0", "1", "nan"]).unwrap_err();
        assert!(error.starts_with("line 4: the label is `nan`"), "{error}");
        for missing in ["NA", "?", "null", "N/A", "-", "None"] {
            let error = labels(&["0", "1", missing]).unwrap_err();
            assert!(error.starts_with("line 4: the label is") && error.contains("give one"), "{error}");
        }
        assert!(labels(&["nan", "bread"]).is_ok(), "a name may be spelled like that");
        let mut cut = Texts::default();
        assert!(cut.add("cat\n6.5,4,cat", String::new).unwrap_err().contains("quotation mark"));
        assert!(labels(&["1.5", "bread"]).is_ok());
    }
}
