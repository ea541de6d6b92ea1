//! The rows of the curves: a hyperparameter each, its lines by name, and which of them stand out.
//!
//! In a large grid the spread of the runs with one value is that of all other hyperparameters, so
//! that bands would cover each other and say nothing. There the runs have a row of their own, and
//! beside each value's mean stands its best run.

use besom_sweep::JobState;

use crate::{
    data::{Run, SweepData},
    differences,
    lines::{self, Kind, Line},
    style::{BEST, MANY, thinned},
};

/// A grid of more runs than this is a large one: a band of fewer is still narrow enough to be seen
/// through.
const LARGE: usize = 20;

/// The panels of one hyperparameter, or of the runs.
pub(crate) struct Row {
    /// What stands above them.
    pub(crate) title: String,
    /// What a line stands for: a value or a run.
    pub(crate) what: &'static str,
    /// In order of the values or jobs.
    pub(crate) lines: Vec<Entry>,
    /// How many lines there are; `lines` has fewer where there are too many runs.
    pub(crate) all: usize,
    /// How many of all diverged.
    pub(crate) diverged: usize,
    /// Whether lines have bands.
    pub(crate) has_bands: bool,
}

/// A line with its name.
pub(crate) struct Entry {
    pub(crate) name: String,
    /// What else there is to say of it, item by item.
    pub(crate) about: Vec<String>,
    pub(crate) line: Line,
    /// Of a value in a large grid: the best run that has it.
    pub(crate) best: Option<Line>,
}

/// The rows of the figure; a sweep that varies nothing has one.
pub(crate) fn rows(data: &SweepData) -> Vec<Row> {
    if data.parameters.is_empty() {
        let lines = lines::of_all(data).into_iter().map(|line| Entry::new("all runs".to_owned(), line)).collect();
        return vec![Row::of_values("nothing is varied".to_owned(), lines, true)];
    }
    let is_large = is_large(data);
    let runs = is_large.then(|| row_of_runs(data));
    let values = data.parameters.iter().enumerate().map(|(at, parameter)| {
        let lines = lines::of(data, at);
        let with_best = is_large && lines.len() <= MANY;
        let entry = |line: Line| {
            let base = if data.base[at] == Some(line.value) { " (base)" } else { "" };
            let name = format!("{}{base}", parameter.text(line.value));
            let value = line.value;
            let entry = Entry::new(name, line);
            if with_best { entry.with_best(data, at, value) } else { entry }
        };
        let lines = lines.into_iter().map(entry).collect();
        Row::of_values(format!("{}{}", parameter.name, rest(data, at)), lines, !is_large)
    });
    runs.into_iter().chain(values).collect()
}

impl Row {
    fn of_values(title: String, lines: Vec<Entry>, has_bands: bool) -> Self {
        let diverged = lines.iter().filter(|entry| entry.line.kind == Kind::Diverged).count();
        Self { title, what: "value", all: lines.len(), lines, diverged, has_bands }
    }
}

impl Entry {
    fn new(name: String, line: Line) -> Self {
        Self { name, about: Vec::new(), line, best: None }
    }

    /// With the best run that has this value, if that is not all there is.
    fn with_best(mut self, data: &SweepData, parameter: usize, value: usize) -> Self {
        let having = data.runs.iter().filter(|run| run.values[parameter] == Some(value));
        let best = best_runs(having, 1).first().copied().filter(|_| self.line.runs > 1);
        if let Some((run, accuracy)) = best {
            self.about = vec![format!("best: job {}, {accuracy:.4}", run.job)];
            self.best = Some(lines::of_run(data, run));
        }
        self
    }
}

/// Whether bands would cover each other.
fn is_large(data: &SweepData) -> bool {
    !data.one_at_a_time && data.parameters.len() > 1 && data.runs.len() > LARGE
}

/// All runs, and the best of them by what differs between them. Of too many runs an even choice is
/// kept, and the best.
fn row_of_runs(data: &SweepData) -> Row {
    let having = || data.runs.iter().filter(|run| !run.epochs.is_empty());
    let all = having().count();
    let best = best_runs(having(), BEST);
    let points: Vec<_> = best.iter().map(|(run, _)| &run.values).collect();
    let differences = differences::of(&data.parameters, &points);
    let kept = having()
        .enumerate()
        .filter(|(at, run)| at % thinned(all) == 0 || best.iter().any(|(best, _)| best.job == run.job));
    let entry = |run: &Run| {
        let mut entry = Entry::new(format!("job {}", run.job), lines::of_run(data, run));
        if let Some(rank) = best.iter().position(|(best, _)| best.job == run.job) {
            entry.about.clone_from(&differences.each[rank]);
            entry.about.extend((data.seeds > 1).then(|| format!("seed {}", run.seed)));
        }
        entry
    };
    let shared = match &differences.shared[..] {
        [] => String::new(),
        shared => format!(", the best {} with {}", best.len(), shared.join(", ")),
    };
    Row {
        title: format!("runs{shared}"),
        what: "run",
        lines: kept.map(|(_, run)| entry(run)).collect(),
        all,
        diverged: having().filter(|run| run.state == Some(JobState::Diverged)).count(),
        has_bands: false,
    }
}

/// Those of the runs that end best by their last accuracy, the best first, of equal ones the
/// earlier job.
fn best_runs<'a>(runs: impl Iterator<Item = &'a Run>, count: usize) -> Vec<(&'a Run, f64)> {
    let ended_badly = [JobState::Diverged, JobState::Failed, JobState::Cancelled].map(Some);
    let last = |run: &Run| run.epochs.iter().rev().find_map(|epoch| epoch.val_accuracy);
    let mut runs: Vec<_> =
        runs.filter(|run| !ended_badly.contains(&run.state)).filter_map(|run| Some((run, last(run)?))).collect();
    runs.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.job.cmp(&b.0.job)));
    runs.truncate(count);
    runs
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
pub(crate) fn is_many(row: &Row) -> bool {
    row.lines.len() > MANY
}

/// The places of the lines that have a look of their own: all, or the best of many.
pub(crate) fn shown(row: &Row) -> Vec<usize> {
    if is_many(row) { best(row) } else { (0..row.lines.len()).collect() }
}

/// The places of the lines that are drawn thin: of too many an even choice.
pub(crate) fn thin(row: &Row) -> Vec<usize> {
    // The runs that were not kept are left out already.
    let every = if row.all > row.lines.len() { 1 } else { thinned(row.lines.len()) };
    (0..row.lines.len()).step_by(every).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::tests::data;

    /// A grid of so many learning rates and two optimizers; the accuracy rises with the rate,
    /// adam's by more.
    fn grid(rates: usize) -> SweepData {
        let texts: Vec<(String, [f64; 2])> = (0..2 * rates)
            .map(|n| {
                let (optimizer, rate) = (["sgd", "adam"][n % 2], n / 2 + 1);
                let last = rate as f64 / 100.0 + if n % 2 == 1 { 0.5 } else { 0.0 };
                (format!(r#"{{"optimizer":"{optimizer}","learning_rate":{rate}.0}}"#), [0.01, last])
            })
            .collect();
        let runs: Vec<(&str, JobState, &[f64])> =
            texts.iter().map(|(text, all)| (text.as_str(), JobState::Succeeded, &all[..])).collect();
        data("", "grid", &["optimizer", "learning_rate"], &runs)
    }

    #[test]
    fn in_a_large_grid_the_best_runs_have_lines_of_their_own_and_no_band_covers_them() {
        let rows = rows(&grid(11));
        let seen: Vec<_> = rows.iter().map(|row| (row.what, row.all, row.has_bands)).collect();
        assert_eq!(seen, [("run", 22, false), ("value", 2, false), ("value", 11, false)]);
        let best: Vec<(&str, &[String])> = shown(&rows[0])
            .into_iter()
            .map(|at| (rows[0].lines[at].name.as_str(), &rows[0].lines[at].about[..]))
            .collect();
        assert_eq!(best.len(), BEST);
        assert_eq!(best[0], ("job 22", &["learning_rate 11.0".to_owned()][..]), "what all five share is not repeated");
        assert_eq!(best[4].0, "job 14");
        assert_eq!(rows[0].title, "runs, the best 5 with optimizer adam");
        let sgd = &rows[1].lines[0];
        assert_eq!(sgd.about, ["best: job 21, 0.1100"]);
        assert_eq!(sgd.best.as_ref().and_then(Line::last_accuracy), Some(0.11));
    }

    #[test]
    fn a_small_grid_keeps_its_bands() {
        let rows = rows(&grid(5));
        assert!(rows.len() == 2 && rows.iter().all(|row| row.has_bands), "no row of runs");
        assert!(rows.iter().flat_map(|row| &row.lines).all(|entry| entry.best.is_none()));
    }
}
