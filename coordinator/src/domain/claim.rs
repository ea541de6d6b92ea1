//! What a worker may claim about its attempt, judged by the job alone: which records may follow, and which outcome the
//! records bear out.
//!
//! Single numbers are bounded where they enter, in `rpc/convert/bounds.rs`; here stands what takes the job to judge.

use super::{EpochRecord, JobOutcome};

/// What a job allows its attempts to claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Epochs that the job asks for.
    pub epochs: u32,
    /// Whether it may end before them by itself, since it has a patience.
    pub may_end_early: bool,
    /// Whether the coordinator told the attempt to end early.
    pub told_to_stop: bool,
    /// Classes of the sweep's dataset, where they are known.
    pub classes: Option<u32>,
}

/// Why these records of a job of so many epochs cannot follow `stored` stored ones, in the order in which they came;
/// `None` if they can. Those that are stored already are left to [`repeats`].
pub fn refuse_records(epochs: u32, stored: u32, records: &[EpochRecord]) -> Option<String> {
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
    let (done, epochs) = (records.len(), terms.epochs as usize);
    match outcome {
        JobOutcome::Succeeded if terms.may_end_early && done == 0 => {
            Some("expected a record of at least one epoch from a job that succeeded, got none".to_owned())
        }
        JobOutcome::Succeeded if done != epochs && !terms.may_end_early => {
            Some(format!("expected records of all {epochs} epochs from a job that succeeded, got {done}"))
        }
        JobOutcome::Stopped if !terms.told_to_stop => {
            Some("expected a job to stop early only when it is told to, and this one was not".to_owned())
        }
        JobOutcome::Diverged => {
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
        JobOutcome::Succeeded | JobOutcome::Stopped | JobOutcome::Failed { .. } | JobOutcome::Hindered { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms { epochs: 3, may_end_early: false, told_to_stop: false, classes: None };

    fn records(epochs: impl IntoIterator<Item = u32>) -> Vec<EpochRecord> {
        let record = |epoch| EpochRecord { epoch, loss: Some(1.0), val_loss: Some(1.0), ..EpochRecord::default() };
        epochs.into_iter().map(record).collect()
    }

    #[test]
    fn records_follow_one_another_up_to_the_jobs_epochs() {
        for (stored, sent) in
            [(0, vec![1, 2, 3]), (0, vec![]), (2, vec![3]), (2, vec![1, 2, 3]), (3, vec![1]), (u32::MAX, vec![1])]
        {
            assert_eq!(refuse_records(3, stored, &records(sent)), None);
        }
        for (stored, sent, problem) in [
            (0, vec![2], "expected a record of epoch 1, got one of epoch 2"),
            (1, vec![3], "expected a record of epoch 2, got one of epoch 3"),
            (0, vec![1, 3], "expected a record of epoch 2, got one of epoch 3"),
            (3, vec![4], "expected epochs from 1 to 3, got a record of epoch 4"),
            (0, vec![u32::MAX], "expected epochs from 1 to 3, got a record of epoch 4294967295"),
        ] {
            assert_eq!(refuse_records(3, stored, &records(sent)).as_deref(), Some(problem));
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
        let early = Terms { may_end_early: true, ..TERMS };
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
