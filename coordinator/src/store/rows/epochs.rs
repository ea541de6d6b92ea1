//! Epoch records, and what a watcher sees of the jobs that have them.

use std::collections::BTreeMap;

use besom_sweep::Params;

use super::leases::AtRow;
use super::place::{Place, Shown, capped};
use crate::{
    domain::{AttemptRef, BestRun, EpochRecord, JobId, RunningJob},
    store::error::StoreError,
};

/// See sql/attempt_epochs.sql.
#[derive(Debug, sqlx::FromRow)]
pub(in crate::store) struct EpochRow {
    #[sqlx(flatten)]
    at: AtRow,
    epoch: i64,
    loss: Option<f64>,
    accuracy: Option<f64>,
    val_loss: Option<f64>,
    val_accuracy: Option<f64>,
    learning_rate: f64,
    pub(in crate::store) seconds: f64,
    metrics: Shown<BTreeMap<String, f64>>,
}

impl TryFrom<EpochRow> for (AttemptRef, EpochRecord) {
    type Error = StoreError;

    fn try_from(row: EpochRow) -> Result<Self, StoreError> {
        let place = Place { table: "epochs", id: row.at.job };
        let record = EpochRecord {
            epoch: place.number("epoch", row.epoch)?,
            loss: row.loss,
            accuracy: row.accuracy,
            val_loss: row.val_loss,
            val_accuracy: row.val_accuracy,
            learning_rate: row.learning_rate,
            seconds: row.seconds,
            // A result is worked out from the epochs; their further metrics are only shown.
            metrics: place.shown("metrics", row.metrics),
        };
        Ok((row.at.try_into()?, record))
    }
}

/// See sql/running.sql: the columns of the latest record are null where there is none yet.
#[derive(Debug, sqlx::FromRow)]
pub(in crate::store) struct RunningRow {
    #[sqlx(flatten)]
    at: AtRow,
    worker: String,
    slot: i64,
    params: Shown<Params>,
    seed: i64,
    epochs: Option<i64>,
    epoch: Option<i64>,
    loss: Option<f64>,
    accuracy: Option<f64>,
    val_loss: Option<f64>,
    val_accuracy: Option<f64>,
    learning_rate: Option<f64>,
    seconds: Option<f64>,
    metrics: Option<Shown<BTreeMap<String, f64>>>,
}

impl From<RunningRow> for RunningJob {
    fn from(row: RunningRow) -> Self {
        let place = Place { table: "jobs", id: row.at.job };
        let latest = match (row.epoch, row.learning_rate, row.seconds, row.metrics) {
            (Some(epoch), Some(learning_rate), Some(seconds), Some(metrics)) => Some(EpochRecord {
                epoch: capped(epoch),
                loss: row.loss,
                accuracy: row.accuracy,
                val_loss: row.val_loss,
                val_accuracy: row.val_accuracy,
                learning_rate,
                seconds,
                metrics: place.shown("metrics", metrics),
            }),
            _ => None,
        };
        Self {
            at: row.at.shown(),
            worker: row.worker,
            slot: capped(row.slot),
            params: place.shown("params", row.params),
            seed: row.seed,
            epochs: capped(row.epochs.unwrap_or(0)),
            latest,
        }
    }
}

/// See sql/best.sql.
#[derive(Debug, sqlx::FromRow)]
pub(in crate::store) struct BestRow {
    job: i64,
    objective: f64,
    params: Shown<Params>,
}

impl From<BestRow> for BestRun {
    fn from(row: BestRow) -> Self {
        let place = Place { table: "jobs", id: row.job };
        Self { job: JobId(row.job), objective: row.objective, params: place.shown("params", row.params) }
    }
}
