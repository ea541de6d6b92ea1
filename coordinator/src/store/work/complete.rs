//! Ending an attempt with a result: exactly one per job is accepted.

use std::time::Duration;

use besom_sweep::KeepModels;
use serde_json::json;

use super::{
    acquire::after,
    artifacts,
    dialect::{self, Conn},
    epochs, statistics, sweeps,
};
use crate::{
    domain::{
        AttemptOutcome, AttemptRef, Completion, Digest, EpochRecord, JobId, JobOutcome, JobState, RetryDecision,
        RetryPolicy, SweepId, Timestamp, WriteResult, spread, summarize,
    },
    store::{
        StoreError,
        failure::Failure,
        rows::{JobRow, JobStanding},
    },
};

const JOB: &str = include_str!("../sql/job.sql");
const OUTCOME: &str = include_str!("../sql/attempt_outcome.sql");
const END_ATTEMPT: &str = include_str!("../sql/attempt_end.sql");
const FINISH: &str = include_str!("../sql/job_finish.sql");
const FAIL: &str = include_str!("../sql/job_fail.sql");
const REQUEUE: &str = include_str!("../sql/job_requeue.sql");
const CONFUSION: &str = include_str!("../sql/confusion_insert.sql");
const BEST_OTHER: &str = include_str!("../sql/best_other.sql");
const DROP_MODELS: &str = include_str!("../sql/models_drop.sql");

/// How much of an error's text is kept.
const MAX_ERROR_CHARS: usize = 4_000;

/// No limit on the deadline of the lease that ends: the worker itself says that the attempt is over.
pub(super) const ANY_DEADLINE: Timestamp = Timestamp(i64::MAX);

pub(super) async fn complete(
    conn: &mut Conn,
    now: Timestamp,
    completion: &Completion,
    policy: RetryPolicy,
) -> Result<WriteResult, Failure> {
    let at = completion.at;
    let outcome = match completion.outcome {
        JobOutcome::Succeeded => AttemptOutcome::Succeeded,
        JobOutcome::Stopped => AttemptOutcome::Stopped,
        JobOutcome::Diverged => AttemptOutcome::Diverged,
        JobOutcome::Failed { .. } => AttemptOutcome::Failed,
    };
    let Some(job) = running(conn, at).await? else {
        return stale(conn, at, outcome).await;
    };
    let unacknowledged: Vec<_> = completion.epochs.iter().map(|record| (at, record)).collect();
    epochs::insert(conn, &unacknowledged).await?;
    let records = epochs::of_attempt(conn, at).await?;
    let error = match &completion.outcome {
        JobOutcome::Succeeded => {
            accept(conn, now, &job, completion, JobState::Succeeded, &records).await?;
            None
        }
        JobOutcome::Stopped => {
            accept(conn, now, &job, completion, JobState::Stopped, &records).await?;
            None
        }
        JobOutcome::Diverged => {
            accept(conn, now, &job, completion, JobState::Diverged, &records).await?;
            None
        }
        JobOutcome::Failed { error, retryable } => {
            let error = readable(error);
            let failures = job.failures + 1;
            let setback = Setback { at, deadline: ANY_DEADLINE, error: Some(&error), failures, losses: job.losses };
            match policy.after_failure(failures, *retryable, spread(at)) {
                RetryDecision::Again(wait) => requeue(conn, now, &setback, wait).await?,
                RetryDecision::GiveUp => fail(conn, now, &setback, Some((&records, completion.seconds))).await?,
            };
            Some(error)
        }
    };
    end_attempt(conn, now, at, outcome, error.as_deref()).await?;
    statistics::sum_up(conn, job.sweep, at.job).await?;
    sweeps::complete_if_done(conn, now, job.sweep).await?;
    Ok(WriteResult::Accepted)
}

/// The job, locked, if this attempt of it still runs.
pub(super) async fn running(conn: &mut Conn, at: AttemptRef) -> Result<Option<JobStanding>, Failure> {
    let Some(job) = standing(conn, at.job).await? else { return Ok(None) };
    dialect::lock_sweep(conn, job.sweep).await?;
    dialect::lock_job(conn, at.job).await?;
    // Read again: only now does it stay as it is.
    let job = standing(conn, at.job).await?;
    Ok(job.filter(|job| job.state == JobState::Running && job.at == at))
}

/// The answer for an attempt that does not run any more: the same outcome again is no news.
pub(super) async fn stale(conn: &mut Conn, at: AttemptRef, outcome: AttemptOutcome) -> Result<WriteResult, Failure> {
    Ok(match outcome_of(conn, at).await? {
        Some(stored) if stored == outcome => WriteResult::Accepted,
        Some(AttemptOutcome::Cancelled) => WriteResult::Cancelled,
        Some(
            AttemptOutcome::Succeeded
            | AttemptOutcome::Stopped
            | AttemptOutcome::Diverged
            | AttemptOutcome::Failed
            | AttemptOutcome::Lost
            | AttemptOutcome::Released,
        )
        | None => WriteResult::LeaseLost,
    })
}

/// How an attempt ended; `None` if it runs or never was.
pub(super) async fn outcome_of(conn: &mut Conn, at: AttemptRef) -> Result<Option<AttemptOutcome>, Failure> {
    let word: Option<Option<String>> =
        sqlx::query_scalar(OUTCOME).bind(at.job.0).bind(i64::from(at.attempt)).fetch_optional(conn).await?;
    let Some(word) = word.flatten() else { return Ok(None) };
    let outcome = AttemptOutcome::parse(&word).ok_or_else(|| StoreError::Corrupt {
        table: "attempts",
        id: at.job.to_string(),
        problem: format!("outcome is {word:?}"),
    })?;
    Ok(Some(outcome))
}

pub(super) async fn end_attempt(
    conn: &mut Conn,
    now: Timestamp,
    at: AttemptRef,
    outcome: AttemptOutcome,
    error: Option<&str>,
) -> Result<(), Failure> {
    sqlx::query(END_ATTEMPT)
        .bind(at.job.0)
        .bind(i64::from(at.attempt))
        .bind(outcome.as_str())
        .bind(now.0)
        .bind(error)
        .execute(conn)
        .await?;
    Ok(())
}

/// An attempt that ended without a result, and what it costs its job.
pub(super) struct Setback<'e> {
    pub(super) at: AttemptRef,
    /// Only a lease that ends by then.
    pub(super) deadline: Timestamp,
    pub(super) error: Option<&'e str>,
    pub(super) failures: u32,
    pub(super) losses: u32,
}

/// Puts the job back; says whether the attempt was still running.
pub(super) async fn requeue(
    conn: &mut Conn,
    now: Timestamp,
    setback: &Setback<'_>,
    wait: Duration,
) -> Result<bool, Failure> {
    let done = sqlx::query(REQUEUE)
        .bind(setback.at.job.0)
        .bind(i64::from(setback.at.attempt))
        .bind(setback.deadline.0)
        .bind(after(now, wait).0)
        .bind(setback.error)
        .bind(i64::from(setback.failures))
        .bind(i64::from(setback.losses))
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends the job as failed, with the records and seconds of its last attempt where they are known; says whether the
/// attempt was still running.
pub(super) async fn fail(
    conn: &mut Conn,
    now: Timestamp,
    setback: &Setback<'_>,
    last: Option<(&[EpochRecord], f64)>,
) -> Result<bool, Failure> {
    let done = sqlx::query(FAIL)
        .bind(setback.at.job.0)
        .bind(i64::from(setback.at.attempt))
        .bind(setback.deadline.0)
        .bind(now.0)
        .bind(setback.error)
        .bind(i64::from(setback.failures))
        .bind(i64::from(setback.losses))
        .bind(last.map(|(records, _)| records.len() as i64))
        .bind(last.map(|(records, _)| epoch_seconds(records)))
        .bind(last.and_then(|(_, seconds)| finite(seconds)))
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

async fn standing(conn: &mut Conn, job: JobId) -> Result<Option<JobStanding>, Failure> {
    let row: Option<JobRow> = sqlx::query_as(JOB).bind(job.0).fetch_optional(conn).await?;
    Ok(row.map(JobStanding::try_from).transpose()?)
}

async fn accept(
    conn: &mut Conn,
    now: Timestamp,
    job: &JobStanding,
    completion: &Completion,
    state: JobState,
    records: &[EpochRecord],
) -> Result<(), Failure> {
    let at = completion.at;
    if let Some((missing, found)) = (1..).zip(records).find(|(epoch, record)| record.epoch != *epoch) {
        let what =
            format!("job {}, attempt {}: no record of epoch {missing}, but of {}", at.job, at.attempt, found.epoch);
        return Err(StoreError::InvalidState { what }.into());
    }
    let summary = summarize(records, job.metric, job.objective, state != JobState::Diverged);
    let (final_model, best_model) = (completion.final_model.as_ref(), completion.best_model.as_ref());
    if let Some(problem) = artifacts::unfit_model(conn, completion).await? {
        let what = format!("job {}, attempt {}: {problem}", at.job, at.attempt);
        return Err(StoreError::InvalidState { what }.into());
    }
    let mut dropped = Vec::new();
    let keep = match job.keep_models {
        KeepModels::All => true,
        KeepModels::None => false,
        KeepModels::Best => leads(conn, job.sweep, at.job, summary.score, &mut dropped).await?,
    };
    let finished = sqlx::query(FINISH)
        .bind(at.job.0)
        .bind(i64::from(at.attempt))
        .bind(state.as_str())
        .bind(now.0)
        .bind(summary.objective)
        .bind(summary.score)
        .bind(summary.final_loss)
        .bind(summary.final_accuracy)
        .bind(summary.final_val_loss)
        .bind(summary.final_val_accuracy)
        .bind(summary.best_val_loss)
        .bind(summary.best_val_accuracy)
        .bind(summary.best_epoch.map(i64::from))
        .bind(i64::from(summary.epochs_done))
        .bind(epoch_seconds(records))
        .bind(finite(completion.seconds))
        .bind(final_model.filter(|_| keep).map(Digest::as_str))
        .bind(best_model.filter(|_| keep).map(Digest::as_str))
        .execute(&mut *conn)
        .await?;
    if finished.rows_affected() != 1 {
        let problem = format!("attempt {} ended although it was locked", at.attempt);
        return Err(StoreError::Corrupt { table: "jobs", id: at.job.to_string(), problem }.into());
    }
    if !keep {
        dropped.extend(final_model.into_iter().chain(best_model).cloned());
    }
    artifacts::drop_unnamed(conn, now, &dropped).await?;
    if let Some(confusion) = &completion.confusion {
        sqlx::query(CONFUSION)
            .bind(at.job.0)
            .bind(i64::from(confusion.classes))
            .bind(json!(confusion.counts))
            .execute(&mut *conn)
            .await?;
        statistics::count_classes(conn, at.job).await?;
    }
    Ok(())
}

/// Whether a job with this score is now its sweep's best. The former best then loses its models, which are `dropped`.
async fn leads(
    conn: &mut Conn,
    sweep: SweepId,
    job: JobId,
    score: Option<f64>,
    dropped: &mut Vec<Digest>,
) -> Result<bool, Failure> {
    let Some(score) = score else { return Ok(false) };
    let other: Option<(i64, f64)> =
        sqlx::query_as(BEST_OTHER).bind(sweep.0).bind(job.0).fetch_optional(&mut *conn).await?;
    match other {
        None => Ok(true),
        // The order of the view best_runs: the higher score, then the earlier job.
        Some((other, its)) if score > its || (score == its && job.0 < other) => {
            dropped.extend(artifacts::models_of(conn, JobId(other)).await?);
            sqlx::query(DROP_MODELS).bind(other).execute(conn).await?;
            Ok(true)
        }
        Some(_) => Ok(false),
    }
}

/// Cut to its limit, without the one character that Postgres cannot store.
fn readable(error: &str) -> String {
    error.chars().filter(|&c| c != '\0').take(MAX_ERROR_CHARS).collect()
}

fn epoch_seconds(records: &[EpochRecord]) -> f64 {
    records.iter().map(|record| record.seconds).sum()
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
