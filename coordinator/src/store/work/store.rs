//! The trait's methods: each one is a transaction.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    acquire, complete,
    dialect::Backend,
    expire, importance, jobs,
    reads::{self, Page},
    release, report, statistics, sweeps, workers,
};
use crate::{
    domain::{
        Assignment, AttemptRef, AttemptRow, Completion, ConfigStats, Confusion, Directive, EpochRecord, Importances,
        JobId, NewJob, NewSweep, NewWorker, Progress, RetryPolicy, Run, Settled, Sweep, SweepId, Timestamp, WorkerId,
        WorkerRow, WriteResult,
    },
    store::{AcquireRequest, JobReport, RunQuery, Store, StoreError, SweepCommand},
};

#[async_trait]
impl Store for Backend {
    async fn create_sweep(&self, sweep: NewSweep, now: Option<Timestamp>) -> Result<(Sweep, bool), StoreError> {
        self.handle()
            .write("create sweep", now, sweep, |conn, now, sweep| Box::pin(sweeps::create(conn, now, sweep)))
            .await
    }

    async fn add_jobs(&self, sweep: SweepId, first: u64, jobs: Vec<NewJob>) -> Result<u64, StoreError> {
        self.handle()
            .write("add jobs", None, (sweep, first, jobs), |conn, now, (sweep, first, jobs)| {
                Box::pin(jobs::add(conn, now, *sweep, *first, jobs))
            })
            .await
    }

    async fn find_sweep(&self, name_or_number: &str) -> Result<Sweep, StoreError> {
        self.handle()
            .ask("find sweep", name_or_number.to_owned(), |conn, _, name| Box::pin(sweeps::find(conn, name)))
            .await
    }

    async fn list_sweeps(&self) -> Result<Vec<Sweep>, StoreError> {
        self.handle().read("list sweeps", (), |conn, _, ()| Box::pin(sweeps::list(conn))).await
    }

    async fn unexpanded_sweeps(&self) -> Result<Vec<Sweep>, StoreError> {
        self.handle().ask("list unexpanded sweeps", (), |conn, _, ()| Box::pin(sweeps::unexpanded(conn))).await
    }

    async fn command_sweep(
        &self,
        sweep: SweepId,
        command: SweepCommand,
        now: Option<Timestamp>,
    ) -> Result<Sweep, StoreError> {
        self.handle()
            .write("command sweep", now, (sweep, command), |conn, now, (sweep, command)| {
                Box::pin(sweeps::command(conn, now, *sweep, *command))
            })
            .await
    }

    async fn register_worker(&self, worker: NewWorker, now: Option<Timestamp>) -> Result<WorkerId, StoreError> {
        self.handle()
            .write("register worker", now, worker, |conn, now, worker| Box::pin(workers::register(conn, now, worker)))
            .await
    }

    async fn acquire(&self, request: AcquireRequest, now: Option<Timestamp>) -> Result<Vec<Assignment>, StoreError> {
        self.handle()
            .write("acquire", now, request, |conn, now, request| Box::pin(acquire::acquire(conn, now, request)))
            .await
    }

    async fn other_trainer_versions(&self, worker: WorkerId) -> Result<Vec<(u32, u64)>, StoreError> {
        self.handle()
            .ask("count other trainer versions", worker, |conn, _, worker| {
                Box::pin(workers::other_versions(conn, *worker))
            })
            .await
    }

    async fn report(
        &self,
        worker: WorkerId,
        reports: Vec<JobReport>,
        lease_ttl: Duration,
        now: Option<Timestamp>,
    ) -> Result<Vec<Directive>, StoreError> {
        self.handle()
            .write("report", now, (worker, reports, lease_ttl), |conn, now, (worker, reports, lease_ttl)| {
                Box::pin(report::report(conn, now, *worker, reports, *lease_ttl))
            })
            .await
    }

    async fn complete(
        &self,
        completion: Completion,
        policy: RetryPolicy,
        now: Option<Timestamp>,
    ) -> Result<WriteResult, StoreError> {
        self.handle()
            .write("complete", now, (completion, policy), |conn, now, (completion, policy)| {
                Box::pin(complete::complete(conn, now, completion, *policy))
            })
            .await
    }

    async fn release(
        &self,
        worker: WorkerId,
        attempts: Vec<AttemptRef>,
        leaving: bool,
        now: Option<Timestamp>,
    ) -> Result<Vec<WriteResult>, StoreError> {
        self.handle()
            .write("release", now, (worker, attempts, leaving), |conn, now, (worker, attempts, leaving)| {
                Box::pin(release::release(conn, now, *worker, attempts, *leaving))
            })
            .await
    }

    async fn expire(
        &self,
        policy: RetryPolicy,
        limit: u32,
        now: Option<Timestamp>,
    ) -> Result<Vec<Settled>, StoreError> {
        self.handle()
            .write("expire", now, (policy, limit), |conn, now, (policy, limit)| {
                Box::pin(expire::expire(conn, now, *policy, *limit))
            })
            .await
    }

    async fn progress(&self, sweep: SweepId) -> Result<Progress, StoreError> {
        self.handle().read("progress", sweep, |conn, _, sweep| Box::pin(reads::progress(conn, *sweep))).await
    }

    async fn runs(&self, query: RunQuery) -> Result<Vec<Run>, StoreError> {
        self.handle().read("runs", query, |conn, _, query| Box::pin(reads::runs(conn, *query))).await
    }

    async fn runs_after(&self, sweep: SweepId, after: Option<JobId>, limit: u32) -> Result<Vec<Run>, StoreError> {
        let page = Page { sweep, after, limit };
        self.handle().read("runs after a job", page, |conn, _, page| Box::pin(reads::runs_after(conn, *page))).await
    }

    async fn history(
        &self,
        sweep: SweepId,
        after: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<(AttemptRef, Vec<EpochRecord>)>, StoreError> {
        let page = Page { sweep, after, limit };
        self.handle().read("history", page, |conn, _, page| Box::pin(reads::history(conn, *page))).await
    }

    async fn attempts(&self, sweep: SweepId, after: Option<JobId>, limit: u32) -> Result<Vec<AttemptRow>, StoreError> {
        let page = Page { sweep, after, limit };
        self.handle().read("attempts", page, |conn, _, page| Box::pin(reads::attempts(conn, *page))).await
    }

    async fn confusions(
        &self,
        sweep: SweepId,
        after: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<(JobId, Confusion)>, StoreError> {
        let page = Page { sweep, after, limit };
        self.handle().read("confusions", page, |conn, _, page| Box::pin(reads::confusions(conn, *page))).await
    }

    async fn config_stats(
        &self,
        sweep: SweepId,
        after: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<ConfigStats>, StoreError> {
        let page = Page { sweep, after, limit };
        self.handle()
            .read("configuration statistics", page, |conn, _, page| Box::pin(statistics::config_stats(conn, *page)))
            .await
    }

    async fn importance(&self, sweep: SweepId) -> Result<Option<Importances>, StoreError> {
        importance::current(self.handle(), sweep).await
    }

    async fn weigh_due(&self, now: Option<Timestamp>) -> Result<u32, StoreError> {
        importance::weigh_due(self.handle(), now).await
    }

    async fn catch_up(&self, limit: u32) -> Result<bool, StoreError> {
        self.handle()
            .write("sum up earlier runs", None, limit, |conn, _, limit| Box::pin(statistics::catch_up(conn, *limit)))
            .await
    }

    async fn workers(&self) -> Result<Vec<WorkerRow>, StoreError> {
        self.handle().read("workers", (), |conn, now, ()| Box::pin(workers::list(conn, now))).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.handle().ask("ping", (), |conn, _, ()| Box::pin(reads::ping(conn))).await
    }

    async fn close(&self) {
        self.handle().close().await;
    }
}
