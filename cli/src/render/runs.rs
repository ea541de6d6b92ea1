//! The table of runs: what was tried, and how well it did.

use besom_sweep::{JobState, Row, TableError};
use serde_json::{Map, Value};

use super::table::Table;
use crate::{
    results::Order,
    text::{Ranks, is_val_accuracy, number},
};

/// Columns that every table of runs has, swept or not: the three that people compare first.
pub(super) const ALWAYS: [&str; 3] = ["optimizer", "learning_rate", "batch_size"];

/// The columns of the one metric that every table of runs shows, whatever the sweep is ranked by.
pub(crate) const BEST: &str = "best_val_accuracy";
pub(crate) const FINAL: &str = "final_val_accuracy";

/// The columns that a narrow terminal does without, the first at first; what runs are ranked by and
/// what was swept stays.
///
/// # Errors
/// The rows are none of the view `runs`.
pub(crate) fn expendable(runs: &[Row<'_>], swept: &[String], metric: &str) -> Result<Vec<&'static str>, TableError> {
    let mut columns = vec!["seconds", trained(swept)];
    if is_val_accuracy(metric) {
        let mut by_final = true;
        for run in runs {
            let objective = run.maybe_float("objective")?;
            by_final &= objective.is_none() || objective == run.maybe_float(FINAL)?;
        }
        columns.push(if by_final { BEST } else { FINAL });
    } else {
        columns.extend([BEST, FINAL]);
    }
    columns.extend(ALWAYS.iter().filter(|always| !swept.iter().any(|name| name == *always)));
    columns.extend(["state", "job", "seed"]);
    Ok(columns)
}

/// Runs in the order given; ranked where that is best first. `swept` are the sweep's varied
/// parameters.
///
/// # Errors
/// The rows are none of the view `runs`.
pub(crate) fn table(runs: &[Row<'_>], order: Order, swept: &[String], metric: &str) -> Result<Table, TableError> {
    let more: Vec<&String> = swept.iter().filter(|name| !ALWAYS.contains(&name.as_str())).collect();
    let first = runs.first().map(|run| run.integer("seed")).transpose()?;
    let mut seeds = false;
    for run in runs {
        seeds |= Some(run.integer("seed")?) != first;
    }
    let objective = (!is_val_accuracy(metric)).then_some(metric);
    let mut header: Vec<&str> = Vec::new();
    header.extend((order == Order::BestFirst).then_some("rank"));
    header.push("job");
    header.extend(ALWAYS);
    header.extend(more.iter().map(|name| name.as_str()));
    header.extend(seeds.then_some("seed"));
    header.extend(objective);
    header.extend([BEST, FINAL, trained(swept), "seconds", "state"]);
    let mut table = Table::new(header);
    let mut rank = Ranks::default();
    for run in runs {
        let params: Map<String, Value> =
            run.maybe_text("params")?.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let measured = |name: &str| Ok::<_, TableError>(number::metric(run.maybe_float(name)?));
        let mut cells = Vec::new();
        if order == Order::BestFirst {
            let rank = rank.next(run.maybe_float("objective")?);
            cells.push(rank.map_or_else(|| "-".to_owned(), |rank| rank.to_string()));
        }
        cells.push(run.integer("job")?.to_string());
        cells.push(run.maybe_text("optimizer")?.unwrap_or("-").to_owned());
        cells.push(run.maybe_float("learning_rate")?.map_or_else(|| "-".to_owned(), number::exact));
        cells.push(count(run.maybe_integer("batch_size")?));
        cells.extend(more.iter().map(|name| number::value(params.get(*name))));
        if seeds {
            cells.push(run.integer("seed")?.to_string());
        }
        if objective.is_some() {
            cells.push(measured("objective")?);
        }
        cells.extend([measured(BEST)?, measured(FINAL)?]);
        cells.extend([epochs(*run, swept)?, number::seconds(run.maybe_float("seconds")?), with_error(*run)?]);
        table.row(cells);
    }
    Ok(table)
}

/// The column of the epochs that were trained. Where `epochs` is swept, that is the column of those
/// asked for.
fn trained(swept: &[String]) -> &'static str {
    if swept.iter().any(|name| name == "epochs") { "epochs_done" } else { "epochs" }
}

/// `25`, or `7/25` where the run ended or stands before its last epoch; of swept epochs, only those
/// that were trained.
fn epochs(run: Row<'_>, swept: &[String]) -> Result<String, TableError> {
    let (done, asked) = (run.maybe_integer("epochs_done")?, run.maybe_integer("epochs")?);
    Ok(match (done, asked) {
        (done, _) if trained(swept) == "epochs_done" => count(done),
        (Some(done), Some(asked)) if done != asked => format!("{done}/{asked}"),
        (done, asked) => count(asked.or(done)),
    })
}

fn count(count: Option<i64>) -> String {
    count.map_or_else(|| "-".to_owned(), |count| count.to_string())
}

/// The state, with the reason of a failure, or for which a job is in the queue again.
fn with_error(run: Row<'_>) -> Result<String, TableError> {
    let state = run.text("state")?;
    Ok(match (run.maybe_text("error")?, JobState::parse(state)) {
        (Some(error), Some(JobState::Failed | JobState::Queued)) => format!("{state}: {error}"),
        _ => state.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use besom_sweep::{Cell, Table as Rows};

    use super::*;

    const COLUMNS: [&str; 14] = [
        "job",
        "state",
        "optimizer",
        "learning_rate",
        "batch_size",
        "epochs",
        "epochs_done",
        "params",
        "seed",
        "objective",
        "final_val_accuracy",
        "best_val_accuracy",
        "seconds",
        "error",
    ];

    /// Runs by job with these states and objectives.
    fn runs(of: &[(&str, Option<f64>)]) -> Rows {
        let mut rows = Rows::new(COLUMNS);
        for (job, (state, objective)) in (1..).zip(of) {
            let objective = objective.map_or(Cell::Null, Cell::Float);
            rows.push(vec![
                Cell::Integer(job),
                (*state).into(),
                "adam".into(),
                Cell::Float(0.01),
                Cell::Integer(32),
                Cell::Integer(3),
                Cell::Integer(3),
                r#"{"dropout":0.5}"#.into(),
                Cell::Integer(1),
                objective.clone(),
                objective.clone(),
                objective,
                Cell::Float(1.25),
                Cell::Null,
            ]);
        }
        rows
    }

    fn set(rows: &mut Rows, row: usize, column: &str, cell: Cell) {
        let place = rows.names().position(|name| name == column).unwrap();
        rows.rows[row][place] = cell;
    }

    fn shown(rows: &Rows, order: Order, swept: &[&str], metric: &str) -> Table {
        let swept: Vec<String> = swept.iter().map(|&name| name.to_owned()).collect();
        table(&rows.iter().collect::<Vec<_>>(), order, &swept, metric).unwrap()
    }

    #[test]
    fn equal_runs_share_a_rank_and_unranked_ones_stand_without() {
        let mut rows =
            runs(&[("succeeded", Some(0.9)), ("succeeded", Some(0.9)), ("succeeded", Some(0.8)), ("failed", None)]);
        set(&mut rows, 3, "error", "no such class".into());
        set(&mut rows, 3, "epochs_done", Cell::Integer(1));
        let text = shown(&rows, Order::BestFirst, &["dropout"], "val_accuracy").render();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(
            lines[0],
            [
                "rank",
                "job",
                "optimizer",
                "learning_rate",
                "batch_size",
                "dropout",
                "best_val_accuracy",
                "final_val_accuracy",
                "epochs",
                "seconds",
                "state"
            ]
        );
        assert_eq!(lines[1], ["1", "1", "adam", "0.01", "32", "0.5", "0.9000", "0.9000", "3", "1.25", "succeeded"]);
        assert_eq!((lines[2][0], lines[3][0], lines[4][0]), ("1", "3", "-"));
        let last = text.lines().nth(4).unwrap();
        assert!(last.contains(" 1/3 ") && last.ends_with("  failed: no such class"), "{text}");
    }

    #[test]
    fn swept_epochs_and_trained_ones_have_a_column_each() {
        let mut rows = runs(&[("succeeded", Some(0.9)), ("queued", None)]);
        set(&mut rows, 0, "params", r#"{"epochs":5}"#.into());
        set(&mut rows, 1, "epochs_done", Cell::Null);
        let text = shown(&rows, Order::Job, &["epochs"], "val_accuracy").render();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        let column = |line: usize, name: &str| lines[line][lines[0].iter().position(|cell| *cell == name).unwrap()];
        assert_eq!((column(1, "epochs"), column(1, "epochs_done"), column(2, "epochs_done")), ("5", "3", "-"));
        let mut names = lines[0].clone();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), lines[0].len(), "no two columns share a name: {text}");
    }

    #[test]
    fn a_narrow_terminal_keeps_what_was_swept_and_how_well_it_did() {
        let rows = runs(&[("succeeded", Some(0.9)), ("succeeded", Some(0.8))]);
        let swept = ["learning_rate", "batch_size"];
        let within = |metric, width| {
            let names = swept.map(str::to_owned);
            let expendable = expendable(&rows.iter().collect::<Vec<_>>(), &names, metric).unwrap();
            let text = shown(&rows, Order::BestFirst, &swept, metric).render_within(width, &expendable).0;
            text.lines().next().unwrap().to_owned()
        };
        assert_eq!(within("val_accuracy", 67), "rank  job  learning_rate  batch_size  final_val_accuracy  state");
        assert_eq!(within("val_loss", 41), "rank  learning_rate  batch_size  val_loss");
    }

    #[test]
    fn seeds_and_another_metric_have_columns_of_their_own() {
        let mut rows = runs(&[("succeeded", Some(0.4)), ("succeeded", Some(0.5))]);
        set(&mut rows, 1, "seed", Cell::Integer(2));
        let header = shown(&rows, Order::Job, &[], "val_loss").render().lines().next().unwrap().to_owned();
        assert!(header.contains("seed") && header.contains("val_loss") && !header.contains("rank"), "{header}");
    }

    #[test]
    fn a_run_of_another_trainer_has_no_hyperparameters_to_show() {
        let mut rows = runs(&[("succeeded", Some(0.4))]);
        for column in ["optimizer", "learning_rate", "batch_size", "epochs", "epochs_done", "best_val_accuracy"] {
            set(&mut rows, 0, column, Cell::Null);
        }
        let text = shown(&rows, Order::Job, &[], "val_accuracy").render();
        let cells: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(cells, ["1", "-", "-", "-", "-", "0.4000", "-", "1.25", "succeeded"]);
    }
}
