//! What the figures of a sweep are drawn from: its rows, cut down to what is drawn.
//!
//! Statistics (means, intervals, importance) come with the rows; none is worked out here. Of a
//! run's hyperparameters only the swept ones are kept.

use besom_sweep::{JobState, Method, Params, SweepSpec};
use serde_json::Value;

use crate::{
    input::{AttemptRow, ImportanceRow, Sweep},
    values::{Parameter, Values},
};

/// A sweep as far as it got, ready to be drawn; see [`SweepDataBuilder`](crate::SweepDataBuilder).
#[derive(Debug, Default)]
pub struct SweepData {
    pub(crate) sweep: Sweep,
    /// Whether each parameter varies alone, the others at `base`.
    pub(crate) one_at_a_time: bool,
    /// How many seeds each point has.
    pub(crate) seeds: usize,
    /// The swept ones, in file order.
    pub(crate) parameters: Vec<Parameter>,
    /// Which value of each parameter is its base; only with one at a time.
    pub(crate) base: Vec<Option<usize>>,
    /// By job.
    pub(crate) runs: Vec<Run>,
    /// By first job.
    pub(crate) configs: Vec<Config>,
    /// By job and attempt; only where asked for.
    pub(crate) attempts: Vec<AttemptRow>,
    /// In the order in which they came; all of one kind.
    pub(crate) importances: Vec<ImportanceRow>,
    /// How many epochs an entry of a run stands for; 0 where no run has any.
    pub(crate) stride: usize,
    /// How many numbers are left out that no training gives.
    pub(crate) odd: u64,
}

/// The largest loss that a trainer can say, which counts in f32. A number beyond it came into the
/// store by another way, and one of them would flatten everything else in a figure.
pub(crate) const LARGEST_LOSS: f64 = f32::MAX as f64;
/// Losses below this are drawn as 0: a logarithmic axis would have to hold hundreds of decades.
const SMALLEST_LOSS: f64 = 1e-30;
/// An interval of two seeds reaches beyond 0 and 1, but not so far.
pub(crate) const WIDEST: f64 = 100.0;

/// One job.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) job: i64,
    pub(crate) seed: i64,
    /// Nothing for a state that this build does not know.
    pub(crate) state: Option<JobState>,
    /// Which value of each parameter it has; `None` where its point has no such parameter.
    pub(crate) values: Values,
    /// From epoch 1 on, of the accepted or current attempt; of long runs fewer entries than epochs.
    pub(crate) epochs: Vec<Epoch>,
    /// How many epochs there are.
    pub(crate) trained: usize,
}

/// What is drawn of one epoch; `None` where it was not finite, or is no such number.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Epoch {
    pub(crate) val_accuracy: Option<f64>,
    pub(crate) val_loss: Option<f64>,
}

/// One configuration over its seeds.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) values: Values,
    /// The first job.
    pub(crate) job: i64,
    /// Runs that have a final val_accuracy.
    pub(crate) n: u32,
    pub(crate) diverged: u32,
    pub(crate) failed: u32,
    /// Mean, and the 95 % interval where there are several seeds.
    pub(crate) accuracy: Option<Estimate>,
}

/// A mean and, of two numbers or more, its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) mean: f64,
    pub(crate) interval: Option<(f64, f64)>,
}

impl SweepData {
    /// The attempts at its jobs, in the order in which they came.
    pub fn attempts(&self) -> &[AttemptRow] {
        &self.attempts
    }

    /// How much each hyperparameter matters, without numbers that nothing gives.
    pub fn importances(&self) -> &[ImportanceRow] {
        &self.importances
    }

    /// Whether anything was trained yet.
    pub fn has_epochs(&self) -> bool {
        self.runs.iter().any(|run| !run.epochs.is_empty())
    }

    /// A sweep without runs yet, its parameters and their values as the file and these runs have
    /// them. A file that a later build wrote may say what this one does not know: without a file
    /// nothing is a base.
    pub(crate) fn of(sweep: Sweep, spec: Option<&SweepSpec>, params: &[&Params]) -> Self {
        let listed = |name: &str| {
            let mut parameters = spec.iter().flat_map(|spec| &spec.parameters);
            parameters
                .find(|parameter| parameter.name == name)
                .map_or_else(Vec::new, |parameter| parameter.values.clone())
        };
        let parameters: Vec<Parameter> = sweep
            .swept
            .iter()
            .map(|name| {
                let had = params.iter().filter_map(|params| params.get(name));
                Parameter::new(name, listed(name), had)
            })
            .collect();
        let base = parameters
            .iter()
            .map(|parameter| {
                let base: Option<&Value> = spec.and_then(|spec| spec.base.get(&parameter.name));
                base.and_then(|value| parameter.index(value))
            })
            .collect();
        let one_at_a_time = sweep.method == Method::OneAtATime.as_str();
        let seeds = spec.map_or(1, |spec| spec.seeds.len());
        Self { sweep, one_at_a_time, seeds, parameters, base, ..Self::default() }
    }

    /// Which values these hyperparameters have.
    pub(crate) fn values(&self, params: &Params) -> Values {
        self.parameters
            .iter()
            .map(|parameter| params.get(&parameter.name).and_then(|value| parameter.index(value)))
            .collect()
    }

    /// Whether a point with these values belongs to the panel of `parameter`: in a grid every one
    /// does; else those whose other parameters stand at their base, or that have no such parameter.
    pub(crate) fn belongs(&self, parameter: usize, values: &Values) -> bool {
        let others = values.iter().zip(&self.base).enumerate().filter(|(at, _)| *at != parameter);
        values[parameter].is_some()
            && (!self.one_at_a_time || others.into_iter().all(|(_, (value, base))| value.is_none() || value == base))
    }

    /// Jobs that ended, of all.
    pub(crate) fn ended(&self) -> (u64, u64) {
        (self.sweep.counts.ended(), self.sweep.jobs_total)
    }
}

/// The number if it is one that a training gives; else it is counted.
pub(crate) fn sane(value: Option<f64>, draw: fn(f64) -> Option<f64>, odd: &mut u64) -> Option<f64> {
    let drawn = draw(value?);
    *odd += u64::from(drawn.is_none());
    drawn
}

pub(crate) fn share(value: f64) -> Option<f64> {
    (0.0..=1.0).contains(&value).then_some(value)
}

pub(crate) fn loss(value: f64) -> Option<f64> {
    (0.0..=LARGEST_LOSS).contains(&value).then_some(if value < SMALLEST_LOSS { 0.0 } else { value })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Hyperparameters from JSON.
    pub(crate) fn params(text: &str) -> Params {
        serde_json::from_str(text).unwrap()
    }

    /// Epochs of these accuracies.
    pub(crate) fn epochs(accuracies: &[f64]) -> Vec<Epoch> {
        accuracies.iter().map(|&a| Epoch { val_accuracy: Some(a), val_loss: Some(1.0 - a) }).collect()
    }

    #[test]
    fn numbers_that_no_training_gives_are_counted_and_not_drawn() {
        let mut odd = 0;
        for value in [f64::NAN, f64::INFINITY, f64::MAX, f64::MIN, -1e-9, 1.5] {
            assert_eq!(sane(Some(value), share, &mut odd), None, "{value}");
        }
        for value in [f64::NAN, f64::INFINITY, f64::MAX, f64::MIN, -1e-9, 3.5e38] {
            assert_eq!(sane(Some(value), loss, &mut odd), None, "{value}");
        }
        assert_eq!(odd, 12);
        let drawn = [0.0, -0.0, 5e-324, 1.0].map(|value| sane(Some(value), share, &mut odd));
        assert_eq!(drawn, [Some(0.0), Some(0.0), Some(5e-324), Some(1.0)]);
        let drawn = [0.0, 5e-324, 2.3, 3.4e38].map(|value| sane(Some(value), loss, &mut odd));
        assert_eq!(drawn, [Some(0.0), Some(0.0), Some(2.3), Some(3.4e38)]);
        assert_eq!((odd, sane(None, share, &mut odd)), (12, None));
    }

    #[test]
    fn a_parameter_that_a_point_does_not_have_counts_as_its_base() {
        // What a new file could not say: an older build accepted it.
        let text = "metric: {name: val_loss, goal: maximize}\nmethod: one_at_a_time\nparameters:\n  optimizer: {values: [sgd, adam]}\n  \
                    momentum: {values: [0.0, 0.9]}\nbesom:\n  base: {optimizer: sgd, momentum: 0.0}\n  \
                    dataset: {source: 'builtin:sketches'}\n";
        let sweep = Sweep {
            method: "one_at_a_time".into(),
            swept: vec!["optimizer".into(), "momentum".into()],
            ..Sweep::default()
        };
        let spec = besom_sweep::parse_stored(text).unwrap();
        let data = SweepData::of(sweep, Some(&spec), &[]);
        let adam = data.values(&params(r#"{"optimizer":"adam"}"#));
        assert_eq!(adam, [Some(1), None]);
        assert!(data.belongs(0, &adam) && !data.belongs(1, &adam));
        let fast = data.values(&params(r#"{"optimizer":"sgd","momentum":0.9}"#));
        assert!(!data.belongs(0, &fast) && data.belongs(1, &fast));
    }
}
