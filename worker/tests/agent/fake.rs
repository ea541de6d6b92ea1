//! A coordinator that does what a test tells it to, and writes down what it is asked. Served over
//! in-process pipes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use besom_proto::v1;
use besom_proto::v1::artifact_service_server::{ArtifactService, ArtifactServiceServer};
use besom_proto::v1::worker_service_server::{WorkerService, WorkerServiceServer};
use besom_worker::agent::Connect;
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use tokio::io::DuplexStream;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

/// What happens to an assignment on its way.
pub(crate) type Damage = fn(&mut v1::Assignment);

/// What a test may look at and change at any time.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) lease_ttl_ms: u64,
    pub(crate) report_interval_ms: u64,
    /// To be handed out, in order, to whatever slot is free.
    pub(crate) jobs: Vec<v1::Assignment>,
    pub(crate) artifacts: BTreeMap<String, Vec<u8>>,
    /// Every call fails, as if nobody listened.
    pub(crate) away: bool,
    /// Calls of these kinds fail.
    pub(crate) failing: BTreeSet<&'static str>,
    /// The next so many calls of these kinds are carried out, but their answers are lost.
    pub(crate) lost_answers: BTreeMap<&'static str, u32>,
    /// Calls of these kinds are refused.
    pub(crate) refused: BTreeMap<&'static str, Status>,
    /// The next so many calls of these kinds are refused.
    pub(crate) refusals: BTreeMap<&'static str, (u32, Status)>,
    /// The next so many answers that hand out jobs are damaged like this.
    pub(crate) damage: Option<(u32, Damage)>,
    /// What is put is gone at once.
    pub(crate) forgets: bool,
    /// Reports of more records than this do not arrive in time.
    pub(crate) most_records: Option<usize>,
    /// Get sends nothing while this is set.
    pub(crate) stalled: bool,
    pub(crate) directives: BTreeMap<i64, v1::Directive>,
    pub(crate) sweep_ended: bool,
    /// No registration is known.
    pub(crate) forgotten: bool,
    /// Its identity.
    pub(crate) store: String,
    granted: BTreeMap<String, Vec<v1::Assignment>>,
    // What was asked, in order.
    pub(crate) registered: Vec<v1::RegisterRequest>,
    pub(crate) acquired: Vec<v1::AcquireRequest>,
    pub(crate) reported: Vec<(Instant, v1::ReportRequest)>,
    /// Accepted completions.
    pub(crate) completed: Vec<v1::Completion>,
    pub(crate) completions_received: u32,
    pub(crate) reports_received: u32,
    pub(crate) released: Vec<v1::ReleaseRequest>,
    pub(crate) gets: u32,
    pub(crate) puts: u32,
}

impl State {
    /// Epochs that any report brought of a job.
    pub(crate) fn reported_epochs(&self, job: i64) -> BTreeSet<u64> {
        let jobs = self.reported.iter().flat_map(|(_, report)| &report.jobs);
        let of_job = jobs.filter(|report| report.attempt.is_some_and(|at| at.job == job));
        of_job.flat_map(|report| report.epochs.iter().map(|record| record.step)).collect()
    }

    /// How often a job's lease was renewed.
    pub(crate) fn renewals(&self, job: i64) -> usize {
        let named = |report: &v1::ReportRequest| report.jobs.iter().any(|each| each.attempt.unwrap().job == job);
        self.reported.iter().filter(|(_, report)| named(report)).count()
    }

    fn answer<T>(&mut self, kind: &'static str, value: T) -> Result<Response<T>, Status> {
        match self.lost_answers.get_mut(kind) {
            Some(left) if *left > 0 => {
                *left -= 1;
                Err(Status::unavailable("the answer got lost"))
            }
            Some(_) | None => Ok(Response::new(value)),
        }
    }

    fn reachable(&mut self, kind: &'static str) -> Result<(), Status> {
        if self.away || self.failing.contains(kind) {
            return Err(Status::unavailable("nobody listens"));
        }
        if self.forgotten && !matches!(kind, "register" | "get" | "put" | "stat") {
            return Err(Status::not_found("worker 1"));
        }
        if let Some((left, status)) = self.refusals.get_mut(kind) {
            let status = status.clone();
            *left -= 1;
            if *left == 0 {
                self.refusals.remove(kind);
            }
            return Err(status);
        }
        self.refused.get(kind).map_or(Ok(()), |status| Err(status.clone()))
    }
}

/// The coordinator; clones are one.
#[derive(Clone)]
pub(crate) struct Fake(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    changed: Notify,
    pipes: mpsc::UnboundedSender<std::io::Result<DuplexStream>>,
}

impl Fake {
    /// Serves on the current runtime until that ends.
    pub(crate) fn start(lease_ttl: Duration) -> Self {
        let (pipes, incoming) = mpsc::unbounded_channel();
        let lease_ttl_ms = u64::try_from(lease_ttl.as_millis()).unwrap();
        let (store, report_interval_ms) = ("store".to_owned(), lease_ttl_ms / 10);
        let state = State { lease_ttl_ms, report_interval_ms, store, ..State::default() };
        let fake = Self(Arc::new(Inner { state: Mutex::new(state), changed: Notify::new(), pipes }));
        let server = Server::builder()
            .add_service(WorkerServiceServer::new(fake.clone()))
            .add_service(ArtifactServiceServer::new(fake.clone()));
        tokio::spawn(server.serve_with_incoming(UnboundedReceiverStream::new(incoming)));
        fake
    }

    /// How workers reach it.
    pub(crate) fn connect(&self) -> Connect {
        let fake = self.clone();
        Arc::new(move || {
            let fake = fake.clone();
            let connector = tower::service_fn(move |_uri| {
                let (near, far) = tokio::io::duplex(64 * 1024);
                let sent = fake.0.pipes.send(Ok(far)).map_err(std::io::Error::other);
                async move { sent.map(|()| TokioIo::new(near)) }
            });
            Endpoint::from_static("http://fake.invalid").connect_with_connector_lazy(connector)
        })
    }

    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.0.state.lock().unwrap());
        self.0.changed.notify_waiters();
        result
    }

    /// Waits until the state is as wanted; a test that waits in vain tells what was asked.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn(&State) -> bool) {
        let wait = async {
            loop {
                let changed = self.0.changed.notified();
                if condition(&self.0.state.lock().unwrap()) {
                    return;
                }
                changed.await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(20), wait).await.is_err() {
            let state = self.0.state.lock().unwrap();
            panic!(
                "waited in vain: {what}\nacquired {:#?}\ncompleted {:#?}\nreleased {:#?}\nreports {}",
                state.acquired,
                state.completed,
                state.released,
                state.reported.len()
            );
        }
    }
}

#[tonic::async_trait]
impl WorkerService for Fake {
    async fn register(&self, request: Request<v1::RegisterRequest>) -> Result<Response<v1::RegisterResponse>, Status> {
        self.with(|state| {
            state.reachable("register")?;
            state.registered.push(request.into_inner());
            state.forgotten = false;
            let answer = v1::RegisterResponse {
                worker: 1,
                peer: Some(besom_proto::peer()),
                lease_ttl_ms: state.lease_ttl_ms,
                report_interval_ms: state.report_interval_ms,
                store: state.store.clone(),
                secret: "secret".to_owned(),
            };
            state.answer("register", answer)
        })
    }

    async fn acquire(&self, request: Request<v1::AcquireRequest>) -> Result<Response<v1::AcquireResponse>, Status> {
        let request = request.into_inner();
        self.with(|state| state.acquired.push(request.clone()));
        let end = Instant::now() + Duration::from_millis(request.wait_ms);
        loop {
            let changed = self.0.changed.notified();
            let answer = acquire(&mut self.0.state.lock().unwrap(), &request)?;
            let done = !answer.get_ref().assignments.is_empty() || answer.get_ref().sweep_ended;
            if done || Instant::now() >= end {
                return Ok(answer);
            }
            let _ = tokio::time::timeout_at(end, changed).await;
        }
    }

    async fn report(&self, request: Request<v1::ReportRequest>) -> Result<Response<v1::ReportResponse>, Status> {
        self.with(|state| {
            state.reports_received += 1;
            state.reachable("report")?;
            let request = request.into_inner();
            let records: usize = request.jobs.iter().map(|report| report.epochs.len()).sum();
            if state.most_records.is_some_and(|most| records > most) {
                return Err(Status::deadline_exceeded("the link is slow"));
            }
            let directive = |report: &v1::JobReport| {
                let job = report.attempt.unwrap().job;
                let directive = state.directives.get(&job).copied().unwrap_or(v1::Directive::Continue);
                v1::JobDirective { attempt: report.attempt, directive: directive.into(), problem: String::new() }
            };
            let jobs = request.jobs.iter().map(directive).collect();
            state.reported.push((Instant::now(), request));
            state.answer("report", v1::ReportResponse { jobs })
        })
    }

    async fn complete(&self, request: Request<v1::CompleteRequest>) -> Result<Response<v1::CompleteResponse>, Status> {
        self.with(|state| {
            state.completions_received += 1;
            state.reachable("complete")?;
            let mut jobs = Vec::new();
            for job in request.into_inner().jobs {
                jobs.push(v1::JobResult { attempt: job.attempt, result: v1::Result::Accepted.into() });
                if !state.completed.iter().any(|done| done.attempt == job.attempt) {
                    state.completed.push(job);
                }
            }
            state.answer("complete", v1::CompleteResponse { jobs })
        })
    }

    async fn release(&self, request: Request<v1::ReleaseRequest>) -> Result<Response<v1::ReleaseResponse>, Status> {
        self.with(|state| {
            state.reachable("release")?;
            state.released.push(request.into_inner());
            state.answer("release", v1::ReleaseResponse::default())
        })
    }
}

fn acquire(state: &mut State, request: &v1::AcquireRequest) -> Result<Response<v1::AcquireResponse>, Status> {
    state.reachable("acquire")?;
    let mut assignments = state.granted.get(&request.request_id).cloned().unwrap_or_default();
    if assignments.is_empty() && !state.jobs.is_empty() {
        let most = request.free_slots.len().min(state.jobs.len());
        assignments = state.jobs.drain(..most).collect();
        for (assignment, slot) in assignments.iter_mut().zip(&request.free_slots) {
            assignment.slot = *slot;
        }
        state.granted.insert(request.request_id.clone(), assignments.clone());
    }
    if let Some((left, damage)) = &mut state.damage
        && !assignments.is_empty()
        && *left > 0
    {
        *left -= 1;
        assignments.iter_mut().for_each(*damage);
    }
    let sweep_ended = state.sweep_ended;
    if assignments.is_empty() {
        return Ok(Response::new(v1::AcquireResponse { sweep_ended, ..Default::default() }));
    }
    state.answer("acquire", v1::AcquireResponse { assignments, sweep_ended, ..Default::default() })
}

#[tonic::async_trait]
impl ArtifactService for Fake {
    type GetStream = UnboundedReceiverStream<Result<v1::GetResponse, Status>>;

    async fn stat(&self, request: Request<v1::StatRequest>) -> Result<Response<v1::StatResponse>, Status> {
        self.with(|state| {
            state.reachable("stat")?;
            let found = state.artifacts.get(&request.get_ref().digest);
            let size = found.map_or(0, |bytes| bytes.len() as u64);
            Ok(Response::new(v1::StatResponse { present: found.is_some(), size, received: 0 }))
        })
    }

    async fn put(&self, request: Request<Streaming<v1::PutRequest>>) -> Result<Response<v1::PutResponse>, Status> {
        let mut parts = request.into_inner();
        let (mut digest, mut bytes) = (String::new(), Vec::new());
        while let Some(part) = parts.message().await? {
            match part.part {
                Some(v1::put_request::Part::Head(head)) => digest = head.digest,
                Some(v1::put_request::Part::Chunk(chunk)) => bytes.extend(chunk),
                None => return Err(Status::invalid_argument("part: missing")),
            }
        }
        self.with(|state| {
            state.puts += 1;
            state.reachable("put")?;
            if digest != sha256(&bytes) {
                return Err(Status::data_loss("digest: other bytes"));
            }
            let size = bytes.len() as u64;
            if !state.forgets {
                state.artifacts.insert(digest, bytes);
            }
            state.answer("put", v1::PutResponse { size })
        })
    }

    async fn get(&self, request: Request<v1::GetRequest>) -> Result<Response<Self::GetStream>, Status> {
        let offset = usize::try_from(request.get_ref().offset).unwrap();
        let bytes = self.with(|state| {
            state.gets += 1;
            state.reachable("get")?;
            state.artifacts.get(&request.get_ref().digest).cloned().ok_or_else(|| Status::not_found("no such artifact"))
        })?;
        let (sender, receiver) = mpsc::unbounded_channel();
        let fake = self.clone();
        tokio::spawn(async move {
            fake.until("a download goes on", |state| !state.stalled).await;
            for chunk in bytes[offset..].chunks(1000) {
                // The worker may have gone.
                let _ = sender.send(Ok(v1::GetResponse { chunk: chunk.to_vec() }));
            }
        });
        Ok(Response::new(UnboundedReceiverStream::new(receiver)))
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
