//! Ending an attempt with a result: exactly one per job is accepted.

use std::{collections::HashSet, time::Duration};

use besom_sweep::KeepModels;

use super::{
    acquire::after,
    artifacts,
    dialect::{self, Conn},
    epochs,
    lane::Answers,
    session, statistics,
    tally::{Tally, epoch_seconds},
};
use crate::{
    domain::{
        AttemptOutcome, AttemptRef, Completion, Digest, EpochRecord, Hindrance, JobId, JobOutcome, JobState, Lease,
        RetryDecision, RetryPolicy, Session, SweepId, Timestamp, WriteResult, after_hindrance, refuse_outcome,
        refuse_records, spread, summarize,
    },
    store::{
        error::{Failure, StoreError},
        rows::{self, Held},
    },
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

/// No limit on the deadline of the lease that ends: the worker itself says that the attempt is
/// over.
pub(super) const ANY_DEADLINE: Timestamp = Timestamp(i64::MAX);

/// The end of one attempt, as its worker tells it.
#[derive(Debug, Clone)]
pub(super) struct End {
    pub(super) session: Session,
    pub(super) completion: Completion,
    pub(super) policy: RetryPolicy,
}

/// Ends attempts, each as if it stood alone: what is refused is refused before anything of it is
/// written.
pub(super) async fn complete_all(
    conn: &mut Conn,
    now: Timestamp,
    ends: &[End],
) -> Result<Vec<Result<WriteResult, StoreError>>, Failure> {
    dialect::lock_jobs(conn, jobs(ends)).await?;
    let (mut answers, mut ending) = (Vec::with_capacity(ends.len()), Ending::default());
    for end in ends {
        answers.push(ending.end(conn, now, end).await?);
    }
    ending.tally.settle(conn, now).await?;
    Ok(answers)
}

/// The same, but for jobs of sweeps that somebody else holds, maybe for long: those are left alone.
pub(super) async fn complete_free(
    conn: &mut Conn,
    now: Timestamp,
    ends: &[End],
) -> Result<Answers<WriteResult>, Failure> {
    let free = dialect::lock_free_jobs(conn, jobs(ends)).await?;
    let (mut answers, mut ending) = (Vec::with_capacity(ends.len()), Ending::default());
    for end in ends {
        answers.push(match free.contains(&end.completion.lease.at.job) {
            true => Some(ending.end(conn, now, end).await?),
            false => None,
        });
    }
    ending.tally.settle(conn, now).await?;
    Ok(answers)
}

fn jobs(ends: &[End]) -> impl Iterator<Item = JobId> {
    ends.iter().map(|end| end.completion.lease.at.job)
}

/// What the ends of one transaction share.
#[derive(Default)]
struct Ending {
    tally: Tally,
    /// A worker often ends several jobs at once: it is looked up once.
    known: HashSet<Session>,
}

impl Ending {
    async fn end(
        &mut self,
        conn: &mut Conn,
        now: Timestamp,
        end: &End,
    ) -> Result<Result<WriteResult, StoreError>, Failure> {
        if !self.known.contains(&end.session) {
            if let Err(refusal) = session::caller(conn, end.session).await? {
                return Ok(Err(refusal));
            }
            self.known.insert(end.session);
        }
        complete(conn, now, end, &mut self.tally).await
    }
}

async fn complete(
    conn: &mut Conn,
    now: Timestamp,
    end: &End,
    tally: &mut Tally,
) -> Result<Result<WriteResult, StoreError>, Failure> {
    let End { session, completion, policy } = end;
    let (lease, at) = (completion.lease, completion.lease.at);
    let (outcome, state) = match completion.outcome {
        JobOutcome::Succeeded => (AttemptOutcome::Succeeded, JobState::Succeeded),
        JobOutcome::Stopped => (AttemptOutcome::Stopped, JobState::Stopped),
        JobOutcome::Diverged => (AttemptOutcome::Diverged, JobState::Diverged),
        // If it was the last attempt.
        JobOutcome::Failed { .. } => (AttemptOutcome::Failed, JobState::Failed),
        JobOutcome::Hindered { .. } => (AttemptOutcome::Released, JobState::Queued),
    };
    let Some(job) = session::held(conn, *session, lease, Some(&completion.config_hash)).await? else {
        return Ok(Ok(stale(conn, *session, lease, outcome).await?));
    };
    let mut records = epochs::of_attempt(conn, at, 0..=u64::MAX).await?;
    let refuse = |problem: String| {
        let what = format!("job {}, attempt {}: {problem}", at.job, at.attempt);
        Ok(Err(StoreError::InvalidState { what }))
    };
    let stored = records.last().map(|last| last.step);
    if let Some(problem) = refuse_records(job.terms.trainer, job.terms.steps, stored, &completion.epochs) {
        return refuse(problem);
    }
    let (again, new) =
        completion.epochs.split_at(completion.epochs.partition_point(|record| Some(record.step) <= stored));
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
        JobOutcome::Succeeded | JobOutcome::Stopped | JobOutcome::Diverged => {
            accept(conn, now, &job, completion, state, &records).await?;
            tally.end(job.sweep, state, job.epochs, &records);
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
                lost_attempts: job.lost_attempts,
                hindrance: None,
            };
            match policy.after_failure(failures, *retryable, spread(at)) {
                RetryDecision::Again(wait) => {
                    requeue(conn, now, &setback, wait).await?;
                }
                RetryDecision::GiveUp => {
                    fail(conn, now, &setback, Some((&records, completion.seconds))).await?;
                    tally.end(job.sweep, state, job.epochs, &records);
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
                lost_attempts: job.lost_attempts,
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
    pub(super) lost_attempts: u32,
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
        .bind(i64::from(setback.lost_attempts))
        .bind(setback.hindrance.map(|(by, _)| by.as_str()))
        .bind(setback.hindrance.map_or(0, |(_, times)| i64::from(times)))
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends the job as failed, with the records and seconds of its last attempt where they are known;
/// says whether the attempt was still running.
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
        .bind(i64::from(setback.lost_attempts))
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
    let summary = summarize(records, job.terms.steps, &job.metric, job.scored_epoch, state != JobState::Diverged);
    let (final_model, best_model) = (completion.final_model.as_ref(), completion.best_model.as_ref());
    let mut dropped = Vec::new();
    let keep = match job.keep_models {
        KeepModels::All => true,
        KeepModels::None => false,
        KeepModels::Best => leads(conn, job.sweep, at.job, summary.score, &mut dropped).await?,
    };
    let mut finish = sqlx::query(FINISH)
        .bind(at.job.0)
        .bind(i64::from(at.attempt))
        .bind(state.as_str())
        .bind(now.0)
        .bind(summary.objective)
        .bind(summary.score)
        .bind(summary.best_step.map(u64::cast_signed))
        .bind(summary.steps_done.cast_signed())
        .bind(epoch_seconds(records))
        .bind(finite(completion.seconds))
        .bind(final_model.filter(|_| keep).map(Digest::as_str))
        .bind(best_model.filter(|_| keep).map(Digest::as_str))
        .bind(serde_json::json!(summary.others));
    for value in summary.finals.into_iter().chain(summary.bests) {
        finish = finish.bind(value);
    }
    let finished = finish.execute(&mut *conn).await?;
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
            .bind(rows::stored_counts(confusion))
            .execute(&mut *conn)
            .await?;
        statistics::count_classes(conn, at.job, confusion).await?;
    }
    Ok(())
}

/// Whether a job with this score is now its sweep's best. The former best then loses its models,
/// which are `dropped`.
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

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
