//! From a sweep file to a sweep: the dataset is loaded and stored first, then the sweep is made.
//!
//! The same file and dataset again find the sweep that they made before, so all of this can be
//! repeated.

use std::time::{Duration, Instant};

use anyhow::Context;
use besom_client::transfer::Artifacts;
use besom_dataset::Loaded;
use besom_proto::v1::{
    ArtifactKind, CreateSweepRequest, DatasetRef, Sweep, SweepRef, sweep_service_client::SweepServiceClient,
};
use tonic::{Code, Status, transport::Channel};

use crate::{
    connect::refused,
    output::say,
    sweep_file::SweepFile,
    text::state,
    transfer::{Person, given_up},
};

/// How long it is looked up what became of a sweep whose answer did not come. A coordinator that
/// restarts is back sooner.
const LOOKING_UP: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(300);

/// Stores the dataset and makes the sweep, or finds the one that the same file made.
///
/// # Errors
/// The name belongs to another sweep, or the coordinator is away. Where the answer is lost, or
/// tells of trouble, the error says what became of the sweep: a coordinator may fail after it has
/// made it.
pub(crate) async fn submit(
    artifacts: Artifacts,
    mut sweeps: SweepServiceClient<Channel>,
    file: &SweepFile,
    data: &Loaded,
) -> anyhow::Result<Sweep> {
    let digest = data.dataset.digest();
    let (kind, bytes) = (ArtifactKind::Dataset, data.dataset.artifact());
    let stored = artifacts.put(&mut Person::new("dataset: storing"), kind, bytes).await.map_err(given_up);
    stored.context("the dataset could not be stored")?;
    let request = CreateSweepRequest {
        peer: Some(besom_proto::peer()),
        text: file.text.clone(),
        name: file.stem.clone(),
        name_override: file.name_override.clone(),
        engine: file.engine.map(|engine| engine.as_str().to_owned()).unwrap_or_default(),
        validate_only: false,
        dataset: Some(DatasetRef {
            digest: digest.to_owned(),
            source_sha256: data.source_sha256.clone().unwrap_or_default(),
            classes: u32::try_from(data.dataset.header().classes.len()).unwrap_or_default(),
        }),
    };
    let answer = match sweeps.create_sweep(request).await {
        Ok(answer) => answer.into_inner(),
        // Not wrong use: it depends on what was submitted before.
        Err(status) if status.code() == Code::AlreadyExists => anyhow::bail!("{}", status.message()),
        Err(status) if is_undecided(status.code()) => return look_up(sweeps, file, digest, status).await,
        Err(status) => return Err(refused(status)),
    };
    let sweep = answer.sweep.context("the coordinator made no sweep")?;
    if answer.created {
        let synthetic = if file.is_synthetic() { " (synthetic data)" } else { "" };
        say(format_args!("sweep {}{synthetic}", file.heading()));
        for note in &file.expansion.plan().notes {
            say(format_args!("note: {note}"));
        }
    } else {
        say(format_args!("sweep {} is there already: {}", state::title(&sweep), state::sweep(sweep.state)));
    }
    Ok(sweep)
}

/// Whether a sweep may have been made although CreateSweep was answered with this, or with nothing.
fn is_undecided(code: Code) -> bool {
    use Code::{Cancelled, DeadlineExceeded, Internal, ResourceExhausted, Unavailable, Unknown};
    matches!(code, Cancelled | DeadlineExceeded | Internal | ResourceExhausted | Unavailable | Unknown)
}

/// Finds out whether the sweep was made all the same, and says so.
async fn look_up(
    mut sweeps: SweepServiceClient<Channel>,
    file: &SweepFile,
    dataset: &str,
    status: Status,
) -> anyhow::Result<Sweep> {
    let name = file.name.handle();
    // A coordinator that answered has done what it will do; one that did not may still be at work.
    let answered = status.code() == Code::ResourceExhausted;
    let error = refused(status);
    say(format_args!("{error:#}; looking up what became of the sweep"));
    let end = Instant::now() + LOOKING_UP;
    let missing = loop {
        let left = end.saturating_duration_since(Instant::now());
        let missing = match tokio::time::timeout(left, sweeps.get_sweep(SweepRef { sweep: name.to_owned() })).await {
            Ok(Ok(found)) => {
                let found = found.into_inner();
                if found.text != file.text || found.dataset != dataset {
                    let problem = format!("the name {name} belongs to another sweep, so none was made");
                    return Err(error.context(problem));
                }
                say(format_args!("sweep {} was made all the same, and goes on", state::title(&found)));
                return Ok(found);
            }
            Ok(Err(status)) if status.code() == Code::NotFound => true,
            Ok(Err(_)) | Err(_) => false,
        };
        if missing && answered || Instant::now() >= end {
            break missing;
        }
        tokio::time::sleep(PAUSE).await;
    };
    let outcome = if missing {
        format!("no sweep {name} was made; submit it again")
    } else {
        format!(
            "nobody answers whether sweep {name} was made: `besom sweeps` tells, and submitting it again makes it only once"
        )
    };
    Err(error.context(outcome))
}
