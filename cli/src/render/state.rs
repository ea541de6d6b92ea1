//! The words of states, as SQL and people see them, and texts about a sweep as a whole.

use besom_proto::v1::{Goal, JobCounts, JobState, Sweep, SweepState, Worker};

/// `queued`, `running`, `succeeded`, ...; `unknown` for a state of a later build.
pub(crate) fn job(state: i32) -> &'static str {
    match JobState::try_from(state) {
        Ok(JobState::Queued) => "queued",
        Ok(JobState::Running) => "running",
        Ok(JobState::Succeeded) => "succeeded",
        Ok(JobState::Stopped) => "stopped",
        Ok(JobState::Diverged) => "diverged",
        Ok(JobState::Failed) => "failed",
        Ok(JobState::Cancelled) => "cancelled",
        Ok(JobState::Unspecified) | Err(_) => "unknown",
    }
}

/// `active`, `paused`, `completed`, `cancelled`; `unknown` for a state of a later build.
pub(crate) fn sweep(state: i32) -> &'static str {
    match SweepState::try_from(state) {
        Ok(SweepState::Active) => "active",
        Ok(SweepState::Paused) => "paused",
        Ok(SweepState::Completed) => "completed",
        Ok(SweepState::Cancelled) => "cancelled",
        Ok(SweepState::Unspecified) | Err(_) => "unknown",
    }
}

/// `present`, `gone` or `left`, as in the view `worker_status`.
pub(crate) fn worker(worker: &Worker) -> &'static str {
    match (worker.left, worker.gone) {
        (true, _) => "left",
        (false, true) => "gone",
        (false, false) => "present",
    }
}

/// What keeps the jobs of the sweep from being trained, in a sentence; `None` where nothing is known to.
pub(crate) fn waits(sweep: &Sweep) -> Option<String> {
    (!sweep.problem.is_empty())
        .then(|| format!("sweep {} waits: {}", super::table::cut(sweep.name.clone()), sweep.problem))
}

/// `maximize` or `minimize`.
pub(crate) fn goal(goal: i32) -> &'static str {
    match Goal::try_from(goal) {
        Ok(Goal::Maximize) => "maximize",
        Ok(Goal::Minimize) => "minimize",
        Ok(Goal::Unspecified) | Err(_) => "unknown",
    }
}

/// Whether nothing more can happen to the sweep.
pub(crate) fn is_final(sweep: &Sweep) -> bool {
    matches!(sweep.state(), SweepState::Completed | SweepState::Cancelled)
}

/// Jobs to which nothing more can happen.
pub(crate) fn final_jobs(counts: &JobCounts) -> u64 {
    let others = [counts.stopped, counts.diverged, counts.failed, counts.cancelled];
    others.into_iter().fold(counts.succeeded, u64::saturating_add)
}

/// `25 succeeded, 2 diverged`: the states that have jobs.
pub(crate) fn counts(counts: &JobCounts) -> String {
    let parts = [
        (counts.queued, "queued"),
        (counts.running, "running"),
        (counts.succeeded, "succeeded"),
        (counts.stopped, "stopped"),
        (counts.diverged, "diverged"),
        (counts.failed, "failed"),
        (counts.cancelled, "cancelled"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    if parts.is_empty() { "no jobs".to_owned() } else { parts.join(", ") }
}

/// The sweep's name as it was given.
pub(crate) fn given_name(sweep: &Sweep) -> &str {
    if sweep.title.is_empty() { &sweep.name } else { &sweep.title }
}

/// The sweep's name, with its handle where that is another word, said to be on synthetic data where it is.
pub(crate) fn title(sweep: &Sweep) -> String {
    let synthetic = if crate::sweep_file::is_synthetic(&sweep.dataset_source) { " (synthetic data)" } else { "" };
    let name = super::table::cut(given_name(sweep).to_owned());
    let handle = if sweep.title.is_empty() { String::new() } else { format!(" [{}]", sweep.name) };
    format!("{name}{handle}{synthetic}")
}
