//! What the figures of a sweep are drawn from, fetched from a coordinator and cut down to what is drawn.
//!
//! Everything comes over the same service as for every other client. Statistics (means, intervals, importance) are the
//! coordinator's; none is worked out here. Of a run's hyperparameters only the swept ones are kept.

use std::collections::HashMap;

use besom_proto::v1::{self, JobState, Sweep, SweepRef, sweep_service_client::SweepServiceClient};
use besom_sweep::{Method, Params};
use serde_json::Value;
use tonic::transport::Channel;

use super::{
    series::Series,
    values::{Parameter, Values},
};
use crate::{
    connect::refused,
    render::results::{self, Order},
};

/// A sweep as far as it got.
#[derive(Debug, Default)]
pub(super) struct SweepData {
    pub(super) sweep: Sweep,
    /// Whether each parameter varies alone, the others at `base`.
    pub(super) one_at_a_time: bool,
    /// How many seeds each point has.
    pub(super) seeds: usize,
    /// The swept ones, in file order.
    pub(super) parameters: Vec<Parameter>,
    /// Which value of each parameter is its base; only with one at a time.
    pub(super) base: Vec<Option<usize>>,
    /// By job.
    pub(super) runs: Vec<Run>,
    /// By first job.
    pub(super) configs: Vec<Config>,
    /// By job and attempt; only where asked for.
    pub(super) attempts: Vec<v1::Attempt>,
    pub(super) importance: v1::ImportanceResponse,
    /// How many epochs an entry of a run stands for; 0 where no run has any.
    pub(super) stride: usize,
    /// How many numbers are left out that no training gives.
    pub(super) odd: u64,
}

/// The largest loss that a trainer can say, which counts in f32. A number beyond it came into the store by another way, and
/// one of them would flatten everything else in a figure.
const LARGEST_LOSS: f64 = f32::MAX as f64;
/// Losses below this are drawn as 0: a logarithmic axis would have to hold hundreds of decades.
const SMALLEST_LOSS: f64 = 1e-30;
/// An interval of two seeds reaches beyond 0 and 1, but not so far.
const WIDEST: f64 = 100.0;

/// One job.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) job: i64,
    pub(super) seed: i64,
    pub(super) state: JobState,
    /// Which value of each parameter it has; `None` where its point has no such parameter.
    pub(super) values: Values,
    /// From epoch 1 on, of the accepted or current attempt; of long runs fewer entries than epochs.
    pub(super) epochs: Vec<Epoch>,
    /// How many epochs there are.
    pub(super) trained: usize,
}

/// What is drawn of one epoch; `None` where it was not finite, or is no such number.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Epoch {
    pub(super) val_accuracy: Option<f64>,
    pub(super) val_loss: Option<f64>,
}

/// One configuration over its seeds.
#[derive(Debug, Clone)]
pub(super) struct Config {
    pub(super) values: Values,
    /// The first job.
    pub(super) job: i64,
    /// Runs that have a final val_accuracy.
    pub(super) n: u32,
    pub(super) diverged: u32,
    pub(super) failed: u32,
    /// Mean, and the 95 % interval where there are several seeds.
    pub(super) accuracy: Option<Estimate>,
}

/// A mean and, of two numbers or more, its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    pub(super) mean: f64,
    pub(super) interval: Option<(f64, f64)>,
}

impl SweepData {
    /// Everything about the sweep of this name or number; its attempts only where they are drawn.
    ///
    /// # Errors
    /// No such sweep, or the coordinator is away.
    pub(super) async fn fetch(
        mut client: SweepServiceClient<Channel>,
        sweep: &str,
        with_attempts: bool,
    ) -> anyhow::Result<Self> {
        let fetched = results::fetch(client.clone(), sweep, Order::Job, None).await?;
        let (sweep, at) = (fetched.sweep, SweepRef { sweep: sweep.to_owned() });
        let params: Vec<Params> =
            fetched.runs.iter().map(|run| serde_json::from_str(&run.params).unwrap_or_default()).collect();
        let mut data = Self::of(sweep, &params);
        data.runs = fetched
            .runs
            .iter()
            .zip(&params)
            .map(|(run, params)| Run {
                job: run.job,
                seed: run.seed,
                state: run.state(),
                values: data.values(params),
                epochs: Vec::new(),
                trained: 0,
            })
            .collect();
        let mut series = vec![Series::default(); data.runs.len()];
        let index: HashMap<i64, usize> = fetched.runs.iter().enumerate().map(|(at, run)| (run.job, at)).collect();
        let mut history = client.stream_history(at.clone()).await.map_err(refused)?.into_inner();
        while let Some(batch) = history.message().await.map_err(refused)? {
            for job in batch.jobs {
                // A job that was made after the runs were listed is left for the next time.
                let Some(&at) = index.get(&job.job) else { continue };
                for epoch in &job.epochs {
                    series[at].push(Epoch {
                        val_accuracy: sane(epoch.val_accuracy, share, &mut data.odd),
                        val_loss: sane(epoch.val_loss, loss, &mut data.odd),
                    });
                }
            }
        }
        data.stride = series.iter().map(Series::stride).max().unwrap_or(1);
        for (run, series) in data.runs.iter_mut().zip(series) {
            run.trained = series.count();
            run.epochs = series.finish(data.stride);
        }
        let mut configs = client.stream_config_stats(at.clone()).await.map_err(refused)?.into_inner();
        while let Some(batch) = configs.message().await.map_err(refused)? {
            let configs: Vec<Config> = batch.configs.iter().map(|config| data.config(config)).collect();
            data.configs.extend(configs);
        }
        data.importance = client.get_importance(at.clone()).await.map_err(refused)?.into_inner();
        let ranges = data.importance.kind() == v1::ImportanceKind::Range;
        let all = data.importance.importances.len();
        data.importance
            .importances
            .retain(|it| (0.0..=if ranges { 2.0 * LARGEST_LOSS } else { 1.01 }).contains(&it.value));
        data.odd += (all - data.importance.importances.len()) as u64;
        if with_attempts {
            let mut attempts = client.stream_attempts(at).await.map_err(refused)?.into_inner();
            while let Some(batch) = attempts.message().await.map_err(refused)? {
                data.attempts.extend(batch.attempts);
            }
        }
        Ok(data)
    }

    /// A sweep without runs yet, its parameters and their values as the file and these runs have them.
    pub(super) fn of(sweep: Sweep, params: &[Params]) -> Self {
        // A file that a later build wrote may say what this one does not know: then nothing is a base.
        let spec = besom_sweep::parse_stored(&sweep.text).ok();
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
                let base: Option<&Value> = spec.as_ref().and_then(|spec| spec.base.get(&parameter.name));
                base.and_then(|value| parameter.index(value))
            })
            .collect();
        let one_at_a_time = sweep.method == Method::OneAtATime.as_str();
        let seeds = spec.as_ref().map_or(1, |spec| spec.seeds.len());
        Self { sweep, one_at_a_time, seeds, parameters, base, ..Self::default() }
    }

    /// Which values these hyperparameters have.
    pub(super) fn values(&self, params: &Params) -> Values {
        self.parameters
            .iter()
            .map(|parameter| params.get(&parameter.name).and_then(|value| parameter.index(value)))
            .collect()
    }

    fn config(&mut self, stats: &v1::ConfigStats) -> Config {
        let params: Params = serde_json::from_str(&stats.params).unwrap_or_default();
        let accuracy = stats.final_val_accuracy.as_ref().and_then(|estimate| {
            let near = |(low, high): &(f64, f64)| low.abs() <= WIDEST && high.abs() <= WIDEST;
            let interval = estimate.low.zip(estimate.high).filter(near);
            Some(Estimate { mean: sane(Some(estimate.mean), share, &mut self.odd)?, interval })
        });
        Config {
            values: self.values(&params),
            job: stats.job,
            n: stats.n,
            diverged: stats.diverged,
            failed: stats.failed,
            accuracy,
        }
    }

    /// Whether a point with these values belongs to the panel of `parameter`: in a grid every one does; else those
    /// whose other parameters stand at their base, or that have no such parameter.
    pub(super) fn belongs(&self, parameter: usize, values: &Values) -> bool {
        let others = values.iter().zip(&self.base).enumerate().filter(|(at, _)| *at != parameter);
        values[parameter].is_some()
            && (!self.one_at_a_time || others.into_iter().all(|(_, (value, base))| value.is_none() || value == base))
    }

    /// Jobs that ended, of all.
    pub(super) fn ended(&self) -> (u64, u64) {
        let counts = self.sweep.counts.unwrap_or_default();
        (crate::render::state::final_jobs(&counts), self.sweep.jobs_total)
    }
}

/// The number if it is one that a training gives; else it is counted.
fn sane(value: Option<f64>, draw: fn(f64) -> Option<f64>, odd: &mut u64) -> Option<f64> {
    let drawn = draw(value?);
    *odd += u64::from(drawn.is_none());
    drawn
}

fn share(value: f64) -> Option<f64> {
    (0.0..=1.0).contains(&value).then_some(value)
}

fn loss(value: f64) -> Option<f64> {
    (0.0..=LARGEST_LOSS).contains(&value).then_some(if value < SMALLEST_LOSS { 0.0 } else { value })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Hyperparameters from JSON.
    pub(in crate::figures) fn params(text: &str) -> Params {
        serde_json::from_str(text).unwrap()
    }

    /// Epochs of these accuracies.
    pub(in crate::figures) fn epochs(accuracies: &[f64]) -> Vec<Epoch> {
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
            text: text.into(),
            method: "one_at_a_time".into(),
            swept: vec!["optimizer".into(), "momentum".into()],
            ..Sweep::default()
        };
        let data = SweepData::of(sweep, &[]);
        let adam = data.values(&params(r#"{"optimizer":"adam"}"#));
        assert_eq!(adam, [Some(1), None]);
        assert!(data.belongs(0, &adam) && !data.belongs(1, &adam));
        let fast = data.values(&params(r#"{"optimizer":"sgd","momentum":0.9}"#));
        assert!(!data.belongs(0, &fast) && data.belongs(1, &fast));
    }
}
