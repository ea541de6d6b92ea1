//! Hands out jobs and wakes those who wait for them.
//!
//! The store decides; here stands only the waiting. Interest in a wake-up is registered before the store is asked, so
//! that no job slips in between, and the store is asked again about every second (more seldom for each of many), since
//! neither another coordinator's changes nor the end of a job's `not_before` wake anybody here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::config::CoordinatorConfig;
use crate::domain::{
    Assignment, AttemptRef, Completion, Directive, JobOutcome, Settled, Sweep, SweepId, WorkerId, WriteResult,
};
use crate::expansions::Expansions;
use crate::store::{AcquireRequest, JobReport, Store, StoreError, SweepCommand};

/// How long a waiting worker goes without the store being asked for it, while few are waiting.
const POLL: Duration = Duration::from_secs(1);
/// What each waiting worker adds to that, so that hundreds of them leave the store to those that train. A job that
/// becomes free unheard goes to whichever asks next.
const POLL_EACH: Duration = Duration::from_millis(20);

/// The longest that one answer of the store is waited for. Reports come every 8 s and a lease has 30 s: a worker that
/// hears UNAVAILABLE after 15 s has time to ask again.
const STORE_PATIENCE: Duration = Duration::from_secs(15);

/// Waits for the store, but not for ever. What it was asked may still happen later: every request can be repeated.
pub(crate) async fn bounded<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match tokio::time::timeout(STORE_PATIENCE, call).await {
        Ok(answer) => answer,
        Err(_) => Err(StoreError::Unavailable(format!("no answer within {STORE_PATIENCE:?}").into())),
    }
}

/// What an acquire comes to.
#[derive(Debug, Default)]
pub(crate) struct Offer {
    pub(crate) assignments: Vec<Assignment>,
    /// Why there is nothing, where that needs a person.
    pub(crate) notice: Option<String>,
    /// The sweep that was asked for will never have anything again.
    pub(crate) sweep_ended: bool,
}

/// The store, with the wake-ups of those who wait for its changes.
pub(crate) struct Scheduler {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) config: CoordinatorConfig,
    /// Jobs may have become free to acquire.
    queued: Notify,
    /// A sweep may have ended.
    ended: Notify,
    /// Sweeps may have jobs to be created.
    pub(crate) unexpanded: Notify,
    /// Turns at working out points.
    pub(crate) expansions: Expansions,
    /// A report was not stored since the reaper last looked: its leases are late through no fault of their worker.
    renewal_failed: AtomicBool,
    /// Workers that wait for jobs.
    waiting: AtomicUsize,
}

/// One waiting worker, counted until its call ends, however it does.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }

    fn pause(&self) -> Duration {
        pause(self.0.load(Ordering::Relaxed))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Scheduler {
    pub(crate) fn new(store: Arc<dyn Store>, config: CoordinatorConfig) -> Self {
        Self {
            store,
            config,
            queued: Notify::new(),
            ended: Notify::new(),
            unexpanded: Notify::new(),
            expansions: Expansions::new(),
            renewal_failed: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Tells waiting workers to look again.
    pub(crate) fn jobs_queued(&self) {
        self.queued.notify_waiters();
    }

    /// Jobs for the wish, waiting up to `wait` for the first; nothing at once when `closing` is cancelled.
    pub(crate) async fn acquire(
        &self,
        wish: AcquireRequest,
        wait: Duration,
        closing: &CancellationToken,
    ) -> Result<Offer, StoreError> {
        let until = Instant::now() + wait;
        let waiting = Waiting::new(&self.waiting);
        loop {
            let queued = self.queued.notified();
            let ended = self.ended.notified();
            tokio::pin!(queued, ended);
            queued.as_mut().enable();
            ended.as_mut().enable();

            let assignments = bounded(self.store.acquire(wish.clone(), None)).await?;
            if !assignments.is_empty() {
                for assignment in &assignments {
                    let (at, slot) = (assignment.at, assignment.slot);
                    info!(job.id = %at.job, job.attempt = at.attempt, slot, "job acquired");
                }
                return Ok(Offer { assignments, ..Offer::default() });
            }
            if let Some(sweep) = wish.sweep
                && self.sweep_by_id(sweep).await?.state.is_final()
            {
                return Ok(Offer { sweep_ended: true, ..Offer::default() });
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || closing.is_cancelled() {
                return Ok(Offer { notice: self.notice(wish.worker).await?, ..Offer::default() });
            }
            tokio::select! {
                () = closing.cancelled() => {}
                () = queued => {}
                // Only those who follow one sweep to its end care; the others would ask for nothing.
                () = ended, if wish.sweep.is_some() => {}
                () = sleep(left.min(jittered(waiting.pause()))) => {}
            }
        }
    }

    /// Stores records, renews leases, answers in the order of the reports.
    pub(crate) async fn report(&self, worker: WorkerId, reports: Vec<JobReport>) -> Result<Vec<Directive>, StoreError> {
        let answer = bounded(self.store.report(worker, reports, self.config.lease_ttl, None)).await;
        if answer.as_ref().is_err_and(StoreError::is_retryable) {
            self.renewal_failed.store(true, Ordering::Relaxed);
        }
        answer
    }

    /// Whether the store refused a renewal since this was last asked. A store may still answer questions then: a full
    /// disk, a writer that is locked out.
    pub(crate) fn take_renewal_failed(&self) -> bool {
        self.renewal_failed.swap(false, Ordering::Relaxed)
    }

    /// Ends one attempt.
    pub(crate) async fn complete(&self, completion: Completion) -> Result<WriteResult, StoreError> {
        let (at, failure) = (completion.at, failure(&completion.outcome));
        let result = bounded(self.store.complete(completion, self.config.retry, None)).await?;
        if result == WriteResult::Accepted {
            match failure {
                Some(error) => info!(job.id = %at.job, job.attempt = at.attempt, error, "attempt failed"),
                None => info!(job.id = %at.job, job.attempt = at.attempt, "job completed"),
            }
            // A failed job may be in the queue again; its `not_before` is seen by polling.
            self.ended.notify_waiters();
        }
        Ok(result)
    }

    /// Gives jobs back to the queue, answers in the order of the attempts.
    pub(crate) async fn release(
        &self,
        worker: WorkerId,
        attempts: Vec<AttemptRef>,
        leaving: bool,
    ) -> Result<Vec<WriteResult>, StoreError> {
        let count = attempts.len();
        let results = bounded(self.store.release(worker, attempts, leaving, None)).await?;
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

    /// No name is a number, so a number always finds its sweep.
    async fn sweep_by_id(&self, sweep: SweepId) -> Result<Sweep, StoreError> {
        bounded(self.store.find_sweep(&sweep.to_string())).await
    }

    async fn notice(&self, worker: WorkerId) -> Result<Option<String>, StoreError> {
        let others = bounded(self.store.other_trainer_versions(worker)).await?;
        let parts: Vec<String> =
            others.iter().map(|(version, jobs)| format!("{jobs} queued jobs of trainer version {version}")).collect();
        Ok((!parts.is_empty()).then(|| {
            format!(
                "{}: other versions give other numbers; start a worker of the build that made them",
                parts.join(", ")
            )
        }))
    }
}

fn failure(outcome: &JobOutcome) -> Option<String> {
    match outcome {
        JobOutcome::Failed { error, .. } => Some(error.clone()),
        JobOutcome::Succeeded | JobOutcome::Stopped | JobOutcome::Diverged => None,
    }
}

/// How long each of so many waiting workers waits before the store is asked for it again.
fn pause(waiting: usize) -> Duration {
    POLL.max(POLL_EACH.saturating_mul(u32::try_from(waiting).unwrap_or(u32::MAX)))
}

/// Between half and all of `full`, so that workers that began to wait together do not ask together.
pub(crate) fn jittered(full: Duration) -> Duration {
    // The low bits of a version 7 UUID are random.
    let (_, random) = uuid::Uuid::now_v7().as_u64_pair();
    full / 2 + (full / 2).mul_f64((random % 1_000) as f64 / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_workers_together_ask_the_store_at_most_a_hundred_times_a_second() {
        assert_eq!(pause(1), POLL);
        assert_eq!(pause(500), Duration::from_secs(10));
        for waiting in 1..2_000_u32 {
            let shortest = pause(waiting as usize) / 2;
            assert!(shortest * 100 >= Duration::from_secs(waiting.into()), "{waiting}");
        }
        assert_eq!(pause(usize::MAX), POLL_EACH * u32::MAX);
    }
}
