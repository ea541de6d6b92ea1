//! The trained models of a sweep: which jobs are meant, what was kept of them, and the data that they were trained on.
//!
//! Everything comes over the wire and is verified by its digest here; datasets go through the cache of this machine.

use std::{str::FromStr, sync::Arc};

use anyhow::Context;
use besom_client::{datasets::DatasetCache, transfer::Artifacts};
use besom_dataset::Dataset;
use besom_mlp::ModelFile;
use besom_proto::v1::{
    JobState, ListRunsRequest, Run, StreamRunsRequest, Sweep, SweepRef, sweep_service_client::SweepServiceClient,
};
use besom_sweep::Engine;
use tonic::transport::Channel;

use crate::{
    connect::{Connection, refused},
    render::state,
    settings::Settings,
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
    /// The job with its result.
    pub(crate) run: Run,
    /// Its model.
    pub(crate) model: ModelFile,
    /// The model's file, as stored.
    pub(crate) file: Vec<u8>,
    /// What trained it.
    pub(crate) engine: Engine,
}

/// The sweep of this name or number.
///
/// # Errors
/// No such sweep, or the coordinator is away.
pub(crate) async fn sweep(connection: &Connection, name: &str) -> anyhow::Result<Sweep> {
    let answer = connection.sweeps().get_sweep(SweepRef { sweep: name.to_owned() }).await.map_err(refused)?;
    Ok(answer.into_inner())
}

/// The models that `choices` name, each once, in their order.
///
/// # Errors
/// A job that the sweep does not have, or whose model is not there, and why.
pub(crate) async fn models(connection: &Connection, sweep: &Sweep, choices: &[Choice]) -> anyhow::Result<Vec<Trained>> {
    let mut found: Vec<Trained> = Vec::new();
    for &choice in choices {
        let run = run(connection.sweeps(), sweep, choice).await?;
        if found.iter().all(|there| there.run.job != run.job) {
            found.push(trained(connection.artifacts(), run).await?);
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

async fn run(mut client: SweepServiceClient<Channel>, sweep: &Sweep, choice: Choice) -> anyhow::Result<Run> {
    let name = &sweep.name;
    match choice {
        Choice::Best => {
            let request = ListRunsRequest { sweep: name.clone(), best_first: true, limit: 1, offset: 0 };
            let runs = client.list_runs(request).await.map_err(refused)?.into_inner().runs;
            // Runs without a score come after all others.
            let best = runs.into_iter().find(|run| run.objective.is_some());
            best.with_context(|| format!("no run of sweep {name} has a result yet ({})", counts(sweep)))
        }
        Choice::Job(job) => {
            let request = StreamRunsRequest { sweep: name.clone(), after: job - 1 };
            let mut batches = client.stream_runs(request).await.map_err(refused)?.into_inner();
            let first = batches.message().await.map_err(refused)?.and_then(|batch| batch.runs.into_iter().next());
            let run = first.filter(|run| run.job == job);
            run.with_context(|| format!("sweep {name} has no job {job}; `besom runs {name}` lists its jobs"))
        }
    }
}

fn counts(sweep: &Sweep) -> String {
    state::counts(&sweep.counts.unwrap_or_default())
}

async fn trained(artifacts: Artifacts, run: Run) -> anyhow::Result<Trained> {
    let job = run.job;
    let Some(digest) = &run.model else {
        let why = match run.state() {
            JobState::Queued | JobState::Running => "it has not ended",
            JobState::Diverged => "it diverged before it had one, or it was not kept (besom.keep_models)",
            JobState::Failed | JobState::Cancelled | JobState::Unspecified => "it has no result",
            JobState::Succeeded | JobState::Stopped => "it was not kept (besom.keep_models in the sweep file)",
        };
        anyhow::bail!("job {job} of sweep {} is {} and has no model: {why}", run.sweep, state::job(run.state));
    };
    let context = || format!("the model of job {job}");
    let engine = Engine::parse(&run.engine)
        .with_context(|| format!("job {job}: its engine `{}` is unknown to this build", run.engine))?;
    let file = artifacts.get(&mut Person::new("model: fetching"), digest).await.map_err(given_up);
    let file = file.with_context(context)?;
    let model = ModelFile::read(&file, digest).with_context(context)?;
    anyhow::ensure!(
        model.dataset() == run.dataset,
        "the model of job {job} was trained on dataset {}, its sweep has {}",
        model.dataset(),
        run.dataset
    );
    Ok(Trained { run, model, file, engine })
}
