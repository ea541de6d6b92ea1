//! Rows as the statements give them, and the one way from there to the domain.
//!
//! The same structs serve both databases. A row that a change depends on is [`StoreError::Corrupt`] where it does not
//! parse, never a default. What is only shown is more forgiving, since one odd value must not hide the rows beside it: a
//! number beyond its range becomes the end of the range, and JSON that does not parse is left out with a warning.

use std::{collections::BTreeMap, time::Duration};

use besom_sweep::{Goal, KeepModels, Metric, MetricName, Objective, Params, Steps, Trainer};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;
use sqlx::{Database, Decode, Type, error::BoxDynError, types::Json};
use tracing::warn;

use super::error::StoreError;
use crate::domain::{
    Assignment, AttemptRef, BestRun, ConfigRun, Confusion, Counts, Digest, EpochRecord, JobCounts, JobId, JobState,
    Key, Lease, NewSweep, NewWorker, Queue, RunningJob, Session, Sweep, SweepId, SweepState, Terms, Timestamp,
    Trainers, WorkerId, WorkerRow,
};

/// After how long a worker counts as gone that registered before that was kept, as in the view `worker_status`.
const GONE_AFTER: Duration = Duration::from_secs(60);

/// Where a value stood, for the error.
#[derive(Clone, Copy)]
struct Place {
    table: &'static str,
    id: i64,
}

impl Place {
    fn corrupt(self, problem: String) -> StoreError {
        StoreError::Corrupt { table: self.table, id: self.id.to_string(), problem }
    }

    fn word<T>(self, column: &str, text: &str, parse: fn(&str) -> Option<T>) -> Result<T, StoreError> {
        parse(text).ok_or_else(|| self.corrupt(format!("{column} is {text:?}")))
    }

    fn number<T: TryFrom<i64>>(self, column: &str, value: i64) -> Result<T, StoreError> {
        T::try_from(value).map_err(|_| self.corrupt(format!("{column} is {value}")))
    }

    fn steps(self, trainer: &str, params: &Params) -> Result<Steps, StoreError> {
        let trainer = Trainer::named(trainer).ok_or_else(|| self.corrupt(format!("trainer is {trainer:?}")))?;
        Ok(trainer.steps(params))
    }

    fn metric(self, name: &str, goal: &str) -> Result<Metric, StoreError> {
        Ok(Metric { name: self.word("metric", name, MetricName::parse)?, goal: self.word("goal", goal, Goal::parse)? })
    }

    /// JSON that is only shown, or nothing and a warning.
    fn shown<T: Default>(self, column: &str, json: Shown<T>) -> T {
        json.0.unwrap_or_else(|problem| {
            self.leaves_out(column, &problem);
            T::default()
        })
    }

    fn leaves_out(self, column: &str, problem: &str) {
        warn!(table = self.table, row = self.id, column, problem, "a stored value cannot be read and is left out");
    }
}

/// JSON that is only shown, so that one odd value does not fail the statement for all rows: see [`Place::shown`].
#[derive(Debug)]
struct Shown<T>(Result<T, String>);

impl<T, DB: Database> Type<DB> for Shown<T>
where
    Json<T>: Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        Json::<T>::type_info()
    }

    fn compatible(kind: &DB::TypeInfo) -> bool {
        Json::<T>::compatible(kind)
    }
}

impl<'r, T, DB: Database> Decode<'r, DB> for Shown<T>
where
    Json<T>: Decode<'r, DB>,
{
    fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(Json::<T>::decode(value).map(|json| json.0).map_err(|problem| problem.to_string())))
    }
}

/// Bytes as lower-case hex digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of so many hex digits; `None` where the text is not that.
pub(super) fn unhex(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes();
    let pairs = digits.len().is_multiple_of(2).then(|| digits.chunks_exact(2))?;
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// A count that is only shown. The store holds 64 bits for SQL, the wire 32; nothing that besom writes comes near them.
fn capped(value: i64) -> u32 {
    u32::try_from(value.max(0)).unwrap_or(u32::MAX)
}

/// A job and its attempt.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct AtRow {
    pub(super) job: i64,
    pub(super) attempt: i64,
}

impl AtRow {
    /// For readers only: no attempt that runs is named so.
    fn shown(&self) -> AttemptRef {
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

/// See sql/sweeps.sql.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct SweepRow {
    pub(super) id: i64,
    pub(super) name: String,
    title: Option<String>,
    digest: String,
    pub(super) text: String,
    method: String,
    metric: String,
    goal: String,
    objective: String,
    keep_models: String,
    engine: Option<String>,
    dataset: String,
    dataset_source: String,
    dataset_sha256: String,
    swept: Shown<Vec<String>>,
    trainer: String,
    trainer_version: i64,
    classes: Option<i64>,
    jobs_total: Option<i64>,
    jobs_created: i64,
    state: String,
    created_at: i64,
}

impl SweepRow {
    /// The name as it was given.
    pub(super) fn title(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.name)
    }

    /// The counts come from another statement.
    pub(super) fn with(self, counts: JobCounts) -> Result<Sweep, StoreError> {
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
                objective: place.word("objective", &self.objective, Objective::parse)?,
                keep_models: place.word("keep_models", &self.keep_models, KeepModels::parse)?,
                dataset: place.word("dataset", &self.dataset, Digest::parse)?,
                jobs_total: self.jobs_total.map(|total| place.number("jobs_total", total)).transpose()?,
                trainer: self.trainer,
                trainer_version: capped(self.trainer_version),
                classes: self.classes.map(capped),
                title: self.title.unwrap_or_else(|| self.name.clone()),
                name: self.name,
                digest: self.digest,
                text: self.text,
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
pub(super) struct RetryRow {
    pub(super) state: String,
    pub(super) jobs: i64,
    pub(super) epochs: i64,
    pub(super) epoch_seconds: f64,
}

/// See sql/sweep_counts.sql.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct CountRow {
    pub(super) sweep_id: i64,
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
pub(super) struct Totals {
    pub(super) counts: JobCounts,
    pub(super) epochs: u64,
    /// Of final jobs only, as is `epoch_seconds`.
    pub(super) epochs_final: u64,
    pub(super) epoch_seconds: f64,
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
pub(super) struct QueueRow {
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

/// A job, its attempt and the lease on it.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct LeaseRow {
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
pub(super) struct RenewedRow {
    epochs: Option<i64>,
    stored: Option<i64>,
    stop_at: Option<i64>,
}

/// What is known of an attempt whose lease was renewed.
#[derive(Debug)]
pub(super) struct Renewed {
    /// The steps that its records must have. Whether it may end early is no matter of a report.
    pub(super) steps: Steps,
    /// The latest stored one; 0: none.
    pub(super) stored: u32,
    pub(super) told_to_stop: bool,
}

impl RenewedRow {
    pub(super) fn of(self, at: AttemptRef) -> Result<Renewed, StoreError> {
        let place = Place { table: "jobs", id: at.job.0 };
        Ok(Renewed {
            steps: match self.epochs {
                Some(last) => Steps::Each { last: place.number("epochs", last)?, may_end_early: false },
                None => Steps::Any,
            },
            stored: place.number("epoch", self.stored.unwrap_or(0))?,
            told_to_stop: self.stop_at.is_some(),
        })
    }
}

/// See sql/worker_session.sql.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct SessionRow {
    trainers: Json<BTreeMap<String, u32>>,
    pub(super) slots: i64,
    pub(super) left_at: Option<i64>,
}

impl SessionRow {
    /// What the worker executes.
    pub(super) fn trainers(&self) -> Trainers {
        Trainers(self.trainers.0.clone())
    }
}

/// See sql/worker_register.sql.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct RegisteredRow {
    id: i64,
    secret: String,
    store: String,
}

impl TryFrom<RegisteredRow> for Session {
    type Error = StoreError;

    fn try_from(row: RegisteredRow) -> Result<Self, StoreError> {
        // Neither stands in an error: the secret is one, and the identity tells nobody anything.
        let key = |column: &str, text: &str| {
            let place = Place { table: "workers", id: row.id };
            Key::parse(text).ok_or_else(|| place.corrupt(format!("{column} is not 32 hex digits")))
        };
        Ok(Self { store: key("identity", &row.store)?, worker: WorkerId(row.id), secret: key("secret", &row.secret)? })
    }
}

/// See sql/leases_of_request.sql.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct AssignmentRow {
    #[sqlx(flatten)]
    lease: LeaseRow,
    sweep_id: i64,
    sweep_name: String,
    slot: i64,
    seed: i64,
    config: String,
    config_hash: Vec<u8>,
    metric: String,
    goal: String,
    objective: String,
    keep_models: String,
}

impl TryFrom<AssignmentRow> for Assignment {
    type Error = StoreError;

    fn try_from(row: AssignmentRow) -> Result<Self, StoreError> {
        let job = Place { table: "jobs", id: row.lease.at.job };
        let sweep = Place { table: "sweeps", id: row.sweep_id };
        Ok(Self {
            lease: row.lease.try_into()?,
            sweep: SweepId(row.sweep_id),
            sweep_name: row.sweep_name,
            slot: job.number("slot", row.slot)?,
            seed: row.seed,
            config: row.config,
            config_hash: hex(&row.config_hash),
            metric: sweep.metric(&row.metric, &row.goal)?,
            objective: sweep.word("objective", &row.objective, Objective::parse)?,
            keep_models: sweep.word("keep_models", &row.keep_models, KeepModels::parse)?,
        })
    }
}

/// See sql/lease_held.sql.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct HeldRow {
    job: i64,
    sweep_id: i64,
    failures: i64,
    lost_attempts: i64,
    hindrances: i64,
    error: Option<String>,
    trainer: String,
    params: Json<Params>,
    stop_at: Option<i64>,
    metric: String,
    goal: String,
    objective: String,
    keep_models: String,
    classes: Option<i64>,
}

/// What ending an attempt has to know of its job.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) sweep: SweepId,
    pub(super) failures: u32,
    pub(super) lost_attempts: u32,
    /// Times in a row that the job was given back for no fault of its own.
    pub(super) hindrances: u32,
    pub(super) error: Option<String>,
    pub(super) terms: Terms,
    pub(super) metric: Metric,
    pub(super) objective: Objective,
    pub(super) keep_models: KeepModels,
}

impl TryFrom<HeldRow> for Held {
    type Error = StoreError;

    fn try_from(row: HeldRow) -> Result<Self, StoreError> {
        let place = Place { table: "jobs", id: row.job };
        let sweep = Place { table: "sweeps", id: row.sweep_id };
        Ok(Self {
            sweep: SweepId(row.sweep_id),
            failures: place.number("failures", row.failures)?,
            lost_attempts: place.number("lost_attempts", row.lost_attempts)?,
            hindrances: capped(row.hindrances),
            error: row.error,
            terms: Terms {
                steps: place.steps(&row.trainer, &row.params)?,
                told_to_stop: row.stop_at.is_some(),
                classes: row.classes.map(|classes| sweep.number("classes", classes)).transpose()?,
            },
            metric: sweep.metric(&row.metric, &row.goal)?,
            objective: sweep.word("objective", &row.objective, Objective::parse)?,
            keep_models: sweep.word("keep_models", &row.keep_models, KeepModels::parse)?,
        })
    }
}

/// See sql/expired.sql.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct ExpiredRow {
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
pub(super) struct Expired {
    pub(super) at: AttemptRef,
    pub(super) sweep: SweepId,
    pub(super) failures: u32,
    pub(super) lost_attempts: u32,
    pub(super) lease_until: Timestamp,
    pub(super) epochs: u32,
    pub(super) worker: String,
    /// When the worker called last, to five seconds.
    pub(super) last_seen: Timestamp,
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

/// See sql/attempt_epochs.sql.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct EpochRow {
    #[sqlx(flatten)]
    at: AtRow,
    epoch: i64,
    loss: Option<f64>,
    accuracy: Option<f64>,
    val_loss: Option<f64>,
    val_accuracy: Option<f64>,
    learning_rate: f64,
    pub(super) seconds: f64,
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
pub(super) struct RunningRow {
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
pub(super) struct BestRow {
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

/// See sql/confusion_of.sql.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct ConfusionRow {
    job: i64,
    classes: i64,
    counts: Shown<StoredCounts>,
}

impl From<ConfusionRow> for (JobId, Confusion) {
    fn from(row: ConfusionRow) -> Self {
        let StoredCounts(counts) = Place { table: "confusions", id: row.job }.shown("counts", row.counts);
        (JobId(row.job), Confusion { classes: capped(row.classes), counts: Counts::Pairs(counts) })
    }
}

/// The column `counts`: a list of all pairs, row by row, or an object that has those that are not 0 by their places in that
/// list. Of both the shorter one is written, and of classes that are only summed an empty object.
pub(super) fn stored_counts(confusion: &Confusion) -> Value {
    /// A place takes about so much more room than a 0.
    const PLACE: usize = 4;
    let Counts::Pairs(pairs) = &confusion.counts else { return Value::Object(serde_json::Map::new()) };
    let all = confusion.classes as usize * confusion.classes as usize;
    match confusion.rows() {
        Some(rows) if pairs.len() * PLACE >= all => Value::from(rows),
        _ => Value::Object(pairs.iter().map(|(place, &count)| (place.to_string(), count.into())).collect()),
    }
}

/// See [`stored_counts`].
#[derive(Debug, Default)]
struct StoredCounts(BTreeMap<u32, u32>);

impl<'de> Deserialize<'de> for StoredCounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Both;

        impl<'de> Visitor<'de> for Both {
            type Value = StoredCounts;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of counts, or an object of counts by place")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<StoredCounts, A::Error> {
                let mut counts = BTreeMap::new();
                let mut place = 0;
                while let Some(count) = list.next_element()? {
                    if count > 0 {
                        counts.insert(place, count);
                    }
                    place += 1;
                }
                Ok(StoredCounts(counts))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<StoredCounts, A::Error> {
                let mut counts = BTreeMap::new();
                while let Some((place, count)) = object.next_entry()? {
                    counts.insert(place, count);
                }
                Ok(StoredCounts(counts))
            }
        }

        deserializer.deserialize_any(Both)
    }
}

/// See sql/config_runs.sql.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct ConfigRunRow {
    pub(super) job: i64,
    state: String,
    objective: Option<f64>,
    last: Option<f64>,
    best: Option<f64>,
    seconds: Option<f64>,
    params: Json<Params>,
    swept: Json<Vec<String>>,
}

impl ConfigRunRow {
    /// The values of the parameters that its sweep varies.
    pub(super) fn swept(&self) -> Params {
        let mut swept = self.params.0.clone();
        swept.retain(|name, _| self.swept.0.contains(name));
        swept
    }
}

impl TryFrom<ConfigRunRow> for ConfigRun {
    type Error = StoreError;

    fn try_from(row: ConfigRunRow) -> Result<Self, StoreError> {
        let place = Place { table: "jobs", id: row.job };
        Ok(Self {
            state: place.word("state", &row.state, JobState::parse)?,
            objective: row.objective,
            last: row.last,
            best: row.best,
            seconds: row.seconds,
        })
    }
}

/// See sql/importance_standing.sql.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct ImportanceStanding {
    unsummed_after: Option<i64>,
    /// How often the sweep was opened again.
    pub(super) reopened: i64,
    weighed_runs: i64,
    succeeded: i64,
    stopped: i64,
    diverged: i64,
    failed: i64,
}

impl ImportanceStanding {
    /// Whether runs have ended that it does not count. While earlier runs are still being summed it stays as it is.
    pub(super) fn is_stale(&self) -> bool {
        self.unsummed_after.is_none() && self.weighed_runs != self.ended_runs()
    }

    pub(super) fn ended_runs(&self) -> i64 {
        let all = [self.succeeded, self.stopped, self.diverged, self.failed];
        all.into_iter().fold(0, i64::saturating_add)
    }
}

/// See sql/workers.sql.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct WorkersRow {
    id: i64,
    instance: String,
    name: String,
    host: String,
    slots: i64,
    build: String,
    trainers: Shown<BTreeMap<String, u32>>,
    device: String,
    last_seen_at: i64,
    left_at: Option<i64>,
    gone_after: Option<i64>,
    running: i64,
}

impl WorkersRow {
    /// As seen at `now`.
    pub(super) fn at(self, now: Timestamp) -> WorkerRow {
        let silent = Duration::from_micros(now.0.saturating_sub(self.last_seen_at).max(0).unsigned_abs());
        let gone_after =
            self.gone_after.map_or(GONE_AFTER, |micros| Duration::from_micros(micros.max(0).unsigned_abs()));
        WorkerRow {
            id: WorkerId(self.id),
            running: capped(self.running),
            last_seen_at: Timestamp(self.last_seen_at),
            last_seen_ms_ago: u64::try_from(silent.as_millis()).unwrap_or(u64::MAX),
            left: self.left_at.is_some(),
            gone: self.left_at.is_none() && silent > gone_after,
            new: NewWorker {
                slots: capped(self.slots),
                trainers: Trainers(Place { table: "workers", id: self.id }.shown("trainers", self.trainers)),
                instance: self.instance,
                name: self.name,
                host: self.host,
                build: self.build,
                device: self.device,
                gone_after,
            },
        }
    }
}
