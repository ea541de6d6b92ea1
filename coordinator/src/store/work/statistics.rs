//! What is worked out when runs end, since SQL cannot: sums of a configuration, importance of hyperparameters.
//!
//! A configuration's few seeds are read again at every end of one of its runs, so nothing adds up wrongly over retries.
//! All of it is written under the lock of its sweep.

use besom_sweep::Params;
use serde_json::Value;
use sqlx::types::Json;
use tokio::task::spawn_blocking;

use super::{
    dialect::{self, Conn},
    reads::{self, Page},
    sweeps,
};
use crate::{
    domain::{
        ConfigMean, ConfigRun, ConfigStats, ConfigSums, Estimate, Importance, ImportanceKind, Importances, JobId,
        SweepId, Timestamp,
    },
    store::{
        StoreError,
        failure::Failure,
        rows::{ConfigRunRow, ConfigStatsRow, ImportanceRow},
    },
};

const RUNS: &str = include_str!("../sql/config_runs.sql");
const SUMS: &str = include_str!("../sql/config_sums.sql");
const STATS: &str = include_str!("../sql/config_stats.sql");
const IMPORTANCES: &str = include_str!("../sql/importances.sql");
const MEANS: &str = include_str!("../sql/config_means.sql");
const IMPORTANCE_DUE: &str = include_str!("../sql/importance_due.sql");
const IMPORTANCES_DROP: &str = include_str!("../sql/importances_drop.sql");
const IMPORTANCE_INSERT: &str = include_str!("../sql/importance_insert.sql");
const CLASS_COUNTS: &str = include_str!("../sql/class_counts_insert.sql");
const UNSUMMED: &str = include_str!("../sql/sweep_unsummed.sql");
const UNSUMMED_JOBS: &str = include_str!("../sql/unsummed_jobs.sql");
const SUMMED: &str = include_str!("../sql/sweep_summed.sql");
const IMPORTANCE_AT: &str = include_str!("../sql/importance_at.sql");

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
    let statement = bind(statement, sums.final_val_accuracy);
    bind(statement, sums.best_val_accuracy).bind(sums.mean_seconds).bind(sums.objective_mean).execute(conn).await?;
    Ok(())
}

type Statement = sqlx::query::Query<'static, dialect::Db, <dialect::Db as sqlx::Database>::Arguments>;

/// Counts by class what the job's confusion matrix holds, if it has one.
pub(super) async fn count_classes(conn: &mut Conn, job: JobId) -> Result<(), Failure> {
    sqlx::query(CLASS_COUNTS).bind(job.0).execute(conn).await?;
    Ok(())
}

/// So long an importance stays as it is while its sweep goes on.
const KEPT_MICROS: i64 = 10 * 1_000_000;

/// Works out importance again if the sweep has just ended or the last time is long enough ago. The caller holds the
/// sweep's lock.
pub(super) async fn weigh(conn: &mut Conn, now: Timestamp, sweep: SweepId, ended: bool) -> Result<(), Failure> {
    let before = if ended { i64::MAX } else { now.0.saturating_sub(KEPT_MICROS) };
    let due = sqlx::query(IMPORTANCE_DUE).bind(sweep.0).bind(now.0).bind(before).execute(&mut *conn).await?;
    if due.rows_affected() == 0 {
        return Ok(());
    }
    let text = sweeps::existing(conn, sweep).await?.text;
    let rows: Vec<(Json<Params>, f64)> = sqlx::query_as(MEANS).bind(sweep.0).fetch_all(&mut *conn).await?;
    // A hundred thousand configurations take a moment that other tasks of this thread should not wait for.
    let weighed = spawn_blocking(move || {
        // A file that this build reads no more: its importance stays unknown, its runs are still worth keeping.
        let spec = besom_sweep::parse(&text).ok()?;
        let configs: Vec<_> = rows.into_iter().map(|(swept, mean)| ConfigMean { swept: swept.0, mean }).collect();
        Some(crate::domain::importance(&spec, &configs))
    });
    let weighed = weighed.await.unwrap_or_else(|error| {
        // Whatever is wrong with it must not keep a result from being stored.
        tracing::error!(sweep.id = %sweep, %error, "importance was not worked out");
        None
    });
    sqlx::query(IMPORTANCES_DROP).bind(sweep.0).execute(&mut *conn).await?;
    let Some((kind, importances)) = weighed else { return Ok(()) };
    for (place, importance) in (1_i64..).zip(importances) {
        sqlx::query(IMPORTANCE_INSERT)
            .bind(sweep.0)
            .bind(place)
            .bind(kind.as_str())
            .bind(importance.parameter)
            .bind(importance.second)
            .bind(importance.value)
            .bind(importance.cells.cast_signed())
            .bind(importance.cells_total.cast_signed())
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// Sums what ended before there were sums: of one sweep, the configurations that begin among its next `limit` jobs. Says
/// whether anything may be left.
pub(super) async fn catch_up(conn: &mut Conn, now: Timestamp, limit: u32) -> Result<bool, Failure> {
    let oldest: Option<(i64, i64)> = sqlx::query_as(UNSUMMED).bind(None::<i64>).fetch_optional(&mut *conn).await?;
    let Some((id, _)) = oldest else { return Ok(false) };
    let sweep = SweepId(id);
    dialect::lock_sweep(conn, sweep).await?;
    // Read again: another coordinator may have gone on meanwhile.
    let still: Option<(i64, i64)> = sqlx::query_as(UNSUMMED).bind(Some(id)).fetch_optional(&mut *conn).await?;
    let Some((_, after)) = still else { return Ok(true) };
    let jobs: Vec<(i64, i64)> =
        sqlx::query_as(UNSUMMED_JOBS).bind(id).bind(after).bind(i64::from(limit)).fetch_all(&mut *conn).await?;
    for &(job, earlier) in &jobs {
        if earlier == 0 {
            sum_up(conn, sweep, JobId(job)).await?;
        }
        count_classes(conn, JobId(job)).await?;
    }
    let last = jobs.last().map(|&(job, _)| job).filter(|_| jobs.len() == limit as usize);
    sqlx::query(SUMMED).bind(id).bind(last).execute(&mut *conn).await?;
    if last.is_none() {
        weigh(conn, now, sweep, true).await?;
    }
    Ok(true)
}

/// Configurations by their first jobs.
pub(super) async fn config_stats(conn: &mut Conn, page: Page) -> Result<Vec<ConfigStats>, Failure> {
    let rows = sqlx::query_as::<_, ConfigStatsRow>(STATS)
        .bind(page.sweep.0)
        .bind(page.after())
        .bind(i64::from(page.limit))
        .fetch(conn);
    reads::page(rows, |row| Ok(row.into())).await
}

/// As it was last worked out.
pub(super) async fn importance(conn: &mut Conn, sweep: SweepId) -> Result<Option<Importances>, Failure> {
    let at: Option<i64> = sqlx::query_scalar(IMPORTANCE_AT).bind(sweep.0).fetch_optional(&mut *conn).await?.flatten();
    let rows: Vec<ImportanceRow> = sqlx::query_as(IMPORTANCES).bind(sweep.0).fetch_all(conn).await?;
    let rows =
        rows.into_iter().map(<(ImportanceKind, Importance)>::try_from).collect::<Result<Vec<_>, StoreError>>()?;
    Ok(match (at, rows.first()) {
        (Some(at), Some(&(kind, _))) => Some(Importances {
            kind,
            computed_at: Timestamp(at),
            importances: rows.into_iter().map(|(_, importance)| importance).collect(),
        }),
        _ => None,
    })
}
