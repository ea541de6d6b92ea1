//! From a sweep file to a sweep: the dataset is loaded and stored first, then the sweep is made.
//!
//! The same file and dataset again find the sweep that they made before, so all of this can be repeated.

use anyhow::Context;
use besom_proto::v1::{
    ArtifactKind, CreateSweepRequest, DatasetRef, Sweep, sweep_service_client::SweepServiceClient,
};
use besom_worker::{data::Loaded, transfer::Artifacts};
use tonic::{Code, transport::Channel};

use crate::{
    connect::refused,
    output::say,
    render::{plan, state},
    sweep_file::SweepFile,
    transfer::{Person, given_up},
};

/// Stores the dataset and makes the sweep, or finds the one that the same file made.
///
/// # Errors
/// The name belongs to another sweep, or the coordinator is away.
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
        Err(status) => return Err(refused(status)),
    };
    let sweep = answer.sweep.context("the coordinator made no sweep")?;
    if answer.created {
        let synthetic = if file.is_synthetic() { " (synthetic data)" } else { "" };
        say(format_args!("sweep {}{synthetic}", plan::heading(file)));
        for note in &file.expansion.plan().notes {
            say(format_args!("note: {note}"));
        }
    } else {
        say(format_args!("sweep {} is there already: {}", state::title(&sweep), state::sweep(sweep.state)));
    }
    Ok(sweep)
}
