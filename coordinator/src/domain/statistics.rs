//! What the runs of one configuration amount to over its seeds.
//!
//! Only what plain SQL cannot do: standard deviations and intervals by Student's t. A run that diverged or failed has
//! no result to average; it is counted apart, and never taken for zero.

use besom_sweep::Params;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{JobId, JobState};

/// Both tails together leave out 5 %.
const QUANTILE: f64 = 0.975;

/// Mean and spread of some numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// How far the numbers and their mean may be off; `None` for a single number.
    pub spread: Option<Spread>,
}

/// What takes two numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Standard deviation of the sample, with n - 1.
    pub deviation: f64,
    /// Lower end of the 95 % interval of the mean.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// One ended or unended job of a configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigRun {
    /// Where it stands.
    pub state: JobState,
    /// What the sweep ranks by.
    pub objective: Option<f64>,
    /// Of the last epoch.
    pub final_val_accuracy: Option<f64>,
    /// The maximum over the epochs.
    pub best_val_accuracy: Option<f64>,
    /// Wall time of the accepted attempt.
    pub seconds: Option<f64>,
}

/// The ended runs of one configuration.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConfigSums {
    /// Runs that succeeded or were stopped and have a final and a best val_accuracy: all numbers but the objective's
    /// are theirs.
    pub n: u32,
    /// Runs whose loss was not finite.
    pub diverged: u32,
    /// Runs that were given up.
    pub failed: u32,
    /// Over the n runs.
    pub final_val_accuracy: Option<Estimate>,
    /// Over the n runs.
    pub best_val_accuracy: Option<Estimate>,
    /// Over the n runs.
    pub mean_seconds: Option<f64>,
    /// Over the runs that have an objective.
    pub objective_mean: Option<f64>,
}

/// A configuration of a sweep, over its seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigStats {
    /// See `JobConfig::config_hash`.
    pub config_hash: String,
    /// All hyperparameters.
    pub params: Params,
    /// Its first job.
    pub job: JobId,
    /// Its runs.
    pub sums: ConfigSums,
}

impl ConfigSums {
    /// Works them out. The order of `runs` decides the last digits.
    pub fn of(runs: &[ConfigRun]) -> Self {
        let mut sums = Self::default();
        let (mut finals, mut bests, mut seconds, mut objectives) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for run in runs {
            match run.state {
                JobState::Succeeded | JobState::Stopped => {
                    objectives.extend(run.objective);
                    if let (Some(last), Some(best)) = (run.final_val_accuracy, run.best_val_accuracy) {
                        sums.n += 1;
                        finals.push(last);
                        bests.push(best);
                        seconds.extend(run.seconds);
                    }
                }
                JobState::Diverged => sums.diverged += 1,
                JobState::Failed => sums.failed += 1,
                JobState::Queued | JobState::Running | JobState::Cancelled => {}
            }
        }
        sums.final_val_accuracy = estimate(&finals);
        sums.best_val_accuracy = estimate(&bests);
        sums.mean_seconds = estimate(&seconds).map(|seconds| seconds.mean);
        sums.objective_mean = estimate(&objectives).map(|objective| objective.mean);
        sums
    }

    /// Whether no run of the configuration has ended with anything to tell.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Mean, standard deviation and 95 % interval of the mean; `None` of nothing. By Welford's updates: equal numbers have
/// no spread, and close ones lose no digits.
pub fn estimate(values: &[f64]) -> Option<Estimate> {
    let (mut mean, mut squares) = (0.0, 0.0);
    for (before, &value) in values.iter().enumerate() {
        let off = value - mean;
        mean += off / (before + 1) as f64;
        squares += off * (value - mean);
    }
    let n = values.len() as f64;
    let spread = (values.len() > 1).then(|| {
        let deviation = (squares / (n - 1.0)).max(0.0).sqrt();
        let reach = students_t(n - 1.0) * deviation / n.sqrt();
        Spread { deviation, low: mean - reach, high: mean + reach }
    });
    (!values.is_empty()).then_some(Estimate { mean, spread })
}

/// How many standard errors a 95 % interval reaches to each side, for `freedom` (at least 1) degrees of freedom.
fn students_t(freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom).expect("degrees of freedom are above zero").inverse_cdf(QUANTILE)
}
