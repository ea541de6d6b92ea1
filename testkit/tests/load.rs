//! The load client against a coordinator on a loopback address: what it says is what happened, on
//! both databases.

#![cfg(feature = "load")]
#![allow(clippy::unwrap_used, reason = "a step that fails ends the test and says where")]

use std::{sync::Arc, time::Duration};

use besom_coordinator::{
    Coordinator, CoordinatorConfig,
    domain::SweepState,
    open::open,
    store::{
        StoreUrl,
        query::{Queries, Rights, query},
    },
};
use besom_sweep::Cell;
use serde_json::Value;
use tokio::{net::TcpListener, process::Command, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// What a busy machine may take for a second of work.
const LIMIT: Duration = Duration::from_secs(120);

/// A store that outlives its coordinators.
struct Place {
    store: String,
    _dir: tempfile::TempDir,
}

fn sqlite() -> Place {
    let dir = tempfile::tempdir().unwrap();
    Place { store: format!("sqlite:{}", dir.path().join("besom.db").display()), _dir: dir }
}

async fn postgres() -> Place {
    Place { store: besom_testkit::postgres::database().await.url, _dir: tempfile::tempdir().unwrap() }
}

/// A coordinator that serves a store over TCP.
struct Serving {
    url: String,
    shutdown: CancellationToken,
    served: JoinHandle<()>,
}

impl Serving {
    async fn start(place: &Place) -> Self {
        let url = StoreUrl::parse(&place.store).unwrap();
        let opened = open(&url).await.unwrap();
        let queries = Some(Arc::new(Queries::new(&url, Rights::OfTheUrl)));
        let config = CoordinatorConfig { queries, ..CoordinatorConfig::default() };
        let coordinator = Coordinator::start(opened.store.clone(), opened.artifacts.clone(), config).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let end = shutdown.clone();
        let served = tokio::spawn(async move {
            coordinator.serve(listener, end).await.unwrap();
            coordinator.stop().await;
            opened.close().await;
        });
        Self { url, shutdown, served }
    }

    /// One part of the load client, as a process of its own.
    async fn load(&self, part: &str, words: &[&str]) -> Value {
        let words = [&[part, "--coordinator", &self.url], words].concat();
        load(&words).await
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.served.await.unwrap();
    }
}

async fn load(words: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_besom-load"));
    let output = tokio::time::timeout(LIMIT, command.args(words).kill_on_drop(true).output()).await.unwrap().unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{words:?}: {stderr}");
    serde_json::from_str(&stdout).unwrap()
}

/// The number at this path.
#[track_caller]
fn number(value: &Value, path: &str) -> f64 {
    value.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("no number {path} in {value}"))
}

async fn every_job_is_completed_exactly_once(place: Place) {
    let serving = Serving::start(&place).await;
    let words = ["--jobs", "100", "--epochs", "3", "--workers", "3", "--batch", "8", "--reports", "1"];
    let done = serving.load("jobs", &[&words[..], &["--seconds", "100"]].concat()).await;
    for (path, expected) in [("/completed", 100.0), ("/distinct", 100.0), ("/refused", 0.0)] {
        assert_eq!(number(&done, path), expected, "{path}: {done}");
    }
    for call in ["acquire", "report", "complete"] {
        let at = |what| number(&done, &format!("/latency_ms/{call}/{what}"));
        assert!(
            at("n") >= 13.0 && at("p50") <= at("p95") && at("p95") <= at("p99") && at("p99") <= at("max"),
            "{done}"
        );
    }
    serving.stop().await;
    let opened = open(&StoreUrl::parse(&place.store).unwrap()).await.unwrap();
    let sweep = opened.store.find_sweep(done["sweep"].as_str().unwrap()).await.unwrap();
    assert_eq!((sweep.state, sweep.counts.succeeded), (SweepState::Completed, 100));
    let progress = opened.store.progress(sweep.id).await.unwrap();
    assert_eq!((progress.epochs_done, progress.epochs_total), (300, 300));
    opened.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_job_is_completed_exactly_once_on_sqlite() {
    every_job_is_completed_exactly_once(sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_job_is_completed_exactly_once_on_postgres() {
    every_job_is_completed_exactly_once(postgres().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_ends_at_its_first_bound_and_leaves_no_lease_behind() {
    let place = sqlite();
    let serving = Serving::start(&place).await;
    serving.load("submit", &["--sweep", "grid", "--jobs", "60"]).await;
    let sweep = ["--sweep", "grid", "--workers", "2", "--batch", "4"];
    let by_count = serving.load("jobs", &[&sweep[..], &["--count", "10", "--seconds", "100"]].concat()).await;
    assert_eq!(number(&by_count, "/completed"), 10.0);
    let by_time = serving.load("jobs", &[&sweep[..], &["--seconds", "0.5", "--rate", "10"]].concat()).await;
    let completed = number(&by_time, "/completed") as u64;
    assert!((4..50).contains(&completed), "about ten a second for half a second: {by_time}");
    serving.stop().await;
    let opened = open(&StoreUrl::parse(&place.store).unwrap()).await.unwrap();
    let counts = opened.store.find_sweep("grid").await.unwrap().counts;
    assert_eq!((counts.succeeded, counts.running, counts.queued), (10 + completed, 0, 50 - completed));
    opened.close().await;
}

async fn filled_jobs_are_as_if_they_had_been_trained(place: Place) {
    let serving = Serving::start(&place).await;
    let submitted = serving.load("submit", &["--sweep", "grid", "--jobs", "50", "--epochs", "4"]).await;
    assert_eq!(number(&submitted, "/jobs"), 50.0);
    serving.stop().await;
    let fill = ["fill", "--store", &place.store, "--sweep", "grid"];
    let filled = load(&[&fill[..], &["--finish", "30", "--state", "paused", "--analyze"]].concat()).await;
    assert_eq!(number(&filled, "/finished"), 30.0);

    let opened = open(&StoreUrl::parse(&place.store).unwrap()).await.unwrap();
    let sweep = opened.store.find_sweep("grid").await.unwrap();
    assert_eq!((sweep.state, sweep.counts.succeeded, sweep.counts.queued), (SweepState::Paused, 30, 20));
    let progress = opened.store.progress(sweep.id).await.unwrap();
    assert_eq!((progress.epochs_done, progress.epochs_total), (120, 200));
    let shown = async |sql: &str| query(&StoreUrl::parse(&place.store).unwrap(), sql).await.unwrap().rows;
    let stats = "SELECT count(*), count(DISTINCT job) FROM config_stats WHERE sweep = 'grid'";
    assert_eq!(shown(stats).await, [[Cell::Integer(30), Cell::Integer(30)]]);
    let records = "SELECT count(*) FROM history WHERE sweep = 'grid' GROUP BY job";
    assert_eq!(shown(records).await, vec![[Cell::Integer(4)]; 30]);
    opened.close().await;

    load(&[&fill[..], &["--state", "active", "--trainer-version", "99"]].concat()).await;
    let serving = Serving::start(&place).await;
    let refused = serving.load("jobs", &["--sweep", "grid", "--seconds", "0.1"]).await;
    assert_eq!(number(&refused, "/completed"), 0.0, "they are for another build's trainer");
    serving.stop().await;
    load(&[&fill[..], &["--trainer-version", "4", "--finish", "19"]].concat()).await;
    let serving = Serving::start(&place).await;
    let last = serving.load("jobs", &["--sweep", "grid", "--seconds", "100"]).await;
    assert_eq!(number(&last, "/completed"), 1.0);
    serving.stop().await;
    let asked = load(&["query", "--store", &place.store, "--sweep", "grid", "--rounds", "1"]).await;
    assert_eq!(number(&asked, "/questions/count/rows"), 1.0);
    let opened = open(&StoreUrl::parse(&place.store).unwrap()).await.unwrap();
    let sweep = opened.store.find_sweep("grid").await.unwrap();
    assert_eq!((sweep.state, sweep.counts.succeeded), (SweepState::Completed, 50));
    opened.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filled_jobs_are_as_if_they_had_been_trained_on_sqlite() {
    filled_jobs_are_as_if_they_had_been_trained(sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filled_jobs_are_as_if_they_had_been_trained_on_postgres() {
    filled_jobs_are_as_if_they_had_been_trained(postgres().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_watching_and_commanding_say_what_they_cost() {
    let place = sqlite();
    let serving = Serving::start(&place).await;
    let pid = std::process::id().to_string();
    let idle = ["--workers", "20", "--seconds", "0.3", "--settle", "0.1", "--coordinator-pid", &pid];
    let idle = serving.load("idle", &idle).await;
    assert_eq!((number(&idle, "/jobs"), number(&idle, "/failures")), (0.0, 0.0), "{idle}");
    assert!(number(&idle, "/core_percent") >= 0.0 && number(&idle, "/coordinator_memory_bytes") > 0.0, "{idle}");

    serving.load("submit", &["--sweep", "grid", "--jobs", "20"]).await;
    let watch = serving.load("watch", &["--sweep", "grid", "--watchers", "5", "--seconds", "0.2"]).await;
    assert_eq!((number(&watch, "/watchers"), number(&watch, "/ended")), (5.0, 0.0), "{watch}");

    let commands = ["--sweep", "grid", "--write", "200", "--rounds", "2"];
    let commands = serving.load("commands", &commands).await;
    for call in ["pause", "resume", "cancel", "sweeps", "best", "pause_written"] {
        assert!(number(&commands, &format!("/latency_ms/{call}/n")) >= 1.0, "{call}: {commands}");
    }
    serving.stop().await;
}

#[tokio::test]
async fn only_coordinators_of_this_machine_are_put_under_load() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_besom-load"));
    let refused = command.args(["jobs", "--coordinator", "http://192.0.2.1:7070"]).output().await.unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("expected a loopback address, got \"192.0.2.1\""), "{said}");
}

#[tokio::test]
async fn syncs_of_a_folder_are_timed() {
    let dir = tempfile::tempdir().unwrap();
    let measured = load(&["disk", "--folder", dir.path().to_str().unwrap(), "--rounds", "5"]).await;
    assert_eq!(number(&measured, "/sync_ms/n"), 5.0);
}
