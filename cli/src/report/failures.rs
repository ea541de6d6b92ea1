//! What ended badly: attempts that failed, were lost or diverged, with who held them and why.

use std::collections::HashMap;

use besom_figures::AttemptRow;
use besom_proto::v1::Run;

use super::{gathered::Gathered, grid::Grid, subject::moment};
use crate::text::{number, state};

/// More than this nobody reads in a page; SQL has them all.
const SHOWN: usize = 40;

/// The worst first: failed, then lost, then diverged. Nothing where all went well.
pub(super) fn attempts(gathered: &Gathered) -> Option<Grid> {
    let mut bad: Vec<(usize, &AttemptRow)> =
        gathered.figures.data().attempts().iter().filter_map(|attempt| Some((severity(attempt)?, attempt))).collect();
    bad.sort_by_key(|(severity, attempt)| (*severity, attempt.job, attempt.attempt));
    let runs: HashMap<i64, &Run> = gathered.results.runs.iter().map(|run| (run.job, run)).collect();
    let rows: Vec<Vec<String>> = bad
        .iter()
        .take(SHOWN)
        .map(|(_, attempt)| {
            let run = runs.get(&attempt.job);
            vec![
                attempt.job.to_string(),
                attempt.attempt.to_string(),
                attempt.outcome.clone().unwrap_or_default(),
                reason(attempt),
                run.map_or("-", |run| state::job(run.state)).to_owned(),
                run.map_or_else(|| "-".to_owned(), |run| point(run)),
                attempt.worker.clone(),
                attempt.slot.to_string(),
                attempt.ended_at.as_deref().map_or_else(|| "-".to_owned(), moment),
            ]
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let header = ["job", "attempt", "outcome", "reason", "job is now", "point", "worker", "slot", "ended"];
    let note = match bad.len() {
        all if all > SHOWN => format!("{SHOWN} of {all}, failed ones first; the view failures has all."),
        _ => String::new(),
    };
    Some(Grid::new("Attempts that ended badly", &header, rows).with_note(note))
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

fn point(run: &Run) -> String {
    let rate = number::exact(run.learning_rate);
    format!("{}, learning_rate {rate}, batch_size {}, seed {}", run.optimizer, run.batch_size, run.seed)
}
