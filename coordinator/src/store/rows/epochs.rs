//! Epoch records, and what a watcher sees of the jobs that have them.

use std::collections::BTreeMap;

use besom_sweep::{MetricName, Params};
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

use super::leases::AtRow;
use super::place::{Place, Shown, capped};
use crate::{
    domain::{AttemptRef, BestRun, EpochRecord, JobId, RunningJob, promoted},
    store::error::StoreError,
};

/// The promoted metrics of an epoch, as far as they are not null.
#[derive(Debug)]
struct PromotedRow(Vec<(MetricName, f64)>);

impl<'r, R: Row> FromRow<'r, R> for PromotedRow
where
    &'static str: ColumnIndex<R>,
    Option<f64>: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        let mut metrics = Vec::new();
        for metric in promoted::METRICS {
            if let Some(value) = row.try_get::<Option<f64>, _>(metric.name)? {
                metrics.push((MetricName::of(metric.name), value));
            }
        }
        Ok(Self(metrics))
    }
}

impl PromotedRow {
    /// With those that have no column.
    fn and(self, mut others: BTreeMap<MetricName, f64>) -> BTreeMap<MetricName, f64> {
        others.extend(self.0);
        others
    }
}

/// See sql/attempt_epochs.sql.
#[derive(Debug, FromRow)]
pub(in crate::store) struct EpochRow {
    #[sqlx(flatten)]
    at: AtRow,
    step: i64,
    #[sqlx(flatten)]
    promoted: PromotedRow,
    learning_rate: Option<f64>,
    seconds: Option<f64>,
    metrics: Shown<BTreeMap<MetricName, f64>>,
}

impl TryFrom<EpochRow> for (AttemptRef, EpochRecord) {
    type Error = StoreError;

    fn try_from(row: EpochRow) -> Result<Self, StoreError> {
        let place = Place { table: "epochs", id: row.at.job };
        let record = EpochRecord {
            step: place.number("step", row.step)?,
            metrics: row.promoted.and(place.needed("metrics", row.metrics)?),
            learning_rate: row.learning_rate,
            seconds: row.seconds,
        };
        Ok((row.at.try_into()?, record))
    }
}

/// See sql/running.sql: the columns of the latest record are null where there is none yet.
#[derive(Debug, FromRow)]
pub(in crate::store) struct RunningRow {
    #[sqlx(flatten)]
    at: AtRow,
    worker: String,
    slot: i64,
    params: Shown<Params>,
    seed: i64,
    epochs: Option<i64>,
    step: Option<i64>,
    #[sqlx(flatten)]
    promoted: PromotedRow,
    learning_rate: Option<f64>,
    seconds: Option<f64>,
    metrics: Option<Shown<BTreeMap<MetricName, f64>>>,
}

impl From<RunningRow> for RunningJob {
    fn from(row: RunningRow) -> Self {
        let place = Place { table: "jobs", id: row.at.job };
        let others = row.metrics.map(|metrics| place.shown("metrics", metrics)).unwrap_or_default();
        let metrics = row.promoted.and(others);
        let latest = row.step.map(|step| EpochRecord {
            step: step.max(0).unsigned_abs(),
            metrics,
            learning_rate: row.learning_rate,
            seconds: row.seconds,
        });
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
#[derive(Debug, FromRow)]
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
