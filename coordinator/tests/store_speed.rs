//! How long the views take to answer over a sweep of a hundred thousand runs, on both databases.
//!
//! Not part of the tests: it takes minutes, and a busy machine would fail it.
//!
//!     cargo test -p besom-coordinator --test store_speed -- --ignored --nocapture

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on fails, and this one reports")]

mod store_support;

use std::time::{Duration, Instant};

use besom_coordinator::domain::{NewJob, NewSweep};
use serde_json::json;
use store_support::{Bench, new_job, new_sweep};

const PAGE: &str = include_str!("../../docs/sql.md");

/// What a person still takes for at once.
const LIMIT: Duration = Duration::from_millis(200);
const ROUNDS: usize = 5;

const RATES: u32 = 100;
const SIZES: u32 = 20;
const DROPOUTS: u32 = 50;

/// Every combination is a configuration of its own: the most rows that these views can have.
fn file() -> String {
    let list = |values: Vec<String>| values.join(", ");
    format!(
        "{{method: grid, parameters: {{learning_rate: {{values: [{}]}}, batch_size: {{values: [{}]}}, \
         dropout: {{values: [{}]}}}}, besom: {{dataset: {{source: 'builtin:sketches'}}}}}}",
        list((1..=RATES).map(|n| rate(n).to_string()).collect()),
        list((1..=SIZES).map(|n| (8 * n).to_string()).collect()),
        list((0..DROPOUTS).map(|n| dropout(n).to_string()).collect()),
    )
}

fn rate(n: u32) -> f64 {
    f64::from(n) / 1000.0
}

fn dropout(n: u32) -> f64 {
    f64::from(n) / 100.0
}

fn jobs() -> Vec<NewJob> {
    let mut jobs = Vec::new();
    for size in 1..=SIZES {
        for drop in 0..DROPOUTS {
            for n in 1..=RATES {
                let number = jobs.len() as u32;
                let mut job = new_job(number);
                job.params.insert("batch_size".to_owned(), json!(8 * size));
                job.params.insert("dropout".to_owned(), json!(dropout(drop)));
                job.params.insert("learning_rate".to_owned(), json!(rate(n)));
                jobs.push(NewJob { seed: 1, ..job });
            }
        }
    }
    jobs
}

/// All runs ended: one in fifty diverged, one in a hundred failed.
async fn fill(bench: &Bench, json_type: &str) {
    let jobs = jobs();
    let new = NewSweep {
        text: file(),
        swept: ["learning_rate", "batch_size", "dropout"].map(str::to_owned).to_vec(),
        ..new_sweep("sketches", jobs.len() as u32)
    };
    let (sweep, _) = bench.store.create_sweep(new, None).await.unwrap();
    let mut created = 0;
    for batch in jobs.chunks(5_000) {
        created = bench.store.add_jobs(sweep.id, created, batch.to_vec()).await.unwrap();
    }
    bench.worker("ann").await;
    let matrix: Vec<String> = (0..100).map(|n| (if n % 11 == 0 { 300 } else { n % 7 }).to_string()).collect();
    let matrix = matrix.join(", ");
    let score = "CASE WHEN id % 50 = 0 OR id % 100 = 1 THEN NULL ELSE (id * 7919 % 10007) / 10007.0 END";
    for statement in [
        format!(
            "UPDATE jobs SET attempt = 1, worker_id = 1, slot = id % 4, started_at = 1795455000000000 + id, \
             ended_at = 1795455000000000 + 3 * id, \
             state = CASE WHEN id % 50 = 0 THEN 'diverged' WHEN id % 100 = 1 THEN 'failed' ELSE 'succeeded' END, \
             objective = {score}, score = {score}, final_val_accuracy = {score}, best_val_accuracy = {score}, \
             epochs_done = 5, seconds = (id * 104729 % 10009) / 100.0"
        ),
        "INSERT INTO job_attempts (job_id, attempt, worker_id, slot, request_id, started_at, ended_at, outcome, error) \
         SELECT id, 1, 1, slot, 'wish ' || id, started_at, ended_at, state, \
                CASE WHEN state = 'failed' THEN 'out of memory' END FROM jobs"
            .to_owned(),
        format!(
            "INSERT INTO confusions (job_id, classes, counts) \
             SELECT id, 10, CAST('[{matrix}]' AS {json_type}) FROM jobs WHERE state = 'succeeded'"
        ),
        "UPDATE sweeps SET state = 'completed', ended_at = 1795465000000000, unsummed_after = 0".to_owned(),
        "ANALYZE".to_owned(),
    ] {
        bench.execute(&statement).await.unwrap();
    }
    let start = Instant::now();
    let mut steps = Vec::new();
    loop {
        let step = Instant::now();
        let more = bench.store.catch_up(500).await.unwrap();
        if !more {
            break;
        }
        steps.push(step.elapsed());
    }
    let (weighed, weighing) =
        (bench.store.weigh_due(None).await.unwrap(), start.elapsed() - steps.iter().sum::<Duration>());
    assert_eq!(weighed, 1);
    let longest = steps.iter().max().unwrap();
    println!(
        "  caught up with all runs in {:?}, at most {longest:?} at once; importance in {weighing:?}",
        start.elapsed()
    );
}

/// The page's queries on these views, and looks at the whole of each.
fn questions() -> Vec<(String, String)> {
    let mut questions = Vec::new();
    for section in PAGE.split("\n### ").skip_while(|section| !section.starts_with("11.")) {
        let heading = section.lines().next().unwrap().to_owned();
        if let Some((_, rest)) = section.split_once("```sql\n") {
            questions.push((heading, rest.split("\n```").next().unwrap().to_owned()));
        }
    }
    assert_eq!(questions.len(), 7);
    for (name, sql) in [
        (
            "all of config_stats, summed",
            "SELECT count(*), avg(final_val_accuracy_mean) FROM config_stats WHERE sweep = 'sketches'",
        ),
        (
            "config_stats of one optimizer and size",
            "SELECT * FROM config_stats WHERE sweep = 'sketches' AND batch_size = 32 AND dropout = 0.1",
        ),
        ("all of importance", "SELECT * FROM importance"),
        ("one run by class", "SELECT * FROM per_class WHERE job = 50002"),
        ("one run's confusion", "SELECT * FROM confusion WHERE sweep = 'sketches' AND job = 50002"),
        ("failures, counted", "SELECT outcome, count(*) FROM failures WHERE sweep = 'sketches' GROUP BY outcome"),
        ("all of slowest", "SELECT * FROM slowest"),
    ] {
        questions.push((name.to_owned(), sql.to_owned()));
    }
    questions
}

async fn report(bench: &Bench) {
    let mut late = Vec::new();
    for (name, sql) in questions() {
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let start = Instant::now();
            let rows = bench.query(&sql).await;
            times.push((start.elapsed(), rows.len()));
        }
        times.sort();
        let (median, rows) = times[ROUNDS / 2];
        println!("  {:7.1} ms  {rows:5} rows  {name}", median.as_secs_f64() * 1e3);
        if median > LIMIT {
            late.push(name);
        }
    }
    assert!(late.is_empty(), "slower than {LIMIT:?}: {late:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn no_view_of_a_hundred_thousand_runs_takes_long_on_sqlite() {
    let bench = store_support::sqlite().await;
    fill(&bench, "TEXT").await;
    report(&bench).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn no_view_of_a_hundred_thousand_runs_takes_long_on_postgres() {
    let bench = store_support::postgres().await;
    fill(&bench, "JSONB").await;
    report(&bench).await;
}

/// The most memory that this process has had, in bytes, since it was last asked.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim_end_matches("kB").trim().parse::<u64>().unwrap() << 10
}

/// Importance of a sweep of a million configurations, all of them ended.
async fn weigh_a_million(bench: &Bench, json_type: &str) {
    let list =
        |count: u32, parts: f64| (1..=count).map(|n| (f64::from(n) / parts).to_string()).collect::<Vec<_>>().join(", ");
    let text = format!(
        "{{method: grid, parameters: {{learning_rate: {{values: [{}]}}, batch_size: {{values: [{}]}}, dropout: {{values: \
         [{}]}}}}, besom: {{dataset: {{source: 'builtin:sketches'}}}}}}",
        list(100, 1e4),
        list(200, 1.0),
        list(50, 100.0)
    );
    let new = NewSweep { text, jobs_total: Some(1_000_000), ..new_sweep("s", 1) };
    let (sweep, _) = bench.store.create_sweep(new, None).await.unwrap();
    bench.store.add_jobs(sweep.id, 0, vec![new_job(0)]).await.unwrap();
    let numbers = "WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 999999)";
    let score = "((i * 7919 % 10007) / 10007.0)";
    let hash = match bench.is_sqlite() {
        true => "unhex(printf('%064x', i))",
        false => "decode(lpad(to_hex(i), 64, '0'), 'hex')",
    };
    for statement in [
        format!(
            "INSERT INTO jobs (id, sweep_id, trainer, config_hash, params, seed, engine, device, \
             optimizer, learning_rate, batch_size, epochs, hidden, activation, dropout, state, ended_at) \
             {numbers} \
             SELECT i + 1, {}, 'mlp', {hash}, CAST('{{}}' AS {json_type}), 1, 'native', 'cpu', \
             'sgd', 0.1, 1, 1, '[]', 'relu', 0.0, 'succeeded', 1 FROM g",
            sweep.id
        ),
        format!(
            "INSERT INTO config_sums (sweep_id, job_id, swept, n, diverged, failed, mean) \
             {numbers} \
             SELECT {}, i + 1, CAST('{{\"learning_rate\":' || ((i % 100 + 1) / 10000.0) || ',\"batch_size\":' || \
             (i / 100 % 200 + 1) || ',\"dropout\":' || ((i / 20000 + 1) / 100.0) || '}}' AS {json_type}), 1, 0, 0, {score} FROM g",
            sweep.id
        ),
        "UPDATE sweep_counts SET succeeded = 999999".to_owned(),
    ] {
        bench.execute(&statement).await.unwrap();
    }
    // The first look forgets the peak of all this.
    peak();
    let before = peak();
    let start = Instant::now();
    let found = bench.store.weigh_due(None).await.unwrap();
    println!(
        "  importance of a million configurations: {:?}, {} MiB more",
        start.elapsed(),
        peak().saturating_sub(before) >> 20
    );
    assert_eq!(found, 1);
    let weighed = bench.kept_importance(sweep.id).await;
    println!("  {weighed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn importance_of_a_million_configurations_takes_little_memory_on_sqlite() {
    weigh_a_million(&store_support::sqlite().await, "TEXT").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn importance_of_a_million_configurations_takes_little_memory_on_postgres() {
    weigh_a_million(&store_support::postgres().await, "JSONB").await;
}
