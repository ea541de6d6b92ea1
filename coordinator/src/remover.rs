//! Removes sweeps: takes them out of everybody's sight when somebody asks, and their rows bit by
//! bit after that.
//!
//! Transactions are short, so that reports and results get their turn in between. What a
//! coordinator leaves undone, the next start or any other coordinator on the same store goes on
//! with.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

use crate::domain::SweepId;
use crate::error_chain::chain;
use crate::jitter::jittered;
use crate::patience::bounded;
use crate::store::{Store, StoreError};

/// Jobs of one transaction, some hundredths of a second.
const BATCH: u32 = 200;

/// How often sweeps are looked for whose removal nobody goes on with: another coordinator began it
/// and died.
const LOOK: Duration = Duration::from_secs(10);

/// How often somebody who waits for the end of a removal looks.
const PAUSE: Duration = Duration::from_millis(100);

/// What removes sweeps.
pub(crate) struct Remover {
    store: Arc<dyn Store>,
    /// A sweep was taken out of sight.
    asked: Notify,
}

impl Remover {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, asked: Notify::new() }
    }

    /// Takes a sweep out of sight, by its name or number; its rows follow. Asked again by number,
    /// for as long as some are left, it does nothing more.
    pub(crate) async fn remove(&self, sweep: &str) -> Result<SweepId, StoreError> {
        let missing = match bounded(self.store.find_sweep(sweep)).await {
            Ok(found) => match bounded(self.store.remove_sweep(found.id)).await {
                Ok(()) => {
                    info!(sweep.id = %found.id, sweep.name = found.new.name, "sweep removed; its rows follow");
                    self.asked.notify_one();
                    return Ok(found.id);
                }
                Err(error) => error,
            },
            Err(error) => error,
        };
        if let (StoreError::NotFound { .. }, Ok(number)) = (&missing, sweep.parse())
            && bounded(self.store.left_of(SweepId(number))).await?.is_some()
        {
            self.asked.notify_one();
            return Ok(SweepId(number));
        }
        Err(missing)
    }

    /// Waits until nothing is left of a sweep that was taken out of sight, but no longer than
    /// `patience`: how many jobs are left then; `None` if all of it is gone.
    pub(crate) async fn until_gone(&self, sweep: SweepId, patience: Duration) -> Result<Option<u64>, StoreError> {
        let until = Instant::now() + patience;
        loop {
            let left = bounded(self.store.left_of(sweep)).await?;
            if left.is_none() || Instant::now() >= until {
                return Ok(left);
            }
            sleep(PAUSE).await;
        }
    }

    /// Goes on until the token is cancelled.
    pub(crate) async fn run(self: Arc<Self>, token: CancellationToken) {
        let mut told = false;
        loop {
            let step = tokio::select! {
                biased;
                () = token.cancelled() => return,
                step = bounded(self.store.remove_some(BATCH, None)) => step,
            };
            match step {
                Ok(more) => {
                    told = false;
                    if more {
                        continue;
                    }
                }
                // The reaper warns of a store that is away.
                Err(problem) if problem.is_retryable() => {
                    debug!(error = chain(&problem), "rows of removed sweeps stay for now");
                }
                Err(problem) if !told => {
                    error!(error = chain(&problem), "rows of a removed sweep cannot be removed; trying again");
                    told = true;
                }
                Err(_) => {}
            }
            tokio::select! {
                biased;
                () = token.cancelled() => return,
                () = self.asked.notified() => {}
                () = sleep(jittered(LOOK)) => {}
            }
        }
    }
}
