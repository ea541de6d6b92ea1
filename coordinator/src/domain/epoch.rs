//! What a finished attempt's records amount to.

use std::collections::BTreeMap;

use besom_sweep::{EpochRecord, Goal, Metric, MetricName, ScoredEpoch, Steps};

use super::promoted::{self, METRICS, PromotedMetric};

/// The result columns of a job.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Summary {
    /// The sweep's metric at the last or the best step, as the sweep asks; `None` if it was not
    /// finite there.
    pub objective: Option<f64>,
    /// The objective signed by the goal: higher is better.
    pub score: Option<f64>,
    /// The last values of the promoted metrics, in their order.
    pub finals: [Option<f64>; METRICS.len()],
    /// The best values of those of them that have a column for it, in their order.
    pub bests: Vec<Option<f64>>,
    /// The last values of all other metrics.
    pub others: BTreeMap<MetricName, f64>,
    /// The earliest best of the sweep's metric.
    pub best_step: Option<u64>,
    /// How many steps have a record.
    pub steps_done: u64,
}

/// Works out the result columns from an attempt's records, ascending by step. A diverged job has no
/// score: `ranked` is false for it.
///
/// Where every step has a record, the last values are those of the last one, finite or not.
/// Otherwise a record says only what its trainer had to say at its step, and the last value of a
/// metric is in the last record that has it.
pub fn summarize(
    records: &[EpochRecord],
    steps: Steps,
    metric: &Metric,
    scored_epoch: ScoredEpoch,
    ranked: bool,
) -> Summary {
    let Some(last) = records.last() else { return Summary::default() };
    let lasts = match steps {
        Steps::Each { .. } => std::slice::from_ref(last),
        Steps::Any => records,
    };
    let last_of = |name: &str| lasts.iter().rev().find_map(|record| record.metric(name));
    let name = metric.name.as_str();
    let best = best_of(records, name, metric.goal);
    let value = match scored_epoch {
        ScoredEpoch::Final => last_of(name),
        ScoredEpoch::Best => best.map(|(_, value)| value),
    };
    let objective = value.filter(|_| ranked);
    let best_column = |promoted: &PromotedMetric| {
        promoted.best.map(|goal| best_of(records, promoted.name, goal).map(|(_, value)| value))
    };
    Summary {
        objective,
        score: objective.map(|value| metric.goal.score(value)),
        finals: METRICS.map(|promoted| last_of(promoted.name)),
        bests: METRICS.iter().filter_map(best_column).collect(),
        others: others(lasts),
        best_step: best.map(|(step, _)| step),
        steps_done: records.len() as u64,
    }
}

/// The earliest best value of a metric, and its step.
fn best_of(records: &[EpochRecord], name: &str, goal: Goal) -> Option<(u64, f64)> {
    let mut best: Option<(u64, f64)> = None;
    for record in records {
        if let Some(value) = record.metric(name)
            && best.is_none_or(|(_, incumbent)| goal.score(value) > goal.score(incumbent))
        {
            best = Some((record.step, value));
        }
    }
    best
}

fn others(lasts: &[EpochRecord]) -> BTreeMap<MetricName, f64> {
    let mut others = BTreeMap::new();
    for (name, &value) in lasts.iter().rev().flat_map(|record| &record.metrics) {
        if value.is_finite() && !promoted::has_column(name.as_str()) && !others.contains_key(name) {
            others.insert(name.clone(), value);
        }
    }
    others
}

#[cfg(test)]
mod tests {
    use super::*;

    const EACH: Steps = Steps::Each { last: 3, may_end_early: false };

    fn record(step: u64, metrics: &[(&'static str, f64)]) -> EpochRecord {
        let metrics = metrics.iter().map(|&(name, value)| (MetricName::of(name), value)).collect();
        EpochRecord { step, metrics, ..EpochRecord::default() }
    }

    fn named(pairs: &[(&'static str, f64)]) -> BTreeMap<MetricName, f64> {
        record(0, pairs).metrics
    }

    #[test]
    fn a_metric_without_a_column_is_an_objective_as_any_other() {
        let metric = Metric { name: MetricName::of("metrics/mAP50-95(B)"), goal: Goal::Maximize };
        let map = |step, value| record(step, &[("metrics/mAP50-95(B)", value), ("val_loss", 1.0 / value)]);
        let records = [map(0, 0.25), map(10, 0.5), map(20, 0.5), map(30, 0.125)];
        let of = |objective| summarize(&records, Steps::Any, &metric, objective, true);
        let best = of(ScoredEpoch::Best);
        assert_eq!((best.objective, best.score, best.best_step, best.steps_done), (Some(0.5), Some(0.5), Some(10), 4));
        assert_eq!((best.finals, best.bests), ([None, None, Some(8.0), None], vec![Some(2.0), None]));
        assert_eq!(best.others, named(&[("metrics/mAP50-95(B)", 0.125)]));
        assert_eq!(of(ScoredEpoch::Final).objective, Some(0.125));
        let worse = Metric { goal: Goal::Minimize, ..metric };
        let summary = summarize(&records, Steps::Any, &worse, ScoredEpoch::Best, true);
        assert_eq!((summary.objective, summary.score, summary.best_step), (Some(0.125), Some(-0.125), Some(30)));
    }

    #[test]
    fn the_last_value_is_that_of_the_last_epoch_or_the_last_one_that_was_told() {
        let metric = Metric { name: MetricName::of("f1"), goal: Goal::Maximize };
        let records = [record(1, &[("f1", 0.5), ("norm", 3.0)]), record(2, &[("loss", 0.75), ("norm", 4.0)])];
        let of = |steps| summarize(&records, steps, &metric, ScoredEpoch::Final, true);
        let (each, any) = (of(EACH), of(Steps::Any));
        assert_eq!((each.objective, each.finals[0], each.others), (None, Some(0.75), named(&[("norm", 4.0)])));
        assert_eq!((any.objective, any.others), (Some(0.5), named(&[("f1", 0.5), ("norm", 4.0)])));
    }

    #[test]
    fn a_diverged_job_has_values_and_no_score() {
        let metric = Metric { name: MetricName::of("val_loss"), goal: Goal::Minimize };
        let records = [record(1, &[("val_loss", 0.5)]), record(2, &[("val_loss", f64::INFINITY)])];
        let summary = summarize(&records, EACH, &metric, ScoredEpoch::Best, false);
        assert_eq!((summary.objective, summary.score, summary.best_step), (None, None, Some(1)));
        assert_eq!((summary.finals[2], summary.bests), (None, vec![Some(0.5), None]));
    }
}
