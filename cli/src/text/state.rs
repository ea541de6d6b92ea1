//! The words of states, as SQL and people see them, and texts about a sweep as a whole.

use besom_proto::v1::{self, Sweep, Worker};
use besom_sweep::{Goal, JobCounts, SweepState};

use super::{cut, source};

/// The state of a sweep; nothing for one of a later build.
fn sweep_state(state: i32) -> Option<SweepState> {
    Some(match v1::SweepState::try_from(state) {
        Ok(v1::SweepState::Active) => SweepState::Active,
        Ok(v1::SweepState::Paused) => SweepState::Paused,
        Ok(v1::SweepState::Completed) => SweepState::Completed,
        Ok(v1::SweepState::Cancelled) => SweepState::Cancelled,
        Ok(v1::SweepState::Unspecified) | Err(_) => return None,
    })
}

/// Which way is better; nothing for a goal of a later build.
pub(crate) fn goal_of(goal: i32) -> Option<Goal> {
    Some(match v1::Goal::try_from(goal) {
        Ok(v1::Goal::Maximize) => Goal::Maximize,
        Ok(v1::Goal::Minimize) => Goal::Minimize,
        Ok(v1::Goal::Unspecified) | Err(_) => return None,
    })
}

/// The sweep's jobs by state.
pub(crate) fn job_counts(counts: &v1::JobCounts) -> JobCounts {
    let v1::JobCounts { queued, running, succeeded, stopped, diverged, failed, cancelled } = *counts;
    JobCounts { queued, running, succeeded, stopped, diverged, failed, cancelled }
}

/// What stands for a word of a later build.
const UNKNOWN: &str = "unknown";

/// `active`, `paused`, `completed`, `cancelled`.
pub(crate) fn sweep(state: i32) -> &'static str {
    sweep_state(state).map_or(UNKNOWN, SweepState::as_str)
}

/// `present`, `gone` or `left`, as in the view `worker_status`.
pub(crate) fn worker(worker: &Worker) -> &'static str {
    match (worker.left, worker.gone) {
        (true, _) => "left",
        (false, true) => "gone",
        (false, false) => "present",
    }
}

/// What keeps the jobs of the sweep from being trained, in a sentence; `None` where nothing is
/// known to.
pub(crate) fn waits(sweep: &Sweep) -> Option<String> {
    (!sweep.problem.is_empty()).then(|| format!("sweep {} waits: {}", cut(sweep.name.clone()), sweep.problem))
}

/// `maximize` or `minimize`.
pub(crate) fn goal(goal: i32) -> &'static str {
    goal_of(goal).map_or(UNKNOWN, Goal::as_str)
}

/// Whether nothing more can happen to the sweep.
pub(crate) fn is_final(sweep: &Sweep) -> bool {
    sweep_state(sweep.state).is_some_and(SweepState::is_final)
}

/// Jobs to which nothing more can happen.
pub(crate) fn final_jobs(counts: &v1::JobCounts) -> u64 {
    job_counts(counts).ended()
}

/// `25 succeeded, 2 diverged`: the states that have jobs.
pub(crate) fn counts(counts: &v1::JobCounts) -> String {
    job_counts(counts).to_string()
}

/// The sweep's name as it was given.
pub(crate) fn given_name(sweep: &Sweep) -> &str {
    if sweep.title.is_empty() { &sweep.name } else { &sweep.title }
}

/// The sweep's name, with its handle where that is another word, said to be on synthetic data where
/// it is.
pub(crate) fn title(sweep: &Sweep) -> String {
    let synthetic = if source::is_synthetic(&sweep.dataset_source) { " (synthetic data)" } else { "" };
    let name = cut(given_name(sweep).to_owned());
    let handle = if sweep.title.is_empty() { String::new() } else { format!(" [{}]", sweep.name) };
    format!("{name}{handle}{synthetic}")
}
