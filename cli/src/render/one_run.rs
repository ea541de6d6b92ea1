//! The page of one run: what it was, how well it did, its curves, and the attempts at it.

use besom_figures::{EpochRow, RunRow, Sweep, SweepDataBuilder, draw_run_as_text};
use besom_sweep::{Cell, JobState, Params};
use console::{Alignment, measure_text_width, pad_str};
use serde::Serialize;

use super::{json, sql, table};
use crate::{
    one_run::OneRun,
    output,
    text::{number, pieces, state},
};

/// Columns of `runs` that stand elsewhere on the page: above the results, or with the hyperparameters.
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

/// `show --json`.
#[derive(Serialize)]
struct Document<'a> {
    run: Option<sql::Object<'a>>,
    attempts: Vec<sql::Object<'a>>,
    history: Vec<sql::Object<'a>>,
}

/// Prints the page, or the rows that it is made of as JSON.
///
/// # Errors
/// Stdout.
pub(crate) fn print(run: &OneRun, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        return json::print(&Document {
            run: sql::objects(&run.run).pop(),
            attempts: sql::objects(&run.attempts),
            history: sql::objects(&run.history),
        });
    }
    let width = output::stdout_width();
    let (title, metric) = (state::title(&run.sweep), &run.sweep.metric);
    let of = |name: &str| cell(run, name);
    output::prose(format_args!("{title}, job {}: {}", run.job, sql::text(of("state"))))?;
    if let Cell::Text(error) = of("error") {
        output::prose(format_args!("error: {error}"))?;
    }
    block("result", &results(run, metric), width)?;
    let swept = match &run.sweep.swept[..] {
        [] => String::new(),
        swept => format!(" (swept: {})", swept.join(", ")),
    };
    block(&format!("hyperparameters{swept}"), &hyperparameters(run), width)?;
    let columns = width.unwrap_or(COLUMNS).clamp(60, 160);
    match curves(run, columns) {
        Some(text) if width.is_none_or(|width| columns <= width) => {
            output::bytes(
                format!("\nhistory: {}\n{text}\n", number::plural(run.history.rows.len() as u64, "record")).as_bytes(),
            )?;
        }
        _ => output::line(format_args!("\nhistory: {}", number::plural(run.history.rows.len() as u64, "record")))?,
    }
    if run.attempts.rows.is_empty() {
        return output::line("\nattempts: none yet");
    }
    output::line("\nattempts")?;
    attempts(run).print(&["slot", "ended_at", "started_at"])
}

/// What the run has in the column of the view `runs`.
fn cell<'a>(run: &'a OneRun, name: &str) -> &'a Cell {
    let place = run.run.columns.iter().position(|column| column.name == name);
    place.and_then(|place| run.run.rows.first()?.get(place)).unwrap_or(&Cell::Null)
}

/// The columns of the view `runs` that have a value, in its order, and the metrics that have no column.
fn results(run: &OneRun, metric: &str) -> Vec<(String, String)> {
    let cells = run.run.columns.iter().zip(run.run.rows.first().into_iter().flatten());
    let shown = cells.filter(|(column, cell)| **cell != Cell::Null && !ELSEWHERE.contains(&column.name.as_str()));
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
    fields.extend(params(cell(run, "metrics")).iter().map(|(name, value)| (name.clone(), number::value(Some(value)))));
    fields
}

/// The swept ones first.
fn hyperparameters(run: &OneRun) -> Vec<(String, String)> {
    let params = params(cell(run, "params"));
    let is_swept = |name: &str| run.sweep.swept.iter().any(|swept| swept == name);
    let swept = run.sweep.swept.iter().filter(|name| params.contains_key(*name));
    let others = params.keys().filter(|name| !is_swept(name));
    let field = |name: &String| (name.clone(), number::value(params.get(name)));
    let seed = ("seed".to_owned(), sql::text(cell(run, "seed")));
    swept.chain(others).map(field).chain([seed]).collect()
}

/// An object of JSON; an empty one where it is none.
fn params(cell: &Cell) -> Params {
    match cell {
        Cell::Text(text) => serde_json::from_str(text).unwrap_or_default(),
        _ => Params::default(),
    }
}

fn block(title: &str, fields: &[(String, String)], width: Option<usize>) -> anyhow::Result<()> {
    output::prose(format_args!("\n{title}"))?;
    let width = width.unwrap_or(usize::MAX);
    let room = fields.iter().map(|(name, _)| measure_text_width(name)).max().unwrap_or(0).min(width / 2);
    for (name, value) in fields {
        let lines = pieces(value, width.saturating_sub(room + 4).max(1));
        for (at, piece) in lines.into_iter().enumerate() {
            let name = pad_str(if at == 0 { name } else { "" }, room, Alignment::Left, Some("…"));
            output::line(format!("  {name}  {piece}").trim_end())?;
        }
    }
    Ok(())
}

fn curves(run: &OneRun, columns: usize) -> Option<String> {
    let state = match cell(run, "state") {
        Cell::Text(word) => JobState::parse(word),
        _ => None,
    };
    let only = RunRow { job: run.job, seed: 0, state, params: Params::default() };
    let mut rows = SweepDataBuilder::new(Sweep::default(), None, &[only]);
    let place = |name: &str| run.history.columns.iter().position(|column| column.name == name);
    let (accuracy, loss) = (place("val_accuracy"), place("val_loss"));
    for record in &run.history.rows {
        let number = |place: Option<usize>| match record.get(place?)? {
            Cell::Float(value) => Some(*value),
            Cell::Integer(value) => Some(*value as f64),
            _ => None,
        };
        rows.epoch(EpochRow { job: run.job, val_accuracy: number(accuracy), val_loss: number(loss) });
    }
    draw_run_as_text(&rows.finish(), columns, console::colors_enabled())
}

fn attempts(run: &OneRun) -> table::Table {
    const ALWAYS: [&str; 6] = ["attempt", "worker", "slot", "outcome", "started_at", "ended_at"];
    let place = |name: &str| run.attempts.columns.iter().position(|column| column.name == name);
    let has_any = |at: &Option<usize>| at.is_some_and(|at| run.attempts.rows.iter().any(|row| row[at] != Cell::Null));
    let sometimes = ["resumed_from", "resumed_step", "error"].into_iter().filter(|name| has_any(&place(name)));
    let names: Vec<&str> = ALWAYS.into_iter().chain(sometimes).collect();
    let places: Vec<Option<usize>> = names.iter().map(|name| place(name)).collect();
    let mut table = table::Table::new(names.iter().copied());
    for row in &run.attempts.rows {
        let cells = names.iter().zip(&places).map(|(name, place)| match (*name, place.and_then(|at| row.get(at))) {
            ("outcome", None | Some(Cell::Null)) => "running".to_owned(),
            (_, None | Some(Cell::Null)) => "-".to_owned(),
            (_, Some(cell)) => sql::text(cell),
        });
        table.row(cells);
    }
    table
}
