//! Ending an attempt with a result: exactly one per job is accepted.

use std::{collections::HashSet, time::Duration};

use besom_sweep::KeepModels;
use serde_json::json;

use super::{
    acquire::after,
    artifacts,
    dialect::{self, Conn},
    epochs, session, statistics,
    tally::Tally,
};
use crate::{
    domain::{
        AttemptOutcome, AttemptRef, Completion, Digest, EpochRecord, Hindrance, JobId, JobOutcome, JobState, Lease,
        RetryDecision, RetryPolicy, Session, SweepId, Timestamp, WriteResult, after_hindrance, refuse_outcome,
        refuse_records, spread, summarize,
    },
    store::{StoreError, failure::Failure, rows::Held},
};

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

/// The end of one attempt, as its worker tells it.
#[derive(Debug, Clone)]
pub(super) struct End {
    pub(super) session: Session,
    pub(super) completion: Completion,
    pub(super) policy: RetryPolicy,
}

/// Ends attempts, each as if it stood alone: what is refused is refused before anything of it is written.
pub(super) async fn complete_all(
    conn: &mut Conn,
    now: Timestamp,
    ends: &[End],
) -> Result<Vec<Result<WriteResult, StoreError>>, Failure> {
    dialect::lock_jobs(conn, ends.iter().map(|end| end.completion.lease.at.job)).await?;
    let (mut answers, mut tally) = (Vec::with_capacity(ends.len()), Tally::default());
    // A worker often ends several jobs at once: it is looked up once.
    let mut known: HashSet<Session> = HashSet::new();
    for end in ends {
        if !known.contains(&end.session) {
            if let Err(refusal) = session::calling(conn, now, end.session).await? {
                answers.push(Err(refusal));
                continue;
            }
            known.insert(end.session);
        }
        answers.push(complete(conn, now, end, &mut tally).await?);
    }
    tally.settle(conn, now).await?;
    Ok(answers)
}

async fn complete(
    conn: &mut Conn,
    now: Timestamp,
    end: &End,
    tally: &mut Tally,
) -> Result<Result<WriteResult, StoreError>, Failure> {
    let End { session, completion, policy } = end;
    let (lease, at) = (completion.lease, completion.lease.at);
    let outcome = match completion.outcome {
        JobOutcome::Succeeded => AttemptOutcome::Succeeded,
        JobOutcome::Stopped => AttemptOutcome::Stopped,
        JobOutcome::Diverged => AttemptOutcome::Diverged,
        JobOutcome::Failed { .. } => AttemptOutcome::Failed,
        JobOutcome::Hindered { .. } => AttemptOutcome::Released,
    };
    let Some(job) = session::held(conn, *session, lease, Some(&completion.config_hash)).await? else {
        return Ok(Ok(stale(conn, *session, lease, outcome).await?));
    };
    let mut records = epochs::of_attempt(conn, at).await?;
    let refuse = |problem: String| {
        let what = format!("job {}, attempt {}: {problem}", at.job, at.attempt);
        Ok(Err(StoreError::InvalidState { what }))
    };
    let stored = records.last().map_or(0, |last| last.epoch);
    if let Some(problem) = refuse_records(job.terms.epochs, stored, &completion.epochs) {
        return refuse(problem);
    }
    let (again, new) = completion.epochs.split_at(completion.epochs.partition_point(|record| record.epoch <= stored));
    if let Some(problem) = epochs::contradiction(&records, again) {
        return refuse(problem);
    }
    records.extend_from_slice(new);
    if let Some(problem) = refuse_outcome(job.terms, &completion.outcome, &records) {
        return refuse(problem);
    }
    if let (Some(classes), Some(confusion)) = (job.terms.classes, &completion.confusion)
        && confusion.classes != classes
    {
        return refuse(format!(
            "expected a confusion matrix of the dataset's {classes} classes, got one of {}",
            confusion.classes
        ));
    }
    if let Some(problem) = artifacts::unfit_model(conn, completion).await? {
        return refuse(problem);
    }

    let unacknowledged: Vec<_> = new.iter().map(|record| (at, record)).collect();
    epochs::insert(conn, &unacknowledged).await?;
    let error = match &completion.outcome {
        JobOutcome::Succeeded => {
            accept(conn, now, &job, completion, JobState::Succeeded, &records).await?;
            tally.end(job.sweep, JobState::Succeeded, job.terms.epochs, &records);
            None
        }
        JobOutcome::Stopped => {
            accept(conn, now, &job, completion, JobState::Stopped, &records).await?;
            tally.end(job.sweep, JobState::Stopped, job.terms.epochs, &records);
            None
        }
        JobOutcome::Diverged => {
            accept(conn, now, &job, completion, JobState::Diverged, &records).await?;
            tally.end(job.sweep, JobState::Diverged, job.terms.epochs, &records);
            None
        }
        JobOutcome::Failed { error, retryable } => {
            let error = readable(error);
            let failures = job.failures + 1;
            let setback = Setback {
                at,
                deadline: ANY_DEADLINE,
                error: Some(&error),
                failures,
                losses: job.losses,
                hindrance: None,
            };
            match policy.after_failure(failures, *retryable, spread(at)) {
                RetryDecision::Again(wait) => {
                    requeue(conn, now, &setback, wait).await?;
                }
                RetryDecision::GiveUp => {
                    fail(conn, now, &setback, Some((&records, completion.seconds))).await?;
                    tally.end(job.sweep, JobState::Failed, job.terms.epochs, &records);
                }
            }
            Some(error)
        }
        JobOutcome::Hindered { problem, by } => {
            let (problem, times) = (readable(problem), job.hindrances.saturating_add(1));
            let setback = Setback {
                at,
                deadline: ANY_DEADLINE,
                error: Some(&problem),
                failures: job.failures,
                losses: job.losses,
                hindrance: Some((*by, times)),
            };
            requeue(conn, now, &setback, after_hindrance(*by, times, spread(at))).await?;
            Some(problem)
        }
    };
    end_attempt(conn, now, at, outcome, error.as_deref()).await?;
    statistics::sum_up(conn, job.sweep, at.job).await?;
    Ok(Ok(WriteResult::Accepted))
}

/// The answer for an attempt that does not run any more: the same outcome again is no news.
pub(super) async fn stale(
    conn: &mut Conn,
    session: Session,
    lease: Lease,
    outcome: AttemptOutcome,
) -> Result<WriteResult, Failure> {
    Ok(match session::outcome(conn, session, lease).await? {
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
    /// What kept it from being trained, and how often in a row.
    pub(super) hindrance: Option<(Hindrance, u32)>,
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
        .bind(setback.hindrance.map(|(by, _)| by.as_str()))
        .bind(setback.hindrance.map_or(0, |(_, times)| i64::from(times)))
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

async fn accept(
    conn: &mut Conn,
    now: Timestamp,
    job: &Held,
    completion: &Completion,
    state: JobState,
    records: &[EpochRecord],
) -> Result<(), Failure> {
    let at = completion.lease.at;
    let summary = summarize(records, job.metric, job.objective, state != JobState::Diverged);
    let (final_model, best_model) = (completion.final_model.as_ref(), completion.best_model.as_ref());
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
