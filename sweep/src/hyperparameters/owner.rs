//! Which points have a hyperparameter: those of some optimizers, of some schedules, of early
//! stopping, or all.

use serde_json::Value;

use super::limits::{DEFAULT_OPTIMIZER, DEFAULT_SCHEDULE};

/// What a hyperparameter belongs to; a point that has chosen otherwise does not have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The model or its training: every point has it.
    Job,
    /// These optimizers.
    Optimizer(&'static [&'static str]),
    /// These schedules.
    Schedule(&'static [&'static str]),
    /// Early stopping: points with a patience.
    Stopping,
}

/// What decides which hyperparameters a point has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Choice {
    pub(crate) optimizer: String,
    pub(crate) schedule: String,
    /// Whether there is a patience.
    pub(crate) stopping: bool,
}

impl Choice {
    /// The hyperparameters that decide.
    pub(crate) const NAMES: [&'static str; 3] = ["optimizer", "schedule", "patience"];

    /// From the normalised values of [`Choice::NAMES`]; `None`: the default.
    pub(crate) fn new([optimizer, schedule, patience]: [Option<&Value>; 3]) -> Self {
        let word = |value: Option<&Value>, default: &str| value.and_then(Value::as_str).unwrap_or(default).to_owned();
        Self {
            optimizer: word(optimizer, DEFAULT_OPTIMIZER),
            schedule: word(schedule, DEFAULT_SCHEDULE),
            stopping: patience.is_some_and(|value| !value.is_null()),
        }
    }
}
