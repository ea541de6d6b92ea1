//! SQLite has no clock of its own: this is it.
//!
//! The wall clock is read once. From there time only moves forward, and it never starts before a
//! time that is stored, so a clock that was set back while the coordinator was down cannot make a
//! lease last longer or history run backwards.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use sqlx::SqlitePool;

use crate::domain::Timestamp;

/// Microseconds since 1970, never backwards.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    started_at: Timestamp,
    started: Instant,
}

impl Clock {
    pub(super) async fn start(pool: &SqlitePool) -> sqlx::Result<Self> {
        let stored: Option<i64> =
            sqlx::query_scalar(include_str!("../sql/sqlite/latest_time.sql")).fetch_one(pool).await?;
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
        let wall = i64::try_from(wall).unwrap_or(i64::MAX);
        Ok(Self { started_at: Timestamp(wall.max(stored.unwrap_or(0))), started: Instant::now() })
    }

    pub(super) fn now(&self) -> Timestamp {
        let since = i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX);
        Timestamp(self.started_at.0.saturating_add(since))
    }
}
