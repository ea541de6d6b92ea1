//! Leases: what is handed out, held, renewed and settled.

use besom_sweep::{KeepModels, Metric, Params, ScoredEpoch, Steps, Trainer, job_config};
use sqlx::types::Json;

use super::place::{Place, Shown, capped, hex};
use crate::{
    domain::{Assignment, AttemptRef, JobId, Lease, SweepId, Terms, Timestamp},
    store::error::StoreError,
};

/// A job and its attempt.
#[derive(Debug, sqlx::FromRow)]
pub(in crate::store) struct AtRow {
    pub(in crate::store) job: i64,
    pub(in crate::store) attempt: i64,
}

impl AtRow {
    /// For readers only: no attempt that runs is named so.
    pub(super) fn shown(&self) -> AttemptRef {
        AttemptRef { job: JobId(self.job), attempt: capped(self.attempt) }
    }
}

impl TryFrom<AtRow> for AttemptRef {
    type Error = StoreError;

    fn try_from(row: AtRow) -> Result<Self, StoreError> {
        let place = Place { table: "jobs", id: row.job };
        Ok(Self { job: JobId(row.job), attempt: place.number("attempt", row.attempt)? })
    }
}

/// A job, its attempt and the lease on it.
#[derive(Debug, sqlx::FromRow)]
pub(in crate::store) struct LeaseRow {
    #[sqlx(flatten)]
    at: AtRow,
    lease: i64,
}

impl TryFrom<LeaseRow> for Lease {
    type Error = StoreError;

    fn try_from(row: LeaseRow) -> Result<Self, StoreError> {
        Ok(Self { at: row.at.try_into()?, number: row.lease })
    }
}

/// See sql/lease_renew.sql.
#[derive(Debug, sqlx::FromRow)]
pub(in crate::store) struct RenewedRow {
    trainer: String,
    epochs: Option<i64>,
    stored: Option<i64>,
    stop_at: Option<i64>,
}

/// What is known of an attempt whose lease was renewed.
#[derive(Debug)]
pub(in crate::store) struct Renewed {
    /// Whose records they are.
    pub(in crate::store) trainer: &'static Trainer,
    /// The steps that its records must have. Whether it may end early is no matter of a report.
    pub(in crate::store) steps: Steps,
    /// The latest stored one.
    pub(in crate::store) stored: Option<u64>,
    pub(in crate::store) told_to_stop: bool,
}

impl RenewedRow {
    pub(in crate::store) fn of(self, at: AttemptRef) -> Result<Renewed, StoreError> {
        let place = Place { table: "jobs", id: at.job.0 };
        let trainer = Trainer::rules(&self.trainer);
        let last = self.epochs.map(|last| place.number("epochs", last)).transpose()?;
        Ok(Renewed {
            trainer,
            steps: trainer.steps_to(last, false),
            stored: self.stored.map(|step| place.number("step", step)).transpose()?,
            told_to_stop: self.stop_at.is_some(),
        })
    }
}

/// See sql/leases_of_request.sql.
#[derive(Debug, sqlx::FromRow)]
pub(in crate::store) struct AssignmentRow {
    #[sqlx(flatten)]
    lease: LeaseRow,
    sweep_id: i64,
    sweep_name: String,
    slot: i64,
    seed: i64,
    params: Shown<Params>,
    engine: Option<String>,
    device: Option<String>,
    config_hash: Vec<u8>,
    shared_config: String,
    metric: String,
    goal: String,
    scored_epoch: String,
    keep_models: String,
}

impl TryFrom<AssignmentRow> for Assignment {
    type Error = StoreError;

    fn try_from(row: AssignmentRow) -> Result<Self, StoreError> {
        let job = Place { table: "jobs", id: row.lease.at.job };
        let sweep = Place { table: "sweeps", id: row.sweep_id };
        let params = job.needed("params", row.params)?;
        Ok(Self {
            lease: row.lease.try_into()?,
            sweep: SweepId(row.sweep_id),
            sweep_name: row.sweep_name,
            slot: job.number("slot", row.slot)?,
            seed: row.seed,
            config: job_config(&row.shared_config, params, row.engine.as_deref(), row.device.as_deref())
                .map_err(|error| sweep.corrupt(format!("shared_config cannot be read: {error}")))?,
            config_hash: hex(&row.config_hash),
            metric: sweep.metric(&row.metric, &row.goal)?,
            scored_epoch: sweep.word("scored_epoch", &row.scored_epoch, ScoredEpoch::parse)?,
            keep_models: sweep.word("keep_models", &row.keep_models, KeepModels::parse)?,
        })
    }
}

/// See sql/lease_held.sql.
#[derive(Debug, sqlx::FromRow)]
pub(in crate::store) struct HeldRow {
    job: i64,
    sweep_id: i64,
    failures: i64,
    lost_attempts: i64,
    hindrances: i64,
    error: Option<String>,
    trainer: String,
    params: Json<Params>,
    epochs: Option<i64>,
    stop_at: Option<i64>,
    metric: String,
    goal: String,
    scored_epoch: String,
    keep_models: String,
    classes: Option<i64>,
}

/// What ending an attempt has to know of its job.
#[derive(Debug)]
pub(in crate::store) struct Held {
    pub(in crate::store) sweep: SweepId,
    pub(in crate::store) failures: u32,
    pub(in crate::store) lost_attempts: u32,
    /// Times in a row that the job was given back for no fault of its own.
    pub(in crate::store) hindrances: u32,
    pub(in crate::store) error: Option<String>,
    /// What it counts for in its sweep's progress.
    pub(in crate::store) epochs: u32,
    pub(in crate::store) terms: Terms,
    pub(in crate::store) metric: Metric,
    pub(in crate::store) scored_epoch: ScoredEpoch,
    pub(in crate::store) keep_models: KeepModels,
}

impl TryFrom<HeldRow> for Held {
    type Error = StoreError;

    fn try_from(row: HeldRow) -> Result<Self, StoreError> {
        let place = Place { table: "jobs", id: row.job };
        let sweep = Place { table: "sweeps", id: row.sweep_id };
        let trainer = Trainer::rules(&row.trainer);
        Ok(Self {
            sweep: SweepId(row.sweep_id),
            failures: place.number("failures", row.failures)?,
            lost_attempts: place.number("lost_attempts", row.lost_attempts)?,
            epochs: place.number("epochs", row.epochs.unwrap_or(0))?,
            hindrances: capped(row.hindrances),
            error: row.error,
            terms: Terms {
                trainer,
                steps: trainer.steps(&row.params),
                told_to_stop: row.stop_at.is_some(),
                classes: row.classes.map(|classes| sweep.number("classes", classes)).transpose()?,
            },
            metric: sweep.metric(&row.metric, &row.goal)?,
            scored_epoch: sweep.word("scored_epoch", &row.scored_epoch, ScoredEpoch::parse)?,
            keep_models: sweep.word("keep_models", &row.keep_models, KeepModels::parse)?,
        })
    }
}

/// See sql/expired.sql.
#[derive(Debug, sqlx::FromRow)]
pub(in crate::store) struct ExpiredRow {
    #[sqlx(flatten)]
    at: AtRow,
    sweep_id: i64,
    lost_attempts: i64,
    failures: i64,
    lease_until: i64,
    epochs: Option<i64>,
    worker: String,
    last_seen_at: i64,
}

/// A lease whose deadline has passed.
#[derive(Debug)]
pub(in crate::store) struct Expired {
    pub(in crate::store) at: AttemptRef,
    pub(in crate::store) sweep: SweepId,
    pub(in crate::store) failures: u32,
    pub(in crate::store) lost_attempts: u32,
    pub(in crate::store) lease_until: Timestamp,
    pub(in crate::store) epochs: u32,
    pub(in crate::store) worker: String,
    /// When the worker called last, to five seconds.
    pub(in crate::store) last_seen: Timestamp,
}

impl TryFrom<ExpiredRow> for Expired {
    type Error = StoreError;

    fn try_from(row: ExpiredRow) -> Result<Self, StoreError> {
        let place = Place { table: "jobs", id: row.at.job };
        Ok(Self {
            at: row.at.try_into()?,
            sweep: SweepId(row.sweep_id),
            failures: place.number("failures", row.failures)?,
            lost_attempts: place.number("lost_attempts", row.lost_attempts)?,
            lease_until: Timestamp(row.lease_until),
            epochs: place.number("epochs", row.epochs.unwrap_or(0))?,
            worker: row.worker,
            last_seen: Timestamp(row.last_seen_at),
        })
    }
}
