//! A store as its workers use it: sessions, the numbers of leases and the hashes of configurations
//! are remembered from where they were granted, so that tests of anything else need not carry them.

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{Arc, Mutex},
    time::Duration,
};

use besom_coordinator::{
    domain::{
        Assignment, AttemptRef, Completion, Directive, JobOutcome, Lease, NewWorker, RetryPolicy, Session, SweepId,
        Timestamp, WorkerId, WriteResult,
    },
    store::{AcquireRequest, JobReport, Store, StoreError},
};
use besom_sweep::{KeepModels, Metric, ScoredEpoch};

/// What was granted so far.
#[derive(Clone, Default)]
pub(crate) struct Known {
    sessions: Arc<Mutex<HashMap<WorkerId, Session>>>,
    leases: Arc<Mutex<HashMap<AttemptRef, (Session, Assignment)>>>,
    places: Arc<Mutex<Places>>,
}

/// Which slots were asked for.
#[derive(Default)]
struct Places {
    /// The first one of each request.
    first: HashMap<String, u32>,
    /// The next one of each worker.
    next: HashMap<WorkerId, u32>,
}

/// A store with what it has granted. Everything else is the store's own.
#[derive(Clone)]
pub(crate) struct Client {
    store: Arc<dyn Store>,
    known: Known,
}

/// An assignment by its attempt.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Given {
    pub(crate) at: AttemptRef,
    pub(crate) sweep: SweepId,
    pub(crate) sweep_name: String,
    pub(crate) slot: u32,
    pub(crate) seed: i64,
    pub(crate) config: String,
    pub(crate) config_hash: String,
    pub(crate) metric: Metric,
    pub(crate) scored_epoch: ScoredEpoch,
    pub(crate) keep_models: KeepModels,
}

impl Known {
    pub(crate) fn on(self, store: Arc<dyn Store>) -> Client {
        Client { store, known: self }
    }
}

impl Deref for Client {
    type Target = dyn Store;

    fn deref(&self) -> &Self::Target {
        &*self.store
    }
}

impl Client {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Known::default().on(store)
    }

    pub(crate) fn known(&self) -> Known {
        self.known.clone()
    }

    pub(crate) fn forget_store(self) -> Known {
        self.known
    }

    pub(crate) fn arc(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    /// The session of a worker that registered here; one that is not known for any other.
    pub(crate) fn session(&self, worker: WorkerId) -> Session {
        self.known.sessions.lock().unwrap().get(&worker).copied().unwrap_or_else(|| super::nobody(worker))
    }

    /// The lease of an attempt that was granted here; a made-up one for any other.
    pub(crate) fn lease(&self, at: AttemptRef) -> Lease {
        self.known.leases.lock().unwrap().get(&at).map_or(Lease { at, number: 1 }, |(_, assignment)| assignment.lease)
    }

    /// Slots from 0 on mean any free ones: those that the worker was not given before.
    fn places(&self, request: &AcquireRequest) -> Vec<u32> {
        let count = request.slots.len() as u32;
        if request.slots != (0..count).collect::<Vec<_>>() {
            return request.slots.clone();
        }
        let mut places = self.known.places.lock().unwrap();
        let Places { first, next } = &mut *places;
        let first = *first.entry(request.request_id.clone()).or_insert_with(|| {
            let next = next.entry(request.session.worker).or_default();
            std::mem::replace(next, *next + count)
        });
        (first..first + count).collect()
    }

    pub(crate) async fn register_worker(
        &self,
        worker: NewWorker,
        now: Option<Timestamp>,
    ) -> Result<WorkerId, StoreError> {
        let session = self.store.register_worker(worker, now).await?;
        self.known.sessions.lock().unwrap().insert(session.worker, session);
        Ok(session.worker)
    }

    pub(crate) async fn acquire(
        &self,
        request: AcquireRequest,
        now: Option<Timestamp>,
    ) -> Result<Vec<Given>, StoreError> {
        let session = self.session(request.session.worker);
        let slots = self.places(&request);
        let acquired = self.store.acquire(AcquireRequest { session, slots, ..request }, now).await?;
        let mut leases = self.known.leases.lock().unwrap();
        for assignment in &acquired.assignments {
            leases.insert(assignment.lease.at, (session, assignment.clone()));
        }
        let given = |assignment: Assignment| Given {
            at: assignment.lease.at,
            sweep: assignment.sweep,
            sweep_name: assignment.sweep_name,
            slot: assignment.slot,
            seed: assignment.seed,
            config: assignment.config,
            config_hash: assignment.config_hash,
            metric: assignment.metric,
            scored_epoch: assignment.scored_epoch,
            keep_models: assignment.keep_models,
        };
        Ok(acquired.assignments.into_iter().map(given).collect())
    }

    pub(crate) async fn report(
        &self,
        worker: WorkerId,
        reports: Vec<JobReport>,
        lease_ttl: Duration,
        now: Option<Timestamp>,
    ) -> Result<Vec<Directive>, StoreError> {
        let numbered = |report: JobReport| JobReport { lease: self.lease(report.lease.at), ..report };
        let reports = reports.into_iter().map(numbered).collect();
        self.store.report(self.session(worker), reports, lease_ttl, now).await
    }

    /// By the worker that the attempt was granted to. A job that diverged says so with its last
    /// record.
    pub(crate) async fn complete(
        &self,
        completion: Completion,
        policy: RetryPolicy,
        now: Option<Timestamp>,
    ) -> Result<WriteResult, StoreError> {
        let at = completion.lease.at;
        let granted = self.known.leases.lock().unwrap().get(&at).cloned();
        let Some((session, assignment)) = granted else {
            let anyone = self.known.sessions.lock().unwrap().values().next().copied();
            let session = anyone.unwrap_or_else(|| super::nobody(WorkerId(1)));
            let completion = Completion { lease: self.lease(at), ..completion };
            return self.store.complete(session, completion, policy, now).await;
        };
        let config_hash = assignment.config_hash;
        let mut completion = Completion { lease: assignment.lease, config_hash, ..completion };
        if let (JobOutcome::Diverged, Some(last)) = (&completion.outcome, completion.epochs.last_mut()) {
            last.metrics.remove("val_loss");
        }
        self.store.complete(session, completion, policy, now).await
    }

    pub(crate) async fn release(
        &self,
        worker: WorkerId,
        attempts: Vec<AttemptRef>,
        leaving: bool,
        now: Option<Timestamp>,
    ) -> Result<Vec<WriteResult>, StoreError> {
        let leases = attempts.into_iter().map(|at| self.lease(at)).collect();
        self.store.release(self.session(worker), leases, leaving, now).await
    }
}
