//! The runs of one sweep as a table or as JSON, below what became of the sweep.

use besom_sweep::Row;

use super::{json, rows, runs};
use crate::{output, results::Results, text::state};

/// Prints them as a table, or as JSON.
///
/// # Errors
/// Stdout.
pub(crate) fn print(results: &Results, as_json: bool) -> anyhow::Result<()> {
    let counts = results.sweep.counts.unwrap_or_default();
    let (title, state) = (state::title(&results.sweep), state::sweep(results.sweep.state));
    let heading = format!("{title}: {state}, {}", state::counts(&counts));
    let waits = state::waits(&results.sweep);
    if as_json {
        output::say(heading);
        waits.into_iter().for_each(output::say);
        return json::print(&rows::Objects(&results.runs));
    }
    output::line(heading)?;
    waits.map_or(Ok(()), output::line)?;
    let runs: Vec<Row<'_>> = results.runs.iter().collect();
    let table = runs::table(&runs, results.order, &results.sweep.swept, &results.sweep.metric)?;
    match output::stdout_width() {
        None => output::line(table.render())?,
        Some(width) => {
            let expendable = runs::expendable(&runs, &results.sweep.swept, &results.sweep.metric)?;
            let (text, left_out) = table.render_within(width, &expendable);
            output::line(text)?;
            if !left_out.is_empty() {
                output::say(format_args!("(too narrow for {}; a file or a pipe gets all)", left_out.join(", ")));
            }
        }
    }
    if results.more {
        output::say(format_args!("the first {} of {} runs", runs.len(), results.sweep.jobs_total));
    }
    Ok(())
}
