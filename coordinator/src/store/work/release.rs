//! Giving jobs back, at no cost to them.

use std::time::Duration;

use super::{
    complete::{ANY_DEADLINE, Setback, end_attempt, requeue, stale},
    dialect::{self, Conn},
    session, workers,
};
use crate::{
    domain::{AttemptOutcome, Lease, Session, Timestamp, WriteResult},
    store::{error::Failure, rows::LeaseRow},
};

const OF_WORKER: &str = include_str!("../sql/worker_attempts.sql");

pub(super) async fn release(
    conn: &mut Conn,
    now: Timestamp,
    session: Session,
    leases: &[Lease],
    leaving: bool,
) -> Result<Vec<WriteResult>, Failure> {
    session::caller(conn, session).await??;
    let mut all = leases.to_vec();
    if leaving {
        // Also what it does not know of: the answer to its last acquisition may have been lost.
        let held: Vec<LeaseRow> = sqlx::query_as(OF_WORKER).bind(session.worker.0).fetch_all(&mut *conn).await?;
        for row in held {
            let lease = Lease::try_from(row)?;
            if !leases.contains(&lease) {
                all.push(lease);
            }
        }
    }
    dialect::lock_jobs(conn, all.iter().map(|lease| lease.at.job)).await?;
    let mut results = Vec::with_capacity(all.len());
    for &lease in &all {
        results.push(give_back(conn, now, session, lease).await?);
    }
    if leaving {
        workers::leave(conn, now, session.worker).await?;
    }
    results.truncate(leases.len());
    Ok(results)
}

async fn give_back(conn: &mut Conn, now: Timestamp, session: Session, lease: Lease) -> Result<WriteResult, Failure> {
    let Some(job) = session::held(conn, session, lease, None).await? else {
        return stale(conn, session, lease, AttemptOutcome::Released).await;
    };
    let setback = Setback {
        at: lease.at,
        deadline: ANY_DEADLINE,
        // What the job waited for before this attempt may be there by now; a new attempt tells if
        // it is not.
        error: job.error.as_deref().filter(|_| job.hindrances == 0),
        failures: job.failures,
        lost_attempts: job.lost_attempts,
        hindrance: None,
    };
    requeue(conn, now, &setback, Duration::ZERO).await?;
    end_attempt(conn, now, lease.at, AttemptOutcome::Released, None).await?;
    Ok(WriteResult::Accepted)
}
