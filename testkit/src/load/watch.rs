//! Many people who watch one sweep.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{
    client::{Target, named},
    meter::{Meter, Watched, with},
};

/// What is watched by how many, and for how long.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    watched: Watched,
    /// The sweep
    #[arg(long)]
    sweep: String,
    /// Watches, each on a connection of its own
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    watchers: u32,
    /// Measure so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0, value_parser = super::commands::parse_seconds)]
    seconds: f64,
    /// Let them be open so long before measuring; idle sessions of Postgres tell their counts after
    /// ten seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = super::commands::parse_seconds)]
    settle: f64,
}

/// Opens the watches, measures while they are open, and closes them.
///
/// # Errors
/// There is no such sweep, a watch cannot be opened, or one ends although its sweep goes on.
pub async fn run(args: &Args) -> anyhow::Result<Value> {
    let messages = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..args.watchers {
        let mut client = args.target.sweeps().await?;
        let mut stream = client.watch_sweep(named(&args.sweep)).await?.into_inner();
        let first = stream.message().await?;
        anyhow::ensure!(first.is_some(), "sweep {:?} has ended; watch one that goes on", args.sweep);
        let messages = messages.clone();
        tasks.spawn(async move {
            while let Ok(Some(_)) = stream.message().await {
                messages.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    // The first messages are due at once; from here on each watch is as it stays.
    tokio::time::sleep(Duration::from_secs_f64(args.settle)).await;
    let before = messages.load(Ordering::Relaxed);
    let meter = Meter::start(&args.watched).await?;
    tokio::time::sleep(Duration::from_secs_f64(args.seconds)).await;
    let cost = meter.stop().await?;
    let received = messages.load(Ordering::Relaxed) - before;
    let ended = std::iter::from_fn(|| tasks.try_join_next()).count();
    tasks.shutdown().await;
    let sum = json!({"part": "watch", "watchers": args.watchers, "messages": received, "ended": ended});
    Ok(with(sum, &cost))
}
