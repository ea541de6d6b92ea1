//! The worker's border with the wire: what comes in is checked here, what goes out is made here.

use besom_proto::v1;
use besom_sweep::{Confusion, EpochRecord, Goal, JobConfig, KeepModels, Lists, MLP, Metric, MetricName, ScoredEpoch};
use sha2::{Digest, Sha256};

use super::{Directive, DropReason};
use besom_dataset::digest::hex;

/// Names one execution of a job, with the number of the lease on it; every write of this worker
/// carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AttemptRef {
    pub(crate) job: i64,
    pub(crate) attempt: u32,
    pub(crate) lease: i64,
}

/// A job that this worker may execute.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Assignment {
    pub(crate) seed: i64,
    pub(crate) config: JobConfig,
    pub(crate) metric: Metric,
    pub(crate) scored_epoch: ScoredEpoch,
    pub(crate) keep_models: KeepModels,
}

impl From<v1::AttemptRef> for AttemptRef {
    fn from(at: v1::AttemptRef) -> Self {
        Self { job: at.job, attempt: at.attempt, lease: at.lease }
    }
}

impl From<AttemptRef> for v1::AttemptRef {
    fn from(at: AttemptRef) -> Self {
        Self { job: at.job, attempt: at.attempt, lease: at.lease }
    }
}

/// An assignment that this build cannot execute.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("assignment: {field}: {problem}")]
pub(crate) struct Unfit {
    field: &'static str,
    problem: String,
    /// It is not the one that was made: another attempt may get the right one. Otherwise none by
    /// this build can execute it.
    pub(crate) damaged: bool,
}

impl TryFrom<&v1::Assignment> for Assignment {
    type Error = Unfit;

    fn try_from(wire: &v1::Assignment) -> Result<Self, Unfit> {
        let unfit = |field, problem: String| Unfit { field, problem, damaged: false };
        let unspecified = |field| unfit(field, "not one that this build knows".to_owned());
        let found = hex(&Sha256::digest(&wire.config));
        if found != wire.config_hash {
            let problem = format!("{} is not the hash of the configuration, {found}", wire.config_hash);
            return Err(Unfit { damaged: true, ..unfit("config_hash", problem) });
        }
        let config =
            JobConfig::from_canonical_json(&wire.config).map_err(|error| unfit("config", error.to_string()))?;
        // The perceptron would end with a best model of no epoch.
        let name = MLP.metric(&wire.metric).map(|metric| MetricName::of(metric.name));
        let name =
            name.ok_or_else(|| unfit("metric", format!("'{}' is not one that this build knows", wire.metric)))?;
        let goal = match wire.goal() {
            v1::Goal::Maximize => Goal::Maximize,
            v1::Goal::Minimize => Goal::Minimize,
            v1::Goal::Unspecified => return Err(unspecified("goal")),
        };
        let scored_epoch = match wire.scored_epoch() {
            v1::ScoredEpoch::Final => ScoredEpoch::Final,
            v1::ScoredEpoch::Best => ScoredEpoch::Best,
            v1::ScoredEpoch::Unspecified => return Err(unspecified("scored_epoch")),
        };
        let keep_models = match wire.keep_models() {
            v1::KeepModels::All => KeepModels::All,
            v1::KeepModels::Best => KeepModels::Best,
            v1::KeepModels::None => KeepModels::None,
            v1::KeepModels::Unspecified => return Err(unspecified("keep_models")),
        };
        Ok(Self { seed: wire.seed, config, metric: Metric { name, goal }, scored_epoch, keep_models })
    }
}

/// What the coordinator orders about a reported job.
pub(crate) fn directive(wire: &v1::JobDirective) -> Result<Directive, &'static str> {
    match wire.directive() {
        v1::Directive::Continue => Ok(Directive::Continue),
        v1::Directive::StopEarly => Ok(Directive::StopEarly),
        v1::Directive::Cancelled => Ok(Directive::Drop(DropReason::Cancelled)),
        v1::Directive::LeaseLost => Ok(Directive::Drop(DropReason::LeaseLost)),
        v1::Directive::Refused => Ok(Directive::Drop(DropReason::Refused)),
        v1::Directive::Unspecified => Err("directive: not one that this build knows"),
    }
}

/// A record as it is reported.
pub(crate) fn epoch_record(record: &EpochRecord) -> v1::EpochRecord {
    v1::EpochRecord {
        step: record.step,
        metrics: record.metrics.iter().map(|(name, &value)| (name.as_str().to_owned(), value)).collect(),
        learning_rate: record.learning_rate,
        seconds: record.seconds,
    }
}

/// As it is kept with a run.
pub(crate) fn confusion(confusion: Confusion) -> v1::Confusion {
    let confusion = confusion.kept();
    let Lists { counts, gaps, by_class } = confusion.lists();
    v1::Confusion { classes: confusion.classes, counts, gaps, by_class }
}

#[cfg(test)]
mod tests {
    use besom_sweep::{Engine, Hyperparameters, Params};

    use super::*;

    fn wire() -> v1::Assignment {
        let config = JobConfig {
            hyperparameters: Hyperparameters::from_params(&Params::new()).unwrap(),
            dataset: "ab".repeat(32),
            engine: Engine::Candle,
        };
        v1::Assignment {
            attempt: Some(v1::AttemptRef { job: 1, attempt: 1, lease: 7 }),
            sweep: 1,
            sweep_name: "s".into(),
            slot: 0,
            seed: -3,
            config: config.canonical_json(),
            config_hash: config.config_hash(),
            metric: "val_loss".into(),
            goal: v1::Goal::Minimize.into(),
            scored_epoch: v1::ScoredEpoch::Best.into(),
            keep_models: v1::KeepModels::None.into(),
        }
    }

    #[test]
    fn an_assignment_is_read_whole() {
        let wire = wire();
        let read = Assignment::try_from(&wire).unwrap();
        assert_eq!(read.config.canonical_json(), wire.config);
        assert_eq!(read.metric, Metric { name: MetricName::of("val_loss"), goal: Goal::Minimize });
        assert_eq!((read.seed, read.scored_epoch, read.keep_models), (-3, ScoredEpoch::Best, KeepModels::None));
    }

    #[test]
    fn what_is_wrong_with_an_assignment_is_named() {
        type Spoil = fn(&mut v1::Assignment);
        let rehash = |wire: &mut v1::Assignment| wire.config_hash = hex(&Sha256::digest(&wire.config));
        let cases: [(&str, Spoil); 6] = [
            ("config_hash", |wire| wire.config_hash = "00".repeat(32)),
            ("config", |wire| wire.config = wire.config.replace(r#""trainer_version":"#, r#""trainer_version":99"#)),
            ("metric", |wire| wire.metric = "f1".into()),
            ("goal", |wire| wire.goal = 0),
            ("scored_epoch", |wire| wire.scored_epoch = 77),
            ("keep_models", |wire| wire.keep_models = 0),
        ];
        for (field, spoil) in cases {
            let mut wire = wire();
            spoil(&mut wire);
            if field == "config" {
                rehash(&mut wire);
            }
            let unfit = Assignment::try_from(&wire).unwrap_err();
            assert_eq!((unfit.field, unfit.damaged), (field, field == "config_hash"));
        }
    }

    #[test]
    fn an_unknown_directive_is_refused() {
        assert!(directive(&v1::JobDirective::default()).is_err());
        assert!(directive(&v1::JobDirective { directive: 99, ..v1::JobDirective::default() }).is_err());
    }
}
