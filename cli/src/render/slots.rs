//! What the local slots are doing: a live line each on a terminal, else one plain line per finished job.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use besom_proto::v1::SweepProgress;
use besom_sweep::Params;

use super::{
    live::{self, Live, Pace},
    number,
};
use crate::output;

/// Shared by the worker's events and the coordinator's progress.
pub(crate) struct Slots {
    swept: Vec<String>,
    inner: Mutex<Inner>,
}

struct Inner {
    live: Option<Live>,
    running: Vec<Option<Running>>,
    pace: Pace,
}

struct Running {
    job: i64,
    what: String,
    epochs: u32,
    done: u32,
    val_accuracy: Option<f64>,
    since: Instant,
}

impl Running {
    fn line(&self, slot: usize) -> String {
        let accuracy = match self.done {
            0 => String::new(),
            _ => format!("  val_accuracy {}", number::metric(self.val_accuracy)),
        };
        let width = self.epochs.to_string().len();
        format!("slot {slot}  job {}  {}  epoch {:>width$}/{}{accuracy}", self.job, self.what, self.done, self.epochs)
    }
}

impl Slots {
    /// `slots` of them, idle; jobs are described by the sweep's varied parameters.
    pub(crate) fn new(slots: u32, swept: &[String]) -> Self {
        let inner = Inner { live: Live::on_terminal(), running: (0..slots).map(|_| None).collect(), pace: Pace::new() };
        Self { swept: swept.to_vec(), inner: Mutex::new(inner) }
    }

    /// A slot began a job.
    pub(crate) fn started(&self, slot: u32, job: i64, params: &Params, seed: i64, epochs: u32) {
        let what = describe(params, &self.swept, seed);
        let running = Running { job, what, epochs, done: 0, val_accuracy: None, since: Instant::now() };
        let mut inner = self.lock();
        let slot = slot as usize;
        if slot >= inner.running.len() {
            inner.running.resize_with(slot + 1, || None);
        }
        inner.running[slot] = Some(running);
        inner.draw();
    }

    /// A slot finished an epoch.
    pub(crate) fn epoch(&self, slot: u32, job: i64, epoch: u32, val_accuracy: Option<f64>) {
        let mut inner = self.lock();
        if let Some(Some(running)) = inner.running.get_mut(slot as usize)
            && running.job == job
        {
            running.done = epoch;
            running.val_accuracy = val_accuracy;
        }
        inner.draw();
    }

    /// A slot ended a job.
    pub(crate) fn ended(&self, slot: u32, job: i64, outcome: &str, error: Option<&str>) {
        let mut inner = self.lock();
        let running = inner.running.get_mut(slot as usize).and_then(|running| running.take_if(|run| run.job == job));
        inner.draw();
        let on_terminal = inner.live.is_some();
        drop(inner);
        // On a terminal the live lines and the table at the end say it all, but for failures.
        if on_terminal && error.is_none() {
            return;
        }
        let Some(running) = running else { return };
        let because = error.map(|error| format!(": {error}")).unwrap_or_default();
        output::say(format_args!(
            "job {job} {outcome}{because}: {}, val_accuracy {} after {} of {} epochs, {:.1} s",
            running.what,
            number::metric(running.val_accuracy),
            running.done,
            running.epochs,
            running.since.elapsed().as_secs_f64()
        ));
    }

    /// The coordinator says how far the sweep is.
    pub(crate) fn progress(&self, progress: &SweepProgress) {
        let mut inner = self.lock();
        let left = inner.pace.left(progress.epochs_done, progress.epochs_total, Instant::now());
        if let Some(live) = &inner.live {
            live.total(progress.epochs_done, progress.epochs_total, live::summary(progress, left));
        }
    }

    /// Takes the live lines away.
    pub(crate) fn finish(&self) {
        if let Some(live) = &mut self.lock().live {
            live.clear();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn draw(&mut self) {
        let lines: Vec<String> = (self.running.iter().enumerate())
            .map(|(slot, running)| running.as_ref().map_or_else(|| format!("slot {slot}  idle"), |run| run.line(slot)))
            .collect();
        if let Some(live) = &mut self.live {
            live.jobs(&lines);
        }
    }
}

/// `optimizer adam, batch_size 32, seed 1`.
pub(crate) fn describe(params: &Params, swept: &[String], seed: i64) -> String {
    let mut parts: Vec<String> = swept
        .iter()
        .filter_map(|name| params.get(name).map(|value| format!("{name} {}", number::value(Some(value)))))
        .collect();
    parts.push(format!("seed {seed}"));
    parts.join(", ")
}
