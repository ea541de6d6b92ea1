//! The configurations of one sweep over their seeds, the best mean first, and which of them cannot
//! be told from the first one.

use besom_proto::v1::Sweep;
use besom_sweep::{Cell, CellType, Column, Goal, Row, Table, TableError, parse_stored, statements};

use crate::{
    reader::Reader,
    results::{better, put_in_order},
    text::{Ranks, state},
};

/// The database puts so many in order; more are put in order here.
const SORTED: u64 = 1_000;

/// Columns that are added to those of the view `config_stats`.
pub(crate) const RANK: &str = "rank";
pub(crate) const OVERLAPS: &str = "overlaps_best";

/// A sweep with its configurations.
pub(crate) struct Configurations {
    /// The sweep.
    pub(crate) sweep: Sweep,
    /// The best first: rows of the view `config_stats`, with [`RANK`] and [`OVERLAPS`] behind its
    /// columns.
    pub(crate) rows: Table,
    /// Whether there are more than were asked for.
    pub(crate) more: bool,
}

/// Whether the sweep trains each point with several seeds.
pub(crate) fn has_several_seeds(sweep: &Sweep) -> bool {
    parse_stored(&sweep.text).is_ok_and(|spec| spec.seeds.len() > 1)
}

/// At most `limit` configurations of the sweep with an ended run.
///
/// # Errors
/// The coordinator is away.
pub(crate) async fn fetch(reader: &Reader, sweep: Sweep, limit: u64) -> anyhow::Result<Configurations> {
    let mut rows = if limit < SORTED {
        let statement = match state::goal_of(sweep.goal) {
            Some(Goal::Minimize) => statements::CONFIGS_LOWEST,
            Some(Goal::Maximize) | None => statements::CONFIGS_HIGHEST,
        };
        // One more than asked for tells whether there are more.
        reader.queries().query(statement, vec![sweep.id.into(), (limit + 1).cast_signed().into()]).await?
    } else {
        reader.configs(&sweep).await?
    };
    rows = ranked(rows, &sweep)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.rows.len() > limit;
    rows.rows.truncate(limit);
    Ok(Configurations { sweep, rows, more })
}

/// Rows of the view `config_stats`, the best mean first, those without one at the end, with what is
/// told of their order.
///
/// # Errors
/// They are no such rows.
pub(crate) fn ranked(mut configs: Table, sweep: &Sweep) -> Result<Table, TableError> {
    let goal = state::goal_of(sweep.goal).unwrap_or(Goal::Maximize);
    let key = |config: Row<'_>| Ok((config.maybe_float("mean")?.map(|mean| goal.score(mean)), config.integer("job")?));
    put_in_order(&mut configs, key, |a: &(Option<f64>, i64), b| better(a.0, b.0).then(a.1.cmp(&b.1)))?;
    let first = configs.row(0).map(interval).transpose()?.flatten();
    let mut ranks = Ranks::default();
    let mut told = Vec::with_capacity(configs.rows.len());
    for config in configs.iter() {
        let rank = ranks.next(config.maybe_float("mean")?).map_or(Cell::Null, |rank| Cell::Integer(rank.cast_signed()));
        let overlaps = first.zip(interval(config)?).map(|((low, high), (from, to))| from <= high && low <= to);
        told.push([rank, overlaps.map_or(Cell::Null, Cell::Boolean)]);
    }
    configs.columns.extend(
        [(RANK, CellType::Integer), (OVERLAPS, CellType::Boolean)]
            .map(|(name, kind)| Column { name: name.to_owned(), kind }),
    );
    configs.rows.iter_mut().zip(told).for_each(|(row, told)| row.extend(told));
    Ok(configs)
}

/// The 95 % interval of the mean, where there is one.
pub(crate) fn interval(config: Row<'_>) -> Result<Option<(f64, f64)>, TableError> {
    Ok(config.maybe_float("low")?.zip(config.maybe_float("high")?))
}

/// Which of the ranked configurations cannot be told from the first one, in a sentence.
///
/// # Errors
/// The rows are not those of [`ranked`].
pub(crate) fn told_apart(configs: &Table) -> Result<String, TableError> {
    let Some(first) = configs.row(0) else { return Ok(String::new()) };
    let Some((low, high)) = interval(first)? else {
        return Ok(
            "The first configuration has no interval, which takes two runs that count: no other can be told from it."
                .to_owned(),
        );
    };
    let (mut like, mut unknown) = (0_u64, 0_u64);
    for config in configs.iter().skip(1) {
        match config.cell(OVERLAPS)? {
            Cell::Boolean(true) => like += 1,
            Cell::Boolean(false) => {}
            _ => unknown += 1,
        }
    }
    let others = configs.rows.len() as u64 - 1;
    let metric = besom_sweep::number::metric;
    let (low, high) = (metric(Some(low)), metric(Some(high)));
    let unknown = match unknown {
        0 => String::new(),
        count => format!(" Of {count} nothing can be said: they have no interval."),
    };
    Ok(format!(
        "{like} of {others} others cannot be told from the first one: their 95 % intervals of the mean overlap its own, {low} to \
         {high}.{unknown}"
    ))
}

#[cfg(test)]
mod tests {
    use besom_proto::v1;

    use super::*;

    type Interval = Option<(f64, f64)>;

    fn configs(of: &[(i64, Option<f64>, Interval)]) -> Table {
        let mut table = Table::new(["job", "mean", "low", "high"]);
        let float = |value: Option<f64>| value.map_or(Cell::Null, Cell::Float);
        for (job, mean, ends) in of {
            let (low, high) = (ends.map(|ends| ends.0), ends.map(|ends| ends.1));
            table.push(vec![Cell::Integer(*job), float(*mean), float(low), float(high)]);
        }
        table
    }

    fn seen(table: &Table) -> Vec<(i64, Option<i64>, Cell)> {
        let row = |row: Row<'_>| {
            (row.integer("job").unwrap(), row.maybe_integer(RANK).unwrap(), row.cell(OVERLAPS).unwrap().clone())
        };
        table.iter().map(row).collect()
    }

    #[test]
    fn the_best_mean_is_first_and_what_overlaps_its_interval_is_told() {
        let all = configs(&[
            (1, None, None),
            (2, Some(0.5), Some((0.4, 0.6))),
            (3, Some(0.8), Some((0.7, 0.9))),
            (4, Some(0.7), Some((0.6, 0.8))),
            (5, Some(0.8), None),
        ]);
        let sweep = |goal: v1::Goal| Sweep { goal: goal.into(), ..Sweep::default() };
        let best = ranked(all.clone(), &sweep(v1::Goal::Maximize)).unwrap();
        let yes = Cell::Boolean(true);
        assert_eq!(
            seen(&best),
            [
                (3, Some(1), yes.clone()),
                (5, Some(1), Cell::Null),
                (4, Some(3), yes.clone()),
                (2, Some(4), Cell::Boolean(false)),
                (1, None, Cell::Null)
            ]
        );
        let told = told_apart(&best).unwrap();
        assert!(told.starts_with("1 of 4 others cannot be told from the first one"), "{told}");
        assert!(told.contains("overlap its own, 0.7000 to 0.9000. Of 2 nothing can be said"), "{told}");
        let lowest = ranked(all, &sweep(v1::Goal::Minimize)).unwrap();
        assert_eq!(seen(&lowest)[..2], [(2, Some(1), yes.clone()), (4, Some(2), yes)], "touching ends overlap");
        let alone = ranked(configs(&[(1, Some(0.5), None)]), &sweep(v1::Goal::Maximize)).unwrap();
        assert!(told_apart(&alone).unwrap().contains("has no interval"));
    }
}
