//! The page of one run: what it was, how well it did, its curves, and the attempts at it.

use anyhow::Context;
use besom_figures::{EpochRow, RunRow, Sweep, SweepDataBuilder, draw_run_as_text};
use besom_sweep::{Cell, JobState, Params, Row, TableError};
use console::{Alignment, measure_text_width, pad_str};
use serde::Serialize;

use super::{json, rows, sql, table::Table};
use crate::{
    one_run::OneRun,
    output,
    text::{cut, number, pieces, state},
};

/// Columns of `runs` that stand elsewhere on the page: above the results, or with the
/// hyperparameters.
const ELSEWHERE: [&str; 15] = [
    "sweep",
    "sweep_id",
    "job",
    "state",
    "error",
    "params",
    "seed",
    "metrics",
    "optimizer",
    "learning_rate",
    "batch_size",
    "epochs",
    "hidden",
    "activation",
    "dropout",
];

/// Where stdout is no terminal: what a page of text holds.
const COLUMNS: usize = 100;
/// Fewer columns than two panels need, and more than eyes follow.
const NARROWEST: usize = 60;
const WIDEST: usize = 160;

/// `show --json`.
#[derive(Serialize)]
struct Document<'a> {
    run: rows::Object<'a>,
    attempts: rows::Objects<'a>,
    history: rows::Objects<'a>,
}

/// Prints the page, or the rows that it is made of as JSON.
///
/// # Errors
/// Stdout, or rows that lack a column of their view.
pub(crate) fn print(page: &OneRun, as_json: bool) -> anyhow::Result<()> {
    let run = page.run.row(0).context("a run has one row")?;
    if as_json {
        let (attempts, history) = (rows::Objects(&page.attempts), rows::Objects(&page.history));
        return json::print(&Document { run: rows::Object(run), attempts, history });
    }
    let width = output::stdout_width();
    output::prose(format_args!("{}, job {}: {}", state::title(&page.sweep), page.job, run.text("state")?))?;
    if let Some(error) = run.maybe_text("error")? {
        output::prose(format_args!("error: {}", cut(error.to_owned())))?;
    }
    block("result", &results(run, &page.sweep.metric)?, width)?;
    let swept = match &page.sweep.swept[..] {
        [] => String::new(),
        swept => format!(" (swept: {})", swept.join(", ")),
    };
    block(&format!("hyperparameters{swept}"), &hyperparameters(run, &page.sweep.swept)?, width)?;
    output::line(format_args!("\nhistory: {}", number::plural(page.history.rows.len() as u64, "record")))?;
    let columns = width.unwrap_or(COLUMNS).min(WIDEST);
    if let Some(text) = curves(page, run, columns)?.filter(|_| columns >= NARROWEST) {
        output::bytes(format!("{text}\n").as_bytes())?;
    }
    if page.attempts.rows.is_empty() {
        return output::line("\nattempts: none yet");
    }
    output::line("\nattempts")?;
    attempts(page)?.print(&["slot", "ended_at", "started_at"])
}

/// The columns of the view `runs` that have a value, in its order, and the metrics that have no
/// column.
fn results(run: Row<'_>, metric: &str) -> Result<Vec<(String, String)>, TableError> {
    let shown = run.cells().filter(|(column, cell)| **cell != Cell::Null && !ELSEWHERE.contains(&column.name.as_str()));
    let mut fields: Vec<(String, String)> = shown
        .map(|(column, cell)| {
            let text = match (column.name.as_str(), cell) {
                ("objective", Cell::Float(value)) => format!("{} ({metric})", number::metric(Some(*value))),
                ("seconds", Cell::Float(value)) => number::seconds(Some(*value)),
                (_, Cell::Float(value)) => number::metric(Some(*value)),
                (_, cell) => sql::text(cell),
            };
            (column.name.clone(), text)
        })
        .collect();
    let others = object(run.maybe_text("metrics")?);
    fields.extend(others.iter().map(|(name, value)| (name.clone(), number::value(Some(value)))));
    Ok(fields)
}

/// The swept ones first.
fn hyperparameters(run: Row<'_>, swept: &[String]) -> Result<Vec<(String, String)>, TableError> {
    let params = object(run.maybe_text("params")?);
    let first = swept.iter().filter(|name| params.contains_key(*name));
    let others = params.keys().filter(|name| !swept.contains(name));
    let field = |name: &String| (name.clone(), number::value(params.get(name)));
    let seed = ("seed".to_owned(), run.integer("seed")?.to_string());
    Ok(first.chain(others).map(field).chain([seed]).collect())
}

/// An object of JSON; an empty one where it is none.
fn object(text: Option<&str>) -> Params {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

fn block(title: &str, fields: &[(String, String)], width: Option<usize>) -> anyhow::Result<()> {
    output::prose(format_args!("\n{title}"))?;
    let width = width.unwrap_or(usize::MAX);
    let room = fields.iter().map(|(name, _)| measure_text_width(name)).max().unwrap_or(0).min(width / 2);
    for (name, value) in fields {
        let value = cut(value.clone());
        let pieces = pieces(&value, width.saturating_sub(room + 4).max(1));
        for (at, piece) in pieces.into_iter().enumerate() {
            let name = pad_str(if at == 0 { name } else { "" }, room, Alignment::Left, Some("…"));
            output::line(format!("  {name}  {piece}").trim_end())?;
        }
    }
    Ok(())
}

fn curves(page: &OneRun, run: Row<'_>, columns: usize) -> Result<Option<String>, TableError> {
    let state = JobState::parse(run.text("state")?);
    let only = RunRow { job: page.job, seed: 0, state, params: Params::default() };
    let mut rows = SweepDataBuilder::new(Sweep::default(), None, &[only]);
    for record in page.history.iter() {
        let (val_accuracy, val_loss) = (record.maybe_float("val_accuracy")?, record.maybe_float("val_loss")?);
        rows.epoch(EpochRow { job: page.job, val_accuracy, val_loss });
    }
    Ok(draw_run_as_text(&rows.finish(), columns, console::colors_enabled()))
}

fn attempts(page: &OneRun) -> Result<Table, TableError> {
    const ALWAYS: [&str; 6] = ["attempt", "worker", "slot", "outcome", "started_at", "ended_at"];
    const SOMETIMES: [&str; 3] = ["resumed_from", "resumed_step", "error"];
    let has_any = |name: &&str| page.attempts.iter().any(|row| row.cell(name).is_ok_and(|cell| *cell != Cell::Null));
    let names: Vec<&str> = ALWAYS.into_iter().chain(SOMETIMES.into_iter().filter(has_any)).collect();
    let mut table = Table::new(names.iter().copied());
    for row in page.attempts.iter() {
        let cells = names.iter().map(|name| {
            Ok(match (*name, row.cell(name)?) {
                ("outcome", Cell::Null) => "running".to_owned(),
                (_, Cell::Null) => "-".to_owned(),
                (_, cell) => sql::text(cell),
            })
        });
        table.row(cells.collect::<Result<Vec<_>, TableError>>()?);
    }
    Ok(table)
}
