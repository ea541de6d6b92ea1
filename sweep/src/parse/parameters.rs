//! The block `parameters`: hyperparameters, each with one value, several, or a range of integers.

use std::collections::HashSet;

use serde_json::Value;

use super::section::{Item, Section, to_json};
use crate::errors::Faults;
use crate::hyperparameters::table::{self, Row};
use crate::refusals::MAX_JOBS;
use crate::spec::{ParameterSpec, SpecError};
use crate::words::hint;
use crate::yaml::Kind;

/// A parameter and where it stands.
pub(super) struct Parameter {
    pub(super) spec: ParameterSpec,
    pub(super) key: String,
    pub(super) line: u32,
}

/// Distributions of W&B's that need a method this build does not have.
const LATER_DISTRIBUTIONS: [&str; 15] = [
    "uniform",
    "q_uniform",
    "log_uniform",
    "q_log_uniform",
    "log_uniform_values",
    "q_log_uniform_values",
    "inv_log_uniform",
    "inv_log_uniform_values",
    "normal",
    "q_normal",
    "log_normal",
    "q_log_normal",
    "beta",
    "q_beta",
    "categorical_w_probabilities",
];
const DISTRIBUTIONS: [&str; 3] = ["constant", "categorical", "int_uniform"];
const KEYS: [&str; 5] = ["value", "values", "min", "max", "distribution"];
const LATER_KEYS: [&str; 6] = ["probabilities", "q", "mu", "sigma", "a", "b"];
const KEYS_OF_W_AND_B: [&str; 11] =
    ["value", "values", "min", "max", "distribution", "probabilities", "q", "mu", "sigma", "a", "b"];

/// What the block says.
#[derive(Default)]
pub(super) struct Parameters {
    /// Hyperparameters in file order; where the values of one could not be read, without values.
    pub(super) list: Vec<Parameter>,
    /// The seeds, if the block lists any, and their line. A seed is no hyperparameter here: each
    /// point has every seed.
    pub(super) seeds: Option<(Vec<i64>, u32)>,
    /// Whether every key was understood, so that a name that is not here is no name of the sweep's.
    pub(super) is_whole: bool,
}

/// Reads the block.
pub(super) fn read(item: &Item<'_>, faults: &mut Faults) -> Parameters {
    let mut read = Parameters { is_whole: true, ..Parameters::default() };
    let Some(section) = faults.take(item.section()) else {
        return Parameters { is_whole: false, ..read };
    };
    section.check_twice(faults);
    for entry in section.distinct() {
        let item = section.item(entry);
        if nested(&item) {
            faults.add(refuse_nested(&item));
            read.is_whole = false;
            continue;
        }
        // No method makes fewer points than it has values, so what is left bounds the memory of
        // ranges.
        let listed = read.list.iter().map(|earlier| earlier.spec.values.len() as u64);
        let left = listed.fold(MAX_JOBS, u64::saturating_sub);
        if entry.key == table::SEED.name {
            read.seeds = seeds(&item, left, faults).map(|seeds| (seeds, entry.line));
            continue;
        }
        let Some(row) = known(&item, &entry.key, faults) else {
            read.is_whole = false;
            if let Some(row) = meant(&item, &entry.key, faults) {
                values(&item, row, left, faults);
            }
            continue;
        };
        if let Some(earlier) = read.list.iter().find(|parameter| parameter.spec.name == row.name) {
            faults.add(item.refuse_key(format!("the same as {} in line {}", earlier.key, earlier.line)));
            continue;
        }
        let values = values(&item, row, left, faults).unwrap_or_default();
        let spec = ParameterSpec { name: row.name.to_owned(), values };
        read.list.push(Parameter { spec, key: entry.key.clone(), line: entry.line });
    }
    if section.entries.is_empty() {
        faults.add(item.refuse("must name at least one hyperparameter with its values".to_owned()));
    }
    read
}

/// The hyperparameter that a key names; of very many unknown keys, the last are only counted.
pub(super) fn known(item: &Item<'_>, key: &str, faults: &mut Faults) -> Option<&'static Row> {
    let row = table::find(key);
    if row.is_none() {
        let problem = if faults.keeps(Some(item.key_line)) { table::why_unknown(key) } else { String::new() };
        faults.add(item.refuse_key(problem));
    }
    row
}

/// The hyperparameter that an unknown key seems to name: its values are checked in the same round.
pub(super) fn meant(item: &Item<'_>, key: &str, faults: &Faults) -> Option<&'static Row> {
    if faults.keeps(Some(item.key_line)) { table::meant(key) } else { None }
}

/// The seeds of `seed: {values: [1, 2]}`.
fn seeds(item: &Item<'_>, most: u64, faults: &mut Faults) -> Option<Vec<i64>> {
    let values = values(item, &table::SEED, most, faults)?;
    let seeds: Vec<i64> = values.iter().filter_map(Value::as_i64).collect();
    let mut seen = HashSet::with_capacity(seeds.len());
    if let Some(twice) = seeds.iter().find(|seed| !seen.insert(**seed)) {
        faults.add(item.refuse(format!("seed {twice} stands here twice")));
    }
    Some(seeds)
}

/// A value for a hyperparameter, checked and in its one spelling.
pub(super) fn value(item: &Item<'_>, row: &Row) -> Result<Value, SpecError> {
    let value = to_json(item.node).map_err(|(line, problem)| SpecError { line: Some(line), ..item.refuse(problem) })?;
    row.normalise(&value).map_err(|problem| item.refuse(problem))
}

fn nested(item: &Item<'_>) -> bool {
    matches!(&item.node.kind, Kind::Map(entries) if entries.iter().any(|entry| entry.key == "parameters"))
}

/// Names the first parameter below, as a person would: `optimizer.momentum`.
fn refuse_nested(item: &Item<'_>) -> SpecError {
    let mut name = item.key.clone();
    let mut line = item.line();
    let mut node = item.node;
    while let Kind::Map(entries) = &node.kind {
        let Some(inner) = entries.iter().find(|entry| entry.key == "parameters") else { break };
        line = inner.line;
        let Kind::Map(below) = &inner.value.kind else { break };
        let Some(first) = below.first() else { break };
        name = format!("{name}.{}", first.key);
        line = first.line;
        node = &first.value;
    }
    let problem = "nested parameters are not supported: the multilayer perceptron has none; write the name alone";
    SpecError { line: Some(line), key: name, problem: problem.to_owned() }
}

/// `most`: so many integers at most in a range.
fn values(item: &Item<'_>, row: &Row, most: u64, faults: &mut Faults) -> Option<Vec<Value>> {
    let Kind::Map(_) = item.node.kind else {
        let key = if matches!(item.node.kind, Kind::List(_)) { "values" } else { "value" };
        faults.add(item.refuse(format!("must be a mapping; write `{}: {{{key}: ...}}`", row.name)));
        return None;
    };
    let mut section = faults.take(item.section())?;
    let before = faults.count();
    let distribution = section.get("distribution");
    if let Some(item) = &distribution
        && faults.take(check_distribution(item)).is_none()
    {
        // The keys that go with it would only be refused for the same reason.
        section.check_keys(&KEYS_OF_W_AND_B, &[], faults);
        return None;
    }
    let later = format!("not supported yet; supported: {}", KEYS.join(", "));
    section.check_keys(&KEYS, &LATER_KEYS.map(|key| (key, later.as_str())), faults);
    if faults.count() > before {
        return None;
    }
    let (constant, listed) = (section.get("value"), section.get("values"));
    let (min, max) = (section.get("min"), section.get("max"));
    let form = match (&constant, &listed, &min, &max) {
        (Some(_), None, None, None) => "constant",
        (None, Some(_), None, None) => "categorical",
        (None, None, Some(_), Some(_)) => "int_uniform",
        _ => {
            faults.add(item.refuse(wrong_form(&section)));
            return None;
        }
    };
    if let Some(at) = &distribution {
        let word = faults.take(at.text())?;
        if word != form {
            let keys = match word {
                "constant" => "`value`",
                "categorical" => "`values`",
                _ => "`min` and `max`",
            };
            faults.add(at.refuse(format!("{word} goes with {keys}")));
            return None;
        }
    }
    match (constant, listed, min, max) {
        (Some(item), _, _, _) => faults.take(value(&item, row)).map(|value| vec![value]),
        (_, Some(item), _, _) => list(&item, row, faults),
        (_, _, Some(min), Some(max)) => range(&min, &max, row, most, faults),
        _ => unreachable!("one form was found above"),
    }
}

/// Names the keys that do not go together, or those that are missing.
fn wrong_form(section: &Section<'_>) -> String {
    let given = ["value", "values", "min", "max"].into_iter().filter(|key| section.get(key).is_some());
    match given.collect::<Vec<_>>().as_slice() {
        [] => "needs `value`, or `values`, or `min` and `max`".to_owned(),
        ["min"] => "needs `max` beside `min`".to_owned(),
        ["max"] => "needs `min` beside `max`".to_owned(),
        [first @ .., last] => {
            let first = first.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            format!("{first} and `{last}` do not go together: give `value`, or `values`, or `min` and `max`")
        }
    }
}

fn check_distribution(item: &Item<'_>) -> Result<(), SpecError> {
    let word = item.text()?;
    if DISTRIBUTIONS.contains(&word) {
        return Ok(());
    }
    Err(item.refuse(match LATER_DISTRIBUTIONS.contains(&word) {
        true => format!("{word} is not supported yet; supported: {}", DISTRIBUTIONS.join(", ")),
        false => format!("unknown distribution {}; {}", item.node.describe(), hint(word, &DISTRIBUTIONS)),
    }))
}

fn list(item: &Item<'_>, row: &Row, faults: &mut Faults) -> Option<Vec<Value>> {
    let nodes = faults.take(item.list())?;
    if nodes.is_empty() {
        faults.add(item.refuse("must hold at least one value".to_owned()));
    }
    let mut values = Vec::with_capacity(nodes.len());
    for node in nodes {
        let value = to_json(node).map_err(|(line, problem)| SpecError { line: Some(line), ..item.refuse(problem) });
        let value = value.and_then(|value| row.normalise(&value).map_err(|problem| item.refuse_at(node, problem)));
        values.extend(faults.take(value));
    }
    (values.len() == nodes.len()).then_some(values)
}

/// Every integer from `min` to `max`, both included.
fn range(min: &Item<'_>, max: &Item<'_>, row: &Row, most: u64, faults: &mut Faults) -> Option<Vec<Value>> {
    let whole = |item: &Item<'_>| match item.node.kind {
        Kind::Integer(value) => i64::try_from(value).map_err(|_| item.refuse(format!("{value} is out of range"))),
        // W&B: integer-valued floats are integers. Below 2^53 the conversion is exact.
        Kind::Float(value) if value.fract() == 0.0 && value.abs() < 9e15 => Ok(value as i64),
        Kind::Float(_) => Err(item.refuse(
            "min and max that are no integers mean the distribution uniform, which is not supported yet; list `values`"
                .to_owned(),
        )),
        _ => Err(item.refuse(format!("must be an integer, not {}", item.node.describe()))),
    };
    let (low, high) = (faults.take(whole(min)), faults.take(whole(max)));
    let (low, high) = (low?, high?);
    if low > high {
        faults.add(max.refuse(format!("{high} is below min, which is {low}")));
        return None;
    }
    if i128::from(high) - i128::from(low) >= i128::from(most.max(1)) {
        faults.add(max.refuse(format!("a sweep has at most {MAX_JOBS} points; fewer values from min to max")));
        return None;
    }
    // The ends first, so that a range outside of the hyperparameter's is refused at the end that is
    // wrong.
    let check =
        |item: &Item<'_>, value: i64| row.normalise(&Value::from(value)).map_err(|problem| item.refuse(problem));
    let ends = (faults.take(check(min, low)), faults.take(check(max, high)));
    ends.0.and(ends.1)?;
    (low..=high).map(|value| faults.take(check(min, value))).collect()
}
