//! Two promises that are counts: calls that wait share a sync, and watchers of one sweep share the questions.

use std::{path::PathBuf, process::Command, time::Duration};

use besom_testkit::{eventually, load, postgres::PostgresServer};
use serde_json::Value;
use sqlx::{Connection, PgConnection};

use crate::support::{Home, LIMIT, Process};

/// Twenty batches of 64.
const JOBS: &str = "1280";

/// A coordinator on SQLite into which the counting library is preloaded, and the file of its counters.
struct Counted {
    home: Home,
    coordinator: Process,
    url: String,
    counters: PathBuf,
}

impl Counted {
    fn start() -> Self {
        let home = Home::new();
        let library = home.path().join("load-syncs.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/load-syncs.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-O2", "-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl");
        let built = compiler.output().expect("a C compiler, which the build needs too");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let counters = home.path().join("counters");
        let home = home
            .with_variable("LD_PRELOAD", library.to_str().unwrap())
            .with_variable("BESOM_LOAD_COUNTERS", counters.to_str().unwrap());
        let (coordinator, url) = home.coordinator::<&str>([]);
        Self { home, coordinator, url, counters }
    }

    async fn load(&self, part: &str, words: &[&str]) -> Value {
        let known = [part, "--coordinator", &self.url, "--counters", self.counters.to_str().unwrap()];
        load::run(&[&known[..], words].concat()).await.unwrap()
    }

    fn stop(self) {
        self.coordinator.terminate().expect(0);
        drop(self.home);
    }
}

#[track_caller]
fn number(value: &Value, name: &str) -> f64 {
    value[name].as_f64().unwrap_or_else(|| panic!("no number {name} in {value}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_in_batches_of_64_share_their_syncs_on_sqlite() {
    let counted = Counted::start();
    let words = ["--jobs", JOBS, "--epochs", "2", "--workers", "2", "--batch", "64", "--seconds", "100"];
    let done = counted.load("jobs", &words).await;
    assert_eq!(number(&done, "completed"), 1280.0, "{done}");
    assert!(number(&done, "syncs") > 0.0, "the library counts: {done}");
    assert!(number(&done, "syncs_per_job") <= 0.1, "{done}");
    counted.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_in_batches_of_64_share_their_syncs_on_postgres() {
    let server = tokio::task::spawn_blocking(|| PostgresServer::start_with(&["fsync=on"])).await.unwrap();
    let database = server.database().await;
    let home = Home::new();
    let (coordinator, url) = home.coordinator(["--store", &database.url]);
    let load = async |part, words: &[&str]| {
        load::run(&[&[part, "--coordinator", &url, "--sweep", "grid"], words].concat()).await.unwrap()
    };
    load("submit", &["--jobs", JOBS, "--epochs", "2"]).await;
    let before = wal_syncs(&database.url).await;
    let done = load("jobs", &["--workers", "2", "--batch", "64", "--seconds", "100"]).await;
    assert_eq!(number(&done, "completed"), 1280.0, "{done}");
    // A session tells what it counted when it ends, at the latest.
    coordinator.terminate().expect(0);
    eventually("the coordinator's sessions to end", LIMIT, async || sessions(&database.url).await == 0).await;
    let syncs = wal_syncs(&database.url).await - before;
    assert!(syncs > 0, "the server counts");
    assert!(syncs * 10 <= 1280, "{syncs} syncs for 1280 jobs");
}

async fn wal_syncs(url: &str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar("SELECT wal_sync FROM pg_stat_wal").fetch_one(&mut connection).await.unwrap()
}

async fn sessions(url: &str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    sqlx::query_scalar(others).fetch_one(&mut connection).await.unwrap()
}

/// Looks at the database while one and while a hundred watch a sweep. The coordinator looks at its own every few seconds,
/// which is why the hundred may ask a few times more.
#[track_caller]
fn assert_shared(one: &Value, hundred: &Value, name: &str) {
    let (one, hundred) = (number(one, name), number(hundred, name));
    assert!(one > 0.0, "the watch asks");
    assert!(hundred <= 3.0 * one + 30.0, "{name}: {one} for one watch, {hundred} for a hundred");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_watches_ask_the_database_as_often_as_one_on_sqlite() {
    let counted = Counted::start();
    counted.load("submit", &["--sweep", "grid", "--jobs", "50"]).await;
    let one = counted.load("watch", &["--sweep", "grid", "--watchers", "1", "--seconds", "4"]).await;
    let hundred = counted.load("watch", &["--sweep", "grid", "--watchers", "100", "--seconds", "4"]).await;
    assert_shared(&one, &hundred, "read_locks");
    counted.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_watches_ask_the_database_as_often_as_one_on_postgres() {
    let database = besom_testkit::postgres::database().await;
    let home = Home::new();
    let (coordinator, url) = home.coordinator(["--store", &database.url]);
    let known = ["--coordinator", &url, "--sweep", "grid", "--database-url", &database.url];
    load::run(&[&["submit", "--jobs", "50"], &known[..]].concat()).await.unwrap();
    // Sessions tell what they counted once a second while they work.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let watch = async |watchers| {
        let words = ["watch", "--watchers", watchers, "--seconds", "4"];
        load::run(&[&words[..], &known[..]].concat()).await.unwrap()
    };
    assert_shared(&watch("1").await, &watch("100").await, "transactions");
    coordinator.terminate().expect(0);
}
