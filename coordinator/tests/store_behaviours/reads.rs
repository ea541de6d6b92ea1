use besom_coordinator::{
    domain::{Completion, JobOutcome, JobState, NewWorker, RetryPolicy, SweepId},
    store::{HistoryPlace, RunQuery, StoreError, SweepCommand},
};

use crate::store_support::{
    Bench, assert_invalid_state, at, completion, new_sweep, new_worker, record, reported, request, succeeded,
};

pub(crate) async fn runs_come_by_score_then_by_job_and_those_without_one_last(bench: Bench) {
    let sweep = bench.sweep("s", 6).await;
    let worker = bench.worker("w").await;
    let jobs = bench.acquire(worker, 5, at(1.0)).await;
    for (n, accuracy) in [(1, 0.5), (2, 0.9), (3, 0.5)] {
        bench.complete(succeeded(jobs[n].at, vec![record(1, accuracy)]), at(2.0)).await;
    }
    bench.complete(completion(jobs[0].at, JobOutcome::Diverged, vec![record(1, 0.99)]), at(2.0)).await;
    let first = jobs[0].at.job.0;
    let order: Vec<i64> = bench.leaders(sweep.id).await.iter().map(|run| run.job.0 - first).collect();
    assert_eq!(order, [2, 1, 3, 0, 4, 5]);
    let order: Vec<i64> = bench.runs(sweep.id).await.iter().map(|run| run.job.0 - first).collect();
    assert_eq!(order, [0, 1, 2, 3, 4, 5]);
}

pub(crate) async fn runs_are_read_in_pages(bench: Bench) {
    bench.sweep("other", 3).await;
    let sweep = bench.sweep("s", 5).await;
    for best_first in [false, true] {
        let mut jobs = Vec::new();
        for page in 0..3 {
            let query = RunQuery { sweep: sweep.id, best_first, limit: 2, offset: page * 2 };
            jobs.extend(bench.store.runs(query).await.unwrap().iter().map(|run| run.job));
        }
        assert_eq!(jobs, bench.runs(sweep.id).await.iter().map(|run| run.job).collect::<Vec<_>>());
    }
    let beyond = RunQuery { sweep: sweep.id, best_first: true, limit: 9, offset: u64::MAX };
    assert!(bench.store.runs(beyond).await.unwrap().is_empty());
}

pub(crate) async fn runs_are_read_after_a_job_and_only_those_of_the_sweep(bench: Bench) {
    let sweep = bench.sweep("s", 5).await;
    bench.sweep("other", 3).await;
    let all = bench.runs(sweep.id).await;
    let (mut after, mut found) = (None, Vec::new());
    loop {
        let page = bench.store.runs_after(sweep.id, after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.job);
        found.extend(page);
    }
    assert_eq!(found, all);
    let before_third = Some(all[1].job);
    assert_eq!(bench.store.runs_after(sweep.id, before_third, 1).await.unwrap(), all[2..3]);
}

pub(crate) async fn history_and_attempts_are_read_in_pages_of_jobs(bench: Bench) {
    let sweep = bench.sweep("s", 5).await;
    let worker = bench.worker("w").await;
    let jobs = bench.acquire(worker, 4, at(1.0)).await;
    // The second has no record yet: the page must not end because of it.
    for n in [0, 2, 3] {
        bench.report(worker, vec![reported(jobs[n].at, vec![record(1, 0.1), record(2, 0.2)])], at(2.0)).await;
    }
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let page = bench.store.history(sweep.id, after, 1).await.unwrap();
        let Some((last, records)) = page.last() else { break };
        assert_eq!(records.len(), 2);
        after = Some(HistoryPlace { at: *last, epoch: 2 });
        pages.push(*last);
    }
    assert_eq!(pages, [jobs[0].at, jobs[2].at, jobs[3].at]);
    let rows = bench.store.attempts(sweep.id, Some(jobs[0].at.job), 2).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.at).collect::<Vec<_>>(), [jobs[1].at, jobs[2].at]);
    assert_eq!((rows[0].worker.as_str(), rows[0].slot, rows[0].started_at), ("w", 1, at(1.0).unwrap()));
    assert_eq!((rows[0].ended_at, rows[0].outcome, &rows[0].error), (None, None, &None));
}

pub(crate) async fn progress_counts_epochs_and_shows_who_trains_what(bench: Bench) {
    let sweep = bench.sweep("s", 4).await;
    let (ann, bob) = (bench.worker("ann").await, bench.worker("bob").await);
    let fresh = bench.store.progress(sweep.id).await.unwrap();
    assert_eq!((fresh.epochs_done, fresh.epochs_total, fresh.best), (0, 20, None));
    let first = bench.acquire(bob, 2, at(1.0)).await;
    let second = bench.acquire(ann, 1, at(1.0)).await;
    // Ended by patience after two of five epochs: nothing of it is left to do.
    bench.complete(succeeded(first[0].at, vec![record(1, 0.1), record(2, 0.2)]), at(2.0)).await;
    bench.report(bob, vec![reported(first[1].at, vec![record(1, 0.3), record(2, 0.4), record(3, 0.5)])], at(3.0)).await;
    let progress = bench.store.progress(sweep.id).await.unwrap();
    assert_eq!((progress.epochs_done, progress.epochs_total), (5 + 3, 20));
    assert_eq!(progress.epoch_seconds, 5.0 * 0.25);
    assert_eq!(progress.sweep, bench.store.find_sweep("s").await.unwrap());
    assert_eq!(progress.best.unwrap().job, first[0].at.job);
    let running: Vec<_> = progress.running.iter().map(|job| (job.worker.as_str(), job.slot, job.at)).collect();
    assert_eq!(running, [("ann", 0, second[0].at), ("bob", 1, first[1].at)]);
    assert_eq!(progress.running[0].latest, None);
    assert_eq!(progress.running[1].latest, Some(record(3, 0.5)));
    assert_eq!((progress.running[1].seed, progress.running[1].epochs), (2, 5));
    assert_eq!(progress.running[1].params, crate::store_support::new_job(1).params);
    let unknown = bench.store.progress(SweepId(77)).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { .. })), "{unknown:?}");
}

pub(crate) async fn records_of_a_lost_attempt_do_not_count(bench: Bench) {
    let sweep = bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(0.0)).await.remove(0).at;
    bench.report(worker, vec![reported(job, vec![record(1, 0.1), record(2, 0.2)])], at(1.0)).await;
    bench.store.expire(RetryPolicy::default(), 9, at(40.0)).await.unwrap();
    let progress = bench.store.progress(sweep.id).await.unwrap();
    assert_eq!((progress.epochs_done, progress.epoch_seconds), (0, 0.0));
    assert!(bench.store.history(sweep.id, None, 9).await.unwrap().is_empty());
    // They are kept all the same.
    assert_eq!(bench.query("SELECT count(*) FROM epochs WHERE attempt = 1").await, [["2"]]);
}

pub(crate) async fn a_worker_registers_again_under_its_instance(bench: Bench) {
    let first = bench.worker("w").await;
    let renamed = NewWorker { name: "other".to_owned(), slots: 9, ..new_worker("w") };
    assert_eq!(bench.store.register_worker(renamed.clone(), at(5.0)).await.unwrap(), first);
    let second = bench.worker("second").await;
    assert_ne!(first, second);
    // Who is listed is judged by the present: these have just called.
    for new in [renamed.clone(), new_worker("second")] {
        bench.store.register_worker(new, None).await.unwrap();
    }
    let workers = bench.store.workers(false).await.unwrap();
    assert_eq!(workers.iter().map(|row| row.id).collect::<Vec<_>>(), [first, second]);
    assert_eq!(workers[0].new, renamed);
    assert!(workers[0].last_seen_ms_ago < 60_000, "{workers:?}");
}

pub(crate) async fn workers_show_what_they_hold_and_whether_they_left(bench: Bench) {
    bench.sweep("s", 3).await;
    let old = NewWorker { instance: "old".to_owned(), ..new_worker("old") };
    bench.store.register_worker(old, at(-400.0 * 86_400.0)).await.unwrap();
    let busy = bench.store.register_worker(new_worker("busy"), None).await.unwrap();
    let gone = bench.store.register_worker(new_worker("gone"), None).await.unwrap();
    bench.store.acquire(request(busy, 2), None).await.unwrap();
    bench.store.release(gone, Vec::new(), true, None).await.unwrap();
    let workers = bench.store.workers(false).await.unwrap();
    let seen: Vec<_> = workers.iter().map(|row| (row.id, row.running, row.left)).collect();
    assert_eq!(seen, [(busy, 2, false), (gone, 0, true)]);
}

pub(crate) async fn a_store_for_reading_reads_and_refuses_changes(bench: Bench) {
    let sweep = bench.sweep("s", 2).await;
    let worker = bench.worker("w").await;
    let job = bench.train_one(worker, 0.5, at(1.0)).await;
    let reader = bench.read_only().await;
    reader.ping().await.unwrap();
    assert_eq!(reader.list_sweeps().await.unwrap(), bench.store.list_sweeps().await.unwrap());
    // It sees what is written after it was opened.
    bench.train_one(worker, 0.6, at(2.0)).await;
    let query = RunQuery { sweep: sweep.id, best_first: true, limit: 9, offset: 0 };
    let runs = reader.runs(query).await.unwrap();
    assert_eq!(runs, bench.leaders(sweep.id).await);
    assert!(runs.iter().all(|run| run.state == JobState::Succeeded));
    let words = "reading only";
    assert_invalid_state(reader.create_sweep(new_sweep("t", 1), None).await, words);
    assert_invalid_state(reader.add_jobs(sweep.id, 2, vec![]).await, words);
    assert_invalid_state(reader.command_sweep(sweep.id, SweepCommand::Cancel, None).await, words);
    assert_invalid_state(reader.register_worker(new_worker("x"), None).await, words);
    assert_invalid_state(reader.acquire(request(worker, 1), None).await, words);
    assert_invalid_state(reader.report(worker, vec![], crate::store_support::TTL, None).await, words);
    let done = Completion { epochs: vec![record(1, 0.1)], ..succeeded(job, vec![]) };
    assert_invalid_state(reader.complete(done, RetryPolicy::default(), None).await, words);
    assert_invalid_state(reader.release(worker, vec![], true, None).await, words);
    assert_invalid_state(reader.expire(RetryPolicy::default(), 9, None).await, words);
}

pub(crate) async fn every_read_of_an_empty_store_is_empty(bench: Bench) {
    bench.store.ping().await.unwrap();
    assert!(bench.store.list_sweeps().await.unwrap().is_empty());
    assert!(bench.store.unexpanded_sweeps().await.unwrap().is_empty());
    assert!(bench.store.workers(false).await.unwrap().is_empty());
    assert!(bench.runs(SweepId(1)).await.is_empty());
    assert!(bench.store.history(SweepId(1), None, 9).await.unwrap().is_empty());
    assert!(bench.store.attempts(SweepId(1), None, 9).await.unwrap().is_empty());
    assert!(bench.store.confusions(SweepId(1), None, 9).await.unwrap().is_empty());
    assert!(bench.store.config_stats(SweepId(1), None, 9).await.unwrap().is_empty());
    assert!(bench.store.importance(SweepId(1)).await.unwrap().is_none());
    assert!(!bench.store.catch_up(9).await.unwrap());
    for view in [
        "runs",
        "history",
        "best_runs",
        "sweep_progress",
        "worker_status",
        "config_stats",
        "importance",
        "per_class",
        "confusion",
        "failures",
        "slowest",
    ] {
        assert!(bench.query(&format!("SELECT * FROM {view}")).await.is_empty(), "{view}");
    }
}

pub(crate) async fn a_worker_that_has_not_called_for_two_leases_is_gone_and_leaves_the_list_after_a_day(bench: Bench) {
    bench.sweep("s", 1).await;
    let mut workers = Vec::new();
    for name in ["calls", "silent", "left", "old", "idle"] {
        workers.push(bench.store.register_worker(new_worker(name), None).await.unwrap());
    }
    bench.store.acquire(request(workers[3], 1), None).await.unwrap();
    bench.store.release(workers[2], Vec::new(), true, None).await.unwrap();
    let seen = |name: &str, seconds: i64| {
        let micros = seconds * 1_000_000;
        format!("UPDATE workers SET last_seen_at = last_seen_at - {micros} WHERE name = '{name}'")
    };
    for (name, seconds) in [("calls", 50), ("silent", 65), ("left", 65), ("old", 86_460), ("idle", 86_460)] {
        bench.execute(&seen(name, seconds)).await.unwrap();
    }
    let standing = async |all| {
        let rows = bench.store.workers(all).await.unwrap();
        rows.into_iter().map(|row| (row.new.name, row.left, row.gone)).collect::<Vec<_>>()
    };
    let row = |name: &str, left, gone| (name.to_owned(), left, gone);
    let listed = [row("calls", false, false), row("silent", false, true), row("left", true, false)];
    assert_eq!(standing(false).await, listed);
    let mut all = listed.to_vec();
    all.push(row("old", false, true));
    assert_eq!(standing(true).await, all, "who never held a job has nothing to show");
    let view = bench.query("SELECT worker, state FROM worker_status ORDER BY worker_id").await;
    assert_eq!(view, [["calls", "present"], ["silent", "gone"], ["left", "left"]]);
}

pub(crate) async fn a_worker_that_only_waits_costs_no_commit_and_is_noted_with_others(bench: Bench) {
    let mut workers = Vec::new();
    for name in ["a", "b", "c"] {
        workers.push(bench.store.register_worker(new_worker(name), at(0.0)).await.unwrap());
    }
    let seen = "SELECT last_seen_at FROM workers ORDER BY id";
    let before = bench.query(seen).await;
    for second in 1..=60 {
        bench.acquire(workers[0], 1, at(f64::from(second))).await;
    }
    assert_eq!(bench.query(seen).await, before);
    let ago = |worker: usize, seconds| (workers[worker], std::time::Duration::from_secs(seconds));
    bench.store.note_seen(vec![ago(0, 0), ago(1, 7)]).await.unwrap();
    let after = bench.query(seen).await;
    let [first, second] = [0, 1].map(|worker: usize| after[worker][0].parse::<i64>().unwrap());
    assert!(after[0] > before[0] && after[1] > before[1], "{after:?}");
    assert_eq!((first - second, &after[2]), (7_000_000, &before[2]));
}
