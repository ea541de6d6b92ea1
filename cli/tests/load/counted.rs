//! Two promises that are counts: calls that wait share a sync, and watchers of one sweep share the
//! questions.

use std::{path::PathBuf, process::Command, time::Duration};

use besom_testkit::{eventually, load, postgres::PostgresServer};
use serde_json::Value;
use sqlx::{Connection, PgConnection};

use crate::support::{Home, LIMIT};

/// Twenty batches of 64.
const JOBS: &str = "1280";

/// Compiles the counting library.
fn library(home: &Home) -> PathBuf {
    let library = home.path().join("load-syncs.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/load-syncs.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-O2", "-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl");
    let built = compiler.output().expect("a C compiler, which the build needs too");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    library
}

#[track_caller]
fn number(value: &Value, name: &str) -> f64 {
    value[name].as_f64().unwrap_or_else(|| panic!("no number {name} in {value}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_in_batches_of_64_share_their_syncs_on_sqlite() {
    let home = Home::new();
    let (library, syncs) = (library(&home), home.path().join("syncs"));
    let (library, syncs) = (library.to_str().unwrap(), syncs.to_str().unwrap());
    let home = home.with_variable("LD_PRELOAD", library).with_variable("BESOM_LOAD_SYNCS", syncs);
    let (coordinator, url) = home.coordinator::<&str>([]);
    let known = ["jobs", "--coordinator", &url, "--syncs", syncs];
    let words = ["--jobs", JOBS, "--epochs", "2", "--workers", "2", "--batch", "64", "--seconds", "100"];
    let done = load::run(&[&known[..], &words].concat()).await.unwrap();
    assert_eq!(number(&done, "completed"), 1280.0, "{done}");
    assert!(number(&done, "syncs") > 0.0, "the library counts: {done}");
    assert!(number(&done, "syncs_per_job") <= 0.1, "{done}");
    coordinator.terminate().expect(0);
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

/// The looks are shared above the store, so Postgres, which counts them, stands for both databases.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_watches_ask_postgres_as_often_as_one() {
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
    let (one, hundred) = (watch("1").await, watch("100").await);
    let (one, hundred) = (number(&one, "transactions"), number(&hundred, "transactions"));
    // Each watch asks once which sweep it is of; the coordinator looks at its own every few
    // seconds.
    assert!(one > 0.0 && hundred <= 3.0 * one + 130.0, "{one} transactions for one watch, {hundred} for a hundred");
    coordinator.terminate().expect(0);
}
