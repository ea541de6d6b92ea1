//! The trained models of a sweep: which jobs are meant, what was kept of them, and the data that
//! they were trained on.
//!
//! Everything comes over the wire and is verified by its digest here; datasets go through the cache
//! of this machine.

use std::{str::FromStr, sync::Arc};

use anyhow::Context;
use besom_client::{datasets::DatasetCache, transfer::Artifacts};
use besom_dataset::Dataset;
use besom_mlp::ModelFile;
use besom_proto::v1::Sweep;
use besom_sweep::{Engine, JobState, Row, Table, TableError, statements};

use crate::{
    connect::Connection,
    predictions, results,
    settings::Settings,
    text::state,
    transfer::{Person, given_up},
};

/// Which model of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Of the best run.
    Best,
    /// Of the job with this number.
    Job(i64),
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "best" => Ok(Self::Best),
            number => number
                .parse()
                .ok()
                .filter(|&job| job > 0)
                .map(Self::Job)
                .ok_or_else(|| "`best` or the number of a job is meant (column `job` of `besom runs`)".to_owned()),
        }
    }
}

/// A job's model.
pub(crate) struct Trained {
    /// The job.
    pub(crate) job: i64,
    /// Its row of the view `runs`, the only one of the table.
    pub(crate) run: Table,
    /// Its model as people tell it from others.
    pub(crate) about: besom_figures::Model,
    /// The digest of the model's file.
    pub(crate) digest: String,
    /// Its model.
    pub(crate) model: ModelFile,
    /// The model's file, as stored.
    pub(crate) file: Vec<u8>,
    /// What trained it.
    pub(crate) engine: Engine,
}

/// The models that `choices` name, each once, in their order.
///
/// # Errors
/// A job that the sweep does not have, or whose model is not there, and why.
pub(crate) async fn models(connection: &Connection, sweep: &Sweep, choices: &[Choice]) -> anyhow::Result<Vec<Trained>> {
    let reader = connection.reader();
    let mut runs = Vec::new();
    for &choice in choices {
        let run = match choice {
            Choice::Best => results::best_run(&reader, sweep).await?,
            Choice::Job(job) => reader.queries().query(statements::RUN, vec![sweep.id.into(), job.into()]).await?,
        };
        runs.push((choice, run));
    }
    of_runs(connection.artifacts(), sweep, runs).await
}

/// The same, where the runs were read already, the best first.
///
/// # Errors
/// As [`models`].
pub(crate) async fn models_among(
    connection: &Connection,
    sweep: &Sweep,
    choices: &[Choice],
    runs: &Table,
) -> anyhow::Result<Vec<Trained>> {
    let chosen = |choice| {
        let is_meant = |run: Row<'_>| match choice {
            Choice::Best => Ok::<_, TableError>(run.maybe_float("objective")?.is_some()),
            Choice::Job(job) => Ok(run.integer("job")? == job),
        };
        let candidates = runs.iter().zip(&runs.rows).take(if choice == Choice::Best { 1 } else { usize::MAX });
        let mut found = Table { columns: runs.columns.clone(), rows: Vec::new() };
        for (run, cells) in candidates {
            if is_meant(run)? {
                found.rows.push(cells.clone());
            }
        }
        Ok::<_, TableError>((choice, found))
    };
    let runs = choices.iter().map(|&choice| chosen(choice)).collect::<Result<Vec<_>, _>>()?;
    of_runs(connection.artifacts(), sweep, runs).await
}

async fn of_runs(artifacts: Artifacts, sweep: &Sweep, runs: Vec<(Choice, Table)>) -> anyhow::Result<Vec<Trained>> {
    let mut found: Vec<Trained> = Vec::new();
    for (choice, run) in runs {
        let name = &sweep.name;
        let job = run.row(0).map(|run| run.integer("job")).transpose()?;
        let job = job.with_context(|| match choice {
            Choice::Best => {
                let counts = state::counts(&sweep.counts.unwrap_or_default());
                format!("no run of sweep {name} has a result yet ({counts})")
            }
            Choice::Job(job) => format!("sweep {name} has no job {job}; `besom runs {name}` lists its jobs"),
        })?;
        if found.iter().all(|there| there.job != job) {
            found.push(trained(artifacts.clone(), job, run).await?);
        }
    }
    Ok(found)
}

/// The dataset that the sweep was trained on.
///
/// # Errors
/// It cannot be fetched, or is no dataset.
pub(crate) async fn dataset(
    connection: &Connection,
    settings: &Settings,
    sweep: &Sweep,
) -> anyhow::Result<Arc<Dataset>> {
    let fetch = || async {
        let fetched = connection.artifacts().get(&mut Person::new("dataset: fetching"), &sweep.dataset).await;
        fetched.map_err(|error| format!("{:#}", given_up(error)))
    };
    DatasetCache::new(&settings.home)
        .get(&sweep.dataset, fetch)
        .await
        .with_context(|| format!("the dataset of sweep {}", sweep.name))
}

async fn trained(artifacts: Artifacts, job: i64, run: Table) -> anyhow::Result<Trained> {
    let row = run.row(0).context("a run without a row")?;
    let Some(digest) = row.maybe_text("model")?.map(str::to_owned) else {
        let state = row.text("state")?;
        let why = match JobState::parse(state) {
            Some(JobState::Queued | JobState::Running) => "it has not ended",
            Some(JobState::Diverged) => "it diverged before it had one, or it was not kept (besom.keep_models)",
            Some(JobState::Failed | JobState::Cancelled) | None => "it has no result",
            Some(JobState::Succeeded | JobState::Stopped) => "it was not kept (besom.keep_models in the sweep file)",
        };
        anyhow::bail!("job {job} of sweep {} is {state} and has no model: {why}", row.text("sweep")?);
    };
    let context = || format!("the model of job {job}");
    let engine = row.maybe_text("engine")?.unwrap_or_default();
    let engine =
        Engine::parse(engine).with_context(|| format!("job {job}: its engine `{engine}` is unknown to this build"))?;
    let file = artifacts.get(&mut Person::new("model: fetching"), &digest).await.map_err(given_up);
    let file = file.with_context(context)?;
    let model = ModelFile::read(&file, &digest).with_context(context)?;
    let dataset = row.text("dataset")?;
    anyhow::ensure!(
        model.dataset() == dataset,
        "the model of job {job} was trained on dataset {}, its sweep has {dataset}",
        model.dataset()
    );
    let about = predictions::model(row)?;
    Ok(Trained { job, about, digest, model, file, engine, run })
}
