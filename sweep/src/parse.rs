//! From the text of a sweep file to a [`SweepSpec`]; everything unknown or impossible is refused
//! here, all of it at once.
//!
//! A value that cannot be read is noted, and reading goes on; what would only follow from it is not
//! noted as well. Each refusal has its line, the full name of its key and, for an unknown word, the
//! nearest known one. Words of W&B's that this build does not honour are refused by name, never
//! ignored: a key without effect would be a silent lie.

mod besom;
mod dataset;
mod foreign;
mod parameters;
mod section;

use serde_json::Value;

use crate::errors::{Faults, SpecErrors};
use crate::hyperparameters::table;
use crate::metric::MetricName;
use crate::name::SweepName;
use crate::spec::{Goal, Method, Metric, SpecError, SweepSpec};
use crate::trainer::{MLP, TrainerMetric};
use crate::words::hint;
use crate::{refusals, yaml};
use section::{Item, Section};

pub(crate) use section::to_json;

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
/// Everything that is wrong, each with its line and, for an unknown word, the nearest known one.
/// What is no YAML, and what is another tool's file, is told alone.
pub fn parse(text: &str) -> Result<SweepSpec, SpecErrors> {
    parse_noting(text, Faults::default())
}

/// Reads the file of a sweep that was accepted once, maybe by an older build. What this build
/// refuses in a new file for its sense alone, such as a loss that is maximized, is read as it was
/// then: the sweep goes on to its end, and its results are shown.
///
/// # Errors
/// What cannot be read, as for [`parse`].
pub fn parse_stored(text: &str) -> Result<SweepSpec, SpecErrors> {
    parse_noting(text, Faults::of_stored())
}

fn parse_noting(text: &str, mut faults: Faults) -> Result<SweepSpec, SpecErrors> {
    let root = yaml::read(text)?;
    let mut file = Section::root(&root)?;
    foreign::refuse(&file)?;
    let spec = read(&mut file, &mut faults);
    match (spec, faults.into_errors()) {
        (_, Some(errors)) => Err(errors),
        (Some(spec), None) => Ok(spec),
        (None, None) => unreachable!("what could not be read was noted"),
    }
}

/// Reads what can be read; `None` where a part is missing that nothing can stand in for.
fn read(file: &mut Section<'_>, faults: &mut Faults) -> Option<SweepSpec> {
    file.check_keys(&KEYS, &REFUSED, faults);
    if let Some(item) = file.get("kind") {
        faults.take(kind(&item));
    }
    if let Some(item) = file.get("apiVersion") {
        faults.take(item.scalar());
    }
    let name = faults.or_default(file.get("name").map(|item| name(&item)).transpose());
    let description = file.get("description").map(|item| item.text().map(str::to_owned)).transpose();
    let description = faults.or_default(description);
    let method_item = file.require("method", "say `method: grid` or `method: one_at_a_time`", faults);
    let method = method_item.as_ref().and_then(|item| faults.take(method(item)));
    let metric = match file.get("metric") {
        Some(item) => metric(&item, faults),
        None => MLP.default_metric.map(as_known),
    };
    let run_cap = faults.or_default(file.get("run_cap").map(|item| item.integer(1, u64::MAX)).transpose());
    let parameters = file.require("parameters", "name at least one hyperparameter with its values", faults);
    let parameters = parameters.map(|item| parameters::read(&item, faults)).unwrap_or_default();
    let method_line = method_item.as_ref().map(Item::line);
    let besom = file.require("besom", "besom.dataset.source says where the data come from", faults);
    let besom = besom.and_then(|item| besom::read(&item, method.zip(method_line), &parameters, faults))?;
    let spec = SweepSpec {
        name,
        description,
        method: method?,
        metric: metric?,
        scored_epoch: besom.scored_epoch,
        parameters: parameters.list.into_iter().map(|parameter| parameter.spec).collect(),
        base: besom.base,
        model: besom.model,
        dataset: besom.dataset?,
        seeds: besom.seeds,
        run_cap,
        keep_models: besom.keep_models,
        engine: besom.engine,
    };
    if faults.count() > 0 {
        // Told by the expansion where nothing else is wrong.
        refusals::refusals(&spec).into_iter().for_each(|error| faults.add(located(error, file.entries)));
    }
    Some(spec)
}

/// The errors of a file that was read, each with the line of its key or of the block where the key
/// would stand.
pub(crate) fn locate(text: &str, errors: Vec<SpecError>) -> Option<SpecErrors> {
    let mut faults = Faults::default();
    let root = yaml::read(text);
    let entries = match &root {
        Ok(yaml::Node { kind: yaml::Kind::Map(entries), .. }) => entries.as_slice(),
        _ => &[],
    };
    errors.into_iter().for_each(|error| faults.add(located(error, entries)));
    faults.into_errors()
}

fn located(error: SpecError, mut entries: &[yaml::Entry]) -> SpecError {
    let mut line = error.line;
    for word in error.key.split('.') {
        let is_meant =
            |entry: &&yaml::Entry| entry.key == word || table::find(&entry.key).is_some_and(|row| row.name == word);
        let Some(entry) = entries.iter().find(is_meant) else { break };
        line = Some(entry.line);
        entries = match &entry.value.kind {
            yaml::Kind::Map(below) => below,
            _ => break,
        };
    }
    SpecError { line, ..error }
}

fn kind(item: &Item<'_>) -> Result<(), SpecError> {
    match item.text()? {
        "sweep" => Ok(()),
        _ => Err(item.refuse(format!("must be sweep, not {}", item.node.describe()))),
    }
}

fn name(item: &Item<'_>) -> Result<String, SpecError> {
    let written = match item.scalar()? {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let name = SweepName::new(&written).map_err(|problem| item.refuse(problem))?;
    if !matches!(item.node.kind, yaml::Kind::Text(_)) {
        return Err(item.refuse(format!("must be text; put {written} in quotes")));
    }
    Ok(name.title().to_owned())
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

fn metric(item: &Item<'_>, faults: &mut Faults) -> Option<Metric> {
    let mut section = faults.take(item.section())?;
    let later = "not supported yet; supported: name, goal";
    let refused = [("target", later), ("impute", later), ("impute_while_running", later)];
    section.check_keys(&["name", "goal"], &refused, faults);
    let known: Vec<&str> = MLP.metric_names().collect();
    let name_item = section.require("name", &format!("say which of {}", known.join(", ")), faults);
    let known = name_item.as_ref().and_then(|item| faults.take(metric_name(item, &known)));
    let goal_item = section.get("goal");
    let goal = match &goal_item {
        None if section.means("goal") => known.map(|known| known.goal),
        // The default of W&B's.
        None => Some(Goal::Minimize),
        Some(item) => faults.take(goal(item)),
    };
    let (known, goal) = (known?, goal?);
    if goal != known.goal {
        let word = known.name;
        let problem = match known.goal {
            Goal::Maximize => format!("{word} needs `goal: maximize` (without a goal it is minimize, as in W&B)"),
            Goal::Minimize => format!("{word} needs `goal: minimize`: the largest loss would rank first"),
        };
        let line = goal_item.or(name_item).map(|item| item.line());
        faults.add_senseless(SpecError { line, key: "metric.goal".to_owned(), problem });
    }
    Some(Metric { goal, ..as_known(known) })
}

/// The metric with the goal that it has by itself.
fn as_known(known: &TrainerMetric) -> Metric {
    Metric { name: MetricName::of(known.name), goal: known.goal }
}

fn metric_name(item: &Item<'_>, known: &[&str]) -> Result<&'static TrainerMetric, SpecError> {
    let word = item.text()?;
    MLP.metric(word).ok_or_else(|| {
        let plain = word.strip_prefix("best_").or_else(|| word.strip_prefix("final_")).unwrap_or(word);
        item.refuse(match known.contains(&plain) {
            true => format!("unknown metric {word}; write {plain} and say `objective: best` or `final` under besom"),
            false => format!("unknown metric {}; {}", item.node.describe(), hint(unabbreviated(word), known)),
        })
    })
}
