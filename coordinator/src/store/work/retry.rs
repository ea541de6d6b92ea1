//! Opening a sweep again: its failed and cancelled jobs return to the queue.
//!
//! What was counted when they ended is taken back in the same transaction, so that counts, sums and
//! importance are right while the sweep goes on and when it ends anew.

use super::{
    dialect::{self, Conn},
    sweep_rows,
};
use crate::{
    domain::{JobCounts, JobId, JobState, Retried, Sweep, SweepId, SweepState},
    store::{
        error::{Failure, StoreError},
        rows::RetryRow,
    },
};

const TOTALS: &str = include_str!("../sql/sweep_retry_totals.sql");
const SUMS: &str = include_str!("../sql/sweep_retry_sums.sql");
const EMPTY_SUMS: &str = include_str!("../sql/config_sums_empty.sql");
const JOBS: &str = include_str!("../sql/sweep_retry_jobs.sql");
const COUNTS: &str = include_str!("../sql/sweep_retry_counts.sql");
const REOPEN: &str = include_str!("../sql/sweep_reopen.sql");
const STANDING: &str = include_str!("../sql/job_standing.sql");
const FIRST_JOB: &str = include_str!("../sql/config_first_job.sql");

/// The numbers of all jobs.
const ALL: (i64, i64) = (0, i64::MAX);

/// Retries one job, or all that can be retried.
pub(super) async fn retry(conn: &mut Conn, id: SweepId, job: Option<JobId>) -> Result<Retried, Failure> {
    dialect::lock_sweep(conn, id).await?;
    let sweep = sweep_rows::existing(conn, id).await?.with(JobCounts::default())?;
    let is_whole = !sweep.lacks_jobs();
    let (jobs, configs) = match job {
        None => (ALL, ALL),
        Some(job) => {
            check(conn, &sweep, job, is_whole).await?;
            let first: Option<i64> = sqlx::query_scalar(FIRST_JOB).bind(job.0).fetch_one(&mut *conn).await?;
            let first = first.unwrap_or(job.0);
            ((job.0, job.0), (first, first))
        }
    };
    let rows: Vec<RetryRow> = sqlx::query_as(TOTALS).bind(id.0).bind(jobs.0).bind(jobs.1).fetch_all(&mut *conn).await?;
    let of =
        |state: JobState| rows.iter().filter(move |row| row.state == state.as_str()).map(|row| row.jobs).sum::<i64>();
    let (failed, cancelled) = (of(JobState::Failed), of(JobState::Cancelled));
    // The jobs that a cancelled sweep still lacks are written as queued ones once it is open again.
    let opens = sweep.state.is_final() && !is_whole;
    if failed + cancelled == 0 && !opens {
        let sweep = sweep_rows::get(conn, id).await?;
        // A sweep that is open may have been opened by the same request before.
        return if sweep.state.is_final() { Err(nothing(&sweep)) } else { Ok(Retried { sweep, jobs: 0 }) };
    }
    if failed > 0 {
        let sums = sqlx::query(SUMS).bind(id.0).bind(jobs.0).bind(jobs.1).bind(configs.0).bind(configs.1);
        sums.execute(&mut *conn).await?;
        sqlx::query(EMPTY_SUMS).bind(id.0).bind(configs.0).bind(configs.1).execute(&mut *conn).await?;
    }
    sqlx::query(JOBS).bind(id.0).bind(jobs.0).bind(jobs.1).execute(&mut *conn).await?;
    sqlx::query(COUNTS)
        .bind(id.0)
        .bind(failed)
        .bind(cancelled)
        .bind(rows.iter().map(|row| row.epochs).sum::<i64>())
        .bind(rows.iter().map(|row| row.epoch_seconds).sum::<f64>())
        .execute(&mut *conn)
        .await?;
    let state = if sweep.state == SweepState::Paused { SweepState::Paused } else { SweepState::Active };
    sqlx::query(REOPEN).bind(id.0).bind(state.as_str()).execute(&mut *conn).await?;
    let sweep = sweep_rows::get(conn, id).await?;
    Ok(Retried { sweep, jobs: (failed + cancelled).unsigned_abs() })
}

/// Refuses a job that cannot be retried by itself.
async fn check(conn: &mut Conn, sweep: &Sweep, job: JobId, is_whole: bool) -> Result<(), Failure> {
    let name = &sweep.new.name;
    let standing: Option<(i64, String)> = sqlx::query_as(STANDING).bind(job.0).fetch_optional(conn).await?;
    let state = match standing {
        Some((of, state)) if of == sweep.id.0 => state,
        _ => return Err(StoreError::NotFound { what: format!("job {job} in sweep {name:?}") }.into()),
    };
    let refuse = |what: String| Err(StoreError::InvalidState { what }.into());
    match JobState::parse(&state) {
        Some(JobState::Succeeded | JobState::Stopped | JobState::Diverged) => {
            refuse(format!("job {job} of sweep {name:?} has {state}: only failed and cancelled jobs are retried"))
        }
        // Opening the sweep would bring the jobs that it lacks, too.
        Some(JobState::Failed | JobState::Cancelled) if sweep.state.is_final() && !is_whole => refuse(format!(
            "the jobs of sweep {name:?} are still being written: retry the whole sweep, or try again in a moment"
        )),
        Some(JobState::Failed | JobState::Cancelled | JobState::Queued | JobState::Running) | None => Ok(()),
    }
}

fn nothing(sweep: &Sweep) -> Failure {
    let JobCounts { succeeded, stopped, diverged, .. } = sweep.counts;
    let kept = [(succeeded, "succeeded"), (stopped, "stopped"), (diverged, "diverged")];
    let kept: Vec<_> =
        kept.iter().filter(|(count, _)| *count > 0).map(|(count, state)| format!("{count} {state}")).collect();
    let what = format!(
        "sweep {:?} has no job to retry: {}, and only failed and cancelled jobs are retried",
        sweep.new.name,
        kept.join(", ")
    );
    StoreError::InvalidState { what }.into()
}
