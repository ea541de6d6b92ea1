//! What people and pages read.

use super::{dialect::Conn, sweeps};
use crate::{
    domain::{AttemptRef, AttemptRow, Confusion, EpochRecord, JobId, Progress, Run, RunningJob, SweepId},
    store::{
        RunQuery, StoreError,
        failure::Failure,
        rows::{AttemptsRow, ConfusionRow, EpochRow, RunRow, RunningRow},
    },
};

const RUNNING: &str = include_str!("../sql/running.sql");
const RUNNING_EPOCHS: &str = include_str!("../sql/running_epochs.sql");
const RUNS_BY_BEST: &str = include_str!("../sql/runs_by_best.sql");
const RUNS_BY_JOB: &str = include_str!("../sql/runs_by_job.sql");
const RUNS_AFTER: &str = include_str!("../sql/runs_after.sql");
const HISTORY: &str = include_str!("../sql/history.sql");
const ATTEMPTS: &str = include_str!("../sql/attempts.sql");
const CONFUSIONS: &str = include_str!("../sql/confusions.sql");

/// Which jobs of a sweep a page shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    pub(super) sweep: SweepId,
    pub(super) after: Option<JobId>,
    pub(super) limit: u32,
}

impl Page {
    /// Job numbers start at 1.
    pub(super) fn after(self) -> i64 {
        self.after.map_or(0, |job| job.0)
    }
}

pub(super) async fn ping(conn: &mut Conn) -> Result<(), Failure> {
    sqlx::query("SELECT 1").execute(conn).await?;
    Ok(())
}

pub(super) async fn progress(conn: &mut Conn, id: SweepId) -> Result<Progress, Failure> {
    let row = sweeps::existing(conn, id).await?;
    let totals = sweeps::totals(conn, id).await?;
    let (epochs, epoch_seconds): (i64, f64) = sqlx::query_as(RUNNING_EPOCHS).bind(id.0).fetch_one(&mut *conn).await?;
    let running: Vec<RunningRow> = sqlx::query_as(RUNNING).bind(id.0).fetch_all(&mut *conn).await?;
    let leader = runs(conn, RunQuery { sweep: id, best_first: true, limit: 1, offset: 0 }).await?.pop();
    Ok(Progress {
        sweep: row.with(totals.counts)?,
        epochs_done: totals.epochs_final + epochs.unsigned_abs(),
        epochs_total: totals.epochs,
        epoch_seconds: totals.epoch_seconds + epoch_seconds,
        running: running.into_iter().map(RunningJob::try_from).collect::<Result<_, StoreError>>()?,
        // Runs without a score come after all others: only then is the first one of them here.
        best: leader.filter(|run| run.objective.is_some()),
    })
}

pub(super) async fn runs(conn: &mut Conn, query: RunQuery) -> Result<Vec<Run>, Failure> {
    let sql = if query.best_first { RUNS_BY_BEST } else { RUNS_BY_JOB };
    let rows: Vec<RunRow> = sqlx::query_as(sql)
        .bind(query.sweep.0)
        .bind(i64::from(query.limit))
        .bind(i64::try_from(query.offset).unwrap_or(i64::MAX))
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(Run::try_from).collect::<Result<_, StoreError>>()?)
}

pub(super) async fn runs_after(conn: &mut Conn, page: Page) -> Result<Vec<Run>, Failure> {
    let rows: Vec<RunRow> = sqlx::query_as(RUNS_AFTER)
        .bind(page.sweep.0)
        .bind(page.after())
        .bind(i64::from(page.limit))
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(Run::try_from).collect::<Result<_, StoreError>>()?)
}

pub(super) async fn history(conn: &mut Conn, page: Page) -> Result<Vec<(AttemptRef, Vec<EpochRecord>)>, Failure> {
    let rows: Vec<EpochRow> = sqlx::query_as(HISTORY)
        .bind(page.sweep.0)
        .bind(page.after())
        .bind(i64::from(page.limit))
        .fetch_all(conn)
        .await?;
    let mut jobs: Vec<(AttemptRef, Vec<EpochRecord>)> = Vec::new();
    for row in rows {
        let (at, record) = row.try_into().map_err(|error: StoreError| error)?;
        match jobs.last_mut() {
            Some((last, records)) if *last == at => records.push(record),
            _ => jobs.push((at, vec![record])),
        }
    }
    Ok(jobs)
}

pub(super) async fn attempts(conn: &mut Conn, page: Page) -> Result<Vec<AttemptRow>, Failure> {
    let rows: Vec<AttemptsRow> = sqlx::query_as(ATTEMPTS)
        .bind(page.sweep.0)
        .bind(page.after())
        .bind(i64::from(page.limit))
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(AttemptRow::try_from).collect::<Result<_, StoreError>>()?)
}

pub(super) async fn confusions(conn: &mut Conn, page: Page) -> Result<Vec<(JobId, Confusion)>, Failure> {
    let rows: Vec<ConfusionRow> = sqlx::query_as(CONFUSIONS)
        .bind(page.sweep.0)
        .bind(page.after())
        .bind(i64::from(page.limit))
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(<(JobId, Confusion)>::try_from).collect::<Result<_, StoreError>>()?)
}
