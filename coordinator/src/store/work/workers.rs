//! Who calls, and when it last did.

use super::dialect::Conn;
use crate::{
    domain::{NewWorker, Timestamp, WorkerId, WorkerRow},
    store::{StoreError, failure::Failure, rows::WorkersRow},
};

const REGISTER: &str = include_str!("../sql/worker_register.sql");
const VERSION: &str = include_str!("../sql/worker_version.sql");
const SEEN: &str = include_str!("../sql/worker_seen.sql");
const LEAVE: &str = include_str!("../sql/worker_leave.sql");
const SELECT: &str = include_str!("../sql/workers.sql");
const OTHER_VERSIONS: &str = include_str!("../sql/other_versions.sql");

/// How long a worker that does not call is still listed.
const LISTED_MICROS: i64 = 24 * 3600 * 1_000_000;

pub(super) async fn register(conn: &mut Conn, now: Timestamp, new: &NewWorker) -> Result<WorkerId, Failure> {
    let id = sqlx::query_scalar(REGISTER)
        .bind(&new.instance)
        .bind(&new.name)
        .bind(&new.host)
        .bind(i64::from(new.slots))
        .bind(&new.build)
        .bind(i64::from(new.trainer_version))
        .bind(&new.device)
        .bind(now.0)
        .fetch_one(conn)
        .await?;
    Ok(WorkerId(id))
}

/// The trainer version of a worker that is here, and notes that it called.
pub(super) async fn greet(conn: &mut Conn, now: Timestamp, worker: WorkerId) -> Result<i64, Failure> {
    let version = sqlx::query_scalar(VERSION)
        .bind(worker.0)
        .fetch_optional(&mut *conn)
        .await?
        .ok_or_else(|| StoreError::NotFound { what: format!("worker {worker}: it has to register") })?;
    seen(conn, now, worker).await?;
    Ok(version)
}

pub(super) async fn seen(conn: &mut Conn, now: Timestamp, worker: WorkerId) -> Result<(), Failure> {
    sqlx::query(SEEN).bind(worker.0).bind(now.0).execute(conn).await?;
    Ok(())
}

pub(super) async fn leave(conn: &mut Conn, now: Timestamp, worker: WorkerId) -> Result<(), Failure> {
    sqlx::query(LEAVE).bind(worker.0).bind(now.0).execute(conn).await?;
    Ok(())
}

pub(super) async fn list(conn: &mut Conn, now: Timestamp) -> Result<Vec<WorkerRow>, Failure> {
    let rows: Vec<WorkersRow> = sqlx::query_as(SELECT).bind(now.0 - LISTED_MICROS).fetch_all(conn).await?;
    Ok(rows.into_iter().map(|row| row.at(now)).collect())
}

pub(super) async fn other_versions(conn: &mut Conn, worker: WorkerId) -> Result<Vec<(u32, u64)>, Failure> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(OTHER_VERSIONS).bind(worker.0).fetch_all(conn).await?;
    let parse = |(version, jobs): (i64, i64)| {
        u32::try_from(version).map(|version| (version, jobs.unsigned_abs())).map_err(|_| StoreError::Corrupt {
            table: "sweeps",
            id: "?".to_owned(),
            problem: format!("trainer_version is {version}"),
        })
    };
    Ok(rows.into_iter().map(parse).collect::<Result<_, StoreError>>()?)
}
