//! Notices a trainer that hangs.
//!
//! Leases are renewed whatever a trainer does, so one that hangs would keep its job for ever. A
//! thread cannot be killed: the attempt fails, its job is queued again, and the slot is given up
//! together with the thread.
//!
//! Time is counted in the steps of this watch rather than read from a clock. While the whole
//! process stands still (a suspended laptop, SIGSTOP, a machine without a free core) no trainer can
//! get on either, and all of that is one step.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How long a trainer may go without a sign of progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// The first epoch, about which nothing is known: the widest models on the largest datasets
    /// need hours.
    pub first_epoch: Duration,
    /// In the first epoch, from batch to batch. A batch takes seconds at most, and what is made
    /// ready before the first one takes minutes at most.
    pub first_batches: Duration,
    /// Any later epoch, and the models after the last one, as a multiple of the longest epoch so
    /// far.
    pub times: u32,
    /// But at least so long: short epochs vary with whatever else the machine does.
    pub least: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first_epoch: Duration::from_secs(24 * 3600),
            first_batches: Duration::from_secs(3600),
            times: 20,
            least: Duration::from_secs(300),
        }
    }
}

/// A trainer's signs of progress, and whether anybody still waits for them.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    batches: AtomicU64,
    epochs: AtomicU64,
    given_up: AtomicBool,
}

impl Pulse {
    /// The trainer asks whether to go on, as it does before every batch.
    pub(crate) fn batch(&self) {
        self.batches.fetch_add(1, Ordering::Relaxed);
    }

    /// An epoch ended.
    pub(crate) fn epoch(&self) {
        self.epochs.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the trainer was found to hang. Nothing that it says afterwards counts.
    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    /// Waits until the trainer hangs, gives it up, and answers what was waited for.
    pub(crate) async fn until_hung(&self, patience: Patience) -> String {
        let shortest = patience.least.min(patience.first_batches).min(patience.first_epoch);
        let step = (shortest / 20).clamp(Duration::from_millis(10), Duration::from_secs(1));
        let mut watch = Watch::default();
        loop {
            tokio::time::sleep(step).await;
            let (batches, epochs) = (self.batches.load(Ordering::Relaxed), self.epochs.load(Ordering::Relaxed));
            if let Some(problem) = watch.step(batches, epochs, step, patience) {
                self.given_up.store(true, Ordering::Relaxed);
                return problem;
            }
        }
    }
}

/// What a watch has seen.
#[derive(Debug, Default)]
struct Watch {
    batches: u64,
    epochs: u64,
    since_batch: Duration,
    since_epoch: Duration,
    longest: Duration,
}

impl Watch {
    /// One step further; what is wrong, if the trainer hangs.
    fn step(&mut self, batches: u64, epochs: u64, step: Duration, patience: Patience) -> Option<String> {
        self.since_batch += step;
        self.since_epoch += step;
        if epochs != self.epochs {
            self.longest = self.longest.max(self.since_epoch);
            (self.epochs, self.since_epoch) = (epochs, Duration::ZERO);
        }
        if batches != self.batches {
            (self.batches, self.since_batch) = (batches, Duration::ZERO);
        }
        if self.epochs == 0 {
            if self.since_batch >= patience.first_batches {
                return Some(format!("the trainer hangs: no batch of the first epoch for {:.0?}", self.since_batch));
            }
            let late = self.since_epoch >= patience.first_epoch;
            return late.then(|| format!("the trainer hangs: no first epoch within {:.0?}", self.since_epoch));
        }
        let most = patience.least.max(self.longest.saturating_mul(patience.times));
        (self.since_epoch >= most).then(|| {
            format!(
                "the trainer hangs: nothing for {:.0?} after epoch {}, and the longest epoch took {:.0?}",
                self.since_epoch, self.epochs, self.longest
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// After how many seconds without a sign a trainer counts as hung that had epochs of these
    /// seconds.
    fn patience_after(epochs: &[u64]) -> u64 {
        let (mut watch, patience) = (Watch::default(), Patience::default());
        for (done, seconds) in (1..).zip(epochs) {
            for second in 1..=*seconds {
                let done = if second == *seconds { done } else { done - 1 };
                assert_eq!(watch.step(1, done, SECOND, patience), None);
            }
        }
        (1..).find(|_| watch.step(1, epochs.len() as u64, SECOND, patience).is_some()).unwrap()
    }

    #[test]
    fn an_epoch_may_take_twenty_times_the_longest_before_it_and_five_minutes() {
        assert_eq!(patience_after(&[1]), 300);
        assert_eq!(patience_after(&[1, 10, 3]), 300);
        assert_eq!(patience_after(&[20, 60, 10]), 1200);
    }

    #[test]
    fn a_first_epoch_has_an_hour_from_batch_to_batch_and_a_day_in_all() {
        assert_eq!(patience_after(&[]), 3601);
        let mut watch = Watch::default();
        let hung = (1..).find(|&second| watch.step(second / 600, 0, SECOND, Patience::default()).is_some());
        assert_eq!(hung, Some(24 * 3600));
    }

    #[test]
    fn what_was_waited_for_is_said() {
        let mut watch = Watch::default();
        watch.step(5, 7, SECOND * 2, Patience::default());
        let said = watch.step(5, 7, SECOND * 300, Patience::default()).unwrap();
        assert_eq!(said, "the trainer hangs: nothing for 300s after epoch 7, and the longest epoch took 2s");
    }
}
