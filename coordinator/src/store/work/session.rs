//! Who calls: the fence around everything that a worker writes.

use super::dialect::Conn;
use crate::{
    domain::{AttemptOutcome, AttemptRef, Lease, Session, Timestamp},
    store::{
        error::{Failure, StoreError},
        rows::{Held, HeldRow, Renewed, RenewedRow, SessionRow, unhex},
    },
};

const SESSION: &str = include_str!("../sql/worker_session.sql");
const RENEW: &str = include_str!("../sql/lease_renew.sql");
const HELD: &str = include_str!("../sql/lease_held.sql");
const OUTCOME: &str = include_str!("../sql/attempt_outcome.sql");

/// The caller's row; `Err`: this store does not know it by number, secret and its own identity.
pub(super) async fn caller(conn: &mut Conn, session: Session) -> Result<Result<SessionRow, StoreError>, Failure> {
    let row: Option<SessionRow> = sqlx::query_as(SESSION)
        .bind(session.worker.0)
        .bind(session.secret.to_string())
        .bind(session.store.to_string())
        .fetch_optional(conn)
        .await?;
    Ok(row.ok_or_else(|| unknown(session)))
}

/// The refusal of a worker that has to register before it calls.
pub(super) fn unknown(session: Session) -> StoreError {
    StoreError::NotFound { what: format!("worker {} of this session in this store; register again", session.worker) }
}

/// Extends the lease of an attempt that still runs under it; `None` if it does not.
pub(super) async fn renew(
    conn: &mut Conn,
    session: Session,
    lease: Lease,
    until: Timestamp,
) -> Result<Option<Renewed>, Failure> {
    let row: Option<RenewedRow> = sqlx::query_as(RENEW)
        .bind(lease.at.job.0)
        .bind(i64::from(lease.at.attempt))
        .bind(until.0)
        .bind(lease.number)
        .bind(session.worker.0)
        .bind(session.secret.to_string())
        .bind(session.store.to_string())
        .fetch_optional(conn)
        .await?;
    Ok(row.map(|row| row.of(lease.at)).transpose()?)
}

/// What the attempt's end has to know, if it still runs under this lease and, where a hash is
/// given, executes the configuration of that hash. The caller has locked the job.
pub(super) async fn held(
    conn: &mut Conn,
    session: Session,
    lease: Lease,
    config_hash: Option<&str>,
) -> Result<Option<Held>, Failure> {
    let row: Option<HeldRow> = sqlx::query_as(HELD)
        .bind(lease.at.job.0)
        .bind(i64::from(lease.at.attempt))
        .bind(lease.number)
        .bind(session.worker.0)
        .bind(session.secret.to_string())
        .bind(session.store.to_string())
        // What is no hash is that of no configuration.
        .bind(config_hash.map(|hash| unhex(hash).unwrap_or_default()))
        .fetch_optional(conn)
        .await?;
    Ok(row.map(Held::try_from).transpose()?)
}

/// How the attempt ended; `None` if it runs, never was, or was not given to this caller under this
/// lease.
pub(super) async fn outcome(
    conn: &mut Conn,
    session: Session,
    lease: Lease,
) -> Result<Option<AttemptOutcome>, Failure> {
    let AttemptRef { job, attempt } = lease.at;
    let word: Option<Option<String>> = sqlx::query_scalar(OUTCOME)
        .bind(job.0)
        .bind(i64::from(attempt))
        .bind(lease.number)
        .bind(session.worker.0)
        .bind(session.secret.to_string())
        .bind(session.store.to_string())
        .fetch_optional(conn)
        .await?;
    let Some(word) = word.flatten() else { return Ok(None) };
    let outcome = AttemptOutcome::parse(&word).ok_or_else(|| StoreError::Corrupt {
        table: "attempts",
        id: job.to_string(),
        problem: format!("outcome is {word:?}"),
    })?;
    Ok(Some(outcome))
}
