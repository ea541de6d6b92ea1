//! A coordinator on a store of its own, and requests with good defaults.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use besom_coordinator::open::{Opened, open};
use besom_coordinator::store::StoreUrl;
use besom_coordinator::store::query::{Queries, Rights};
use besom_coordinator::{Coordinator, CoordinatorConfig, InProcess};
use besom_proto::v1;
use besom_proto::v1::artifact_service_client::ArtifactServiceClient;
use besom_proto::v1::query_service_client::QueryServiceClient;
use besom_proto::v1::sweep_service_client::SweepServiceClient;
use besom_proto::v1::worker_service_client::WorkerServiceClient;
use besom_sweep::{Cell, TRAINER_VERSION};
use sha2::{Digest, Sha256};
use tonic::transport::Channel;
use uuid::Uuid;

/// What a busy machine may take for something that is due at once.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// The bytes that stand for a dataset.
const DATASET: &[u8] = b"a canonical dataset, as far as a coordinator cares";

/// A coordinator with its store in a temporary folder.
pub(crate) struct Bench {
    pub(crate) coordinator: Coordinator,
    pub(crate) opened: Opened,
    pub(crate) dir: tempfile::TempDir,
    #[allow(dead_code, reason = "the tests of statements use it")]
    pub(crate) url: StoreUrl,
}

/// Clients of one coordinator.
#[derive(Clone)]
pub(crate) struct Clients {
    pub(crate) sweeps: SweepServiceClient<Channel>,
    pub(crate) workers: WorkerServiceClient<Channel>,
    pub(crate) artifacts: ArtifactServiceClient<Channel>,
    #[allow(dead_code, reason = "the tests of statements use it")]
    pub(crate) queries: QueryServiceClient<Channel>,
}

/// A store in a temporary folder, without a coordinator.
pub(crate) async fn sqlite() -> (Opened, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path: PathBuf = dir.path().join("besom.db");
    (open(&StoreUrl::Sqlite(path)).await.unwrap(), dir)
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(CoordinatorConfig::default()).await
    }

    /// On Postgres; the folder stays empty.
    pub(crate) async fn on_postgres(config: CoordinatorConfig) -> Self {
        let url = StoreUrl::Postgres(besom_testkit::postgres::database().await.url);
        Self::at(url, tempfile::tempdir().unwrap(), config).await
    }

    pub(crate) async fn with(config: CoordinatorConfig) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::at(StoreUrl::Sqlite(dir.path().join("besom.db")), dir, config).await
    }

    /// Readers have a role of their own, unless the configuration says something else.
    pub(crate) async fn at(url: StoreUrl, dir: tempfile::TempDir, config: CoordinatorConfig) -> Self {
        let opened = open(&url).await.unwrap();
        let readers = || Some(Arc::new(Queries::new(&url, Rights::OfAReader { url: None })));
        let config = CoordinatorConfig { queries: config.queries.clone().or_else(readers), ..config };
        let coordinator = Coordinator::start(opened.store.clone(), opened.artifacts.clone(), config).unwrap();
        Self { coordinator, opened, dir, url }
    }

    pub(crate) fn clients(&self) -> Clients {
        Clients::of(&self.coordinator.connector())
    }
}

impl Clients {
    pub(crate) fn of(connector: &InProcess) -> Self {
        let channel = connector.channel();
        Self {
            sweeps: SweepServiceClient::new(channel.clone()),
            workers: WorkerServiceClient::new(channel.clone()),
            artifacts: ArtifactServiceClient::new(channel.clone()),
            queries: QueryServiceClient::new(channel),
        }
    }

    /// Stores bytes and names them.
    pub(crate) async fn put(&mut self, bytes: &[u8], kind: v1::ArtifactKind) -> String {
        let digest = sha256(bytes);
        self.artifacts.put(tokio_stream::iter(upload(&digest, bytes, kind))).await.unwrap();
        digest
    }

    /// The bytes that stand for a dataset.
    pub(crate) fn dataset(&self) -> Vec<u8> {
        DATASET.to_vec()
    }

    /// A request for a sweep whose dataset is stored.
    pub(crate) async fn request(&mut self, name: &str, text: &str) -> v1::CreateSweepRequest {
        let digest = self.put(DATASET, v1::ArtifactKind::Dataset).await;
        v1::CreateSweepRequest {
            peer: Some(besom_proto::peer()),
            text: text.to_owned(),
            name: name.to_owned(),
            dataset: Some(v1::DatasetRef { digest, classes: 2, ..v1::DatasetRef::default() }),
            ..v1::CreateSweepRequest::default()
        }
    }

    /// A sweep of so many jobs of two epochs.
    pub(crate) async fn submit(&mut self, name: &str, jobs: u32) -> v1::Sweep {
        let request = self.request(name, &grid(jobs)).await;
        self.sweeps.create_sweep(request).await.unwrap().into_inner().sweep.unwrap()
    }

    pub(crate) async fn register(&mut self) -> Caller {
        self.register_as(registration()).await
    }

    pub(crate) async fn register_as(&mut self, request: v1::RegisterRequest) -> Caller {
        Caller::of(&self.workers.register(request).await.unwrap().into_inner())
    }

    /// One answer, without waiting for jobs.
    pub(crate) async fn acquire(&mut self, worker: Caller, free_slots: Vec<u32>) -> v1::AcquireResponse {
        remembered(self.workers.acquire(worker.wish(free_slots, Duration::ZERO)).await.unwrap().into_inner())
    }

    /// One job that must be there, in a slot of its own.
    pub(crate) async fn acquire_one(&mut self, worker: Caller) -> v1::AttemptRef {
        static NEXT: AtomicU32 = AtomicU32::new(100);
        let acquired = self.acquire(worker, vec![NEXT.fetch_add(1, Ordering::Relaxed)]).await;
        acquired.assignments.into_iter().next().expect("a job is queued").attempt.unwrap()
    }

    pub(crate) async fn sweep(&mut self, name: &str) -> v1::Sweep {
        self.sweeps.get_sweep(named(name)).await.unwrap().into_inner()
    }

    pub(crate) async fn complete(&mut self, worker: Caller, job: v1::Completion) -> v1::Result {
        self.try_complete(worker, job).await.unwrap()
    }

    /// The same, where it may be refused.
    pub(crate) async fn try_complete(
        &mut self,
        worker: Caller,
        job: v1::Completion,
    ) -> Result<v1::Result, tonic::Status> {
        let request = worker.complete(vec![job]);
        Ok(self.workers.complete(request).await?.into_inner().jobs[0].result())
    }
}

/// A file with so many learning rates.
pub(crate) fn grid(jobs: u32) -> String {
    let rates: Vec<String> = (1..=jobs).map(|n| format!("{}", f64::from(n) / 100_000.0)).collect();
    format!(
        "method: grid\nparameters:\n  learning_rate: {{values: [{}]}}\n  epochs: {{value: 2}}\nbesom:\n  dataset: \
         {{source: 'builtin:sketches'}}\n",
        rates.join(", ")
    )
}

/// The rows of a result.
#[allow(dead_code, reason = "the tests of statements have another form of it")]
pub(crate) async fn rows(clients: &Clients, statement: &str) -> Vec<Vec<Cell>> {
    let request = v1::QueryRequest { statement: statement.to_owned(), ..v1::QueryRequest::default() };
    let mut batches = clients.queries.clone().query(request).await.unwrap().into_inner();
    let mut rows = Vec::new();
    while let Some(batch) = batches.message().await.unwrap() {
        rows.extend(batch.rows.into_iter().map(|row| row.cells.into_iter().map(cell).collect()));
    }
    rows
}

fn cell(cell: v1::Cell) -> Cell {
    use v1::cell::Value;
    match cell.value {
        None => Cell::Null,
        Some(Value::Integer(value)) => Cell::Integer(value),
        Some(Value::Float(value)) => Cell::Float(value),
        Some(Value::Text(value)) => Cell::Text(value),
        Some(Value::Boolean(value)) => Cell::Boolean(value),
        Some(Value::Bytes(value)) => Cell::Bytes(value),
    }
}

pub(crate) fn named(sweep: &str) -> v1::SweepRef {
    v1::SweepRef { sweep: sweep.to_owned() }
}

pub(crate) fn registration() -> v1::RegisterRequest {
    v1::RegisterRequest {
        peer: Some(besom_proto::peer()),
        instance: Uuid::now_v7().to_string(),
        name: "worker".to_owned(),
        host: "host".to_owned(),
        slots: 1_024,
        trainers: [("mlp".to_owned(), TRAINER_VERSION)].into(),
        device: "cpu".to_owned(),
    }
}

/// What a registration answered, as each call of the worker carries it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Caller {
    pub(crate) worker: i64,
    pub(crate) store: &'static str,
    pub(crate) secret: &'static str,
}

impl Caller {
    pub(crate) fn of(answer: &v1::RegisterResponse) -> Self {
        let kept = |text: &str| &*Box::leak(text.to_owned().into_boxed_str());
        Self { worker: answer.worker, store: kept(&answer.store), secret: kept(&answer.secret) }
    }

    pub(crate) fn wish(self, free_slots: Vec<u32>, wait: Duration) -> v1::AcquireRequest {
        v1::AcquireRequest {
            worker: self.worker,
            request_id: Uuid::now_v7().to_string(),
            free_slots,
            wait_ms: wait.as_millis() as u64,
            sweep: None,
            store: self.store.to_owned(),
            secret: self.secret.to_owned(),
        }
    }

    pub(crate) fn report(self, jobs: Vec<v1::JobReport>) -> v1::ReportRequest {
        v1::ReportRequest { worker: self.worker, jobs, store: self.store.to_owned(), secret: self.secret.to_owned() }
    }

    pub(crate) fn complete(self, jobs: Vec<v1::Completion>) -> v1::CompleteRequest {
        v1::CompleteRequest { worker: self.worker, jobs, store: self.store.to_owned(), secret: self.secret.to_owned() }
    }

    pub(crate) fn release(self, attempts: Vec<v1::AttemptRef>, leaving: bool) -> v1::ReleaseRequest {
        let (store, secret) = (self.store.to_owned(), self.secret.to_owned());
        v1::ReleaseRequest { worker: self.worker, attempts, leaving, store, secret }
    }
}

/// Hashes of the configurations that were assigned, by the numbers of their leases.
static HASHES: Mutex<BTreeMap<i64, String>> = Mutex::new(BTreeMap::new());

/// The same answer, whose configurations can be completed from now on.
pub(crate) fn remembered(answer: v1::AcquireResponse) -> v1::AcquireResponse {
    let mut hashes = HASHES.lock().unwrap();
    for assignment in &answer.assignments {
        hashes.insert(assignment.attempt.unwrap().lease, assignment.config_hash.clone());
    }
    answer
}

fn config_hash(attempt: v1::AttemptRef) -> String {
    HASHES.lock().unwrap().get(&attempt.lease).cloned().unwrap_or_else(|| "0".repeat(64))
}

pub(crate) fn record(epoch: u32) -> v1::EpochRecord {
    let metrics = [
        ("loss", 1.0 / f64::from(epoch)),
        ("accuracy", 0.5),
        ("val_loss", 1.0),
        ("val_accuracy", 0.25 * f64::from(epoch)),
    ];
    v1::EpochRecord {
        step: epoch.into(),
        metrics: metrics.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        learning_rate: Some(0.1),
        seconds: Some(0.5),
    }
}

/// A failure that another attempt may mend.
pub(crate) fn failure(attempt: v1::AttemptRef) -> v1::Completion {
    v1::Completion {
        attempt: Some(attempt),
        outcome: v1::Outcome::Failed as i32,
        error: "no luck".to_owned(),
        retryable: true,
        config_hash: config_hash(attempt),
        ..v1::Completion::default()
    }
}

/// Both epochs and a success.
pub(crate) fn success(attempt: v1::AttemptRef) -> v1::Completion {
    v1::Completion {
        attempt: Some(attempt),
        outcome: v1::Outcome::Succeeded as i32,
        epochs: vec![record(1), record(2)],
        confusion: Some(v1::Confusion { classes: 2, counts: vec![3, 1, 0, 4], ..v1::Confusion::default() }),
        config_hash: config_hash(attempt),
        seconds: 1.5,
        ..v1::Completion::default()
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The messages of an upload.
pub(crate) fn upload(digest: &str, bytes: &[u8], kind: v1::ArtifactKind) -> Vec<v1::PutRequest> {
    let (digest, size, kind) = (digest.to_owned(), bytes.len() as u64, kind as i32);
    let head = v1::PutHead { digest, size, kind, ..v1::PutHead::default() };
    let part = |part| v1::PutRequest { part: Some(part) };
    let chunks = bytes.chunks(1 << 20).map(|chunk| part(v1::put_request::Part::Chunk(chunk.to_vec())));
    std::iter::once(part(v1::put_request::Part::Head(head))).chain(chunks).collect()
}
