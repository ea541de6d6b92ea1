//! The points of a method by index: which value each parameter has, and when two points are equal.

use serde_json::Value;

use crate::hyperparameters::Params;
use crate::hyperparameters::table::{self, Choice, Owner, Row};
use crate::spec::{Method, SweepSpec};

/// A parameter with several values.
#[derive(Debug, Clone)]
struct Axis {
    name: String,
    values: Vec<Value>,
    /// For each value, the index of the first equal one; the base (one_at_a_time) counts as one
    /// more, the last.
    same_as: Vec<u32>,
}

/// All points of a sweep, equal ones included.
#[derive(Debug, Clone)]
pub(crate) struct Axes {
    method: Method,
    /// In the order of the method: sorted by name (grid) or as in the file.
    axes: Vec<Axis>,
    /// What all points share.
    fixed: Params,
    /// Hyperparameters that only some choices have and that this sweep names, swept or not.
    options: Vec<&'static Row>,
}

/// How many points a sweep lists, equal ones included; `None`: more than a u64 counts.
pub(crate) fn count(spec: &SweepSpec) -> Option<u64> {
    let mut lengths = spec.parameters.iter().map(|parameter| parameter.values.len() as u64);
    match spec.method {
        Method::Grid => lengths.try_fold(1_u64, |product, length| product.checked_mul(length)),
        // A sweep of constants is one point.
        Method::OneAtATime => Some(lengths.filter(|length| *length > 1).sum::<u64>().max(1)),
    }
}

impl Axes {
    /// Takes time and memory in proportion to the listed values: ask [`count`] first.
    pub(crate) fn new(spec: &SweepSpec) -> Self {
        let mut fixed = spec.model.clone();
        let mut axes = Vec::new();
        for parameter in &spec.parameters {
            let mut values = parameter.values.clone();
            match values.as_slice() {
                [only] => {
                    fixed.insert(parameter.name.clone(), only.clone());
                    continue;
                }
                _ => values.extend(spec.base.get(&parameter.name).cloned()),
            }
            axes.push(Axis { name: parameter.name.clone(), same_as: first_equal(&values), values });
        }
        if spec.method == Method::Grid {
            axes.sort_by(|a, b| a.name.cmp(&b.name));
        }
        let named = |row: &&Row| fixed.contains_key(row.name) || axes.iter().any(|axis| axis.name == row.name);
        let options = table::TABLE.iter().filter(|row| row.owner != Owner::Job).filter(named).collect();
        Self { method: spec.method, axes, fixed, options }
    }

    /// How many of an axis's values the file lists for points of their own.
    fn listed(&self, axis: &Axis) -> u64 {
        let base = match self.method {
            Method::Grid => 0,
            Method::OneAtATime => 1,
        };
        (axis.values.len() - base) as u64
    }

    /// For each axis the index of its value at this point.
    fn digits(&self, mut index: u64) -> Vec<u32> {
        let digit = |index: u64| u32::try_from(index).expect("no axis has more values than a sweep may have points");
        match self.method {
            // As itertools.product: the last name changes fastest.
            Method::Grid => {
                let mut digits = vec![0; self.axes.len()];
                for (slot, axis) in digits.iter_mut().zip(&self.axes).rev() {
                    *slot = digit(index % self.listed(axis));
                    index /= self.listed(axis);
                }
                digits
            }
            Method::OneAtATime => {
                let mut digits: Vec<_> = self.axes.iter().map(|axis| digit(self.listed(axis))).collect();
                for (slot, axis) in digits.iter_mut().zip(&self.axes) {
                    if index < self.listed(axis) {
                        *slot = digit(index);
                        break;
                    }
                    index -= self.listed(axis);
                }
                digits
            }
        }
    }

    /// The hyperparameters of the point, without those that its choices do not have.
    pub(crate) fn params(&self, index: u64) -> Params {
        let digits = self.digits(index);
        let choice = self.choice(&digits);
        let mut params = self.fixed.clone();
        for (axis, digit) in self.axes.iter().zip(digits) {
            params.insert(axis.name.clone(), axis.values[digit as usize].clone());
        }
        for option in &self.options {
            if !option.applies_to(&choice) {
                params.remove(option.name);
            }
        }
        params
    }

    /// What the point of these digits has chosen.
    fn choice(&self, digits: &[u32]) -> Choice {
        Choice::new(Choice::NAMES.map(|name| match self.axes.iter().zip(digits).find(|(axis, _)| axis.name == name) {
            Some((axis, digit)) => Some(&axis.values[*digit as usize]),
            None => self.fixed.get(name),
        }))
    }

    /// Equal for equal points, different for different ones. Counts in `dropped` (one entry an
    /// option) what the point's choices do not have, and notes who has not.
    pub(crate) fn identity(&self, index: u64, dropped: &mut [Dropped]) -> Box<[u32]> {
        let mut digits = self.digits(index);
        let choice = self.choice(&digits);
        for (digit, axis) in digits.iter_mut().zip(&self.axes) {
            *digit = axis.same_as[*digit as usize];
        }
        for (option, dropped) in self.options.iter().zip(dropped) {
            if option.applies_to(&choice) {
                continue;
            }
            dropped.points += 1;
            let without = option.missing_in(&choice);
            if !dropped.without.contains(&without) {
                dropped.without.push(without);
            }
            if let Some(place) = self.axes.iter().position(|axis| axis.name == option.name) {
                digits[place] = u32::MAX;
            }
        }
        digits.into_boxed_slice()
    }

    /// The index of the first point of a grid with this [`Axes::identity`]: a grid lists every
    /// combination, so also the one of the first of equal values, and of the first value where it
    /// does not count. `None` for other methods.
    pub(crate) fn first_of(&self, identity: &[u32]) -> Option<u64> {
        match self.method {
            Method::Grid => Some(self.axes.iter().zip(identity).fold(0, |index, (axis, &digit)| {
                let digit = if digit == u32::MAX { 0 } else { digit };
                index * self.listed(axis) + u64::from(digit)
            })),
            Method::OneAtATime => None,
        }
    }

    /// Hyperparameters that only some choices have and that this sweep names.
    pub(crate) fn options(&self) -> &[&'static Row] {
        &self.options
    }
}

/// From how many points an option was dropped.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dropped {
    pub(crate) points: u64,
    /// Who has no such option, each once, in order of first sight.
    pub(crate) without: Vec<String>,
}

/// For each value the index of the first that is equal to it.
fn first_equal(values: &[Value]) -> Vec<u32> {
    let mut seen = std::collections::HashMap::new();
    let place = |index: usize| u32::try_from(index).expect("a sweep file is too short for more");
    values.iter().enumerate().map(|(index, value)| *seen.entry(value.to_string()).or_insert(place(index))).collect()
}
