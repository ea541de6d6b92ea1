//! How much is written to disk for a sweep of many jobs, on both databases.
//!
//! Not part of the tests: a million jobs take minutes, and other programs of the same disk count on
//! Postgres.
//!
//!     BESOM_JOBS=1000000 cargo test --release --workspace --test store_writes -- --ignored --nocapture

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on fails, and this one reports")]
#![cfg(target_os = "linux")]

mod store_support;

use std::time::{Duration, Instant};

use besom_coordinator::domain::{NewJob, NewSweep};
use besom_sweep::Expansion;
use store_support::{Bench, new_sweep};

/// As the coordinator's.
const BATCH: u64 = 5_000;

fn jobs_wanted() -> u64 {
    std::env::var("BESOM_JOBS").map_or(100_000, |jobs| jobs.parse().unwrap())
}

/// A grid of at least so many points, which run_cap cuts.
fn expansion(jobs: u64) -> Expansion {
    let list = |count: u64, of: fn(u64) -> String| (1..=count).map(of).collect::<Vec<_>>().join(", ");
    let text = format!(
        "{{method: grid, run_cap: {jobs}, parameters: {{learning_rate: {{values: [{}]}}, batch_size: {{values: [{}]}}, \
         dropout: {{values: [{}]}}}}, besom: {{dataset: {{source: 'builtin:sketches'}}}}}}",
        list(100, |n| format!("{}", n as f64 / 1e4)),
        list(200, |n| n.to_string()),
        list(50, |n| format!("{}", n as f64 / 100.0)),
    );
    Expansion::new(&besom_sweep::parse(&text).unwrap(), None).unwrap()
}

fn job(expansion: &Expansion, index: u64, dataset: &str) -> NewJob {
    let job = expansion.job(index, dataset);
    NewJob {
        config_hash: job.config.config_hash(),
        params: job.config.params(),
        seed: job.seed,
        engine: Some(job.config.engine.as_str().to_owned()),
        device: Some("cpu".to_owned()),
    }
}

/// Bytes that this process has given to the disk.
fn written() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).unwrap().parse().unwrap()
}

async fn write(bench: &Bench) -> (u64, Duration, Duration) {
    let jobs = jobs_wanted();
    let expansion = expansion(jobs);
    assert_eq!(expansion.jobs_total(), jobs);
    let new = NewSweep { jobs_total: Some(jobs), ..new_sweep("s", 1) };
    let dataset = new.dataset.as_str().to_owned();
    let (sweep, _) = bench.store.create_sweep(new, None).await.unwrap();
    let (mut created, mut total, mut longest) = (0, Duration::ZERO, Duration::ZERO);
    while created < jobs {
        let batch = (created..(created + BATCH).min(jobs)).map(|index| job(&expansion, index, &dataset)).collect();
        let start = Instant::now();
        created = bench.store.add_jobs(sweep.id, created, batch).await.unwrap();
        total += start.elapsed();
        longest = longest.max(start.elapsed());
    }
    (jobs, total, longest)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn what_a_sweep_writes_to_disk_on_sqlite() {
    let bench = store_support::sqlite().await;
    let before = written();
    let (jobs, total, longest) = write(&bench).await;
    let start = Instant::now();
    bench.store.close().await;
    let bytes = written() - before;
    println!(
        "  {jobs} jobs: {bytes} bytes written, {} a job, in {total:?}, at most {longest:?} a batch; closed in {:?}",
        bytes / jobs,
        start.elapsed()
    );
    assert!(bytes / jobs <= 8_000, "{bytes} bytes for {jobs} jobs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn what_a_sweep_writes_to_the_log_on_postgres() {
    let bench = store_support::postgres().await;
    let log = async || -> u64 {
        let rows = bench.query("SELECT wal_bytes::text, pg_stat_clear_snapshot()::text FROM pg_stat_wal").await;
        rows[0][0].parse().unwrap()
    };
    let before = log().await;
    let (jobs, total, longest) = write(&bench).await;
    let bytes = log().await - before;
    println!("  {jobs} jobs: {bytes} bytes of log, {} a job, in {total:?}, at most {longest:?} a batch", bytes / jobs);
}
