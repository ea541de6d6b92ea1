//! The runs of one sweep, in an order that people ask for.

use std::cmp::Ordering;

use besom_client::queries::Paging;
use besom_proto::v1::Sweep;
use besom_sweep::{Goal, JobState, Row, Table, TableError, statements};

use crate::{reader::Reader, sorting::Sort, text::state};

/// The view `best_runs` has so many of a sweep.
const BEST: u64 = 1_000;

/// Runs that are sorted at once, at least, so that few rows are wanted without a sort for each page.
const SORTED: usize = 10_000;

/// A sweep with its runs.
pub(crate) struct Results {
    /// The sweep.
    pub(crate) sweep: Sweep,
    /// How they are ordered.
    pub(crate) order: Order,
    /// In that order, in the columns of the view `runs`.
    pub(crate) runs: Table,
    /// Whether there are more than were asked for.
    pub(crate) more: bool,
    /// Whether only some of the sweep's runs were meant.
    pub(crate) filtered: bool,
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// By number.
    Job,
    /// By score; those without one at the end.
    BestFirst,
}

/// Which runs of a sweep, by job.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// In these states; none: in all.
    pub(crate) states: Vec<JobState>,
    /// In this order, else by job.
    pub(crate) sort: Option<Sort>,
    /// At most so many.
    pub(crate) limit: Option<u64>,
}

/// The runs that are wanted of the sweep of this name or number.
///
/// # Errors
/// No such sweep, no such column, or the coordinator is away.
pub(crate) async fn select(reader: &Reader, asked: &str, wanted: &Wanted) -> anyhow::Result<Results> {
    let sweep = reader.sweep(asked).await?;
    let Wanted { states, sort, limit } = wanted;
    let limit = limit.unwrap_or(u64::MAX);
    // What is sorted has to be there as a whole; else one more than asked for tells whether there
    // are more.
    let most = if sort.is_none() && states.len() < 2 { limit.saturating_add(1) } else { u64::MAX };
    let paging = match &states[..] {
        [state] => {
            let paging = reader.paging(statements::RUNS_IN_STATE, &sweep).await?;
            Paging { behind: vec![state.as_str().into()], ..paging }
        }
        _ => reader.paging(statements::RUNS, &sweep).await?,
    };
    let mut pages = reader.queries().pages(Paging { most, ..paging });
    let wanted_rows = usize::try_from(limit.saturating_add(1)).unwrap_or(usize::MAX);
    let mut runs = Table::default();
    while let Some(mut page) = pages.next().await? {
        if states.len() > 1 {
            keep_states(&mut page, states)?;
        }
        runs.append(page);
        match sort {
            Some(sort) if runs.rows.len() / 2 >= wanted_rows.max(SORTED) => {
                sort.apply(&mut runs)?;
                // The rows behind can come into no smaller place.
                runs.rows.truncate(wanted_rows);
            }
            None if runs.rows.len() >= wanted_rows => break,
            _ => {}
        }
    }
    if let Some(sort) = sort {
        sort.apply(&mut runs)?;
    }
    Ok(cut(Results { sweep, order: Order::Job, runs, more: false, filtered: !states.is_empty() }, limit))
}

fn keep_states(runs: &mut Table, states: &[JobState]) -> Result<(), TableError> {
    let kept: Vec<bool> = runs
        .iter()
        .map(|run| Ok(JobState::parse(run.text("state")?).is_some_and(|state| states.contains(&state))))
        .collect::<Result<_, TableError>>()?;
    let mut kept = kept.into_iter();
    runs.rows.retain(|_| kept.next().unwrap_or(true));
    Ok(())
}

/// The first `limit` runs, and whether there are more.
fn cut(mut results: Results, limit: u64) -> Results {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    results.more = results.runs.rows.len() > limit;
    results.runs.rows.truncate(limit);
    results
}

/// At most `limit` runs of the sweep of this name or number, the best first.
///
/// # Errors
/// No such sweep, or the coordinator is away.
pub(crate) async fn ranked(reader: &Reader, asked: &str, limit: Option<u64>) -> anyhow::Result<Results> {
    let sweep = reader.sweep(asked).await?;
    ranked_of(reader, sweep, limit).await
}

/// The same, where the sweep is known.
///
/// # Errors
/// The coordinator is away.
pub(crate) async fn ranked_of(reader: &Reader, sweep: Sweep, limit: Option<u64>) -> anyhow::Result<Results> {
    let runs = match limit {
        // One more than asked for tells whether there are more.
        Some(limit) if limit < BEST => best(reader, &sweep, limit + 1).await?,
        _ => {
            let mut runs = reader.runs(&sweep).await?;
            rank(&mut runs, &sweep)?;
            runs
        }
    };
    Ok(cut(Results { sweep, order: Order::BestFirst, runs, more: false, filtered: false }, limit.unwrap_or(u64::MAX)))
}

/// The best run of the sweep, if one has a result.
///
/// # Errors
/// The coordinator is away.
pub(crate) async fn best_run(reader: &Reader, sweep: &Sweep) -> anyhow::Result<Table> {
    let parameters = vec![sweep.name.as_str().into(), 1.into()];
    Ok(reader.queries().query(statements::BEST_RUNS, parameters).await?.without("rank"))
}

/// The best `limit` runs, and behind them those without a score by job.
async fn best(reader: &Reader, sweep: &Sweep, limit: u64) -> anyhow::Result<Table> {
    let parameters = vec![sweep.name.as_str().into(), limit.cast_signed().into()];
    let mut runs = reader.queries().query(statements::BEST_RUNS, parameters).await?.without("rank");
    let room = limit - limit.min(runs.rows.len() as u64);
    if room > 0 {
        let paging = Paging { most: room, ..reader.paging(statements::RUNS_UNRANKED, sweep).await? };
        runs.append(reader.queries().pages(paging).all().await?);
    }
    Ok(runs)
}

/// Puts runs into the order of `besom best`.
///
/// # Errors
/// They are no rows of the view `runs`.
pub(crate) fn rank(runs: &mut Table, sweep: &Sweep) -> Result<(), TableError> {
    let goal = state::goal_of(sweep.goal).unwrap_or(Goal::Maximize);
    let key =
        |run: Row<'_>| Ok((run.maybe_float("objective")?.map(|objective| goal.score(objective)), run.integer("job")?));
    put_in_order(runs, key, |a: &(Option<f64>, i64), b| better(a.0, b.0).then(a.1.cmp(&b.1)))
}

/// Puts the rows of a table into the order of their keys; those of equal keys stay in theirs.
///
/// # Errors
/// What `key` says.
pub(crate) fn put_in_order<K>(
    table: &mut Table,
    key: impl Fn(Row<'_>) -> Result<K, TableError>,
    order: impl Fn(&K, &K) -> Ordering,
) -> Result<(), TableError> {
    let mut keys = Vec::with_capacity(table.rows.len());
    for (place, row) in table.iter().enumerate() {
        keys.push((key(row)?, place));
    }
    keys.sort_by(|(a, _), (b, _)| order(a, b));
    let mut rows: Vec<_> = std::mem::take(&mut table.rows).into_iter().map(Some).collect();
    table.rows = keys.into_iter().filter_map(|(_, place)| rows.get_mut(place).and_then(Option::take)).collect();
    Ok(())
}

/// The better score first, and none at the end.
pub(crate) fn better(a: Option<f64>, b: Option<f64>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => b.partial_cmp(&a).unwrap_or_else(|| b.total_cmp(&a)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

#[cfg(test)]
mod tests {
    use besom_proto::v1;
    use besom_sweep::Cell;

    use super::*;

    #[test]
    fn the_best_run_comes_first_and_those_without_a_score_come_last_by_job() {
        let mut runs = Table::new(["job", "objective"]);
        for (job, objective) in [(1, None), (2, Some(0.5)), (3, Some(0.25)), (4, None), (5, Some(0.5))] {
            runs.push(vec![Cell::Integer(job), objective.map_or(Cell::Null, Cell::Float)]);
        }
        let mut ranked = |goal: v1::Goal| {
            rank(&mut runs, &Sweep { goal: goal.into(), ..Sweep::default() }).unwrap();
            runs.iter().map(|run| run.integer("job").unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(ranked(v1::Goal::Maximize), [2, 5, 3, 1, 4]);
        assert_eq!(ranked(v1::Goal::Minimize), [3, 2, 5, 1, 4]);
    }
}
