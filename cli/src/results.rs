//! The runs of one sweep, in an order that people ask for.

use std::cmp::Ordering;

use besom_client::queries::Paging;
use besom_proto::v1::Sweep;
use besom_sweep::{Goal, Row, Table, TableError, statements};

use crate::{reader::Reader, text::state};

/// The view `best_runs` has so many of a sweep.
const BEST: u64 = 1_000;

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
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// By number.
    Job,
    /// By score; those without one at the end.
    BestFirst,
}

/// At most `limit` runs of the sweep of this name or number.
///
/// # Errors
/// No such sweep, or the coordinator is away.
pub(crate) async fn fetch(reader: &Reader, asked: &str, order: Order, limit: Option<u64>) -> anyhow::Result<Results> {
    let sweep = reader.sweep(asked).await?;
    let mut runs = match (order, limit) {
        (Order::Job, _) => reader.runs(&sweep).await?,
        // One more than asked for tells whether there are more.
        (Order::BestFirst, Some(limit)) if limit < BEST => best(reader, &sweep, limit + 1).await?,
        (Order::BestFirst, _) => {
            let mut runs = reader.runs(&sweep).await?;
            rank(&mut runs, &sweep)?;
            runs
        }
    };
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let more = runs.rows.len() > limit;
    runs.rows.truncate(limit);
    Ok(Results { sweep, order, runs, more })
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
        let paging = Paging { most: room, ..Paging::of_jobs(statements::RUNS_UNRANKED, sweep.id) };
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
    let mut keys: Vec<((Option<f64>, i64), usize)> =
        runs.iter().zip(0..).map(|(run, place)| Ok((key(run)?, place))).collect::<Result<_, TableError>>()?;
    keys.sort_by(|((a, a_job), _), ((b, b_job), _)| better(*a, *b).then(a_job.cmp(b_job)));
    let mut rows: Vec<_> = std::mem::take(&mut runs.rows).into_iter().map(Some).collect();
    runs.rows = keys.into_iter().filter_map(|(_, place)| rows[place].take()).collect();
    Ok(())
}

/// The better score first, and none at the end.
fn better(a: Option<f64>, b: Option<f64>) -> Ordering {
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
