//! How long the commands of people take, while nothing else happens or while another sweep is
//! written.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use besom_proto::v1::{Cell, ListSweepsRequest, QueryRequest, cell};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    client::{Target, named},
    meter::{Meter, Watched, per_second, with},
    numbers::Latencies,
    submit,
};

/// Jobs of a sweep that is made to be cancelled.
const TO_CANCEL: u64 = 100;
/// Between two rounds: a person needs longer.
const PAUSE: Duration = Duration::from_millis(200);

/// What is commanded, for how long, and beside what.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    watched: Watched,
    /// The large sweep to pause, resume and rank
    #[arg(long)]
    sweep: String,
    /// Meanwhile a new sweep of so many jobs is written, and the rounds end with it; 0: none
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=1_000_000))]
    write: u64,
    /// End after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600.0, value_parser = parse_seconds)]
    seconds: f64,
    /// End after so many rounds
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    rounds: u32,
}

pub(super) fn parse_seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds: &f64| *seconds >= 0.0 && *seconds <= 86_400.0);
    seconds.ok_or_else(|| "expected a number of seconds, at most 86400".to_owned())
}

/// As a person asks for the best runs.
fn best_of(sweep: &str) -> QueryRequest {
    QueryRequest {
        statement: "SELECT * FROM best_runs WHERE sweep = $1 ORDER BY rank, job LIMIT 20".to_owned(),
        parameters: vec![Cell { value: Some(cell::Value::Text(sweep.to_owned())) }],
        ..QueryRequest::default()
    }
}

/// Commands until the writing, the time or the rounds are over.
///
/// # Errors
/// A command fails.
pub async fn run(args: &Args) -> anyhow::Result<Value> {
    let mark = Uuid::now_v7().simple();
    let mut client = args.target.sweeps().await?;
    let mut queries = args.target.queries().await?;
    let meter = Meter::start(&args.watched).await?;
    let written = format!("written-{mark}");
    if args.write > 0 {
        submit::submit(&args.target, &written, args.write, 5).await?;
    }
    let mut latencies: BTreeMap<&str, Latencies> = BTreeMap::new();
    let mut rounds = 0;
    let mut jobs_written = 0;
    while rounds < args.rounds && meter.seconds() < args.seconds {
        macro_rules! timed {
            ($name:literal, $call:expr) => {{
                let start = Instant::now();
                let answer = $call.await?.into_inner();
                latencies.entry($name).or_default().add(start.elapsed());
                answer
            }};
        }
        timed!("pause", client.pause_sweep(named(&args.sweep)));
        timed!("resume", client.resume_sweep(named(&args.sweep)));
        timed!("sweeps", client.list_sweeps(ListSweepsRequest {}));
        timed!("sweep", client.get_sweep(named(&args.sweep)));
        let start = Instant::now();
        let mut best = queries.query(best_of(&args.sweep)).await?.into_inner();
        while best.message().await?.is_some() {}
        latencies.entry("best").or_default().add(start.elapsed());
        let victim = format!("cancelled-{rounds}-{mark}");
        submit::submit(&args.target, &victim, TO_CANCEL, 1).await?;
        timed!("cancel", client.cancel_sweep(named(&victim)));
        rounds += 1;
        if args.write > 0 {
            timed!("pause_written", client.pause_sweep(named(&written)));
            let now = timed!("resume_written", client.resume_sweep(named(&written)));
            jobs_written = now.jobs_created;
            if now.jobs_created == now.jobs_total {
                break;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    let seconds = meter.seconds();
    let cost = meter.stop().await?;
    let latencies: Map<String, Value> =
        latencies.into_iter().map(|(name, calls)| (name.to_owned(), calls.to_json())).collect();
    let sum = json!({
        "part": "commands", "rounds": rounds, "jobs_written": jobs_written,
        "jobs_written_per_second": per_second(jobs_written, seconds), "latency_ms": latencies,
    });
    Ok(with(sum, &cost))
}
