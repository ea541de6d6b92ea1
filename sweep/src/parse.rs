//! From the text of a sweep file to a [`SweepSpec`]; everything unknown or impossible is refused here.
//!
//! Each refusal has its line, the full name of its key and, for an unknown word, the nearest known one. Words of W&B's
//! that this build does not honour are refused by name, never ignored: a key without effect would be a silent lie.

mod besom;
mod dataset;
mod parameters;
mod section;

use serde_json::Value;

use crate::spec::{Goal, Method, Metric, MetricName};
use crate::words::{hint, shorten};
use crate::{SpecError, SweepSpec, yaml};
use section::{Item, Section};

const KEYS: [&str; 9] =
    ["apiVersion", "kind", "name", "description", "method", "metric", "run_cap", "parameters", "besom"];

/// Keys of W&B's that are refused, each with the reason.
const REFUSED: [(&str, &str); 11] = [
    ("program", "besom runs no script: it trains its own multilayer perceptron; remove the key"),
    ("command", "besom runs no command: it trains its own multilayer perceptron; remove the key"),
    ("job", "besom knows no launch jobs: it trains its own multilayer perceptron; remove the key"),
    ("image_uri", "besom runs no images: it trains its own multilayer perceptron; remove the key"),
    ("entity", "besom has no entities: a sweep belongs to the store it is submitted to; remove the key"),
    ("project", "besom has no projects: a sweep belongs to the store it is submitted to; remove the key"),
    ("controller", "the coordinator is the only controller; remove the key"),
    ("early_terminate", "not supported yet; every job trains all its epochs (or until its own `patience` ends it)"),
    ("metrics", "several metrics are not supported yet; name one under `metric`"),
    ("scheduler", "not supported yet; supported methods: grid, one_at_a_time"),
    ("seed", "seeds stand under besom.seeds"),
];

/// Methods that are known and not built.
const LATER_METHODS: [&str; 11] = [
    "random",
    "bayes",
    "custom",
    "bayesian",
    "tpe",
    "hyperband",
    "asha",
    "sobol",
    "halton",
    "successive_halving",
    "pbt",
];

/// Reads and checks a sweep file (YAML or JSON).
///
/// # Errors
/// The first thing wrong, with its line and, for an unknown word, the nearest known one.
pub fn parse(text: &str) -> Result<SweepSpec, SpecError> {
    let root = yaml::read(text)?;
    let file = Section::root(&root)?;
    file.check_keys(&KEYS, &REFUSED)?;

    if let Some(item) = file.get("kind")
        && item.text()? != "sweep"
    {
        return Err(item.refuse(format!("must be sweep, not {}", item.node.describe())));
    }
    if let Some(item) = file.get("apiVersion") {
        item.scalar()?;
    }
    let name = file.get("name").map(|item| name(&item)).transpose()?;
    let description = file.get("description").map(|item| item.text().map(str::to_owned)).transpose()?;
    let method_item = file.require("method", "say `method: grid` or `method: one_at_a_time`")?;
    let method = method(&method_item)?;
    let metric = match file.get("metric") {
        Some(item) => metric(&item)?,
        None => Metric { name: MetricName::ValAccuracy, goal: Goal::Maximize },
    };
    let run_cap = file.get("run_cap").map(|item| item.integer(1, u64::MAX)).transpose()?;
    let parameters = file.require("parameters", "name at least one hyperparameter with its values")?;
    let parameters = parameters::read(&parameters)?;
    let besom = file.require("besom", "besom.dataset.source says where the data come from")?;
    let besom = besom::read(&besom, method, &method_item, &parameters)?;
    Ok(SweepSpec {
        name,
        description,
        method,
        metric,
        objective: besom.objective,
        parameters: parameters.into_iter().map(|parameter| parameter.spec).collect(),
        base: besom.base,
        model: besom.model,
        dataset: besom.dataset,
        seeds: besom.seeds,
        run_cap,
        keep_models: besom.keep_models,
        engine: besom.engine,
    })
}

fn name(item: &Item<'_>) -> Result<String, SpecError> {
    let written = match item.scalar()? {
        Value::String(text) => text,
        other => other.to_string(),
    };
    check_name(&written).map_err(|problem| item.refuse(problem))?;
    if !matches!(item.node.kind, yaml::Kind::Text(_)) {
        return Err(item.refuse(format!("must be text; put {written} in quotes")));
    }
    Ok(written)
}

/// Whether a sweep can be called this, wherever the name comes from: the file, its stem or the command line.
///
/// # Errors
/// What a name is made of.
pub fn check_name(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    // A leading dot hides files, a leading hyphen looks like a flag.
    if name.is_empty() || name.len() > 100 || name.starts_with(['.', '-']) || !name.chars().all(allowed) {
        let problem = "must be 1 to 100 letters, digits, dots, underscores and hyphens, no dot or hyphen first";
        return Err(format!("{problem}, not \"{}\"", shorten(name)));
    }
    if name.chars().all(|c| c.is_ascii_digit()) {
        return Err("must not be a number: sweeps are called by name or by number".to_owned());
    }
    Ok(())
}

fn method(item: &Item<'_>) -> Result<Method, SpecError> {
    let word = item.text()?;
    Method::parse(word).ok_or_else(|| {
        let known = ["grid", "one_at_a_time"];
        item.refuse(match LATER_METHODS.contains(&word) {
            true => format!("{word} is not supported yet; supported: {}", known.join(", ")),
            false => format!("unknown method {}; {}", item.node.describe(), hint(word, &known)),
        })
    })
}

/// The word that a common short form of a metric stands for.
fn unabbreviated(word: &str) -> &str {
    match word {
        "acc" => "accuracy",
        "val_acc" => "val_accuracy",
        other => other,
    }
}

fn goal(item: &Item<'_>) -> Result<Goal, SpecError> {
    let word = match item.text()? {
        "max" => "maximise",
        "min" => "minimise",
        other => other,
    };
    Goal::parse(word).ok_or_else(|| {
        let hint = hint(word, &["maximize", "minimize"]);
        item.refuse(format!("unknown goal {}; {hint}", item.node.describe()))
    })
}

fn metric(item: &Item<'_>) -> Result<Metric, SpecError> {
    let section = item.section()?;
    let later = "not supported yet; supported: name, goal";
    section.check_keys(&["name", "goal"], &[("target", later), ("impute", later), ("impute_while_running", later)])?;
    let name_item = section.require("name", "say which of loss, accuracy, val_loss, val_accuracy")?;
    let word = name_item.text()?;
    let name = MetricName::parse(word).ok_or_else(|| {
        let known = ["loss", "accuracy", "val_loss", "val_accuracy"];
        let plain = word.strip_prefix("best_").or_else(|| word.strip_prefix("final_")).unwrap_or(word);
        name_item.refuse(match known.contains(&plain) {
            true => format!("unknown metric {word}; write {plain} and say `objective: best` or `final` under besom"),
            false => format!("unknown metric {}; {}", name_item.node.describe(), hint(unabbreviated(word), &known)),
        })
    })?;
    let goal_item = section.get("goal");
    let goal = match &goal_item {
        // The default of W&B's.
        None => Goal::Minimize,
        Some(item) => goal(item)?,
    };
    if matches!(name, MetricName::Accuracy | MetricName::ValAccuracy) && goal != Goal::Maximize {
        let at = goal_item.unwrap_or(name_item);
        return Err(SpecError {
            line: Some(at.line()),
            key: "metric.goal".to_owned(),
            problem: format!("{word} needs `goal: maximize` (without a goal it is minimize, as in W&B)"),
        });
    }
    Ok(Metric { name, goal })
}
