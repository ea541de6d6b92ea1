//! What the shared work has to ask SQLite for.

use std::collections::HashSet;

use serde_json::json;
use sqlx::SqliteConnection;

pub(super) use super::clock::Clock;
use super::syncs;
use crate::{
    domain::{Digest, JobId, SweepId, Timestamp},
    failed_sync,
    store::{error::Class, grant::Grant, rows::QueueRow, starts::Starts},
};

pub(super) type Db = sqlx::Sqlite;
pub(super) type Conn = SqliteConnection;

/// A plain BEGIN that reads and then writes fails at once when somebody else wrote in between.
pub(super) const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";
pub(super) const BEGIN_READ: &str = "BEGIN";
pub(super) const JOBS_INSERT: &str = include_str!("../sql/sqlite/jobs_insert.sql");
pub(super) const NOTE_ARTIFACT: &str = include_str!("../sql/sqlite/artifact_note.sql");
pub(super) const FIND_ARTIFACT: &str = include_str!("../sql/sqlite/artifact_find.sql");
pub(super) const CLAIM_ARTIFACT: &str = include_str!("../sql/sqlite/artifact_claim.sql");
pub(super) const NAMED_ARTIFACTS: &str = include_str!("../sql/sqlite/artifacts_named.sql");
/// A file, unlike a row, does not come back when a transaction fails: it is removed after the
/// commit.
pub(super) const ARTIFACT_DROPPED: &str = include_str!("../sql/sqlite/artifact_dropped.sql");
pub(super) const CLASS_COUNTS_INSERT: &str = include_str!("../sql/sqlite/class_counts_insert.sql");
pub(super) const EPOCHS_INSERT: &str = include_str!("../sql/sqlite/epochs_insert.sql");

pub(super) const REMOVING: &str = include_str!("../sql/sqlite/sweep_removing.sql");
pub(super) const HINDRANCE: &str = include_str!("../sql/sqlite/hindrance.sql");
const QUEUES: &str = include_str!("../sql/sqlite/queues.sql");
pub(super) const WORKERS_SEEN: &str = include_str!("../sql/sqlite/workers_seen.sql");

const TAKE: &str = include_str!("../sql/sqlite/jobs_take.sql");
const OPEN_ATTEMPTS: &str = include_str!("../sql/sqlite/attempts_open.sql");

/// The time that a test passes, or the coordinator's.
pub(super) async fn now(_: &mut Conn, clock: &Clock, now: Option<Timestamp>) -> sqlx::Result<Timestamp> {
    Ok(now.unwrap_or_else(|| clock.now()))
}

/// The one writer holds everything.
pub(super) async fn lock_sweep(_: &mut Conn, _: SweepId) -> sqlx::Result<()> {
    Ok(())
}

/// The one writer holds everything.
pub(super) async fn lock_jobs(_: &mut Conn, _: impl Iterator<Item = JobId>) -> sqlx::Result<()> {
    Ok(())
}

/// Nobody else holds any.
pub(super) async fn lock_free_jobs(_: &mut Conn, jobs: impl Iterator<Item = JobId>) -> sqlx::Result<HashSet<JobId>> {
    Ok(jobs.collect())
}

/// The statements here name their index where the planner could go wrong.
pub(super) async fn jobs_grew(_: &mut Conn) -> sqlx::Result<()> {
    Ok(())
}

/// What may be handed out of each active sweep.
pub(super) async fn queues(conn: &mut Conn, now: Timestamp, _: &Starts) -> sqlx::Result<Vec<QueueRow>> {
    sqlx::query_as(QUEUES).bind(now.0).fetch_all(conn).await
}

/// Leases a queued job for each free place, as far as there are any; says how many.
pub(super) async fn take(conn: &mut Conn, grant: &Grant<'_>, _: &Starts) -> sqlx::Result<usize> {
    let Grant { request, trainers, places, now, until } = grant;
    let slots: Vec<u32> = places.iter().map(|(slot, _)| *slot).collect();
    let taken: Vec<(i64, i64, i64)> = sqlx::query_as(TAKE)
        .bind(request.session.worker.0)
        .bind(json!(trainers.0))
        .bind(request.sweep.map(|sweep| sweep.0))
        .bind(now.0)
        .bind(until.0)
        .bind(json!(slots))
        .fetch_all(&mut *conn)
        .await?;
    let lease = |slot: i64| places.iter().find(|(place, _)| i64::from(*place) == slot).map_or(0, |(_, lease)| *lease);
    let opened: Vec<[i64; 4]> = taken.iter().map(|&(job, attempt, slot)| [job, attempt, slot, lease(slot)]).collect();
    if !opened.is_empty() {
        sqlx::query(OPEN_ATTEMPTS)
            .bind(request.session.worker.0)
            .bind(&request.request_id)
            .bind(now.0)
            .bind(json!(opened))
            .execute(conn)
            .await?;
    }
    Ok(opened.len())
}

/// The one writer holds everything.
pub(super) async fn lock_artifact(_: &mut Conn, _: &Digest) -> sqlx::Result<bool> {
    Ok(true)
}

/// What a SQLite error means.
pub(super) fn classify(error: &sqlx::Error) -> Class {
    match error {
        sqlx::Error::Database(problem) => {
            let code: i32 = problem.code().and_then(|code| code.parse().ok()).unwrap_or(0);
            if syncs::is_failed_sync(code) {
                failed_sync::note(problem.message());
            }
            // The low byte is the kind of error; the rest says more about it.
            match code & 0xff {
                libsqlite3_sys::SQLITE_BUSY | libsqlite3_sys::SQLITE_LOCKED => Class::Again,
                libsqlite3_sys::SQLITE_FULL => Class::Full,
                libsqlite3_sys::SQLITE_IOERR
                | libsqlite3_sys::SQLITE_CANTOPEN
                | libsqlite3_sys::SQLITE_NOMEM
                | libsqlite3_sys::SQLITE_READONLY => Class::Away,
                _ => Class::Broken,
            }
        }
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
            Class::Away
        }
        _ => Class::Broken,
    }
}
