//! Sweeps with the counts of their jobs.

use besom_sweep::{KeepModels, ScoredEpoch};

use super::place::{Place, Shown, capped};
use crate::{
    domain::{Digest, JobCounts, NewSweep, Queue, Sweep, SweepId, SweepState, Timestamp},
    store::error::StoreError,
};

/// See sql/sweeps.sql.
#[derive(Debug, sqlx::FromRow)]
pub(in crate::store) struct SweepRow {
    pub(in crate::store) id: i64,
    pub(in crate::store) name: String,
    title: Option<String>,
    digest: String,
    text: String,
    method: String,
    metric: String,
    goal: String,
    scored_epoch: String,
    keep_models: String,
    engine: Option<String>,
    dataset: String,
    dataset_source: String,
    dataset_sha256: String,
    swept: Shown<Vec<String>>,
    trainer: String,
    trainer_version: i64,
    shared_config: String,
    classes: Option<i64>,
    jobs_total: Option<i64>,
    jobs_created: i64,
    state: String,
    created_at: i64,
}

impl SweepRow {
    /// The name as it was given.
    pub(in crate::store) fn title(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.name)
    }

    /// The counts come from another statement.
    pub(in crate::store) fn with(self, counts: JobCounts) -> Result<Sweep, StoreError> {
        let place = Place { table: "sweeps", id: self.id };
        Ok(Sweep {
            id: SweepId(self.id),
            state: place.word("state", &self.state, SweepState::parse)?,
            jobs_created: place.number("jobs_created", self.jobs_created)?,
            counts,
            problem: None,
            created_at: Timestamp(self.created_at),
            new: NewSweep {
                metric: place.metric(&self.metric, &self.goal)?,
                scored_epoch: place.word("scored_epoch", &self.scored_epoch, ScoredEpoch::parse)?,
                keep_models: place.word("keep_models", &self.keep_models, KeepModels::parse)?,
                dataset: place.word("dataset", &self.dataset, Digest::parse)?,
                jobs_total: self.jobs_total.map(|total| place.number("jobs_total", total)).transpose()?,
                trainer: self.trainer,
                trainer_version: capped(self.trainer_version),
                shared_config: self.shared_config,
                classes: self.classes.map(capped),
                title: self.title.unwrap_or_else(|| self.name.clone()),
                name: self.name,
                digest: self.digest,
                text: self.text,
                spec: None,
                method: self.method,
                engine: self.engine,
                dataset_source: self.dataset_source,
                dataset_sha256: self.dataset_sha256,
                swept: place.shown("swept", self.swept),
            },
        })
    }
}

/// See sql/sweep_retry_totals.sql.
#[derive(Debug, sqlx::FromRow)]
pub(in crate::store) struct RetryRow {
    pub(in crate::store) state: String,
    pub(in crate::store) jobs: i64,
    pub(in crate::store) epochs: i64,
    pub(in crate::store) epoch_seconds: f64,
}

/// See sql/sweep_counts.sql.
#[derive(Debug, sqlx::FromRow)]
pub(in crate::store) struct CountRow {
    pub(in crate::store) sweep_id: i64,
    jobs_created: i64,
    succeeded: i64,
    stopped: i64,
    diverged: i64,
    failed: i64,
    cancelled: i64,
    running: i64,
    epochs: i64,
    epochs_ended: i64,
    epoch_seconds: f64,
}

/// The jobs of one sweep, counted and summed.
#[derive(Debug, Default)]
pub(in crate::store) struct Totals {
    pub(in crate::store) counts: JobCounts,
    pub(in crate::store) epochs: u64,
    /// Of final jobs only, as is `epoch_seconds`.
    pub(in crate::store) epochs_final: u64,
    pub(in crate::store) epoch_seconds: f64,
}

impl From<CountRow> for Totals {
    /// Counts are only shown; those that cannot be are shown as the nearest that can.
    fn from(row: CountRow) -> Self {
        let count = |value: i64| value.max(0).unsigned_abs();
        let counts = JobCounts {
            queued: 0,
            running: count(row.running),
            succeeded: count(row.succeeded),
            stopped: count(row.stopped),
            diverged: count(row.diverged),
            failed: count(row.failed),
            cancelled: count(row.cancelled),
        };
        let others =
            [counts.running, counts.succeeded, counts.stopped, counts.diverged, counts.failed, counts.cancelled];
        Self {
            counts: JobCounts {
                queued: others.into_iter().fold(count(row.jobs_created), u64::saturating_sub),
                ..counts
            },
            epochs: count(row.epochs),
            epochs_final: count(row.epochs_ended),
            epoch_seconds: row.epoch_seconds,
        }
    }
}

/// See sql/queues.sql.
#[derive(Debug, sqlx::FromRow)]
pub(in crate::store) struct QueueRow {
    sweep_id: i64,
    trainer: String,
    trainer_version: i64,
    queued: i64,
    ready: i64,
}

impl From<QueueRow> for Queue {
    /// One odd version must not keep all other queues from being worked off: no worker has it.
    fn from(row: QueueRow) -> Self {
        Self {
            sweep: SweepId(row.sweep_id),
            trainer: row.trainer,
            trainer_version: capped(row.trainer_version),
            queued: row.queued.max(0).unsigned_abs(),
            ready: row.ready != 0,
        }
    }
}
