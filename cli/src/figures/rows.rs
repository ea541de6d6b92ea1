//! The rows of the curves: a hyperparameter each, its lines by name, and which of them stand out.

use super::{
    data::SweepData,
    lines::{self, Kind, Line},
    style::{BEST, MANY},
};

/// The panels of one hyperparameter.
pub(super) struct Row {
    /// What stands above them.
    pub(super) title: String,
    /// In order of the values.
    pub(super) lines: Vec<Entry>,
}

/// A line with its name.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) line: Line,
}

/// The rows of the figure; a sweep that varies nothing has one.
pub(super) fn rows(data: &SweepData) -> Vec<Row> {
    if data.parameters.is_empty() {
        let lines = lines::of_all(data).into_iter().map(|line| Entry { name: "all runs".to_owned(), line }).collect();
        return vec![Row { title: "nothing is varied".to_owned(), lines }];
    }
    data.parameters
        .iter()
        .enumerate()
        .map(|(at, parameter)| {
            let entry = |line: Line| {
                let base = if data.base[at] == Some(line.value) { " (base)" } else { "" };
                Entry { name: format!("{}{base}", parameter.text(line.value)), line }
            };
            let lines = lines::of(data, at).into_iter().map(entry).collect();
            Row { title: format!("{}{}", parameter.name, rest(data, at)), lines }
        })
        .collect()
}

/// What happens with the other hyperparameters in the panels of this one.
fn rest(data: &SweepData, parameter: usize) -> String {
    let others = data.parameters.iter().enumerate().filter(|(at, _)| *at != parameter);
    if !data.one_at_a_time {
        return if data.parameters.len() > 1 { ", averaged over the rest".to_owned() } else { String::new() };
    }
    let base = others.filter_map(|(at, other)| Some(format!("{} = {}", other.name, other.text(data.base[at]?))));
    let base: Vec<String> = base.collect();
    if base.is_empty() { String::new() } else { format!(", at the base {}", base.join(", ")) }
}

/// Whether its lines are too many for each to have a look of its own.
pub(super) fn is_many(row: &Row) -> bool {
    row.lines.len() > MANY
}

/// The places of the lines that have a look of their own: all, or the best of many.
pub(super) fn shown(row: &Row) -> Vec<usize> {
    if is_many(row) { best(row) } else { (0..row.lines.len()).collect() }
}

/// The places of the best lines, the best first.
fn best(row: &Row) -> Vec<usize> {
    let accuracy = |at: &usize| row.lines[*at].line.last_accuracy().unwrap_or(f64::NEG_INFINITY);
    let ended_well = |at: &usize| matches!(row.lines[*at].line.kind, Kind::Finished | Kind::Running);
    let mut places: Vec<usize> = (0..row.lines.len()).filter(ended_well).collect();
    places.sort_by(|a, b| accuracy(b).total_cmp(&accuracy(a)).then(a.cmp(b)));
    places.truncate(BEST);
    places
}
