//! The block `besom`: everything that W&B has no word for.

use super::dataset;
use super::parameters::{self, Parameter};
use super::section::{Item, Section, integer};
use crate::expand::MAX_JOBS;
use crate::spec::{KeepModels, Method, Objective};
use crate::words::hint;
use crate::yaml::Kind;
use crate::{DatasetSpec, Engine, Params, SpecError};

/// What the block says.
pub(super) struct Besom {
    pub(super) base: Params,
    pub(super) model: Params,
    pub(super) dataset: DatasetSpec,
    pub(super) seeds: Vec<i64>,
    pub(super) objective: Objective,
    pub(super) keep_models: KeepModels,
    pub(super) engine: Option<Engine>,
}

const KEYS: [&str; 7] = ["base", "dataset", "model", "seeds", "objective", "keep_models", "engine"];

/// Keys that people look for here and that stand elsewhere.
const REFUSED: [(&str, &str); 4] = [
    ("seed", "seeds stand under besom.seeds"),
    ("test_fraction", "stands under besom.dataset"),
    ("split_seed", "stands under besom.dataset"),
    ("classes", "stands under besom.dataset"),
];

/// Reads the block.
pub(super) fn read(
    item: &Item<'_>,
    method: Method,
    method_item: &Item<'_>,
    parameters: &[Parameter],
) -> Result<Besom, SpecError> {
    let section = item.section()?;
    section.check_keys(&KEYS, &REFUSED)?;
    let base = base(&section, method, method_item, parameters)?;
    let model = model(&section, parameters)?;
    let dataset = section.require("dataset", "besom.dataset.source says where the data come from")?;
    Ok(Besom {
        base,
        model,
        dataset: dataset::read(&dataset)?,
        seeds: section.get("seeds").map_or(Ok(vec![1]), |item| seeds(&item))?,
        objective: section
            .get("objective")
            .map_or(Ok(Objective::Final), |item| item.word("objective", &["final", "best"], Objective::parse))?,
        keep_models: section
            .get("keep_models")
            .map_or(Ok(KeepModels::All), |item| item.word("word", &["all", "best", "none"], KeepModels::parse))?,
        engine: section.get("engine").map(|item| engine(&item)).transpose()?,
    })
}

fn base(
    section: &Section<'_>,
    method: Method,
    method_item: &Item<'_>,
    parameters: &[Parameter],
) -> Result<Params, SpecError> {
    let mut base = Params::new();
    let item = section.get("base");
    if let Some(item) = &item {
        if method != Method::OneAtATime {
            return Err(item.refuse_key(format!("goes with method one_at_a_time only, not {}", method.as_str())));
        }
        let entries = item.section()?;
        for entry in entries.entries {
            let item = entries.item(entry);
            let row = parameters::hyperparameter(&item, &entry.key)?;
            let Some(parameter) = parameters.iter().find(|parameter| parameter.spec.name == row.name) else {
                return Err(
                    item.refuse_key("is no parameter of this sweep; fixed values stand under besom.model".to_owned())
                );
            };
            let value = parameters::value(&item, row)?;
            if let [only] = parameter.spec.values.as_slice()
                && *only != value
            {
                let problem = format!("differs from the only value of parameters.{}, {only}", parameter.key);
                return Err(item.refuse(problem));
            }
            if base.insert(row.name.to_owned(), value).is_some() {
                return Err(item.refuse_key(format!("{} stands here twice", row.name)));
            }
        }
    }
    if method == Method::OneAtATime {
        let missing = parameters.iter().find(|p| p.spec.values.len() > 1 && !base.contains_key(&p.spec.name));
        if let Some(parameter) = missing {
            return Err(SpecError {
                line: Some(item.as_ref().map_or(method_item.line(), Item::line)),
                key: format!("besom.base.{}", parameter.spec.name),
                problem: format!(
                    "missing; with one_at_a_time each parameter with several values (line {}) needs a base",
                    parameter.line
                ),
            });
        }
    }
    Ok(base)
}

fn model(section: &Section<'_>, parameters: &[Parameter]) -> Result<Params, SpecError> {
    let mut model = Params::new();
    let Some(item) = section.get("model") else { return Ok(model) };
    let entries = item.section()?;
    for entry in entries.entries {
        let item = entries.item(entry);
        let row = parameters::hyperparameter(&item, &entry.key)?;
        if let Some(parameter) = parameters.iter().find(|parameter| parameter.spec.name == row.name) {
            return Err(item.refuse_key(format!("stands under parameters too (line {}); keep one", parameter.line)));
        }
        if model.insert(row.name.to_owned(), parameters::value(&item, row)?).is_some() {
            return Err(item.refuse_key(format!("{} stands here twice", row.name)));
        }
    }
    Ok(model)
}

fn seeds(item: &Item<'_>) -> Result<Vec<i64>, SpecError> {
    let Kind::List(nodes) = &item.node.kind else {
        let count = integer(item.node, 1, MAX_JOBS).map_err(|_| {
            item.refuse(format!(
                "must be a number of seeds from 1 to {MAX_JOBS} or a list of them, not {}",
                item.node.describe()
            ))
        })?;
        return Ok((1..=count).map(|seed| i64::try_from(seed).expect("at most MAX_JOBS")).collect());
    };
    if nodes.is_empty() {
        return Err(item.refuse("must hold at least one seed".to_owned()));
    }
    let mut distinct = std::collections::HashSet::new();
    let mut seeds = Vec::with_capacity(nodes.len());
    for node in nodes {
        let seed = integer(node, 0, i64::MAX.unsigned_abs()).map_err(|problem| item.refuse_at(node, problem))?;
        if !distinct.insert(seed) {
            return Err(item.refuse_at(node, format!("seed {seed} stands here twice")));
        }
        seeds.push(i64::try_from(seed).expect("at most i64::MAX"));
    }
    Ok(seeds)
}

fn engine(item: &Item<'_>) -> Result<Engine, SpecError> {
    let word = item.text()?;
    let unknown = || format!("unknown engine {}; {}", item.node.describe(), hint(word, &["native", "candle"]));
    Engine::parse(word).ok_or_else(|| item.refuse(unknown()))
}
