//! Where the queues of sweeps begin, as far as this process knows.
//!
//! Postgres keeps the index entries of jobs that have left the queue until the next vacuum. Whoever
//! looks for the first queued job walks over all of them, which takes longer the more jobs have
//! ended. So each look begins a little before the place where the last one found something.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// A look begins so many numbers of jobs before the last find: the jobs that are given back or
/// tried again are mostly those that were handed out shortly before.
const BEFORE: i64 = 10_000;

/// After so long a look walks over everything once, for jobs that came back to the queue from
/// further away.
const LASTS: Duration = Duration::from_secs(10);

/// One beginning for each sweep of which jobs were taken lately.
#[derive(Debug, Default)]
pub(super) struct Starts(Mutex<HashMap<i64, Start>>);

#[derive(Debug, Clone, Copy)]
struct Start {
    job: i64,
    since: Instant,
}

impl Starts {
    /// The number from which a look may begin, for each sweep where that is known.
    pub(super) fn known(&self, now: Instant) -> HashMap<i64, i64> {
        let mut starts = self.lock();
        starts.retain(|_, start| now.duration_since(start.since) < LASTS);
        starts.iter().map(|(sweep, start)| (*sweep, start.job)).collect()
    }

    /// `first` was the first job that a look from the known beginning found.
    pub(super) fn found(&self, sweep: i64, first: i64, now: Instant) {
        let job = first.saturating_sub(BEFORE);
        if job > 0 {
            self.lock().entry(sweep).or_insert(Start { job, since: now }).job = job;
        }
    }

    /// The next look walks over everything.
    pub(super) fn forget_all(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Start>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_begins_a_little_before_the_last_find_and_now_and_then_at_the_beginning() {
        let (starts, begin) = (Starts::default(), Instant::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        starts.found(1, 9_000, at(0));
        assert!(starts.known(at(0)).is_empty(), "near the beginning there is nothing to skip");
        starts.found(1, 50_000, at(1));
        starts.found(2, 70_000, at(5));
        starts.found(1, 51_000, at(10));
        assert_eq!(starts.known(at(10)), HashMap::from([(1, 41_000), (2, 60_000)]));
        assert_eq!(starts.known(at(11)), HashMap::from([(2, 60_000)]), "it counts from when it was first known");
        starts.forget_all();
        assert!(starts.known(at(11)).is_empty());
    }
}
