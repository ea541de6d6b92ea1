//! The block `parameters`: hyperparameters, each with one value, several, or a range of integers.

use serde_json::Value;

use super::section::{Item, Section, to_json};
use crate::expand::MAX_JOBS;
use crate::hyperparameters::table::{self, Row};
use crate::words::hint;
use crate::yaml::Kind;
use crate::{ParameterSpec, SpecError};

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

/// Reads the block, in file order.
pub(super) fn read(item: &Item<'_>) -> Result<Vec<Parameter>, SpecError> {
    let section = item.section()?;
    let mut parameters: Vec<Parameter> = Vec::new();
    for entry in section.entries {
        let item = section.item(entry);
        if nested(&item) {
            return Err(refuse_nested(&item));
        }
        let row = hyperparameter(&item, &entry.key)?;
        if let Some(earlier) = parameters.iter().find(|parameter| parameter.spec.name == row.name) {
            return Err(item.refuse_key(format!("the same as {} in line {}", earlier.key, earlier.line)));
        }
        // No method makes fewer points than it has values, so what is left bounds the memory of ranges.
        let left =
            parameters.iter().fold(MAX_JOBS, |left, earlier| left.saturating_sub(earlier.spec.values.len() as u64));
        let values = values(&item, row, left)?;
        let spec = ParameterSpec { name: row.name.to_owned(), values };
        parameters.push(Parameter { spec, key: entry.key.clone(), line: entry.line });
    }
    if parameters.is_empty() {
        return Err(item.refuse("must name at least one hyperparameter with its values".to_owned()));
    }
    Ok(parameters)
}

/// The hyperparameter that a key of the file names.
pub(super) fn hyperparameter(item: &Item<'_>, key: &str) -> Result<&'static Row, SpecError> {
    table::find(key).ok_or_else(|| item.refuse_key(table::why_unknown(key)))
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
fn values(item: &Item<'_>, row: &Row, most: u64) -> Result<Vec<Value>, SpecError> {
    let Kind::Map(_) = item.node.kind else {
        let key = if matches!(item.node.kind, Kind::List(_)) { "values" } else { "value" };
        return Err(item.refuse(format!("must be a mapping; write `{}: {{{key}: ...}}`", row.name)));
    };
    let section = item.section()?;
    for entry in section.entries {
        if LATER_KEYS.contains(&entry.key.as_str()) {
            let problem = format!("not supported yet; supported: {}", KEYS.join(", "));
            return Err(section.item(entry).refuse_key(problem));
        }
    }
    section.check_keys(&KEYS, &[])?;
    let distribution = section.get("distribution");
    if let Some(item) = &distribution {
        check_distribution(item)?;
    }
    let (constant, listed) = (section.get("value"), section.get("values"));
    let (min, max) = (section.get("min"), section.get("max"));
    let form = match (&constant, &listed, &min, &max) {
        (Some(_), None, None, None) => "constant",
        (None, Some(_), None, None) => "categorical",
        (None, None, Some(_), Some(_)) => "int_uniform",
        _ => return Err(item.refuse(wrong_form(&section))),
    };
    if let Some(at) = distribution
        && at.text()? != form
    {
        let word = at.text()?;
        let keys = match word {
            "constant" => "`value`",
            "categorical" => "`values`",
            _ => "`min` and `max`",
        };
        return Err(at.refuse(format!("{word} goes with {keys}")));
    }
    match (constant, listed, min, max) {
        (Some(item), _, _, _) => Ok(vec![value(&item, row)?]),
        (_, Some(item), _, _) => list(&item, row),
        (_, _, Some(min), Some(max)) => range(&min, &max, row, most),
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

fn list(item: &Item<'_>, row: &Row) -> Result<Vec<Value>, SpecError> {
    let nodes = item.list()?;
    if nodes.is_empty() {
        return Err(item.refuse("must hold at least one value".to_owned()));
    }
    let mut values = Vec::with_capacity(nodes.len());
    for node in nodes {
        let value = to_json(node).map_err(|(line, problem)| SpecError { line: Some(line), ..item.refuse(problem) })?;
        values.push(row.normalise(&value).map_err(|problem| item.refuse_at(node, problem))?);
    }
    Ok(values)
}

/// Every integer from `min` to `max`, both included.
fn range(min: &Item<'_>, max: &Item<'_>, row: &Row, most: u64) -> Result<Vec<Value>, SpecError> {
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
    let (low, high) = (whole(min)?, whole(max)?);
    if low > high {
        return Err(max.refuse(format!("{high} is below min, which is {low}")));
    }
    if i128::from(high) - i128::from(low) >= i128::from(most.max(1)) {
        return Err(max.refuse(format!("a sweep has at most {MAX_JOBS} points; fewer values from min to max")));
    }
    // The ends first, so that a range outside of the hyperparameter's is refused at the end that is wrong.
    let check =
        |item: &Item<'_>, value: i64| row.normalise(&Value::from(value)).map_err(|problem| item.refuse(problem));
    check(min, low)?;
    check(max, high)?;
    (low..=high).map(|value| check(min, value)).collect()
}
