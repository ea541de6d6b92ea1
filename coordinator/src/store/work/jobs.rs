//! Writing a sweep's jobs, batch by batch.

use besom_sweep::{Params, TRAINER};
use serde_json::{Value, json};

use super::{
    dialect::{self, Conn},
    sweep_rows,
};
use crate::{
    domain::{JobCounts, JobState, NewJob, SweepId, SweepState, Timestamp},
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
    let values = Value::Array(jobs.iter().map(row).collect::<Result<Vec<Value>, StoreError>>()?);
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
    sqlx::query(dialect::JOB_CONFIGS_INSERT).bind(id.0).bind(&values).execute(&mut *conn).await?;
    let epochs: i64 = jobs.iter().map(|job| i64::from(job.epochs)).sum();
    let cancelled = if state == JobState::Cancelled { jobs.len() as i64 } else { 0 };
    sqlx::query(COUNT_CREATED).bind(id.0).bind(epochs).bind(cancelled).execute(&mut *conn).await?;
    sqlx::query(CREATED).bind(id.0).bind(created.cast_signed()).execute(&mut *conn).await?;
    if sweep.new.jobs_total == Some(created) && created >= MANY_JOBS {
        dialect::jobs_grew(conn).await?;
    }
    Ok(created)
}

/// One row in the order of `jobs_insert.sql`, its typed columns taken from the job's params.
fn row(job: &NewJob) -> Result<Value, StoreError> {
    let params = &job.params;
    let config: Value = serde_json::from_str(&job.config)
        .map_err(|error| StoreError::InvalidState { what: format!("the configuration of a job: {error}") })?;
    let device = config.get("device").and_then(Value::as_str).ok_or_else(|| refused("device"))?;
    Ok(json!([
        TRAINER,
        job.config_hash,
        params,
        job.seed,
        job.engine,
        device,
        text(params, "optimizer")?,
        number(params, "learning_rate")?,
        integer(params, "batch_size")?,
        job.epochs,
        widths(params)?,
        text(params, "activation")?,
        number(params, "dropout")?,
        job.config,
    ]))
}

fn text<'p>(params: &'p Params, name: &str) -> Result<&'p str, StoreError> {
    params.get(name).and_then(Value::as_str).ok_or_else(|| refused(name))
}

fn number(params: &Params, name: &str) -> Result<f64, StoreError> {
    params.get(name).and_then(Value::as_f64).ok_or_else(|| refused(name))
}

fn integer(params: &Params, name: &str) -> Result<i64, StoreError> {
    params.get(name).and_then(Value::as_i64).ok_or_else(|| refused(name))
}

/// `[32, 32]`: one spelling, since the databases print JSON lists differently.
fn widths(params: &Params) -> Result<String, StoreError> {
    let list = params.get("hidden").and_then(Value::as_array).ok_or_else(|| refused("hidden"))?;
    let words: Vec<String> = list.iter().map(Value::to_string).collect();
    Ok(format!("[{}]", words.join(", ")))
}

fn refused(name: &str) -> StoreError {
    StoreError::InvalidState { what: format!("a job's {name} is missing or of the wrong type") }
}
