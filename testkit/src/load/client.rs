//! Connections to a coordinator, and simulated workers on them.

use std::{net::IpAddr, time::Duration};

use anyhow::Context;
use besom_proto::v1::{
    self, artifact_service_client::ArtifactServiceClient, query_service_client::QueryServiceClient,
    sweep_service_client::SweepServiceClient, worker_service_client::WorkerServiceClient,
};
use besom_sweep::TRAINER_VERSION;
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint, Uri},
};
use uuid::Uuid;

/// How long one call may take, beyond what it asks the coordinator to wait.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a call is made until the coordinator counts as gone.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(100);
/// The largest answer: a batch of assignments or of rows.
const MAX_ANSWER: usize = 32 << 20;

/// Which coordinator, and how it is spoken to.
#[derive(Debug, Clone, clap::Args)]
pub struct Target {
    /// URL of the coordinator, on a loopback address
    #[arg(long, value_name = "URL")]
    pub coordinator: String,
    /// Protocol number to speak, for coordinators of another build
    #[arg(long, value_name = "N", default_value_t = besom_proto::PROTOCOL_VERSION)]
    pub protocol: u32,
}

impl Target {
    /// A connection of its own, as each process has one.
    ///
    /// # Errors
    /// The address is not on this machine, or nobody answers there.
    pub async fn connect(&self) -> anyhow::Result<Channel> {
        let uri: Uri = self.coordinator.parse().with_context(|| format!("{:?} is no URL", self.coordinator))?;
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let loopback = host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        anyhow::ensure!(loopback, "expected a loopback address, got {host:?}; measure on one machine");
        let endpoint = Endpoint::from(uri).connect_timeout(PATIENCE).tcp_nodelay(true);
        endpoint.connect().await.with_context(|| format!("no coordinator answers at {}", self.coordinator))
    }

    /// A client of the sweeps.
    ///
    /// # Errors
    /// As [`Target::connect`].
    pub async fn sweeps(&self) -> anyhow::Result<SweepServiceClient<Channel>> {
        Ok(SweepServiceClient::new(self.connect().await?).max_decoding_message_size(MAX_ANSWER))
    }

    /// A client of the results.
    ///
    /// # Errors
    /// As [`Target::connect`].
    pub async fn queries(&self) -> anyhow::Result<QueryServiceClient<Channel>> {
        Ok(QueryServiceClient::new(self.connect().await?).max_decoding_message_size(MAX_ANSWER))
    }

    /// A client of the artifacts.
    ///
    /// # Errors
    /// As [`Target::connect`].
    pub async fn artifacts(&self) -> anyhow::Result<ArtifactServiceClient<Channel>> {
        Ok(ArtifactServiceClient::new(self.connect().await?))
    }

    /// What the load client tells of itself.
    pub fn peer(&self) -> v1::Peer {
        v1::Peer { protocol: self.protocol, build: "besom-load".to_owned() }
    }
}

/// A sweep by its name.
pub fn named(sweep: &str) -> v1::SweepRef {
    v1::SweepRef { sweep: sweep.to_owned() }
}

/// A registered worker on a connection of its own.
#[derive(Debug, Clone)]
pub struct Worker {
    client: WorkerServiceClient<Channel>,
    /// By this it names itself in every call; earlier coordinators gave no store and no secret and
    /// ignore both.
    session: v1::RegisterResponse,
    slots: u32,
}

impl Worker {
    /// Connects and registers a worker of this build's trainer.
    ///
    /// # Errors
    /// Nobody answers, or the coordinator refuses the worker.
    pub async fn register(target: &Target, name: &str, slots: u32) -> anyhow::Result<Self> {
        let client = WorkerServiceClient::new(target.connect().await?).max_decoding_message_size(MAX_ANSWER);
        let request = v1::RegisterRequest {
            peer: Some(target.peer()),
            instance: Uuid::now_v7().to_string(),
            name: name.to_owned(),
            host: "besom-load".to_owned(),
            slots,
            trainers: [("mlp".to_owned(), TRAINER_VERSION)].into(),
            device: "cpu".to_owned(),
        };
        let answer = repeated(|| {
            let (mut client, request) = (client.clone(), timed(request.clone(), PATIENCE));
            async move { client.register(request).await }
        });
        let session = answer.await?;
        Ok(Self { client, session, slots })
    }

    /// Up to `wanted` jobs of the sweep, or of any, waiting on the server for the first.
    ///
    /// # Errors
    /// The coordinator stays away or refuses.
    pub async fn acquire(
        &self,
        sweep: Option<i64>,
        wanted: u32,
        wait: Duration,
    ) -> anyhow::Result<v1::AcquireResponse> {
        let request = v1::AcquireRequest {
            worker: self.session.worker,
            store: self.session.store.clone(),
            secret: self.session.secret.clone(),
            request_id: Uuid::now_v7().to_string(),
            free_slots: (0..wanted.min(self.slots)).collect(),
            wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            sweep,
        };
        let answer = repeated(|| {
            let (mut client, request) = (self.client.clone(), timed(request.clone(), wait + PATIENCE));
            async move { client.acquire(request).await }
        });
        answer.await
    }

    /// Epoch records of running jobs.
    ///
    /// # Errors
    /// The coordinator stays away or refuses.
    pub async fn report(&self, jobs: Vec<v1::JobReport>) -> anyhow::Result<Vec<v1::JobDirective>> {
        let v1::RegisterResponse { worker, store, secret, .. } = self.session.clone();
        let request = v1::ReportRequest { worker, store, secret, jobs };
        let answer = repeated(|| {
            let (mut client, request) = (self.client.clone(), timed(request.clone(), PATIENCE));
            async move { client.report(request).await }
        });
        Ok(answer.await?.jobs)
    }

    /// The ends of jobs.
    ///
    /// # Errors
    /// The coordinator stays away or refuses.
    pub async fn complete(&self, jobs: Vec<v1::Completion>) -> anyhow::Result<Vec<v1::JobResult>> {
        let v1::RegisterResponse { worker, store, secret, .. } = self.session.clone();
        let request = v1::CompleteRequest { worker, store, secret, jobs };
        let answer = repeated(|| {
            let (mut client, request) = (self.client.clone(), timed(request.clone(), PATIENCE));
            async move { client.complete(request).await }
        });
        Ok(answer.await?.jobs)
    }

    /// Says goodbye.
    ///
    /// # Errors
    /// The coordinator stays away or refuses.
    pub async fn leave(&self) -> anyhow::Result<()> {
        let v1::RegisterResponse { worker, store, secret, .. } = self.session.clone();
        let request = v1::ReleaseRequest { worker, store, secret, attempts: Vec::new(), leaving: true };
        let answer = repeated(|| {
            let (mut client, request) = (self.client.clone(), timed(request.clone(), PATIENCE));
            async move { client.release(request).await }
        });
        answer.await?;
        Ok(())
    }
}

/// The end of a job that trained well. Every job has numbers of its own, made from its number.
pub fn completion(assignment: &v1::Assignment, records: Vec<v1::EpochRecord>, classes: u32) -> v1::Completion {
    let confusion = (classes > 0).then(|| {
        let count = |place: u32| if place.is_multiple_of(classes + 1) { 90 } else { place % 3 };
        v1::Confusion { classes, counts: (0..classes * classes).map(count).collect(), ..v1::Confusion::default() }
    });
    v1::Completion {
        attempt: assignment.attempt,
        config_hash: assignment.config_hash.clone(),
        outcome: v1::Outcome::Succeeded.into(),
        seconds: 0.1 * records.len() as f64,
        epochs: records,
        confusion,
        ..v1::Completion::default()
    }
}

/// The record of one epoch of a job.
pub fn record(job: i64, epoch: u32) -> v1::EpochRecord {
    let level = (job.wrapping_mul(7919) % 10_007) as f64 / 10_007.0;
    let accuracy = level * (1.0 - 0.5 / f64::from(epoch));
    let metrics = [
        ("loss", 2.0 - accuracy),
        ("accuracy", accuracy),
        ("val_loss", 2.1 - accuracy),
        ("val_accuracy", 0.95 * accuracy),
    ];
    v1::EpochRecord {
        step: epoch.into(),
        metrics: metrics.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        learning_rate: Some(0.01),
        seconds: Some(0.1),
    }
}

/// How many epochs the job trains, from its configuration.
///
/// # Errors
/// The configuration is not one.
pub fn epochs(assignment: &v1::Assignment) -> anyhow::Result<u32> {
    let config: serde_json::Value = serde_json::from_str(&assignment.config).context("a configuration is JSON")?;
    let epochs = config.pointer("/hyperparameters/epochs").and_then(serde_json::Value::as_u64);
    Ok(u32::try_from(epochs.context("a configuration has epochs")?)?)
}

fn timed<T>(message: T, limit: Duration) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.set_timeout(limit);
    request
}

/// Makes a call again while the coordinator is busy, as workers do: every call can be repeated.
async fn repeated<T, F>(call: impl Fn() -> F) -> anyhow::Result<T>
where
    F: Future<Output = Result<tonic::Response<T>, Status>>,
{
    let mut tries = 1;
    loop {
        match call().await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) if again(status.code()) && tries < TRIES => tries += 1,
            Err(status) => anyhow::bail!("{:?}: {}", status.code(), status.message()),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn again(code: Code) -> bool {
    matches!(code, Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded | Code::Aborted)
}
