//! Releasing and expiring: the two ways back to the queue that are not failures.

use besom_coordinator::domain::{
    AttemptOutcome, Hindrance, JobState, RetryPolicy, Settled, SweepState, WriteResult, after_hindrance, spread,
};
use besom_coordinator::store::AcquireRequest;

use crate::store_support::{Bench, TTL, at, digest, failed, hindered, new_sweep, record, reported, request, succeeded};

pub(crate) async fn a_released_job_costs_nothing(bench: Bench) {
    let sweep = bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    for round in 1..=20 {
        let job = bench.acquire(worker, 1, at(f64::from(round))).await.remove(0).at;
        let released = bench.store.release(worker, vec![job], false, at(f64::from(round))).await.unwrap();
        assert_eq!(released, [WriteResult::Accepted]);
    }
    assert_eq!(
        bench.query("SELECT failures, lost_attempts, attempt, state FROM jobs").await,
        [["0", "0", "20", "queued"]]
    );
    let attempts = bench.attempts(sweep.id).await;
    assert_eq!(attempts.len(), 20);
    assert!(attempts.iter().all(|row| row.outcome == Some(AttemptOutcome::Released)), "{attempts:?}");
}

pub(crate) async fn releasing_again_is_fine_and_releasing_what_is_gone_is_not(bench: Bench) {
    bench.sweep("s", 2).await;
    let worker = bench.worker("w").await;
    let jobs = bench.acquire(worker, 2, at(1.0)).await;
    bench.complete(succeeded(jobs[0].at, vec![record(1, 0.5)]), at(2.0)).await;
    let both = vec![jobs[1].at, jobs[0].at];
    for _ in 0..2 {
        let answers = bench.store.release(worker, both.clone(), false, at(3.0)).await.unwrap();
        assert_eq!(answers, [WriteResult::Accepted, WriteResult::LeaseLost]);
    }
    let late = bench.complete(succeeded(jobs[1].at, vec![record(1, 0.5)]), at(4.0)).await;
    assert_eq!(late, WriteResult::LeaseLost);
}

pub(crate) async fn a_worker_that_leaves_gives_back_all_it_holds(bench: Bench) {
    bench.sweep("s", 3).await;
    let worker = bench.worker("w").await;
    let other = bench.worker("other").await;
    bench.acquire(other, 1, at(1.0)).await;
    // The answer to this acquisition never reached the worker: it does not know what it holds.
    bench.acquire(worker, 2, at(1.0)).await;
    assert!(bench.store.release(worker, Vec::new(), true, at(2.0)).await.unwrap().is_empty());
    let counts = bench.store.find_sweep("s").await.unwrap().counts;
    assert_eq!((counts.queued, counts.running), (2, 1));
}

const MISSING: &str = "dataset 50ed... is not in the store; submit the file again";

pub(crate) async fn a_job_whose_dataset_is_missing_costs_nothing_and_its_sweep_waits(bench: Bench) {
    let sweep = bench.sweep("s", 3).await;
    let worker = bench.worker("w").await;
    let (mut now, mut last) = (0.0, 0.0);
    for times in 1..=12 {
        let job = bench.acquire(worker, 1, at(now)).await.remove(0).at;
        let hindered = hindered(job, MISSING, Hindrance::Artifact);
        assert_eq!(bench.complete(hindered.clone(), at(now)).await, WriteResult::Accepted);
        assert_eq!(bench.complete(hindered, at(now)).await, WriteResult::Accepted, "told once more");
        // None of its sweep is handed out meanwhile, to find the same.
        let wait = after_hindrance(Hindrance::Artifact, times, spread(job)).as_secs_f64();
        assert!(wait >= last / 2.0 && wait <= 600.0, "{wait} after {last}");
        assert!(bench.acquire(worker, 1, at(now + wait - 0.001)).await.is_empty());
        (now, last) = (now + wait + 0.001, wait);
    }
    assert!(last > 250.0, "the waits grow: {last}");
    assert_eq!(
        bench.query("SELECT failures, lost_attempts, hindrances, state, hindrance FROM jobs ORDER BY id LIMIT 1").await,
        [["0", "0", "12", "queued", "artifact"]]
    );
    let attempts = bench.attempts(sweep.id).await;
    let given_back = |row: &&crate::store_support::views::Attempt| row.outcome == Some(AttemptOutcome::Released);
    assert_eq!(attempts.iter().filter(given_back).count(), 12);
    assert_eq!(attempts[0].error.as_deref(), Some(MISSING));
    assert_eq!(bench.runs(sweep.id).await[0].error.as_deref(), Some(MISSING));
    for found in [bench.store.find_sweep("s").await.unwrap(), bench.store.list_sweeps().await.unwrap().remove(0)] {
        assert_eq!(found.problem.as_deref(), Some(MISSING));
    }
    assert_eq!(bench.store.progress(sweep.id).await.unwrap().sweep.problem.as_deref(), Some(MISSING));
    assert!(bench.query("SELECT job FROM failures").await.is_empty(), "nothing has failed");
}

pub(crate) async fn a_dataset_that_is_stored_again_ends_the_wait_for_it(bench: Bench) {
    let sweep = bench.sweep("s", 2).await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    bench.complete(hindered(job, MISSING, Hindrance::Artifact), at(1.0)).await;
    assert!(!bench.store.queues().await.unwrap().is_empty());
    assert_eq!(bench.store.dataset_is_there(digest(7)).await.unwrap(), 0, "another dataset");
    assert!(bench.acquire(worker, 2, at(1.1)).await.is_empty());
    assert_eq!(bench.store.dataset_is_there(digest(0xda7a)).await.unwrap(), 1);
    assert_eq!(bench.store.find_sweep("s").await.unwrap().problem, None);
    let jobs = bench.acquire(worker, 2, at(1.1)).await;
    for job in jobs {
        bench.complete(succeeded(job.at, vec![record(1, 0.5)]), at(2.0)).await;
    }
    assert_eq!(bench.store.find_sweep("s").await.unwrap().state, SweepState::Completed);
    let runs = bench.runs(sweep.id).await;
    assert!(runs.iter().all(|run| run.error.is_none()), "{runs:?}");
    assert_eq!(bench.query("SELECT max(failures), max(lost_attempts) FROM jobs").await, [["0", "0"]]);
}

pub(crate) async fn a_job_that_ran_while_its_dataset_was_stored_again_waits_as_if_for_the_first_time(bench: Bench) {
    bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let (mut now, mut job) = (1.0, bench.acquire(worker, 1, at(1.0)).await.remove(0).at);
    for times in 1..=10 {
        bench.complete(hindered(job, MISSING, Hindrance::Artifact), at(now)).await;
        now += after_hindrance(Hindrance::Artifact, times, spread(job)).as_secs_f64() + 0.001;
        job = bench.acquire(worker, 1, at(now)).await.remove(0).at;
    }
    assert_eq!(bench.store.dataset_is_there(digest(0xda7a)).await.unwrap(), 0, "no job waits just now");
    // The worker asked for the dataset before it was there.
    bench.complete(hindered(job, MISSING, Hindrance::Artifact), at(now)).await;
    assert_eq!(bench.acquire(worker, 1, at(now + 1.001)).await.len(), 1);
}

pub(crate) async fn a_sweep_that_waits_for_its_dataset_holds_up_no_other_sweep(bench: Bench) {
    bench.sweep("waits", 2).await;
    let other =
        bench.sweep_of(besom_coordinator::domain::NewSweep { dataset: digest(9), ..new_sweep("other", 2) }).await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    bench.complete(hindered(job, MISSING, Hindrance::Artifact), at(1.0)).await;
    let jobs = bench.acquire(worker, 4, at(1.0)).await;
    assert_eq!(jobs.iter().map(|job| job.sweep).collect::<Vec<_>>(), [other.id, other.id]);
}

pub(crate) async fn a_machine_that_lacks_something_keeps_its_job_for_a_while_and_no_other(bench: Bench) {
    bench.sweep("s", 2).await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    bench.complete(hindered(job, "worker w: no thread can be started", Hindrance::Machine), at(1.0)).await;
    let problem = bench.store.find_sweep("s").await.unwrap().problem;
    assert_eq!(problem.as_deref(), Some("worker w: no thread can be started"));
    let jobs = bench.acquire(worker, 2, at(1.0)).await;
    assert!(jobs.len() == 1 && jobs[0].at.job != job.job, "{jobs:?}");
    let again = bench.acquire(worker, 1, at(3.0)).await.remove(0).at;
    assert_eq!((again.job, again.attempt), (job.job, 2));
    assert_eq!(bench.store.find_sweep("s").await.unwrap().problem, None, "it is tried again");
}

pub(crate) async fn what_else_ends_an_attempt_ends_the_growth_of_its_waits(bench: Bench) {
    bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    bench.complete(hindered(job, "no memory", Hindrance::Machine), at(1.0)).await;
    let job = bench.acquire(worker, 1, at(10.0)).await.remove(0).at;
    bench.complete(failed(job, "no", true), at(10.0)).await;
    assert_eq!(bench.query("SELECT failures, hindrances, hindrance FROM jobs").await, [["1", "0", "-"]]);
    let wish = AcquireRequest { sweep: None, ..request(worker, 1) };
    assert_eq!(bench.store.acquire(wish, at(100.0)).await.unwrap().len(), 1);
}

pub(crate) async fn a_job_that_was_given_back_or_has_ended_no_longer_says_what_it_waited_for(bench: Bench) {
    let sweep = bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    bench.complete(hindered(job, MISSING, Hindrance::Artifact), at(1.0)).await;
    let job = bench.acquire(worker, 1, at(10.0)).await.remove(0).at;
    bench.store.release(worker, vec![job], false, at(10.0)).await.unwrap();
    assert_eq!(bench.runs(sweep.id).await[0].error, None);
    let job = bench.acquire(worker, 1, at(11.0)).await.remove(0).at;
    bench.complete(hindered(job, MISSING, Hindrance::Artifact), at(11.0)).await;
    let job = bench.acquire(worker, 1, at(20.0)).await.remove(0).at;
    bench.complete(succeeded(job, vec![record(1, 0.5)]), at(20.0)).await;
    assert_eq!(bench.query("SELECT state, hindrances, hindrance FROM jobs").await, [["succeeded", "0", "-"]]);
}

pub(crate) async fn a_lost_lease_returns_its_job_at_once_the_first_time(bench: Bench) {
    let sweep = bench.sweep("s", 2).await;
    let (dead, alive) = (bench.worker("dead").await, bench.worker("alive").await);
    let lost = bench.acquire(dead, 1, at(0.0)).await.remove(0).at;
    let kept = bench.acquire(alive, 1, at(0.0)).await.remove(0).at;
    bench.report(alive, vec![reported(kept, vec![])], at(20.0)).await;
    let settled = bench.store.expire(RetryPolicy::default(), 9, at(30.0)).await.unwrap();
    assert_eq!(settled, [Settled { at: lost, state: JobState::Queued, worker: "dead".to_owned() }]);
    assert!(bench.store.expire(RetryPolicy::default(), 9, at(30.0)).await.unwrap().is_empty());
    let again = bench.acquire(alive, 1, at(30.0)).await.remove(0).at;
    assert_eq!((again.job, again.attempt), (lost.job, 2));
    let attempts = bench.attempts(sweep.id).await;
    assert_eq!((attempts[0].outcome, attempts[0].ended_at), (Some(AttemptOutcome::Lost), at(30.0)));
    assert!(attempts[0].error.as_deref().unwrap().contains("worker dead"), "{attempts:?}");
}

pub(crate) async fn a_lost_job_names_its_worker_and_its_last_sign_of_life(bench: Bench) {
    let sweep = bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    bench.report(worker, vec![reported(job, vec![])], at(10.0)).await;
    // The coordinator notes that every few seconds, for all workers.
    let noted = async |seconds: f64| {
        let sql = format!("UPDATE workers SET last_seen_at = {}", at(seconds).unwrap().0);
        assert_eq!(bench.execute(&sql).await.unwrap(), 1);
    };
    noted(10.0).await;
    bench.store.expire(RetryPolicy::default(), 9, at(50.0)).await.unwrap();
    let error = bench.runs(sweep.id).await.remove(0).error.unwrap();
    let seen = "worker w was last heard from at 2026-11-23T17:30:10.000000Z, 30 s before its lease ended";
    assert_eq!(error, format!("lost: {seen} (attempt 1, 1 lost so far)"));

    // It is there, but it does not know of the job: the answer to its wish was lost, say.
    bench.acquire(worker, 1, at(60.0)).await;
    noted(95.0).await;
    bench.store.expire(RetryPolicy::default(), 9, at(100.0)).await.unwrap();
    let attempts = bench.attempts(sweep.id).await;
    let error = attempts[1].error.as_deref().unwrap();
    assert!(error.starts_with("lost: worker w still called at 2026-11-23T17:31:35.000000Z, but"), "{error}");
}

pub(crate) async fn the_fifth_loss_is_the_last(bench: Bench) {
    let sweep = bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    for losses in 1..=5 {
        let now = 1000.0 * f64::from(losses);
        assert_eq!(bench.acquire(worker, 1, at(now)).await.len(), 1);
        let settled = bench.store.expire(RetryPolicy::default(), 9, at(now + 30.0)).await.unwrap();
        let expected = if losses < 5 { JobState::Queued } else { JobState::Failed };
        assert_eq!(settled[0].state, expected, "after {losses} losses");
    }
    let run = bench.runs(sweep.id).await.remove(0);
    assert_eq!((run.state, run.ended_at, run.attempts), (JobState::Failed, at(5030.0), 5));
    assert!(run.error.unwrap().contains("5 lost"));
    assert_eq!(bench.store.find_sweep("s").await.unwrap().state, SweepState::Completed);
}

pub(crate) async fn losses_and_failures_are_counted_apart(bench: Bench) {
    let sweep = bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let mut now = 0.0;
    for round in 0..4 {
        now += 1000.0;
        let job = bench.acquire(worker, 1, at(now)).await.remove(0).at;
        if round % 2 == 0 {
            bench.store.expire(RetryPolicy::default(), 9, at(now + TTL.as_secs_f64())).await.unwrap();
        } else {
            bench.complete(failed(job, "no", true), at(now)).await;
        }
    }
    assert_eq!(bench.query("SELECT failures, lost_attempts FROM jobs").await, [["2", "2"]]);
    assert_eq!(bench.runs(sweep.id).await[0].state, JobState::Queued);
}

pub(crate) async fn at_most_so_many_leases_are_settled_at_once(bench: Bench) {
    bench.sweep("s", 5).await;
    let worker = bench.worker("w").await;
    bench.acquire(worker, 5, at(0.0)).await;
    let mut numbers = Vec::new();
    for _ in 0..4 {
        numbers.push(bench.store.expire(RetryPolicy::default(), 2, at(30.0)).await.unwrap().len());
    }
    assert_eq!(numbers, [2, 2, 1, 0]);
}

pub(crate) async fn two_reapers_settle_each_lease_once(bench: Bench) {
    let sweep = bench.sweep("s", 40).await;
    let worker = bench.worker("w").await;
    bench.acquire(worker, 40, at(0.0)).await;
    let stores = [bench.second().await, bench.second().await];
    let reapers: Vec<_> = (0..6)
        .map(|n| {
            let store = stores[n % 2].clone();
            tokio::spawn(async move { store.expire(RetryPolicy::default(), 25, at(30.0)).await.unwrap() })
        })
        .collect();
    let mut settled = std::collections::HashSet::new();
    for reaper in reapers {
        for lease in reaper.await.unwrap() {
            assert!(settled.insert(lease.at), "{lease:?} was settled twice");
        }
    }
    let rest = bench.store.expire(RetryPolicy::default(), 100, at(30.0)).await.unwrap();
    assert_eq!(settled.len() + rest.len(), 40);
    assert_eq!(bench.query("SELECT max(lost_attempts), min(lost_attempts) FROM jobs").await, [["1", "1"]]);
    assert_eq!(bench.attempts(sweep.id).await.len(), 40);
}
