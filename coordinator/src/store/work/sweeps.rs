//! Making and commanding sweeps.

use super::{
    dialect::{self, Conn},
    sweep_rows::{existing, get, missing, row_by_name, with_counts},
};
use crate::{
    domain::{Digest, JobCounts, NewSweep, Queue, Sweep, SweepId, SweepState, Timestamp},
    store::{
        contract::SweepCommand,
        error::{Failure, StoreError},
        rows::QueueRow,
        starts::Starts,
    },
};

const INSERT: &str = include_str!("../sql/sweep_insert.sql");
const COUNT_INSERT: &str = include_str!("../sql/sweep_counts_insert.sql");
const COUNT_CANCELLED: &str = include_str!("../sql/sweep_counts_cancelled.sql");
const SET_STATE: &str = include_str!("../sql/sweep_set_state.sql");
const COMPLETE: &str = include_str!("../sql/sweep_complete.sql");
const CANCEL_JOBS: &str = include_str!("../sql/sweep_cancel_jobs.sql");
const OF_DATASET: &str = include_str!("../sql/sweeps_of_dataset.sql");
const HINDRANCES_END: &str = include_str!("../sql/hindrances_end.sql");
const HINDRANCES_FORGET: &str = include_str!("../sql/hindrances_forget.sql");
const CANCEL_ATTEMPTS: &str = include_str!("../sql/sweep_cancel_attempts.sql");

pub(super) async fn create(conn: &mut Conn, now: Timestamp, new: &NewSweep) -> Result<(Sweep, bool), Failure> {
    let made = sqlx::query(INSERT)
        .bind(&new.name)
        .bind(&new.digest)
        .bind(&new.text)
        .bind(&new.method)
        .bind(new.metric.name.as_str())
        .bind(new.metric.goal.as_str())
        .bind(new.scored_epoch.as_str())
        .bind(new.keep_models.as_str())
        .bind(&new.engine)
        .bind(new.dataset.as_str())
        .bind(&new.dataset_source)
        .bind(&new.dataset_sha256)
        .bind(serde_json::json!(new.swept))
        .bind(&new.trainer)
        .bind(i64::from(new.trainer_version))
        .bind(new.jobs_total.map(u64::cast_signed))
        .bind(now.0)
        .bind(new.classes.map(i64::from))
        .bind(Some(&new.title).filter(|title| **title != new.name))
        .bind(&new.spec)
        .bind(&new.shared_config)
        .execute(&mut *conn)
        .await?
        .rows_affected()
        == 1;
    if made {
        sqlx::query(COUNT_INSERT).bind(&new.name).execute(&mut *conn).await?;
    }
    let row = row_by_name(conn, &new.name).await?.ok_or_else(|| missing(format!("sweep {:?}", new.name)))?;
    let sweep = with_counts(conn, row).await?;
    if sweep.new.digest != new.digest {
        let why = if same_source_with_other_bytes(&sweep.new, new) {
            "was made of other data: the bytes of besom.dataset.source have changed since;"
        } else {
            "is another one:"
        };
        // Two names may share a handle.
        let other = match sweep.new.title == new.title {
            true => String::new(),
            false => format!(" (named {:?}, with the same handle as {:?})", sweep.new.title, new.title),
        };
        let what = format!(
            "sweep {:?}{other} exists and {why} give this one a name of its own (name: in the file, or --name)",
            new.name
        );
        return Err(StoreError::AlreadyExists { what }.into());
    }
    Ok((sweep, made))
}

/// Whether the data themselves changed, rather than the file's wishes: a source without a digest of
/// its own (a folder) can only be told by what the same text made of it.
fn same_source_with_other_bytes(old: &NewSweep, new: &NewSweep) -> bool {
    let (before, now) = (&old.dataset_sha256, &new.dataset_sha256);
    let known = !before.is_empty() && !now.is_empty();
    old.dataset_source == new.dataset_source
        && if known { before != now } else { old.text == new.text && old.dataset != new.dataset }
}

/// The dataset is in the store: ends the waits for it, and says of how many jobs.
pub(super) async fn dataset_is_there(conn: &mut Conn, digest: &Digest) -> Result<u64, Failure> {
    let sweeps: Vec<i64> = sqlx::query_scalar(OF_DATASET).bind(digest.as_str()).fetch_all(&mut *conn).await?;
    // All sweeps are locked before the first job, as everywhere.
    for &sweep in &sweeps {
        dialect::lock_sweep(conn, SweepId(sweep)).await?;
    }
    let mut jobs = 0;
    for sweep in sweeps {
        sqlx::query(HINDRANCES_FORGET).bind(sweep).execute(&mut *conn).await?;
        jobs += sqlx::query(HINDRANCES_END).bind(sweep).execute(&mut *conn).await?.rows_affected();
    }
    Ok(jobs)
}

/// Active sweeps with what waits in them, in the order in which their jobs are handed out.
pub(super) async fn queues(conn: &mut Conn, now: Timestamp, starts: &Starts) -> Result<Vec<Queue>, Failure> {
    let rows: Vec<QueueRow> = dialect::queues(conn, now, starts).await?;
    Ok(rows.into_iter().map(Queue::from).collect())
}

pub(super) async fn command(
    conn: &mut Conn,
    now: Timestamp,
    id: SweepId,
    command: SweepCommand,
) -> Result<Sweep, Failure> {
    dialect::lock_sweep(conn, id).await?;
    let sweep = existing(conn, id).await?.with(JobCounts::default())?;
    let refused = |state: &str, verb: &str| {
        let what = format!("sweep {:?} is {state}: it cannot be {verb}", sweep.new.name);
        Err(Failure::Store(StoreError::InvalidState { what }))
    };
    match (sweep.state, command) {
        (SweepState::Completed, SweepCommand::Pause) => return refused("completed", "paused"),
        (SweepState::Completed, SweepCommand::Resume) => {
            return refused("completed", "resumed; `besom retry` opens it");
        }
        (SweepState::Completed, SweepCommand::Cancel) => return refused("completed", "cancelled"),
        (SweepState::Cancelled, SweepCommand::Pause) => return refused("cancelled", "paused"),
        (SweepState::Cancelled, SweepCommand::Resume) => {
            return refused("cancelled", "resumed; `besom retry` opens it");
        }
        (SweepState::Active, SweepCommand::Resume)
        | (SweepState::Paused, SweepCommand::Pause)
        | (SweepState::Cancelled, SweepCommand::Cancel) => {}
        (SweepState::Active, SweepCommand::Pause) => set_state(conn, id, SweepState::Paused, None).await?,
        (SweepState::Paused, SweepCommand::Resume) => {
            set_state(conn, id, SweepState::Active, None).await?;
            complete_if_done(conn, now, id).await?;
        }
        (SweepState::Active | SweepState::Paused, SweepCommand::Cancel) => {
            // Jobs before attempts: in Postgres an acquisition may be committing a job that this
            // has to wait for, and only then does its attempt become visible.
            let cancelled = sqlx::query(CANCEL_JOBS).bind(id.0).bind(now.0).execute(&mut *conn).await?;
            let cancelled = cancelled.rows_affected().cast_signed();
            sqlx::query(COUNT_CANCELLED).bind(id.0).bind(cancelled).execute(&mut *conn).await?;
            sqlx::query(CANCEL_ATTEMPTS).bind(id.0).bind(now.0).execute(&mut *conn).await?;
            set_state(conn, id, SweepState::Cancelled, Some(now)).await?;
        }
    }
    get(conn, id).await
}

/// Ends the sweep if all of its jobs are created and final. The caller holds its lock.
pub(super) async fn complete_if_done(conn: &mut Conn, now: Timestamp, id: SweepId) -> Result<(), Failure> {
    sqlx::query(COMPLETE).bind(id.0).bind(now.0).execute(&mut *conn).await?;
    Ok(())
}

async fn set_state(
    conn: &mut Conn,
    id: SweepId,
    state: SweepState,
    ended_at: Option<Timestamp>,
) -> Result<(), Failure> {
    sqlx::query(SET_STATE).bind(id.0).bind(state.as_str()).bind(ended_at.map(|at| at.0)).execute(conn).await?;
    Ok(())
}
