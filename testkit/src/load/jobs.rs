//! Simulated workers that work through a sweep as fast as the coordinator lets them, or at a given
//! rate.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use besom_proto::v1;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{
    client::{self, Target, Worker, named},
    meter::{Meter, Watched, per_second, with},
    numbers::Latencies,
    submit,
};

/// How long an empty acquire waits on the server: short, since the loop must see its own end.
const WAIT: Duration = Duration::from_secs(1);

/// How to work.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    watched: Watched,
    /// The sweep to work on; without it one is made
    #[arg(long)]
    sweep: Option<String>,
    /// Jobs of the sweep that is made
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    jobs: u64,
    /// Epochs of each job of the sweep that is made
    #[arg(long, value_name = "N", default_value_t = 5)]
    epochs: u32,
    /// Workers, each on a connection of its own
    #[arg(long, value_name = "W", default_value_t = 1)]
    workers: u32,
    /// Jobs of one worker at a time, acquired and completed together
    #[arg(long, value_name = "B", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    batch: u32,
    /// Reports before each completion, which share the epochs with it
    #[arg(long, value_name = "K", default_value_t = 0)]
    reports: u32,
    /// Complete without confusion matrices
    #[arg(long)]
    no_confusion: bool,
    /// Ask for jobs of any sweep, as workers do, and not only for those of this one
    #[arg(long)]
    any: bool,
    /// End after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, value_parser = super::commands::parse_seconds)]
    seconds: f64,
    /// End after so many jobs
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Let the coordinator run so long before measuring; at its start it works out importance that
    /// has become stale
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, value_parser = super::commands::parse_seconds)]
    settle: f64,
    /// Begin when jobs of this other sweep are being written, and fail if all of them are before
    /// the end
    #[arg(long, value_name = "SWEEP")]
    beside: Option<String>,
    /// Jobs a second, all workers together; without it as fast as they go
    #[arg(long, value_name = "R", value_parser = parse_rate)]
    rate: Option<f64>,
}

fn parse_rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| *rate > 0.0 && *rate <= 1e6);
    rate.ok_or_else(|| "expected jobs a second, above 0 and at most 1000000".to_owned())
}

/// What all workers share.
struct Shared {
    args: Args,
    /// `None`: of any sweep.
    sweep: Option<i64>,
    begin: Instant,
    deadline: Instant,
    /// Jobs that may still be asked for.
    left: AtomicU64,
    /// Jobs that were asked for, for the rate.
    asked: AtomicU64,
}

/// What one worker did.
#[derive(Default)]
struct Done {
    completed: u64,
    refused: u64,
    jobs: HashSet<i64>,
    acquire: Latencies,
    report: Latencies,
    complete: Latencies,
}

/// Works until the first bound is met.
///
/// # Errors
/// The coordinator stays away or refuses a call.
pub async fn run(args: Args) -> anyhow::Result<Value> {
    let sweep = match &args.sweep {
        Some(name) => args.target.sweeps().await?.get_sweep(named(name)).await?.into_inner(),
        None => {
            let name = format!("load-{}", Uuid::now_v7().simple());
            submit::submit(&args.target, &name, args.jobs, args.epochs).await?;
            let deadline = Instant::now() + Duration::from_secs(1800);
            submit::written(&args.target, &name, deadline).await?;
            args.target.sweeps().await?.get_sweep(named(&name)).await?.into_inner()
        }
    };
    let mut workers = Vec::new();
    for number in 1..=args.workers {
        workers.push(Worker::register(&args.target, &format!("load-{number}"), args.batch).await?);
    }
    tokio::time::sleep(Duration::from_secs_f64(args.settle)).await;
    let before = match &args.beside {
        Some(other) => submit::growing(&args.target, other, Instant::now() + Duration::from_secs(120)).await?,
        None => 0,
    };
    let meter = Meter::start(&args.watched).await?;
    let begin = Instant::now();
    let shared = Arc::new(Shared {
        sweep: (!args.any).then_some(sweep.id),
        begin,
        deadline: begin + Duration::from_secs_f64(args.seconds),
        left: AtomicU64::new(args.count.unwrap_or(u64::MAX)),
        asked: AtomicU64::new(0),
        args,
    });
    let mut tasks = JoinSet::new();
    for worker in workers.clone() {
        let shared = shared.clone();
        tasks.spawn(async move { work(&worker, &shared).await });
    }
    let mut all = Done::default();
    while let Some(done) = tasks.join_next().await {
        let done = done??;
        all.completed += done.completed;
        all.refused += done.refused;
        all.jobs.extend(done.jobs);
        all.acquire.extend(done.acquire);
        all.report.extend(done.report);
        all.complete.extend(done.complete);
    }
    let rate = per_second(all.completed, meter.seconds());
    let cost = meter.stop().await?;
    let written_beside = match &shared.args.beside {
        Some(other) => {
            let now = shared.args.target.sweeps().await?.get_sweep(named(other)).await?.into_inner();
            anyhow::ensure!(now.jobs_created < now.jobs_total, "all jobs of sweep {other} were written before the end");
            now.jobs_created - before
        }
        None => 0,
    };
    for worker in workers {
        worker.leave().await?;
    }
    let syncs = cost.get("syncs").or_else(|| cost.get("wal_syncs")).and_then(Value::as_u64);
    let syncs_per_job = syncs.map(|syncs| (1e4 * syncs as f64 / all.completed.max(1) as f64).round() / 1e4);
    let sum = json!({
        "part": "jobs", "sweep": sweep.name, "workers": shared.args.workers, "batch": shared.args.batch,
        "completed": all.completed, "distinct": all.jobs.len(), "refused": all.refused, "jobs_per_second": rate,
        "syncs_per_job": syncs_per_job, "written_beside": written_beside,
        "latency_ms": {
            "acquire": all.acquire.to_json(), "report": all.report.to_json(), "complete": all.complete.to_json(),
        },
    });
    Ok(with(sum, &cost))
}

/// Whatever was acquired is also completed, so that no lease is left behind.
async fn work(worker: &Worker, shared: &Shared) -> anyhow::Result<Done> {
    let mut done = Done::default();
    while Instant::now() < shared.deadline {
        let wanted = reserve(&shared.left, u64::from(shared.args.batch));
        if wanted == 0 {
            break;
        }
        shared.pace(wanted).await;
        let start = Instant::now();
        let answer = worker.acquire(shared.sweep, u32::try_from(wanted)?, WAIT).await?;
        let got = answer.assignments.len() as u64;
        shared.left.fetch_add(wanted.saturating_sub(got), Ordering::Relaxed);
        if got == 0 {
            if answer.sweep_ended {
                break;
            }
            continue;
        }
        done.acquire.add(start.elapsed());
        train(worker, &shared.args, answer.assignments, &mut done).await?;
    }
    Ok(done)
}

/// Takes up to `wanted` of what is left.
fn reserve(left: &AtomicU64, wanted: u64) -> u64 {
    let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(wanted)));
    taken.unwrap_or_else(|left| left).min(wanted)
}

impl Shared {
    /// Waits until so many more jobs are due.
    async fn pace(&self, wanted: u64) {
        let Some(rate) = self.args.rate else { return };
        let before = self.asked.fetch_add(wanted, Ordering::Relaxed);
        let due = self.begin + Duration::from_secs_f64(before as f64 / rate);
        tokio::time::sleep_until(due.min(self.deadline).into()).await;
    }
}

async fn train(worker: &Worker, args: &Args, assignments: Vec<v1::Assignment>, done: &mut Done) -> anyhow::Result<()> {
    let (mut reports, mut completions) = (vec![Vec::new(); args.reports as usize], Vec::new());
    let classes = if args.no_confusion { 0 } else { submit::CLASSES };
    for assignment in &assignments {
        let attempt = assignment.attempt.unwrap_or_default();
        done.jobs.insert(attempt.job);
        let epochs = client::epochs(assignment)?;
        let share = epochs.div_ceil(args.reports + 1);
        let mut records: Vec<_> = (1..=epochs).map(|epoch| client::record(attempt.job, epoch)).collect();
        for report in &mut reports {
            let rest = records.split_off((share as usize).min(records.len()));
            let epochs = std::mem::replace(&mut records, rest);
            report.push(v1::JobReport { attempt: Some(attempt), epochs });
        }
        completions.push(client::completion(assignment, records, classes));
    }
    for report in reports {
        let start = Instant::now();
        let answers = worker.report(report).await?;
        done.report.add(start.elapsed());
        done.refused += answers.iter().filter(|job| job.directive() != v1::Directive::Continue).count() as u64;
    }
    let start = Instant::now();
    let results = worker.complete(completions).await?;
    done.complete.add(start.elapsed());
    for result in results {
        match result.result() {
            v1::Result::Accepted => done.completed += 1,
            v1::Result::Unspecified | v1::Result::LeaseLost | v1::Result::Cancelled => done.refused += 1,
        }
    }
    Ok(())
}
