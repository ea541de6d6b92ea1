//! Removing a sweep: out of everybody's sight in one transaction, and then its rows, in short ones.
//!
//! What is left to do stands in the rows themselves, so any coordinator goes on where another one
//! stopped. An ended sweep has no job that could run: whoever still holds one has lost it, and no
//! result can come any more.

use std::collections::HashSet;

use super::{
    artifacts,
    dialect::{self, Conn},
    sweep_rows,
};
use crate::{
    domain::{Digest, JobCounts, Removal, Sweep, SweepId, SweepState, Timestamp},
    store::error::{Failure, StoreError},
};

const MARK: &str = include_str!("../sql/remove/mark.sql");
const WORTH: &str = include_str!("../sql/remove/worth.sql");
const ARTIFACTS: &str = include_str!("../sql/remove/artifacts.sql");
const LEFT: &str = include_str!("../sql/remove/left.sql");
const PAGE: &str = include_str!("../sql/remove/page.sql");
const RECORDS_END: &str = include_str!("../sql/remove/records_end.sql");
const RECORDS: &str = include_str!("../sql/remove/records.sql");
const CLASSES_END: &str = include_str!("../sql/remove/classes_end.sql");

/// The rows of a page of jobs, those first that name others.
const OF_JOBS: [&str; 7] = [
    include_str!("../sql/remove/epochs.sql"),
    include_str!("../sql/remove/sources.sql"),
    include_str!("../sql/remove/attempts.sql"),
    include_str!("../sql/remove/classes.sql"),
    include_str!("../sql/remove/confusions.sql"),
    include_str!("../sql/remove/sums.sql"),
    include_str!("../sql/remove/jobs.sql"),
];

/// The rows of a sweep that has no jobs any more.
const OF_SWEEP: [&str; 3] = [
    include_str!("../sql/importances_drop.sql"),
    include_str!("../sql/remove/counts.sql"),
    include_str!("../sql/remove/sweep.sql"),
];

/// Bytes of models that go in one transaction: in Postgres they are rows, too.
const MOST_BYTES: i64 = 64 << 20;

/// What would go with an ended sweep.
pub(super) async fn worth(conn: &mut Conn, id: SweepId) -> Result<Removal, Failure> {
    ended(conn, id).await?;
    let (jobs, epochs): (i64, i64) = sqlx::query_as(WORTH).bind(id.0).fetch_one(&mut *conn).await?;
    let (artifacts, bytes): (i64, i64) = sqlx::query_as(ARTIFACTS).bind(id.0).fetch_one(conn).await?;
    let [jobs, epochs, artifacts, bytes] = [jobs, epochs, artifacts, bytes].map(i64::unsigned_abs);
    Ok(Removal { jobs, epochs, artifacts, bytes })
}

/// Takes an ended sweep out of everybody's sight.
pub(super) async fn mark(conn: &mut Conn, id: SweepId) -> Result<(), Failure> {
    dialect::lock_sweep(conn, id).await?;
    ended(conn, id).await?;
    sqlx::query(MARK).bind(id.0).execute(conn).await?;
    Ok(())
}

/// The sweep, if nothing of it runs or waits any more.
async fn ended(conn: &mut Conn, id: SweepId) -> Result<Sweep, Failure> {
    let sweep = sweep_rows::existing(conn, id).await?.with(JobCounts::default())?;
    match sweep.state {
        SweepState::Completed | SweepState::Cancelled => Ok(sweep),
        SweepState::Active | SweepState::Paused => {
            let (name, state) = (&sweep.new.name, sweep.state.as_str());
            let what = format!("sweep {name:?} is {state} and cannot be removed; `besom cancel` ends it first");
            Err(StoreError::InvalidState { what }.into())
        }
    }
}

/// How many jobs are left of a sweep that is being removed; `None` if there is none of this number.
pub(super) async fn left(conn: &mut Conn, id: SweepId) -> Result<Option<u64>, Failure> {
    let left: Option<i64> = sqlx::query_scalar(LEFT).bind(id.0).fetch_optional(conn).await?;
    Ok(left.map(i64::unsigned_abs))
}

/// Removes a few rows of the oldest sweep that is to go, of at most so many jobs; says whether
/// anything may be left.
pub(super) async fn some(conn: &mut Conn, now: Timestamp, most: u32) -> Result<bool, Failure> {
    let Some((sweep, dataset)) =
        sqlx::query_as::<_, (i64, String)>(dialect::REMOVING).fetch_optional(&mut *conn).await?
    else {
        return Ok(false);
    };
    let page: Vec<Job> = sqlx::query_as(PAGE).bind(sweep).fetch_all(&mut *conn).await?;
    let Some(&Job { id: first, .. }) = page.first() else {
        for statement in OF_SWEEP {
            sqlx::query(statement).bind(sweep).execute(&mut *conn).await?;
        }
        artifacts::drop_unnamed(conn, now, Digest::parse(&dataset).as_ref()).await?;
        return Ok(true);
    };
    let records: Option<(i64, i64, i64)> = sqlx::query_as(RECORDS_END).bind(first).fetch_optional(&mut *conn).await?;
    if let Some((job, attempt, step)) = records
        && job == first
    {
        sqlx::query(RECORDS).bind(job).bind(attempt).bind(step).execute(conn).await?;
        return Ok(true);
    }
    let classes: Option<i64> = sqlx::query_scalar(CLASSES_END).bind(first).fetch_optional(&mut *conn).await?;
    let end = records.map(|(job, ..)| job).into_iter().chain(classes).min().unwrap_or(i64::MAX);
    let page = part(&page, end, most);
    let last = page.last().map_or(first, |job| job.id);
    for statement in OF_JOBS {
        sqlx::query(statement).bind(sweep).bind(first).bind(last).execute(&mut *conn).await?;
    }
    let models = page.iter().flat_map(|job| [&job.final_model, &job.best_model]).flatten();
    let models: HashSet<Digest> = models.filter_map(|digest| Digest::parse(digest)).collect();
    artifacts::drop_unnamed(conn, now, &models).await?;
    Ok(true)
}

/// A job that is to go.
#[derive(Debug, sqlx::FromRow)]
struct Job {
    id: i64,
    final_model: Option<String>,
    best_model: Option<String>,
    /// Of its models.
    bytes: i64,
}

/// The first jobs of a page: those before the job `end`, at most so many, and of not too many
/// bytes.
fn part(page: &[Job], end: i64, most: u32) -> &[Job] {
    let mut bytes = 0_i64;
    let fits = page.iter().take(most as usize).take_while(|job| {
        bytes = bytes.saturating_add(job.bytes);
        job.id < end && bytes <= MOST_BYTES
    });
    // One at least, or it would never end.
    &page[..fits.count().max(1).min(page.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_ends_before_it_takes_long_and_has_one_job_at_least() {
        let job = |(id, bytes)| Job { id, final_model: None, best_model: None, bytes };
        let page = [(3, 0), (5, MOST_BYTES), (6, 1), (9, 0)].map(job);
        for (end, most, jobs) in [(i64::MAX, 200, 2), (6, 200, 2), (5, 200, 1), (3, 200, 1), (i64::MAX, 1, 1)] {
            assert_eq!(part(&page, end, most).len(), jobs, "before {end}, at most {most}");
        }
        assert_eq!(part(&[(7, MOST_BYTES + 1), (8, 0)].map(job), i64::MAX, 200).len(), 1);
    }
}
