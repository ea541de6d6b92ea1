//! Workers and their sessions.

use std::{collections::BTreeMap, time::Duration};

use sqlx::types::Json;

use super::place::{Place, Shown, capped};
use crate::{
    domain::{Key, NewWorker, Session, Timestamp, Trainers, WorkerId, WorkerRow},
    store::error::StoreError,
};

/// After how long a worker counts as gone that registered before that was kept, as in the view
/// `worker_status`.
const GONE_AFTER: Duration = Duration::from_secs(60);

/// See sql/worker_session.sql.
#[derive(Debug, sqlx::FromRow)]
pub(in crate::store) struct SessionRow {
    trainers: Json<BTreeMap<String, u32>>,
    pub(in crate::store) slots: i64,
    pub(in crate::store) left_at: Option<i64>,
}

impl SessionRow {
    /// What the worker executes.
    pub(in crate::store) fn trainers(&self) -> Trainers {
        Trainers(self.trainers.0.clone())
    }
}

/// See sql/worker_register.sql.
#[derive(Debug, sqlx::FromRow)]
pub(in crate::store) struct RegisteredRow {
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

/// See sql/workers.sql.
#[derive(Debug, sqlx::FromRow)]
pub(in crate::store) struct WorkersRow {
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
    pub(in crate::store) fn at(self, now: Timestamp) -> WorkerRow {
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
