//! Which lines the curves have: one for each value of a hyperparameter, and what each is the
//! average of.
//!
//! With one at a time a line is the mean over the seeds and its band goes from the lowest to the
//! highest of them. In a grid it is the mean over all other hyperparameters and seeds and its band
//! holds the middle 80 % of the runs. Runs that diverged or have not ended are counted beside a
//! line that others make, and make it alone where there are none. Of a large grid single runs have
//! lines of their own too: see `rows`.

use besom_sweep::JobState;

use crate::data::{Epoch, Run, SweepData};

/// A hyperparameter's value by epoch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    /// Which value of the parameter.
    pub(crate) value: usize,
    /// From epoch 1 on.
    pub(crate) val_accuracy: Vec<Option<Band>>,
    pub(crate) val_loss: Vec<Option<Band>>,
    /// How many epochs an entry stands for.
    pub(crate) stride: usize,
    /// How many epochs the longest of its runs has.
    pub(crate) epochs: usize,
    /// What made the line.
    pub(crate) kind: Kind,
    /// How many runs made it.
    pub(crate) runs: usize,
    /// How many others have the value and diverged.
    pub(crate) diverged: usize,
    /// How many others have the value and failed or were cancelled.
    pub(crate) failed: usize,
    /// How many others have the value and have not ended.
    pub(crate) unfinished: usize,
    /// Whether a run that ended early counts with its last epoch.
    pub(crate) prolonged: bool,
}

/// Which runs made a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Those that ended well.
    Finished,
    /// None ended well yet: those that are running.
    Running,
    /// All diverged.
    Diverged,
    /// None has an epoch.
    Empty,
}

/// A mean with what lies around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Band {
    pub(crate) mean: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// The lines of the panel of `parameter`, in order of its values; those without any run are left
/// out.
pub(crate) fn of(data: &SweepData, parameter: usize) -> Vec<Line> {
    let mut runs: Vec<Vec<&Run>> = vec![Vec::new(); data.parameters[parameter].values.len()];
    for run in data.runs.iter().filter(|run| data.belongs(parameter, &run.values)) {
        if let Some(value) = run.values[parameter] {
            runs[value].push(run);
        }
    }
    let lines = runs.iter().enumerate().filter(|(_, runs)| !runs.is_empty());
    lines.map(|(value, runs)| line(data, value, runs, data.one_at_a_time)).collect()
}

/// The one line of a sweep that varies nothing: all its runs.
pub(crate) fn of_all(data: &SweepData) -> Vec<Line> {
    let runs: Vec<&Run> = data.runs.iter().collect();
    vec![line(data, 0, &runs, true)]
}

/// One run's own line.
pub(crate) fn of_run(data: &SweepData, run: &Run) -> Line {
    line(data, 0, &[run], true)
}

fn line(data: &SweepData, value: usize, runs: &[&Run], whole_range: bool) -> Line {
    let of = |states: &[JobState]| -> Vec<&Run> {
        runs.iter().copied().filter(|run| run.state.is_some_and(|state| states.contains(&state))).collect()
    };
    let finished = of(&[JobState::Succeeded, JobState::Stopped]);
    let (running, diverged) = (of(&[JobState::Running, JobState::Queued]), of(&[JobState::Diverged]));
    let failed = of(&[JobState::Failed, JobState::Cancelled]);
    let with_epochs = |runs: &[&Run]| runs.iter().any(|run| !run.epochs.is_empty());
    let (kind, made_by): (Kind, &[&Run]) = if !finished.is_empty() {
        (Kind::Finished, &finished)
    } else if with_epochs(&running) {
        (Kind::Running, &running)
    } else if !diverged.is_empty() {
        (Kind::Diverged, &diverged)
    } else {
        (Kind::Empty, &[])
    };
    let made_by: Vec<&Run> = made_by.iter().copied().filter(|run| !run.epochs.is_empty()).collect();
    let others = |kinds: Kind, count: usize| if kind == kinds { count - made_by.len().min(count) } else { count };
    let longest = made_by.iter().map(|run| run.epochs.len()).max().unwrap_or(0);
    let all = made_by.iter().map(|run| run.trained).max().unwrap_or(0);
    let prolonged = kind == Kind::Finished && made_by.iter().any(|run| run.trained < all);
    let average = |metric: fn(&Epoch) -> Option<f64>| -> Vec<Option<Band>> {
        (0..longest)
            .map(|epoch| {
                let at = |run: &&Run| match kind {
                    Kind::Finished => run.epochs.get(epoch).or(run.epochs.last()).and_then(metric),
                    _ => run.epochs.get(epoch).and_then(metric),
                };
                band(made_by.iter().filter_map(at).collect(), whole_range)
            })
            .collect()
    };
    Line {
        value,
        val_accuracy: average(|epoch| epoch.val_accuracy),
        val_loss: average(|epoch| epoch.val_loss),
        stride: data.stride.max(1),
        epochs: all,
        kind,
        runs: made_by.len(),
        diverged: others(Kind::Diverged, diverged.len()),
        failed: failed.len(),
        unfinished: others(Kind::Running, running.len()),
        prolonged,
    }
}

fn band(mut numbers: Vec<f64>, whole_range: bool) -> Option<Band> {
    if numbers.is_empty() {
        return None;
    }
    numbers.sort_by(f64::total_cmp);
    let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
    let cut = if whole_range { 0.0 } else { 0.1 };
    Some(Band { mean, low: quantile(&numbers, cut), high: quantile(&numbers, 1.0 - cut) })
}

/// Between the two nearest of the ascending `numbers`, in proportion.
fn quantile(numbers: &[f64], share: f64) -> f64 {
    let at = share * (numbers.len() - 1) as f64;
    let (below, above) = (numbers[at.floor() as usize], numbers[at.ceil() as usize]);
    below + (above - below) * at.fract()
}

impl Line {
    /// What became of those runs that did not make the line; empty where nothing did.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let of = |count: usize, word: &str| {
            let all = self.runs + self.diverged + self.failed + self.unfinished;
            (count > 0).then(|| if all == 1 { word.to_owned() } else { format!("{count} of {all} {word}") })
        };
        let made = match self.kind {
            Kind::Finished | Kind::Empty => None,
            Kind::Running => Some("still running".to_owned()),
            Kind::Diverged if self.runs == 0 => None,
            Kind::Diverged if self.runs == 1 => Some(format!("diverged in epoch {}", self.epochs)),
            Kind::Diverged => Some(format!("all {} diverged", self.runs)),
        };
        let others = [of(self.diverged, "diverged"), of(self.failed, "failed"), of(self.unfinished, "not ended")];
        made.into_iter().chain(others.into_iter().flatten()).collect()
    }

    /// The epoch of an entry.
    pub(crate) fn epoch(&self, entry: usize) -> f64 {
        (entry * self.stride + 1).min(self.epochs.max(1)) as f64
    }

    /// The mean of the last epoch that has one.
    pub(crate) fn last_accuracy(&self) -> Option<f64> {
        self.val_accuracy.iter().rev().flatten().next().map(|band| band.mean)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        data::tests::{epochs, params},
        input::Sweep,
    };

    pub(crate) fn data(text: &str, method: &str, swept: &[&str], runs: &[(&str, JobState, &[f64])]) -> SweepData {
        let sweep = Sweep {
            method: method.to_owned(),
            swept: swept.iter().map(|&name| name.to_owned()).collect(),
            ..Sweep::default()
        };
        let all: Vec<_> = runs.iter().map(|(text, ..)| params(text)).collect();
        let spec = besom_sweep::parse(text).ok();
        let mut data = SweepData::of(sweep, spec.as_ref(), &all.iter().collect::<Vec<_>>());
        data.runs = runs
            .iter()
            .zip(&all)
            .zip(1..)
            .map(|(((_, state, accuracies), params), job)| Run {
                job,
                seed: 0,
                state: Some(*state),
                values: data.values(params),
                epochs: epochs(accuracies),
                trained: accuracies.len(),
            })
            .collect();
        data
    }

    const CLASSIC: &str = "method: one_at_a_time\nparameters:\n  optimizer: {values: [sgd, adam]}\n  \
                           learning_rate: {values: [0.1, 0.5]}\nbesom:\n  base: {optimizer: sgd, learning_rate: 0.01}\n  \
                           dataset: {source: 'builtin:sketches'}\n";

    fn means(line: &Line) -> Vec<f64> {
        line.val_accuracy.iter().flatten().map(|band| (band.mean * 1e6).round() / 1e6).collect()
    }

    #[test]
    fn one_at_a_time_has_a_line_for_each_value_with_the_others_at_their_base() {
        let data = data(
            CLASSIC,
            "one_at_a_time",
            &["optimizer", "learning_rate"],
            &[
                (r#"{"optimizer":"sgd","learning_rate":0.01}"#, JobState::Succeeded, &[0.1, 0.2]),
                (r#"{"optimizer":"sgd","learning_rate":0.01}"#, JobState::Succeeded, &[0.3, 0.4]),
                (r#"{"optimizer":"adam","learning_rate":0.01}"#, JobState::Succeeded, &[0.5, 0.6]),
                (r#"{"optimizer":"sgd","learning_rate":0.1}"#, JobState::Succeeded, &[0.7, 0.8]),
                (r#"{"optimizer":"sgd","learning_rate":0.5}"#, JobState::Diverged, &[0.1]),
            ],
        );
        let optimizers = of(&data, 0);
        assert_eq!(optimizers.iter().map(means).collect::<Vec<_>>(), [vec![0.2, 0.3], vec![0.5, 0.6]]);
        assert_eq!(data.parameters[0].text(optimizers[0].value), "sgd");
        let band = optimizers[0].val_accuracy[1].unwrap();
        assert_eq!((band.low, band.high), (0.2, 0.4), "from the lowest seed to the highest");
        let rates = of(&data, 1);
        assert_eq!(
            rates.iter().map(|line| data.parameters[1].text(line.value)).collect::<Vec<_>>(),
            ["0.01", "0.1", "0.5"]
        );
        assert_eq!(data.base, [Some(0), Some(0)]);
        assert_eq!((rates[2].kind, rates[2].remarks()), (Kind::Diverged, vec!["diverged in epoch 1".to_owned()]));
    }

    #[test]
    fn a_grid_averages_over_the_rest() {
        let runs: Vec<(String, JobState, Vec<f64>)> = ["sgd", "adam"]
            .iter()
            .flat_map(|optimizer| {
                (0..11).map(move |n| {
                    let text = json!({"optimizer": optimizer, "dropout": f64::from(n) / 20.0}).to_string();
                    let high = if *optimizer == "adam" { 0.5 } else { 0.0 };
                    (text, JobState::Succeeded, vec![high + f64::from(n) / 100.0])
                })
            })
            .collect();
        let runs: Vec<(&str, JobState, &[f64])> = runs.iter().map(|(a, b, c)| (a.as_str(), *b, c.as_slice())).collect();
        let data = data("", "grid", &["optimizer", "dropout"], &runs);
        let lines = of(&data, 0);
        assert_eq!(lines.iter().map(means).collect::<Vec<_>>(), [vec![0.05], vec![0.55]]);
        let band = lines[0].val_accuracy[0].unwrap();
        assert!((band.low - 0.01).abs() < 1e-9 && (band.high - 0.09).abs() < 1e-9, "the middle 80 %: {band:?}");
        assert_eq!(of(&data, 1).len(), 11);
        assert!(of(&data, 1).iter().all(|line| line.runs == 2));
    }

    #[test]
    fn runs_that_did_not_end_well_are_counted_and_do_not_bend_the_line() {
        let text = r#"{"learning_rate":0.1}"#;
        let data = data(
            "",
            "grid",
            &["learning_rate"],
            &[
                (text, JobState::Succeeded, &[0.4, 0.6, 0.8]),
                (text, JobState::Succeeded, &[0.2]),
                (text, JobState::Diverged, &[0.0]),
                (text, JobState::Running, &[0.9, 0.9]),
                (text, JobState::Failed, &[]),
            ],
        );
        let line = &of(&data, 0)[0];
        assert_eq!(means(line), [0.3, 0.4, 0.5], "a run that ended early counts with its last epoch");
        assert!(line.prolonged);
        assert_eq!(line.remarks(), ["1 of 5 diverged", "1 of 5 failed", "1 of 5 not ended"]);
    }

    #[test]
    fn unfinished_runs_make_the_line_where_there_are_no_others() {
        let text = r#"{"learning_rate":0.1}"#;
        let runs: &[(&str, JobState, &[f64])] =
            &[(text, JobState::Running, &[0.4, 0.6]), (text, JobState::Queued, &[])];
        let data = data("", "grid", &["learning_rate"], runs);
        let line = &of(&data, 0)[0];
        assert_eq!((line.kind, means(line)), (Kind::Running, vec![0.4, 0.6]));
        assert_eq!(line.remarks(), ["still running", "1 of 2 not ended"]);
    }
}
