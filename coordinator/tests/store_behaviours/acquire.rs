use std::collections::HashSet;

use besom_coordinator::{
    domain::{
        AttemptRef, Directive, JobState, NewSweep, NewWorker, RetryPolicy, SweepState, Trainers, WorkerId, WriteResult,
    },
    store::{AcquireRequest, StoreError, SweepCommand},
};

use crate::store_support::{
    Bench, TTL, at, digest, failed, new_sweep, new_worker, record, reported, request, succeeded,
};

pub(crate) async fn jobs_come_in_their_order_of_work_one_for_each_slot(bench: Bench) {
    let first = bench.sweep("first", 3).await;
    let second = bench.sweep("second", 3).await;
    let worker = bench.worker("w").await;
    let wish = AcquireRequest { slots: vec![7, 2, 5, 0], ..request(worker, 0) };
    let given = bench.store.acquire(wish, at(1.0)).await.unwrap();
    assert_eq!(given.iter().map(|job| job.slot).collect::<Vec<_>>(), [7, 2, 5, 0]);
    assert!(given.windows(2).all(|pair| pair[0].at.job < pair[1].at.job), "{given:?}");
    assert_eq!(given.iter().map(|job| job.sweep).collect::<Vec<_>>(), [first.id, first.id, first.id, second.id]);
    let job = &given[1];
    assert_eq!((job.at.attempt, job.seed, job.sweep_name.as_str()), (1, 2, "first"));
    assert_eq!(
        job.config,
        concat!(
            r#"{"device":"cpu","engine":"candle","hyperparameters":{"activation":"relu","batch_size":32,"dropout":0.0,"#,
            r#""epochs":5,"hidden":[32,16],"learning_rate":0.025,"min_delta":null,"momentum":0.0,"nesterov":false,"#,
            r#""optimizer":"sgd","patience":2},"trainer":"mlp"}"#,
        )
    );
    assert_eq!(job.config_hash, digest(1).as_str());
    assert_eq!((job.metric.clone(), job.scored_epoch, job.keep_models), {
        let new = &first.new;
        (new.metric.clone(), new.scored_epoch, new.keep_models)
    });
    let runs = bench.runs(first.id).await;
    assert!(runs.iter().all(|run| run.state == JobState::Running && run.started_at == at(1.0)), "{runs:?}");
}

pub(crate) async fn no_more_than_asked_and_no_more_than_there_are(bench: Bench) {
    bench.sweep("s", 3).await;
    let worker = bench.worker("w").await;
    assert!(bench.acquire(worker, 0, at(1.0)).await.is_empty());
    assert_eq!(bench.acquire(worker, 2, at(1.0)).await.len(), 2);
    assert_eq!(bench.acquire(worker, 2, at(1.0)).await.len(), 1);
    assert!(bench.acquire(worker, 2, at(1.0)).await.is_empty());
}

pub(crate) async fn only_jobs_of_the_sweep_that_was_asked_for(bench: Bench) {
    bench.sweep("first", 2).await;
    let second = bench.sweep("second", 2).await;
    let worker = bench.worker("w").await;
    let wish = AcquireRequest { sweep: Some(second.id), ..request(worker, 4) };
    let given = bench.store.acquire(wish, at(1.0)).await.unwrap();
    assert_eq!(given.iter().map(|job| job.sweep).collect::<Vec<_>>(), [second.id, second.id]);
}

pub(crate) async fn a_worker_that_is_not_registered_or_has_left_gets_nothing(bench: Bench) {
    bench.sweep("s", 2).await;
    let unknown = bench.store.acquire(request(WorkerId(77), 1), at(1.0)).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { .. })), "{unknown:?}");
    let worker = bench.worker("w").await;
    bench.store.release(worker, Vec::new(), true, at(2.0)).await.unwrap();
    // An acquisition that was still under way must not lease a job to a process that is gone.
    let left = bench.store.acquire(request(worker, 1), at(3.0)).await;
    assert!(matches!(left, Err(StoreError::NotFound { .. })), "{left:?}");
    assert_eq!(bench.worker("w").await, worker);
    assert_eq!(bench.acquire(worker, 1, at(4.0)).await.len(), 1);
}

pub(crate) async fn a_worker_of_another_trainer_version_is_told_what_waits(bench: Bench) {
    bench.sweep("one", 2).await;
    bench.sweep_of(NewSweep { trainer_version: 2, ..new_sweep("two", 3) }).await;
    let paused = bench.sweep_of(NewSweep { trainer_version: 4, ..new_sweep("four", 3) }).await;
    bench.store.command_sweep(paused.id, SweepCommand::Pause, at(0.5)).await.unwrap();
    let trainers = Trainers([("mlp".to_owned(), 3), ("program".to_owned(), 1)].into());
    let new = NewWorker { trainers, ..new_worker("w") };
    let worker = bench.store.register_worker(new, at(0.0)).await.unwrap();
    assert!(bench.acquire(worker, 4, at(1.0)).await.is_empty());
    let waiting = async || {
        let queues = bench.store.queues().await.unwrap();
        queues.iter().map(|queue| (queue.trainer_version, queue.queued, queue.ready)).collect::<Vec<_>>()
    };
    assert_eq!(waiting().await, [(1, 2, true), (2, 3, true)], "a paused sweep hands out nothing");
    // The version of another trainer counts for nothing.
    bench.sweep_of(NewSweep { trainer: "program".to_owned(), ..new_sweep("programs", 1) }).await;
    assert_eq!(bench.acquire(worker, 4, at(1.0)).await.len(), 1);
    let same = bench.worker("same").await;
    assert_eq!(bench.acquire(same, 9, at(1.0)).await.len(), 2);
    assert_eq!(waiting().await, [(1, 0, false), (2, 3, true), (1, 0, false)]);
}

pub(crate) async fn a_job_that_failed_waits_until_its_time(bench: Bench) {
    bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let job = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    bench.complete(failed(job, "out of luck", true), at(2.0)).await;
    assert!(bench.acquire(worker, 1, at(2.4)).await.is_empty(), "no sooner than half a second");
    let again = bench.acquire(worker, 1, at(3.1)).await.remove(0).at;
    assert_eq!((again.job, again.attempt), (job.job, 2));
}

pub(crate) async fn a_retried_job_keeps_its_place(bench: Bench) {
    bench.sweep("s", 3).await;
    let worker = bench.worker("w").await;
    let first = bench.acquire(worker, 1, at(1.0)).await.remove(0).at;
    bench.store.release(worker, vec![first], false, at(2.0)).await.unwrap();
    let next = bench.acquire(worker, 1, at(3.0)).await.remove(0).at;
    assert_eq!((next.job, next.attempt), (first.job, 2));
}

pub(crate) async fn the_same_request_again_gives_the_same_jobs(bench: Bench) {
    bench.sweep("s", 5).await;
    let worker = bench.worker("w").await;
    let wish = request(worker, 2);
    let given = bench.store.acquire(wish.clone(), at(1.0)).await.unwrap();
    let again = bench.second().await.acquire(wish.clone(), at(2.0)).await.unwrap();
    assert_eq!(again, given);
    // What has ended meanwhile is not given again, and nothing new either while one of them runs.
    bench.complete(succeeded(given[0].at, vec![record(1, 0.5)]), at(3.0)).await;
    assert_eq!(bench.store.acquire(wish, at(4.0)).await.unwrap(), given[1..]);
    assert_eq!(bench.store.find_sweep("s").await.unwrap().counts.running, 1);
}

pub(crate) async fn a_repeated_request_renews_what_it_finds(bench: Bench) {
    bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let wish = request(worker, 1);
    bench.store.acquire(wish.clone(), at(0.0)).await.unwrap();
    bench.store.acquire(wish, at(20.0)).await.unwrap();
    // The worker counts its time from the second call.
    assert!(bench.store.expire(RetryPolicy::default(), 10, at(49.9)).await.unwrap().is_empty());
    assert_eq!(bench.store.expire(RetryPolicy::default(), 10, at(50.0)).await.unwrap().len(), 1);
}

pub(crate) async fn a_request_repeated_long_after_is_a_fresh_one(bench: Bench) {
    bench.sweep("s", 2).await;
    let worker = bench.worker("w").await;
    let wish = request(worker, 1);
    let first = bench.store.acquire(wish.clone(), at(0.0)).await.unwrap().remove(0).at;
    bench.complete(succeeded(first, vec![record(1, 0.5)]), at(1.0)).await;
    let second = bench.store.acquire(wish, at(2.0)).await.unwrap().remove(0).at;
    assert_ne!(first.job, second.job);
}

pub(crate) async fn one_request_racing_on_two_coordinators_is_granted_once(bench: Bench) {
    bench.sweep("s", 64).await;
    let worker = bench.worker("w").await;
    let stores = [bench.second().await, bench.second().await];
    for round in 1..=8 {
        let wish = request(worker, 2);
        let calls: Vec<_> = (0..6)
            .map(|n| {
                let (store, wish) = (stores[n % 2].clone(), wish.clone());
                tokio::spawn(async move { store.acquire(wish, None).await.unwrap() })
            })
            .collect();
        let mut answers = Vec::new();
        for call in calls {
            answers.push(call.await.unwrap());
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        assert_eq!(bench.store.find_sweep("s").await.unwrap().counts.running, round * 2);
    }
}

/// The invariant of that name.
pub(crate) async fn lease_and_acquisition_are_one(bench: Bench) {
    bench.sweep("s", 100).await;
    let stores = [bench.second().await, bench.second().await];
    let mut acquirers = Vec::new();
    for n in 0..8 {
        let worker = bench.worker(&format!("w{n}")).await;
        let store = stores[n % 2].clone();
        acquirers.push(tokio::spawn(async move {
            let mut got = Vec::new();
            loop {
                let asked = 1 + n as u32 % 3;
                let given = store.acquire(request(worker, asked), None).await.unwrap();
                assert!(given.len() <= asked as usize, "{asked} asked, {} given", given.len());
                if given.is_empty() && store.find_sweep("s").await.unwrap().counts.queued == 0 {
                    return got;
                }
                got.extend(given.iter().map(|job| (job.at, worker)));
            }
        }));
    }
    let mut seen = HashSet::new();
    for acquirer in acquirers {
        for (job, _) in acquirer.await.unwrap() {
            assert_eq!(job.attempt, 1);
            assert!(seen.insert(job), "{job:?} was handed out twice");
        }
    }
    assert_eq!(seen.len(), 100);
    // Each has its lease and its attempt.
    let rows = bench
        .query(
            "SELECT count(*) FROM jobs j JOIN job_attempts a ON a.job_id = j.id AND a.attempt = j.attempt \
             AND a.worker_id = j.worker_id AND a.slot = j.slot AND a.started_at = j.started_at AND a.outcome IS NULL \
             WHERE j.state = 'running' AND j.lease_until > j.started_at",
        )
        .await;
    assert_eq!(rows, [["100"]]);
}

pub(crate) async fn attempt_numbers_never_go_back(bench: Bench) {
    let sweep = bench.sweep("s", 1).await;
    let worker = bench.worker("w").await;
    let mut now = 0.0;
    for attempt in 1..=6 {
        now += 100.0;
        let job = bench.acquire(worker, 1, at(now)).await.remove(0).at;
        assert_eq!(job.attempt, attempt);
        match attempt % 3 {
            0 => assert_eq!(bench.complete(failed(job, "no", true), at(now)).await, WriteResult::Accepted),
            1 => {
                let lost = bench.store.expire(RetryPolicy::default(), 9, at(now + TTL.as_secs_f64())).await.unwrap();
                assert_eq!(lost.len(), 1);
            }
            _ => drop(bench.store.release(worker, vec![job], false, at(now)).await.unwrap()),
        }
    }
    let numbers: Vec<u32> = bench.attempts(sweep.id).await.iter().map(|row| row.at.attempt).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
    assert_eq!(bench.runs(sweep.id).await[0].attempts, 6);
    assert_eq!(bench.store.find_sweep("s").await.unwrap().state, SweepState::Active);
    let stale = reported(AttemptRef { job: bench.runs(sweep.id).await[0].job, attempt: 4 }, vec![record(1, 0.5)]);
    assert_eq!(bench.report(worker, vec![stale], at(now)).await, [Directive::LeaseLost]);
}
