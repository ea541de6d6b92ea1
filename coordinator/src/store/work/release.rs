//! Giving jobs back, at no cost to them.

use std::time::Duration;

use super::{
    complete::{ANY_DEADLINE, Setback, end_attempt, requeue, running, stale},
    dialect::Conn,
    workers,
};
use crate::{
    domain::{AttemptOutcome, AttemptRef, Timestamp, WorkerId, WriteResult},
    store::{StoreError, failure::Failure, rows::AtRow},
};

const OF_WORKER: &str = include_str!("../sql/worker_attempts.sql");

pub(super) async fn release(
    conn: &mut Conn,
    now: Timestamp,
    worker: WorkerId,
    attempts: &[AttemptRef],
    leaving: bool,
) -> Result<Vec<WriteResult>, Failure> {
    let mut results = vec![WriteResult::LeaseLost; attempts.len()];
    let mut order: Vec<usize> = (0..attempts.len()).collect();
    order.sort_by_key(|&index| attempts[index]);
    for index in order {
        results[index] = give_back(conn, now, attempts[index]).await?;
    }
    if leaving {
        // Also what it does not know of: the answer to its last acquisition may have been lost.
        let held: Vec<AtRow> = sqlx::query_as(OF_WORKER).bind(worker.0).fetch_all(&mut *conn).await?;
        for row in held {
            give_back(conn, now, row.try_into().map_err(|error: StoreError| error)?).await?;
        }
        workers::leave(conn, now, worker).await?;
    } else {
        workers::seen(conn, now, worker).await?;
    }
    Ok(results)
}

async fn give_back(conn: &mut Conn, now: Timestamp, at: AttemptRef) -> Result<WriteResult, Failure> {
    let Some(job) = running(conn, at).await? else {
        return stale(conn, at, AttemptOutcome::Released).await;
    };
    let setback =
        Setback { at, deadline: ANY_DEADLINE, error: job.error.as_deref(), failures: job.failures, losses: job.losses };
    requeue(conn, now, &setback, Duration::ZERO).await?;
    end_attempt(conn, now, at, AttemptOutcome::Released, None).await?;
    Ok(WriteResult::Accepted)
}
