//! The runs of one sweep, or its configurations, as a table or as JSON, below what became of the
//! sweep.

use besom_proto::v1::Sweep;
use besom_sweep::Row;

use super::{configs, json, rows, runs};
use crate::{
    configurations::{self, Configurations},
    output,
    ranking::Ranking,
    results::Results,
    text::state,
};

/// Prints runs as a table, or as JSON.
///
/// # Errors
/// Stdout.
pub(crate) fn print(results: &Results, as_json: bool) -> anyhow::Result<()> {
    head(&results.sweep, as_json)?;
    if as_json {
        return json::print(&rows::Objects(&results.runs));
    }
    let (sweep, shown): (_, Vec<Row<'_>>) = (&results.sweep, results.runs.iter().collect());
    let expendable = runs::expendable(&shown, &sweep.swept, &sweep.metric)?;
    runs::table(&shown, results.order, &sweep.swept, &sweep.metric)?.print(&expendable)?;
    if results.more {
        let all = if results.filtered { String::new() } else { format!(" of {}", sweep.jobs_total) };
        output::remark(format_args!("the first {}{all} runs", shown.len()));
    }
    Ok(())
}

/// Prints a ranking as a table, or as JSON.
///
/// # Errors
/// Stdout.
pub(crate) fn print_ranking(ranking: &Ranking, as_json: bool) -> anyhow::Result<()> {
    match ranking {
        Ranking::Runs(results) => print(results, as_json),
        Ranking::Configs(configs) => print_configs(configs, as_json),
    }
}

fn print_configs(configs: &Configurations, as_json: bool) -> anyhow::Result<()> {
    let Configurations { sweep, rows, more } = configs;
    head(sweep, as_json)?;
    if as_json {
        return json::print(&rows::Objects(rows));
    }
    let shown: Vec<Row<'_>> = rows.iter().collect();
    configs::table(&shown, &sweep.swept)?.print(&configs::expendable(&sweep.swept))?;
    if *more {
        output::remark(format_args!("the first {} configurations", shown.len()));
    }
    output::remark(format_args!(
        "ranked by the mean {} of each configuration over its seeds; `besom best {} --by run` ranks single runs",
        sweep.metric, sweep.name
    ));
    if shown.len() > 1 {
        output::remark(configurations::told_apart(rows)?);
    }
    Ok(())
}

/// What became of the sweep: a remark where stdout is for programs.
fn head(sweep: &Sweep, as_json: bool) -> anyhow::Result<()> {
    let counts = sweep.counts.unwrap_or_default();
    let heading = format!("{}: {}, {}", state::title(sweep), state::sweep(sweep.state), state::counts(&counts));
    let waits = state::waits(sweep);
    if as_json {
        output::remark(heading);
        waits.into_iter().for_each(output::remark);
        return Ok(());
    }
    output::prose(heading)?;
    waits.map_or(Ok(()), output::prose)
}
