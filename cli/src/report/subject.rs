//! What was swept, on what data, and what it takes to repeat it: facts in pairs of name and text.

use std::collections::BTreeSet;

use besom_sweep::{Engine, Expansion, Hyperparameters, JobConfig, Scale, SweepSpec, TRAINER_VERSION, TableError};

use super::{gathered::Gathered, grid::Grid};
use crate::{
    output::printable,
    text::{cut, number, source, state},
};

/// A name and what there is to say.
#[derive(Debug)]
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) text: String,
    /// Set in a fixed width and broken anywhere: a digest.
    pub(super) code: bool,
}

impl Fact {
    pub(super) fn new(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, text: cut(text.into()), code: false }
    }

    pub(super) fn code(name: &'static str, text: impl Into<String>) -> Self {
        Self { code: true, ..Self::new(name, text) }
    }
}

/// The parameters with their values, swept ones first.
pub(super) fn parameters(spec: &SweepSpec) -> Grid {
    let mut listed: Vec<_> = spec.parameters.iter().collect();
    listed.sort_by_key(|parameter| parameter.values.len() < 2);
    let mut rows: Vec<Vec<String>> = listed
        .iter()
        .map(|parameter| {
            let values: Vec<String> = parameter.values.iter().map(|value| number::value(Some(value))).collect();
            let base = match spec.base.get(&parameter.name) {
                Some(base) => number::value(Some(base)),
                None => "-".to_owned(),
            };
            let role = if parameter.values.len() > 1 { "swept" } else { "fixed" };
            vec![parameter.name.clone(), role.to_owned(), values.join(", "), base]
        })
        .collect();
    for (name, value) in &spec.model {
        rows.push(vec![name.clone(), "fixed".to_owned(), number::value(Some(value)), "-".to_owned()]);
    }
    if spec.base.is_empty() {
        rows.iter_mut().for_each(|row| row.truncate(3));
        return Grid::new("Hyperparameters", &["hyperparameter", "role", "values"], rows);
    }
    Grid::new("Hyperparameters", &["hyperparameter", "role", "values", "base"], rows)
}

/// How the sweep searched.
pub(super) fn search(gathered: &Gathered, spec: Option<&SweepSpec>) -> Result<Vec<Fact>, TableError> {
    let sweep = &gathered.sweep;
    let mut facts = vec![
        Fact::new("Method", sweep.method.clone()),
        Fact::new("Objective", objective(gathered, spec)),
        Fact::new("Jobs", number::plural(sweep.jobs_total, "job")),
    ];
    if let Some(spec) = spec {
        let seeds: Vec<String> = spec.seeds.iter().map(i64::to_string).collect();
        facts.push(Fact::new("Seeds", seeds.join(", ")));
    }
    facts.push(Fact::new("Submitted", moment(&sweep.created_at)));
    let ended: Vec<Option<&str>> =
        gathered.runs.iter().map(|run| run.maybe_text("ended_at")).collect::<Result<_, _>>()?;
    if let Some(ended) = ended.into_iter().flatten().max() {
        facts.push(Fact::new("Last job ended", moment(ended)));
    }
    Ok(facts)
}

fn objective(gathered: &Gathered, spec: Option<&SweepSpec>) -> String {
    let sweep = &gathered.sweep;
    let when = match spec.map(|spec| spec.scored_epoch.as_str()) {
        Some("best") => "in the best epoch",
        _ => "after the last epoch",
    };
    format!("{} {} {when}", state::goal(sweep.goal), sweep.metric)
}

/// Where the samples come from.
pub(super) fn data(gathered: &Gathered, spec: Option<&SweepSpec>) -> Vec<Fact> {
    let sweep = &gathered.sweep;
    let mut facts = vec![Fact::new("Source", source::shown(&sweep.dataset_source))];
    if source::is_synthetic(&sweep.dataset_source) {
        facts.push(Fact::new(
            "Kind",
            "synthetic: besom drew these sketches itself; they are no measurement of anything",
        ));
    }
    match &gathered.models.data {
        Ok(data) => {
            let header = data.header();
            let shape: Vec<String> = header.shape.iter().map(u32::to_string).collect();
            facts.push(Fact::new("Samples", format!("{} for training, {} for testing", header.train, header.test)));
            let values = match header.scale {
                None => format!("values from 0 to {}", header.max),
                Some(Scale::None) => "32-bit floats, not scaled".to_owned(),
                Some(scale) => format!("32-bit floats (scale {})", scale.as_str()),
            };
            facts.push(Fact::new("One sample", format!("{} {values}", shape.join(" × "))));
            let classes = number::plural(header.classes.len() as u64, "class");
            facts.push(Fact::new("Classes", format!("{classes}: {}", printable(&header.classes.join(", ")))));
        }
        Err(why) => facts.push(Fact::new("Samples", format!("not read: {}", printable(why)))),
    }
    if let Some((dataset, fraction)) = spec.and_then(|spec| Some((&spec.dataset, spec.dataset.test_fraction?))) {
        let by_class = if dataset.stratify { " of each class" } else { "" };
        let text = format!("{} of the samples{by_class}, split seed {}", number::exact(fraction), dataset.split_seed);
        facts.push(Fact::new("Test split", text));
    }
    facts
}

/// Versions and digests.
pub(super) fn versions(gathered: &Gathered, spec: Option<&SweepSpec>) -> Result<Vec<Fact>, TableError> {
    let sweep = &gathered.sweep;
    let mut facts = vec![Fact::new("This report", concat!("besom ", env!("CARGO_PKG_VERSION")))];
    let builds: BTreeSet<&str> = gathered.workers.iter().map(|worker| worker.build.as_str()).collect();
    if !builds.is_empty() {
        facts.push(Fact::new("Workers' builds", builds.into_iter().collect::<Vec<_>>().join(", ")));
    }
    facts.push(Fact::new("Trainer version", trainer(gathered)?));
    let engines = gathered.runs.iter().map(|run| {
        let (engine, device) = (run.maybe_text("engine")?, run.maybe_text("device")?);
        Ok(format!("{} on {}", engine.unwrap_or("-"), device.unwrap_or("-")))
    });
    let engines: BTreeSet<String> = engines.collect::<Result<_, TableError>>()?;
    if !engines.is_empty() {
        facts.push(Fact::new("Engine", engines.into_iter().collect::<Vec<_>>().join(", ")));
    }
    // The engine may have been chosen on the command line, where the file does not know of it.
    let engine = engine(gathered)?;
    if let Some(expansion) = spec.zip(engine).and_then(|(spec, engine)| Expansion::new(spec, Some(engine)).ok()) {
        facts.push(Fact::code("Sweep (SHA-256)", expansion.sweep_digest(&sweep.dataset)));
    }
    facts.push(Fact::code("Dataset (SHA-256)", sweep.dataset.clone()));
    if let Some(source) = spec.and_then(|spec| spec.dataset.sha256.clone()) {
        facts.push(Fact::code("Dataset's source (SHA-256)", source));
    }
    if let Some(best) = gathered.best()?
        && let Some(model) = best.maybe_text("model")?
    {
        facts.push(Fact::code("Best model (SHA-256)", format!("{model} (job {})", best.integer("job")?)));
    }
    Ok(facts)
}

/// What the first run was trained with.
fn engine(gathered: &Gathered) -> Result<Option<Engine>, TableError> {
    let Some(first) = gathered.runs.row(0) else { return Ok(None) };
    Ok(first.maybe_text("engine")?.and_then(Engine::parse))
}

/// The command that trains the sweep again from its file.
pub(super) fn command(gathered: &Gathered, spec: Option<&SweepSpec>) -> Result<String, TableError> {
    let sweep = &gathered.sweep;
    let digest = |engine| Some(Expansion::new(spec?, engine).ok()?.sweep_digest(&sweep.dataset));
    let flag = match engine(gathered)? {
        Some(engine) if digest(None) != digest(Some(engine)) => format!(" --engine {}", engine.as_str()),
        _ => String::new(),
    };
    Ok(format!("besom run {}.yaml{flag}", sweep.name))
}

/// The version that trained the sweep. No message tells it, but it is part of a configuration's
/// hash: the one of this build is named without reserve only where it gives that hash.
fn trainer(gathered: &Gathered) -> Result<String, TableError> {
    let Some(config) = gathered.configs.row(0) else { return Ok(format!("{TRAINER_VERSION} (this build's)")) };
    let job = config.integer("job")?;
    let mut engine = None;
    for run in gathered.runs.iter() {
        if run.integer("job")? == job {
            engine = run.maybe_text("engine")?.and_then(Engine::parse);
        }
    }
    let params = config.maybe_text("params")?.and_then(|params| serde_json::from_str(params).ok());
    let hyperparameters = params.and_then(|params| Hyperparameters::from_params(&params).ok());
    let hash = hyperparameters.zip(engine).map(|(hyperparameters, engine)| {
        JobConfig { hyperparameters, dataset: gathered.sweep.dataset.clone(), engine }.config_hash()
    });
    Ok(match hash {
        Some(hash) if Some(hash.as_str()) == config.maybe_text("config_hash")? => TRAINER_VERSION.to_string(),
        Some(_) => format!("not {TRAINER_VERSION}, this build's: the workers' builds have it"),
        None => format!("{TRAINER_VERSION} (this build's)"),
    })
}

/// `2026-11-23 17:30:00 UTC` of the store's `2026-11-23T17:30:00.123456Z`.
pub(super) fn moment(text: &str) -> String {
    match (text.get(..10), text.get(11..19)) {
        (Some(day), Some(time)) => format!("{day} {time} UTC"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_without_its_microseconds() {
        assert_eq!(moment("2026-11-23T17:30:00.123456Z"), "2026-11-23 17:30:00 UTC");
        assert_eq!(moment("soon"), "soon");
    }
}
