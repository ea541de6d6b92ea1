//! Hands out jobs and wakes those who wait for them.
//!
//! The store decides which job a worker is given and what becomes of it; here stands only the
//! waiting. Interest in a wake-up is registered before the store is asked, so that no job slips in
//! between. What waits in the store is asked for once for all workers, by the task of `queue`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::CoordinatorConfig;
use crate::domain::{
    Assignment, Completion, Digest, Directive, JobId, JobOutcome, Lease, NewJob, NewWorker, Retried, Session, Settled,
    Sweep, SweepId, Trainers, WriteResult,
};
use crate::expansions::Expansions;
use crate::jitter::jittered;
use crate::patience::bounded;
use crate::queue::{Found, POLL, QueueWatch};
use crate::store::{AcquireRequest, JobReport, Store, StoreError, SweepCommand};

/// Workers that look into the store at once. The others look after them, and only if those have
/// left something.
const LOOKING: usize = 64;

/// What an acquire comes to.
#[derive(Debug, Default)]
pub(crate) struct Offer {
    pub(crate) assignments: Vec<Assignment>,
    /// Why there is nothing, where that needs a person.
    pub(crate) notice: Option<String>,
    /// The sweep that was asked for will never have anything again.
    pub(crate) sweep_ended: bool,
    /// How long the request was held before the store was asked for what is granted.
    pub(crate) waited: Duration,
}

/// The store, with the wake-ups of those who wait for its changes.
pub(crate) struct Dispatcher {
    store: Arc<dyn Store>,
    config: CoordinatorConfig,
    /// A sweep may have ended.
    ended: Notify,
    expansions: Expansions,
    /// A report was not stored since the reaper last looked: its leases are late through no fault
    /// of their worker.
    renewal_failed: AtomicBool,
    /// What waits for workers.
    queue: Arc<QueueWatch>,
    looking: Semaphore,
}

impl Dispatcher {
    pub(crate) fn new(store: Arc<dyn Store>, config: CoordinatorConfig) -> Self {
        Self {
            store,
            config,
            ended: Notify::new(),
            expansions: Expansions::new(),
            renewal_failed: AtomicBool::new(false),
            queue: Arc::new(QueueWatch::new()),
            looking: Semaphore::new(LOOKING),
        }
    }

    /// Goes on with another store.
    #[cfg(test)]
    pub(crate) fn turn_to(&mut self, store: Arc<dyn Store>) {
        self.store = store;
    }

    /// How the coordinator behaves.
    pub(crate) fn config(&self) -> &CoordinatorConfig {
        &self.config
    }

    /// The points of sweeps whose jobs are being created.
    pub(crate) fn expansions(&self) -> &Expansions {
        &self.expansions
    }

    /// Asks the store for all workers that wait, until `token` is cancelled.
    pub(crate) fn watch_queue(&self, token: CancellationToken) -> impl Future<Output = ()> + use<> {
        self.queue.clone().run(self.store.clone(), token)
    }

    /// Notes a worker that begins to call.
    pub(crate) async fn register(&self, worker: NewWorker) -> Result<Session, StoreError> {
        bounded(self.store.register_worker(worker, None)).await
    }

    /// Writes the jobs of a sweep from `first` on, if they are still the next ones; how many there
    /// are now.
    pub(crate) async fn add_jobs(&self, sweep: SweepId, first: u64, jobs: Vec<NewJob>) -> Result<u64, StoreError> {
        let created = bounded(self.store.add_jobs(sweep, first, jobs)).await?;
        self.jobs_queued();
        Ok(created)
    }

    /// Tells waiting workers to look again.
    fn jobs_queued(&self) {
        self.queue.changed();
    }

    /// Jobs for the request, waiting up to `wait` for the first; nothing at once when `closing` is
    /// cancelled.
    pub(crate) async fn acquire(
        &self,
        mut request: AcquireRequest,
        wait: Duration,
        closing: &CancellationToken,
    ) -> Result<Offer, StoreError> {
        let start = Instant::now();
        let until = start + wait;
        let (worker, sweep) = (request.session.worker, request.sweep);
        let _waiting = self.queue.wait();
        let mut queue = self.queue.subscribe();
        let mut trainers = self.queue.trainers_of(worker);
        let mut first = true;
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();

            let mut found = queue.borrow_and_update().clone();
            // The first time even where nothing waits: the same request may have been granted
            // before.
            if first || found.may_have(trainers.as_deref(), sweep) {
                let looking = self.looking.acquire().await;
                // Whoever looked meanwhile may have found nothing.
                found = queue.borrow_and_update().clone();
                request.take = found.may_have(trainers.as_deref(), sweep);
                let asked = Instant::now();
                let acquired = bounded(self.store.acquire(request.clone(), None)).await?;
                drop(looking);
                first = false;
                let known = Arc::new(acquired.trainers);
                self.queue.called(worker);
                self.queue.has(worker, Arc::clone(&known));
                if acquired.looked && acquired.assignments.is_empty() {
                    self.queue.found_empty(&found, &known, sweep);
                }
                trainers = Some(known);
                if !acquired.assignments.is_empty() {
                    for Assignment { lease, slot, .. } in &acquired.assignments {
                        info!(job.id = %lease.at.job, job.attempt = lease.at.attempt, slot, "job acquired");
                    }
                    let (assignments, waited) = (acquired.assignments, asked - start);
                    return Ok(Offer { assignments, waited, ..Offer::default() });
                }
            }
            if let Some(sweep) = sweep
                && self.has_ended(sweep).await?
            {
                return Ok(Offer { sweep_ended: true, ..Offer::default() });
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || closing.is_cancelled() {
                let found = self.queue.current(&*self.store).await;
                return Ok(Offer {
                    notice: trainers.and_then(|trainers| notice(&found, &trainers)),
                    ..Offer::default()
                });
            }
            // Whoever follows one sweep to its end looks for that end too, and whoever may find
            // something looks again.
            let soon = sweep.is_some() || found.may_have(trainers.as_deref(), sweep);
            let pause = if soon { left.min(jittered(POLL)) } else { left };
            tokio::select! {
                () = closing.cancelled() => {}
                () = until_ready(&mut queue, trainers.as_deref(), sweep) => {}
                () = ended, if sweep.is_some() => {}
                () = sleep(pause) => {}
            }
        }
    }

    /// Stores records, renews leases, answers in the order of the reports.
    pub(crate) async fn report(&self, session: Session, reports: Vec<JobReport>) -> Result<Vec<Directive>, StoreError> {
        let answer = bounded(self.store.report(session, reports, self.config.lease_ttl, None)).await;
        match &answer {
            Ok(_) => self.queue.called(session.worker),
            Err(error) if error.is_retryable() => self.renewal_failed.store(true, Ordering::Relaxed),
            Err(_) => {}
        }
        answer
    }

    /// Whether the store refused a renewal since this was last asked. A store may still answer
    /// questions then: a full disk, a writer that is locked out.
    pub(crate) fn take_renewal_failed(&self) -> bool {
        self.renewal_failed.swap(false, Ordering::Relaxed)
    }

    /// Ends one attempt.
    pub(crate) async fn complete(&self, session: Session, completion: Completion) -> Result<WriteResult, StoreError> {
        let (at, told) = (completion.lease.at, Told::of(&completion.outcome));
        let result = bounded(self.store.complete(session, completion, self.config.retry, None)).await?;
        self.queue.called(session.worker);
        if result == WriteResult::Accepted {
            match told {
                Told::Hindered(problem) => {
                    warn!(job.id = %at.job, job.attempt = at.attempt, problem, "job given back; it waits and is tried again");
                }
                Told::Failed(error) => info!(job.id = %at.job, job.attempt = at.attempt, error, "attempt failed"),
                Told::Ended => info!(job.id = %at.job, job.attempt = at.attempt, "job completed"),
            }
            // A failed job may be in the queue again; its `not_before` is seen by polling.
            self.ended.notify_waiters();
        }
        Ok(result)
    }

    /// The dataset is stored: whoever waits for it goes on.
    pub(crate) async fn dataset_is_there(&self, digest: Digest) -> Result<(), StoreError> {
        let jobs = bounded(self.store.dataset_is_there(digest.clone())).await?;
        if jobs > 0 {
            info!(artifact = %digest, jobs, "the dataset is in the store again; the jobs that waited for it go on");
            self.jobs_queued();
        }
        Ok(())
    }

    /// Gives jobs back to the queue, answers in the order of the attempts.
    pub(crate) async fn release(
        &self,
        session: Session,
        leases: Vec<Lease>,
        leaving: bool,
    ) -> Result<Vec<WriteResult>, StoreError> {
        let count = leases.len();
        let results = bounded(self.store.release(session, leases, leaving, None)).await?;
        self.queue.called(session.worker);
        if count > 0 || leaving {
            info!(jobs = count, leaving, "jobs released");
        }
        if results.contains(&WriteResult::Accepted) {
            self.jobs_queued();
        }
        Ok(results)
    }

    /// Settles expired leases.
    pub(crate) async fn expire(&self, limit: u32) -> Result<Vec<Settled>, StoreError> {
        let settled = bounded(self.store.expire(self.config.retry, limit, None)).await?;
        if !settled.is_empty() {
            self.jobs_queued();
            self.ended.notify_waiters();
        }
        Ok(settled)
    }

    /// Pauses, resumes or cancels.
    pub(crate) async fn command(&self, sweep: &str, command: SweepCommand) -> Result<Sweep, StoreError> {
        let before = bounded(self.store.find_sweep(sweep)).await?;
        let after = bounded(self.store.command_sweep(before.id, command, None)).await?;
        if before.state != after.state {
            info!(sweep.id = %after.id, sweep.name = after.new.name, state = after.state.as_str(), "sweep changed");
        }
        self.jobs_queued();
        self.ended.notify_waiters();
        Ok(after)
    }

    /// Puts failed and cancelled jobs back into the queue: all of the sweep's, or one.
    pub(crate) async fn retry(&self, sweep: &str, job: Option<JobId>) -> Result<Retried, StoreError> {
        let found = bounded(self.store.find_sweep(sweep)).await?;
        let retried = bounded(self.store.retry_sweep(found.id, job, None)).await?;
        info!(sweep.id = %found.id, sweep.name = found.new.name, jobs = retried.jobs, "jobs retried");
        self.jobs_queued();
        if retried.sweep.lacks_jobs() {
            self.expansions.wake();
        }
        Ok(retried)
    }

    /// Whether the sweep has ended, or was removed. No name is a number, so a number always finds
    /// its sweep.
    async fn has_ended(&self, sweep: SweepId) -> Result<bool, StoreError> {
        match bounded(self.store.find_sweep(&sweep.to_string())).await {
            Ok(sweep) => Ok(sweep.state.is_final()),
            Err(StoreError::NotFound { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }
}

/// Returns when something may be there for a worker of this version that was not there before.
async fn until_ready(queue: &mut watch::Receiver<Found>, trainers: Option<&Trainers>, sweep: Option<SweepId>) {
    loop {
        if queue.changed().await.is_err() {
            // The dispatcher owns the sender and this borrows from it: it cannot be gone.
            return std::future::pending().await;
        }
        if queue.borrow_and_update().may_have(trainers, sweep) {
            return;
        }
    }
}

/// Why there is nothing for a worker with these trainers although something waits.
fn notice(found: &Found, trainers: &Trainers) -> Option<String> {
    let part = |((trainer, version), jobs): ((String, u32), u64)| {
        format!("{jobs} queued jobs of trainer {trainer}, version {version}")
    };
    let parts: Vec<String> = found.for_others(trainers).into_iter().map(part).collect();
    (!parts.is_empty()).then(|| {
        format!("{}: other versions give other numbers; start a worker of the build that made them", parts.join(", "))
    })
}

/// What the log says of the end of an attempt.
enum Told {
    Ended,
    Failed(String),
    Hindered(String),
}

impl Told {
    fn of(outcome: &JobOutcome) -> Self {
        match outcome {
            JobOutcome::Failed { error, .. } => Self::Failed(error.clone()),
            JobOutcome::Hindered { problem, .. } => Self::Hindered(problem.clone()),
            JobOutcome::Succeeded | JobOutcome::Stopped | JobOutcome::Diverged => Self::Ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use besom_sweep::{Expansion, TRAINER_VERSION};

    use super::*;
    use crate::domain::NewSweep;
    use crate::store::sqlite::SqliteStore;

    /// A store with a sweep of three jobs.
    async fn three_jobs(path: &std::path::Path) -> Arc<dyn Store> {
        let store = SqliteStore::open(path).await.unwrap();
        let text = "{method: grid, parameters: {learning_rate: {values: [0.1, 0.2, 0.3]}, epochs: {value: 1}}, besom: \
                    {dataset: {source: 'builtin:sketches'}}}";
        let spec = besom_sweep::parse(text).unwrap();
        let expansion = Expansion::new(&spec, None).unwrap();
        let new = NewSweep {
            name: "x".to_owned(),
            title: "x".to_owned(),
            digest: "0".repeat(64),
            text: text.to_owned(),
            spec: None,
            method: spec.method.as_str().to_owned(),
            metric: spec.metric.clone(),
            scored_epoch: spec.scored_epoch,
            keep_models: spec.keep_models,
            engine: None,
            dataset: Digest::parse(&"0".repeat(64)).unwrap(),
            dataset_source: spec.dataset.source.clone(),
            dataset_sha256: String::new(),
            swept: Vec::new(),
            jobs_total: Some(3),
            trainer: "mlp".to_owned(),
            trainer_version: TRAINER_VERSION,
            shared_config: "{}".to_owned(),
            classes: None,
        };
        let (sweep, _) = store.create_sweep(new, None).await.unwrap();
        let job = |index| crate::expander::new_job(&expansion, index, &sweep.new.dataset);
        store.add_jobs(sweep.id, 0, (0..3).map(job).collect()).await.unwrap();
        Arc::new(store)
    }

    #[tokio::test]
    async fn a_worker_that_insists_on_a_busy_slot_does_not_make_the_queue_look_empty() {
        let dir = tempfile::tempdir().unwrap();
        let dispatcher = Dispatcher::new(three_jobs(&dir.path().join("besom.db")).await, CoordinatorConfig::default());
        let word = || "x".to_owned();
        let slots = 1;
        let trainers = Trainers([("mlp".to_owned(), TRAINER_VERSION)].into());
        let worker = NewWorker {
            instance: word(),
            name: word(),
            host: word(),
            slots,
            build: word(),
            trainers: trainers.clone(),
            device: word(),
            gone_after: Duration::from_secs(60),
        };
        let session = dispatcher.register(worker).await.unwrap();
        let closing = CancellationToken::new();
        let ask = async |request_id: &str| {
            let (request_id, slots, lease_ttl) = (request_id.to_owned(), vec![0], Duration::from_secs(30));
            let wish = AcquireRequest { session, request_id, slots, take: true, sweep: None, lease_ttl };
            dispatcher.acquire(wish, Duration::ZERO, &closing).await.unwrap().assignments.len()
        };
        assert!(dispatcher.queue.current(&*dispatcher.store).await.may_have(Some(&trainers), None));
        assert_eq!(ask("first").await, 1);
        assert_eq!(ask("second").await, 0);
        assert!(dispatcher.queue.subscribe().borrow().may_have(Some(&trainers), None));
    }
}
