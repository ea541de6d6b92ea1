//! A swept hyperparameter and the values that a sweep gave it: their order, their names, and where
//! they stand on an axis.

use besom_sweep::number;
use serde_json::Value;

use crate::axis::Scale;

/// Which value of each parameter a point has.
pub(crate) type Values = Vec<Option<usize>>;

/// Longer numbers are rounded where they are written.
const LONG: usize = 9;

/// A swept hyperparameter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    /// Distinct; ascending where all are numbers, else as the file lists them.
    pub(crate) values: Vec<Value>,
    /// The same as numbers, where all are.
    numbers: Option<Vec<f64>>,
}

impl Parameter {
    /// Of the values that the file lists and those that runs have.
    pub(crate) fn new<'a>(
        name: &str,
        listed: impl IntoIterator<Item = Value>,
        had: impl IntoIterator<Item = &'a Value>,
    ) -> Self {
        let mut values: Vec<Value> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for value in listed.into_iter().chain(had.into_iter().cloned()) {
            if seen.insert(key(&value)) {
                values.push(value);
            }
        }
        let mut numbers: Option<Vec<f64>> = values.iter().map(Value::as_f64).collect();
        if let Some(numbers) = &mut numbers {
            values.sort_by(|a, b| as_number(a).total_cmp(&as_number(b)));
            numbers.sort_by(f64::total_cmp);
        }
        Self { name: name.to_owned(), values, numbers }
    }

    /// Which value this is.
    pub(crate) fn index(&self, value: &Value) -> Option<usize> {
        if let (Some(numbers), Some(number)) = (&self.numbers, value.as_f64()) {
            return numbers.binary_search_by(|have| have.total_cmp(&number)).ok();
        }
        self.values.iter().position(|have| key(have) == key(value))
    }

    /// How the value is written: as the file has it, numbers of many digits with the first six.
    pub(crate) fn text(&self, index: usize) -> String {
        let value = self.values.get(index);
        let text = number::value(value);
        let number = value.and_then(Value::as_f64).filter(|_| text.len() > LONG);
        let rounded = number.and_then(|number| format!("{number:.5e}").parse::<f64>().ok());
        rounded.map_or(text, number::exact)
    }

    /// The axis of its values, and where each stands on it. Positive numbers stand by their
    /// logarithm where they spread over more than two decades or stand much more evenly so, as
    /// powers of two do. What is no number stands evenly, and so do numbers that would hide each
    /// other, as 0, 0.0001 and 0.1 would.
    pub(crate) fn scale(&self) -> (Scale, Vec<f64>) {
        const MARGIN: f64 = 0.09;
        match &self.numbers {
            Some(numbers) if numbers.len() > 1 => match Scale::around(numbers, MARGIN) {
                Scale::Linear { .. } if is_geometric(numbers) => (Scale::log_around(numbers, MARGIN), numbers.clone()),
                Scale::Log { .. } if numbers.len() <= 15 && smallest_gap(&logs(numbers)) < 0.01 => self.even(),
                Scale::Linear { .. } if numbers.len() <= 15 && smallest_gap(numbers) < 0.05 => self.even(),
                scale => (scale, numbers.clone()),
            },
            _ => self.even(),
        }
    }

    fn even(&self) -> (Scale, Vec<f64>) {
        (Scale::slots(self.values.len()), (0..self.values.len()).map(|slot| slot as f64).collect())
    }

    /// What its axis is called.
    pub(crate) fn axis_name(&self) -> String {
        let evenly = self.is_numeric() && matches!(self.scale().0, Scale::Slots { .. });
        format!("{}{}", self.name, if evenly { ", evenly spaced" } else { "" })
    }

    /// Whether its values are numbers, so that a line between two of them means something.
    pub(crate) fn is_numeric(&self) -> bool {
        self.numbers.as_ref().is_some_and(|numbers| numbers.len() > 1)
    }
}

/// Whether the smallest gap between the ascending numbers is more than twice as large on a
/// logarithmic axis.
fn is_geometric(numbers: &[f64]) -> bool {
    numbers.len() > 2 && numbers[0] > 0.0 && smallest_gap(&logs(numbers)) > 2.0 * smallest_gap(numbers)
}

fn logs(numbers: &[f64]) -> Vec<f64> {
    numbers.iter().map(|number| number.ln()).collect()
}

/// Between neighbours of the ascending numbers, as a share of their range.
fn smallest_gap(numbers: &[f64]) -> f64 {
    // Halves, since the difference of two numbers may be beyond all numbers.
    let between = |low: f64, high: f64| high / 2.0 - low / 2.0;
    let range = between(numbers[0], numbers[numbers.len() - 1]);
    numbers.windows(2).map(|pair| between(pair[0], pair[1]) / range).fold(f64::INFINITY, f64::min)
}

fn as_number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_default()
}

/// 32 and 32.0 are one value.
fn key(value: &Value) -> String {
    value.as_f64().map_or_else(|| value.to_string(), |number| format!("{number:?}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_ascend_and_words_stay_in_the_order_of_the_file() {
        let rate = Parameter::new("learning_rate", [json!(0.1), json!(0.001)], [&json!(1), &json!(0.1)]);
        assert_eq!(rate.values, [json!(0.001), json!(0.1), json!(1)]);
        assert_eq!((rate.index(&json!(1.0)), rate.index(&json!(0.5))), (Some(2), None));
        let optimizer = Parameter::new("optimizer", [json!("sgd"), json!("adam")], [&json!("lion")]);
        assert_eq!(optimizer.values, [json!("sgd"), json!("adam"), json!("lion")]);
        let hidden = Parameter::new("hidden", [json!([32, 32]), json!([8])], []);
        let odd = Parameter::new("x", [json!(0.33059775744000003), json!(1234567.0), json!(0.00001)], []);
        assert_eq!([0, 1, 2].map(|index| odd.text(index)), ["0.00001", "0.330598", "1234567.0"]);
        assert_eq!((hidden.text(0).as_str(), hidden.index(&json!([8]))), ("[32, 32]", Some(1)));
    }

    #[test]
    fn more_than_two_decades_ask_for_a_logarithmic_axis_and_words_for_an_even_one() {
        let scale = |values: &[Value]| Parameter::new("x", values.to_vec(), []).scale().0;
        assert!(matches!(scale(&[json!(8), json!(4096)]), Scale::Log { .. }));
        assert!(matches!(scale(&[json!(1), json!(100)]), Scale::Linear { .. }));
        assert!(matches!(scale(&[json!(8), json!(16), json!(32), json!(64)]), Scale::Log { .. }));
        assert!(matches!(scale(&[json!(0.1), json!(0.2), json!(0.3)]), Scale::Linear { .. }));
        assert!(matches!(scale(&[json!(0), json!(1000)]), Scale::Linear { .. }));
        assert!(matches!(scale(&[json!(0), json!(0.0001), json!(0.1)]), Scale::Slots { .. }));
        assert!(matches!(scale(&[json!("a"), json!("b")]), Scale::Slots { .. }));
        assert!(matches!(scale(&[json!(5e-324), json!(0.01), json!(0.02)]), Scale::Slots { .. }));
        assert!(matches!(scale(&[json!(-1.7e308), json!(0), json!(1.7e308)]), Scale::Linear { .. }));
    }
}
