//! Settling leases whose deadline has passed.

use super::{
    complete::{Setback, end_attempt, fail, requeue},
    dialect::{self, Conn},
    statistics,
    tally::Tally,
};
use crate::{
    domain::{AttemptOutcome, JobState, RetryDecision, RetryPolicy, Settled, SweepId, Timestamp, spread, utc},
    store::{
        error::{Failure, StoreError},
        rows::{Expired, ExpiredRow},
    },
};

const EXPIRED: &str = include_str!("../sql/expired.sql");

pub(super) async fn expire(
    conn: &mut Conn,
    now: Timestamp,
    policy: RetryPolicy,
    limit: u32,
) -> Result<Vec<Settled>, Failure> {
    let rows: Vec<ExpiredRow> =
        sqlx::query_as(EXPIRED).bind(now.0).bind(i64::from(limit)).fetch_all(&mut *conn).await?;
    let leases = rows.into_iter().map(Expired::try_from).collect::<Result<Vec<_>, StoreError>>()?;
    // They come by sweep and job. All sweeps are locked before the first job, as everywhere.
    let mut affected: Vec<SweepId> = leases.iter().map(|lease| lease.sweep).collect();
    affected.dedup();
    for &sweep in &affected {
        dialect::lock_sweep(conn, sweep).await?;
    }
    let (mut settled, mut tally) = (Vec::with_capacity(leases.len()), Tally::default());
    affected.iter().for_each(|sweep| tally.touch(*sweep));
    for lease in leases {
        let losses = lease.losses + 1;
        let error = explain(&lease, losses);
        let setback = Setback {
            at: lease.at,
            deadline: now,
            error: Some(&error),
            failures: lease.failures,
            losses,
            hindrance: None,
        };
        let (state, ended) = match policy.after_loss(losses, spread(lease.at)) {
            RetryDecision::Again(wait) => (JobState::Queued, requeue(conn, now, &setback, wait).await?),
            RetryDecision::GiveUp => (JobState::Failed, fail(conn, now, &setback, None).await?),
        };
        // Not ended: it was renewed or completed after it was read. Only Postgres lets that happen.
        if ended {
            end_attempt(conn, now, lease.at, AttemptOutcome::Lost, Some(&error)).await?;
            if state == JobState::Failed {
                tally.end(lease.sweep, JobState::Failed, lease.epochs, &[]);
                statistics::sum_up(conn, lease.sweep, lease.at.job).await?;
            }
            settled.push(Settled { at: lease.at, state, worker: lease.worker });
        }
    }
    tally.settle(conn, now).await?;
    Ok(settled)
}

/// Why the attempt counts as lost: the worker, and its last sign of life.
fn explain(lease: &Expired, losses: u32) -> String {
    let Expired { at, worker, lease_until, last_seen, .. } = lease;
    let (seen, ended) = (utc(*last_seen), utc(*lease_until));
    let why = match (lease_until.0 - last_seen.0) / 1_000_000 {
        before @ 0.. => format!("worker {worker} was last heard from at {seen}, {before} s before its lease ended"),
        _ => format!("worker {worker} still called at {seen}, but did not renew the lease, which ended at {ended}"),
    };
    format!("lost: {why} (attempt {}, {losses} lost so far)", at.attempt)
}
