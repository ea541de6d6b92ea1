//! Writing a sweep's jobs, batch by batch.

use serde_json::{Value, json};

use super::{
    dialect::{self, Conn},
    sweep_rows,
};
use crate::{
    domain::{JobCounts, JobState, NewJob, SweepId, SweepState, Timestamp, promoted},
    store::error::{Failure, StoreError},
};

const COUNT_CREATED: &str = include_str!("../sql/sweep_counts_created.sql");
const CREATED: &str = include_str!("../sql/sweep_jobs_created.sql");

/// From so many jobs on, a sweep changes what the planner should know of the table.
const MANY_JOBS: u64 = 1_000;

pub(super) async fn add(
    conn: &mut Conn,
    now: Timestamp,
    id: SweepId,
    first: u64,
    jobs: &[NewJob],
) -> Result<u64, Failure> {
    dialect::lock_sweep(conn, id).await?;
    let sweep = sweep_rows::existing(conn, id).await?.with(JobCounts::default())?;
    if sweep.jobs_created != first || jobs.is_empty() {
        return Ok(sweep.jobs_created);
    }
    let created = first + jobs.len() as u64;
    if let Some(total) = sweep.new.jobs_total.filter(|&total| created > total) {
        let what = format!("sweep {:?} has {total} jobs, not {created}", sweep.new.name);
        return Err(StoreError::InvalidState { what }.into());
    }
    let (state, ended_at) = match sweep.state {
        SweepState::Active | SweepState::Paused | SweepState::Completed => (JobState::Queued, None),
        SweepState::Cancelled => (JobState::Cancelled, Some(now.0)),
    };
    let values = Value::Array(jobs.iter().map(|job| row(&sweep.new.trainer, job)).collect());
    sqlx::query(dialect::JOBS_INSERT)
        .bind(id.0)
        .bind(&values)
        .bind(state.as_str())
        .bind(ended_at)
        .execute(&mut *conn)
        .await
        .map_err(|error| match &error {
            sqlx::Error::Database(problem) if problem.is_unique_violation() => {
                let what = format!("sweep {:?}: two of its jobs are the same", sweep.new.name);
                Failure::Store(StoreError::InvalidState { what })
            }
            _ => Failure::Database(error),
        })?;
    let epochs: i64 = jobs.iter().map(|job| i64::from(promoted::epochs(&job.params))).sum();
    let cancelled = if state == JobState::Cancelled { jobs.len() as i64 } else { 0 };
    sqlx::query(COUNT_CREATED).bind(id.0).bind(epochs).bind(cancelled).execute(&mut *conn).await?;
    sqlx::query(CREATED).bind(id.0).bind(created.cast_signed()).execute(&mut *conn).await?;
    if sweep.new.jobs_total == Some(created) && created >= MANY_JOBS {
        dialect::jobs_grew(conn).await?;
    }
    Ok(created)
}

/// One row in the order of `jobs_insert.sql`.
fn row(trainer: &str, job: &NewJob) -> Value {
    let mut row = vec![
        json!(trainer),
        json!(job.config_hash),
        json!(job.params),
        json!(job.seed),
        json!(job.engine),
        json!(job.device),
    ];
    row.extend(promoted::columns(&job.params));
    Value::Array(row)
}
