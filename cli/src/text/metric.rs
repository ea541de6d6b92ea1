//! The one metric that runs have columns of their own for, whatever the sweep is ranked by.

/// Whether the sweep's metric is `val_accuracy`, whose best and final value every table of runs
/// shows anyway.
pub(crate) fn is_val_accuracy(metric: &str) -> bool {
    metric == "val_accuracy"
}
