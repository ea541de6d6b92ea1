//! The block `besom`: everything that W&B has no word for.

use super::dataset;
use super::parameters::{self, Parameter, Parameters};
use super::section::{Item, Section, integer};
use crate::config::Engine;
use crate::errors::Faults;
use crate::hyperparameters::Params;
use crate::refusals::MAX_JOBS;
use crate::spec::{DatasetSpec, KeepModels, Method, ScoredEpoch, SpecError};
use crate::words::hint;
use crate::yaml::Kind;

/// What the block says.
pub(super) struct Besom {
    pub(super) base: Params,
    pub(super) model: Params,
    /// `None` where something is wrong with it.
    pub(super) dataset: Option<DatasetSpec>,
    pub(super) seeds: Vec<i64>,
    pub(super) scored_epoch: ScoredEpoch,
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

/// Reads the block. `method` has its line; there is none where it could not be read.
pub(super) fn read(
    item: &Item<'_>,
    method: Option<(Method, u32)>,
    parameters: &Parameters,
    faults: &mut Faults,
) -> Option<Besom> {
    let mut section = faults.take(item.section())?;
    section.check_keys(&KEYS, &REFUSED, faults);
    let dataset = section.require("dataset", "besom.dataset.source says where the data come from", faults);
    Some(Besom {
        base: base(&section, method, parameters, faults),
        model: model(&section, &parameters.list, faults),
        dataset: dataset.and_then(|item| dataset::read(&item, faults)),
        seeds: all_seeds(&section, parameters, faults),
        scored_epoch: section
            .get("objective")
            .and_then(|item| faults.take(item.word("objective", &["final", "best"], ScoredEpoch::parse)))
            .unwrap_or(ScoredEpoch::Final),
        keep_models: section
            .get("keep_models")
            .and_then(|item| faults.take(item.word("word", &["all", "best", "none"], KeepModels::parse)))
            .unwrap_or(KeepModels::All),
        engine: section.get("engine").and_then(|item| faults.take(engine(&item))),
    })
}

fn base(section: &Section<'_>, method: Option<(Method, u32)>, parameters: &Parameters, faults: &mut Faults) -> Params {
    let mut base = Params::new();
    let item = section.get("base");
    if let (Some(item), Some((method @ Method::Grid, _))) = (&item, method) {
        faults.add(item.refuse_key(format!("goes with method one_at_a_time only, not {}", method.as_str())));
        return base;
    }
    let before = faults.count();
    if let Some(entries) = item.as_ref().and_then(|item| faults.take(item.section())) {
        entries.check_twice(faults);
        for entry in entries.distinct() {
            let item = entries.item(entry);
            let Some(row) = parameters::known(&item, &entry.key, faults) else {
                check_meant(&item, &entry.key, faults);
                continue;
            };
            let parameter = parameters.list.iter().find(|parameter| parameter.spec.name == row.name);
            // A parameter under a name that nobody knows may be the one that is meant here.
            if parameter.is_none() && parameters.is_whole {
                let problem = "is no parameter of this sweep; fixed values stand under besom.model";
                faults.add(item.refuse_key(problem.to_owned()));
                continue;
            }
            let Some(value) = faults.take(parameters::value(&item, row)) else { continue };
            if let Some(parameter) = parameter
                && let [only] = parameter.spec.values.as_slice()
                && *only != value
            {
                let problem = format!("differs from the only value of parameters.{}, {only}", parameter.key);
                faults.add(item.refuse(problem));
            }
            if base.insert(row.name.to_owned(), value).is_some() {
                faults.add(item.refuse_key(format!("{} stands here twice", row.name)));
            }
        }
    }
    // A key that is wrong may be the one that would be missing.
    if let Some((Method::OneAtATime, method_line)) = method
        && faults.count() == before
        && !section.means("base")
    {
        let missing =
            |parameter: &&Parameter| parameter.spec.values.len() > 1 && !base.contains_key(&parameter.spec.name);
        for parameter in parameters.list.iter().filter(missing) {
            faults.add(SpecError {
                line: Some(item.as_ref().map_or(method_line, Item::line)),
                key: format!("besom.base.{}", parameter.spec.name),
                problem: format!(
                    "missing; with one_at_a_time each parameter with several values (line {}) needs a base",
                    parameter.line
                ),
            });
        }
    }
    base
}

/// Checks the value of an unknown key as one of the hyperparameter that it seems to name.
fn check_meant(item: &Item<'_>, key: &str, faults: &mut Faults) {
    if let Some(row) = parameters::meant(item, key, faults) {
        faults.take(parameters::value(item, row));
    }
}

fn model(section: &Section<'_>, parameters: &[Parameter], faults: &mut Faults) -> Params {
    let mut model = Params::new();
    let Some(entries) = section.get("model").and_then(|item| faults.take(item.section())) else { return model };
    entries.check_twice(faults);
    for entry in entries.distinct() {
        let item = entries.item(entry);
        let Some(row) = parameters::known(&item, &entry.key, faults) else {
            check_meant(&item, &entry.key, faults);
            continue;
        };
        if let Some(parameter) = parameters.iter().find(|parameter| parameter.spec.name == row.name) {
            let problem = format!("stands under parameters too (line {}); keep one", parameter.line);
            faults.add(item.refuse_key(problem));
            continue;
        }
        let Some(value) = faults.take(parameters::value(&item, row)) else { continue };
        if model.insert(row.name.to_owned(), value).is_some() {
            faults.add(item.refuse_key(format!("{} stands here twice", row.name)));
        }
    }
    model
}

/// The seeds of `besom.seeds` or of `parameters.seed`, which may both be there if they say the
/// same.
fn all_seeds(section: &Section<'_>, parameters: &Parameters, faults: &mut Faults) -> Vec<i64> {
    let item = section.get("seeds");
    let own = item.as_ref().and_then(|item| Some((item, seeds(item, faults)?)));
    match (own, &parameters.seeds) {
        (Some((item, own)), Some((others, line))) => {
            if own != *others {
                let (these, others) = (shown(&own), shown(others));
                let problem = format!(
                    "means the seeds {these}, but parameters.seed (line {line}) lists {others}; keep one of the two"
                );
                faults.add(item.refuse_key(problem));
            }
            own
        }
        (Some((_, own)), None) => own,
        (None, Some((others, _))) => others.clone(),
        (None, None) => vec![1],
    }
}

/// A few of the seeds, for a message.
fn shown(seeds: &[i64]) -> String {
    let first: Vec<_> = seeds.iter().take(8).map(i64::to_string).collect();
    let more =
        if seeds.len() > first.len() { format!(" and {} more", seeds.len() - first.len()) } else { String::new() };
    format!("{}{more}", first.join(", "))
}

fn seeds(item: &Item<'_>, faults: &mut Faults) -> Option<Vec<i64>> {
    let Kind::List(nodes) = &item.node.kind else {
        let count = integer(item.node, 1, MAX_JOBS).map_err(|_| {
            item.refuse(format!(
                "must be a number of seeds from 1 to {MAX_JOBS} or a list of them, not {}",
                item.node.describe()
            ))
        });
        let count = faults.take(count)?;
        return Some((1..=count).map(|seed| i64::try_from(seed).expect("at most MAX_JOBS")).collect());
    };
    if nodes.is_empty() {
        faults.add(item.refuse("must hold at least one seed".to_owned()));
    }
    let mut distinct = std::collections::HashSet::new();
    let mut seeds = Vec::with_capacity(nodes.len());
    for node in nodes {
        let seed = integer(node, 0, i64::MAX.unsigned_abs()).map_err(|problem| item.refuse_at(node, problem));
        let Some(seed) = faults.take(seed) else { continue };
        if !distinct.insert(seed) {
            faults.add(item.refuse_at(node, format!("seed {seed} stands here twice")));
        }
        seeds.push(i64::try_from(seed).expect("at most i64::MAX"));
    }
    // Seeds that could not be read are not compared with others.
    (seeds.len() == nodes.len()).then_some(seeds)
}

fn engine(item: &Item<'_>) -> Result<Engine, SpecError> {
    let word = item.text()?;
    let unknown = || format!("unknown engine {}; {}", item.node.describe(), hint(word, &["native", "candle"]));
    Engine::parse(word).ok_or_else(|| item.refuse(unknown()))
}
