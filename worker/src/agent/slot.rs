//! A slot's thread: trains one job, asks before every batch whether to go on, and keeps a panic to
//! itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::oneshot;

use super::assignment::{Assignment, AttemptRef};
use super::watchdog::{Patience, Pulse};
use super::{Events, Ledger, Signal, WorkerEvent};
use besom_client::network::plain;
use besom_dataset::Dataset;
use besom_mlp::{Control, Observer, TrainError, TrainJob, Trained, no_thread};
use besom_sweep::EpochRecord;

use crate::trainer::Trainer;

/// Everything that a slot's thread needs.
pub(crate) struct Training {
    pub(crate) trainer: Arc<dyn Trainer>,
    pub(crate) at: AttemptRef,
    pub(crate) slot: u32,
    pub(crate) assignment: Arc<Assignment>,
    pub(crate) data: Arc<Dataset>,
    pub(crate) signal: Arc<Signal>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) events: Events,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) patience: Patience,
}

impl Training {
    /// Trains on a thread of its own and returns when that thread has ended, or hangs: it is then
    /// left alone.
    pub(crate) async fn run(self) -> Result<Trained, TrainError> {
        let retry = |message: String| TrainError::passing(message);
        let (sender, receiver) = oneshot::channel();
        let (pulse, patience) = (Arc::clone(&self.pulse), self.patience);
        let body = move || {
            let result = catch_unwind(AssertUnwindSafe(|| self.train()));
            let result = result.unwrap_or_else(|panic| Err(retry(format!("the trainer panicked: {}", said(&*panic)))));
            // Nobody waits any more once the worker has stopped.
            let _ = sender.send(result);
        };
        let thread = std::thread::Builder::new().name("slot".into()).spawn(body);
        let thread = thread.map_err(|error| no_thread(&plain(&error)))?;
        let result = tokio::select! {
            biased;
            result = receiver => result.unwrap_or_else(|_gone| Err(retry("the trainer's thread ended".to_owned()))),
            problem = pulse.until_hung(patience) => return Err(retry(problem)),
        };
        // It has sent its result, so it ends at once; a panic was caught above.
        let _ = thread.join();
        result
    }

    fn train(self) -> Result<Trained, TrainError> {
        let assignment = Arc::clone(&self.assignment);
        let job = TrainJob {
            config: &assignment.config,
            seed: assignment.seed,
            metric: &assignment.metric,
            scored_epoch: assignment.scored_epoch,
        };
        let (trainer, data) = (Arc::clone(&self.trainer), Arc::clone(&self.data));
        trainer.train(&job, &data, &mut Watched(self))
    }
}

struct Watched(Training);

impl Observer for Watched {
    fn control(&mut self) -> Control {
        let pulse = &self.0.pulse;
        pulse.batch();
        if pulse.is_given_up() { Control::Abort } else { self.0.signal.control() }
    }

    fn epoch(&mut self, _job: usize, record: &EpochRecord) {
        if self.0.pulse.is_given_up() {
            return;
        }
        self.0.pulse.epoch();
        self.0.ledger.record(self.0.at, record.clone());
        (self.0.events)(WorkerEvent::Epoch { slot: self.0.slot, job: self.0.at.job, record: record.clone() });
    }
}

/// The words of a panic.
fn said(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
