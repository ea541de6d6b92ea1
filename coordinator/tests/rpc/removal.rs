//! Removing a sweep over the wire.

use std::time::Duration;

use besom_proto::v1;
use besom_testkit::eventually;
use tokio_stream::StreamExt;
use tonic::Code;

use crate::support::{Bench, Clients, LIMIT, named, success};

async fn remove(clients: &mut Clients, sweep: &str) -> Result<v1::RemoveSweepResponse, tonic::Status> {
    let request = v1::RemoveSweepRequest { sweep: sweep.to_owned(), validate_only: false };
    Ok(clients.sweeps.remove_sweep(request).await?.into_inner())
}

#[tokio::test]
async fn a_sweep_is_removed_with_the_files_that_nothing_else_names() {
    let bench = Bench::new().await;
    let mut clients = bench.clients();
    clients.submit("other", 1).await;
    let id = clients.submit("grid", 2).await.id;
    let worker = clients.register().await;
    let mut models = Vec::new();
    for text in ["a model of two", "another", "a third"] {
        let digest = clients.put(text.as_bytes(), v1::ArtifactKind::Model).await;
        let attempt = clients.acquire_one(worker).await;
        let done = v1::Completion { final_model: digest.clone(), ..success(attempt) };
        assert_eq!(clients.complete(worker, done).await, v1::Result::Accepted);
        models.push(digest);
    }
    let file = |digest: &str| bench.dir.path().join("artifacts").join(&digest[..2]).join(digest).is_file();
    let kept: Vec<bool> = models.iter().map(|digest| file(digest)).collect();
    let request = v1::RemoveSweepRequest { sweep: "grid".to_owned(), validate_only: true };
    let plan = clients.sweeps.remove_sweep(request).await.unwrap().into_inner();
    assert_eq!((plan.sweep_id, plan.name.as_str(), plan.jobs, plan.epochs), (id, "grid", 2, 4));
    assert_eq!(plan.artifacts, kept[1..].iter().filter(|kept| **kept).count() as u64);
    assert_eq!(clients.sweep("grid").await.state(), v1::SweepState::Completed, "it was only asked about");

    let removed = remove(&mut clients, "grid").await.unwrap();
    assert_eq!((removed.sweep_id, removed.gone, removed.jobs_left), (id, true, 0));
    assert_eq!(models.iter().map(|digest| file(digest)).collect::<Vec<_>>(), [kept[0], false, false]);
    for name in ["grid".to_owned(), id.to_string()] {
        let refused = remove(&mut clients, &name).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::NotFound, format!("no sweep {name:?}").as_str()));
    }
    let similar = remove(&mut clients, "othr").await.unwrap_err();
    assert_eq!(similar.message(), "no sweep \"othr\" (did you mean \"other\"?)");
    let left = clients.sweeps.list_sweeps(v1::ListSweepsRequest {}).await.unwrap().into_inner().sweeps;
    assert_eq!(left.iter().map(|sweep| sweep.name.as_str()).collect::<Vec<_>>(), ["other"]);
}

#[tokio::test]
async fn an_active_sweep_is_refused_with_the_advice() {
    let bench = Bench::new().await;
    let mut clients = bench.clients();
    clients.submit("grid", 1).await;
    let refused = remove(&mut clients, "grid").await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(refused.message(), "sweep \"grid\" is active and cannot be removed; `besom cancel` ends it first");
}

/// As if it had been cancelled and removed between two looks of those who follow it.
#[tokio::test]
async fn whoever_follows_a_sweep_that_was_removed_is_told_so() {
    let bench = Bench::new().await;
    let mut clients = bench.clients();
    let sweep = clients.submit("grid", 1).await;
    let worker = clients.register().await;
    let mut watch = clients.sweeps.watch_sweep(named("grid")).await.unwrap().into_inner();
    watch.next().await.unwrap().unwrap();
    let waiting = {
        let mut clients = clients.clone();
        let wish = v1::AcquireRequest { sweep: Some(sweep.id + 1), ..worker.wish(vec![0], Duration::ZERO) };
        async move { clients.workers.acquire(wish).await.unwrap().into_inner() }
    };
    let url = format!("sqlite:{}", bench.dir.path().join("besom.db").display());
    let database = sqlx::SqlitePool::connect(&url).await.unwrap();
    sqlx::query("UPDATE sweeps SET state = 'removing'").execute(&database).await.unwrap();
    let gone = loop {
        match watch.next().await.expect("it ends with words") {
            Ok(_) => {}
            Err(status) => break status,
        }
    };
    assert_eq!((gone.code(), gone.message()), (Code::NotFound, format!("sweep {} was removed", sweep.id).as_str()));
    assert!(waiting.await.sweep_ended, "a worker of one sweep ends with it, and does not register again");
    // It was marked behind the back of the coordinator, which finds it by itself.
    let mut asking = clients.clone();
    eventually("its rows are gone", LIMIT, async || remove(&mut asking, &sweep.id.to_string()).await.is_err()).await;
}
