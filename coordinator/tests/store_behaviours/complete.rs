use besom_coordinator::domain::{
    AttemptOutcome, Completion, Confusion, JobOutcome, JobState, NewSweep, RetryPolicy, SweepState, WriteResult,
};
use besom_sweep::{Goal, KeepModels, Metric, MetricName, ScoredEpoch};

use crate::store_support::{
    Bench, assert_invalid_state, at, completion, digest, diverged, failed, new_sweep, record, reported, succeeded,
};

pub(crate) async fn a_result_fills_the_columns_of_its_run(bench: Bench) {
    let sweep = bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    bench.report(worker, vec![reported(job, vec![record(1, 0.5), record(2, 0.9)])], at(2.0)).await;
    assert_eq!(bench.complete(succeeded(job, vec![record(3, 0.7)]), at(4.5)).await, WriteResult::Accepted);
    let run = bench.runs(sweep.id).await.remove(0);
    assert_eq!((run.state, run.objective), (JobState::Succeeded, Some(0.7)));
    assert_eq!((run.final_loss, run.final_accuracy), (Some(2.0 - 0.7), Some(0.7 / 1.1)));
    assert_eq!((run.final_val_loss, run.final_val_accuracy), (Some(1.9 - 0.7), Some(0.7)));
    assert_eq!((run.best_val_loss, run.best_val_accuracy, run.best_epoch), (Some(1.9 - 0.9), Some(0.9), Some(2)));
    assert_eq!((run.epochs_done, run.seconds, run.attempts), (Some(3), Some(1.5), 1));
    assert_eq!((run.worker.as_deref(), run.started_at, run.ended_at), (Some("w"), at(1.0), at(4.5)));
    assert_eq!((run.error, run.device.as_deref(), run.hidden.as_deref()), (None, Some("cpu"), Some("[32, 16]")));
    let attempt = bench.attempts(sweep.id).await.remove(0);
    assert_eq!((attempt.outcome, attempt.ended_at), (Some(AttemptOutcome::Succeeded), at(4.5)));
}

pub(crate) async fn the_last_job_completes_the_sweep(bench: Bench) {
    bench.sweep("s", 2).await;
    let worker = bench.worker("w").await;
    bench.train_one(worker, 0.1, at(1.0)).await;
    assert_eq!(bench.store.find_sweep("s").await.unwrap().state, SweepState::Active);
    bench.train_one(worker, 0.2, at(2.0)).await;
    assert_eq!(bench.store.find_sweep("s").await.unwrap().state, SweepState::Completed);
}

pub(crate) async fn the_last_two_jobs_ending_at_once_complete_the_sweep(bench: Bench) {
    let stores = [bench.second().await, bench.second().await];
    let worker = bench.worker("w").await;
    for round in 0..10 {
        bench.sweep(&format!("s{round}"), 2).await;
        let jobs = bench.acquire(worker, 2, None).await;
        let calls: Vec<_> = (0..2)
            .map(|n| {
                let (store, done) = (stores[n].clone(), succeeded(jobs[n].at, vec![record(1, 0.5)]));
                tokio::spawn(async move { store.complete(done, RetryPolicy::default(), None).await.unwrap() })
            })
            .collect();
        for call in calls {
            assert_eq!(call.await.unwrap(), WriteResult::Accepted);
        }
        assert_eq!(bench.store.find_sweep(&format!("s{round}")).await.unwrap().state, SweepState::Completed);
    }
}

pub(crate) async fn completing_twice_is_one_completion(bench: Bench) {
    let sweep = bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    let done =
        Completion { confusion: Some(Confusion::of_rows(2, &[3, 1, 0, 4])), ..succeeded(job, vec![record(1, 0.5)]) };
    assert_eq!(bench.complete(done.clone(), at(2.0)).await, WriteResult::Accepted);
    let before = bench.runs(sweep.id).await;
    let again = Completion { epochs: vec![record(1, 0.9), record(2, 0.9)], seconds: 9.0, ..done };
    assert_eq!(bench.complete(again, at(3.0)).await, WriteResult::Accepted);
    assert_eq!(bench.runs(sweep.id).await, before);
    assert_eq!(bench.history(sweep.id).await[0].1, [record(1, 0.5)]);
}

/// The invariant of that name.
pub(crate) async fn one_accepted_result_per_job(bench: Bench) {
    let sweep = bench.sweep("s", 1).await;
    let (slow, fast) = (bench.worker("slow").await, bench.worker("fast").await);
    let old = bench.acquire(slow, 1, at(0.0)).await.remove(0).at;
    bench.store.expire(RetryPolicy::default(), 9, at(30.0)).await.unwrap();
    let new = bench.acquire(fast, 1, at(31.0)).await.remove(0).at;
    assert_eq!(bench.complete(succeeded(old, vec![record(1, 0.1)]), at(32.0)).await, WriteResult::LeaseLost);
    assert_eq!(bench.complete(succeeded(new, vec![record(1, 0.2)]), at(33.0)).await, WriteResult::Accepted);
    for late in [old, new] {
        for outcome in [JobOutcome::Stopped, JobOutcome::Diverged] {
            let answer = bench.complete(completion(late, outcome, vec![record(2, 0.9)]), at(34.0)).await;
            assert_eq!(answer, WriteResult::LeaseLost);
        }
        assert_eq!(bench.complete(failed(late, "late", true), at(34.0)).await, WriteResult::LeaseLost);
        assert_eq!(bench.store.release(slow, vec![late], false, at(35.0)).await.unwrap(), [WriteResult::LeaseLost]);
    }
    assert_eq!(bench.complete(succeeded(old, vec![]), at(36.0)).await, WriteResult::LeaseLost);
    let run = bench.runs(sweep.id).await.remove(0);
    assert_eq!((run.state, run.objective, run.attempts), (JobState::Succeeded, Some(0.2), 2));
    assert_eq!(run.worker.as_deref(), Some("fast"));
    let outcomes: Vec<_> = bench.attempts(sweep.id).await.iter().map(|row| row.outcome).collect();
    assert_eq!(outcomes, [Some(AttemptOutcome::Lost), Some(AttemptOutcome::Succeeded)]);
}

pub(crate) async fn racing_completions_of_one_attempt_are_one(bench: Bench) {
    let sweep = bench.sweep("s", 10).await;
    let worker = bench.worker("w").await;
    let stores = [bench.second().await, bench.second().await];
    for _ in 0..10 {
        let job = bench.acquire(worker, 1, None).await.remove(0).at;
        bench.tell_to_stop(job).await;
        let calls: Vec<_> = [JobOutcome::Succeeded, JobOutcome::Stopped, JobOutcome::Diverged]
            .into_iter()
            .enumerate()
            .map(|(n, outcome)| {
                let (store, done) = (stores[n % 2].clone(), completion(job, outcome, vec![record(1, 0.5)]));
                tokio::spawn(async move { store.complete(done, RetryPolicy::default(), None).await.unwrap() })
            })
            .collect();
        let mut accepted = 0;
        for call in calls {
            accepted += u32::from(call.await.unwrap() == WriteResult::Accepted);
        }
        assert_eq!(accepted, 1);
    }
    let counts = bench.store.find_sweep("s").await.unwrap().counts;
    assert_eq!(counts.succeeded + counts.stopped + counts.diverged, 10, "{counts:?}");
    assert_eq!(bench.query("SELECT count(*) FROM job_attempts WHERE outcome IS NULL").await, [["0"]]);
    assert_eq!(bench.runs(sweep.id).await.len(), 10);
}

pub(crate) async fn a_completion_for_a_job_that_never_was_is_a_lost_lease(bench: Bench) {
    bench.worker("w").await;
    let nowhere = besom_coordinator::domain::AttemptRef { job: besom_coordinator::domain::JobId(9), attempt: 1 };
    assert_eq!(bench.complete(succeeded(nowhere, vec![]), at(1.0)).await, WriteResult::LeaseLost);
}

pub(crate) async fn a_gap_between_epochs_is_refused_and_changes_nothing(bench: Bench) {
    let sweep = bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    let headless = bench.store.complete(succeeded(job, vec![record(2, 0.5)]), RetryPolicy::default(), at(1.5)).await;
    assert_invalid_state(headless, "expected a record of epoch 1, got one of epoch 2");
    bench.report(worker, vec![reported(job, vec![record(1, 0.5)])], at(2.0)).await;
    let gap = bench.store.complete(succeeded(job, vec![record(3, 0.5)]), RetryPolicy::default(), at(3.0)).await;
    assert_invalid_state(gap, "expected a record of epoch 2, got one of epoch 3");
    assert_eq!(bench.runs(sweep.id).await[0].state, JobState::Running);
    assert_eq!(bench.history(sweep.id).await[0].1.len(), 1);
    let whole = succeeded(job, vec![record(2, 0.5), record(3, 0.5)]);
    assert_eq!(bench.complete(whole, at(4.0)).await, WriteResult::Accepted);
}

pub(crate) async fn a_diverged_job_has_no_score(bench: Bench) {
    let sweep = bench.sweep("s", 2).await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    let last = diverged(record(2, 0.9));
    let done = completion(job, JobOutcome::Diverged, vec![record(1, 0.95), last]);
    assert_eq!(bench.complete(done, at(2.0)).await, WriteResult::Accepted);
    let worse = bench.train_one(worker, 0.1, at(3.0)).await;
    let leaders: Vec<_> = bench.leaders(sweep.id).await.iter().map(|run| run.job).collect();
    assert_eq!(leaders, [worse.job]);
    let run = bench.runs(sweep.id).await.remove(0);
    assert_eq!(run.job, job.job);
    assert_eq!((run.state, run.objective, run.final_loss), (JobState::Diverged, None, None));
    assert_eq!((run.best_val_accuracy, run.epochs_done), (Some(0.95), Some(2)));
}

pub(crate) async fn a_stopped_job_is_ranked_by_what_it_had(bench: Bench) {
    let sweep = bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    bench.tell_to_stop(job).await;
    bench.complete(completion(job, JobOutcome::Stopped, vec![record(1, 0.4)]), at(2.0)).await;
    let run = bench.runs(sweep.id).await.remove(0);
    assert_eq!((run.state, run.objective), (JobState::Stopped, Some(0.4)));
}

pub(crate) async fn the_best_epoch_counts_where_the_sweep_says_so(bench: Bench) {
    let metric = Metric { name: MetricName::of("val_loss"), goal: Goal::Minimize };
    let new = NewSweep { metric, scored_epoch: ScoredEpoch::Best, ..new_sweep("s", 2) };
    let sweep = bench.sweep_of(new).await;
    let worker = bench.worker("w").await;
    for (final_epoch, best) in [(0.2, 0.6), (0.5, 0.55)] {
        let job = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
        bench.complete(succeeded(job, vec![record(1, best), record(2, final_epoch)]), at(2.0)).await;
    }
    let leaders = bench.leaders(sweep.id).await;
    assert_eq!(leaders.iter().map(|run| run.objective).collect::<Vec<_>>(), [Some(1.9 - 0.6), Some(1.9 - 0.55)]);
    assert_eq!(leaders[0].best_epoch, Some(1));
}

pub(crate) async fn a_failed_attempt_with_attempts_left_goes_back_to_the_queue(bench: Bench) {
    let sweep = bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    assert_eq!(bench.complete(failed(job, "first try", true), at(2.0)).await, WriteResult::Accepted);
    let run = bench.runs(sweep.id).await.remove(0);
    assert_eq!((run.state, run.worker, run.started_at), (JobState::Queued, None, None));
    assert_eq!(run.error.as_deref(), Some("first try"));
    // Said again, also after the next attempt began.
    assert_eq!(bench.complete(failed(job, "first try", true), at(2.1)).await, WriteResult::Accepted);
    let next = bench.acquire(worker, 1, at(100.0)).await.remove(0).at;
    assert_eq!(bench.complete(failed(job, "first try", true), at(101.0)).await, WriteResult::Accepted);
    assert_eq!(bench.complete(succeeded(next, vec![record(1, 0.5)]), at(102.0)).await, WriteResult::Accepted);
    let run = bench.runs(sweep.id).await.remove(0);
    assert_eq!((run.state, run.error, run.attempts), (JobState::Succeeded, None, 2));
    let attempts = bench.attempts(sweep.id).await;
    assert_eq!(attempts[0].error.as_deref(), Some("first try"));
}

pub(crate) async fn the_third_failure_is_the_last(bench: Bench) {
    let sweep = bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    for attempt in 1..=3 {
        let job = bench.acquire(worker, 1, at(100.0 * f64::from(attempt))).await.remove(0).at;
        bench.complete(failed(job, &format!("failure {attempt}"), true), at(100.0 * f64::from(attempt) + 1.0)).await;
    }
    let run = bench.runs(sweep.id).await.remove(0);
    assert_eq!((run.state, run.error.as_deref()), (JobState::Failed, Some("failure 3")));
    assert_eq!((run.ended_at, run.worker.as_deref(), run.attempts), (at(301.0), Some("w"), 3));
    assert_eq!(bench.store.find_sweep("s").await.unwrap().state, SweepState::Completed);
}

pub(crate) async fn what_a_retry_would_not_mend_is_not_retried(bench: Bench) {
    let sweep = bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    let long = format!("bad data\0 {}", "ä".repeat(5000));
    bench.complete(Completion { epochs: vec![record(1, 0.5)], ..failed(job, &long, false) }, at(2.0)).await;
    let run = bench.runs(sweep.id).await.remove(0);
    assert_eq!((run.state, run.epochs_done, run.objective), (JobState::Failed, Some(1), None));
    let error = run.error.unwrap();
    assert_eq!(error.chars().count(), 4000);
    assert!(error.starts_with("bad data ä"), "{error}");
}

pub(crate) async fn a_confusion_matrix_is_kept_with_its_job(bench: Bench) {
    let sweep = bench.sweep("s", 3).await;
    let worker = bench.worker("w").await;
    let jobs = bench.acquire(worker, 3, at(1.0)).await;
    let matrix = |n| Confusion::of_rows(2, &[n, 1, u32::MAX, 4]);
    for (n, job) in jobs.iter().enumerate() {
        let confusion = (n != 1).then(|| matrix(n as u32));
        bench.complete(Completion { confusion, ..succeeded(job.at, vec![record(1, 0.5)]) }, at(2.0)).await;
    }
    assert_eq!(bench.confusions(sweep.id).await, [(jobs[0].at.job, matrix(0)), (jobs[2].at.job, matrix(2))]);
}

pub(crate) async fn a_model_that_is_not_stored_is_refused(bench: Bench) {
    let sweep = bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    let stored = bench.artifact(1).await;
    let with = |final_model, best_model| Completion { final_model, best_model, ..succeeded(job, vec![record(1, 0.5)]) };
    for missing in [with(Some(stored.clone()), Some(digest(2))), with(Some(digest(2)), None)] {
        let answer = bench.store.complete(missing, RetryPolicy::default(), at(2.0)).await;
        assert_invalid_state(answer, digest(2).as_str());
    }
    assert_eq!(bench.complete(with(Some(stored.clone()), None), at(3.0)).await, WriteResult::Accepted);
    assert_eq!(bench.runs(sweep.id).await[0].model, Some(stored));
}

pub(crate) async fn a_run_names_the_model_of_its_objective(bench: Bench) {
    let (last, best) = (bench.artifact(1).await, bench.artifact(2).await);
    let worker = bench.worker("w").await;
    for (scored_epoch, expected) in [(ScoredEpoch::Final, &last), (ScoredEpoch::Best, &best)] {
        let sweep = bench.sweep_of(NewSweep { scored_epoch, ..new_sweep(scored_epoch.as_str(), 1) }).await;
        let job = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
        let done = Completion {
            final_model: Some(last.clone()),
            best_model: Some(best.clone()),
            ..succeeded(job, vec![record(1, 0.5)])
        };
        bench.complete(done, at(2.0)).await;
        assert_eq!(bench.runs(sweep.id).await[0].model.as_ref(), Some(expected));
    }
}

pub(crate) async fn only_the_best_job_keeps_its_models_where_the_sweep_says_so(bench: Bench) {
    let sweep = bench.sweep_of(NewSweep { keep_models: KeepModels::Best, ..new_sweep("s", 5) }).await;
    let worker = bench.worker("w").await;
    let jobs = bench.acquire(worker, 5, at(1.0)).await;
    // A tie goes to the earlier job, in whichever order they end.
    for (n, accuracy, holder) in [(2, 0.5, 2), (1, 0.4, 2), (3, 0.7, 3), (0, 0.7, 0), (4, 0.7, 0)] {
        let model = bench.artifact(10 + n as u32).await;
        let done = Completion {
            final_model: Some(model.clone()),
            best_model: Some(model),
            ..succeeded(jobs[n].at, vec![record(1, accuracy)])
        };
        assert_eq!(bench.complete(done, at(2.0)).await, WriteResult::Accepted);
        let kept: Vec<_> = bench.runs(sweep.id).await.into_iter().filter_map(|run| run.model).collect();
        assert_eq!(kept, [digest(10 + holder)], "after job {n}");
        let stored = bench.query("SELECT digest FROM artifacts").await;
        assert_eq!(stored, [[digest(10 + holder).as_str()]], "the models that nobody names are gone after job {n}");
    }
    assert_eq!(bench.leaders(sweep.id).await[0].job, jobs[0].at.job);
}

pub(crate) async fn no_job_keeps_its_models_where_the_sweep_says_so(bench: Bench) {
    let sweep = bench.sweep_of(NewSweep { keep_models: KeepModels::None, ..new_sweep("s", 1) }).await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    let model = bench.artifact(1).await;
    bench.complete(Completion { final_model: Some(model), ..succeeded(job, vec![record(1, 0.5)]) }, at(2.0)).await;
    assert_eq!(bench.runs(sweep.id).await[0].model, None);
    assert_eq!(bench.query("SELECT count(*) FROM artifacts").await, [["0"]]);
}
