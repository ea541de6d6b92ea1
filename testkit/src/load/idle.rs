//! Workers that wait for jobs: what waiting costs the coordinator and its database.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{
    client::{Target, Worker},
    meter::{Meter, Watched, with},
};

/// What real workers ask for.
const WAIT: Duration = Duration::from_secs(20);
/// Registrations at a time.
const TOGETHER: u32 = 50;

/// How many wait, and for how long.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    watched: Watched,
    /// Workers, each on a connection of its own
    #[arg(long, value_name = "W", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    workers: u32,
    /// Measure so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0, value_parser = super::commands::parse_seconds)]
    seconds: f64,
    /// Let them wait so long before measuring: registering is not waiting
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0, value_parser = super::commands::parse_seconds)]
    settle: f64,
}

#[derive(Default)]
struct Seen {
    over: AtomicBool,
    answers: AtomicU64,
    jobs: AtomicU64,
    failures: AtomicU64,
}

/// Registers the workers, lets them wait, measures, and lets them go.
///
/// # Errors
/// A worker cannot be registered. A failed call of a waiting worker is counted.
pub async fn run(args: &Args) -> anyhow::Result<Value> {
    let start = Instant::now();
    let mut workers = Vec::new();
    for first in (1..=args.workers).step_by(TOGETHER as usize) {
        let mut tasks = JoinSet::new();
        for number in first..(first + TOGETHER).min(args.workers + 1) {
            let target = args.target.clone();
            tasks.spawn(async move { Worker::register(&target, &format!("idle-{number}"), 1).await });
        }
        while let Some(worker) = tasks.join_next().await {
            workers.push(worker??);
        }
    }
    let registered = start.elapsed();
    let seen = Arc::new(Seen::default());
    let mut tasks = JoinSet::new();
    for worker in workers {
        let seen = seen.clone();
        tasks.spawn(async move { wait(&worker, &seen).await });
    }
    tokio::time::sleep(Duration::from_secs_f64(args.settle)).await;
    let answered = seen.answers.load(Ordering::Relaxed);
    let meter = Meter::start(&args.watched).await?;
    tokio::time::sleep(Duration::from_secs_f64(args.seconds)).await;
    let cost = meter.stop().await?;
    let answers = seen.answers.load(Ordering::Relaxed) - answered;
    seen.over.store(true, Ordering::Relaxed);
    // They only wait, and nobody counts what going away costs.
    tasks.shutdown().await;
    let sum = json!({
        "part": "idle", "workers": args.workers, "registered_seconds": registered.as_secs_f64(), "answers": answers,
        "jobs": seen.jobs.load(Ordering::Relaxed), "failures": seen.failures.load(Ordering::Relaxed),
    });
    Ok(with(sum, &cost))
}

async fn wait(worker: &Worker, seen: &Seen) {
    while !seen.over.load(Ordering::Relaxed) {
        match worker.acquire(None, 1, WAIT).await {
            Ok(answer) => {
                seen.answers.fetch_add(1, Ordering::Relaxed);
                seen.jobs.fetch_add(answer.assignments.len() as u64, Ordering::Relaxed);
                // As real workers do, should a coordinator answer without waiting.
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
            Err(_) => {
                seen.failures.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}
