//! What ends within one transaction, added to the counts of its sweeps once at its end.

use std::collections::BTreeMap;

use super::{dialect::Conn, sweeps};
use crate::{
    domain::{EpochRecord, JobState, SweepId, Timestamp},
    store::error::Failure,
};

const ENDED: &str = include_str!("../sql/sweep_counts_ended.sql");

/// Ended jobs by sweep.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<SweepId, Ended>);

#[derive(Debug, Default)]
struct Ended {
    succeeded: i64,
    stopped: i64,
    diverged: i64,
    failed: i64,
    epochs: i64,
    epoch_seconds: f64,
}

impl Tally {
    /// A sweep whose end is looked for, whether or not one of its jobs has ended.
    pub(super) fn touch(&mut self, sweep: SweepId) {
        self.0.entry(sweep).or_default();
    }

    /// A job of so many epochs ended in `state` with these records of its last attempt.
    pub(super) fn end(&mut self, sweep: SweepId, state: JobState, epochs: u32, records: &[EpochRecord]) {
        let ended = self.0.entry(sweep).or_default();
        match state {
            JobState::Succeeded => ended.succeeded += 1,
            JobState::Stopped => ended.stopped += 1,
            JobState::Diverged => ended.diverged += 1,
            JobState::Failed => ended.failed += 1,
            // Whole sweeps are cancelled, and counted there; the others have not ended.
            JobState::Cancelled | JobState::Queued | JobState::Running => return,
        }
        ended.epochs += i64::from(epochs);
        ended.epoch_seconds += epoch_seconds(records);
    }

    /// Adds all of it, and ends the sweeps of which nothing is left. The caller holds them.
    pub(super) async fn settle(self, conn: &mut Conn, now: Timestamp) -> Result<(), Failure> {
        for (sweep, ended) in self.0 {
            if ended.succeeded + ended.stopped + ended.diverged + ended.failed > 0 {
                sqlx::query(ENDED)
                    .bind(sweep.0)
                    .bind(ended.succeeded)
                    .bind(ended.stopped)
                    .bind(ended.diverged)
                    .bind(ended.failed)
                    .bind(ended.epochs)
                    .bind(ended.epoch_seconds)
                    .execute(&mut *conn)
                    .await?;
            }
            sweeps::complete_if_done(conn, now, sweep).await?;
        }
        Ok(())
    }
}

/// What the epochs of an attempt took together.
pub(super) fn epoch_seconds(records: &[EpochRecord]) -> f64 {
    records.iter().filter_map(|record| record.seconds).sum()
}
