use besom_coordinator::{
    domain::{BestRun, Completion, JobId, JobOutcome, NewWorker, RetryPolicy, SweepId},
    store::{StoreError, SweepCommand},
};

use crate::store_support::{
    Bench, assert_invalid_state, at, completion, new_sweep, new_worker, record, reported, request, succeeded,
};

pub(crate) async fn the_best_runs_come_by_score_then_by_job(bench: Bench) {
    let sweep = bench.sweep("s", 6).await;
    let worker = bench.worker("w").await;
    let jobs = bench.acquire(worker, 5, at(1.0)).await;
    for (n, accuracy) in [(1, 0.5), (2, 0.9), (3, 0.5)] {
        bench.complete(succeeded(jobs[n].at, vec![record(1, accuracy)]), at(2.0)).await;
    }
    bench.complete(completion(jobs[0].at, JobOutcome::Diverged, vec![record(1, 0.99)]), at(2.0)).await;
    let first = jobs[0].at.job.0;
    let order: Vec<i64> = bench.leaders(sweep.id).await.iter().map(|run| run.job.0 - first).collect();
    assert_eq!(order, [2, 1, 3], "a run without a score is not among them");
    let order: Vec<i64> = bench.runs(sweep.id).await.iter().map(|run| run.job.0 - first).collect();
    assert_eq!(order, [0, 1, 2, 3, 4, 5]);
}

pub(crate) async fn runs_are_read_after_a_job_and_only_those_of_the_sweep(bench: Bench) {
    let sweep = bench.sweep("s", 5).await;
    bench.sweep("other", 3).await;
    let all: Vec<_> = bench.runs(sweep.id).await.iter().map(|run| run.job).collect();
    let (mut after, mut found) = (JobId(0), Vec::new());
    loop {
        let page = format!("SELECT job FROM runs WHERE sweep = 's' AND job > {after} ORDER BY job LIMIT 2");
        let page: Vec<JobId> = bench.rows(&page).await.iter().map(crate::store_support::views::Row::job).collect();
        let Some(last) = page.last() else { break };
        after = *last;
        found.extend(page);
    }
    assert_eq!(found, all);
}

pub(crate) async fn history_and_attempts_show_what_runs(bench: Bench) {
    let sweep = bench.sweep("s", 5).await;
    let worker = bench.worker("w").await;
    let jobs = bench.acquire(worker, 4, at(1.0)).await;
    // The second has no record yet.
    let records = || vec![record(1, 0.1), record(2, 0.2)];
    for n in [0, 2, 3] {
        bench.report(worker, vec![reported(jobs[n].at, records())], at(2.0)).await;
    }
    assert_eq!(bench.history(sweep.id).await, [0, 2, 3].map(|n: usize| (jobs[n].at, records())));
    let rows = bench.attempts(sweep.id).await;
    assert_eq!(rows.iter().map(|row| row.at).collect::<Vec<_>>(), jobs.iter().map(|job| job.at).collect::<Vec<_>>());
    assert_eq!((rows[1].worker.as_str(), rows[1].slot, rows[1].started_at), ("w", 1, at(1.0).unwrap()));
    assert_eq!((rows[1].ended_at, rows[1].outcome, &rows[1].error), (None, None, &None));
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
    let best = BestRun { job: first[0].at.job, objective: 0.2, params: crate::store_support::new_job(0).params };
    assert_eq!(progress.best, Some(best));
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
    assert!(bench.history(sweep.id).await.is_empty());
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
    assert_eq!(reader.find_sweep("s").await.unwrap().counts.succeeded, 2);
    assert_eq!(reader.progress(sweep.id).await.unwrap().best.unwrap().objective, 0.6);
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
    assert!(bench.history(SweepId(1)).await.is_empty());
    assert!(bench.attempts(SweepId(1)).await.is_empty());
    assert!(bench.confusions(SweepId(1)).await.is_empty());
    assert!(bench.configs(SweepId(1)).await.is_empty());
    assert!(bench.kept_importance(SweepId(1)).await.is_none() && bench.store.settle_importance(None).await.unwrap());
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
