//! The main loop: register, wish for jobs for the free slots, give each to an attempt, end well.
//!
//! One wish is open at a time. It keeps its request id until it was answered, so that jobs granted
//! by an answer that got lost are handed over by the next one. The loop owns every attempt; the
//! report thread is owned here too.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use besom_client::backoff::{delay, spread};
use besom_proto::v1;
use besom_proto::v1::worker_service_client::WorkerServiceClient;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tonic::transport::Channel;
use uuid::Uuid;

use super::assignment::{Assignment, AttemptRef};
use super::attempt::{Attempt, Bench, Left, UPLOADS};
use super::register::{Registrar, refusal, who};
use super::report::Reporter;
use super::wish::{Granted, OpenWish, ask};
use super::{
    ACQUIRE_WAIT, Clock, Connect, DropReason, Events, Ledger, Link, Refusal, Session, SessionKey, Shutdown,
    WorkerConfig, WorkerError, WorkerEvent, again, call, rest,
};
use crate::trainer::{Mlp, Trainer};
use besom_client::datasets::DatasetCache;
use besom_client::transfer::Artifacts;

/// How long a drain may take altogether.
const DRAIN: Duration = Duration::from_secs(10);

/// The part of it that is kept for giving jobs back.
const GOODBYE: Duration = Duration::from_secs(3);

/// Works for a coordinator until `shutdown`, or until the one sweep of the configuration has ended.
///
/// # Errors
/// [`WorkerError`]: the configuration cannot be, the coordinator refuses this worker, or every
/// trainer hangs. A coordinator that is away, a job that cannot be trained and a trainer that
/// panics are none.
pub async fn run(
    connect: Connect,
    config: WorkerConfig,
    shutdown: Shutdown,
    events: impl Fn(WorkerEvent) + Send + Sync + 'static,
) -> Result<(), WorkerError> {
    run_with(Arc::new(Mlp), connect, config, shutdown, events).await
}

/// As [`run`], with another trainer.
///
/// # Errors
/// As [`run`].
pub async fn run_with(
    trainer: Arc<dyn Trainer>,
    connect: Connect,
    config: WorkerConfig,
    shutdown: Shutdown,
    events: impl Fn(WorkerEvent) + Send + Sync + 'static,
) -> Result<(), WorkerError> {
    if config.slots == 0 {
        return Err(WorkerError::Config("slots: a worker has at least 1".to_owned()));
    }
    let events: Events = Arc::new(events);
    let ledger = Arc::new(Ledger::new(Clock::new()));
    let link = Arc::new(Link::new(config.coordinator.clone(), Arc::clone(&events)));
    let client = WorkerServiceClient::new(connect()).max_decoding_message_size(8 << 20);
    let (host, name) = who(&config);
    let bench = Arc::new(Bench {
        name: name.clone(),
        ledger: Arc::clone(&ledger),
        link: Arc::clone(&link),
        events,
        client: client.clone(),
        // A channel of its own: a large transfer does not delay the calls that hand out and end
        // jobs.
        artifacts: Artifacts::new(connect()),
        uploads: Semaphore::new(UPLOADS),
        datasets: DatasetCache::new(&config.home),
        trainer,
        patience: config.patience,
    });
    let agent = Agent {
        free: (0..config.slots).collect(),
        registrar: Registrar::new(&config, (host, name), client.clone(), link, ledger),
        config,
        shutdown,
        client,
        bench,
        attempts: JoinSet::new(),
        hung: 0,
        fenced: Vec::new(),
        owed: (tokio::time::Instant::now(), 0),
        hindered: 0,
        resting: None,
        idle: false,
        ended: false,
        refusals: 0,
        notice: String::new(),
    };
    agent.run(connect).await
}

/// Why the loop ended.
enum Over {
    /// Drained, or the sweep ended: settle the wish that is open and say goodbye.
    Leave(Option<v1::AcquireRequest>),
    /// Return at once.
    Stop,
}

struct Agent {
    config: WorkerConfig,
    shutdown: Shutdown,
    registrar: Registrar,
    client: WorkerServiceClient<Channel>,
    bench: Arc<Bench>,
    attempts: JoinSet<Left>,
    free: BTreeSet<u32>,
    /// Slots that were given up because their trainers hang.
    hung: u32,
    /// Given up by this worker's clock, and not yet given back.
    fenced: Vec<AttemptRef>,
    /// When that is tried (again), and how often it was in vain.
    owed: (tokio::time::Instant, u32),
    /// Attempts in a row that this machine kept from being executed.
    hindered: u32,
    /// Until when it therefore asks for nothing: the next job would fare as the last one did.
    resting: Option<tokio::time::Instant>,
    /// The latest wish found nothing.
    idle: bool,
    /// The sweep of the configuration has ended.
    ended: bool,
    /// Wishes in a row that were refused because something is unknown.
    refusals: u32,
    /// The latest one that was told.
    notice: String,
}

impl Agent {
    async fn run(mut self, connect: Connect) -> Result<(), WorkerError> {
        // An early return or a caller that drops this future leaves no trainer running.
        let _guard = DropTraining(Arc::clone(&self.bench.ledger));
        let shutdown = self.shutdown.clone();
        let registered = tokio::select! {
            biased;
            () = shutdown.stop.cancelled() => return Ok(()),
            () = shutdown.drain.cancelled() => return Ok(()),
            registered = self.registrar.register() => registered,
        };
        registered?;
        let reporter = Reporter::start(connect, Arc::clone(&self.bench.ledger), Arc::clone(&self.bench.link))?;
        let (open, result) = match self.work().await {
            Ok(Over::Leave(open)) => (Some(open), Ok(())),
            Ok(Over::Stop) => (None, Ok(())),
            Err(error) => (Some(None), Err(error)),
        };
        if let Some(open) = open {
            tokio::select! {
                biased;
                () = shutdown.stop.cancelled() => {}
                () = self.leave(open) => {}
            }
        }
        reporter.stop().await;
        result
    }

    /// Until a drain, a stop, the end of the sweep or a refusal.
    async fn work(&mut self) -> Result<Over, WorkerError> {
        let link = Arc::clone(&self.bench.link);
        let shutdown = self.shutdown.clone();
        let (mut wish, mut open): (Option<OpenWish>, Option<v1::AcquireRequest>) = (None, None);
        loop {
            if self.ended && self.attempts.is_empty() {
                return Ok(Over::Leave(open));
            }
            let resting = self.resting;
            if wish.is_none() && !self.ended && !self.free.is_empty() && !link.is_unknown() && resting.is_none() {
                let session = link.session().await;
                let request = self.wish(&session);
                open = Some(request.clone());
                wish = Some(Box::pin(ask(Arc::clone(&self.bench), session, request, self.idle)));
            }
            let owes = !self.fenced.is_empty() && !link.is_unknown();
            let owed = self.owed.0;
            tokio::select! {
                biased;
                () = shutdown.stop.cancelled() => return Ok(Over::Stop),
                () = shutdown.drain.cancelled() => return Ok(Over::Leave(open)),
                registered = async { link.until_unknown().await; self.registrar.register().await } => registered?,
                Some(left) = self.attempts.join_next() => self.freed(left)?,
                () = tokio::time::sleep_until(owed), if owes => self.give_back().await,
                () = async { tokio::time::sleep_until(resting.expect("slept only then")).await }, if resting.is_some() => {
                    self.resting = None;
                }
                granted = async { wish.as_mut().expect("asked only with a wish").await }, if wish.is_some() => {
                    (wish, open) = (None, None);
                    self.answered(granted)?;
                }
            }
        }
    }

    /// An answer to a wish.
    fn answered(&mut self, granted: Granted) -> Result<(), WorkerError> {
        let link = Arc::clone(&self.bench.link);
        match granted.answer {
            Ok(ref answer) => {
                self.refusals = 0;
                self.ended = answer.sweep_ended && self.config.sweep.is_some();
                self.tell(&answer.notice);
                let nothing = answer.assignments.is_empty();
                if nothing && !self.idle && !self.ended {
                    link.emit(WorkerEvent::Waiting);
                }
                self.idle = nothing;
                self.take(&granted, &answer.assignments);
                Ok(())
            }
            Err(Refusal::Unknown(status)) => {
                // Fresh registrations that are unknown again and again: something else in the wish
                // is.
                if !again(&mut self.refusals) {
                    return Err(refusal("acquire jobs", &status));
                }
                link.unknown(&granted.session);
                Ok(())
            }
            Err(Refusal::Other(status) | Refusal::Stale(status)) => Err(refusal("acquire jobs", &status)),
            Err(Refusal::Away(_)) => Ok(()),
        }
    }

    fn wish(&self, session: &Session) -> v1::AcquireRequest {
        let SessionKey { store, worker, secret } = session.key.clone();
        v1::AcquireRequest {
            worker,
            request_id: Uuid::now_v7().to_string(),
            free_slots: self.free.iter().copied().collect(),
            wait_ms: u64::try_from(ACQUIRE_WAIT.as_millis()).unwrap_or(u64::MAX),
            sweep: self.config.sweep,
            store,
            secret,
        }
    }

    /// Gives back what this worker gave up by its own clock, so that its slots are free in the
    /// store as well, and that it costs the jobs nothing. Asked again and again as long as the
    /// coordinator is away or has no room to write.
    async fn give_back(&mut self) {
        let SessionKey { store, worker, secret } = self.bench.link.session().await.key;
        let fenced = std::mem::take(&mut self.fenced);
        let attempts = fenced.iter().copied().map(Into::into).collect();
        let request = v1::ReleaseRequest { worker, attempts, leaving: false, store, secret };
        match call(GOODBYE, self.client.release(request)).await {
            Ok(_) => self.owed.1 = 0,
            Err(error @ Refusal::Away(_)) => {
                tracing::debug!(%error, "attempts that were given up are not given back yet");
                self.fenced = fenced;
                let failures = self.owed.1 + 1;
                self.owed = (tokio::time::Instant::now() + delay(failures, spread()), failures);
            }
            Err(error) => {
                tracing::info!(%error, "attempts that were given up were not given back; their leases end by themselves");
            }
        }
    }

    /// Gives each assignment to an attempt of its own.
    fn take(&mut self, granted: &Granted, assignments: &[v1::Assignment]) {
        for wire in assignments {
            let Some(at) = wire.attempt.map(AttemptRef::from) else {
                tracing::error!("assignment: attempt: missing");
                continue;
            };
            if !self.free.remove(&wire.slot) {
                tracing::error!(job.id = at.job, slot = wire.slot, "assignment: slot: not one that is free");
                continue;
            }
            tracing::info!(job.id = at.job, job.attempt = at.attempt, slot = wire.slot, "acquired");
            let signal = self.bench.ledger.insert(at, granted.requested, granted.repeated);
            let (bench, assignment) = (Arc::clone(&self.bench), Assignment::try_from(wire));
            let config_hash = wire.config_hash.clone();
            self.attempts.spawn(Attempt { bench, at, slot: wire.slot, config_hash, assignment, signal }.run());
        }
    }

    fn freed(&mut self, left: Result<Left, tokio::task::JoinError>) -> Result<(), WorkerError> {
        if let Ok(left) = &left {
            match left.hindered {
                false => (self.hindered, self.resting) = (0, None),
                // The slots that began together meet the same hindrance, which counts once.
                true if self.resting.is_some() => {}
                true => {
                    self.hindered += 1;
                    self.resting = Some(tokio::time::Instant::now() + rest(self.hindered, spread()));
                }
            }
        }
        match left {
            Ok(left) if left.hangs => {
                self.fenced.extend(left.release);
                self.hung += 1;
                let (slots, hung) = (self.config.slots, self.hung);
                if hung == slots {
                    return Err(WorkerError::Hung { slots });
                }
                let (slot, rest) = (left.slot, slots - hung);
                self.bench.link.emit(WorkerEvent::Notice(format!(
                    "slot {slot} is given up, since its trainer hangs and cannot be ended; {rest} of {slots} are left \
                     until this worker is started again"
                )));
            }
            Ok(left) => {
                self.free.insert(left.slot);
                self.fenced.extend(left.release);
            }
            // An attempt keeps a trainer's panic to itself, so this is a fault of the agent: fail
            // loudly in one place.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
        Ok(())
    }

    fn tell(&mut self, notice: &str) {
        if notice != self.notice {
            notice.clone_into(&mut self.notice);
            if !notice.is_empty() {
                self.bench.link.emit(WorkerEvent::Notice(self.notice.clone()));
            }
        }
    }

    /// Asks what became of a wish that is open when the worker drains, and gives back what it was
    /// granted meanwhile.
    async fn settle(&mut self, open: Option<v1::AcquireRequest>) {
        let Some(mut request) = open else { return };
        request.wait_ms = 0;
        let (store, worker, secret) = (request.store.clone(), request.worker, request.secret.clone());
        let Ok(answer) = call(GOODBYE, self.client.acquire(request)).await else { return };
        let attempts: Vec<v1::AttemptRef> = answer.assignments.iter().filter_map(|each| each.attempt).collect();
        if !attempts.is_empty() {
            let request = v1::ReleaseRequest { worker, attempts, leaving: false, store, secret };
            if let Err(error) = call(GOODBYE, self.client.release(request)).await {
                tracing::warn!(%error, "jobs were not given back");
            }
        }
    }

    /// Ends what runs, gives it back and says goodbye, all within [`DRAIN`].
    async fn leave(&mut self, open: Option<v1::AcquireRequest>) {
        let ledger = Arc::clone(&self.bench.ledger);
        let end = tokio::time::Instant::now() + DRAIN;
        ledger.drop_training(DropReason::Released);
        self.settle(open).await;
        let mut attempts: BTreeSet<AttemptRef> = BTreeSet::new();
        let finished = async {
            while let Some(left) = self.attempts.join_next().await {
                attempts.extend(left.ok().and_then(|left| left.release));
            }
        };
        if tokio::time::timeout_at(end - GOODBYE, finished).await.is_err() {
            tracing::warn!("not every attempt ended in time");
        }
        // Those that did not end in time are given back too; a result that is not acknowledged by
        // now never will be.
        attempts.extend(ledger.attempts());
        let attempts: Vec<v1::AttemptRef> = attempts.into_iter().map(Into::into).collect();
        let goodbye = async {
            let (mut failures, mut refusals) = (0, 0);
            loop {
                let SessionKey { store, worker, secret } = self.bench.link.session().await.key;
                let attempts = attempts.clone();
                let request = v1::ReleaseRequest { worker, attempts, leaving: true, store, secret };
                match call(GOODBYE, self.client.release(request)).await {
                    Err(Refusal::Away(_)) => failures += 1,
                    Ok(_) => return,
                    Err(_) if again(&mut refusals) => failures += 1,
                    Err(error) => return tracing::warn!(%error, "the coordinator refused the goodbye"),
                }
                tokio::time::sleep(delay(failures, spread())).await;
            }
        };
        if tokio::time::timeout_at(end, goodbye).await.is_err() {
            tracing::warn!("the coordinator did not answer the goodbye");
        }
    }
}

/// Ends all training when the agent ends, however it ends.
struct DropTraining(Arc<Ledger>);

impl Drop for DropTraining {
    fn drop(&mut self) {
        self.0.drop_training(DropReason::Released);
    }
}
