//! Submitting a sweep of many jobs, and what writing them costs.

use std::time::{Duration, Instant};

use anyhow::Context;
use besom_proto::v1;
use serde_json::{Value, json};

use super::{
    client::{Target, named},
    meter::{Meter, Watched, per_second, with},
};

/// The bytes that stand for a dataset: a coordinator only ever compares them with their digest.
const DATASET: &[u8] = b"besom-load\n";
const DIGEST: &str = "4163c9f06e9436ed286583cf2ad06bdb4d35bb4dc38d9685628fe524cdb290da";

/// Classes of the dataset, with which every confusion matrix has to agree.
pub const CLASSES: u32 = 10;

/// What to submit.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    watched: Watched,
    /// Name of the sweep
    #[arg(long)]
    sweep: String,
    /// Jobs of the sweep, each a configuration of its own
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(8..=1_000_000))]
    jobs: u64,
    /// Epochs of each job
    #[arg(long, value_name = "N", default_value_t = 5)]
    epochs: u32,
    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1800)]
    limit: u64,
    /// Pause the sweep as soon as it is there
    #[arg(long)]
    pause: bool,
}

/// Submits, waits for the last job, and says what that took.
///
/// # Errors
/// The coordinator refuses the sweep or does not write all of it in time.
pub async fn run(args: &Args) -> anyhow::Result<Value> {
    let meter = Meter::start(&args.watched).await?;
    let sweep = submit(&args.target, &args.sweep, args.jobs, args.epochs).await?;
    if args.pause {
        args.target.sweeps().await?.pause_sweep(named(&args.sweep)).await?;
    }
    let deadline = Instant::now() + Duration::from_secs(args.limit);
    written(&args.target, &args.sweep, deadline).await?;
    let cost = meter.stop().await?;
    let sum = json!({"part": "submit", "sweep_id": sweep.id, "jobs": args.jobs,
                     "jobs_per_second": per_second(args.jobs, meter.seconds())});
    Ok(with(sum, &cost))
}

/// Makes a grid of so many jobs, of which the first batch is written when this returns.
///
/// # Errors
/// The coordinator does not answer or refuses the sweep.
pub async fn submit(target: &Target, name: &str, jobs: u64, epochs: u32) -> anyhow::Result<v1::Sweep> {
    store_dataset(target).await?;
    let request = v1::CreateSweepRequest {
        peer: Some(target.peer()),
        text: text(jobs, epochs),
        name: name.to_owned(),
        dataset: Some(v1::DatasetRef { digest: DIGEST.to_owned(), source_sha256: String::new(), classes: CLASSES }),
        ..v1::CreateSweepRequest::default()
    };
    let answer = target.sweeps().await?.create_sweep(request).await?.into_inner();
    answer.sweep.context("the coordinator made no sweep")
}

/// Waits until all jobs of the sweep are written, and says how many there are.
///
/// # Errors
/// They are not by `deadline`.
pub async fn written(target: &Target, sweep: &str, deadline: Instant) -> anyhow::Result<u64> {
    let mut client = target.sweeps().await?;
    loop {
        // A listing of few sweeps is cheaper for older coordinators than a look at one, which
        // counts its jobs.
        let now = client.get_sweep(named(sweep)).await?.into_inner();
        if now.jobs_created == now.jobs_total {
            return Ok(now.jobs_created);
        }
        anyhow::ensure!(
            Instant::now() < deadline,
            "only {} of {} jobs of sweep {sweep} are written in time",
            now.jobs_created,
            now.jobs_total
        );
        tokio::time::sleep(Duration::from_millis(if now.jobs_total > 100_000 { 1000 } else { 20 })).await;
    }
}

/// Waits until the coordinator writes jobs of the sweep: their number grows before the eyes. Says
/// how many there are.
///
/// # Errors
/// It does not grow before `deadline`.
pub async fn growing(target: &Target, sweep: &str, deadline: Instant) -> anyhow::Result<u64> {
    let mut client = target.sweeps().await?;
    let first = client.get_sweep(named(sweep)).await?.into_inner().jobs_created;
    loop {
        let now = client.get_sweep(named(sweep)).await?.into_inner().jobs_created;
        if now > first {
            return Ok(now);
        }
        anyhow::ensure!(Instant::now() < deadline, "no jobs of sweep {sweep} are written: there are still {first}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn store_dataset(target: &Target) -> anyhow::Result<()> {
    let (digest, size, kind) = (DIGEST.to_owned(), DATASET.len() as u64, v1::ArtifactKind::Dataset.into());
    let head = v1::PutHead { digest, size, kind, ..v1::PutHead::default() };
    let parts = [v1::put_request::Part::Head(head), v1::put_request::Part::Chunk(DATASET.to_vec())];
    let parts = parts.map(|part| v1::PutRequest { part: Some(part) });
    target.artifacts().await?.put(tokio_stream::iter(parts)).await.context("the dataset could not be stored")?;
    Ok(())
}

/// A grid over three hyperparameters, cut to the number of jobs.
fn text(jobs: u64, epochs: u32) -> String {
    let side = (2..).find(|side: &u64| side.pow(3) >= jobs).expect("there are enough numbers");
    let list = |value: &dyn Fn(u64) -> String| (1..=side).map(value).collect::<Vec<_>>().join(", ");
    let rates = list(&|n| format!("{}", n as f64 / 1000.0));
    let sizes = list(&|n| (8 * n).to_string());
    let dropouts = list(&|n| format!("{}", n as f64 / 1000.0));
    format!(
        "method: grid\nrun_cap: {jobs}\nparameters:\n  learning_rate: {{values: [{rates}]}}\n  batch_size: {{values: \
         [{sizes}]}}\n  dropout: {{values: [{dropouts}]}}\n  epochs: {{value: {epochs}}}\nbesom:\n  dataset: \
         {{source: 'builtin:sketches'}}\n  keep_models: none\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_has_as_many_jobs_as_were_asked_for() {
        for jobs in [8, 9, 1_000, 20_000] {
            let spec = besom_sweep::parse(&text(jobs, 3)).unwrap();
            let expansion = besom_sweep::Expansion::new(&spec, None).unwrap();
            assert_eq!(expansion.jobs_total(), jobs);
            assert_eq!(expansion.plan().merged, 0);
        }
    }
}
