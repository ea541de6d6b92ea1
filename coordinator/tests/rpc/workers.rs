//! The life of a lease over the wire.

use std::time::Duration;

use besom_coordinator::CoordinatorConfig;
use besom_proto::v1;
use besom_sweep::{Cell, TRAINER_VERSION};
use sqlx::Connection;
use tonic::Code;

use crate::support::{Bench, Caller, LIMIT, failure, named, record, registration, remembered, rows, success, upload};

#[tokio::test]
async fn every_request_can_be_repeated() {
    let bench = Bench::new().await;
    let mut clients = bench.clients();
    // Every call is made twice; the second answer is the first one's.
    macro_rules! twice {
        ($client:ident.$method:ident($request:expr)) => {{
            let request = $request;
            let first = clients.$client.$method(request.clone()).await.unwrap().into_inner();
            let second = clients.$client.$method(request).await.unwrap().into_inner();
            assert_eq!(first, second, stringify!($method));
            first
        }};
    }
    let model = b"weights".as_slice();
    let digest = crate::support::sha256(model);
    for _ in 0..2 {
        let parts = upload(&digest, model, v1::ArtifactKind::Model);
        let stored = clients.artifacts.put(tokio_stream::iter(parts)).await.unwrap().into_inner();
        assert_eq!(stored.size, 7);
    }
    let request = clients.request("grid", &crate::support::grid(4)).await;
    let sweep = clients.sweeps.create_sweep(request.clone()).await.unwrap().into_inner().sweep;
    assert_eq!(clients.sweeps.create_sweep(request).await.unwrap().into_inner().sweep, sweep);

    let worker = Caller::of(&twice!(workers.register(registration())));
    let acquired = remembered(twice!(workers.acquire(worker.wish(vec![0, 1, 2], Duration::ZERO))));
    let attempts: Vec<_> = acquired.assignments.iter().map(|job| job.attempt.unwrap()).collect();
    assert_eq!(attempts.len(), 3);

    let report = v1::JobReport { attempt: Some(attempts[0]), epochs: vec![record(1)] };
    twice!(workers.report(worker.report(vec![report])));
    let failure = failure(attempts[1]);
    let success = v1::Completion { final_model: digest.clone(), best_model: digest, ..success(attempts[0]) };
    let results = twice!(workers.complete(worker.complete(vec![success, failure]))).jobs;
    assert!(results.iter().all(|job| job.result() == v1::Result::Accepted), "{results:?}");
    let given_back = worker.release(vec![attempts[2]], true);
    let results = twice!(workers.release(given_back)).jobs;
    assert!(results.iter().all(|job| job.result() == v1::Result::Accepted), "{results:?}");

    twice!(sweeps.pause_sweep(named("grid")));
    twice!(sweeps.resume_sweep(named("grid")));
    let counts = clients.sweep("grid").await.counts.unwrap();
    assert_eq!((counts.queued, counts.running, counts.succeeded, counts.failed), (3, 0, 1, 0));
    twice!(sweeps.cancel_sweep(named("grid")));
    let attempts = "SELECT n_attempts FROM runs WHERE sweep = 'grid' ORDER BY job LIMIT 1";
    assert_eq!(rows(&clients, attempts).await, [[Cell::Integer(1)]]);
}

#[tokio::test]
async fn a_waiting_acquire_is_answered_when_jobs_come() {
    let bench = Bench::new().await;
    let mut clients = bench.clients();
    let worker = clients.register().await;
    let mut waiting = clients.clone();
    let waiting = tokio::spawn(async move {
        let wish = worker.wish(vec![0, 1], Duration::from_secs(20));
        waiting.workers.acquire(wish).await.unwrap().into_inner()
    });
    let sweep = clients.submit("grid", 3).await;
    let acquired = tokio::time::timeout(LIMIT, waiting).await.unwrap().unwrap();
    let slots: Vec<_> = acquired.assignments.iter().map(|job| job.slot).collect();
    assert_eq!(slots, [0, 1], "as many as there are free slots, never more");
    assert!(acquired.assignments.iter().all(|job| job.sweep == sweep.id && job.sweep_name == "grid"));
}

#[tokio::test]
async fn an_acquire_that_finds_nothing_waits_no_longer_than_it_was_told() {
    let bench = Bench::new().await;
    let mut clients = bench.clients();
    let worker = clients.register().await;
    let wish = worker.wish(vec![0], Duration::from_millis(50));
    let answer = tokio::time::timeout(LIMIT, clients.workers.acquire(wish)).await.unwrap().unwrap().into_inner();
    assert_eq!(answer, v1::AcquireResponse::default());
}

#[tokio::test]
async fn a_stale_report_hears_lease_lost_and_fails_nobody() {
    let bench = Bench::new().await;
    let mut clients = bench.clients();
    clients.submit("grid", 2).await;
    let worker = clients.register().await;
    let stale = clients.acquire_one(worker).await;
    let release = worker.release(vec![stale], false);
    clients.workers.release(release).await.unwrap();
    let current = clients.acquire_one(worker).await;
    assert_eq!((current.job, current.attempt), (stale.job, 2), "attempt numbers never go back");

    let report = |attempt| v1::JobReport { attempt: Some(attempt), epochs: vec![record(1)] };
    let request = worker.report(vec![report(stale), report(current)]);
    let answers = clients.workers.report(request).await.unwrap().into_inner().jobs;
    let directives: Vec<_> = answers.iter().map(|job| (job.attempt.unwrap(), job.directive())).collect();
    assert_eq!(directives, [(stale, v1::Directive::LeaseLost), (current, v1::Directive::Continue)]);
    assert_eq!(clients.complete(worker, success(stale)).await, v1::Result::LeaseLost);
    assert_eq!(clients.complete(worker, success(current)).await, v1::Result::Accepted);
}

#[tokio::test]
async fn a_completion_that_is_refused_keeps_no_other_from_its_end() {
    let bench = Bench::new().await;
    let mut clients = bench.clients();
    clients.submit("grid", 2).await;
    let worker = clients.register().await;
    let (one, two) = (clients.acquire_one(worker).await, clients.acquire_one(worker).await);
    let unknown = v1::Completion { outcome: 7, ..success(one) };
    let request = worker.complete(vec![unknown]);
    let error = clients.workers.complete(request).await.unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::InvalidArgument, "jobs[0].outcome: unknown value 7"));

    let unstored = v1::Completion { final_model: "0".repeat(64), ..success(one) };
    let request = worker.complete(vec![unstored, success(two)]);
    let error = clients.workers.complete(request).await.unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition);
    assert!(error.message().starts_with("jobs[0]: "), "{}", error.message());
    let counts = clients.sweep("grid").await.counts.unwrap();
    assert_eq!((counts.running, counts.succeeded), (1, 1));
}

#[tokio::test]
async fn a_damaged_row_keeps_no_other_job_from_its_end() {
    let bench = Bench::new().await;
    let mut clients = bench.clients();
    clients.submit("damaged", 1).await;
    clients.submit("sound", 1).await;
    let worker = clients.register().await;
    let (one, two) = (clients.acquire_one(worker).await, clients.acquire_one(worker).await);
    let url = format!("sqlite:{}", bench.dir.path().join("besom.db").display());
    let mut database = sqlx::SqliteConnection::connect(&url).await.unwrap();
    for damage in ["PRAGMA ignore_check_constraints = ON", "UPDATE sweeps SET metric = '' WHERE name = 'damaged'"] {
        sqlx::query(damage).execute(&mut database).await.unwrap();
    }
    let request = worker.complete(vec![success(one), success(two)]);
    let error = clients.workers.complete(request).await.unwrap_err();
    assert_eq!(error.code(), Code::Internal, "{error}");
    assert_eq!(clients.sweep("sound").await.counts.unwrap().succeeded, 1);
}

#[tokio::test]
async fn a_paused_sweep_hands_out_nothing_and_a_cancelled_one_ends_its_jobs() {
    let bench = Bench::new().await;
    let mut clients = bench.clients();
    let sweep = clients.submit("grid", 3).await;
    let worker = clients.register().await;
    let attempt = clients.acquire_one(worker).await;
    clients.sweeps.pause_sweep(named("grid")).await.unwrap();
    assert_eq!(clients.acquire(worker, vec![1]).await.assignments, []);

    let mut waiting = clients.clone();
    let follow = v1::AcquireRequest { sweep: Some(sweep.id), ..worker.wish(vec![1], Duration::from_secs(20)) };
    let waiting = tokio::spawn(async move { waiting.workers.acquire(follow).await.unwrap().into_inner() });
    clients.sweeps.cancel_sweep(named("grid")).await.unwrap();
    let answer = tokio::time::timeout(LIMIT, waiting).await.unwrap().unwrap();
    assert!(answer.sweep_ended && answer.assignments.is_empty());

    let report = v1::JobReport { attempt: Some(attempt), epochs: vec![record(1)] };
    let request = worker.report(vec![report]);
    let answers = clients.workers.report(request).await.unwrap().into_inner().jobs;
    assert_eq!(answers[0].directive(), v1::Directive::Cancelled);
    assert_eq!(clients.complete(worker, success(attempt)).await, v1::Result::Cancelled);
}

#[tokio::test]
async fn a_silent_workers_job_goes_to_the_next_one() {
    let config = CoordinatorConfig {
        lease_ttl: Duration::from_millis(300),
        report_interval: Duration::from_millis(100),
        reaper_interval: Duration::from_millis(50),
        ..CoordinatorConfig::default()
    };
    let bench = Bench::with(config).await;
    let mut clients = bench.clients();
    clients.submit("grid", 1).await;
    let silent = clients.register().await;
    let lost = clients.acquire_one(silent).await;
    let next = clients.register().await;
    let wish = next.wish(vec![0], Duration::from_secs(20));
    let answer = tokio::time::timeout(LIMIT, clients.workers.acquire(wish)).await.unwrap().unwrap().into_inner();
    let again = answer.assignments[0].attempt.unwrap();
    assert_eq!((again.job, again.attempt), (lost.job, 2));
    assert_ne!(again.lease, lost.lease);
}

#[tokio::test]
async fn a_worker_of_another_trainer_version_is_told_why_it_gets_nothing() {
    let bench = Bench::new().await;
    let mut clients = bench.clients();
    clients.submit("grid", 2).await;
    let other = v1::RegisterRequest { trainers: [("mlp".to_owned(), TRAINER_VERSION + 1)].into(), ..registration() };
    let worker = clients.register_as(other).await;
    let answer = clients.acquire(worker, vec![0]).await;
    assert_eq!(answer.assignments, []);
    let expected = format!("2 queued jobs of trainer mlp, version {TRAINER_VERSION}");
    assert!(answer.notice.starts_with(&expected), "{}", answer.notice);
}

#[tokio::test]
async fn a_worker_of_another_protocol_is_refused_readably() {
    let bench = Bench::new().await;
    let mut clients = bench.clients();
    let peer = Some(v1::Peer { protocol: 99, build: "besom 9.9.9".to_owned() });
    let error = clients.workers.register(v1::RegisterRequest { peer, ..registration() }).await.unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition);
    assert!(error.message().contains("besom 9.9.9 speaks protocol 99"), "{}", error.message());
    let unknown = Caller { worker: 77, ..clients.register().await };
    let error = clients.workers.acquire(unknown.wish(vec![0], Duration::ZERO)).await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound, "a worker that never registered: {}", error.message());
}
