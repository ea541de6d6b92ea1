//! Making, finding and commanding sweeps.

use besom_sweep::SweepName;
use tracing::warn;

use super::dialect::{self, Conn};
use crate::{
    domain::{Digest, JobCounts, NewSweep, Queue, Sweep, SweepId, SweepState, Timestamp},
    store::{
        StoreError, SweepCommand,
        failure::Failure,
        rows::{CountRow, QueueRow, SweepRow, Totals},
        starts::Starts,
    },
};

const INSERT: &str = include_str!("../sql/sweep_insert.sql");
const SELECT: &str = include_str!("../sql/sweeps.sql");
const COUNTS: &str = include_str!("../sql/sweep_counts.sql");
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
        .bind(new.objective.as_str())
        .bind(new.keep_models.as_str())
        .bind(&new.engine)
        .bind(new.dataset.as_str())
        .bind(&new.dataset_source)
        .bind(&new.dataset_sha256)
        .bind(serde_json::json!(new.swept))
        .bind(i64::from(new.trainer_version))
        .bind(new.jobs_total.cast_signed())
        .bind(now.0)
        .bind(new.classes.map(i64::from))
        .bind(Some(&new.title).filter(|title| **title != new.name))
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

/// Whether the data themselves changed, rather than the file's wishes: a source without a digest of its own (a folder)
/// can only be told by what the same text made of it.
fn same_source_with_other_bytes(old: &NewSweep, new: &NewSweep) -> bool {
    let (before, now) = (&old.dataset_sha256, &new.dataset_sha256);
    let known = !before.is_empty() && !now.is_empty();
    old.dataset_source == new.dataset_source
        && if known { before != now } else { old.text == new.text && old.dataset != new.dataset }
}

pub(super) async fn find(conn: &mut Conn, name_or_number: &str) -> Result<Sweep, Failure> {
    let mut row = row_by_name(conn, name_or_number).await?;
    if row.is_none()
        && name_or_number.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(number) = name_or_number.parse()
    {
        row = row_by_id(conn, SweepId(number)).await?;
    }
    // A name that is no handle is found by the handle that is made from it. The handle alone proves nothing: of texts
    // that merely look like it, many have the same one, and the sweep may be about to be cancelled.
    if row.is_none()
        && let Ok(name) = SweepName::new(name_or_number)
    {
        let named = row_by_name(conn, name.handle()).await?;
        row = named.filter(|row| row.title() == name.title() || row.name == name.title());
    }
    match row {
        Some(row) => with_counts(conn, row).await,
        None => {
            let all = rows(conn, None, None, None).await?;
            let handle = besom_sweep::handle(name_or_number);
            let likeness = |row: &SweepRow| {
                [name_or_number, &handle]
                    .map(|text| strsim::jaro_winkler(&row.name, text))
                    .into_iter()
                    .fold(0.0, f64::max)
            };
            let similar = all
                .iter()
                .map(|row| (likeness(row), &row.name))
                .filter(|(likeness, _)| *likeness > 0.8)
                .max_by(|a, b| a.0.total_cmp(&b.0));
            let what = match similar {
                Some((_, name)) => format!("sweep {name_or_number:?} (did you mean {name:?}?)"),
                None => format!("sweep {name_or_number:?}"),
            };
            Err(missing(what))
        }
    }
}

/// The sweep of that number.
pub(super) async fn get(conn: &mut Conn, id: SweepId) -> Result<Sweep, Failure> {
    let row = existing(conn, id).await?;
    with_counts(conn, row).await
}

/// Those whose jobs are not all created, newest first. Without counts: nobody asks for them here.
pub(super) async fn unexpanded(conn: &mut Conn) -> Result<Vec<Sweep>, Failure> {
    let sweeps = rows(conn, None, None, Some(1)).await?;
    Ok(readable(sweeps.into_iter().map(|row| row.with(JobCounts::default()))))
}

/// All, newest first.
pub(super) async fn list(conn: &mut Conn) -> Result<Vec<Sweep>, Failure> {
    let sweeps = rows(conn, None, None, None).await?;
    let mut totals: std::collections::HashMap<i64, Totals> = std::collections::HashMap::new();
    for row in sqlx::query_as::<_, CountRow>(COUNTS).bind(None::<i64>).fetch_all(&mut *conn).await? {
        totals.insert(row.sweep_id, row.into());
    }
    let with = |row: SweepRow| {
        let counts = totals.get(&row.id).map_or_else(JobCounts::default, |total| total.counts);
        row.with(counts)
    };
    let mut sweeps = readable(sweeps.into_iter().map(with));
    for sweep in &mut sweeps {
        sweep.problem = problem(conn, sweep).await?;
    }
    Ok(sweeps)
}

/// What keeps the jobs of a sweep from being trained.
pub(super) async fn problem(conn: &mut Conn, sweep: &Sweep) -> Result<Option<String>, Failure> {
    if sweep.state.is_final() {
        return Ok(None);
    }
    let problem: Option<Option<String>> =
        sqlx::query_scalar(dialect::HINDRANCE).bind(sweep.id.0).fetch_optional(conn).await?;
    Ok(problem.flatten())
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

/// One damaged sweep must not hide the others.
fn readable(sweeps: impl Iterator<Item = Result<Sweep, StoreError>>) -> Vec<Sweep> {
    let readable = |sweep: Result<Sweep, StoreError>| {
        sweep.inspect_err(|error| warn!(%error, "a sweep cannot be read and is left out")).ok()
    };
    sweeps.filter_map(readable).collect()
}

/// Counts and sums over the sweep's jobs.
pub(super) async fn totals(conn: &mut Conn, id: SweepId) -> Result<Totals, Failure> {
    let row: Option<CountRow> = sqlx::query_as(COUNTS).bind(Some(id.0)).fetch_optional(conn).await?;
    Ok(row.map(Totals::from).unwrap_or_default())
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
            // Jobs before attempts: in Postgres an acquisition may be committing a job that this has to wait for, and
            // only then does its attempt become visible.
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

/// The sweep's row, without counts.
pub(super) async fn existing(conn: &mut Conn, id: SweepId) -> Result<SweepRow, Failure> {
    row_by_id(conn, id).await?.ok_or_else(|| missing(format!("sweep {id}")))
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

async fn with_counts(conn: &mut Conn, row: SweepRow) -> Result<Sweep, Failure> {
    let totals = totals(conn, SweepId(row.id)).await?;
    let mut sweep = row.with(totals.counts)?;
    sweep.problem = problem(conn, &sweep).await?;
    Ok(sweep)
}

async fn row_by_id(conn: &mut Conn, id: SweepId) -> Result<Option<SweepRow>, Failure> {
    Ok(rows(conn, Some(id.0), None, None).await?.pop())
}

async fn row_by_name(conn: &mut Conn, name: &str) -> Result<Option<SweepRow>, Failure> {
    Ok(rows(conn, None, Some(name), None).await?.pop())
}

async fn rows(
    conn: &mut Conn,
    id: Option<i64>,
    name: Option<&str>,
    unexpanded: Option<i64>,
) -> Result<Vec<SweepRow>, Failure> {
    Ok(sqlx::query_as(SELECT).bind(id).bind(name).bind(unexpanded).fetch_all(conn).await?)
}

fn missing(what: String) -> Failure {
    StoreError::NotFound { what }.into()
}
