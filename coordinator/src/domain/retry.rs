//! How often a job may be tried, and how long it waits in between.

use std::time::Duration;

use super::{AttemptRef, Hindrance};

/// Limits on what one job may cost, counted apart: a failure is the job's own fault more often than
/// a loss is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts that may fail before the job does.
    pub max_failures: u32,
    /// Leases that may be lost before the job fails: a job that kills its workers must end.
    pub max_losses: u32,
}

/// What to do with a job whose attempt did not end well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryDecision {
    /// Queue it, not before this long from now.
    Again(Duration),
    /// It has failed.
    GiveUp,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { max_failures: 3, max_losses: 5 }
    }
}

impl RetryPolicy {
    /// After the `failures`-th failed attempt (from 1). `spread` in [0, 1) is the caller's
    /// randomness.
    pub fn after_failure(&self, failures: u32, retryable: bool, spread: f64) -> RetryDecision {
        if retryable && failures < self.max_failures { again(failures, spread) } else { RetryDecision::GiveUp }
    }

    /// After the `losses`-th lost lease (from 1). The first loss waits for nothing: the worker
    /// died, not the job.
    pub fn after_loss(&self, losses: u32, spread: f64) -> RetryDecision {
        match losses {
            _ if losses >= self.max_losses => RetryDecision::GiveUp,
            0 | 1 => RetryDecision::Again(Duration::ZERO),
            _ => again(losses - 1, spread),
        }
    }
}

/// How long a job waits that was given back `times` times in a row (from 1) for no fault of its
/// own. A dataset that is stored again ends the wait, so the longest one may be long: nothing else
/// but that brings the dataset back.
pub fn after_hindrance(by: Hindrance, times: u32, spread: f64) -> Duration {
    let longest = match by {
        Hindrance::Artifact => 600.0,
        Hindrance::Machine => 60.0,
    };
    doubling(times, spread, longest)
}

/// The randomness of an attempt's delay, in [0, 1): spread evenly over jobs, yet the same wherever
/// it is worked out.
pub fn spread(at: AttemptRef) -> f64 {
    // The finaliser of SplitMix64: every bit of its input changes every bit of its output.
    let mut bits = at.job.0.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(at.attempt);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    f64::from(u32::try_from((bits ^ (bits >> 31)) >> 32).expect("32 bits are left")) / 4_294_967_296.0
}

fn again(times: u32, spread: f64) -> RetryDecision {
    RetryDecision::Again(doubling(times, spread, 60.0))
}

/// Doubles from 1 s to `longest` seconds, of which a part is left to chance.
fn doubling(times: u32, spread: f64, longest: f64) -> Duration {
    let full = f64::from(1u32 << times.saturating_sub(1).min(16)).min(longest);
    jitter(Duration::from_secs_f64(full), spread)
}

/// Between half and all of `full`, as `chance` from 0 to 1 says, so that those who began to wait
/// together do not go on together.
pub fn jitter(full: Duration, chance: f64) -> Duration {
    full.mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_job_is_tried_three_times_and_a_lost_one_five_times() {
        let policy = RetryPolicy::default();
        let outcomes = |decide: &dyn Fn(u32) -> RetryDecision| {
            (1..10).take_while(|&n| decide(n) != RetryDecision::GiveUp).count() + 1
        };
        assert_eq!(outcomes(&|n| policy.after_failure(n, true, 0.5)), 3);
        assert_eq!(outcomes(&|n| policy.after_loss(n, 0.5)), 5);
        assert_eq!(policy.after_failure(1, false, 0.5), RetryDecision::GiveUp);
    }

    #[test]
    fn a_job_that_may_be_lost_once_fails_at_its_first_loss() {
        let policy = RetryPolicy { max_failures: 1, max_losses: 1 };
        assert_eq!(policy.after_failure(1, true, 0.5), RetryDecision::GiveUp);
        assert_eq!(policy.after_loss(1, 0.5), RetryDecision::GiveUp);
    }

    #[test]
    fn jobs_lost_together_return_apart() {
        let spreads: Vec<f64> =
            (1..=100).map(|job| spread(AttemptRef { job: crate::domain::JobId(job), attempt: 1 })).collect();
        assert!(spreads.iter().all(|value| (0.0..1.0).contains(value)), "{spreads:?}");
        for tenth in 0..10 {
            let from = f64::from(tenth) / 10.0;
            let within = spreads.iter().filter(|&&value| value >= from && value < from + 0.1).count();
            assert!((2..=25).contains(&within), "{within} of 100 in the tenth from {from}");
        }
    }

    #[test]
    fn waits_for_the_surroundings_grow_and_stay_bounded() {
        for (by, longest) in [(Hindrance::Machine, 60.0), (Hindrance::Artifact, 600.0)] {
            let waits: Vec<f64> = (1..90).map(|times| after_hindrance(by, times, 0.999).as_secs_f64()).collect();
            assert!(waits[0] <= 1.0 && waits.is_sorted(), "{waits:?}");
            assert!(waits.iter().all(|wait| *wait <= longest) && waits[88] > 0.9 * longest, "{waits:?}");
        }
    }

    #[test]
    fn delays_grow_and_stay_within_a_minute() {
        let policy = RetryPolicy { max_failures: 100, max_losses: 100 };
        let mut previous = Duration::ZERO;
        for failures in 1..90 {
            let RetryDecision::Again(delay) = policy.after_failure(failures, true, 0.999) else { panic!("gave up") };
            assert!(delay >= previous && delay <= Duration::from_secs(60), "{failures}: {delay:?}");
            previous = delay;
        }
    }
}
