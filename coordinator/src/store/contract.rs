//! What every store does: the contract, and the values that its methods take and give.
//!
//! One conformance suite runs every behaviour against each database. Every method that changes
//! something is one transaction in a task that is never cancelled: a client that hangs up must not
//! leave a transaction open. Every `now` is `None` in production: the database's clock decides;
//! tests pass a time.

use std::time::Duration;

use async_trait::async_trait;

use super::error::StoreError;
use crate::domain::{
    Assignment, Completion, Digest, Directive, EpochRecord, JobId, Lease, NewJob, NewSweep, NewWorker, Progress, Queue,
    Removal, Retried, RetryPolicy, Session, Settled, StoredSpec, Sweep, SweepId, Timestamp, Trainers, WorkerId,
    WorkerRow, WriteResult,
};

/// A request to lease up to `slots.len()` jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcquireRequest {
    /// Who asks.
    pub session: Session,
    /// UUID of the request: asking again under it gives the same jobs.
    pub request_id: String,
    /// Distinct free slots, one job for each. A slot that holds a job in the store is given no
    /// other one.
    pub slots: Vec<u32>,
    /// Whether to look into the queue. Without it only what the same request was granted before is
    /// found.
    pub take: bool,
    /// Only jobs of this sweep.
    pub sweep: Option<SweepId>,
    /// Length of the leases.
    pub lease_ttl: Duration,
}

/// What a request for jobs came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Acquired {
    /// The jobs, each with its lease.
    pub assignments: Vec<Assignment>,
    /// The worker's: only their queues have jobs for it.
    pub trainers: Trainers,
    /// Whether the queue was looked into: not for slots that hold a job already, nor for what was
    /// granted before.
    pub looked: bool,
}

/// What a worker reports of one job.
#[derive(Debug, Clone, PartialEq)]
pub struct JobReport {
    /// Which attempt, under which lease.
    pub lease: Lease,
    /// Records not yet acknowledged, ascending.
    pub epochs: Vec<EpochRecord>,
}

/// What a person may ask of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SweepCommand {
    /// Active -> paused. Repeating it is fine.
    Pause,
    /// Paused -> active (or completed, if nothing is left). Repeating it is fine.
    Resume,
    /// Active or paused -> cancelled: queued and running jobs become cancelled in the same
    /// transaction.
    Cancel,
}

/// Sweeps, jobs, attempts, epoch records and workers, in SQLite or Postgres.
///
/// Shared as `Arc<dyn Store>`. A store opened read-only answers every changing method with
/// `InvalidState`.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Makes the sweep, or finds the one of the same name and digest. The flag says whether it was
    /// made.
    ///
    /// # Errors
    /// `AlreadyExists` if the name belongs to another digest; the message points to `--name`.
    async fn create_sweep(&self, sweep: NewSweep, now: Option<Timestamp>) -> Result<(Sweep, bool), StoreError>;

    /// Writes the jobs `first..first + jobs.len()` of the sweep's order of work, if exactly `first`
    /// are there already, and returns how many there are now. A caller that lost a race goes on
    /// from that number. A sweep that is cancelled gets its jobs as cancelled ones, so that every
    /// point keeps its one row.
    async fn add_jobs(&self, sweep: SweepId, first: u64, jobs: Vec<NewJob>) -> Result<u64, StoreError>;

    /// By name or, where no sweep has that name, by number in decimal.
    ///
    /// # Errors
    /// `NotFound`; the message names the most similar sweep, if there is one.
    async fn find_sweep(&self, name_or_number: &str) -> Result<Sweep, StoreError>;

    /// All, newest first.
    async fn list_sweeps(&self) -> Result<Vec<Sweep>, StoreError>;

    /// Sweeps whose jobs are not all created, newest first: expansion resumes with them after a
    /// restart. Their `counts` are zero: nobody asks for them here.
    async fn unexpanded_sweeps(&self) -> Result<Vec<Sweep>, StoreError>;

    /// What the sweep asks for, which may be long.
    ///
    /// # Errors
    /// `NotFound`.
    async fn sweep_spec(&self, sweep: SweepId) -> Result<StoredSpec, StoreError>;

    /// Pauses, resumes or cancels.
    ///
    /// # Errors
    /// `InvalidState` for a completed sweep, and for resuming a cancelled one.
    async fn command_sweep(
        &self,
        sweep: SweepId,
        command: SweepCommand,
        now: Option<Timestamp>,
    ) -> Result<Sweep, StoreError>;

    /// Puts the failed and cancelled jobs of a sweep, or one of them, back into the queue, with
    /// their counts of failures and of lost leases at 0; their attempts stay, and the next one has
    /// the next number. An ended sweep is active again; a paused one stays paused. Repeating it is
    /// fine: where a sweep is open and nothing of it has failed, nothing happens.
    ///
    /// # Errors
    /// `InvalidState` for a job that succeeded, stopped or diverged, and for an ended sweep that
    /// has no other jobs. `NotFound` for a job of another sweep.
    async fn retry_sweep(
        &self,
        sweep: SweepId,
        job: Option<JobId>,
        now: Option<Timestamp>,
    ) -> Result<Retried, StoreError>;

    /// What goes with an ended sweep.
    ///
    /// # Errors
    /// `InvalidState` for one that is active or paused.
    async fn removal(&self, sweep: SweepId) -> Result<Removal, StoreError>;

    /// Takes an ended sweep out of everybody's sight, at once and for good; its name is free from
    /// then on. Its rows, and the artifacts that nothing else names, go by
    /// [`Store::remove_some`].
    ///
    /// # Errors
    /// `InvalidState` for one that is active or paused. `NotFound` also for one that is being
    /// removed.
    async fn remove_sweep(&self, sweep: SweepId) -> Result<(), StoreError>;

    /// How many jobs are left of a sweep that is being removed; `None` if none of this number is.
    async fn left_of(&self, sweep: SweepId) -> Result<Option<u64>, StoreError>;

    /// One short transaction of what removed sweeps leave to do, of at most so many jobs; says
    /// whether anything may be left. Any number may do it at once, and it goes on where it stopped.
    async fn remove_some(&self, jobs: u32, now: Option<Timestamp>) -> Result<bool, StoreError>;

    /// The dataset is stored, perhaps once more: jobs that were given back for want of it need not
    /// wait any longer. Says how many there were.
    async fn dataset_is_there(&self, digest: Digest) -> Result<u64, StoreError>;

    /// A new worker, or the one of the same instance, with what it tells now. What it answers is
    /// known to the store and this worker alone.
    ///
    /// # Errors
    /// `TooMany` if there are already too many workers that never held a job.
    async fn register_worker(&self, worker: NewWorker, now: Option<Timestamp>) -> Result<Session, StoreError>;

    /// Whether this store gave the session to a worker.
    ///
    /// # Errors
    /// `NotFound` if it did not.
    async fn known(&self, session: Session) -> Result<(), StoreError>;

    /// Picks queued jobs of active sweeps and leases them, in one statement or one immediate
    /// transaction: sweep by sweep, job by job, only those of the worker's trainer version, only
    /// those whose `not_before` has passed, and none of a sweep while one of its jobs waits for the
    /// sweep's dataset. Repeated with the same request id: the leases of that request that still
    /// run, and nothing new if there are any.
    ///
    /// # Errors
    /// `NotFound` if the session is not known or its worker has left; `InvalidState` for a slot
    /// that was not registered.
    async fn acquire(&self, request: AcquireRequest, now: Option<Timestamp>) -> Result<Acquired, StoreError>;

    /// Active sweeps with what waits in them, in the order in which their jobs are handed out.
    async fn queues(&self) -> Result<Vec<Queue>, StoreError>;

    /// Stores epoch records and renews leases, one transaction for all. Answers in the order of the
    /// reports. Records follow those that are stored; one that is there already must come again as
    /// it is.
    ///
    /// # Errors
    /// `NotFound` if the session is not known.
    async fn report(
        &self,
        session: Session,
        reports: Vec<JobReport>,
        lease_ttl: Duration,
        now: Option<Timestamp>,
    ) -> Result<Vec<Directive>, StoreError>;

    /// Ends an attempt: its remaining records, the job's result columns (worked out by
    /// [`crate::domain::summarize`] from the stored records), confusion matrix, models, and, when
    /// it was the last job, its sweep. A failed attempt with attempts left goes back to the queue,
    /// and one that was hindered by its surroundings does so at no cost, after a wait that grows
    /// from one time to the next. The same outcome for the same attempt again is `Accepted`.
    ///
    /// # Errors
    /// `NotFound` if the session is not known. `InvalidState` if the records do not follow the
    /// stored ones or do not bear out the outcome (see [`crate::domain::refuse_outcome`]), the
    /// confusion matrix has not the dataset's classes, or a named model is not stored. Nothing is
    /// written then.
    async fn complete(
        &self,
        session: Session,
        completion: Completion,
        policy: RetryPolicy,
        now: Option<Timestamp>,
    ) -> Result<WriteResult, StoreError>;

    /// Gives jobs back to the queue at no cost to them. `leaving`: the worker ends.
    ///
    /// # Errors
    /// `NotFound` if the session is not known.
    async fn release(
        &self,
        session: Session,
        leases: Vec<Lease>,
        leaving: bool,
        now: Option<Timestamp>,
    ) -> Result<Vec<WriteResult>, StoreError>;

    /// Settles at most `limit` expired leases: the job returns to the queue or fails, as the policy
    /// says.
    async fn expire(&self, policy: RetryPolicy, limit: u32, now: Option<Timestamp>)
    -> Result<Vec<Settled>, StoreError>;

    /// What a person watching sees.
    async fn progress(&self, sweep: SweepId) -> Result<Progress, StoreError>;

    /// Works out the importance of sweeps where runs have ended since the last time: 10 s after it,
    /// and ten times as long as that took, or at once when the sweep has ended. Says of how many
    /// sweeps. No transaction of any other method waits for it, and of several coordinators one
    /// does it.
    async fn weigh_due(&self, now: Option<Timestamp>) -> Result<u32, StoreError>;

    /// Works out the importance of ended sweeps that does not count all of their runs yet, so that
    /// whoever reads the view `importance` next finds all runs in it. Says whether nothing is left:
    /// a store opened read-only works out nothing.
    async fn settle_importance(&self, now: Option<Timestamp>) -> Result<bool, StoreError>;

    /// Statistics of runs that ended before there were any: one step of at most `limit` jobs (at
    /// least 1), each a transaction, so that it goes on where it stopped. Says whether anything may
    /// be left.
    async fn catch_up(&self, limit: u32) -> Result<bool, StoreError>;

    /// Notes that these workers called, and how long ago: no call writes that by itself, but those
    /// that grant jobs.
    async fn note_seen(&self, workers: Vec<(WorkerId, Duration)>) -> Result<(), StoreError>;

    /// Forgets workers that never held a job and have not called for a day; says how many.
    async fn forget_workers(&self, now: Option<Timestamp>) -> Result<u64, StoreError>;

    /// Workers that called within the last day, by id; `all`: also those that ever held a job.
    async fn workers(&self, all: bool) -> Result<Vec<WorkerRow>, StoreError>;

    /// Checks that the database responds.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Closes all connections. With SQLite the write-ahead log is folded into the file, which can
    /// then be copied alone.
    async fn close(&self);
}
