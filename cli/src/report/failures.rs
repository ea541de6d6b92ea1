//! What ended badly: attempts that failed, were lost or diverged, with who held them and why.

use std::collections::HashMap;

use besom_figures::AttemptRow;
use besom_sweep::{Row, TableError};

use super::{gathered::Gathered, grid::Grid, subject::moment};
use crate::text::number;

/// More than this nobody reads in a page; SQL has them all.
const SHOWN: usize = 40;

/// The worst first: failed, then lost, then diverged. Nothing where all went well.
pub(super) fn attempts(gathered: &Gathered) -> Result<Option<Grid>, TableError> {
    let mut bad: Vec<(usize, &AttemptRow)> =
        gathered.figures.data().attempts().iter().filter_map(|attempt| Some((severity(attempt)?, attempt))).collect();
    bad.sort_by_key(|(severity, attempt)| (*severity, attempt.job, attempt.attempt));
    let runs: HashMap<i64, Row<'_>> =
        gathered.runs.iter().map(|run| Ok((run.integer("job")?, run))).collect::<Result<_, TableError>>()?;
    let rows: Vec<Vec<String>> = bad
        .iter()
        .take(SHOWN)
        .map(|(_, attempt)| {
            let run = runs.get(&attempt.job);
            Ok(vec![
                attempt.job.to_string(),
                attempt.attempt.to_string(),
                attempt.outcome.clone().unwrap_or_default(),
                reason(attempt),
                run.map_or(Ok("-"), |run| run.text("state"))?.to_owned(),
                run.map_or_else(|| Ok("-".to_owned()), |run| point(*run))?,
                attempt.worker.clone(),
                attempt.slot.to_string(),
                attempt.ended_at.as_deref().map_or_else(|| "-".to_owned(), moment),
            ])
        })
        .collect::<Result<_, TableError>>()?;
    if rows.is_empty() {
        return Ok(None);
    }
    let header = ["job", "attempt", "outcome", "reason", "job is now", "point", "worker", "slot", "ended"];
    let note = match bad.len() {
        all if all > SHOWN => format!("{SHOWN} of {all}, failed ones first; the view failures has all."),
        _ => String::new(),
    };
    Ok(Some(Grid::new("Attempts that ended badly", &header, rows).with_note(note)))
}

fn severity(attempt: &AttemptRow) -> Option<usize> {
    ["failed", "lost", "diverged"].iter().position(|outcome| attempt.outcome.as_deref() == Some(outcome))
}

fn reason(attempt: &AttemptRow) -> String {
    match (&attempt.error, attempt.outcome.as_deref()) {
        (Some(error), _) if !error.is_empty() => error.clone(),
        (_, Some("diverged")) => "the loss was not finite".to_owned(),
        (_, Some("lost")) => "the worker fell silent".to_owned(),
        _ => "-".to_owned(),
    }
}

fn point(run: Row<'_>) -> Result<String, TableError> {
    let optimizer = run.maybe_text("optimizer")?.unwrap_or("-");
    let rate = run.maybe_float("learning_rate")?.map_or_else(|| "-".to_owned(), number::exact);
    let size = run.maybe_integer("batch_size")?.map_or_else(|| "-".to_owned(), |size| size.to_string());
    Ok(format!("{optimizer}, learning_rate {rate}, batch_size {size}, seed {}", run.integer("seed")?))
}
