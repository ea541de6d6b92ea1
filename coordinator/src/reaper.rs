//! Takes jobs back from workers that no longer renew their leases.
//!
//! Downtime is nobody's fault: while a coordinator or the store was away no worker could renew, so nothing expires
//! before every worker has had a whole lease's time to come back.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::domain::Settled;
use crate::expander::chain;
use crate::scheduler::{Scheduler, bounded};
use crate::store::StoreError;

/// Leases settled in one transaction.
const BATCH: u32 = 500;

/// The loop that expires leases.
pub(crate) struct Reaper {
    scheduler: Arc<Scheduler>,
    grace: Grace,
}

/// When leases may be judged again.
struct Grace {
    ttl: Duration,
    /// Silence beyond this counts as the store, or this process, having been away.
    patience: Duration,
    /// The store's latest answer; `None`: it is away.
    answered: Option<Instant>,
    until: Instant,
}

impl Grace {
    fn new(ttl: Duration, interval: Duration, now: Instant) -> Self {
        // Two missed rounds are a busy machine; more, and workers may have found nobody to renew with.
        Self { ttl, patience: (interval * 3).max(ttl / 2), answered: Some(now), until: now + ttl }
    }

    /// The store answered; whether leases may be judged now.
    fn answered(&mut self, now: Instant) -> bool {
        let present = self.answered.is_some_and(|last| now.saturating_duration_since(last) <= self.patience);
        if !present {
            self.until = self.until.max(now + self.ttl);
        }
        self.answered = Some(now);
        now >= self.until
    }

    fn failed(&mut self) {
        self.answered = None;
    }
}

impl Reaper {
    pub(crate) fn new(scheduler: Arc<Scheduler>, now: Instant) -> Self {
        let grace = Grace::new(scheduler.config.lease_ttl, scheduler.config.reaper_interval, now);
        Self { scheduler, grace }
    }

    pub(crate) async fn run(mut self, token: CancellationToken) {
        let interval = self.scheduler.config.reaper_interval;
        let mut away = false;
        loop {
            tokio::select! {
                biased;
                () = token.cancelled() => break,
                () = tokio::time::sleep(interval) => {}
            }
            let outcome = tokio::select! {
                biased;
                () = token.cancelled() => break,
                outcome = self.step() => outcome,
            };
            match outcome {
                Ok(_) if away => info!("the store answers again; leases are judged after one lease's time"),
                Ok(_) => {}
                Err(ref error) if !away => warn!(error = chain(error), "the store is away; no lease expires"),
                Err(_) => {}
            }
            away = outcome.is_err();
        }
    }

    /// Settles what has expired, unless nothing may.
    async fn step(&mut self) -> Result<Vec<Settled>, StoreError> {
        if let Err(error) = bounded(self.scheduler.store.ping()).await {
            self.grace.failed();
            return Err(error);
        }
        // After the answer: what the wait for it took counts as silence.
        if !self.grace.answered(Instant::now()) {
            return Ok(Vec::new());
        }
        self.expire().await
    }

    async fn expire(&mut self) -> Result<Vec<Settled>, StoreError> {
        let mut all = Vec::new();
        loop {
            let settled = match self.scheduler.expire(BATCH).await {
                Ok(settled) => settled,
                Err(error) => {
                    self.grace.failed();
                    return Err(error);
                }
            };
            for Settled { at, state, worker } in &settled {
                warn!(job.id = %at.job, job.attempt = at.attempt, worker, state = state.as_str(), "lease lost");
            }
            let more = settled.len() == BATCH as usize;
            all.extend(settled);
            if !more {
                return Ok(all);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(30);
    const INTERVAL: Duration = Duration::from_secs(5);

    /// Lets the store answer every interval from `from` to `to` seconds; at which of them leases could be judged.
    fn rounds(grace: &mut Grace, start: Instant, from: u64, to: u64) -> Vec<u64> {
        (from..=to).step_by(5).filter(|second| grace.answered(start + Duration::from_secs(*second))).collect()
    }

    #[test]
    fn downtime_is_nobodys_fault() {
        let start = Instant::now();
        let mut grace = Grace::new(TTL, INTERVAL, start);
        assert_eq!(rounds(&mut grace, start, 5, 40), [30, 35, 40], "after the start");

        grace.failed();
        assert_eq!(rounds(&mut grace, start, 45, 80), [75, 80], "after the store was away");

        assert_eq!(rounds(&mut grace, start, 200, 240), [230, 235, 240], "after nothing answered for two minutes");
    }
}
