//! The trait's methods: each one is a transaction.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{
    acquire::{self, Acquire},
    complete::{self, End},
    expire, importance, jobs,
    lane::{Answers, Lane},
    reads, release, remove,
    report::{self, Report},
    retry, session, statistics, sweep_rows, sweeps,
    transaction::Handle,
    workers,
};
use crate::{
    domain::{
        Completion, Digest, Directive, JobId, Lease, NewJob, NewSweep, NewWorker, Progress, Queue, Removal, Retried,
        RetryPolicy, Session, Settled, StoredSpec, Sweep, SweepId, Timestamp, WorkerId, WorkerRow, WriteResult,
    },
    store::{
        contract::{AcquireRequest, Acquired, JobReport, Store, SweepCommand},
        error::{self, StoreError},
        starts::Starts,
        way::Way,
    },
};

/// A store whose tables are in one database.
pub struct Backend {
    pub(in super::super) handle: Handle,
    /// `None`: open for reading only.
    pub(in super::super) lanes: Option<Lanes>,
}

/// The calls of workers that share transactions. Kinds are apart, so that renewals do not wait for
/// a sweep that somebody else holds; nor do the ends of jobs of other sweeps.
pub(in super::super) struct Lanes {
    acquire: Lane<Acquire, Acquired>,
    starts: Arc<Starts>,
    report: Lane<Report, Vec<Directive>>,
    complete: Lane<End, WriteResult>,
}

impl Lanes {
    /// The lanes of a store that is open for writing. Called on the runtime that serves it.
    pub(in super::super) fn new(handle: &Handle) -> Self {
        Self {
            starts: Arc::default(),
            acquire: Lane::new(handle.clone(), "acquire", |conn, now, requests| {
                Box::pin(async move { acquire::acquire_all(conn, now, requests).await.map(all) })
            }),
            report: Lane::new(handle.clone(), "report", |conn, now, reports| {
                Box::pin(async move { report::report_all(conn, now, reports).await.map(all) })
            }),
            complete: Lane::and_apart(
                handle.clone(),
                "complete",
                |conn, now, ends| Box::pin(complete::complete_free(conn, now, ends)),
                |conn, now, ends| Box::pin(async move { complete::complete_all(conn, now, ends).await.map(all) }),
            ),
        }
    }
}

/// Jobs may have come back to the queue from anywhere: the next look for them walks over
/// everything.
fn look_everywhere<T, E>(backend: &Backend, done: Result<T, E>) -> Result<T, E> {
    if let (Some(lanes), Ok(_)) = (&backend.lanes, &done) {
        lanes.starts.forget_all();
    }
    done
}

/// Every call is answered.
fn all<T>(answers: Vec<Result<T, StoreError>>) -> Answers<T> {
    answers.into_iter().map(Some).collect()
}

#[async_trait]
impl Store for Backend {
    async fn create_sweep(&self, sweep: NewSweep, now: Option<Timestamp>) -> Result<(Sweep, bool), StoreError> {
        self.handle
            .run(Way::Write, "create sweep", now, sweep, |conn, now, sweep| Box::pin(sweeps::create(conn, now, sweep)))
            .await
    }

    async fn add_jobs(&self, sweep: SweepId, first: u64, jobs: Vec<NewJob>) -> Result<u64, StoreError> {
        self.handle
            .run(Way::Write, "add jobs", None, (sweep, first, jobs), |conn, now, (sweep, first, jobs)| {
                Box::pin(jobs::add(conn, now, *sweep, *first, jobs))
            })
            .await
    }

    async fn find_sweep(&self, name_or_number: &str) -> Result<Sweep, StoreError> {
        self.handle
            .run(Way::Ask, "find sweep", None, name_or_number.to_owned(), |conn, _, name| {
                Box::pin(sweep_rows::find(conn, name))
            })
            .await
    }

    async fn list_sweeps(&self) -> Result<Vec<Sweep>, StoreError> {
        self.handle.run(Way::Read, "list sweeps", None, (), |conn, _, ()| Box::pin(sweep_rows::list(conn))).await
    }

    async fn unexpanded_sweeps(&self) -> Result<Vec<Sweep>, StoreError> {
        self.handle
            .run(Way::Ask, "list unexpanded sweeps", None, (), |conn, _, ()| Box::pin(sweep_rows::unexpanded(conn)))
            .await
    }

    async fn sweep_spec(&self, sweep: SweepId) -> Result<StoredSpec, StoreError> {
        self.handle
            .run(Way::Read, "find what a sweep asks for", None, sweep, |conn, _, sweep| {
                Box::pin(sweep_rows::spec(conn, *sweep))
            })
            .await
    }

    async fn command_sweep(
        &self,
        sweep: SweepId,
        command: SweepCommand,
        now: Option<Timestamp>,
    ) -> Result<Sweep, StoreError> {
        self.handle
            .run(Way::Write, "command sweep", now, (sweep, command), |conn, now, (sweep, command)| {
                Box::pin(sweeps::command(conn, now, *sweep, *command))
            })
            .await
    }

    async fn retry_sweep(
        &self,
        sweep: SweepId,
        job: Option<JobId>,
        now: Option<Timestamp>,
    ) -> Result<Retried, StoreError> {
        let done = self
            .handle
            .run(Way::Write, "retry sweep", now, (sweep, job), |conn, _, (sweep, job)| {
                Box::pin(retry::retry(conn, *sweep, *job))
            })
            .await;
        look_everywhere(self, done)
    }

    async fn removal(&self, sweep: SweepId) -> Result<Removal, StoreError> {
        self.handle
            .run(Way::Read, "find what goes with a sweep", None, sweep, |conn, _, sweep| {
                Box::pin(remove::worth(conn, *sweep))
            })
            .await
    }

    async fn remove_sweep(&self, sweep: SweepId) -> Result<(), StoreError> {
        self.handle
            .run(Way::Write, "remove sweep", None, sweep, |conn, _, sweep| Box::pin(remove::mark(conn, *sweep)))
            .await
    }

    async fn left_of(&self, sweep: SweepId) -> Result<Option<u64>, StoreError> {
        self.handle
            .run(Way::Ask, "find what is left of a sweep", None, sweep, |conn, _, sweep| {
                Box::pin(remove::left(conn, *sweep))
            })
            .await
    }

    async fn remove_some(&self, jobs: u32, now: Option<Timestamp>) -> Result<bool, StoreError> {
        self.handle
            .run(Way::Write, "remove rows of a sweep", now, jobs, |conn, now, jobs| {
                Box::pin(remove::some(conn, now, *jobs))
            })
            .await
    }

    async fn dataset_is_there(&self, digest: Digest) -> Result<u64, StoreError> {
        let done = self
            .handle
            .run(Way::Write, "end waits for a dataset", None, digest, |conn, _, digest| {
                Box::pin(sweeps::dataset_is_there(conn, digest))
            })
            .await;
        look_everywhere(self, done)
    }

    async fn register_worker(&self, worker: NewWorker, now: Option<Timestamp>) -> Result<Session, StoreError> {
        self.handle
            .run(Way::Write, "register worker", now, worker, |conn, now, worker| {
                Box::pin(workers::register(conn, now, worker))
            })
            .await
    }

    async fn known(&self, session: Session) -> Result<(), StoreError> {
        let row = self
            .handle
            .run(Way::Ask, "find worker", None, session, |conn, _, session| Box::pin(session::caller(conn, *session)));
        row.await?.map(|_| ())
    }

    async fn acquire(&self, request: AcquireRequest, now: Option<Timestamp>) -> Result<Acquired, StoreError> {
        let lanes = self.lanes.as_ref().ok_or_else(error::read_only)?;
        lanes.acquire.call(Acquire { request, starts: lanes.starts.clone() }, now).await
    }

    async fn queues(&self) -> Result<Vec<Queue>, StoreError> {
        let starts = self.lanes.as_ref().map(|lanes| lanes.starts.clone()).unwrap_or_default();
        self.handle
            .run(Way::Ask, "queues", None, starts, |conn, now, starts| Box::pin(sweeps::queues(conn, now, starts)))
            .await
    }

    async fn report(
        &self,
        session: Session,
        jobs: Vec<JobReport>,
        lease_ttl: Duration,
        now: Option<Timestamp>,
    ) -> Result<Vec<Directive>, StoreError> {
        let report = Report { session, jobs, lease_ttl };
        self.lanes.as_ref().ok_or_else(error::read_only)?.report.call(report, now).await
    }

    async fn complete(
        &self,
        session: Session,
        completion: Completion,
        policy: RetryPolicy,
        now: Option<Timestamp>,
    ) -> Result<WriteResult, StoreError> {
        let end = End { session, completion, policy };
        self.lanes.as_ref().ok_or_else(error::read_only)?.complete.call(end, now).await
    }

    async fn release(
        &self,
        session: Session,
        leases: Vec<Lease>,
        leaving: bool,
        now: Option<Timestamp>,
    ) -> Result<Vec<WriteResult>, StoreError> {
        let done = self
            .handle
            .run(Way::Write, "release", now, (session, leases, leaving), |conn, now, (session, leases, leaving)| {
                Box::pin(release::release(conn, now, *session, leases, *leaving))
            })
            .await;
        look_everywhere(self, done)
    }

    async fn expire(
        &self,
        policy: RetryPolicy,
        limit: u32,
        now: Option<Timestamp>,
    ) -> Result<Vec<Settled>, StoreError> {
        let done = self
            .handle
            .run(Way::Write, "expire", now, (policy, limit), |conn, now, (policy, limit)| {
                Box::pin(expire::expire(conn, now, *policy, *limit))
            })
            .await;
        look_everywhere(self, done)
    }

    async fn progress(&self, sweep: SweepId) -> Result<Progress, StoreError> {
        self.handle
            .run(Way::Read, "progress", None, sweep, |conn, _, sweep| Box::pin(reads::progress(conn, *sweep)))
            .await
    }

    async fn weigh_due(&self, now: Option<Timestamp>) -> Result<u32, StoreError> {
        importance::weigh_due(&self.handle, now).await
    }

    async fn settle_importance(&self, now: Option<Timestamp>) -> Result<bool, StoreError> {
        importance::settle(&self.handle, now).await
    }

    async fn catch_up(&self, limit: u32) -> Result<bool, StoreError> {
        self.handle
            .run(Way::Write, "sum up earlier runs", None, limit, |conn, _, limit| {
                Box::pin(statistics::catch_up(conn, *limit))
            })
            .await
    }

    async fn note_seen(&self, workers: Vec<(WorkerId, Duration)>) -> Result<(), StoreError> {
        self.handle
            .run(Way::Write, "note seen workers", None, workers, |conn, now, workers| {
                Box::pin(workers::seen(conn, now, workers))
            })
            .await
    }

    async fn forget_workers(&self, now: Option<Timestamp>) -> Result<u64, StoreError> {
        self.handle
            .run(Way::Write, "forget workers", now, (), |conn, now, ()| Box::pin(workers::forget_unlisted(conn, now)))
            .await
    }

    async fn workers(&self, all: bool) -> Result<Vec<WorkerRow>, StoreError> {
        self.handle
            .run(Way::Read, "workers", None, all, |conn, now, all| Box::pin(workers::list(conn, now, *all)))
            .await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.handle.run(Way::Ask, "ping", None, (), |conn, _, ()| Box::pin(reads::ping(conn))).await
    }

    async fn close(&self) {
        self.handle.close().await;
    }
}
