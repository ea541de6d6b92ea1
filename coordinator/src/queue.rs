//! What is known of the queue, for all workers that wait for a job of it.
//!
//! One task asks the store what waits, about once a second and when something was queued here,
//! however many workers wait; a worker that waits asks the store itself only when there may be
//! something for it. The task also notes which workers called, in one statement for all of them.

use std::{
    collections::{BTreeMap, HashMap},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    domain::{Queue, SweepId, Trainers, WorkerId},
    error_chain::chain,
    patience::bounded,
    store::Store,
};

/// How long the store is not asked while nobody says that something was queued: another coordinator
/// may have queued it, or a job's time may have come.
pub(crate) const POLL: Duration = Duration::from_secs(1);

/// The store is asked no sooner again, however often something is queued.
const SHORTEST: Duration = Duration::from_millis(20);

/// What is known is believed for so long; then workers ask for themselves.
const BELIEVED: Duration = Duration::from_secs(3);

/// How often the workers that called are noted.
const NOTED: Duration = Duration::from_secs(5);

/// The store forgets workers about so often.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// Workers whose trainers are remembered.
const MOST_WORKERS: usize = 20_000;

/// What waits in the store, and when it was found there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found {
    queues: Arc<Vec<Queue>>,
    at: Option<Instant>,
}

impl Found {
    /// Whether a worker may find a job: of any trainer where its own are not known.
    pub(crate) fn may_have(&self, trainers: Option<&Trainers>, sweep: Option<SweepId>) -> bool {
        !self.is_believed() || self.queues.iter().any(|queue| queue.ready && suits(queue, trainers, sweep))
    }

    /// Whether the store was asked a short while ago.
    fn is_believed(&self) -> bool {
        self.at.is_some_and(|at| at.elapsed() < BELIEVED)
    }

    /// Queued jobs that these trainers do not execute, by trainer and version.
    pub(crate) fn for_others(&self, trainers: &Trainers) -> BTreeMap<(String, u32), u64> {
        let mut others = BTreeMap::new();
        let foreign = |queue: &&Queue| !trainers.have(&queue.trainer, queue.trainer_version) && queue.queued > 0;
        for queue in self.queues.iter().filter(foreign) {
            *others.entry((queue.trainer.clone(), queue.trainer_version)).or_default() += queue.queued;
        }
        others
    }
}

fn suits(queue: &Queue, trainers: Option<&Trainers>, sweep: Option<SweepId>) -> bool {
    trainers.is_none_or(|trainers| trainers.have(&queue.trainer, queue.trainer_version))
        && sweep.is_none_or(|sweep| queue.sweep == sweep)
}

/// The queue as workers see it.
#[derive(Debug)]
pub(crate) struct QueueWatch {
    found: watch::Sender<Found>,
    /// Something was queued here, or a worker came that knows nothing.
    stale: Notify,
    calls: Mutex<Calls>,
}

/// Who calls.
#[derive(Debug, Default)]
struct Calls {
    /// When, since they were last noted in the store.
    seen: HashMap<WorkerId, Instant>,
    trainers: HashMap<WorkerId, Arc<Trainers>>,
    waiting: usize,
}

/// One waiting worker, counted until its call ends, however it does.
pub(crate) struct Waiting<'q>(&'q QueueWatch);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.calls().waiting -= 1;
    }
}

impl QueueWatch {
    pub(crate) fn new() -> Self {
        Self { found: watch::Sender::new(Found::default()), stale: Notify::new(), calls: Mutex::default() }
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something may have been queued.
    pub(crate) fn changed(&self) {
        self.stale.notify_one();
    }

    /// A worker begins to wait.
    pub(crate) fn wait(&self) -> Waiting<'_> {
        let first = {
            let mut calls = self.calls();
            calls.waiting += 1;
            calls.waiting == 1
        };
        if first {
            self.changed();
        }
        Waiting(self)
    }

    /// What is found from now on.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Found> {
        self.found.subscribe()
    }

    /// The trainers of a worker that has called before.
    pub(crate) fn trainers_of(&self, worker: WorkerId) -> Option<Arc<Trainers>> {
        self.calls().trainers.get(&worker).cloned()
    }

    /// A worker called that the store knows. That is noted apart from what it called for: workers
    /// that share transactions would otherwise hold one another's rows.
    pub(crate) fn called(&self, worker: WorkerId) {
        let mut calls = self.calls();
        if calls.seen.len() < MOST_WORKERS {
            calls.seen.insert(worker, Instant::now());
        }
    }

    /// The trainers of a worker, as the store knows them.
    pub(crate) fn has(&self, worker: WorkerId, trainers: Arc<Trainers>) {
        let mut calls = self.calls();
        if calls.trainers.len() >= MOST_WORKERS {
            calls.trainers.clear();
        }
        calls.trainers.insert(worker, trainers);
    }

    /// A worker with these trainers looked into the store and found nothing in what was `seen`
    /// there: others with them need not look before something changes.
    pub(crate) fn found_empty(&self, seen: &Found, trainers: &Trainers, sweep: Option<SweepId>) {
        self.found.send_if_modified(|found| {
            if found.at == seen.at {
                let queues = Arc::make_mut(&mut found.queues);
                for queue in queues.iter_mut().filter(|queue| suits(queue, Some(trainers), sweep)) {
                    queue.ready = false;
                }
            }
            // Nobody has to hear that there is less.
            false
        });
    }

    /// Asks the store for all who wait, until `token` is cancelled.
    pub(crate) async fn run(self: Arc<Self>, store: Arc<dyn Store>, token: CancellationToken) {
        let start = Instant::now();
        let (mut asked, mut noted, mut forgotten) = (start, start, start);
        loop {
            tokio::select! {
                biased;
                () = token.cancelled() => break,
                () = self.stale.notified() => {}
                () = sleep_until(asked + POLL) => {}
            }
            let soonest = asked + SHORTEST;
            tokio::select! {
                biased;
                () = token.cancelled() => break,
                () = sleep_until(soonest) => {}
            }
            asked = Instant::now();
            if self.calls().waiting > 0 {
                self.look(&*store).await;
            }
            if noted.elapsed() >= NOTED {
                noted = Instant::now();
                self.note(&*store).await;
            }
            if forgotten.elapsed() >= FORGOTTEN {
                forgotten = Instant::now();
                if let Err(error) = bounded(store.forget_workers(None)).await {
                    warn!(error = chain(&error), "workers that are gone were not forgotten; trying again later");
                }
            }
        }
    }

    /// What waits, asked for now where nobody has asked a short while ago.
    pub(crate) async fn current(&self, store: &dyn Store) -> Found {
        let found = self.found.borrow().clone();
        if found.is_believed() {
            return found;
        }
        self.look(store).await;
        self.found.borrow().clone()
    }

    async fn look(&self, store: &dyn Store) {
        // A store that is away is told of by the reaper; workers that wait go on waiting.
        let Ok(queues) = bounded(store.queues()).await else { return };
        let now = Instant::now();
        self.found.send_if_modified(|found| {
            let more = queues.iter().any(|queue| queue.ready && !found.queues.contains(queue));
            *found = Found { queues: Arc::new(queues), at: Some(now) };
            more
        });
    }

    async fn note(&self, store: &dyn Store) {
        let seen = mem::take(&mut self.calls().seen);
        let seen: Vec<_> = seen.into_iter().map(|(worker, at)| (worker, at.elapsed())).collect();
        if seen.is_empty() {
            return;
        }
        // The time of a worker's latest call is for people: a later call brings it.
        if let Err(error) = bounded(store.note_seen(seen)).await {
            tracing::debug!(error = chain(&error), "calls of workers were not noted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(queues: &[(i64, u32, bool)], at: Option<Instant>) -> Found {
        let queue = |&(sweep, trainer_version, ready)| Queue {
            sweep: SweepId(sweep),
            trainer: "mlp".to_owned(),
            trainer_version,
            queued: 5,
            ready,
        };
        Found { queues: Arc::new(queues.iter().map(queue).collect()), at }
    }

    fn mlp(version: u32) -> Trainers {
        Trainers([("mlp".to_owned(), version)].into())
    }

    #[test]
    fn a_worker_looks_where_there_may_be_a_job_for_it() {
        let known = found(&[(1, 4, false), (2, 5, true)], Some(Instant::now()));
        assert!(known.may_have(None, None) && known.may_have(Some(&mlp(5)), None));
        assert!(!known.may_have(Some(&mlp(4)), None), "its sweep has nothing ready");
        assert!(known.may_have(Some(&mlp(5)), Some(SweepId(2))) && !known.may_have(Some(&mlp(5)), Some(SweepId(1))));
        assert!(found(&[], None).may_have(Some(&mlp(4)), None), "nothing is known");
        assert_eq!(known.for_others(&mlp(4)), [(("mlp".to_owned(), 5), 5)].into());
        let both = Trainers([("mlp".to_owned(), 4), ("program".to_owned(), 5)].into());
        assert!(!known.may_have(Some(&both), None), "a version is that of its trainer");
    }

    #[test]
    fn what_was_found_empty_is_not_looked_for_again_before_it_changes() {
        let watch = QueueWatch::new();
        watch.found.send_replace(found(&[(1, 4, true), (2, 5, true)], Some(Instant::now())));
        let seen = watch.found.borrow().clone();
        watch.found_empty(&seen, &mlp(4), None);
        assert!(
            !watch.found.borrow().may_have(Some(&mlp(4)), None) && watch.found.borrow().may_have(Some(&mlp(5)), None)
        );
        watch.found.send_replace(found(&[(1, 4, true)], Some(Instant::now() + POLL)));
        watch.found_empty(&seen, &mlp(4), None);
        assert!(watch.found.borrow().may_have(Some(&mlp(4)), None), "what was found since is not what was seen empty");
    }
}
