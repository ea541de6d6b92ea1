//! Two coordinators on one Postgres.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use besom_coordinator::open::open;
use besom_coordinator::store::StoreUrl;
use besom_coordinator::{Coordinator, CoordinatorConfig};
use besom_proto::v1;
use besom_testkit::eventually;
use besom_testkit::postgres::{PostgresServer, Stop, database};
use tonic::Code;

use crate::support::{Clients, LIMIT, grid, record, registration, remembered, success};

async fn coordinator(url: &str) -> (Coordinator, Clients) {
    let opened = open(&StoreUrl::parse(url).unwrap()).await.unwrap();
    let coordinator = Coordinator::start(opened.store, opened.artifacts, CoordinatorConfig::default()).unwrap();
    let clients = Clients::of(&coordinator.connector());
    (coordinator, clients)
}

#[tokio::test]
async fn any_number_of_coordinators_may_share_one_postgres() {
    let database = database().await;
    let ((_one, mut one), (_two, mut two)) = tokio::join!(coordinator(&database.url), coordinator(&database.url));

    let request = one.request("shared", &grid(6_000)).await;
    let mut sweeps = (one.sweeps.clone(), two.sweeps.clone());
    let (a, b) = tokio::join!(sweeps.0.create_sweep(request.clone()), sweeps.1.create_sweep(request));
    let (a, b) = (a.unwrap().into_inner(), b.unwrap().into_inner());
    assert_eq!(u32::from(a.created) + u32::from(b.created), 1, "made once");
    let id = a.sweep.unwrap().id;
    assert_eq!(b.sweep.unwrap().id, id);
    eventually("both have written all jobs, once", LIMIT, async || two.sweep("shared").await.jobs_created == 6_000)
        .await;
    assert_eq!(one.sweep("shared").await.counts.unwrap().queued, 6_000);

    // Registered at one, asking at both with one wish, reporting to one, completing at the other,
    // twice.
    let request = registration();
    let worker = one.register_as(request.clone()).await;
    assert_eq!(two.register_as(request).await, worker);
    let wish = worker.wish(vec![0, 1], Duration::ZERO);
    let acquired = remembered(one.workers.acquire(wish.clone()).await.unwrap().into_inner());
    assert_eq!(two.workers.acquire(wish).await.unwrap().into_inner(), acquired);
    let attempt = acquired.assignments[0].attempt.unwrap();
    let report = v1::JobReport { attempt: Some(attempt), epochs: vec![record(1)] };
    let report = worker.report(vec![report]);
    for clients in [&mut one, &mut two] {
        let answer = clients.workers.report(report.clone()).await.unwrap().into_inner();
        assert_eq!(answer.jobs[0].directive(), v1::Directive::Continue);
    }
    let rest = v1::Completion { epochs: vec![record(2)], ..success(attempt) };
    assert_eq!(two.complete(worker, rest.clone()).await, v1::Result::Accepted);
    assert_eq!(one.complete(worker, rest).await, v1::Result::Accepted);
    assert_eq!(one.sweep("shared").await.counts.unwrap().succeeded, 1);
}

#[tokio::test]
async fn no_job_is_handed_out_twice_by_two_coordinators() {
    let database = database().await;
    let ((_one, mut one), (_two, mut two)) = tokio::join!(coordinator(&database.url), coordinator(&database.url));
    let worker = two.register().await;
    // Waits at the second for what comes to the first.
    let mut waiting = two.clone();
    let waiting = tokio::spawn(async move {
        waiting.workers.acquire(worker.wish(vec![0], Duration::from_secs(20))).await.unwrap().into_inner()
    });
    one.submit("shared", 40).await;
    let first = tokio::time::timeout(LIMIT, waiting).await.unwrap().unwrap().assignments;
    assert_eq!(first.len(), 1);

    let mut calls = tokio::task::JoinSet::new();
    for round in 0..20 {
        let mut clients = if round % 2 == 0 { one.clone() } else { two.clone() };
        calls.spawn(async move { clients.acquire(worker, vec![2 * round + 1, 2 * round + 2]).await.assignments });
    }
    let mut jobs: Vec<_> = first;
    jobs.extend(calls.join_all().await.concat());
    let distinct: HashSet<_> = jobs.iter().map(|job| job.attempt.unwrap().job).collect();
    assert_eq!((jobs.len(), distinct.len()), (40, 40));
}

#[tokio::test]
async fn a_database_that_is_away_is_unavailable_until_it_is_back() {
    let server = Arc::new(tokio::task::spawn_blocking(PostgresServer::start_new).await.unwrap());
    let (_coordinator, mut clients) = coordinator(&server.database().await.url).await;
    let sweep = clients.submit("kept", 2).await;
    let worker = clients.register().await;
    let attempt = clients.acquire_one(worker).await;

    let stopped = server.clone();
    tokio::task::spawn_blocking(move || stopped.stop(Stop::Immediate)).await.unwrap();
    let call = clients.workers.complete(worker.complete(vec![success(attempt)]));
    let error = tokio::time::timeout(LIMIT, call).await.expect("calls are answered").unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::Unavailable, "the database is not available"));

    let started = server.clone();
    tokio::task::spawn_blocking(move || started.start()).await.unwrap();
    eventually("calls are served again", LIMIT, async || {
        let request = worker.complete(vec![success(attempt)]);
        clients
            .workers
            .complete(request)
            .await
            .is_ok_and(|answer| answer.into_inner().jobs[0].result() == v1::Result::Accepted)
    })
    .await;
    let counts = clients.sweep(&sweep.name).await.counts.unwrap();
    assert_eq!((counts.queued, counts.succeeded), (1, 1));
}
