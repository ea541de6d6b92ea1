//! What the shared work has to ask Postgres for.

use std::{
    collections::{HashMap, HashSet},
    time::Instant,
};

use serde_json::json;
use sqlx::{PgConnection, postgres::PgDatabaseError};

use crate::{
    domain::{Digest, JobId, SweepId, Timestamp},
    store::{error::Class, grant::Grant, rows::QueueRow, starts::Starts},
};

pub(super) type Db = sqlx::Postgres;
pub(super) type Conn = PgConnection;

/// Postgres keeps the time itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock;

/// Each statement sees what was committed before it: an update that had to wait judges the row as
/// it then is.
pub(super) const BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
/// All statements see one moment.
pub(super) const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
pub(super) const JOBS_INSERT: &str = include_str!("../sql/postgres/jobs_insert.sql");
pub(super) const NOTE_ARTIFACT: &str = include_str!("../sql/postgres/artifact_note.sql");
pub(super) const FIND_ARTIFACT: &str = include_str!("../sql/postgres/artifact_find.sql");
pub(super) const CLAIM_ARTIFACT: &str = include_str!("../sql/postgres/artifact_claim.sql");
pub(super) const NAMED_ARTIFACTS: &str = include_str!("../sql/postgres/artifacts_named.sql");
pub(super) const ARTIFACT_DROPPED: &str = include_str!("../sql/postgres/artifact_dropped.sql");
pub(super) const CLASS_COUNTS_INSERT: &str = include_str!("../sql/postgres/class_counts_insert.sql");
pub(super) const EPOCHS_INSERT: &str = include_str!("../sql/postgres/epochs_insert.sql");

pub(super) const REMOVING: &str = include_str!("../sql/postgres/sweep_removing.sql");
pub(super) const HINDRANCE: &str = include_str!("../sql/postgres/hindrance.sql");
const QUEUES: &str = include_str!("../sql/postgres/queues.sql");
pub(super) const WORKERS_SEEN: &str = include_str!("../sql/postgres/workers_seen.sql");

const NOW: &str = include_str!("../sql/postgres/now.sql");
const LOCK_SWEEP: &str = include_str!("../sql/postgres/sweep_lock.sql");
const LOCK_ARTIFACT: &str = include_str!("../sql/postgres/artifact_lock.sql");
const READY: &str = include_str!("../sql/postgres/sweeps_ready.sql");
const LOCK_SWEEPS: &str = include_str!("../sql/postgres/sweeps_lock.sql");
const LOCK_JOBS: &str = include_str!("../sql/postgres/jobs_lock.sql");
const LOCK_FREE_SWEEPS: &str = include_str!("../sql/postgres/sweeps_lock_free.sql");
const LOCK_JOBS_OF: &str = include_str!("../sql/postgres/jobs_lock_of.sql");
const TAKE: &str = include_str!("../sql/postgres/jobs_take.sql");

/// The time that a test passes, or the database's.
pub(super) async fn now(conn: &mut Conn, _: &Clock, now: Option<Timestamp>) -> sqlx::Result<Timestamp> {
    let micros = sqlx::query_scalar(NOW).bind(now.map(|at| at.0)).fetch_one(conn).await?;
    Ok(Timestamp(micros))
}

/// Until the transaction ends nobody else ends a job of the sweep, adds one or changes its state.
pub(super) async fn lock_sweep(conn: &mut Conn, sweep: SweepId) -> sqlx::Result<()> {
    sqlx::query(LOCK_SWEEP).bind(sweep.0).execute(conn).await?;
    Ok(())
}

/// Until the transaction ends nobody else changes these jobs, or ends one of their sweeps. Sweeps
/// come first, both by number, as everywhere.
pub(super) async fn lock_jobs(conn: &mut Conn, jobs: impl Iterator<Item = JobId>) -> sqlx::Result<()> {
    let jobs = json!(jobs.map(|job| job.0).collect::<Vec<_>>());
    sqlx::query(LOCK_SWEEPS).bind(&jobs).execute(&mut *conn).await?;
    sqlx::query(LOCK_JOBS).bind(&jobs).execute(conn).await?;
    Ok(())
}

/// The same, without waiting for sweeps that somebody else holds: those of the jobs that are locked
/// then.
pub(super) async fn lock_free_jobs(conn: &mut Conn, jobs: impl Iterator<Item = JobId>) -> sqlx::Result<HashSet<JobId>> {
    let jobs = json!(jobs.map(|job| job.0).collect::<Vec<_>>());
    let sweeps: Vec<i64> = sqlx::query_scalar(LOCK_FREE_SWEEPS).bind(&jobs).fetch_all(&mut *conn).await?;
    let locked: Vec<i64> = sqlx::query_scalar(LOCK_JOBS_OF).bind(&jobs).bind(json!(sweeps)).fetch_all(conn).await?;
    Ok(locked.into_iter().map(JobId).collect())
}

/// Until the transaction ends nobody else names the artifact; false where somebody just does.
pub(super) async fn lock_artifact(conn: &mut Conn, digest: &Digest) -> sqlx::Result<bool> {
    Ok(sqlx::query(LOCK_ARTIFACT).bind(digest.as_str()).fetch_optional(conn).await?.is_some())
}

/// Until the server's own daemon comes by, the planner takes the table for empty and sorts the
/// whole queue for one job.
pub(super) async fn jobs_grew(conn: &mut Conn) -> sqlx::Result<()> {
    sqlx::query("ANALYZE jobs").execute(conn).await?;
    Ok(())
}

/// What may be handed out of each active sweep.
pub(super) async fn queues(conn: &mut Conn, now: Timestamp, starts: &Starts) -> sqlx::Result<Vec<QueueRow>> {
    sqlx::query_as(QUEUES).bind(now.0).bind(json!(starts.known(Instant::now()))).fetch_all(conn).await
}

/// Leases a queued job for each free place, as far as there are any; says how many.
pub(super) async fn take(conn: &mut Conn, grant: &Grant<'_>, starts: &Starts) -> sqlx::Result<usize> {
    let known = starts.known(Instant::now());
    let taken = take_from(conn, grant, 0, &known, starts).await?;
    if taken == grant.places.len() || known.is_empty() {
        return Ok(taken);
    }
    // What is left stands before the beginnings: it came back to the queue.
    starts.forget_all();
    Ok(taken + take_from(conn, grant, taken, &HashMap::new(), starts).await?)
}

/// For the places after the first `taken`.
async fn take_from(
    conn: &mut Conn,
    grant: &Grant<'_>,
    taken: usize,
    known: &HashMap<i64, i64>,
    starts: &Starts,
) -> sqlx::Result<usize> {
    let Grant { request, trainers, places, now, until } = grant;
    let places = &places[taken..];
    let sweeps: Vec<i64> = sqlx::query_scalar(READY)
        .bind(json!(trainers.0))
        .bind(request.sweep.map(|sweep| sweep.0))
        .bind(now.0)
        .bind(json!(known))
        .fetch_all(&mut *conn)
        .await?;
    let mut taken = 0;
    for sweep in sweeps {
        if taken == places.len() {
            break;
        }
        let jobs: Vec<i64> = sqlx::query_scalar(TAKE)
            .bind(request.session.worker.0)
            .bind(sweep)
            .bind(now.0)
            .bind(until.0)
            .bind(json!(places[taken..]))
            .bind(&request.request_id)
            .bind(known.get(&sweep).copied().unwrap_or(0))
            .fetch_all(&mut *conn)
            .await?;
        if let Some(first) = jobs.iter().min() {
            starts.found(sweep, *first, Instant::now());
        }
        taken += jobs.len();
    }
    Ok(taken)
}

/// What a Postgres error means.
pub(super) fn classify(error: &sqlx::Error) -> Class {
    match error {
        sqlx::Error::Database(problem) => match problem.try_downcast_ref::<PgDatabaseError>() {
            Some(problem) => classify_code(problem.code()),
            None => Class::Broken,
        },
        // The connection is gone or was never there. Whether a commit that was under way happened
        // is not known: every write can be repeated, so the caller does just that.
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Class::Away,
        _ => Class::Broken,
    }
}

fn classify_code(code: &str) -> Class {
    match code {
        // Serialization failure, deadlock.
        "40001" | "40P01" => Class::Again,
        // Our own limits: lock_timeout, statement_timeout, idle_in_transaction_session_timeout. A
        // transaction that ran into a limit of time is left to the caller's patience.
        "55P03" | "57014" | "25P03" => Class::Away,
        // A standby that was just demoted, a database that only reads now.
        "25006" => Class::Away,
        // A connection left in a failed transaction: the pool closes it, the next call gets
        // another.
        "25P02" => Class::Away,
        "53100" => Class::Full,
        // Connections (08), shutdown and start-up (57P), too many of something or too little memory
        // (53), I/O (58).
        _ if ["08", "57P", "53", "58"].iter().any(|class| code.starts_with(class)) => Class::Away,
        _ => Class::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_is_tried_again_an_outage_is_passed_on_and_the_rest_is_a_bug() {
        for code in ["40001", "40P01"] {
            assert_eq!(classify_code(code), Class::Again, "{code}");
        }
        for code in ["57P01", "57P02", "57P03", "08006", "08007", "53200", "53300", "58030", "55P03", "57014", "25P03"]
        {
            assert_eq!(classify_code(code), Class::Away, "{code}");
        }
        assert_eq!(classify_code("53100"), Class::Full);
        for code in ["23505", "23514", "42P01", "42703", "22P02"] {
            assert_eq!(classify_code(code), Class::Broken, "{code}");
        }
        assert_eq!(classify(&sqlx::Error::PoolTimedOut), Class::Away);
        assert_eq!(classify(&sqlx::Error::RowNotFound), Class::Broken);
    }
}
