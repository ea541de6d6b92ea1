use besom_coordinator::{
    domain::{AttemptOutcome, Directive, JobState, NewSweep, RetryPolicy, SweepId, SweepState, WriteResult},
    store::{StoreError, SweepCommand},
};
use besom_sweep::{Goal, KeepModels, Metric, MetricName, ScoredEpoch};

use crate::store_support::{Bench, assert_invalid_state, at, new_job, new_sweep, record, reported, request, succeeded};

pub(crate) async fn a_sweep_is_stored_as_it_was_given(bench: Bench) {
    let new = NewSweep {
        text: "name: ünïcode\n# 'quotes' \"and\" \\slashes\n".to_owned(),
        metric: Metric { name: MetricName::of("val_loss"), goal: Goal::Minimize },
        scored_epoch: ScoredEpoch::Best,
        keep_models: KeepModels::Best,
        engine: Some("candle".to_owned()),
        dataset_sha256: "ab".repeat(32),
        ..new_sweep("ünïcode", 12)
    };
    let (made, is_new) = bench.store.create_sweep(new.clone(), at(3.25)).await.unwrap();
    assert!(is_new);
    assert_eq!(made.new, new);
    assert_eq!((made.state, made.jobs_created, Some(made.created_at)), (SweepState::Active, 0, at(3.25)));
    assert_eq!(bench.store.find_sweep("ünïcode").await.unwrap(), made);
}

pub(crate) async fn the_same_sweep_again_is_found_not_made(bench: Bench) {
    let (first, _) = bench.store.create_sweep(new_sweep("s", 2), at(0.0)).await.unwrap();
    let (again, made) = bench.store.create_sweep(new_sweep("s", 2), at(9.0)).await.unwrap();
    assert!(!made);
    assert_eq!(again, first);
}

pub(crate) async fn a_name_that_belongs_to_another_sweep_is_refused(bench: Bench) {
    bench.store.create_sweep(new_sweep("s", 2), at(0.0)).await.unwrap();
    let other = NewSweep { digest: "another".to_owned(), ..new_sweep("s", 2) };
    match bench.store.create_sweep(other, at(1.0)).await {
        Err(StoreError::AlreadyExists { what }) => {
            assert!(what.contains("--name") && what.contains("is another one"), "{what}");
        }
        answer => panic!("{answer:?}"),
    }
    let with = |name: &str, bytes: &str, digest: &str| NewSweep {
        dataset_sha256: bytes.repeat(32),
        digest: digest.to_owned(),
        ..new_sweep(name, 2)
    };
    bench.store.create_sweep(with("t", "ab", "one"), at(2.0)).await.unwrap();
    match bench.store.create_sweep(with("t", "cd", "two"), at(3.0)).await {
        Err(StoreError::AlreadyExists { what }) => assert!(what.contains("have changed since"), "{what}"),
        answer => panic!("{answer:?}"),
    }
    assert_eq!(bench.store.list_sweeps().await.unwrap().len(), 2);
}

pub(crate) async fn the_same_sweep_from_many_clients_at_once_is_made_once(bench: Bench) {
    let stores = [bench.second().await, bench.second().await];
    let calls = (0..8).map(|n| {
        let store = stores[n % 2].clone();
        tokio::spawn(async move { store.create_sweep(new_sweep("s", 2), None).await.unwrap() })
    });
    let mut ids = Vec::new();
    let mut made = 0;
    for call in calls.collect::<Vec<_>>() {
        let (sweep, is_new) = call.await.unwrap();
        ids.push(sweep.id);
        made += u32::from(is_new);
    }
    assert_eq!(made, 1);
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

pub(crate) async fn a_sweep_is_found_by_name_then_by_number(bench: Bench) {
    let first = bench.sweep("first", 1).await;
    // A name that looks like a number wins over the number.
    let named = bench.sweep(&first.id.to_string(), 1).await;
    assert_eq!(bench.store.find_sweep(&first.id.to_string()).await.unwrap().id, named.id);
    assert_eq!(bench.store.find_sweep(&named.id.to_string()).await.unwrap().id, named.id);
    assert_eq!(bench.store.find_sweep("first").await.unwrap().id, first.id);
}

pub(crate) async fn a_sweep_is_found_by_the_name_that_its_handle_was_made_from(bench: Bench) {
    let named = NewSweep { title: "Größe & Rate".to_owned(), ..new_sweep("grosse-rate", 1) };
    let (made, _) = bench.store.create_sweep(named.clone(), at(0.0)).await.unwrap();
    assert_eq!(made.new, named);
    for reference in ["Größe & Rate", "grosse-rate", " Größe & Rate "] {
        assert_eq!(bench.store.find_sweep(reference).await.unwrap().id, made.id, "{reference}");
    }
    // What merely has the same handle names no sweep, so that no slip of the keyboard cancels one.
    for reference in ["Grosse rate", "grosse/rate", "./grosse-rate", "grosse-rate!", "grosse-rate*", "+1", "--1"] {
        let error = bench.store.find_sweep(reference).await.unwrap_err();
        let meant = if reference.ends_with('1') { "" } else { " (did you mean \"grosse-rate\"?)" };
        assert_eq!(error.to_string(), format!("no sweep {reference:?}{meant}"));
    }
    bench.sweep("plain", 1).await;
    let titles = bench.query("SELECT sweep, title FROM sweep_progress ORDER BY sweep_id").await;
    assert_eq!(titles, [["grosse-rate", "Größe & Rate"], ["plain", "plain"]]);
    // Another name with the same handle is taken, and both are told.
    let other = NewSweep { title: "Grosse Rate".to_owned(), digest: "another".to_owned(), ..named };
    match bench.store.create_sweep(other, at(1.0)).await {
        Err(StoreError::AlreadyExists { what }) => {
            assert!(what.contains("named \"Größe & Rate\", with the same handle as \"Grosse Rate\""), "{what}");
        }
        answer => panic!("{answer:?}"),
    }
}

pub(crate) async fn an_unknown_sweep_is_named_with_the_most_similar_one(bench: Bench) {
    bench.sweep("quickdraw10", 1).await;
    bench.sweep("sketches", 1).await;
    let error = bench.store.find_sweep("quikdraw10").await.unwrap_err();
    assert_eq!(error.to_string(), r#"no sweep "quikdraw10" (did you mean "quickdraw10"?)"#);
    let error = bench.store.find_sweep("x").await.unwrap_err();
    assert_eq!(error.to_string(), r#"no sweep "x""#);
}

pub(crate) async fn sweeps_are_listed_newest_first_with_their_counts(bench: Bench) {
    let old = bench.sweep("old", 3).await;
    let new = bench.sweep("new", 2).await;
    let worker = bench.worker("w").await;
    bench.acquire(worker, 1, at(1.0)).await;
    let sweeps = bench.store.list_sweeps().await.unwrap();
    assert_eq!(sweeps.iter().map(|sweep| sweep.id).collect::<Vec<_>>(), [new.id, old.id]);
    assert_eq!((sweeps[1].counts.queued, sweeps[1].counts.running), (2, 1));
    assert_eq!((sweeps[0].counts.queued, sweeps[0].counts.running), (2, 0));
    assert_eq!(bench.store.find_sweep("old").await.unwrap(), sweeps[1]);
}

pub(crate) async fn expansion_resumes_where_it_stopped(bench: Bench) {
    let (sweep, _) = bench.store.create_sweep(new_sweep("s", 5), at(0.0)).await.unwrap();
    bench.sweep("whole", 1).await;
    let batch = |from, to| (from..to).map(new_job).collect::<Vec<_>>();
    assert_eq!(bench.store.add_jobs(sweep.id, 0, batch(0, 2)).await.unwrap(), 2);
    let left = bench.store.unexpanded_sweeps().await.unwrap();
    assert_eq!(left.iter().map(|sweep| (sweep.id, sweep.jobs_created)).collect::<Vec<_>>(), [(sweep.id, 2)]);
    // Somebody who lost the race writes nothing and learns where to go on.
    assert_eq!(bench.store.add_jobs(sweep.id, 0, batch(0, 2)).await.unwrap(), 2);
    assert_eq!(bench.store.add_jobs(sweep.id, 3, batch(3, 4)).await.unwrap(), 2);
    assert_eq!(bench.store.add_jobs(sweep.id, 2, batch(2, 5)).await.unwrap(), 5);
    assert!(bench.store.unexpanded_sweeps().await.unwrap().is_empty());
    assert_eq!(bench.runs(sweep.id).await.len(), 5);
}

pub(crate) async fn the_first_job_can_be_acquired_before_the_last_is_written(bench: Bench) {
    let (sweep, _) = bench.store.create_sweep(new_sweep("s", 2), at(0.0)).await.unwrap();
    bench.store.add_jobs(sweep.id, 0, vec![new_job(0)]).await.unwrap();
    let worker = bench.worker("w").await;
    bench.train_one(worker, 0.5, at(1.0)).await;
    // Every job there is has ended, and yet the sweep goes on.
    assert_eq!(bench.store.find_sweep("s").await.unwrap().state, SweepState::Active);
    bench.store.add_jobs(sweep.id, 1, vec![new_job(1)]).await.unwrap();
    bench.train_one(worker, 0.5, at(2.0)).await;
    assert_eq!(bench.store.find_sweep("s").await.unwrap().state, SweepState::Completed);
}

pub(crate) async fn more_jobs_than_announced_or_equal_ones_are_refused(bench: Bench) {
    let (sweep, _) = bench.store.create_sweep(new_sweep("s", 2), at(0.0)).await.unwrap();
    let many = (0..3).map(new_job).collect();
    assert_invalid_state(bench.store.add_jobs(sweep.id, 0, many).await, "has 2 jobs, not 3");
    let equal = vec![new_job(1), new_job(1)];
    assert_invalid_state(bench.store.add_jobs(sweep.id, 0, equal).await, "the same");
    assert_eq!(bench.store.add_jobs(sweep.id, 1, Vec::new()).await.unwrap(), 0);
    assert!(matches!(bench.store.add_jobs(SweepId(77), 0, vec![new_job(0)]).await, Err(StoreError::NotFound { .. })));
}

pub(crate) async fn a_paused_sweep_hands_out_nothing_and_its_running_jobs_finish(bench: Bench) {
    let sweep = bench.sweep("s", 2).await;
    let worker = bench.worker("w").await;
    let running = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    for _ in 0..2 {
        let paused = bench.store.command_sweep(sweep.id, SweepCommand::Pause, at(2.0)).await.unwrap();
        assert_eq!(paused.state, SweepState::Paused);
    }
    assert!(bench.acquire(worker, 4, at(3.0)).await.is_empty());
    let directives = bench.report(worker, vec![reported(running, vec![record(1, 0.5)])], at(4.0)).await;
    assert_eq!(directives, [Directive::Continue]);
    assert_eq!(bench.complete(succeeded(running, vec![]), at(5.0)).await, WriteResult::Accepted);
    for _ in 0..2 {
        let resumed = bench.store.command_sweep(sweep.id, SweepCommand::Resume, at(6.0)).await.unwrap();
        assert_eq!(resumed.state, SweepState::Active);
    }
    assert_eq!(bench.acquire(worker, 4, at(7.0)).await.len(), 1);
}

pub(crate) async fn resuming_a_sweep_with_nothing_left_completes_it(bench: Bench) {
    let sweep = bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let running = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    bench.store.command_sweep(sweep.id, SweepCommand::Pause, at(2.0)).await.unwrap();
    bench.complete(succeeded(running, vec![record(1, 0.5)]), at(3.0)).await;
    assert_eq!(bench.store.find_sweep("s").await.unwrap().state, SweepState::Paused);
    let resumed = bench.store.command_sweep(sweep.id, SweepCommand::Resume, at(4.0)).await.unwrap();
    assert_eq!(resumed.state, SweepState::Completed);
}

pub(crate) async fn cancelling_ends_queued_and_running_jobs_at_once(bench: Bench) {
    let sweep = bench.sweep("s", 3).await;
    let worker = bench.worker("w").await;
    let done = bench.train_one(worker, 0.5, at(1.0)).await;
    let running = bench.acquire(worker, 1, at(2.0)).await.remove(0).at;
    for _ in 0..2 {
        let cancelled = bench.store.command_sweep(sweep.id, SweepCommand::Cancel, at(3.0)).await.unwrap();
        assert_eq!(cancelled.state, SweepState::Cancelled);
        assert_eq!((cancelled.counts.succeeded, cancelled.counts.cancelled), (1, 2));
    }
    let runs = bench.runs(sweep.id).await;
    assert_eq!(runs[0].job, done.job);
    assert_eq!(runs[0].state, JobState::Succeeded);
    assert_eq!((runs[1].state, runs[1].ended_at, runs[1].worker.as_deref()), (JobState::Cancelled, at(3.0), Some("w")));
    assert_eq!((runs[2].state, runs[2].ended_at, runs[2].worker.as_deref()), (JobState::Cancelled, at(3.0), None));
    let attempts = bench.attempts(sweep.id).await;
    assert_eq!(attempts[1].outcome, Some(AttemptOutcome::Cancelled));
    // The worker hears of it, whatever it says.
    assert_eq!(
        bench.report(worker, vec![reported(running, vec![record(1, 0.5)])], at(4.0)).await,
        [Directive::Cancelled]
    );
    assert_eq!(bench.complete(succeeded(running, vec![record(1, 0.5)]), at(5.0)).await, WriteResult::Cancelled);
    assert_eq!(bench.store.release(worker, vec![running], false, at(6.0)).await.unwrap(), [WriteResult::Cancelled]);
    assert!(bench.store.expire(RetryPolicy::default(), 10, at(9999.0)).await.unwrap().is_empty());
    assert!(bench.acquire(worker, 4, at(9999.0)).await.is_empty());
    assert_eq!(bench.runs(sweep.id).await[1].epochs_done, None);
}

pub(crate) async fn a_cancelled_sweep_gets_its_missing_jobs_as_cancelled_ones(bench: Bench) {
    let (sweep, _) = bench.store.create_sweep(new_sweep("s", 3), at(0.0)).await.unwrap();
    bench.store.add_jobs(sweep.id, 0, vec![new_job(0)]).await.unwrap();
    bench.store.command_sweep(sweep.id, SweepCommand::Cancel, at(1.0)).await.unwrap();
    assert_eq!(bench.store.unexpanded_sweeps().await.unwrap().len(), 1);
    assert_eq!(bench.store.add_jobs(sweep.id, 1, vec![new_job(1), new_job(2)]).await.unwrap(), 3);
    let runs = bench.runs(sweep.id).await;
    assert!(runs.iter().all(|run| run.state == JobState::Cancelled && run.ended_at.is_some()), "{runs:?}");
    assert!(bench.store.unexpanded_sweeps().await.unwrap().is_empty());
}

pub(crate) async fn an_ended_sweep_refuses_commands(bench: Bench) {
    let done = bench.sweep("done", 1).await;
    let worker = bench.worker("w").await;
    bench.train_one(worker, 0.5, at(1.0)).await;
    for command in [SweepCommand::Pause, SweepCommand::Resume, SweepCommand::Cancel] {
        assert_invalid_state(bench.store.command_sweep(done.id, command, at(2.0)).await, "\"done\" is completed");
    }
    let gone = bench.sweep("gone", 1).await;
    bench.store.command_sweep(gone.id, SweepCommand::Cancel, at(2.0)).await.unwrap();
    for command in [SweepCommand::Pause, SweepCommand::Resume] {
        assert_invalid_state(bench.store.command_sweep(gone.id, command, at(3.0)).await, "\"gone\" is cancelled");
    }
    let unknown = bench.store.command_sweep(SweepId(77), SweepCommand::Pause, at(3.0)).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { .. })), "{unknown:?}");
}

pub(crate) async fn cancelling_while_others_acquire_leaves_nothing_running(bench: Bench) {
    let sweep = bench.sweep("s", 40).await;
    let worker = bench.worker("w").await;
    let stores = [bench.second().await, bench.second().await];
    let acquirers: Vec<_> = (0..8)
        .map(|n| {
            let store = stores[n % 2].clone();
            tokio::spawn(async move { store.acquire(request(worker, 3), at(1.0)).await.unwrap().len() })
        })
        .collect();
    bench.store.command_sweep(sweep.id, SweepCommand::Cancel, at(2.0)).await.unwrap();
    for acquirer in acquirers {
        acquirer.await.unwrap();
    }
    let sweep = bench.store.find_sweep("s").await.unwrap();
    assert_eq!(sweep.counts.cancelled, 40, "{:?}", sweep.counts);
    let open = bench.query("SELECT count(*) FROM job_attempts WHERE outcome IS NULL").await;
    assert_eq!(open, [["0"]]);
}

/// The end of such a sweep is a rule, and its jobs may lack what the perceptron's have.
pub(crate) async fn a_sweep_without_a_number_of_jobs_is_read_like_any_other(bench: Bench) {
    let sweep = bench.sweep("s", 2).await;
    let worker = bench.worker("w").await;
    bench.execute("UPDATE sweeps SET jobs_total = NULL").await.unwrap();
    bench
        .execute(
            "UPDATE jobs SET optimizer = NULL, learning_rate = NULL, batch_size = NULL, epochs = NULL, hidden = NULL, \
             activation = NULL, dropout = NULL, engine = NULL, device = NULL",
        )
        .await
        .unwrap();
    let found = bench.store.find_sweep("s").await.unwrap();
    assert_eq!((found.new.jobs_total, found.lacks_jobs()), (None, true));
    assert_eq!(bench.store.list_sweeps().await.unwrap(), [found]);
    assert_eq!(bench.store.unexpanded_sweeps().await.unwrap().len(), 1);
    assert_eq!(bench.store.add_jobs(sweep.id, 2, vec![new_job(2)]).await.unwrap(), 3, "there is no number to exceed");
    bench.acquire(worker, 1, at(1.0)).await;
    let progress = bench.store.progress(sweep.id).await.unwrap();
    assert_eq!((progress.running.len(), progress.running[0].epochs), (1, 0));
    let runs = bench.runs(sweep.id).await;
    assert_eq!((runs.len(), &runs[0].hidden, &runs[0].device), (3, &None, &None));
    let settled = bench.store.expire(RetryPolicy::default(), 9, at(99.0)).await.unwrap();
    assert_eq!(settled.len(), 1);
    assert_eq!(bench.store.command_sweep(sweep.id, SweepCommand::Cancel, at(100.0)).await.unwrap().counts.cancelled, 3);
    assert_eq!(bench.store.retry_sweep(sweep.id, None, at(101.0)).await.unwrap().jobs, 3);
}
