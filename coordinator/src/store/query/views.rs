//! What a statement may read.

/// The documented views: what a statement may read.
pub const VIEWS: [&str; 12] = [
    "runs",
    "best_runs",
    "history",
    "sweep_progress",
    "worker_status",
    "attempts",
    "config_stats",
    "importance",
    "per_class",
    "confusion",
    "failures",
    "slowest",
];

/// Where a table is not known, or not to be read.
pub(super) fn views_hint() -> String {
    format!("the views are {}", VIEWS.join(", "))
}
