//! What the local slots are doing: a live line each on a terminal, else one plain line per finished
//! job.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use besom_proto::v1::{Sweep, SweepProgress};
use besom_sweep::{EpochRecord, Params};

use super::live::{self, Live, Pace};
use crate::{
    output,
    text::{cut, number, state},
};

/// Shared by the worker's events and the coordinator's progress.
pub(crate) struct Slots {
    swept: Vec<String>,
    metric: String,
    inner: Mutex<Inner>,
}

struct Inner {
    metric: String,
    live: Option<Live>,
    running: Vec<Option<Running>>,
    pace: Pace,
    /// As the coordinator told it last; it lags behind what the slots tell.
    progress: Option<SweepProgress>,
    /// Every job that a slot here began.
    begun: HashSet<i64>,
    /// Jobs that ended here and that the coordinator last told to be running, with the epochs that
    /// they count for.
    ended: HashMap<i64, u32>,
    /// Why nothing is trained here, once it was said.
    waits: Option<String>,
}

struct Running {
    job: i64,
    what: String,
    epochs: u32,
    done: u32,
    value: Option<f64>,
    since: Instant,
}

impl Slots {
    /// `slots` of them, idle; jobs are described by the sweep's metric and varied parameters.
    pub(crate) fn new(slots: u32, sweep: &Sweep) -> Self {
        let inner = Inner {
            metric: sweep.metric.clone(),
            live: Live::on_terminal(),
            running: (0..slots).map(|_| None).collect(),
            pace: Pace::new(),
            progress: None,
            begun: HashSet::new(),
            ended: HashMap::new(),
            waits: None,
        };
        Self { swept: sweep.swept.clone(), metric: sweep.metric.clone(), inner: Mutex::new(inner) }
    }

    /// A slot began a job.
    pub(crate) fn started(&self, slot: u32, job: i64, params: &Params, seed: i64, epochs: u32) {
        let what = describe(params, &self.swept, seed);
        let running = Running { job, what, epochs, done: 0, value: None, since: Instant::now() };
        let mut inner = self.lock();
        let slot = slot as usize;
        if slot >= inner.running.len() {
            inner.running.resize_with(slot + 1, || None);
        }
        inner.running[slot] = Some(running);
        inner.begun.insert(job);
        inner.waits = None;
        inner.draw();
    }

    /// A slot finished an epoch.
    pub(crate) fn epoch(&self, slot: u32, job: i64, record: &EpochRecord) {
        let mut inner = self.lock();
        if let Some(Some(running)) = inner.running.get_mut(slot as usize)
            && running.job == job
        {
            running.done = u32::try_from(record.step).unwrap_or(u32::MAX);
            running.value = record.metric(&self.metric);
        }
        inner.draw();
    }

    /// A slot ended a job.
    pub(crate) fn ended(&self, slot: u32, job: i64, outcome: &str, error: Option<&str>) {
        let mut inner = self.lock();
        let running = inner.running.get_mut(slot as usize).and_then(|running| running.take_if(|run| run.job == job));
        // Final jobs count as their full epochs; a job that goes to somebody else begins again.
        if let (Some(running), "succeeded" | "stopped" | "diverged") = (&running, outcome) {
            inner.ended.insert(job, running.epochs);
        }
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
            "job {job} {outcome}{because}: {}, {} {} after {} of {}, {} s",
            running.what,
            self.metric,
            number::metric(running.value),
            running.done,
            number::plural(running.epochs.into(), "epoch"),
            number::seconds(Some(running.since.elapsed().as_secs_f64()))
        ));
    }

    /// The coordinator says how far the sweep is.
    pub(crate) fn progress(&self, progress: &SweepProgress) {
        let mut inner = self.lock();
        inner.ended.retain(|job, _| progress.running.iter().any(|running| running.job == *job));
        inner.progress = Some(progress.clone());
        let waits = inner.why_waiting();
        let news = waits.is_some() && inner.waits != waits;
        inner.waits.clone_from(&waits);
        inner.draw();
        let on_terminal = inner.live.is_some();
        drop(inner);
        if let (Some(why), true, false) = (waits, news, on_terminal) {
            output::say(why);
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
        if self.live.is_none() {
            return;
        }
        let idle = self.waits.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let lines: Vec<String> = (self.running.iter().enumerate())
            .map(|(slot, running)| match running {
                None => format!("slot {slot}  idle{idle}"),
                Some(run) => {
                    let metric = (self.metric.as_str(), run.value);
                    format!("slot {slot}  {}", live::job_line(run.job, run.done, run.epochs, metric, &run.what))
                }
            })
            .collect();
        let done = self.epochs_done();
        let Some(live) = &mut self.live else { return };
        live.jobs(&lines);
        if let Some(progress) = &self.progress {
            let left = self.pace.left(done, progress.epochs_total, Instant::now());
            live.total(done, progress.epochs_total, &live::summary(progress, left));
        }
    }

    /// What the coordinator counted, and what the slots here did since.
    fn epochs_done(&self) -> u64 {
        let Some(progress) = &self.progress else { return 0 };
        let told: HashMap<i64, u32> = progress.running.iter().map(|run| (run.job, run.epochs_done)).collect();
        let here = self.running.iter().flatten().map(|run| (run.job, run.done));
        let ended = self.ended.iter().map(|(job, epochs)| (*job, *epochs));
        let ahead = here.chain(ended).map(|(job, done)| {
            let counted = told.get(&job).copied().unwrap_or(0);
            u64::from(done.saturating_sub(counted))
        });
        progress.epochs_done.saturating_add(ahead.sum()).min(progress.epochs_total)
    }

    /// All slots are idle, and either something keeps the jobs from being trained, or none is
    /// queued but some are running elsewhere.
    fn why_waiting(&self) -> Option<String> {
        let progress = self.progress.as_ref()?;
        let idle = self.running.iter().all(Option::is_none);
        if let Some(waits) = progress.sweep.as_ref().and_then(state::waits) {
            return idle.then_some(waits);
        }
        let queued = progress.sweep.as_ref()?.counts?.queued;
        let elsewhere = progress.running.iter().filter(|run| !self.begun.contains(&run.job)).count() as u64;
        (idle && queued == 0 && elsewhere > 0).then(|| {
            let jobs = number::plural(elsewhere, "job");
            format!("waiting for the leases of {jobs} whose worker is gone or busy")
        })
    }
}

/// `optimizer adam, batch_size 32, seed 1`.
pub(crate) fn describe(params: &Params, swept: &[String], seed: i64) -> String {
    let mut parts: Vec<String> = swept
        .iter()
        .filter_map(|name| params.get(name).map(|value| format!("{name} {}", cut(number::value(Some(value))))))
        .collect();
    parts.push(format!("seed {seed}"));
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use besom_proto::v1::{JobCounts, RunningJob};

    use super::*;

    fn progress(queued: u64, running: &[(i64, u32)], done: u64) -> SweepProgress {
        let counts = JobCounts { queued, running: running.len() as u64, ..JobCounts::default() };
        SweepProgress {
            sweep: Some(Sweep { counts: Some(counts), ..Sweep::default() }),
            epochs_done: done,
            epochs_total: 100,
            running: running
                .iter()
                .map(|&(job, epochs_done)| RunningJob { job, epochs_done, ..<_>::default() })
                .collect(),
            ..SweepProgress::default()
        }
    }

    fn record(step: u64) -> EpochRecord {
        EpochRecord { step, ..EpochRecord::default() }
    }

    #[test]
    fn the_epochs_of_the_slots_count_before_the_coordinator_tells_them() {
        let slots = Slots::new(2, &Sweep::default());
        slots.started(0, 1, &Params::new(), 1, 10);
        slots.progress(&progress(3, &[(1, 2), (9, 5)], 7));
        slots.epoch(0, 1, &record(6));
        assert_eq!(slots.lock().epochs_done(), 11, "four more than told of job 1");
        slots.ended(0, 1, "stopped", None);
        assert_eq!(slots.lock().epochs_done(), 15, "an ended job counts in full");
        slots.progress(&progress(3, &[(9, 5)], 15));
        assert_eq!(slots.lock().epochs_done(), 15, "and not twice");
    }

    #[test]
    fn slots_that_wait_for_something_that_is_missing_say_so() {
        let slots = Slots::new(1, &Sweep::default());
        let mut waiting = progress(1, &[], 5);
        let sweep = waiting.sweep.as_mut().unwrap();
        (sweep.name, sweep.problem) = ("digits".to_owned(), "no dataset; submit the file again".to_owned());
        slots.progress(&waiting);
        let waits = slots.lock().waits.clone().unwrap();
        assert_eq!(waits, "sweep digits waits: no dataset; submit the file again");
    }

    #[test]
    fn slots_that_wait_for_leases_say_so() {
        let slots = Slots::new(1, &Sweep::default());
        slots.progress(&progress(1, &[(9, 5)], 5));
        assert_eq!(slots.lock().waits, None, "there is a job to be had");
        slots.progress(&progress(0, &[(9, 5)], 5));
        let waits = slots.lock().waits.clone().unwrap();
        assert_eq!(waits, "waiting for the leases of 1 job whose worker is gone or busy");
        slots.started(0, 9, &Params::new(), 1, 10);
        slots.progress(&progress(0, &[(9, 5)], 5));
        assert_eq!(slots.lock().waits, None);
    }
}
