//! Handing out jobs: the pick and the lease are one.

use std::{collections::HashSet, time::Duration};

use super::{
    dialect::{self, Conn},
    session,
};
use crate::{
    domain::{Assignment, Key, Timestamp},
    store::{AcquireRequest, Acquired, StoreError, failure::Failure, rows::AssignmentRow},
};

const OF_REQUEST: &str = include_str!("../sql/leases_of_request.sql");
const GRANTED: &str = include_str!("../sql/worker_granted.sql");
const SLOTS: &str = include_str!("../sql/worker_slots.sql");

/// A free slot and the number of the lease that it would be given.
pub(in super::super) type Place = (u32, i64);

/// Answers each request; those that want nothing new of the queue write nothing.
pub(super) async fn acquire_all(
    conn: &mut Conn,
    now: Timestamp,
    requests: &[AcquireRequest],
) -> Result<Vec<Result<Acquired, StoreError>>, Failure> {
    let mut answers = Vec::with_capacity(requests.len());
    for request in requests {
        answers.push(acquire(conn, now, request).await?);
    }
    Ok(answers)
}

async fn acquire(
    conn: &mut Conn,
    now: Timestamp,
    request: &AcquireRequest,
) -> Result<Result<Acquired, StoreError>, Failure> {
    let worker = match session::caller(conn, request.session).await? {
        Ok(worker) if worker.left_at.is_none() => worker,
        Ok(_) => return Ok(Err(session::unknown(request.session))),
        Err(refusal) => return Ok(Err(refusal)),
    };
    let answer = |assignments| Ok(Ok(Acquired { assignments, trainer_version: worker.trainer_version }));
    let until = after(now, request.lease_ttl);
    let held = of_request(conn, request).await?;
    if !held.is_empty() {
        // The worker counts its deadline from this call, so the leases must last as long.
        for assignment in &held {
            session::renew(conn, request.session, assignment.lease, until).await?;
        }
        return answer(held);
    }
    if let Some(slot) = request.slots.iter().find(|slot| i64::from(**slot) >= worker.slots) {
        let what = format!("expected slots from 0 to {}, as registered, got slot {slot}", worker.slots - 1);
        return Ok(Err(StoreError::InvalidState { what }));
    }
    if !request.take || request.slots.is_empty() {
        return answer(held);
    }
    // A slot that still holds a job is given no other one: the job would run nowhere until its lease ends.
    let busy: HashSet<i64> =
        sqlx::query_scalar(SLOTS).bind(request.session.worker.0).fetch_all(&mut *conn).await?.into_iter().collect();
    let free = request.slots.iter().filter(|slot| !busy.contains(&i64::from(**slot)));
    let places: Vec<Place> = free.map(|slot| (*slot, Key::random().lease_number())).collect();
    if places.len() < request.slots.len() {
        // Another coordinator may have granted this very request since it was looked for.
        let held = of_request(conn, request).await?;
        if !held.is_empty() || places.is_empty() {
            return answer(held);
        }
    }
    let taken = dialect::take(conn, request, worker.trainer_version, &places, now, until).await;
    let taken = taken.map_err(|error| match &error {
        // The same request is being granted elsewhere: run again, it will be found.
        sqlx::Error::Database(problem) if problem.is_unique_violation() => Failure::Raced(error),
        _ => Failure::Database(error),
    })?;
    if taken == 0 {
        return answer(held);
    }
    sqlx::query(GRANTED).bind(request.session.worker.0).bind(now.0).execute(&mut *conn).await?;
    answer(of_request(conn, request).await?)
}

/// `now` and a duration later.
pub(super) fn after(now: Timestamp, wait: Duration) -> Timestamp {
    let micros = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
    Timestamp(now.0.saturating_add(micros))
}

async fn of_request(conn: &mut Conn, request: &AcquireRequest) -> Result<Vec<Assignment>, Failure> {
    let rows: Vec<AssignmentRow> =
        sqlx::query_as(OF_REQUEST).bind(&request.request_id).bind(request.session.worker.0).fetch_all(conn).await?;
    Ok(rows.into_iter().map(Assignment::try_from).collect::<Result<_, StoreError>>()?)
}
