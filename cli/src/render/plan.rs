//! What a sweep file asks for, before anything is trained.

use besom_sweep::{Hyperparameters, Params};
use serde::Serialize;

use super::{failure::Failure, json, table::Table};
use crate::{
    dataset::{self, Glimpse},
    output::{self, Exit},
    sweep_file::SweepFile,
    text::{number, source},
};

/// More points than this are counted, not shown.
const SHOWN: u64 = 100;

#[derive(Serialize)]
struct Plan<'a> {
    name: &'a str,
    handle: &'a str,
    method: &'static str,
    metric: &'a str,
    goal: &'static str,
    dataset_source: String,
    synthetic: bool,
    train: Option<u32>,
    test: Option<u32>,
    classes: Option<usize>,
    points: u64,
    merged: u64,
    seeds: &'a [i64],
    jobs: u64,
    jobs_cut: u64,
    swept: &'a [String],
    notes: Vec<&'a str>,
    first_points: Vec<Params>,
    /// Why the data cannot be trained on.
    #[serde(flatten)]
    failure: Option<Failure>,
}

/// Prints the plan: points in order of work, what was merged or dropped, how many jobs, and what is
/// odd about the data.
///
/// # Errors
/// Stdout; the data cannot be trained on, which is told after all else.
pub(crate) fn print(file: &SweepFile, data: Glimpse, as_json: bool) -> anyhow::Result<Exit> {
    let plan = file.expansion.plan();
    let notes: Vec<&str> = plan.notes.iter().chain(&data.notes).map(String::as_str).collect();
    let points: Vec<Params> = first_points(file).iter().map(Hyperparameters::to_params).collect();
    if as_json {
        json::print(&Plan {
            name: file.name.title(),
            handle: file.name.handle(),
            method: file.spec.method.as_str(),
            metric: file.spec.metric.name.as_str(),
            goal: file.spec.metric.goal.as_str(),
            dataset_source: file.spec.dataset.source_text(source::shown),
            synthetic: file.is_synthetic(),
            train: data.sizes.map(|(train, ..)| train),
            test: data.sizes.map(|(_, test, _)| test),
            classes: data.sizes.and_then(|(.., classes)| classes),
            points: plan.points,
            merged: plan.merged,
            seeds: &file.spec.seeds,
            jobs: plan.jobs,
            jobs_cut: plan.jobs_cut,
            swept: &plan.swept,
            notes,
            first_points: points,
            failure: data.refused.as_ref().map(Failure::from),
        })?;
        // The document has told it already.
        return Ok(data.refused.map_or(Exit::Success, |error| output::finish(Err(error))));
    }
    output::line(file.heading())?;
    let synthetic = if file.is_synthetic() { " (synthetic data)" } else { "" };
    let sizes = data.sizes.map(|(train, test, classes)| format!(": {}", dataset::sizes(train, test, classes)));
    output::line(format_args!(
        "dataset: {}{synthetic}{}",
        file.spec.dataset.source_text(source::shown),
        sizes.unwrap_or_default()
    ))?;
    output::line(format_args!("metric: {} ({})", file.spec.metric.name.as_str(), file.spec.metric.goal.as_str()))?;
    for note in notes {
        output::line(format_args!("note: {note}"))?;
    }
    let (shown, constant) = columns(&points, &plan.swept);
    if let (false, Some(first)) = (constant.is_empty(), points.first()) {
        let constant: Vec<String> =
            constant.iter().map(|name| format!("{name} {}", number::value(first.get(*name)))).collect();
        output::line(format_args!("everywhere: {}", constant.join(", ")))?;
    }
    let mut table = Table::new(std::iter::once("point").chain(shown.iter().copied()));
    for (index, point) in points.iter().enumerate() {
        let values = shown.iter().map(|name| number::value(point.get(*name)));
        table.row(std::iter::once((index + 1).to_string()).chain(values));
    }
    output::line(format_args!("\n{}", table.render()))?;
    if plan.points > SHOWN {
        output::line(format_args!("... and {} more points", plan.points - SHOWN))?;
    }
    data.refused.map_or(Ok(Exit::Success), Err)
}

fn first_points(file: &SweepFile) -> Vec<Hyperparameters> {
    (0..file.expansion.plan().points.min(SHOWN)).map(|index| file.expansion.point(index)).collect()
}

/// Names of the hyperparameters that differ between points (the swept ones first, in file order),
/// and of the others that have a value.
fn columns<'a>(points: &'a [Params], swept: &'a [String]) -> (Vec<&'a str>, Vec<&'a str>) {
    let mut shown: Vec<&str> = swept.iter().map(String::as_str).collect();
    let mut constant = Vec::new();
    let mut names: Vec<&str> = points.iter().flat_map(|point| point.keys()).map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    for name in names.into_iter().filter(|name| !swept.iter().any(|swept| swept == name)) {
        let first = points.first().and_then(|point| point.get(name));
        if points.iter().any(|point| point.get(name) != first) {
            // Options that only some of the optimizers have are noise unless they are swept; JSON
            // has them.
            if points.iter().all(|point| point.contains_key(name)) {
                shown.push(name);
            }
        } else if first.is_some_and(|value| !value.is_null()) {
            constant.push(name);
        }
    }
    (shown, constant)
}
