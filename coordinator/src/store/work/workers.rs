//! Who calls, and when it last did.

use std::time::Duration;

use serde_json::json;

use super::dialect::{self, Conn};
use crate::{
    domain::{Key, NewWorker, Session, Timestamp, WorkerId, WorkerRow},
    store::{
        error::{Failure, StoreError},
        rows::{RegisteredRow, WorkersRow},
    },
};

const REGISTER: &str = include_str!("../sql/worker_register.sql");
const LEAVE: &str = include_str!("../sql/worker_leave.sql");
const SELECT: &str = include_str!("../sql/workers.sql");
const IDLE: &str = include_str!("../sql/workers_idle.sql");
const FORGET: &str = include_str!("../sql/workers_forget.sql");

/// How long a worker that does not call is still listed and, where it never held a job, remembered.
const LISTED_MICROS: i64 = 24 * 3600 * 1_000_000;

/// Workers that were never granted a job and are remembered at once: more than any sweep has
/// waiting.
const MAX_IDLE: i64 = 10_000;

/// Where there are more, those are forgotten first that have not called for so long.
const SILENT_MICROS: i64 = 600 * 1_000_000;

pub(super) async fn register(conn: &mut Conn, now: Timestamp, new: &NewWorker) -> Result<Session, Failure> {
    if idle(conn, new).await? >= MAX_IDLE {
        forget(conn, Timestamp(now.0 - SILENT_MICROS)).await?;
        if idle(conn, new).await? >= MAX_IDLE {
            let what = format!("expected at most {MAX_IDLE} registered workers without a job; end some of them");
            return Err(StoreError::TooMany { what }.into());
        }
    }
    let row: RegisteredRow = sqlx::query_as(REGISTER)
        .bind(&new.instance)
        .bind(&new.name)
        .bind(&new.host)
        .bind(i64::from(new.slots))
        .bind(&new.build)
        .bind(json!(new.trainers.0))
        .bind(&new.device)
        .bind(now.0)
        .bind(Key::random().to_string())
        .bind(i64::try_from(new.gone_after.as_micros()).unwrap_or(i64::MAX))
        .fetch_one(conn)
        .await?;
    Ok(row.try_into()?)
}

async fn idle(conn: &mut Conn, new: &NewWorker) -> Result<i64, Failure> {
    Ok(sqlx::query_scalar(IDLE).bind(&new.instance).fetch_one(conn).await?)
}

/// Notes that these workers called, and how long ago.
pub(super) async fn seen(conn: &mut Conn, now: Timestamp, workers: &[(WorkerId, Duration)]) -> Result<(), Failure> {
    let micros = |ago: Duration| i64::try_from(ago.as_micros()).unwrap_or(i64::MAX);
    let seen: Vec<(i64, i64)> = workers.iter().map(|(worker, ago)| (worker.0, micros(*ago))).collect();
    sqlx::query(dialect::WORKERS_SEEN).bind(json!(seen)).bind(now.0).execute(conn).await?;
    Ok(())
}

/// Forgets workers that never held a job and have not called since then; says how many.
pub(super) async fn forget(conn: &mut Conn, since: Timestamp) -> Result<u64, Failure> {
    Ok(sqlx::query(FORGET).bind(since.0).execute(conn).await?.rows_affected())
}

/// As [`forget`], of those that are not listed any more.
pub(super) async fn forget_unlisted(conn: &mut Conn, now: Timestamp) -> Result<u64, Failure> {
    forget(conn, Timestamp(now.0 - LISTED_MICROS)).await
}

pub(super) async fn leave(conn: &mut Conn, now: Timestamp, worker: WorkerId) -> Result<(), Failure> {
    sqlx::query(LEAVE).bind(worker.0).bind(now.0).execute(conn).await?;
    Ok(())
}

pub(super) async fn list(conn: &mut Conn, now: Timestamp, all: bool) -> Result<Vec<WorkerRow>, Failure> {
    let rows: Vec<WorkersRow> =
        sqlx::query_as(SELECT).bind(now.0 - LISTED_MICROS).bind(i64::from(all)).fetch_all(conn).await?;
    Ok(rows.into_iter().map(|row| row.at(now)).collect())
}
