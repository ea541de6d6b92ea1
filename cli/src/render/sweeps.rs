//! Sweeps, as a table or one by one.

use besom_proto::v1::Sweep;

use super::{json, table::Table};
use crate::{
    output,
    text::{
        source::{is_synthetic, shown},
        state,
    },
};

/// Prints all of them, in the order given.
///
/// # Errors
/// Stdout.
pub(crate) fn print(sweeps: &[Sweep], as_json: bool) -> anyhow::Result<()> {
    if as_json {
        return json::print(&sweeps.iter().map(json::Sweep::from).collect::<Vec<_>>());
    }
    let named = sweeps.iter().any(|sweep| !sweep.title.is_empty());
    let mut header = vec!["sweep_id", "sweep"];
    header.extend(named.then_some("title"));
    header.extend(["state", "jobs_total", "done", "running", "diverged", "failed", "dataset"]);
    let mut table = Table::new(header);
    for sweep in sweeps {
        let counts = sweep.counts.unwrap_or_default();
        let synthetic = if is_synthetic(&sweep.dataset_source) { " (synthetic)" } else { "" };
        let mut cells = vec![sweep.id.to_string(), sweep.name.clone()];
        cells.extend(named.then(|| state::given_name(sweep).to_owned()));
        cells.extend([
            state::sweep(sweep.state).to_owned(),
            sweep.jobs_total.to_string(),
            state::final_jobs(&counts).to_string(),
            counts.running.to_string(),
            counts.diverged.to_string(),
            counts.failed.to_string(),
            format!("{}{synthetic}", shown(&sweep.dataset_source)),
        ]);
        table.row(cells);
    }
    table.print(&["sweep_id", "running", "dataset", "title", "diverged", "failed"])?;
    for waits in sweeps.iter().filter_map(state::waits) {
        output::prose(waits)?;
    }
    Ok(())
}

/// Prints where one sweep stands.
///
/// # Errors
/// Stdout.
pub(crate) fn print_one(sweep: &Sweep, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        return json::print(&json::Sweep::from(sweep));
    }
    let counts = sweep.counts.unwrap_or_default();
    let name = state::title(sweep);
    output::prose(format_args!("{name}: {}, {}", state::sweep(sweep.state), state::counts(&counts)))?;
    state::waits(sweep).map_or(Ok(()), output::prose)
}
