//! The parameters and metrics that have columns of their own, since people ask for them and SQLite
//! sums up JSON ten times slower. Nothing else in the coordinator knows a parameter or a metric by
//! its name.

use besom_sweep::{Goal, Params};
use serde_json::Value;

/// A metric with a column in `epochs`, and one of its last value in `jobs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PromotedMetric {
    /// The column in `epochs`; in `jobs` it is `final_` and this.
    pub(crate) name: &'static str,
    /// With `best_` and the name, `jobs` has also the best value, which is the largest or the
    /// smallest one.
    pub(crate) best: Option<Goal>,
}

/// The promoted metrics, in the order of `epochs_insert.sql` and `job_finish.sql`.
pub(crate) const METRICS: [PromotedMetric; 4] = [
    PromotedMetric { name: "loss", best: None },
    PromotedMetric { name: "accuracy", best: None },
    PromotedMetric { name: "val_loss", best: Some(Goal::Minimize) },
    PromotedMetric { name: "val_accuracy", best: Some(Goal::Maximize) },
];

/// What a column of `jobs` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Float,
    Integer,
    /// An integer from 0, which is added up.
    Count,
    /// A list as text: `[32, 32]`. One spelling, since the databases print JSON lists differently.
    List,
}

/// The promoted parameters, in the order of `jobs_insert.sql`.
const PARAMS: [(&str, Kind); 7] = [
    ("optimizer", Kind::Text),
    ("learning_rate", Kind::Float),
    ("batch_size", Kind::Integer),
    (EPOCHS, Kind::Count),
    ("hidden", Kind::List),
    ("activation", Kind::Text),
    ("dropout", Kind::Float),
];

/// How many epochs a job asks for: what the progress of its sweep is counted in.
const EPOCHS: &str = "epochs";

/// Whether the metric of this name has a column.
pub(crate) fn has_column(metric: &str) -> bool {
    METRICS.iter().any(|promoted| promoted.name == metric)
}

/// The columns of a job with these parameters. What is not there, or is no value for its column, is
/// null: another trainer may mean something else by the name.
pub(crate) fn columns(params: &Params) -> [Value; PARAMS.len()] {
    PARAMS.map(|(name, kind)| params.get(name).and_then(|value| column(value, kind)).unwrap_or(Value::Null))
}

/// The epochs of a job with these parameters; 0 where nobody knows beforehand.
pub(crate) fn epochs(params: &Params) -> u32 {
    params.get(EPOCHS).and_then(count).unwrap_or(0)
}

fn column(value: &Value, kind: Kind) -> Option<Value> {
    match kind {
        Kind::Text => value.as_str().map(Value::from),
        Kind::Float => value.as_f64().map(Value::from),
        Kind::Integer => value.as_i64().map(Value::from),
        Kind::Count => count(value).map(Value::from),
        Kind::List => {
            let words: Vec<String> = value.as_array()?.iter().map(Value::to_string).collect();
            Some(format!("[{}]", words.join(", ")).into())
        }
    }
}

fn count(value: &Value) -> Option<u32> {
    value.as_u64()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_parameter_that_is_missing_or_means_something_else_has_no_column() {
        let of = |params: Value| {
            let Value::Object(params) = params else { unreachable!("an object") };
            (columns(&params).to_vec(), epochs(&params))
        };
        let usual = json!({"optimizer": "sgd", "learning_rate": 1, "batch_size": 32, "epochs": 5, "hidden": [32, 16],
            "activation": "relu", "dropout": 0.5, "more": true});
        let columns = vec![json!("sgd"), json!(1.0), json!(32), json!(5), json!("[32, 16]"), json!("relu"), json!(0.5)];
        assert_eq!(of(usual), (columns, 5));
        let other = json!({"optimizer": 7, "learning_rate": "auto", "batch_size": 0.5, "epochs": -1, "hidden": 64});
        assert_eq!(of(other), (vec![Value::Null; 7], 0));
        assert!(has_column("val_loss") && !has_column("mAP50"));
    }
}
