//! What the tests of the store share: a fresh database of either kind, and builders with good
//! defaults.

#![allow(dead_code, reason = "each test target uses a part of it")]

use std::{sync::Arc, time::Duration};

mod client;
pub(crate) mod views;

use besom_coordinator::{
    domain::{
        AttemptRef, Completion, Digest, EpochRecord, Hindrance, JobOutcome, Key, Lease, NewJob, NewSweep, NewWorker,
        Session, Sweep, Timestamp, Trainers, WorkerId, WriteResult,
    },
    store::{AcquireRequest, JobReport, Store, StoreError, postgres::PostgresStore, sqlite::SqliteStore},
};
use besom_sweep::{Goal, KeepModels, Metric, MetricName, ScoredEpoch};
use besom_testkit::postgres::TestDatabase;
use serde_json::json;
use sqlx::{Column, Row, TypeInfo, ValueRef};

pub(crate) use client::{Client, Given};

/// The length of leases in these tests.
pub(crate) const TTL: Duration = Duration::from_secs(30);

/// 2026-11-23T17:30:00Z.
const START: i64 = 1_795_455_000_000_000;

/// So many seconds after the start of the test's time.
pub(crate) fn at(seconds: f64) -> Option<Timestamp> {
    Some(Timestamp(START + (seconds * 1e6).round() as i64))
}

/// Where a test's database is.
enum Place {
    Sqlite(tempfile::TempDir),
    Postgres(TestDatabase),
}

/// A fresh database and a store on it.
pub(crate) struct Bench {
    pub(crate) store: Client,
    place: Place,
}

pub(crate) async fn sqlite() -> Bench {
    let place = Place::Sqlite(tempfile::tempdir().unwrap());
    Bench { store: Client::new(place.open().await), place }
}

pub(crate) async fn postgres() -> Bench {
    let place = Place::Postgres(besom_testkit::postgres::database().await);
    Bench { store: Client::new(place.open().await), place }
}

impl Place {
    async fn open(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(dir) => Arc::new(SqliteStore::open(&dir.path().join("besom.db")).await.unwrap()),
            Self::Postgres(database) => Arc::new(PostgresStore::open(&database.url).await.unwrap()),
        }
    }

    async fn open_read_only(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(dir) => Arc::new(SqliteStore::open_read_only(&dir.path().join("besom.db")).await.unwrap()),
            Self::Postgres(database) => Arc::new(PostgresStore::open_read_only(&database.url).await.unwrap()),
        }
    }
}

impl Bench {
    /// The same database, opened again by what could be another process.
    pub(crate) async fn reopen(self) -> Self {
        let Self { store, place } = self;
        let known = store.forget_store();
        Self { store: known.on(place.open().await), place }
    }

    /// A second store on the same database.
    pub(crate) async fn second(&self) -> Client {
        self.store.known().on(self.place.open().await)
    }

    pub(crate) async fn read_only(&self) -> Client {
        self.store.known().on(self.place.open_read_only().await)
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self.place, Place::Sqlite(_))
    }

    /// The database, for a connection of the test's own.
    pub(crate) fn url(&self) -> String {
        match &self.place {
            Place::Sqlite(dir) => format!("sqlite:{}", dir.path().join("besom.db").display()),
            Place::Postgres(database) => database.url.clone(),
        }
    }

    /// What a plain client sees: every value as text, null as `-`, floats in their shortest form.
    pub(crate) async fn query(&self, sql: &str) -> Vec<Vec<String>> {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        match &self.place {
            Place::Sqlite(dir) => {
                let url = format!("sqlite:{}", dir.path().join("besom.db").display());
                let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
                let rows = sqlx::query(sql).fetch_all(&pool).await.unwrap();
                let cell = |row: &sqlx::sqlite::SqliteRow, i: usize| {
                    let raw = row.try_get_raw(i).unwrap();
                    match (raw.is_null(), raw.type_info().name()) {
                        (true, _) => "-".to_owned(),
                        (_, "INTEGER") => row.get::<i64, _>(i).to_string(),
                        (_, "REAL") => format!("{:?}", row.get::<f64, _>(i)),
                        (_, "BLOB") => format!("{:02x?}", row.get::<Vec<u8>, _>(i)),
                        _ => tidy(row.get::<String, _>(i)),
                    }
                };
                rows.iter().map(|row| (0..row.len()).map(|i| cell(row, i)).collect()).collect()
            }
            Place::Postgres(database) => {
                let pool = sqlx::PgPool::connect(&database.url).await.unwrap();
                let rows = sqlx::query(sql).fetch_all(&pool).await.unwrap();
                let cell = |row: &sqlx::postgres::PgRow, i: usize| match (
                    row.try_get_raw(i).unwrap().is_null(),
                    row.columns()[i].type_info().name(),
                ) {
                    (true, _) => "-".to_owned(),
                    (_, "INT8") => row.get::<i64, _>(i).to_string(),
                    (_, "FLOAT8") => format!("{:?}", row.get::<f64, _>(i)),
                    (_, "BYTEA") => format!("{:02x?}", row.get::<Vec<u8>, _>(i)),
                    (_, "JSONB") => row.get::<serde_json::Value, _>(i).to_string(),
                    _ => tidy(row.get::<String, _>(i)),
                };
                rows.iter().map(|row| (0..row.len()).map(|i| cell(row, i)).collect()).collect()
            }
        }
    }

    /// The columns of a table or view, in their order.
    pub(crate) async fn columns(&self, name: &str) -> Vec<String> {
        let sql = match &self.place {
            Place::Sqlite(_) => format!("SELECT name FROM pragma_table_info('{name}') ORDER BY cid"),
            Place::Postgres(_) => format!(
                "SELECT column_name::text FROM information_schema.columns WHERE table_name = '{name}' \
                 ORDER BY ordinal_position"
            ),
        };
        self.query(&sql).await.into_iter().flatten().collect()
    }

    /// Runs a statement that changes the database behind the store's back.
    pub(crate) async fn execute(&self, sql: &str) -> Result<u64, sqlx::Error> {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        match &self.place {
            Place::Sqlite(dir) => {
                let url = format!("sqlite:{}", dir.path().join("besom.db").display());
                let pool = sqlx::SqlitePool::connect(&url).await?;
                Ok(sqlx::query(sql).execute(&pool).await?.rows_affected())
            }
            Place::Postgres(database) => {
                let pool = sqlx::PgPool::connect(&database.url).await?;
                Ok(sqlx::query(sql).execute(&pool).await?.rows_affected())
            }
        }
    }

    /// Notes an artifact as stored and gives its digest.
    pub(crate) async fn artifact(&self, n: u32) -> Digest {
        let digest = digest(n);
        self.execute(&format!(
            "INSERT INTO artifacts (digest, kind, size, created_at) VALUES ('{digest}', 'model', 1, 0)"
        ))
        .await
        .unwrap();
        digest
    }

    /// A sweep with `jobs` jobs, all created.
    pub(crate) async fn sweep(&self, name: &str, jobs: u32) -> Sweep {
        self.sweep_of(new_sweep(name, jobs)).await
    }

    pub(crate) async fn sweep_of(&self, new: NewSweep) -> Sweep {
        let jobs = new.jobs_total.unwrap() as u32;
        let (sweep, made) = self.store.create_sweep(new, at(0.0)).await.unwrap();
        assert!(made);
        let created = self.store.add_jobs(sweep.id, 0, (0..jobs).map(new_job).collect()).await.unwrap();
        assert_eq!(created, u64::from(jobs));
        self.store.find_sweep(&sweep.new.name).await.unwrap()
    }

    pub(crate) async fn worker(&self, name: &str) -> WorkerId {
        self.store.register_worker(new_worker(name), at(0.0)).await.unwrap()
    }

    /// Asks for as many jobs as `slots`, under a new request.
    pub(crate) async fn acquire(&self, worker: WorkerId, slots: u32, now: Option<Timestamp>) -> Vec<Given> {
        self.store.acquire(request(worker, slots), now).await.unwrap()
    }

    pub(crate) async fn report(
        &self,
        worker: WorkerId,
        reports: Vec<JobReport>,
        now: Option<Timestamp>,
    ) -> Vec<besom_coordinator::domain::Directive> {
        self.store.report(worker, reports, TTL, now).await.unwrap()
    }

    pub(crate) async fn complete(&self, completion: Completion, now: Option<Timestamp>) -> WriteResult {
        self.store.complete(completion, besom_coordinator::domain::RetryPolicy::default(), now).await.unwrap()
    }

    /// Acquires one job and completes it with one epoch of this validation accuracy.
    pub(crate) async fn train_one(&self, worker: WorkerId, val_accuracy: f64, now: Option<Timestamp>) -> AttemptRef {
        let job = self.acquire(worker, 1, now).await.remove(0).at;
        let done = succeeded(job, vec![record(1, val_accuracy)]);
        assert_eq!(self.complete(done, now).await, WriteResult::Accepted);
        job
    }

    /// Decides that the attempt ends early, as a stopping rule would.
    pub(crate) async fn tell_to_stop(&self, at: AttemptRef) {
        let AttemptRef { job, attempt } = at;
        let told = format!("UPDATE job_attempts SET stop_at = 1 WHERE job_id = {job} AND attempt = {attempt}");
        assert_eq!(self.execute(&told).await.unwrap(), 1);
    }
}

/// JSON in one spelling, other text as it is.
fn tidy(text: String) -> String {
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(value) if text.starts_with('{') => value.to_string(),
        _ => text,
    }
}

pub(crate) fn digest(n: u32) -> Digest {
    Digest::parse(&format!("{n:064x}")).unwrap()
}

pub(crate) fn new_sweep(name: &str, jobs: u32) -> NewSweep {
    NewSweep {
        name: name.to_owned(),
        title: name.to_owned(),
        digest: format!("digest of {name}"),
        text: format!("name: {name}\nmethod: grid\n"),
        spec: None,
        method: "grid".to_owned(),
        metric: Metric { name: MetricName::of("val_accuracy"), goal: Goal::Maximize },
        scored_epoch: ScoredEpoch::Final,
        keep_models: KeepModels::All,
        engine: None,
        dataset: digest(0xda7a),
        dataset_source: "builtin:sketches".to_owned(),
        dataset_sha256: String::new(),
        swept: vec!["learning_rate".to_owned(), "batch_size".to_owned()],
        jobs_total: Some(u64::from(jobs)),
        trainer: "mlp".to_owned(),
        trainer_version: 1,
        shared_config: r#"{"trainer":"mlp"}"#.to_owned(),
        classes: None,
    }
}

/// It has a patience, so that it may end after any epoch.
pub(crate) fn new_job(n: u32) -> NewJob {
    let serde_json::Value::Object(params) = json!({
        "optimizer": "sgd", "learning_rate": 0.1 / f64::from(n + 3), "batch_size": 32, "epochs": 5,
        "hidden": [32, 16], "activation": "relu", "dropout": 0.0, "momentum": 0.0, "nesterov": false, "patience": 2,
        "min_delta": null
    }) else {
        unreachable!("an object")
    };
    NewJob {
        config_hash: format!("{n:064x}"),
        params,
        seed: i64::from(n % 3) + 1,
        engine: Some("candle".to_owned()),
        device: Some("cpu".to_owned()),
    }
}

pub(crate) fn new_worker(name: &str) -> NewWorker {
    NewWorker {
        instance: format!("instance of {name}"),
        name: name.to_owned(),
        host: "host".to_owned(),
        slots: u32::MAX,
        build: "besom 0.1.0".to_owned(),
        trainers: Trainers([("mlp".to_owned(), 1)].into()),
        device: "cpu".to_owned(),
        gone_after: TTL * 2,
    }
}

/// The client fills in the session, and moves the slots behind those that the worker was given
/// before.
pub(crate) fn request(worker: WorkerId, slots: u32) -> AcquireRequest {
    AcquireRequest {
        session: nobody(worker),
        request_id: uuid::Uuid::now_v7().to_string(),
        slots: (0..slots).collect(),
        take: true,
        sweep: None,
        lease_ttl: TTL,
    }
}

/// A session that no store has granted.
pub(crate) fn nobody(worker: WorkerId) -> Session {
    let zero = Key::parse(&"0".repeat(32)).unwrap();
    Session { store: zero, worker, secret: zero }
}

/// Losses follow from the accuracy, so that every column has a number of its own.
pub(crate) fn record(epoch: u32, val_accuracy: f64) -> EpochRecord {
    let metrics = [
        ("loss", 2.0 - val_accuracy),
        ("accuracy", val_accuracy / 1.1),
        ("val_loss", 1.9 - val_accuracy),
        ("val_accuracy", val_accuracy),
        ("norm", 1.0 / 3.0),
    ];
    EpochRecord { learning_rate: Some(0.1), seconds: Some(0.25), ..told(epoch.into(), &metrics) }
}

/// What a trainer tells of a step, and nothing else.
pub(crate) fn told(step: u64, metrics: &[(&'static str, f64)]) -> EpochRecord {
    let metrics = metrics.iter().map(|&(name, value)| (MetricName::of(name), value)).collect();
    EpochRecord { step, metrics, ..EpochRecord::default() }
}

/// The record of an epoch whose losses are not finite.
pub(crate) fn diverged(mut record: EpochRecord) -> EpochRecord {
    record.metrics.retain(|name, _| !name.as_str().ends_with("loss"));
    record
}

pub(crate) fn reported(at: AttemptRef, epochs: Vec<EpochRecord>) -> JobReport {
    JobReport { lease: unnumbered(at), epochs }
}

pub(crate) fn completion(at: AttemptRef, outcome: JobOutcome, epochs: Vec<EpochRecord>) -> Completion {
    let (lease, config_hash) = (unnumbered(at), String::new());
    Completion {
        lease,
        config_hash,
        outcome,
        epochs,
        confusion: None,
        final_model: None,
        best_model: None,
        seconds: 1.5,
    }
}

/// The client fills in the number.
fn unnumbered(at: AttemptRef) -> Lease {
    Lease { at, number: 0 }
}

pub(crate) fn succeeded(at: AttemptRef, epochs: Vec<EpochRecord>) -> Completion {
    completion(at, JobOutcome::Succeeded, epochs)
}

/// Given back for what is around it.
pub(crate) fn hindered(at: AttemptRef, problem: &str, by: Hindrance) -> Completion {
    completion(at, JobOutcome::Hindered { problem: problem.to_owned(), by }, Vec::new())
}

pub(crate) fn failed(at: AttemptRef, error: &str, retryable: bool) -> Completion {
    completion(at, JobOutcome::Failed { error: error.to_owned(), retryable }, Vec::new())
}

#[track_caller]
pub(crate) fn assert_invalid_state<T: std::fmt::Debug>(result: Result<T, StoreError>, words: &str) {
    match result {
        Err(StoreError::InvalidState { what }) => assert!(what.contains(words), "{what:?} lacks {words:?}"),
        other => panic!("{other:?}"),
    }
}
