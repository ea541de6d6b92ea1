//! Sweeps as rows: looking them up, with their counts.

use std::collections::HashMap;

use besom_sweep::SweepName;
use tracing::warn;

use super::dialect::{self, Conn};
use crate::{
    domain::{JobCounts, StoredSpec, Sweep, SweepId},
    store::{
        error::{Failure, StoreError},
        rows::{CountRow, SweepRow, Totals},
    },
};

const SELECT: &str = include_str!("../sql/sweeps.sql");
const SPEC: &str = include_str!("../sql/sweep_spec.sql");
const COUNTS: &str = include_str!("../sql/sweep_counts.sql");

/// By name or, where no sweep has that name, by number; see the contract.
pub(super) async fn find(conn: &mut Conn, name_or_number: &str) -> Result<Sweep, Failure> {
    let mut row = row_by_name(conn, name_or_number).await?;
    if row.is_none()
        && name_or_number.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(number) = name_or_number.parse()
    {
        row = row_by_id(conn, SweepId(number)).await?;
    }
    // A name that is no handle is found by the handle that is made from it. The handle alone proves
    // nothing: of texts that merely look like it, many have the same one, and the sweep may be
    // about to be cancelled.
    if row.is_none()
        && let Ok(name) = SweepName::new(name_or_number)
    {
        let named = row_by_name(conn, name.handle()).await?;
        row = named.filter(|row| row.title() == name.title() || row.name == name.title());
    }
    match row {
        Some(row) => with_counts(conn, row).await,
        None => {
            let all = rows(conn, None, None, None).await?;
            let handle = besom_sweep::handle(name_or_number);
            let likeness = |row: &SweepRow| {
                [name_or_number, &handle]
                    .map(|text| strsim::jaro_winkler(&row.name, text))
                    .into_iter()
                    .fold(0.0, f64::max)
            };
            let similar = all
                .iter()
                .map(|row| (likeness(row), &row.name))
                .filter(|(likeness, _)| *likeness > 0.8)
                .max_by(|a, b| a.0.total_cmp(&b.0));
            let what = match similar {
                Some((_, name)) => format!("sweep {name_or_number:?} (did you mean {name:?}?)"),
                None => format!("sweep {name_or_number:?}"),
            };
            Err(missing(what))
        }
    }
}

/// The sweep of that number.
pub(super) async fn get(conn: &mut Conn, id: SweepId) -> Result<Sweep, Failure> {
    let row = existing(conn, id).await?;
    with_counts(conn, row).await
}

/// All, newest first.
pub(super) async fn list(conn: &mut Conn) -> Result<Vec<Sweep>, Failure> {
    let sweeps = rows(conn, None, None, None).await?;
    let mut totals: HashMap<i64, Totals> = HashMap::new();
    for row in sqlx::query_as::<_, CountRow>(COUNTS).bind(None::<i64>).fetch_all(&mut *conn).await? {
        totals.insert(row.sweep_id, row.into());
    }
    let with = |row: SweepRow| {
        let counts = totals.get(&row.id).map_or_else(JobCounts::default, |total| total.counts);
        row.with(counts)
    };
    let mut sweeps = readable(sweeps.into_iter().map(with));
    for sweep in &mut sweeps {
        sweep.problem = problem(conn, sweep).await?;
    }
    Ok(sweeps)
}

/// Those whose jobs are not all created, newest first. Without counts: nobody asks for them here.
pub(super) async fn unexpanded(conn: &mut Conn) -> Result<Vec<Sweep>, Failure> {
    let sweeps = rows(conn, None, None, Some(1)).await?;
    Ok(readable(sweeps.into_iter().map(|row| row.with(JobCounts::default()))))
}

/// One damaged sweep must not hide the others.
fn readable(sweeps: impl Iterator<Item = Result<Sweep, StoreError>>) -> Vec<Sweep> {
    let readable = |sweep: Result<Sweep, StoreError>| {
        sweep.inspect_err(|error| warn!(%error, "a sweep cannot be read and is left out")).ok()
    };
    sweeps.filter_map(readable).collect()
}

/// The sweep's row, without counts.
pub(super) async fn existing(conn: &mut Conn, id: SweepId) -> Result<SweepRow, Failure> {
    row_by_id(conn, id).await?.ok_or_else(|| missing(format!("sweep {id}")))
}

/// What the sweep asks for.
pub(super) async fn spec(conn: &mut Conn, id: SweepId) -> Result<StoredSpec, Failure> {
    let row: Option<(Option<String>, Option<String>)> = sqlx::query_as(SPEC).bind(id.0).fetch_optional(conn).await?;
    match row {
        Some((Some(spec), _)) => Ok(StoredSpec::Checked(spec)),
        Some((None, text)) => Ok(StoredSpec::File(text.unwrap_or_default())),
        None => Err(missing(format!("sweep {id}"))),
    }
}

/// Counts and sums over the sweep's jobs.
pub(super) async fn totals(conn: &mut Conn, id: SweepId) -> Result<Totals, Failure> {
    let row: Option<CountRow> = sqlx::query_as(COUNTS).bind(Some(id.0)).fetch_optional(conn).await?;
    Ok(row.map(Totals::from).unwrap_or_default())
}

/// What keeps the jobs of a sweep from being trained.
pub(super) async fn problem(conn: &mut Conn, sweep: &Sweep) -> Result<Option<String>, Failure> {
    if sweep.state.is_final() {
        return Ok(None);
    }
    let problem: Option<Option<String>> =
        sqlx::query_scalar(dialect::HINDRANCE).bind(sweep.id.0).fetch_optional(conn).await?;
    Ok(problem.flatten())
}

/// The sweep of a row, with its counts and what keeps its jobs from being trained.
pub(super) async fn with_counts(conn: &mut Conn, row: SweepRow) -> Result<Sweep, Failure> {
    let totals = totals(conn, SweepId(row.id)).await?;
    let mut sweep = row.with(totals.counts)?;
    sweep.problem = problem(conn, &sweep).await?;
    Ok(sweep)
}

async fn row_by_id(conn: &mut Conn, id: SweepId) -> Result<Option<SweepRow>, Failure> {
    Ok(rows(conn, Some(id.0), None, None).await?.pop())
}

/// The row of the sweep that has this handle.
pub(super) async fn row_by_name(conn: &mut Conn, name: &str) -> Result<Option<SweepRow>, Failure> {
    Ok(rows(conn, None, Some(name), None).await?.pop())
}

async fn rows(
    conn: &mut Conn,
    id: Option<i64>,
    name: Option<&str>,
    unexpanded: Option<i64>,
) -> Result<Vec<SweepRow>, Failure> {
    Ok(sqlx::query_as(SELECT).bind(id).bind(name).bind(unexpanded).fetch_all(conn).await?)
}

/// The answer where something of this name is not there.
pub(super) fn missing(what: String) -> Failure {
    StoreError::NotFound { what }.into()
}
