//! The words of the views: states of jobs and sweeps, counts by state, and what an importance is.
//! The store, the wire, the figures and the command line read them here.

use crate::spec::words;

/// Where a job stands. `Queued -> Running -> ` one of the final five; `Running -> Queued` when an
/// attempt is lost, released, or failed with attempts left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobState {
    /// Waits for a worker.
    Queued,
    /// Leased.
    Running,
    /// Trained to its end, or to the end of its patience.
    Succeeded,
    /// Ended by a directive, with what it had.
    Stopped,
    /// Its loss was no longer finite.
    Diverged,
    /// Out of attempts, or failed in a way that a retry would not mend.
    Failed,
    /// Its sweep was cancelled.
    Cancelled,
}

impl JobState {
    /// Every state, in the order of a job's life.
    pub const ALL: [Self; 7] =
        [Self::Queued, Self::Running, Self::Succeeded, Self::Stopped, Self::Diverged, Self::Failed, Self::Cancelled];

    /// Whether nothing more can happen to the job.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// Where a sweep stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SweepState {
    /// Hands out jobs.
    Active,
    /// Hands out nothing new; running jobs finish.
    Paused,
    /// Every job created and final.
    Completed,
    /// Ended by a person.
    Cancelled,
}

impl SweepState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Active, Self::Paused, Self::Completed, Self::Cancelled];

    /// Whether nothing more can happen to the sweep.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled)
    }
}

words!(JobState {
    Queued = "queued",
    Running = "running",
    Succeeded = "succeeded",
    Stopped = "stopped",
    Diverged = "diverged",
    Failed = "failed",
    Cancelled = "cancelled",
});
words!(SweepState { Active = "active", Paused = "paused", Completed = "completed", Cancelled = "cancelled" });

/// Jobs of a sweep by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JobCounts {
    /// Waiting.
    pub queued: u64,
    /// Leased.
    pub running: u64,
    /// Trained.
    pub succeeded: u64,
    /// Ended early.
    pub stopped: u64,
    /// Not finite.
    pub diverged: u64,
    /// Given up.
    pub failed: u64,
    /// Of a cancelled sweep.
    pub cancelled: u64,
}

impl JobCounts {
    /// How many jobs are in the state.
    pub fn of(&self, state: JobState) -> u64 {
        match state {
            JobState::Queued => self.queued,
            JobState::Running => self.running,
            JobState::Succeeded => self.succeeded,
            JobState::Stopped => self.stopped,
            JobState::Diverged => self.diverged,
            JobState::Failed => self.failed,
            JobState::Cancelled => self.cancelled,
        }
    }

    /// Jobs to which nothing more can happen.
    pub fn ended(&self) -> u64 {
        let ended = JobState::ALL.into_iter().filter(|state| state.is_final());
        ended.fold(0, |sum, state| sum.saturating_add(self.of(state)))
    }
}

/// `25 succeeded, 2 diverged`: the states that have jobs.
impl std::fmt::Display for JobCounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let having = JobState::ALL.into_iter().filter(|state| self.of(*state) > 0);
        let parts: Vec<String> = having.map(|state| format!("{} {}", self.of(state), state.as_str())).collect();
        f.write_str(if parts.is_empty() { "no jobs".to_owned() } else { parts.join(", ") }.as_str())
    }
}

/// What the numbers of the view `importance` mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportanceKind {
    /// Of a grid: the share of the variance of the cell means.
    VarianceShare,
    /// Of one_at_a_time: the largest mean less the smallest.
    Range,
}

words!(ImportanceKind { VarianceShare = "variance share", Range = "range" });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_a_word_of_its_own_that_reads_back() {
        for state in JobState::ALL {
            assert_eq!(JobState::parse(state.as_str()), Some(state));
        }
        for state in SweepState::ALL {
            assert_eq!(SweepState::parse(state.as_str()), Some(state));
        }
        assert_eq!((JobState::parse("waiting"), SweepState::parse("queued")), (None, None));
    }

    #[test]
    fn counts_name_the_states_that_have_jobs() {
        let counts = JobCounts { queued: 1, running: 2, succeeded: 25, diverged: 2, ..JobCounts::default() };
        assert_eq!(counts.to_string(), "1 queued, 2 running, 25 succeeded, 2 diverged");
        assert_eq!((counts.ended(), JobCounts::default().to_string().as_str()), (27, "no jobs"));
        assert_eq!(JobCounts { failed: u64::MAX, cancelled: 1, ..JobCounts::default() }.ended(), u64::MAX);
    }
}
