//! What all crates know of a trainer: its name, its version, and what its results must look like.

use serde_json::Value;

use crate::{Goal, Params};

/// What executes jobs of one kind. Today there is one, the multilayer perceptron.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trainer {
    /// Its name in the store, on the wire and in a job's configuration.
    pub name: &'static str,
    /// Raised whenever the same configuration would give other numbers than before.
    pub version: u32,
    /// Who executes it.
    pub kind: TrainerKind,
    /// How it counts the steps of a job.
    pub counting: Counting,
    /// The metrics that are known beforehand. Under any other name it may report any finite number.
    pub metrics: &'static [TrainerMetric],
    /// The metric of a sweep that names none.
    pub default_metric: Option<&'static TrainerMetric>,
}

/// Who executes the jobs of a trainer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrainerKind {
    /// The worker itself, in its own process.
    BuiltIn,
    /// Nobody that this build knows.
    Unknown,
}

/// How a trainer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// Each epoch from 1 to the parameter `epochs`; a job with a `patience` may end before.
    Epochs,
    /// As it likes, ascending.
    Any,
}

/// A metric that a trainer is known to report.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainerMetric {
    /// Its name.
    pub name: &'static str,
    /// Which way is better.
    pub goal: Goal,
    /// It is never less.
    pub least: f64,
    /// It is never more.
    pub most: f64,
    /// Whether a job has diverged where this is not finite.
    pub diverges: bool,
}

/// Which steps the records of a job must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steps {
    /// Every one from 1 to `last`, and fewer only where the job may end early by itself, or is told
    /// to.
    Each {
        /// The last step.
        last: u32,
        /// Whether the job has a patience.
        may_end_early: bool,
    },
    /// Any, ascending.
    Any,
}

/// A loss, which the perceptron sums up in f32.
const fn loss(name: &'static str) -> TrainerMetric {
    TrainerMetric { name, goal: Goal::Minimize, least: f32::MIN as f64, most: f32::MAX as f64, diverges: true }
}

/// A share of samples that are right.
const fn accuracy(name: &'static str) -> TrainerMetric {
    TrainerMetric { name, goal: Goal::Maximize, least: 0.0, most: 1.0, diverges: false }
}

const MLP_METRICS: &[TrainerMetric] = &[loss("loss"), accuracy("accuracy"), loss("val_loss"), VAL_ACCURACY];
const VAL_ACCURACY: TrainerMetric = accuracy("val_accuracy");

/// The multilayer perceptron.
pub const MLP: Trainer = Trainer {
    name: "mlp",
    version: 4,
    kind: TrainerKind::BuiltIn,
    counting: Counting::Epochs,
    metrics: MLP_METRICS,
    default_metric: Some(&VAL_ACCURACY),
};

/// What is asked of a trainer that another build knows: what holds for all.
const UNKNOWN: Trainer = Trainer {
    name: "",
    version: 0,
    kind: TrainerKind::Unknown,
    counting: Counting::Any,
    metrics: &[],
    default_metric: None,
};

/// All of them.
const ALL: [&Trainer; 1] = [&MLP];

impl Trainer {
    /// The trainer of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.into_iter().find(|trainer| trainer.name == name)
    }

    /// What the results of the trainer of this name must look like. Of one that this build does not
    /// know they may have any steps and any finite numbers.
    #[must_use]
    pub fn rules(name: &str) -> &'static Self {
        Self::named(name).unwrap_or(&UNKNOWN)
    }

    /// What is known of the metric of this name.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<&'static TrainerMetric> {
        self.metrics.iter().find(|metric| metric.name == name)
    }

    /// The names of the metrics that are known.
    pub fn metric_names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.metrics.iter().map(|metric| metric.name)
    }

    /// Which steps the records of a job with these parameters must have. Parameters that a store
    /// has and no build writes ask for nothing.
    #[must_use]
    pub fn steps(&self, params: &Params) -> Steps {
        let last = params.get("epochs").and_then(Value::as_u64).and_then(|last| last.try_into().ok());
        self.steps_to(last, params.get("patience").is_some_and(|patience| !patience.is_null()))
    }

    /// The same, of a job of so many epochs, with a patience or without.
    #[must_use]
    pub fn steps_to(&self, last: Option<u32>, may_end_early: bool) -> Steps {
        match (self.counting, last) {
            (Counting::Epochs, Some(last)) => Steps::Each { last, may_end_early },
            (Counting::Epochs, None) | (Counting::Any, _) => Steps::Any,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_perceptron_has_a_record_of_each_epoch_and_fewer_only_with_a_patience() {
        let of = |trainer: &Trainer, text: &str| {
            let Value::Object(params) = serde_json::from_str(text).unwrap() else { panic!("{text}") };
            trainer.steps(&params)
        };
        let steps = |text: &str| of(Trainer::named("mlp").unwrap(), text);
        assert_eq!(steps(r#"{"epochs": 7, "patience": null}"#), Steps::Each { last: 7, may_end_early: false });
        assert_eq!(steps(r#"{"epochs": 7, "patience": 2}"#), Steps::Each { last: 7, may_end_early: true });
        assert_eq!(steps("{}"), Steps::Any);
        assert_eq!(Trainer::named("other"), None);
        assert_eq!(
            of(Trainer::rules("other"), r#"{"epochs": 7}"#),
            Steps::Any,
            "only its own build knows what it means"
        );
    }

    #[test]
    fn the_perceptrons_metrics_have_bounds_and_a_goal() {
        let metric = |name: &str| *MLP.metric(name).unwrap();
        assert_eq!(MLP.metric_names().collect::<Vec<_>>(), ["loss", "accuracy", "val_loss", "val_accuracy"]);
        assert_eq!((metric("accuracy").least, metric("accuracy").most), (0.0, 1.0));
        assert_eq!((metric("val_loss").goal, metric("val_loss").most), (Goal::Minimize, f64::from(f32::MAX)));
        assert_eq!(MLP.default_metric, Some(&metric("val_accuracy")));
        assert_eq!(MLP.metric("f1"), None);
    }
}
