//! Settling leases whose deadline has passed.

use super::{
    complete::{Setback, count_ended, end_attempt, fail, requeue},
    dialect::{self, Conn},
    statistics, sweeps,
};
use crate::{
    domain::{AttemptOutcome, JobState, RetryDecision, RetryPolicy, Settled, SweepId, Timestamp, spread},
    store::{
        StoreError,
        failure::Failure,
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
    let mut settled = Vec::with_capacity(leases.len());
    for lease in leases {
        let losses = lease.losses + 1;
        let error = format!(
            "lost: worker {} did not report in time (attempt {}, {losses} lost so far)",
            lease.worker, lease.at.attempt
        );
        let setback = Setback { at: lease.at, deadline: now, error: Some(&error), failures: lease.failures, losses };
        let (state, ended) = match policy.after_loss(losses, spread(lease.at)) {
            RetryDecision::Again(wait) => (JobState::Queued, requeue(conn, now, &setback, wait).await?),
            RetryDecision::GiveUp => (JobState::Failed, fail(conn, now, &setback, None).await?),
        };
        // Not ended: it was renewed or completed after it was read. Only Postgres lets that happen.
        if ended {
            end_attempt(conn, now, lease.at, AttemptOutcome::Lost, Some(&error)).await?;
            if state == JobState::Failed {
                count_ended(conn, lease.sweep, JobState::Failed, lease.epochs, &[]).await?;
                statistics::sum_up(conn, lease.sweep, lease.at.job).await?;
            }
            settled.push(Settled { at: lease.at, state, worker: lease.worker });
        }
    }
    for sweep in affected {
        sweeps::complete_if_done(conn, now, sweep).await?;
    }
    Ok(settled)
}
