use besom_coordinator::{
    domain::{AttemptOutcome, Directive, JobId, JobOutcome, JobState, RetryPolicy, SweepId, SweepState, WriteResult},
    store::{StoreError, SweepCommand},
};

use super::statistics::grid;
use crate::store_support::{
    Bench, assert_invalid_state, at, completion, failed, new_job, new_sweep, record, reported, request, succeeded,
};

/// The kept counts and sums, which must be those that the jobs add up to.
async fn counts(bench: &Bench) -> [u64; 7] {
    let kept = bench
        .query(
            "SELECT c.sweep_id, c.succeeded, c.stopped, c.diverged, c.failed, c.cancelled, c.epochs_ended, \
             CAST(1000 * c.epoch_seconds + 0.5 AS BIGINT) FROM sweep_counts c ORDER BY 1",
        )
        .await;
    let counted = bench
        .query(
            "SELECT sweep_id, count(*) FILTER (WHERE state = 'succeeded'), count(*) FILTER (WHERE state = 'stopped'), \
             count(*) FILTER (WHERE state = 'diverged'), count(*) FILTER (WHERE state = 'failed'), \
             count(*) FILTER (WHERE state = 'cancelled'), \
             CAST(COALESCE(sum(epochs) FILTER (WHERE state NOT IN ('queued', 'running')), 0) AS BIGINT), \
             CAST(1000 * COALESCE(sum(epoch_seconds), 0.0) + 0.5 AS BIGINT) FROM jobs GROUP BY sweep_id ORDER BY 1",
        )
        .await;
    assert_eq!(kept, counted);
    let kept = bench.store.list_sweeps().await.unwrap().pop().unwrap().counts;
    [kept.queued, kept.running, kept.succeeded, kept.stopped, kept.diverged, kept.failed, kept.cancelled]
}

pub(crate) async fn failed_jobs_of_a_completed_sweep_return_to_the_queue(bench: Bench) {
    let sweep = bench.sweep("s", 4).await;
    let worker = bench.worker("w").await;
    let jobs = bench.acquire(worker, 4, at(1.0)).await;
    bench.complete(succeeded(jobs[0].at, vec![record(1, 0.5)]), at(2.0)).await;
    bench.complete(completion(jobs[1].at, JobOutcome::Diverged, vec![record(1, 0.5)]), at(2.0)).await;
    let outcome = JobOutcome::Failed { error: "never".to_owned(), retryable: false };
    bench.complete(completion(jobs[2].at, outcome, vec![record(1, 0.5), record(2, 0.5)]), at(2.0)).await;
    bench.complete(failed(jobs[3].at, "never", false), at(2.0)).await;
    assert_eq!(bench.store.find_sweep("s").await.unwrap().state, SweepState::Completed);
    assert_eq!(counts(&bench).await, [0, 0, 1, 0, 1, 2, 0]);

    let retried = bench.store.retry_sweep(sweep.id, None, at(3.0)).await.unwrap();
    assert_eq!((retried.jobs, retried.sweep.state), (2, SweepState::Active));
    assert_eq!(counts(&bench).await, [2, 0, 1, 0, 1, 0, 0]);
    let ended = bench.query("SELECT ended_at FROM sweep_progress").await;
    assert_eq!(ended, [["-"]], "an open sweep has no end");
    let runs = bench.runs(sweep.id).await;
    let run = &runs[2];
    assert_eq!((run.state, run.attempts, &run.error, &run.worker), (JobState::Queued, 1, &None, &None));
    assert_eq!((run.epochs_done, run.seconds, run.started_at, run.ended_at), (None, None, None, None));
    let progress = bench.store.progress(sweep.id).await.unwrap();
    assert_eq!((progress.epochs_done, progress.epochs_total), (10, 20));

    // Asked again, nothing happens: the request may have been answered before.
    let before = bench.query("SELECT * FROM jobs ORDER BY id").await;
    let again = bench.store.retry_sweep(sweep.id, None, at(4.0)).await.unwrap();
    assert_eq!((again.jobs, again.sweep), (0, retried.sweep));
    assert_eq!(bench.query("SELECT * FROM jobs ORDER BY id").await, before);

    // It ends anew, and with the same worker.
    for accuracy in [0.6, 0.7] {
        bench.train_one(worker, accuracy, at(5.0)).await;
    }
    let ended = bench.store.find_sweep("s").await.unwrap();
    assert_eq!((ended.state, ended.counts.succeeded, ended.counts.failed), (SweepState::Completed, 3, 0));
    assert_eq!(counts(&bench).await, [0, 0, 3, 0, 1, 0, 0]);
    assert_eq!(bench.query("SELECT ended_at FROM sweep_progress").await[0][0], "2026-11-23T17:30:05.000000Z");
}

pub(crate) async fn a_retried_job_has_all_its_attempts_again_and_the_next_number(bench: Bench) {
    let sweep = bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let mut now = 1.0;
    let mut fail = async |error: &str| {
        now += 100.0;
        let at_attempt = bench.acquire(worker, 1, at(now)).await.remove(0).at;
        bench.complete(failed(at_attempt, error, true), at(now)).await;
        at_attempt.attempt
    };
    for attempt in 1..=3 {
        assert_eq!(fail("no").await, attempt);
    }
    assert_eq!(bench.store.find_sweep("s").await.unwrap().state, SweepState::Completed);
    bench.store.retry_sweep(sweep.id, None, at(1000.0)).await.unwrap();
    // Two more failures are two of three again, and the third is the last.
    for attempt in 4..=5 {
        assert_eq!(fail("again").await, attempt);
        assert_eq!(bench.runs(sweep.id).await[0].state, JobState::Queued);
    }
    assert_eq!(fail("last").await, 6);
    assert_eq!(bench.runs(sweep.id).await[0].state, JobState::Failed);
    let attempts = bench.attempts(sweep.id).await;
    let errors: Vec<_> = attempts.iter().map(|row| row.error.as_deref().unwrap()).collect();
    assert_eq!(errors, ["no", "no", "no", "again", "again", "last"], "the attempts of before stay");
}

pub(crate) async fn lost_leases_of_before_a_retry_do_not_count(bench: Bench) {
    let sweep = bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let policy = RetryPolicy { max_losses: 2, ..RetryPolicy::default() };
    let lose = async |now: f64| {
        let lost = bench.acquire(worker, 1, at(now)).await.remove(0).at;
        let settled = bench.store.expire(policy, 9, at(now + 60.0)).await.unwrap();
        assert_eq!(settled[0].at, lost);
        settled[0].state
    };
    assert_eq!((lose(1.0).await, lose(200.0).await), (JobState::Queued, JobState::Failed));
    bench.store.retry_sweep(sweep.id, None, at(300.0)).await.unwrap();
    assert_eq!((lose(400.0).await, lose(600.0).await), (JobState::Queued, JobState::Failed));
    assert_eq!(counts(&bench).await, [0, 0, 0, 0, 0, 1, 0]);
}

pub(crate) async fn a_cancelled_sweep_goes_on_where_it_was(bench: Bench) {
    let sweep = bench.sweep("s", 3).await;
    let worker = bench.worker("w").await;
    bench.train_one(worker, 0.5, at(1.0)).await;
    let running = bench.acquire(worker, 1, at(2.0)).await.remove(0).at;
    bench.report(worker, vec![reported(running, vec![record(1, 0.5)])], at(2.5)).await;
    bench.store.command_sweep(sweep.id, SweepCommand::Cancel, at(3.0)).await.unwrap();
    let retried = bench.store.retry_sweep(sweep.id, None, at(4.0)).await.unwrap();
    assert_eq!((retried.jobs, retried.sweep.state), (2, SweepState::Active));
    assert_eq!(counts(&bench).await, [2, 0, 1, 0, 0, 0, 0]);
    // Whoever trained it then is still told to stop, and its result does not count for the attempt
    // that follows.
    let next = bench.acquire(worker, 1, at(5.0)).await.remove(0).at;
    assert_eq!((next.job, next.attempt), (running.job, 2));
    let told = bench.report(worker, vec![reported(running, vec![record(2, 0.5)])], at(6.0)).await;
    assert_eq!(told, [Directive::Cancelled]);
    assert_eq!(bench.complete(succeeded(running, vec![record(2, 0.9)]), at(6.0)).await, WriteResult::Cancelled);
    bench.complete(succeeded(next, vec![record(1, 0.25)]), at(7.0)).await;
    let runs = bench.runs(sweep.id).await;
    assert_eq!((runs[1].state, runs[1].objective), (JobState::Succeeded, Some(0.25)));
    let attempts = bench.attempts(sweep.id).await;
    let outcomes: Vec<_> = attempts.iter().filter(|row| row.at.job == running.job).map(|row| row.outcome).collect();
    assert_eq!(outcomes, [Some(AttemptOutcome::Cancelled), Some(AttemptOutcome::Succeeded)]);
    bench.train_one(worker, 0.5, at(8.0)).await;
    assert_eq!(bench.store.find_sweep("s").await.unwrap().state, SweepState::Completed);
}

pub(crate) async fn one_job_is_retried_by_its_number(bench: Bench) {
    let sweep = bench.sweep("s", 3).await;
    let worker = bench.worker("w").await;
    let jobs = bench.acquire(worker, 2, at(1.0)).await;
    bench.complete(failed(jobs[0].at, "no", false), at(2.0)).await;
    bench.complete(succeeded(jobs[1].at, vec![record(1, 0.5)]), at(2.0)).await;
    bench.store.command_sweep(sweep.id, SweepCommand::Cancel, at(3.0)).await.unwrap();
    let (failed_job, done) = (jobs[0].at.job, jobs[1].at.job);
    let retry = async |job| bench.store.retry_sweep(sweep.id, Some(job), at(4.0)).await;
    assert_invalid_state(retry(done).await, "has succeeded: only failed and cancelled jobs are retried");
    assert!(matches!(retry(JobId(77)).await, Err(StoreError::NotFound { .. })));
    let other = bench.sweep("other", 1).await;
    let stranger = bench.runs(other.id).await[0].job;
    assert!(matches!(retry(stranger).await, Err(StoreError::NotFound { .. })), "a job of another sweep");
    assert_eq!(retry(failed_job).await.unwrap().jobs, 1);
    assert_eq!(counts(&bench).await, [1, 0, 1, 0, 0, 0, 1]);
    assert_eq!(retry(failed_job).await.unwrap().jobs, 0, "it waits already");
    // Another one joins it, and the sweep ends when both have.
    let cancelled = bench.runs(sweep.id).await[2].job;
    assert_eq!(retry(cancelled).await.unwrap().jobs, 1);
    for _ in 0..2 {
        assert_eq!(bench.store.find_sweep("s").await.unwrap().state, SweepState::Active);
        bench.train_one(worker, 0.5, at(5.0)).await;
    }
    assert_eq!(bench.store.find_sweep("s").await.unwrap().state, SweepState::Completed);
}

pub(crate) async fn a_failed_job_is_retried_while_the_others_go_on(bench: Bench) {
    let sweep = bench.sweep("s", 3).await;
    let worker = bench.worker("w").await;
    let jobs = bench.acquire(worker, 2, at(1.0)).await;
    bench.complete(failed(jobs[0].at, "no", false), at(2.0)).await;
    bench.store.command_sweep(sweep.id, SweepCommand::Pause, at(3.0)).await.unwrap();
    let retried = bench.store.retry_sweep(sweep.id, None, at(4.0)).await.unwrap();
    assert_eq!((retried.jobs, retried.sweep.state), (1, SweepState::Paused), "a paused sweep stays paused");
    assert_eq!(counts(&bench).await, [2, 1, 0, 0, 0, 0, 0]);
    assert_eq!(bench.complete(succeeded(jobs[1].at, vec![record(1, 0.5)]), at(5.0)).await, WriteResult::Accepted);
    bench.store.command_sweep(sweep.id, SweepCommand::Resume, at(6.0)).await.unwrap();
    let first = bench.acquire(worker, 1, at(7.0)).await.remove(0).at;
    assert_eq!((first.job, first.attempt), (jobs[0].at.job, 2), "it has its place in the queue again");
}

pub(crate) async fn an_ended_sweep_without_failures_has_nothing_to_retry(bench: Bench) {
    let sweep = bench.sweep("s", 2).await;
    let worker = bench.worker("w").await;
    bench.train_one(worker, 0.5, at(1.0)).await;
    let diverging = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    bench.complete(completion(diverging, JobOutcome::Diverged, vec![record(1, 0.5)]), at(2.0)).await;
    let words = "no job to retry: 1 succeeded, 1 diverged, and only failed and cancelled jobs are retried";
    assert_invalid_state(bench.store.retry_sweep(sweep.id, None, at(3.0)).await, words);
    let missing = bench.store.retry_sweep(SweepId(77), None, at(3.0)).await;
    assert!(matches!(missing, Err(StoreError::NotFound { .. })), "{missing:?}");
}

pub(crate) async fn a_sweep_that_was_cancelled_before_its_jobs_were_written_gets_them_queued(bench: Bench) {
    let (sweep, _) = bench.store.create_sweep(new_sweep("s", 3), at(0.0)).await.unwrap();
    bench.store.add_jobs(sweep.id, 0, vec![new_job(0)]).await.unwrap();
    bench.store.command_sweep(sweep.id, SweepCommand::Cancel, at(1.0)).await.unwrap();
    let only = bench.runs(sweep.id).await[0].job;
    let one = bench.store.retry_sweep(sweep.id, Some(only), at(2.0)).await;
    assert_invalid_state(one, "are still being written");
    assert_eq!(bench.store.retry_sweep(sweep.id, None, at(2.0)).await.unwrap().jobs, 1);
    bench.store.add_jobs(sweep.id, 1, vec![new_job(1), new_job(2)]).await.unwrap();
    assert_eq!(counts(&bench).await, [3, 0, 0, 0, 0, 0, 0]);
    // Also where none was written yet.
    let (empty, _) = bench.store.create_sweep(new_sweep("empty", 1), at(3.0)).await.unwrap();
    bench.store.command_sweep(empty.id, SweepCommand::Cancel, at(4.0)).await.unwrap();
    let opened = bench.store.retry_sweep(empty.id, None, at(5.0)).await.unwrap();
    assert_eq!((opened.jobs, opened.sweep.state), (0, SweepState::Active));
}

pub(crate) async fn statistics_are_those_of_the_end_that_followed_the_retry(bench: Bench) {
    let sweep = grid(&bench, "s").await;
    let worker = bench.worker("w").await;
    // Two of the three seeds of the first configuration fail, and all of the last one.
    for job in bench.acquire(worker, 12, at(1.0)).await {
        let done = match (job.at.job.0 - 1) % 4 {
            0 if job.seed < 3 => failed(job.at, "no", false),
            3 => failed(job.at, "no", false),
            point => succeeded(job.at, vec![record(1, 0.5 + point as f64 / 10.0)]),
        };
        bench.complete(done, at(2.0)).await;
    }
    let sums = async || {
        let configs = bench.configs(sweep.id).await;
        configs.iter().map(|config| (config.job.0, config.sums.n, config.sums.failed)).collect::<Vec<_>>()
    };
    assert_eq!(sums().await, [(1, 1, 2), (2, 3, 0), (3, 3, 0), (4, 0, 3)]);
    bench.store.weigh_due(at(20.0)).await.unwrap();
    let before = bench.importance(sweep.id).await.unwrap();
    assert_eq!(before.importances[0].cells, 2, "of the grid a row is whole");

    // One of them first, then all that are left.
    bench.store.retry_sweep(sweep.id, Some(JobId(4)), at(30.0)).await.unwrap();
    assert_eq!(sums().await, [(1, 1, 2), (2, 3, 0), (3, 3, 0), (4, 0, 2)]);
    bench.store.retry_sweep(sweep.id, None, at(31.0)).await.unwrap();
    assert_eq!(sums().await, [(1, 1, 0), (2, 3, 0), (3, 3, 0)], "of the last one nothing is left to tell");
    for _ in 0..5 {
        bench.train_one(worker, 0.9, at(32.0)).await;
    }
    assert_eq!(bench.store.find_sweep("s").await.unwrap().state, SweepState::Completed);
    assert_eq!(sums().await, [(1, 3, 0), (2, 3, 0), (3, 3, 0), (4, 3, 0)]);
    // As many runs have ended as before, and they are others.
    bench.store.weigh_due(at(33.0)).await.unwrap();
    let after = bench.importance(sweep.id).await.unwrap();
    assert_eq!((after.importances[0].cells, Some(after.computed_at)), (4, at(33.0)));
    assert_eq!(bench.store.weigh_due(at(99.0)).await.unwrap(), 0, "it is worked out once");
}

pub(crate) async fn retrying_while_others_acquire_hands_every_job_out_once(bench: Bench) {
    let sweep = bench.sweep("s", 40).await;
    let worker = bench.worker("w").await;
    bench.store.command_sweep(sweep.id, SweepCommand::Cancel, at(1.0)).await.unwrap();
    let stores = [bench.second().await, bench.second().await];
    let retries: Vec<_> = (0..4)
        .map(|n| {
            let store = stores[n % 2].clone();
            tokio::spawn(async move { store.retry_sweep(sweep.id, None, at(2.0)).await.unwrap().jobs })
        })
        .collect();
    let acquirers: Vec<_> = (0..8)
        .map(|n| {
            let store = stores[n % 2].clone();
            tokio::spawn(async move { store.acquire(request(worker, 3), at(3.0)).await.unwrap().len() as u64 })
        })
        .collect();
    let (mut retried, mut given) = (0, 0);
    for call in retries {
        retried += call.await.unwrap();
    }
    for call in acquirers {
        given += call.await.unwrap();
    }
    assert_eq!(retried, 40, "one of them found the jobs");
    let [queued, running, ..] = counts(&bench).await;
    assert_eq!((queued, running), (40 - given, given));
}
