//! Handing out jobs: the pick and the lease are one.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use super::{
    dialect::{self, Conn},
    session,
};
use crate::{
    domain::{Assignment, Key, Timestamp},
    store::{
        contract::{AcquireRequest, Acquired},
        error::{Failure, StoreError},
        grant::{Grant, Place},
        rows::{AssignmentRow, SessionRow},
        starts::Starts,
    },
};

const OF_REQUEST: &str = include_str!("../sql/leases_of_request.sql");
const GRANTED: &str = include_str!("../sql/worker_granted.sql");
const SLOTS: &str = include_str!("../sql/worker_slots.sql");

/// A request, and where the queues begin.
#[derive(Clone)]
pub(super) struct Acquire {
    pub(super) request: AcquireRequest,
    pub(super) starts: Arc<Starts>,
}

/// Answers each request; those that want nothing new of the queue write nothing.
///
/// Rows are locked as everywhere: jobs that somebody holds by number, then those that nobody holds,
/// then workers by number.
pub(super) async fn acquire_all(
    conn: &mut Conn,
    now: Timestamp,
    calls: &[Acquire],
) -> Result<Vec<Result<Acquired, StoreError>>, Failure> {
    let (mut callers, mut renewals) = (Vec::with_capacity(calls.len()), Vec::new());
    for (index, call) in calls.iter().enumerate() {
        let caller = caller(conn, &call.request).await?;
        if let Ok(Caller { held, .. }) = &caller {
            renewals.extend(held.iter().map(|assignment| (assignment.lease, index)));
        }
        callers.push(caller);
    }
    renewals.sort_unstable();
    for (lease, index) in renewals {
        let request = &calls[index].request;
        // The worker counts its deadline from this call, so the leases must last as long.
        session::renew(conn, request.session, lease, after(now, request.lease_ttl)).await?;
    }
    let (mut answers, mut granted) = (Vec::with_capacity(calls.len()), BTreeSet::new());
    for (call, caller) in calls.iter().zip(callers) {
        let answer = match caller {
            Ok(caller) => grant(conn, now, call, caller).await?,
            Err(refusal) => Err(refusal),
        };
        if answer.as_ref().is_ok_and(|acquired| acquired.looked && !acquired.assignments.is_empty()) {
            granted.insert(call.request.session.worker.0);
        }
        answers.push(answer);
    }
    for worker in granted {
        sqlx::query(GRANTED).bind(worker).bind(now.0).execute(&mut *conn).await?;
    }
    Ok(answers)
}

/// Who asks, and what the same request was granted before.
struct Caller {
    worker: SessionRow,
    held: Vec<Assignment>,
}

async fn caller(conn: &mut Conn, request: &AcquireRequest) -> Result<Result<Caller, StoreError>, Failure> {
    let worker = match session::caller(conn, request.session).await? {
        Ok(worker) if worker.left_at.is_none() => worker,
        Ok(_) => return Ok(Err(session::unknown(request.session))),
        Err(refusal) => return Ok(Err(refusal)),
    };
    let held = of_request(conn, request).await?;
    Ok(Ok(Caller { worker, held }))
}

async fn grant(
    conn: &mut Conn,
    now: Timestamp,
    Acquire { request, starts }: &Acquire,
    caller: Caller,
) -> Result<Result<Acquired, StoreError>, Failure> {
    let Caller { worker, held } = caller;
    let trainers = worker.trainers();
    let answer = |assignments, looked| Ok(Ok(Acquired { assignments, trainers: trainers.clone(), looked }));
    if !held.is_empty() {
        return answer(held, false);
    }
    if let Some(slot) = request.slots.iter().find(|slot| i64::from(**slot) >= worker.slots) {
        let what = format!("expected slots from 0 to {}, as registered, got slot {slot}", worker.slots - 1);
        return Ok(Err(StoreError::InvalidState { what }));
    }
    if !request.take || request.slots.is_empty() {
        return answer(held, false);
    }
    // A slot that still holds a job is given no other one: the job would run nowhere until its
    // lease ends.
    let busy: HashSet<i64> =
        sqlx::query_scalar(SLOTS).bind(request.session.worker.0).fetch_all(&mut *conn).await?.into_iter().collect();
    let free = request.slots.iter().filter(|slot| !busy.contains(&i64::from(**slot)));
    let places: Vec<Place> = free.map(|slot| (*slot, Key::random().lease_number())).collect();
    if places.len() < request.slots.len() {
        // Another coordinator may have granted this very request since it was looked for.
        let held = of_request(conn, request).await?;
        if !held.is_empty() || places.is_empty() {
            return answer(held, false);
        }
    }
    let until = after(now, request.lease_ttl);
    let grant = Grant { request, trainers: &trainers, places: &places, now, until };
    let taken = dialect::take(conn, &grant, starts).await;
    let taken = taken.map_err(|error| match &error {
        // The same request is being granted elsewhere: run again, it will be found.
        sqlx::Error::Database(problem) if problem.is_unique_violation() => Failure::Raced(error),
        _ => Failure::Database(error),
    })?;
    if taken == 0 {
        return answer(held, true);
    }
    answer(of_request(conn, request).await?, true)
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
