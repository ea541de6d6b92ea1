//! What the figures of a sweep are drawn from: rows of the views.
//!
//! Statistics (means, intervals, importance) are the coordinator's.

use besom_figures::{
    AttemptRow, ConfigRow, EpochRow, Figure, ImportanceRow, RunRow, Sweep, SweepData, SweepDataBuilder,
};
use besom_proto::v1;
use besom_sweep::{ImportanceKind, JobState, Params, Row, Table, TableError, statements};

use crate::{reader::Reader, text::state};

/// A sweep's data, fetched once for all its figures.
pub(crate) struct Figures {
    sweep: v1::Sweep,
    pub(super) data: SweepData,
}

/// What of a sweep's rows is drawn, besides its history: read before, since a report shows them as
/// well.
pub(crate) struct Drawn<'a> {
    /// By job: rows of the view `runs`.
    pub(crate) runs: &'a Table,
    /// By first job: rows of the view `config_stats`.
    pub(crate) configs: &'a Table,
}

impl Figures {
    /// What `run` draws at its end.
    pub(crate) const OF_A_RUN: [Figure; 3] = [Figure::Curves, Figure::Effects, Figure::Importance];

    /// Fetches what these figures are drawn from, for the sweep of this name or number.
    ///
    /// # Errors
    /// No such sweep, or the coordinator is away.
    pub(crate) async fn fetch(reader: &Reader, sweep: &str, figures: &[Figure]) -> anyhow::Result<Self> {
        let sweep = reader.sweep(sweep).await?;
        let (runs, configs) = (reader.points(&sweep).await?, reader.configs(&sweep).await?);
        Self::of(reader, &sweep, Drawn { runs: &runs, configs: &configs }, figures).await
    }

    /// The same, where the rows were read already.
    ///
    /// # Errors
    /// The coordinator is away.
    pub(crate) async fn of(
        reader: &Reader,
        sweep: &v1::Sweep,
        Drawn { runs, configs }: Drawn<'_>,
        figures: &[Figure],
    ) -> anyhow::Result<Self> {
        // A file that a later build wrote may say what this one does not know.
        let spec = besom_sweep::parse_stored(&sweep.text).ok();
        let of_runs: Vec<RunRow> = runs.iter().map(run).collect::<Result<_, _>>()?;
        let mut rows = SweepDataBuilder::new(of(sweep), spec.as_ref(), &of_runs);
        let mut history = reader.curves(sweep, runs)?;
        while let Some(part) = history.next().await? {
            for row in part.iter() {
                let (val_accuracy, val_loss) = (row.maybe_float("val_accuracy")?, row.maybe_float("val_loss")?);
                rows.epoch(EpochRow { job: row.integer("job")?, val_accuracy, val_loss });
            }
        }
        for stats in configs.iter() {
            rows.config(&config(stats)?);
        }
        if figures.contains(&Figure::Importance) {
            let found = reader.queries().query(statements::IMPORTANCE, vec![sweep.id.into()]).await?;
            for row in importances(&found, &sweep.swept)? {
                rows.importance(row);
            }
        }
        if figures.contains(&Figure::Timeline) {
            let mut attempts = reader.attempts(sweep, runs)?;
            while let Some(part) = attempts.next().await? {
                for row in part.iter() {
                    rows.attempt(attempt(row)?);
                }
            }
        }
        Ok(Self { sweep: sweep.clone(), data: rows.finish() })
    }

    /// The sweep's name.
    pub(crate) fn sweep(&self) -> &str {
        &self.sweep.name
    }

    /// What is drawn.
    pub(crate) fn data(&self) -> &SweepData {
        &self.data
    }

    /// Whether anything was trained yet.
    ///
    /// # Errors
    /// Nothing was: says how far the sweep is.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.data.has_epochs() {
            return Ok(());
        }
        let counts = state::counts(&self.sweep.counts.unwrap_or_default());
        anyhow::bail!("sweep {} has nothing to draw: no run has an epoch ({counts})", self.sweep())
    }
}

fn of(sweep: &v1::Sweep) -> Sweep {
    Sweep {
        title: state::title(sweep),
        state: state::sweep(sweep.state).to_owned(),
        method: sweep.method.clone(),
        metric: sweep.metric.clone(),
        swept: sweep.swept.clone(),
        jobs_total: sweep.jobs_total,
        counts: state::job_counts(&sweep.counts.unwrap_or_default()),
    }
}

fn run(row: Row<'_>) -> Result<RunRow, TableError> {
    let state = JobState::parse(row.text("state")?);
    Ok(RunRow { job: row.integer("job")?, seed: row.integer("seed")?, state, params: params(row)? })
}

fn config(row: Row<'_>) -> Result<ConfigRow, TableError> {
    Ok(ConfigRow {
        job: row.integer("job")?,
        params: params(row)?,
        n: count(row.integer("n")?),
        diverged: count(row.integer("diverged")?),
        failed: count(row.integer("failed")?),
        final_val_accuracy_mean: row.maybe_float("final_val_accuracy_mean")?,
        final_val_accuracy_low: row.maybe_float("final_val_accuracy_low")?,
        final_val_accuracy_high: row.maybe_float("final_val_accuracy_high")?,
    })
}

/// In the order of the file, pairs behind single hyperparameters: the view has no order of its own.
fn importances(table: &Table, swept: &[String]) -> Result<Vec<ImportanceRow>, TableError> {
    let mut rows = Vec::with_capacity(table.rows.len());
    for row in table.iter() {
        // What this build does not know is not drawn.
        let Some(kind) = ImportanceKind::parse(row.text("kind")?) else { continue };
        rows.push(ImportanceRow {
            kind,
            parameter: row.text("parameter")?.to_owned(),
            second_parameter: row.maybe_text("second_parameter")?.map(str::to_owned),
            value: row.float("value")?,
            cells: row.integer("cells")?.try_into().unwrap_or(0),
            cells_total: row.integer("cells_total")?.try_into().unwrap_or(0),
        });
    }
    let place = |name: &str| swept.iter().position(|one| one == name).unwrap_or(usize::MAX);
    let key = |row: &ImportanceRow| {
        (row.second_parameter.is_some(), place(&row.parameter), row.second_parameter.as_deref().map(place))
    };
    rows.sort_by_key(key);
    Ok(rows)
}

fn attempt(row: Row<'_>) -> Result<AttemptRow, TableError> {
    Ok(AttemptRow {
        job: row.integer("job")?,
        attempt: count(row.integer("attempt")?),
        worker: row.text("worker")?.to_owned(),
        slot: count(row.integer("slot")?),
        outcome: row.maybe_text("outcome")?.map(str::to_owned),
        error: row.maybe_text("error")?.map(str::to_owned),
        // A time that a database cannot show is no time to draw.
        started_at: row.maybe_text("started_at")?.unwrap_or_default().to_owned(),
        ended_at: row.maybe_text("ended_at")?.map(str::to_owned),
    })
}

/// The store holds these in 64 bits, for SQL; none comes near 32, or below 0.
fn count(value: i64) -> u32 {
    u32::try_from(value.max(0)).unwrap_or(u32::MAX)
}

/// Hyperparameters from their JSON; none where it is none.
fn params(row: Row<'_>) -> Result<Params, TableError> {
    Ok(row.maybe_text("params")?.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use besom_sweep::Cell;

    use super::*;

    #[test]
    fn importances_are_in_the_order_of_the_file_and_pairs_come_behind() {
        let mut table = Table::new(["kind", "parameter", "second_parameter", "value", "cells", "cells_total"]);
        for (first, second) in
            [("c", None), ("b", Some("c")), ("a", Some("c")), ("a", None), ("a", Some("b")), ("b", None)]
        {
            let second = second.map_or(Cell::Null, Cell::from);
            let numbers = [Cell::Float(0.5), Cell::Integer(8), Cell::Integer(8)];
            let row: Vec<Cell> = ["variance share".into(), first.into(), second].into_iter().chain(numbers).collect();
            table.push(row);
        }
        let swept = ["a", "b", "c"].map(str::to_owned);
        let rows = importances(&table, &swept).unwrap();
        let names: Vec<_> = rows.iter().map(|row| (&*row.parameter, row.second_parameter.as_deref())).collect();
        assert_eq!(
            names,
            [("a", None), ("b", None), ("c", None), ("a", Some("b")), ("a", Some("c")), ("b", Some("c"))]
        );
    }
}
