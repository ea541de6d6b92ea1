//! JSON for programs: the fields of the SQL views under their names, in their order, null where SQL
//! has NULL. Rows of a result are written by `rows`.

use besom_proto::v1;
use besom_sweep::steers_terminal;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    output,
    text::{source, state},
};

/// Prints one JSON document.
///
/// # Errors
/// Stdout.
pub(crate) fn print(value: &impl Serialize) -> anyhow::Result<()> {
    let mut text = escaped(serde_json::to_string_pretty(value)?);
    text.push('\n');
    output::bytes(text.as_bytes())
}

/// Prints one JSON document on one line, for streams.
///
/// # Errors
/// Stdout.
pub(crate) fn print_line(value: &impl Serialize) -> anyhow::Result<()> {
    let mut text = escaped(serde_json::to_string(value)?);
    text.push('\n');
    output::bytes(text.as_bytes())
}

/// The same document without characters that would steer a terminal: only strings hold any, and
/// JSON has another way to write them.
fn escaped(text: String) -> String {
    let steers = |c: char| steers_terminal(c) && c != '\n';
    // A large document is better not copied.
    if !text.contains(steers) {
        return text;
    }
    text.chars().fold(String::with_capacity(text.len()), |mut plain, c| {
        match steers(c) {
            true => plain += &format!("\\u{:04x}", u32::from(c)),
            false => plain.push(c),
        }
        plain
    })
}

/// JSON text inside JSON; absent where it is no JSON.
fn raw(text: &str) -> Option<&RawValue> {
    serde_json::from_str(text).ok()
}

/// A row of the view `sweep_progress`, with what the sweep is made of.
#[derive(Debug, Serialize)]
pub(crate) struct Sweep<'a> {
    sweep: &'a str,
    title: &'a str,
    sweep_id: i64,
    state: &'static str,
    jobs_total: u64,
    jobs_created: u64,
    queued: u64,
    running: u64,
    succeeded: u64,
    stopped: u64,
    diverged: u64,
    failed: u64,
    cancelled: u64,
    created_at: &'a str,
    method: &'a str,
    metric: &'a str,
    goal: &'static str,
    dataset: &'a str,
    dataset_source: String,
    synthetic: bool,
    swept: &'a [String],
    /// What keeps its jobs from being trained.
    problem: Option<&'a str>,
}

impl<'a> From<&'a v1::Sweep> for Sweep<'a> {
    fn from(sweep: &'a v1::Sweep) -> Self {
        let counts = sweep.counts.unwrap_or_default();
        Self {
            sweep: &sweep.name,
            title: state::given_name(sweep),
            sweep_id: sweep.id,
            state: state::sweep(sweep.state),
            jobs_total: sweep.jobs_total,
            jobs_created: sweep.jobs_created,
            queued: counts.queued,
            running: counts.running,
            succeeded: counts.succeeded,
            stopped: counts.stopped,
            diverged: counts.diverged,
            failed: counts.failed,
            cancelled: counts.cancelled,
            created_at: &sweep.created_at,
            method: &sweep.method,
            metric: &sweep.metric,
            goal: state::goal(sweep.goal),
            dataset: &sweep.dataset,
            dataset_source: source::shown(&sweep.dataset_source),
            synthetic: source::is_synthetic(&sweep.dataset_source),
            swept: &sweep.swept,
            problem: (!sweep.problem.is_empty()).then_some(sweep.problem.as_str()),
        }
    }
}

/// The best run so far: its job, by the names of the view `runs`.
#[derive(Debug, Serialize)]
struct Best<'a> {
    job: i64,
    objective: f64,
    params: Option<&'a RawValue>,
}

/// One message of `watch --json`.
#[derive(Debug, Serialize)]
pub(crate) struct Progress<'a> {
    #[serde(flatten)]
    sweep: Option<Sweep<'a>>,
    epochs_done: u64,
    epochs_total: u64,
    epoch_seconds: f64,
    best: Option<Best<'a>>,
}

impl<'a> From<&'a v1::SweepProgress> for Progress<'a> {
    fn from(progress: &'a v1::SweepProgress) -> Self {
        Self {
            sweep: progress.sweep.as_ref().map(Sweep::from),
            epochs_done: progress.epochs_done,
            epochs_total: progress.epochs_total,
            epoch_seconds: progress.epoch_seconds,
            best: progress.best.as_ref().map(|best| Best {
                job: best.job,
                objective: best.objective,
                params: raw(&best.params),
            }),
        }
    }
}

/// A row of the view `worker_status`, with how long ago it called.
#[derive(Debug, Serialize)]
pub(crate) struct Worker<'a> {
    worker: &'a str,
    worker_id: i64,
    state: &'static str,
    host: &'a str,
    slots: u32,
    running: u32,
    build: &'a str,
    last_seen_at: &'a str,
    last_seen_ms_ago: u64,
}

impl<'a> From<&'a v1::Worker> for Worker<'a> {
    fn from(worker: &'a v1::Worker) -> Self {
        Self {
            worker: &worker.name,
            worker_id: worker.id,
            state: state::worker(worker),
            host: &worker.host,
            slots: worker.slots,
            running: worker.running,
            build: &worker.build,
            last_seen_at: &worker.last_seen_at,
            last_seen_ms_ago: worker.last_seen_ms_ago,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_steers_no_terminal_and_says_the_same() {
        let value = serde_json::json!({"name": "a\u{202e}b\u{9b}2J\u{1b}\n", "other": ["学習"]});
        let text = escaped(serde_json::to_string_pretty(&value).unwrap());
        assert!(text.contains("a\\u202eb\\u009b2J\\u001b\\n") && text.contains("学習"), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
