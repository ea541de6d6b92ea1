//! Removing a sweep: at once for everybody, bit by bit in the tables.

use std::collections::{BTreeMap, BTreeSet};

use besom_coordinator::domain::{
    AttemptRef, Completion, Confusion, Counts, Digest, Directive, JobOutcome, NewSweep, Removal, RetryPolicy, SweepId,
    Timestamp, WorkerId, WriteResult,
};
use besom_coordinator::store::{StoreError, SweepCommand};

use super::statistics::grid;
use crate::store_support::{
    Bench, TTL, assert_invalid_state, at, completion, digest, new_job, new_sweep, record, reported, succeeded,
};

/// All that a sweep can have: sums, importance, a matrix, models, an attempt that was lost and one
/// that went on from it, a failure, a job that diverged.
async fn full(bench: &Bench, name: &str, worker: WorkerId, model: &Digest) -> SweepId {
    let sweep = grid(bench, name).await;
    let lost = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    bench.report(worker, vec![reported(lost, vec![record(1, 0.5), record(2, 0.6)])], at(2.0)).await;
    assert_eq!(bench.store.expire(RetryPolicy::default(), 9, at(100.0)).await.unwrap().len(), 1);
    let jobs = bench.acquire(worker, 12, at(200.0)).await;
    for (number, job) in jobs.iter().enumerate() {
        let epochs = vec![record(1, 0.1 + 0.05 * number as f64)];
        let done = match number {
            3 => completion(job.at, JobOutcome::Failed { error: "no".to_owned(), retryable: false }, epochs),
            4 => completion(job.at, JobOutcome::Diverged, epochs),
            _ => Completion {
                confusion: Some(Confusion {
                    classes: 2,
                    counts: Counts::Pairs(BTreeMap::from([(0, 3), (1, 1), (3, 4)])),
                }),
                final_model: Some(model.clone()),
                best_model: Some(model.clone()),
                ..succeeded(job.at, epochs)
            },
        };
        assert_eq!(bench.complete(done, at(201.0)).await, WriteResult::Accepted);
    }
    let AttemptRef { job, .. } = lost;
    // A later attempt that went on from the lost one, as no trainer's does yet.
    let resumed = format!(
        "INSERT INTO job_attempts (job_id, attempt, worker_id, slot, request_id, lease, started_at, ended_at, outcome, \
         resumed_from, resumed_step) SELECT job_id, 9, worker_id, slot, 'resumed', 9, started_at, started_at, 'released', 1, 2 \
         FROM job_attempts WHERE job_id = {job} AND attempt = 1"
    );
    bench.execute(&resumed).await.unwrap();
    bench.store.weigh_due(at(300.0)).await.unwrap();
    sweep.id
}

/// The tables whose rows belong to a sweep, by the foreign keys that lead to it.
async fn tables(bench: &Bench) -> BTreeSet<String> {
    let keys = match bench.is_sqlite() {
        true => {
            "SELECT m.name, f.\"table\" FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'"
        }
        false => "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'",
    };
    let keys = bench.query(keys).await;
    let mut found = BTreeSet::from(["sweeps".to_owned()]);
    loop {
        let more: Vec<String> = keys
            .iter()
            .filter(|key| found.contains(&key[1]) && !found.contains(&key[0]))
            .map(|key| key[0].clone())
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

/// All rows of these tables or views.
async fn rows(bench: &Bench, of: impl IntoIterator<Item = &str>) -> BTreeMap<String, Vec<Vec<String>>> {
    let mut all = BTreeMap::new();
    for name in of {
        let mut rows = bench.query(&format!("SELECT * FROM {name}")).await;
        rows.sort();
        all.insert(name.to_owned(), rows);
    }
    all
}

async fn rows_of_tables(bench: &Bench) -> BTreeMap<String, Vec<Vec<String>>> {
    rows(bench, tables(bench).await.iter().map(String::as_str)).await
}

/// What people see: every view but that of the workers.
const VIEWS: [&str; 11] = [
    "runs",
    "best_runs",
    "history",
    "sweep_progress",
    "config_stats",
    "importance",
    "confusion",
    "per_class",
    "attempts",
    "failures",
    "slowest",
];

async fn artifacts(bench: &Bench) -> Vec<String> {
    bench.query("SELECT digest FROM artifacts ORDER BY digest").await.into_iter().flatten().collect()
}

/// Removes what is to go, so many jobs at a time; in how many transactions.
async fn remove_all(bench: &Bench, jobs: u32) -> u32 {
    let mut steps = 0;
    while bench.store.remove_some(jobs, at(1_000_000.0)).await.unwrap() {
        steps += 1;
        assert!(steps < 100, "it ends");
    }
    steps
}

fn gone<T: std::fmt::Debug>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::NotFound { .. }))
}

pub(crate) async fn nothing_is_left_of_a_removed_sweep_and_all_of_the_others(bench: Bench) {
    let worker = bench.worker("w").await;
    let (kept, own) = (bench.artifact(1).await, bench.artifact(2).await);
    full(&bench, "kept", worker, &kept).await;
    let (before, shown) = (rows_of_tables(&bench).await, rows(&bench, VIEWS).await);
    assert!(shown.values().all(|rows| !rows.is_empty()), "every view shows something");
    let removed = full(&bench, "removed", worker, &own).await;
    for (table, rows) in rows_of_tables(&bench).await {
        assert!(rows.len() > before[&table].len(), "{table} has no row of the sweep, so this shows nothing of it");
    }
    let worth = Removal { jobs: 12, epochs: 12, artifacts: 1, bytes: 1 };
    assert_eq!(bench.store.removal(removed).await.unwrap(), worth);

    bench.store.remove_sweep(removed).await.unwrap();
    assert_eq!(bench.store.left_of(removed).await.unwrap(), Some(12));
    assert_eq!(rows(&bench, VIEWS).await, shown, "nobody sees it any more, whatever the tables hold");
    // Twelve jobs, one at a time, and then the sweep itself.
    for left in (0..12).rev() {
        assert!(bench.store.remove_some(1, at(1_000_000.0)).await.unwrap());
        assert_eq!(bench.store.left_of(removed).await.unwrap(), Some(left));
        assert_eq!(rows(&bench, VIEWS).await, shown, "with {left} jobs left");
    }
    assert_eq!(remove_all(&bench, 1).await, 1);
    assert_eq!(bench.store.left_of(removed).await.unwrap(), None);
    assert_eq!(rows_of_tables(&bench).await, before);
    assert_eq!(artifacts(&bench).await, [kept.as_str()]);
    if bench.is_sqlite() {
        let dropped = bench.query("SELECT digest FROM artifacts_dropped").await;
        assert_eq!(dropped, [[own.as_str()]], "its file goes next");
    }
}

pub(crate) async fn artifacts_go_with_the_last_sweep_that_names_them_unless_somebody_just_asked(bench: Bench) {
    let worker = bench.worker("w").await;
    let [shared, own, asked] = [1, 2, 3].map(digest);
    for n in 1..=3 {
        bench.artifact(n).await;
    }
    bench
        .execute(&format!(
            "INSERT INTO artifacts (digest, kind, size, created_at) VALUES ('{}', 'dataset', 5, 0)",
            digest(0xda7a)
        ))
        .await
        .unwrap();
    let hour = 3_600_000_000;
    let late = |hours: i64| Some(Timestamp(at(0.0).unwrap().0 + hours * hour));
    let ask = async |hours: i64| {
        let asked_at = late(hours).unwrap().0;
        bench.execute(&format!("UPDATE artifacts SET asked_at = {asked_at} WHERE digest = '{asked}'")).await.unwrap();
    };
    let mut sweeps = Vec::new();
    for (name, models) in [("one", [&shared, &own, &asked]), ("two", [&shared, &shared, &shared])] {
        let sweep = bench.sweep(name, 3).await;
        for model in models {
            let job = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
            let done = Completion { final_model: Some(model.clone()), ..succeeded(job, vec![record(1, 0.5)]) };
            assert_eq!(bench.complete(done, at(2.0)).await, WriteResult::Accepted);
        }
        sweeps.push(sweep.id);
    }
    assert_eq!(bench.store.removal(sweeps[0]).await.unwrap(), Removal { jobs: 3, epochs: 3, artifacts: 2, bytes: 2 });
    ask(2).await;
    bench.store.remove_sweep(sweeps[0]).await.unwrap();
    while bench.store.remove_some(200, late(3)).await.unwrap() {}
    let dataset = digest(0xda7a);
    // Asked for an hour ago: whoever was told that it is there may be about to name it.
    assert_eq!(artifacts(&bench).await, [&shared, &asked, &dataset].map(Digest::as_str));
    assert_eq!(bench.store.removal(sweeps[1]).await.unwrap(), Removal { jobs: 3, epochs: 3, artifacts: 2, bytes: 6 });
    bench.store.remove_sweep(sweeps[1]).await.unwrap();
    while bench.store.remove_some(200, late(3)).await.unwrap() {}
    assert_eq!(artifacts(&bench).await, [asked.as_str()]);
}

pub(crate) async fn only_an_ended_sweep_is_removed(bench: Bench) {
    let sweep = bench.sweep("digits", 2).await;
    let refused = async |words: &str| {
        let before = rows_of_tables(&bench).await;
        assert_invalid_state(bench.store.removal(sweep.id).await, words);
        assert_invalid_state(bench.store.remove_sweep(sweep.id).await, words);
        assert!(!bench.store.remove_some(200, None).await.unwrap());
        assert_eq!(rows_of_tables(&bench).await, before);
    };
    refused("sweep \"digits\" is active and cannot be removed; `besom cancel` ends it first").await;
    bench.store.command_sweep(sweep.id, SweepCommand::Pause, at(1.0)).await.unwrap();
    refused("is paused and cannot be removed").await;
    bench.store.command_sweep(sweep.id, SweepCommand::Cancel, at(2.0)).await.unwrap();
    bench.store.remove_sweep(sweep.id).await.unwrap();
    assert!(gone(&bench.store.remove_sweep(sweep.id).await), "nobody finds it any more");
    assert!(gone(&bench.store.removal(sweep.id).await));
    assert_eq!(remove_all(&bench, 200).await, 2);
    assert!(gone(&bench.store.remove_sweep(sweep.id).await));
    assert!(rows_of_tables(&bench).await.values().all(Vec::is_empty));
    let unknown = bench.store.find_sweep("digits").await.unwrap_err().to_string();
    assert_eq!(unknown, "no sweep \"digits\"");
}

/// The name is free at once, and what is begun under it has nothing to do with what was there.
pub(crate) async fn a_removed_sweep_answers_to_nothing_and_its_name_is_free(bench: Bench) {
    let worker = bench.worker("w").await;
    let model = bench.artifact(1).await;
    let old = full(&bench, "s", worker, &model).await;
    bench.store.remove_sweep(old).await.unwrap();
    assert!(gone(&bench.store.find_sweep("s").await) && gone(&bench.store.find_sweep(&old.to_string()).await));
    assert!(gone(&bench.store.progress(old).await) && gone(&bench.store.retry_sweep(old, None, at(500.0)).await));
    assert!(gone(&bench.store.command_sweep(old, SweepCommand::Cancel, at(500.0)).await));
    assert!(gone(&bench.store.add_jobs(old, 12, vec![new_job(99)]).await));
    assert_eq!(bench.store.list_sweeps().await.unwrap(), []);
    assert_eq!(bench.store.unexpanded_sweeps().await.unwrap(), []);
    assert_eq!(bench.store.weigh_due(at(9_000.0)).await.unwrap(), 0);

    let new = full(&bench, "s", worker, &model).await;
    assert_ne!(new, old);
    let shown = rows(&bench, VIEWS).await;
    remove_all(&bench, 5).await;
    assert_eq!(rows(&bench, VIEWS).await, shown);
    assert_eq!(bench.store.find_sweep("s").await.unwrap().id, new);
    assert_eq!(artifacts(&bench).await, [model.as_str()], "the new one has the same model");
}

/// Each step is done by a process that dies after it.
pub(crate) async fn a_removal_goes_on_after_a_kill_at_any_point(mut bench: Bench) {
    let worker = bench.worker("w").await;
    let model = bench.artifact(1).await;
    let sweep = full(&bench, "s", worker, &model).await;
    bench.store.remove_sweep(sweep).await.unwrap();
    let mut left = vec![bench.store.left_of(sweep).await.unwrap()];
    while bench.store.remove_some(3, at(1_000_000.0)).await.unwrap() {
        bench = bench.reopen().await;
        left.push(bench.store.left_of(sweep).await.unwrap());
    }
    assert_eq!(left, [Some(12), Some(9), Some(6), Some(3), Some(0), None]);
    assert!(rows_of_tables(&bench).await.values().all(Vec::is_empty));
    assert_eq!(artifacts(&bench).await, <[&str; 0]>::default());
}

pub(crate) async fn two_that_remove_at_once_do_not_stand_in_each_others_way(bench: Bench) {
    let worker = bench.worker("w").await;
    let model = bench.artifact(1).await;
    for name in ["a", "b"] {
        let sweep = full(&bench, name, worker, &model).await;
        bench.store.remove_sweep(sweep).await.unwrap();
    }
    let second = bench.second().await;
    let remove = async |store: &crate::store_support::Client| {
        while store.remove_some(2, at(1_000_000.0)).await.unwrap() {}
    };
    tokio::join!(remove(&bench.store), remove(&second));
    // What one found held by the other it left to it.
    remove_all(&bench, 2).await;
    assert!(rows_of_tables(&bench).await.values().all(Vec::is_empty));
}

/// Numbers are never given again, so nothing of what a late worker sends can hit what is there now.
pub(crate) async fn a_late_worker_of_a_removed_sweep_has_lost_its_lease(bench: Bench) {
    let worker = bench.worker("w").await;
    bench.sweep("older", 1).await;
    bench.train_one(worker, 0.5, at(0.5)).await;
    let newest = bench.sweep("newest", 3).await;
    let jobs = bench.acquire(worker, 3, at(1.0)).await;
    bench.store.command_sweep(newest.id, SweepCommand::Cancel, at(2.0)).await.unwrap();
    let late = async || {
        let ats: Vec<AttemptRef> = jobs.iter().map(|job| job.at).collect();
        let reports = ats.iter().map(|&at| reported(at, vec![record(1, 0.5)])).collect();
        let told = bench.store.report(worker, reports, TTL, at(5.0)).await.unwrap();
        let done = bench.complete(succeeded(ats[0], vec![record(1, 0.9)]), at(5.0)).await;
        let released = bench.store.release(worker, ats, false, at(5.0)).await.unwrap();
        (told, done, released)
    };
    let cancelled = (vec![Directive::Cancelled; 3], WriteResult::Cancelled, vec![WriteResult::Cancelled; 3]);
    assert_eq!(late().await, cancelled);
    let lost = (vec![Directive::LeaseLost; 3], WriteResult::LeaseLost, vec![WriteResult::LeaseLost; 3]);
    bench.store.remove_sweep(newest.id).await.unwrap();
    assert_eq!(late().await, lost, "its rows are still there");
    assert!(bench.store.remove_some(1, at(3.0)).await.unwrap());
    assert_eq!(late().await, lost, "one job is gone");
    remove_all(&bench, 200).await;
    assert_eq!(late().await, lost, "all of them are");

    let next = bench.sweep("newest", 3).await;
    assert!(next.id > newest.id);
    let again = bench.acquire(worker, 3, at(4.0)).await;
    assert!(again.iter().all(|job| jobs.iter().all(|old| old.at.job < job.at.job)), "no number comes twice");
    let before = rows_of_tables(&bench).await;
    assert_eq!(late().await, lost);
    assert_eq!(rows_of_tables(&bench).await, before, "nothing of it arrives");
}

/// A job may have more records than one short transaction removes, and so may many jobs together.
pub(crate) async fn many_records_are_removed_in_parts(bench: Bench) {
    let worker = bench.worker("w").await;
    let sweep = bench.sweep_of(NewSweep { ..new_sweep("s", 3) }).await;
    let jobs: Vec<i64> = bench.acquire(worker, 3, at(1.0)).await.iter().map(|job| job.at.job.0).collect();
    for (job, records) in [(jobs[0], 45_000), (jobs[1], 15_000), (jobs[2], 15_000)] {
        let many = format!(
            "INSERT INTO epochs (job_id, attempt, step, metrics) \
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {records}) \
             SELECT {job}, 1, i, '{{}}' FROM n"
        );
        assert_eq!(bench.execute(&many).await.unwrap(), records);
    }
    bench.store.command_sweep(sweep.id, SweepCommand::Cancel, at(2.0)).await.unwrap();
    bench.store.remove_sweep(sweep.id).await.unwrap();
    let count = async || -> i64 { bench.query("SELECT count(*) FROM epochs").await[0][0].parse().unwrap() };
    let mut left = vec![count().await];
    while bench.store.remove_some(200, at(3.0)).await.unwrap() {
        left.push(count().await);
    }
    // Twice a part of the first job, then what is left of it with the next one, then the last one,
    // and the sweep itself.
    assert_eq!(left, [75_000, 55_000, 35_000, 15_000, 0, 0]);
}
