//! Handing out jobs: the pick and the lease are one.

use std::time::Duration;

use super::{
    dialect::{self, Conn},
    workers,
};
use crate::{
    domain::{Assignment, AttemptRef, Timestamp},
    store::{AcquireRequest, StoreError, failure::Failure, rows::AssignmentRow},
};

const RENEW: &str = include_str!("../sql/lease_renew.sql");
const OF_REQUEST: &str = include_str!("../sql/leases_of_request.sql");

pub(super) async fn acquire(
    conn: &mut Conn,
    now: Timestamp,
    request: &AcquireRequest,
) -> Result<Vec<Assignment>, Failure> {
    let version = workers::greet(conn, now, request.worker).await?;
    let until = after(now, request.lease_ttl);
    let held = of_request(conn, request).await?;
    if !held.is_empty() {
        // The worker counts its deadline from this call, so the leases must last as long.
        for lease in &held {
            renew(conn, lease.at, until).await?;
        }
        return Ok(held);
    }
    if request.slots.is_empty() {
        return Ok(held);
    }
    dialect::take(conn, request, version, now, until).await.map_err(|error| match &error {
        // The same request is being granted elsewhere: run again, it will be found.
        sqlx::Error::Database(problem) if problem.is_unique_violation() => Failure::Raced(error),
        _ => Failure::Database(error),
    })?;
    of_request(conn, request).await
}

/// Extends the lease of an attempt that still runs; says whether it does.
pub(super) async fn renew(conn: &mut Conn, at: AttemptRef, until: Timestamp) -> Result<bool, Failure> {
    let renewed = sqlx::query(RENEW).bind(at.job.0).bind(i64::from(at.attempt)).bind(until.0).execute(conn).await?;
    Ok(renewed.rows_affected() == 1)
}

/// `now` and a duration later.
pub(super) fn after(now: Timestamp, wait: Duration) -> Timestamp {
    let micros = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
    Timestamp(now.0.saturating_add(micros))
}

async fn of_request(conn: &mut Conn, request: &AcquireRequest) -> Result<Vec<Assignment>, Failure> {
    let rows: Vec<AssignmentRow> =
        sqlx::query_as(OF_REQUEST).bind(&request.request_id).bind(request.worker.0).fetch_all(conn).await?;
    Ok(rows.into_iter().map(Assignment::try_from).collect::<Result<_, StoreError>>()?)
}
