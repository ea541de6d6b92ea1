//! Epoch records of running attempts.

use std::ops::RangeInclusive;

use serde_json::{Value, json};

use super::dialect::{self, Conn};
use crate::{
    domain::{AttemptRef, EpochRecord, promoted, repeats},
    store::{
        error::{Failure, StoreError},
        rows::EpochRow,
    },
};

const OF_ATTEMPT: &str = include_str!("../sql/attempt_epochs.sql");

/// Stores the records of attempts that still run; leaves alone what is there already and what is
/// stale. Says how many it stored.
pub(super) async fn insert(conn: &mut Conn, records: &[(AttemptRef, &EpochRecord)]) -> Result<u64, Failure> {
    let values = records.iter().map(|(at, record)| row(*at, record)).collect::<Result<Vec<Value>, StoreError>>()?;
    if values.is_empty() {
        return Ok(0);
    }
    let done = sqlx::query(dialect::EPOCHS_INSERT).bind(Value::Array(values)).execute(conn).await?;
    Ok(done.rows_affected())
}

/// Where records that come again differ from the stored ones of their attempt.
pub(super) fn contradiction(stored: &[EpochRecord], again: &[EpochRecord]) -> Option<String> {
    let differs = again.iter().find(|record| {
        let place = stored.binary_search_by_key(&record.step, |stored| stored.step);
        !place.is_ok_and(|place| repeats(&stored[place], record))
    })?;
    Some(format!("expected the record of epoch {} again as it is stored, got another one", differs.step))
}

/// The stored records of an attempt that are of these steps, ascending. There may be a hundred
/// thousand.
pub(super) async fn of_attempt(
    conn: &mut Conn,
    at: AttemptRef,
    steps: RangeInclusive<u64>,
) -> Result<Vec<EpochRecord>, Failure> {
    let rows: Vec<EpochRow> = sqlx::query_as(OF_ATTEMPT)
        .bind(at.job.0)
        .bind(i64::from(at.attempt))
        .bind(number(*steps.start()))
        .bind(number(*steps.end()))
        .fetch_all(conn)
        .await?;
    let record = |row: EpochRow| <(AttemptRef, EpochRecord)>::try_from(row).map(|(_, record)| record);
    Ok(rows.into_iter().map(record).collect::<Result<_, StoreError>>()?)
}

/// A step as the databases hold it; none is so large that it is cut.
fn number(step: u64) -> i64 {
    i64::try_from(step).unwrap_or(i64::MAX)
}

/// One row in the order of `epochs_insert.sql`. What it refuses no worker gets so far as to say;
/// other callers of the store are not bounded before.
fn row(at: AttemptRef, record: &EpochRecord) -> Result<Value, StoreError> {
    let refused = |problem: &str| {
        let what = format!("job {}, attempt {}, step {}: {problem}", at.job, at.attempt, record.step);
        StoreError::InvalidState { what }
    };
    if i64::try_from(record.step).is_err() {
        return Err(refused("a step has to fit into 63 bits"));
    }
    if [record.learning_rate, record.seconds].into_iter().flatten().any(|number| !number.is_finite()) {
        return Err(refused("learning_rate and seconds have to be finite"));
    }
    // A number that is not finite has no form in JSON: its column is null, and it is left out of
    // `metrics`.
    let others: serde_json::Map<String, Value> = record
        .metrics
        .iter()
        .filter(|(name, value)| value.is_finite() && !promoted::has_column(name.as_str()))
        .map(|(name, value)| (name.as_str().to_owned(), json!(value)))
        .collect();
    let mut row = vec![json!(at.job.0), json!(at.attempt), json!(record.step)];
    row.extend(promoted::METRICS.iter().map(|metric| json!(record.metric(metric.name))));
    row.extend([json!(record.learning_rate), json!(record.seconds), Value::Object(others)]);
    Ok(Value::Array(row))
}
