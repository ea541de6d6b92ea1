//! How much each hyperparameter matters: worked out from one snapshot on a connection that only
//! reads, and kept in a short transaction of its own, so that no result waits for it.
//!
//! What a sweep asks for is read outside of any transaction, and once: what it lists never changes.
//!
//! The number of ended runs that it was worked out from is kept beside it. Where more have ended
//! since, it is stale; so nothing is lost with a coordinator that stops after a sweep's last run.

use std::{sync::Arc, time::Instant};

use besom_sweep::{Params, SweepSpec};
use futures_util::TryStreamExt;
use sqlx::types::Json;
use tokio::task::spawn_blocking;

use super::{dialect::Conn, sweep_rows, transaction::Handle};
use crate::{
    domain::{ImportanceKind, Importances, SweepId, Timestamp, Weighing},
    store::{
        error::{Failure, StoreError},
        rows::ImportanceStanding,
        specs::Specs,
        way::Way,
    },
};

const DUE: &str = include_str!("../sql/importance_due.sql");
const UNSETTLED: &str = include_str!("../sql/importance_unsettled.sql");
const CLAIM: &str = include_str!("../sql/importance_claim.sql");
const STANDING: &str = include_str!("../sql/importance_standing.sql");
const MEANS: &str = include_str!("../sql/config_means.sql");
const KEEP: &str = include_str!("../sql/importance_keep.sql");
const FAILED: &str = include_str!("../sql/importance_failed.sql");
const DROP: &str = include_str!("../sql/importances_drop.sql");
const INSERT: &str = include_str!("../sql/importance_insert.sql");

/// Works out the importance of ended sweeps that does not count all of their runs, the latest
/// first, also where another coordinator may be at it: a reader who waits cannot know whether that
/// one still lives. Says whether nothing is left. One that fails keeps no other from its turn.
pub(super) async fn settle(handle: &Handle, now: Option<Timestamp>) -> Result<bool, StoreError> {
    let unsettled = handle.run(Way::Ask, "find unsettled importances", None, now, |conn, clock, now| {
        Box::pin(unsettled(conn, now.unwrap_or(clock)))
    });
    let sweeps = unsettled.await?;
    if handle.writer.is_none() {
        return Ok(sweeps.is_empty());
    }
    let mut failed = None;
    for sweep in sweeps {
        match weigh(handle, sweep, now).await {
            // There is no such sweep any more.
            Ok(()) | Err(StoreError::NotFound { .. }) => {}
            Err(error) => {
                failed.get_or_insert(error);
            }
        }
    }
    failed.map_or(Ok(true), Err)
}

/// Works out what is due, one sweep after another, where no other coordinator was first; of how
/// many sweeps. One that fails keeps no other from its turn, and its error is the answer at the
/// end.
pub(super) async fn weigh_due(handle: &Handle, now: Option<Timestamp>) -> Result<u32, StoreError> {
    let due = handle.run(Way::Read, "find due importances", None, now, |conn, clock, now| {
        Box::pin(due(conn, now.unwrap_or(clock)))
    });
    let (mut weighed, mut failed) = (0, None);
    for (sweep, tried_at) in due.await? {
        let claimed =
            handle.run(Way::Write, "claim importance", now, (sweep, tried_at), |conn, now, (sweep, tried_at)| {
                Box::pin(claim(conn, now, *sweep, *tried_at))
            });
        if !claimed.await? {
            continue;
        }
        let start = Instant::now();
        match weigh(handle, sweep, now).await {
            Ok(()) => weighed += 1,
            // It was removed.
            Err(StoreError::NotFound { .. }) => {}
            Err(error) => {
                let took = (sweep, micros_since(start));
                handle
                    .run(Way::Write, "note failed importance", now, took, |conn, _, took| Box::pin(fail(conn, *took)))
                    .await?;
                failed.get_or_insert(error);
            }
        }
    }
    failed.map_or(Ok(weighed), Err)
}

fn micros_since(start: Instant) -> i64 {
    i64::try_from(start.elapsed().as_micros()).unwrap_or(i64::MAX)
}

async fn fail(conn: &mut Conn, (sweep, took_micros): (SweepId, i64)) -> Result<(), Failure> {
    sqlx::query(FAILED).bind(sweep.0).bind(took_micros).execute(conn).await?;
    Ok(())
}

/// What the sweep's file asks for. It is found and read where it is not remembered; `None`: this
/// build reads it no more.
async fn spec_of(handle: &Handle, specs: &mut Specs, sweep: SweepId) -> Result<Option<Arc<SweepSpec>>, StoreError> {
    if let Some(known) = specs.get(sweep) {
        return Ok(known);
    }
    let stored = handle.run(Way::Read, "find what a sweep asks for", None, sweep, |conn, _, sweep| {
        Box::pin(sweep_rows::spec(conn, *sweep))
    });
    let stored = stored.await?;
    let bytes = stored.bytes();
    // One of a megabyte takes a moment that other tasks of this thread should not wait for.
    let spec = spawn_blocking(move || stored.read().ok().map(Arc::new)).await.unwrap_or_else(|error| {
        tracing::error!(sweep.id = %sweep, %error, "what a sweep asks for was not read");
        None
    });
    specs.remember(sweep, bytes, spec.clone());
    Ok(spec)
}

/// What importance is worked out from, at one moment.
struct Gathered {
    /// `None` where this build reads the sweep's file no more: its importance stays unknown.
    weighing: Option<Weighing>,
    runs: i64,
    /// How often the sweep had been opened again by then.
    reopened: i64,
    at: Timestamp,
}

/// What came out of it.
struct Kept {
    sweep: SweepId,
    runs: i64,
    reopened: i64,
    took_micros: i64,
    importances: Importances,
}

/// Works it out and keeps it if it is stale, one sweep of this process at a time.
async fn weigh(handle: &Handle, sweep: SweepId, now: Option<Timestamp>) -> Result<(), StoreError> {
    let mut specs = handle.weighing.lock().await;
    let start = Instant::now();
    let args = (sweep, spec_of(handle, &mut specs, sweep).await?, now);
    let look = handle.run(Way::Read, "weigh hyperparameters", None, args, |conn, clock, (sweep, spec, now)| {
        Box::pin(look(conn, now.unwrap_or(clock), *sweep, spec.clone()))
    });
    let Some(Gathered { weighing, runs, reopened, at }) = look.await? else { return Ok(()) };
    // A million cells take a moment that other tasks of this thread should not wait for.
    let weighed = spawn_blocking(move || weighing.map(Weighing::finish)).await.unwrap_or_else(|error| {
        // It counts as worked out: trying again every ten seconds would mend nothing.
        tracing::error!(sweep.id = %sweep, %error, "importance was not worked out");
        None
    });
    let (kind, importances) = weighed.unwrap_or((ImportanceKind::VarianceShare, Vec::new()));
    let importances = Importances { kind, computed_at: at, importances };
    let kept = Kept { sweep, runs, reopened, took_micros: micros_since(start), importances };
    handle.run(Way::Write, "keep importance", now, kept, |conn, _, kept| Box::pin(keep(conn, kept))).await
}

async fn unsettled(conn: &mut Conn, now: Timestamp) -> Result<Vec<SweepId>, Failure> {
    let rows: Vec<i64> = sqlx::query_scalar(UNSETTLED).bind(now.0).fetch_all(conn).await?;
    Ok(rows.into_iter().map(SweepId).collect())
}

async fn due(conn: &mut Conn, now: Timestamp) -> Result<Vec<(SweepId, Option<i64>)>, Failure> {
    let rows: Vec<(i64, Option<i64>)> = sqlx::query_as(DUE).bind(now.0).fetch_all(conn).await?;
    Ok(rows.into_iter().map(|(sweep, tried_at)| (SweepId(sweep), tried_at)).collect())
}

async fn claim(conn: &mut Conn, now: Timestamp, sweep: SweepId, tried_at: Option<i64>) -> Result<bool, Failure> {
    let claimed = sqlx::query(CLAIM).bind(sweep.0).bind(now.0).bind(tried_at).execute(conn).await?;
    Ok(claimed.rows_affected() == 1)
}

/// `None`: it counts all that has ended.
async fn look(
    conn: &mut Conn,
    now: Timestamp,
    sweep: SweepId,
    spec: Option<Arc<SweepSpec>>,
) -> Result<Option<Gathered>, Failure> {
    let standing: Option<ImportanceStanding> =
        sqlx::query_as(STANDING).bind(sweep.0).fetch_optional(&mut *conn).await?;
    let Some(standing) = standing.filter(ImportanceStanding::is_stale) else { return Ok(None) };
    let (runs, reopened) = (standing.ended_runs(), standing.reopened);
    let weighing = spawn_blocking(move || spec.map(|spec| Weighing::new(&spec)));
    let mut weighing = weighing.await.unwrap_or_else(|error| {
        tracing::error!(sweep.id = %sweep, %error, "the axes of a sweep were not laid out");
        None
    });
    if let Some(weighing) = &mut weighing {
        // Row by row: a million configurations as a list would take gigabytes.
        let mut rows = sqlx::query_as::<_, (Json<Params>, f64)>(MEANS).bind(sweep.0).fetch(conn);
        while let Some((swept, mean)) = rows.try_next().await? {
            weighing.add(&swept.0, mean);
        }
    }
    Ok(Some(Gathered { weighing, runs, reopened, at: now }))
}

async fn keep(conn: &mut Conn, kept: &Kept) -> Result<(), Failure> {
    let Kept { sweep, runs, reopened, took_micros, importances } = kept;
    let at = importances.computed_at.0;
    let statement = sqlx::query(KEEP).bind(sweep.0).bind(at).bind(runs).bind(took_micros).bind(reopened);
    if statement.execute(&mut *conn).await?.rows_affected() == 0 {
        return Ok(());
    }
    sqlx::query(DROP).bind(sweep.0).execute(&mut *conn).await?;
    for (place, importance) in (1_i64..).zip(&importances.importances) {
        sqlx::query(INSERT)
            .bind(sweep.0)
            .bind(place)
            .bind(importances.kind.as_str())
            .bind(&importance.parameter)
            .bind(&importance.second)
            .bind(importance.value)
            .bind(importance.cells.cast_signed())
            .bind(importance.cells_total.cast_signed())
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}
