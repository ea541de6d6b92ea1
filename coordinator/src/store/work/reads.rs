//! What people and pages read.

use futures_util::{TryStreamExt, stream::BoxStream};

use super::{
    dialect::{self, Conn},
    sweep_rows,
};
use crate::{
    domain::{AttemptRef, AttemptRow, Confusion, Counts, EpochRecord, JobId, Progress, Run, SweepId},
    store::{
        contract::{HistoryPlace, RunQuery},
        error::{Failure, StoreError},
        pages::{PAGE_BYTES, PAGE_RECORDS, Weight},
        rows::{AttemptsRow, BestRow, ClassCountsRow, ConfusionRow, EpochRow, RunRow, RunningRow},
    },
};

const RUNNING: &str = include_str!("../sql/running.sql");
const RUNNING_EPOCHS: &str = include_str!("../sql/running_epochs.sql");
const BEST: &str = include_str!("../sql/best.sql");
const RUNS_BY_BEST: &str = include_str!("../sql/runs_by_best.sql");
const RUNS_BY_JOB: &str = include_str!("../sql/runs_by_job.sql");
const RUNS_AFTER: &str = include_str!("../sql/runs_after.sql");
const HISTORY_REST: &str = include_str!("../sql/history_rest.sql");
const ATTEMPTS: &str = include_str!("../sql/attempts.sql");
const CONFUSIONS: &str = include_str!("../sql/confusions.sql");
const CLASS_COUNTS: &str = include_str!("../sql/class_counts.sql");

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

/// The rows that come, until they fill a page; at least one. What is not taken is never converted, nor kept.
pub(super) async fn page<R, T: Weight>(
    mut rows: BoxStream<'_, sqlx::Result<R>>,
    convert: impl Fn(R) -> Result<T, StoreError>,
) -> Result<Vec<T>, Failure> {
    let (mut page, mut bytes) = (Vec::new(), 0);
    while bytes < PAGE_BYTES
        && let Some(row) = rows.try_next().await?
    {
        let item = convert(row)?;
        bytes += item.weight();
        page.push(item);
    }
    Ok(page)
}

pub(super) async fn ping(conn: &mut Conn) -> Result<(), Failure> {
    sqlx::query("SELECT 1").execute(conn).await?;
    Ok(())
}

pub(super) async fn progress(conn: &mut Conn, id: SweepId) -> Result<Progress, Failure> {
    let row = sweep_rows::existing(conn, id).await?;
    let totals = sweep_rows::totals(conn, id).await?;
    let (epochs, epoch_seconds): (i64, f64) = sqlx::query_as(RUNNING_EPOCHS).bind(id.0).fetch_one(&mut *conn).await?;
    let running: Vec<RunningRow> = sqlx::query_as(RUNNING).bind(id.0).fetch_all(&mut *conn).await?;
    let best: Option<BestRow> = sqlx::query_as(BEST).bind(id.0).fetch_optional(&mut *conn).await?;
    let mut sweep = row.with(totals.counts)?;
    sweep.problem = sweep_rows::problem(conn, &sweep).await?;
    Ok(Progress {
        sweep,
        epochs_done: totals.epochs_final.saturating_add(epochs.unsigned_abs()),
        epochs_total: totals.epochs,
        epoch_seconds: totals.epoch_seconds + epoch_seconds,
        running: running.into_iter().map(RunningRow::into).collect(),
        best: best.map(BestRow::into),
    })
}

pub(super) async fn runs(conn: &mut Conn, query: RunQuery) -> Result<Vec<Run>, Failure> {
    let sql = if query.best_first { RUNS_BY_BEST } else { RUNS_BY_JOB };
    let rows = sqlx::query_as::<_, RunRow>(sql)
        .bind(query.sweep.0)
        .bind(i64::from(query.limit))
        .bind(i64::try_from(query.offset).unwrap_or(i64::MAX))
        .fetch(conn);
    page(rows, Run::try_from).await
}

pub(super) async fn runs_after(conn: &mut Conn, at: Page) -> Result<Vec<Run>, Failure> {
    let rows =
        sqlx::query_as::<_, RunRow>(RUNS_AFTER).bind(at.sweep.0).bind(at.after()).bind(i64::from(at.limit)).fetch(conn);
    page(rows, Run::try_from).await
}

/// Where a reader of the history is, and how many jobs it looks at.
#[derive(Debug, Clone, Copy)]
pub(super) struct HistoryPage {
    pub(super) sweep: SweepId,
    pub(super) after: Option<HistoryPlace>,
    pub(super) jobs: u32,
}

/// First what is left of the job that the page before ended in, by the key of the table, then whole jobs.
pub(super) async fn history(
    conn: &mut Conn,
    from: HistoryPage,
) -> Result<Vec<(AttemptRef, Vec<EpochRecord>)>, Failure> {
    let mut taken = Records::default();
    if let Some(HistoryPlace { at, epoch }) = from.after {
        let rest = sqlx::query_as::<_, EpochRow>(HISTORY_REST)
            .bind(at.job.0)
            .bind(i64::from(at.attempt))
            // A number beyond the wire's is shown as its last one: nothing that follows could be told from it.
            .bind(if epoch == u32::MAX { i64::MAX } else { epoch.into() })
            .bind(taken.room())
            .fetch(&mut *conn);
        taken.fill(rest, 1).await?;
    }
    if taken.room() > 0 {
        let jobs = sqlx::query_as::<_, EpochRow>(dialect::HISTORY)
            .bind(from.sweep.0)
            .bind(from.after.map_or(0, |place| place.at.job.0))
            .bind(taken.room())
            .bind(i64::from(from.jobs))
            .fetch(conn);
        taken.fill(jobs, from.jobs).await?;
    }
    Ok(taken.jobs)
}

/// Records of a page, by job.
#[derive(Default)]
struct Records {
    jobs: Vec<(AttemptRef, Vec<EpochRecord>)>,
    count: usize,
    bytes: usize,
}

impl Records {
    /// How many more fit.
    fn room(&self) -> i64 {
        if self.bytes >= PAGE_BYTES { 0 } else { PAGE_RECORDS.saturating_sub(self.count) as i64 }
    }

    /// Takes the records of at most so many jobs.
    async fn fill(&mut self, mut rows: BoxStream<'_, sqlx::Result<EpochRow>>, jobs: u32) -> Result<(), Failure> {
        let mut begun = 0;
        while self.room() > 0
            && let Some(row) = rows.try_next().await?
        {
            let (at, record) = row.shown();
            let weight = record.weight();
            match self.jobs.last_mut() {
                Some((last, records)) if *last == at => records.push(record),
                _ if begun == jobs => break,
                _ => {
                    begun += 1;
                    self.jobs.push((at, vec![record]));
                }
            }
            self.count += 1;
            self.bytes += weight;
        }
        Ok(())
    }
}

/// Readers go on after a job, so a page ends with one.
pub(super) async fn attempts(conn: &mut Conn, at: Page) -> Result<Vec<AttemptRow>, Failure> {
    let mut rows = sqlx::query_as::<_, AttemptsRow>(ATTEMPTS)
        .bind(at.sweep.0)
        .bind(at.after())
        .bind(i64::from(at.limit))
        .fetch(conn);
    let (mut attempts, mut bytes) = (Vec::<AttemptRow>::new(), 0);
    while let Some(row) = rows.try_next().await? {
        let attempt = AttemptRow::try_from(row)?;
        if bytes >= PAGE_BYTES && attempts.last().is_some_and(|last| last.at.job != attempt.at.job) {
            break;
        }
        bytes += attempt.weight();
        attempts.push(attempt);
    }
    Ok(attempts)
}

pub(super) async fn confusions(conn: &mut Conn, page: Page) -> Result<Vec<(JobId, Confusion)>, Failure> {
    let rows: Vec<ConfusionRow> = sqlx::query_as(CONFUSIONS)
        .bind(page.sweep.0)
        .bind(page.after())
        .bind(i64::from(page.limit))
        .fetch_all(&mut *conn)
        .await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        let is_summed = row.is_summed();
        let (job, mut confusion) = row.into();
        if is_summed {
            let classes: Vec<ClassCountsRow> = sqlx::query_as(CLASS_COUNTS).bind(job.0).fetch_all(&mut *conn).await?;
            confusion.counts = Counts::Classes(classes.into_iter().map(ClassCountsRow::into).collect());
        }
        all.push((job, confusion));
    }
    Ok(all)
}
