//! Watching: what many watchers cost, and what each of them sees.

use std::{
    sync::Arc,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use besom_coordinator::domain::{
    Completion, Digest, Directive, JobId, Lease, NewJob, NewSweep, NewWorker, Progress, Queue, Removal, Retried,
    RetryPolicy, Session, Settled, StoredSpec, Sweep, SweepId, Timestamp, WorkerId, WorkerRow, WriteResult,
};
use besom_coordinator::store::{AcquireRequest, Acquired, JobReport, Store, StoreError, SweepCommand};
use besom_coordinator::{Coordinator, CoordinatorConfig};
use besom_proto::v1;
use besom_testkit::eventually;
use tokio::task::JoinSet;
use tokio_stream::StreamExt;
use tonic::Code;

use crate::support::{Bench, Clients, LIMIT, named, sqlite, success};

/// A store that counts how often it is asked for progress.
struct Counting {
    inner: Arc<dyn Store>,
    looks: AtomicUsize,
}

macro_rules! passed_on {
    ($(fn $name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)+) => {
        #[async_trait::async_trait]
        impl Store for Counting {
            async fn progress(&self, sweep: SweepId) -> Result<Progress, StoreError> {
                self.looks.fetch_add(1, Ordering::SeqCst);
                self.inner.progress(sweep).await
            }

            async fn find_sweep(&self, name_or_number: &str) -> Result<Sweep, StoreError> {
                self.inner.find_sweep(name_or_number).await
            }

            async fn close(&self) {
                self.inner.close().await;
            }

            $(async fn $name(&self, $($argument: $kind),*) -> Result<$answer, StoreError> {
                self.inner.$name($($argument),*).await
            })+
        }
    };
}

type Now = Option<Timestamp>;

passed_on! {
    fn create_sweep(sweep: NewSweep, now: Now) -> (Sweep, bool);
    fn add_jobs(sweep: SweepId, first: u64, jobs: Vec<NewJob>) -> u64;
    fn list_sweeps() -> Vec<Sweep>;
    fn unexpanded_sweeps() -> Vec<Sweep>;
    fn sweep_spec(sweep: SweepId) -> StoredSpec;
    fn command_sweep(sweep: SweepId, command: SweepCommand, now: Now) -> Sweep;
    fn retry_sweep(sweep: SweepId, job: Option<JobId>, now: Now) -> Retried;
    fn removal(sweep: SweepId) -> Removal;
    fn remove_sweep(sweep: SweepId) -> ();
    fn left_of(sweep: SweepId) -> Option<u64>;
    fn remove_some(jobs: u32, now: Now) -> bool;
    fn known(session: Session) -> ();
    fn dataset_is_there(digest: Digest) -> u64;
    fn register_worker(worker: NewWorker, now: Now) -> Session;
    fn acquire(request: AcquireRequest, now: Now) -> Acquired;
    fn queues() -> Vec<Queue>;
    fn report(session: Session, reports: Vec<JobReport>, lease_ttl: Duration, now: Now) -> Vec<Directive>;
    fn complete(session: Session, completion: Completion, policy: RetryPolicy, now: Now) -> WriteResult;
    fn release(session: Session, leases: Vec<Lease>, leaving: bool, now: Now) -> Vec<WriteResult>;
    fn expire(policy: RetryPolicy, limit: u32, now: Now) -> Vec<Settled>;
    fn weigh_due(now: Now) -> u32;
    fn settle_importance(now: Now) -> bool;
    fn catch_up(limit: u32) -> bool;
    fn note_seen(workers: Vec<(WorkerId, Duration)>) -> ();
    fn forget_workers(now: Now) -> u64;
    fn workers(all: bool) -> Vec<WorkerRow>;
    fn ping() -> ();
}

const WATCHERS: usize = 100;
const JOBS: u32 = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_watches_ask_the_database_as_often_as_one() {
    let (opened, _dir) = sqlite().await;
    let store = Arc::new(Counting { inner: opened.store.clone(), looks: AtomicUsize::new(0) });
    let config = CoordinatorConfig::default();
    let coordinator = Coordinator::start(store.clone(), opened.artifacts.clone(), config).unwrap();
    let mut clients = Clients::of(&coordinator.connector());
    clients.submit("grid", JOBS).await;
    let start = Instant::now();
    let done: Arc<[AtomicUsize; JOBS as usize]> = Arc::default();
    let mut watchers = JoinSet::new();
    for number in 0..WATCHERS {
        // Several connections, and all on the same coordinator.
        let mut sweeps = match number % 4 {
            0 => Clients::of(&coordinator.connector()).sweeps,
            _ => clients.sweeps.clone(),
        };
        let done = done.clone();
        watchers.spawn(async move {
            let mut watch = sweeps.watch_sweep(named("grid")).await.unwrap().into_inner();
            let (mut messages, mut seen) = (0, 0);
            while let Some(progress) = watch.next().await {
                messages += 1;
                let succeeded = progress.unwrap().sweep.unwrap().counts.unwrap().succeeded;
                for done in &done[seen..succeeded as usize] {
                    done.fetch_add(1, Ordering::SeqCst);
                }
                seen = succeeded as usize;
            }
            messages
        });
    }
    let worker = clients.register().await;
    for job in 0..JOBS as usize {
        let attempt = clients.acquire_one(worker).await;
        assert_eq!(clients.complete(worker, success(attempt)).await, v1::Result::Accepted);
        eventually("everybody has seen the job end", LIMIT, async || done[job].load(Ordering::SeqCst) == WATCHERS)
            .await;
    }
    let messages: usize = watchers.join_all().await.into_iter().sum();
    let looks = store.looks.load(Ordering::SeqCst);
    assert!(messages >= WATCHERS * JOBS as usize, "{messages}");
    // One watcher asks at once and then at most twice a second.
    let of_one = 1 + start.elapsed().as_millis() / 500;
    assert!(looks as u128 <= of_one, "{looks} looks, where one watch makes at most {of_one}");
}

#[tokio::test]
async fn a_watch_that_comes_later_begins_at_once_and_nobody_looks_for_nobody() {
    let (opened, _dir) = sqlite().await;
    let store = Arc::new(Counting { inner: opened.store.clone(), looks: AtomicUsize::new(0) });
    let config = CoordinatorConfig::default();
    let coordinator = Coordinator::start(store.clone(), opened.artifacts.clone(), config).unwrap();
    let mut clients = Clients::of(&coordinator.connector());
    clients.submit("grid", 1).await;
    let mut open = async || {
        let mut watch = clients.sweeps.watch_sweep(named("grid")).await.unwrap().into_inner();
        let first = watch.next().await.unwrap().unwrap();
        assert_eq!(first.sweep.unwrap().state(), v1::SweepState::Active);
        watch
    };
    let first = open().await;
    let looks = store.looks.load(Ordering::SeqCst);
    let second = open().await;
    drop(first);
    drop(second);
    // Once all have gone the last look is over: the next watch starts anew, and sees what there is
    // then.
    let settled = async || {
        let before = store.looks.load(Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        store.looks.load(Ordering::SeqCst) == before
    };
    eventually("nobody looks any more", LIMIT, settled).await;
    assert!(store.looks.load(Ordering::SeqCst) >= looks);
    open().await;
}

#[tokio::test]
async fn a_watch_ends_with_words_when_the_store_goes_away() {
    let bench = Bench::new().await;
    let mut clients = bench.clients();
    clients.submit("grid", 1).await;
    let mut watch = clients.sweeps.watch_sweep(named("grid")).await.unwrap().into_inner();
    watch.next().await.unwrap().unwrap();
    bench.opened.store.close().await;
    let rest: Vec<_> = tokio::time::timeout(LIMIT, watch.collect()).await.expect("the watch ends");
    assert_eq!(rest.last().unwrap().as_ref().unwrap_err().code(), Code::Unavailable);
}
