//! What the runs of one configuration amount to over its seeds.
//!
//! Only what plain SQL cannot do: standard deviations and intervals by Student's t. A run that
//! diverged or failed has no result to average; it is counted apart, and never taken for zero.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::JobState;

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
    /// The validation accuracy of the last epoch.
    pub last: Option<f64>,
    /// The maximum over the epochs.
    pub best: Option<f64>,
    /// Wall time of the accepted attempt.
    pub seconds: Option<f64>,
}

/// The ended runs of one configuration.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConfigSums {
    /// Runs that succeeded or were stopped and have an objective, whatever the metric is.
    pub n: u32,
    /// Runs whose loss was not finite.
    pub diverged: u32,
    /// Runs that were given up.
    pub failed: u32,
    /// Over the n runs.
    pub objective: Option<Estimate>,
    /// The last validation accuracy, over those of them that have one.
    pub last: Option<Estimate>,
    /// The best validation accuracy, over those of them that have one.
    pub best: Option<Estimate>,
    /// Over the n runs.
    pub mean_seconds: Option<f64>,
}

impl ConfigSums {
    /// Works them out. The order of `runs` decides the last digits.
    pub fn of(runs: &[ConfigRun]) -> Self {
        let mut sums = Self::default();
        let (mut finals, mut bests, mut seconds, mut objectives) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for run in runs {
            match run.state {
                JobState::Succeeded | JobState::Stopped => {
                    if let Some(objective) = run.objective {
                        sums.n += 1;
                        objectives.push(objective);
                        finals.extend(run.last);
                        bests.extend(run.best);
                        seconds.extend(run.seconds);
                    }
                }
                JobState::Diverged => sums.diverged += 1,
                JobState::Failed => sums.failed += 1,
                JobState::Queued | JobState::Running | JobState::Cancelled => {}
            }
        }
        sums.last = estimate(&finals);
        sums.best = estimate(&bests);
        sums.mean_seconds = estimate(&seconds).map(|seconds| seconds.mean);
        sums.objective = estimate(&objectives);
        sums
    }

    /// Whether no run of the configuration has ended with anything to tell.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Mean, standard deviation and 95 % interval of the mean; `None` of nothing and of what is not
/// finite. By Welford's updates, about the first number: equal ones have no spread, and close ones
/// lose no digits.
pub fn estimate(values: &[f64]) -> Option<Estimate> {
    let origin = values.first().copied().unwrap_or_default();
    let (mut mean, mut squares) = (0.0, 0.0);
    for (before, value) in values.iter().map(|value| value - origin).enumerate() {
        let off = value - mean;
        mean += off / (before + 1) as f64;
        squares += off * (value - mean);
    }
    let mean = origin + mean;
    let n = values.len() as f64;
    let spread = (values.len() > 1).then(|| {
        let deviation = (squares / (n - 1.0)).max(0.0).sqrt();
        let reach = students_t(n - 1.0) * deviation / n.sqrt();
        Spread { deviation, low: mean - reach, high: mean + reach }
    });
    // Absurdly large numbers may add up to none.
    let spread = spread.filter(|spread| spread.low.is_finite() && spread.high.is_finite());
    (!values.is_empty() && mean.is_finite()).then_some(Estimate { mean, spread })
}

/// How many standard errors a 95 % interval reaches to each side, for `freedom` (at least 1)
/// degrees of freedom.
fn students_t(freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom).expect("degrees of freedom are above zero").inverse_cdf(QUANTILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(value: f64, expected: f64) {
        assert!((value - expected).abs() <= 1e-11 * expected.abs().max(1.0), "{value} is not {expected}");
    }

    #[test]
    fn quantiles_are_those_of_other_programs() {
        // scipy.stats.t.ppf(0.975, freedom)
        for (freedom, quantile) in [
            (1.0, 12.706204736174694),
            (2.0, 4.302652729749462),
            (3.0, 3.1824463052837078),
            (4.0, 2.7764451051977934),
            (9.0, 2.262157162798205),
            (29.0, 2.045229642132703),
            (99.0, 1.9842169515864174),
            (1000.0, 1.9623390808264083),
        ] {
            near(students_t(freedom), quantile);
        }
    }

    #[test]
    fn estimates_are_those_of_numpy_and_scipy() {
        // numpy.mean, numpy.std(ddof=1), scipy.stats.t.interval(0.95, n - 1, mean, deviation /
        // sqrt(n))
        for (values, [mean, deviation, low, high]) in [
            (
                &[0.8123, 0.8341, 0.8239][..],
                [0.8234333333333334, 0.01090748978149109, 0.7963376266266, 0.8505290400400667],
            ),
            (&[0.81, 0.83], [0.82, 0.014142135623730885, 0.6929379526382538, 0.9470620473617464]),
            // Their squares have no digits left for the differences.
            (
                &[1e8 + 0.1, 1e8 + 0.2, 1e8 + 0.4, 1e8 + 0.3],
                [100000000.25, 0.12909944872104503, 100000000.04457398, 100000000.45542605],
            ),
        ] {
            let estimate = estimate(values).unwrap();
            let spread = estimate.spread.unwrap();
            near(estimate.mean, mean);
            near(spread.deviation, deviation);
            near(spread.low, low);
            near(spread.high, high);
        }
    }

    #[test]
    fn one_number_has_a_mean_and_no_spread_and_equal_ones_have_a_spread_of_zero() {
        assert_eq!(estimate(&[]), None);
        assert_eq!(estimate(&[0.7]), Some(Estimate { mean: 0.7, spread: None }));
        let spread = Spread { deviation: 0.0, low: 0.1, high: 0.1 };
        assert_eq!(estimate(&[0.1; 7]), Some(Estimate { mean: 0.1, spread: Some(spread) }));
    }

    #[test]
    fn numbers_that_add_up_to_none_have_no_estimate() {
        assert_eq!(estimate(&[f64::MAX, f64::MIN]), None);
        assert_eq!(estimate(&[1e200, -1e200]), Some(Estimate { mean: 0.0, spread: None }));
    }

    #[test]
    fn runs_without_a_result_are_counted_apart() {
        let run = |state, accuracy: Option<f64>| ConfigRun {
            state,
            objective: accuracy.map(|accuracy| -accuracy),
            last: accuracy,
            best: accuracy.map(|accuracy| accuracy + 0.1),
            seconds: Some(2.0),
        };
        let diverged = ConfigRun { objective: None, seconds: Some(100.0), ..run(JobState::Diverged, Some(0.1)) };
        let runs = [
            run(JobState::Succeeded, Some(0.5)),
            diverged.clone(),
            run(JobState::Stopped, Some(0.75)),
            run(JobState::Failed, None),
            run(JobState::Queued, None),
            run(JobState::Running, None),
            run(JobState::Cancelled, None),
        ];
        let sums = ConfigSums::of(&runs);
        assert_eq!((sums.n, sums.diverged, sums.failed), (2, 1, 1));
        assert_eq!((sums.mean_seconds, sums.objective.map(|objective| objective.mean)), (Some(2.0), Some(-0.625)));
        assert!(sums.objective.unwrap().spread.unwrap().low < -0.625, "an objective has an interval, whatever it is");
        near(sums.last.unwrap().mean, 0.625);
        near(sums.best.unwrap().mean, 0.725);
        let alone = ConfigSums::of(&[diverged]);
        assert_eq!(alone, ConfigSums { diverged: 1, ..ConfigSums::default() });
        assert!(!alone.is_empty() && ConfigSums::of(&runs[4..]).is_empty());
    }
}
