//! What a worker may claim about its attempt, judged by the job alone: which records may follow, and which outcome the
//! records bear out.
//!
//! Single numbers are bounded where they enter, in `rpc/convert/bounds.rs`; here stands what takes the job to judge.

use besom_sweep::Steps;

use super::{EpochRecord, JobOutcome};

/// What a job allows its attempts to claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The steps that its records must have.
    pub steps: Steps,
    /// Whether the coordinator told the attempt to end early.
    pub told_to_stop: bool,
    /// Classes of the sweep's dataset, where they are known.
    pub classes: Option<u32>,
}

impl Terms {
    /// How many epochs the job asks for; 0 where nobody knows beforehand.
    pub fn epochs(&self) -> u32 {
        match self.steps {
            Steps::Each { last, .. } => last,
            Steps::Any => 0,
        }
    }
}

/// Why these records of a job with such steps cannot follow those up to `stored` (0: none), in the order in which they came;
/// `None` if they can. Those that are stored already are left to [`repeats`].
pub fn refuse_records(steps: Steps, stored: u32, records: &[EpochRecord]) -> Option<String> {
    let epochs = match steps {
        Steps::Each { last, .. } => last,
        Steps::Any => {
            let falling = records.windows(2).find(|pair| pair[1].epoch <= pair[0].epoch)?;
            let (before, next) = (falling[0].epoch, falling[1].epoch);
            return Some(format!("expected a step above {before} after it, got step {next}"));
        }
    };
    let mut last = stored;
    for record in records {
        if record.epoch > epochs {
            return Some(format!("expected epochs from 1 to {epochs}, got a record of epoch {}", record.epoch));
        }
        // What is stored may be odd: at the largest number nothing follows.
        let next = last.saturating_add(1);
        if record.epoch > next {
            return Some(format!("expected a record of epoch {next}, got one of epoch {}", record.epoch));
        }
        last = last.max(record.epoch);
    }
    None
}

/// Whether a record says again what is stored. Databases may move the last digit of numbers that no trainer reports, such as
/// 1e-300.
pub fn repeats(stored: &EpochRecord, again: &EpochRecord) -> bool {
    let numbers = |record: &EpochRecord| {
        [
            record.loss,
            record.accuracy,
            record.val_loss,
            record.val_accuracy,
            Some(record.learning_rate),
            Some(record.seconds),
        ]
    };
    let same = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => a == b || (a - b).abs() <= 4.0 * f64::EPSILON * a.abs().max(b.abs()),
        (None, None) => true,
        _ => false,
    };
    stored.epoch == again.epoch
        && numbers(stored).into_iter().zip(numbers(again)).all(|(a, b)| same(a, b))
        && stored.metrics.len() == again.metrics.len()
        && stored.metrics.iter().all(|(name, value)| same(Some(*value), again.metrics.get(name).copied()))
}

/// Why an attempt with these records, which have no gap, did not end as claimed; `None` if it may have.
pub fn refuse_outcome(terms: Terms, outcome: &JobOutcome, records: &[EpochRecord]) -> Option<String> {
    let done = records.len();
    match (outcome, terms.steps) {
        (JobOutcome::Succeeded, Steps::Each { may_end_early: true, .. }) if done == 0 => {
            Some("expected a record of at least one epoch from a job that succeeded, got none".to_owned())
        }
        (JobOutcome::Succeeded, Steps::Each { last, may_end_early: false }) if done != last as usize => {
            Some(format!("expected records of all {last} epochs from a job that succeeded, got {done}"))
        }
        (JobOutcome::Stopped, _) if !terms.told_to_stop => {
            Some("expected a job to stop early only when it is told to, and this one was not".to_owned())
        }
        (JobOutcome::Diverged, Steps::Each { .. }) => {
            let finite = |record: &EpochRecord| record.loss.is_some() && record.val_loss.is_some();
            match records.last() {
                Some(last) if finite(last) => Some(format!(
                    "expected a loss that is not finite in the last record of a job that diverged, got finite losses in \
                     epoch {}",
                    last.epoch
                )),
                Some(_) => None,
                None => Some("expected a record of the epoch in which the job diverged, got none".to_owned()),
            }
        }
        (
            JobOutcome::Succeeded
            | JobOutcome::Stopped
            | JobOutcome::Diverged
            | JobOutcome::Failed { .. }
            | JobOutcome::Hindered { .. },
            _,
        ) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: Steps = Steps::Each { last: 3, may_end_early: false };
    const TERMS: Terms = Terms { steps: STEPS, told_to_stop: false, classes: None };

    fn records(epochs: impl IntoIterator<Item = u32>) -> Vec<EpochRecord> {
        let record = |epoch| EpochRecord { epoch, loss: Some(1.0), val_loss: Some(1.0), ..EpochRecord::default() };
        epochs.into_iter().map(record).collect()
    }

    #[test]
    fn steps_of_any_kind_only_ascend() {
        for sent in [vec![], vec![0, 7, 9], vec![5]] {
            assert_eq!(refuse_records(Steps::Any, 6, &records(sent)), None);
        }
        let problem = refuse_records(Steps::Any, 0, &records([3, 3]));
        assert_eq!(problem.as_deref(), Some("expected a step above 3 after it, got step 3"));
        let any = Terms { steps: Steps::Any, ..TERMS };
        assert_eq!(refuse_outcome(any, &JobOutcome::Succeeded, &records([4, 9])), None);
        assert!(refuse_outcome(any, &JobOutcome::Stopped, &[]).is_some(), "nobody told it to");
    }

    #[test]
    fn records_follow_one_another_up_to_the_jobs_epochs() {
        for (stored, sent) in
            [(0, vec![1, 2, 3]), (0, vec![]), (2, vec![3]), (2, vec![1, 2, 3]), (3, vec![1]), (u32::MAX, vec![1])]
        {
            assert_eq!(refuse_records(STEPS, stored, &records(sent)), None);
        }
        for (stored, sent, problem) in [
            (0, vec![2], "expected a record of epoch 1, got one of epoch 2"),
            (1, vec![3], "expected a record of epoch 2, got one of epoch 3"),
            (0, vec![1, 3], "expected a record of epoch 2, got one of epoch 3"),
            (3, vec![4], "expected epochs from 1 to 3, got a record of epoch 4"),
            (0, vec![u32::MAX], "expected epochs from 1 to 3, got a record of epoch 4294967295"),
        ] {
            assert_eq!(refuse_records(STEPS, stored, &records(sent)).as_deref(), Some(problem));
        }
    }

    #[test]
    fn a_repetition_says_the_same() {
        let stored = EpochRecord { metrics: [("norm".to_owned(), 0.1)].into(), ..records([2]).remove(0) };
        assert!(repeats(&stored, &stored));
        for other in [
            EpochRecord { loss: Some(1.5), ..stored.clone() },
            EpochRecord { val_loss: None, ..stored.clone() },
            EpochRecord { metrics: [("norm".to_owned(), 0.2)].into(), ..stored.clone() },
            EpochRecord { metrics: [("rate".to_owned(), 0.1)].into(), ..stored.clone() },
            EpochRecord { epoch: 1, ..stored.clone() },
        ] {
            assert!(!repeats(&stored, &other), "{other:?}");
        }
    }

    #[test]
    fn an_outcome_is_borne_out_by_its_records() {
        let lost = |mut records: Vec<EpochRecord>| {
            records.last_mut().expect("a record").val_loss = None;
            records
        };
        let early = Terms { steps: Steps::Each { last: 3, may_end_early: true }, ..TERMS };
        let told = Terms { told_to_stop: true, ..TERMS };
        let failed = JobOutcome::Failed { error: String::new(), retryable: true };
        for (terms, outcome, sent) in [
            (TERMS, JobOutcome::Succeeded, records(1..=3)),
            (early, JobOutcome::Succeeded, records(1..=1)),
            (told, JobOutcome::Stopped, records(1..=2)),
            (told, JobOutcome::Stopped, Vec::new()),
            (TERMS, JobOutcome::Diverged, lost(records(1..=2))),
            (TERMS, failed, records(1..=1)),
        ] {
            assert_eq!(refuse_outcome(terms, &outcome, &sent), None, "{outcome:?}");
        }
        for (terms, outcome, sent) in [
            (TERMS, JobOutcome::Succeeded, records(1..=2)),
            (TERMS, JobOutcome::Succeeded, Vec::new()),
            (early, JobOutcome::Succeeded, Vec::new()),
            (TERMS, JobOutcome::Stopped, records(1..=2)),
            (early, JobOutcome::Stopped, records(1..=2)),
            (TERMS, JobOutcome::Diverged, records(1..=2)),
            (TERMS, JobOutcome::Diverged, Vec::new()),
        ] {
            assert!(refuse_outcome(terms, &outcome, &sent).is_some(), "{outcome:?} with {} records", sent.len());
        }
    }
}
