//! What is worked out when runs end, since SQL cannot: sums of a configuration, counts of a
//! confusion matrix.
//!
//! A configuration's few seeds are read again at every end of one of its runs, so nothing adds up
//! wrongly over retries. All of it is written under the lock of its sweep. The importance of
//! hyperparameters, which takes all configurations, is worked out later: see `importance`.

use besom_sweep::MATRIX_CLASSES;
use serde_json::{Value, json};
use tracing::warn;

use super::dialect::{self, Conn};
use crate::{
    domain::{ClassCounts, ConfigRun, ConfigSums, Confusion, Estimate, JobId, SweepId},
    store::{
        error::{Failure, StoreError},
        rows::{ConfigRunRow, ConfusionRow},
    },
};

const RUNS: &str = include_str!("../sql/config_runs.sql");
const SUMS: &str = include_str!("../sql/config_sums.sql");
const CONFUSION_OF: &str = include_str!("../sql/confusion_of.sql");
const UNSUMMED: &str = include_str!("../sql/sweep_unsummed.sql");
const UNSUMMED_JOBS: &str = include_str!("../sql/unsummed_jobs.sql");
const SUMMED: &str = include_str!("../sql/sweep_summed.sql");

/// Sums the configuration of a job that has just ended.
pub(super) async fn sum_up(conn: &mut Conn, sweep: SweepId, job: JobId) -> Result<(), Failure> {
    let rows: Vec<ConfigRunRow> = sqlx::query_as(RUNS).bind(job.0).fetch_all(&mut *conn).await?;
    let first = rows.iter().map(|row| row.job).min().unwrap_or(job.0);
    let Some(swept) = rows.first().map(ConfigRunRow::swept) else { return Ok(()) };
    let runs = rows.into_iter().map(ConfigRun::try_from).collect::<Result<Vec<_>, StoreError>>()?;
    let sums = ConfigSums::of(&runs);
    if sums.is_empty() {
        return Ok(());
    }
    let bind = |statement: Statement, estimate: Option<Estimate>| {
        let spread = estimate.and_then(|estimate| estimate.spread);
        statement
            .bind(estimate.map(|estimate| estimate.mean))
            .bind(spread.map(|spread| spread.deviation))
            .bind(spread.map(|spread| spread.low))
            .bind(spread.map(|spread| spread.high))
    };
    let statement = sqlx::query(SUMS)
        .bind(sweep.0)
        .bind(first)
        .bind(Value::Object(swept))
        .bind(i64::from(sums.n))
        .bind(i64::from(sums.diverged))
        .bind(i64::from(sums.failed));
    let statement = bind(statement, sums.last);
    let statement = bind(statement, sums.best).bind(sums.mean_seconds);
    bind(statement, sums.objective).execute(conn).await?;
    Ok(())
}

type Statement = sqlx::query::Query<'static, dialect::Db, <dialect::Db as sqlx::Database>::Arguments>;

/// Counts by class what the job's confusion matrix holds, unless that is done.
pub(super) async fn count_classes(conn: &mut Conn, job: JobId, confusion: &Confusion) -> Result<(), Failure> {
    let row = |class: ClassCounts| json!([class.support, class.predicted, class.correct]);
    let rows: Vec<Value> = confusion.by_class().into_iter().map(row).collect();
    sqlx::query(dialect::CLASS_COUNTS_INSERT).bind(job.0).bind(Value::Array(rows)).execute(conn).await?;
    Ok(())
}

/// Sums what ended before there were sums: of one sweep, the configurations that begin among its
/// next `limit` jobs. Says whether anything may be left. What cannot be read is left out, so that
/// everything behind it still has its turn.
pub(super) async fn catch_up(conn: &mut Conn, limit: u32) -> Result<bool, Failure> {
    let oldest: Option<(i64, i64)> = sqlx::query_as(UNSUMMED).bind(None::<i64>).fetch_optional(&mut *conn).await?;
    let Some((id, _)) = oldest else { return Ok(false) };
    let sweep = SweepId(id);
    dialect::lock_sweep(conn, sweep).await?;
    // Read again: another coordinator may have gone on meanwhile.
    let still: Option<(i64, i64)> = sqlx::query_as(UNSUMMED).bind(Some(id)).fetch_optional(&mut *conn).await?;
    let Some((_, after)) = still else { return Ok(true) };
    let jobs: Vec<(i64, i64)> =
        sqlx::query_as(UNSUMMED_JOBS).bind(id).bind(after).bind(i64::from(limit)).fetch_all(&mut *conn).await?;
    let mut unreadable = Vec::new();
    for &(job, earlier) in &jobs {
        if earlier == 0 {
            unreadable.extend(left_out(sum_up(conn, sweep, JobId(job)).await)?.map(|problem| (job, problem)));
        }
        unreadable.extend(left_out(classes(conn, JobId(job)).await)?.map(|problem| (job, problem)));
    }
    if let Some((job, problem)) = unreadable.first() {
        let (sweep, rows) = (sweep.0, unreadable.len());
        warn!(sweep, rows, job, problem, "rows of earlier runs cannot be read; they are left out of the statistics");
    }
    let last = jobs.last().map(|&(job, _)| job).filter(|_| jobs.len() == limit as usize);
    sqlx::query(SUMMED).bind(id).bind(last).execute(&mut *conn).await?;
    Ok(true)
}

/// Counts by class what a job's stored confusion matrix holds.
async fn classes(conn: &mut Conn, job: JobId) -> Result<(), Failure> {
    let stored: Option<ConfusionRow> = sqlx::query_as(CONFUSION_OF).bind(job.0).fetch_optional(&mut *conn).await?;
    match stored.map(<(JobId, Confusion)>::from) {
        // Of too many classes for a matrix the sums are all that there is.
        Some((job, confusion)) if confusion.classes <= MATRIX_CLASSES => count_classes(conn, job, &confusion).await,
        _ => Ok(()),
    }
}

/// What is wrong with a row that cannot be read. The transaction goes on behind it, since no
/// statement failed.
fn left_out(done: Result<(), Failure>) -> Result<Option<String>, Failure> {
    match done {
        Ok(()) => Ok(None),
        Err(Failure::Store(error @ StoreError::Corrupt { .. })) => Ok(Some(error.to_string())),
        Err(Failure::Database(error @ (sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)))) => {
            Ok(Some(error.to_string()))
        }
        Err(failure) => Err(failure),
    }
}
