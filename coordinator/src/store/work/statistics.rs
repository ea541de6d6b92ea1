//! What is worked out when runs end, since SQL cannot: sums of a configuration, importance of hyperparameters.
//!
//! A configuration's few seeds are read again at every end of one of its runs, so nothing adds up wrongly over retries.
//! All of it is written under the lock of its sweep.

use serde_json::Value;
use sqlx::types::Json;

use super::{
    dialect::{self, Conn},
    reads::Page,
};
use crate::{
    domain::{
        ConfigRun, ConfigStats, ConfigSums, Estimate, Importance, ImportanceKind, Importances, JobId, SweepId,
        Timestamp,
    },
    store::{
        StoreError,
        failure::Failure,
        rows::{ConfigRunRow, ConfigStatsRow, ImportanceRow},
    },
};

const RUNS: &str = include_str!("../sql/config_runs.sql");
const SWEPT: &str = include_str!("../sql/config_swept.sql");
const UPDATE: &str = include_str!("../sql/config_sums_update.sql");
const INSERT: &str = include_str!("../sql/config_sums_insert.sql");
const STATS: &str = include_str!("../sql/config_stats.sql");
const IMPORTANCES: &str = include_str!("../sql/importances.sql");
const IMPORTANCE_AT: &str = include_str!("../sql/importance_at.sql");

/// Sums the configuration of a job that has just ended.
pub(super) async fn sum_up(conn: &mut Conn, sweep: SweepId, job: JobId) -> Result<(), Failure> {
    let rows: Vec<ConfigRunRow> = sqlx::query_as(RUNS).bind(job.0).fetch_all(&mut *conn).await?;
    let first = rows.iter().map(|row| row.job).min().unwrap_or(job.0);
    let runs = rows.into_iter().map(ConfigRun::try_from).collect::<Result<Vec<_>, StoreError>>()?;
    let sums = ConfigSums::of(&runs);
    if sums.is_empty() {
        return Ok(());
    }
    let updated = write(UPDATE, sweep, first, &sums).execute(&mut *conn).await?;
    if updated.rows_affected() == 0 {
        let (names, params): (Json<Vec<String>>, Json<serde_json::Map<String, Value>>) =
            sqlx::query_as(SWEPT).bind(first).fetch_one(&mut *conn).await?;
        let mut swept = params.0;
        swept.retain(|name, _| names.contains(name));
        write(INSERT, sweep, first, &sums).bind(Value::Object(swept)).execute(conn).await?;
    }
    Ok(())
}

type Statement = sqlx::query::Query<'static, dialect::Db, <dialect::Db as sqlx::Database>::Arguments>;

/// The parameters that inserting and updating share.
fn write(sql: &'static str, sweep: SweepId, first: i64, sums: &ConfigSums) -> Statement {
    let bind = |statement: Statement, estimate: Option<Estimate>| {
        let spread = estimate.and_then(|estimate| estimate.spread);
        statement
            .bind(estimate.map(|estimate| estimate.mean))
            .bind(spread.map(|spread| spread.deviation))
            .bind(spread.map(|spread| spread.low))
            .bind(spread.map(|spread| spread.high))
    };
    let statement = sqlx::query(sql)
        .bind(sweep.0)
        .bind(first)
        .bind(i64::from(sums.n))
        .bind(i64::from(sums.diverged))
        .bind(i64::from(sums.failed));
    let statement = bind(statement, sums.final_val_accuracy);
    bind(statement, sums.best_val_accuracy).bind(sums.mean_seconds).bind(sums.objective_mean)
}

/// Configurations by their first jobs.
pub(super) async fn config_stats(conn: &mut Conn, page: Page) -> Result<Vec<ConfigStats>, Failure> {
    let rows: Vec<ConfigStatsRow> =
        sqlx::query_as(STATS).bind(page.sweep.0).bind(page.after()).bind(i64::from(page.limit)).fetch_all(conn).await?;
    Ok(rows.into_iter().map(ConfigStats::try_from).collect::<Result<_, StoreError>>()?)
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
