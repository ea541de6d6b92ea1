//! What a worker may claim about its attempt, judged by the job alone: which records may follow,
//! and which outcome the records bear out.
//!
//! Single numbers are bounded where they enter, in `rpc/convert/bounds.rs`; here stands what takes
//! the job to judge.

use std::collections::BTreeSet;

use besom_sweep::{EpochRecord, MetricName, Steps, Trainer};

use super::JobOutcome;

/// What a job allows its attempts to claim.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// Whose results they are.
    pub trainer: &'static Trainer,
    /// The steps that its records must have.
    pub steps: Steps,
    /// Whether the coordinator told the attempt to end early.
    pub told_to_stop: bool,
    /// Classes of the sweep's dataset, where they are known.
    pub classes: Option<u32>,
}

/// Why these records of a trainer's job with such steps cannot follow those up to `stored`, in the
/// order in which they came; `None` if they can. Those that are stored already are left to
/// [`repeats`].
pub fn refuse_records(trainer: &Trainer, steps: Steps, stored: Option<u64>, records: &[EpochRecord]) -> Option<String> {
    let mut last = stored;
    let mut before: Option<u64> = None;
    for record in records {
        let step = record.step;
        if let Some(before) = before.filter(|&before| step <= before) {
            return Some(format!("expected a step above {before} after it, got step {step}"));
        }
        before = Some(step);
        if let Steps::Each { last: epochs, .. } = steps {
            if step == 0 || step > u64::from(epochs) {
                return Some(format!("expected epochs from 1 to {epochs}, got a record of epoch {step}"));
            }
            // What is stored may be odd: at the largest number nothing follows.
            let next = last.unwrap_or(0).saturating_add(1);
            if step > next {
                return Some(format!("expected a record of epoch {next}, got one of epoch {step}"));
            }
        }
        if let Some(problem) = out_of_bounds(trainer, record) {
            return Some(problem);
        }
        last = last.max(Some(step));
    }
    None
}

/// What number of a record no job of the trainer has. What is not finite is stored as none.
fn out_of_bounds(trainer: &Trainer, record: &EpochRecord) -> Option<String> {
    let outside = |(name, value): (&MetricName, &f64)| {
        let metric = trainer.metric(name.as_str())?;
        let within = !value.is_finite() || (metric.least..=metric.most).contains(value);
        (!within).then(|| {
            let (least, most, step) = (metric.least, metric.most, record.step);
            format!("expected {name} of step {step} to be a number from {least:?} to {most:?}, got {value:?}")
        })
    };
    record.metrics.iter().find_map(outside)
}

/// Whether a record says again what is stored. Databases may move the last digit of numbers that no
/// trainer reports, such as 1e-300.
pub fn repeats(stored: &EpochRecord, again: &EpochRecord) -> bool {
    let same = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => a == b || (a - b).abs() <= 4.0 * f64::EPSILON * a.abs().max(b.abs()),
        (None, None) => true,
        _ => false,
    };
    let names: BTreeSet<&MetricName> = stored.metrics.keys().chain(again.metrics.keys()).collect();
    stored.step == again.step
        && same(stored.learning_rate, again.learning_rate)
        && same(stored.seconds, again.seconds)
        && names.into_iter().all(|name| same(stored.metric(name.as_str()), again.metric(name.as_str())))
}

/// Why an attempt with these records, which have no gap, did not end as claimed; `None` if it may
/// have.
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
            let mut diverging = terms.trainer.metrics.iter().filter(|metric| metric.diverges);
            match records.last() {
                Some(last) if diverging.all(|metric| last.metric(metric.name).is_some()) => Some(format!(
                    "expected a loss that is not finite in the last record of a job that diverged, got finite losses in \
                     epoch {}",
                    last.step
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
    use std::collections::BTreeMap;

    use besom_sweep::MLP;

    use super::*;

    const STEPS: Steps = Steps::Each { last: 3, may_end_early: false };
    const TERMS: Terms = Terms { trainer: &MLP, steps: STEPS, told_to_stop: false, classes: None };

    fn records(steps: impl IntoIterator<Item = u64>) -> Vec<EpochRecord> {
        let metrics = BTreeMap::from([(MetricName::of("loss"), 1.0), (MetricName::of("val_loss"), 1.0)]);
        steps.into_iter().map(|step| EpochRecord { step, metrics: metrics.clone(), ..EpochRecord::default() }).collect()
    }

    /// The record with another number, or without it.
    fn with(record: &EpochRecord, name: &'static str, value: Option<f64>) -> EpochRecord {
        let mut record = record.clone();
        match value {
            Some(value) => record.metrics.insert(MetricName::of(name), value),
            None => record.metrics.remove(name),
        };
        record
    }

    fn refused(steps: Steps, stored: Option<u64>, sent: &[EpochRecord]) -> Option<String> {
        refuse_records(&MLP, steps, stored, sent)
    }

    #[test]
    fn steps_of_any_kind_only_ascend() {
        for stored in [None, Some(6)] {
            for sent in [vec![], vec![0], vec![0, 7, 9], vec![5]] {
                assert_eq!(refused(Steps::Any, stored, &records(sent)), None);
            }
        }
        let problem = refused(Steps::Any, None, &records([0, 3, 3]));
        assert_eq!(problem.as_deref(), Some("expected a step above 3 after it, got step 3"));
        let any = Terms { steps: Steps::Any, ..TERMS };
        assert_eq!(refuse_outcome(any, &JobOutcome::Succeeded, &records([4, 9])), None);
        assert!(refuse_outcome(any, &JobOutcome::Stopped, &[]).is_some(), "nobody told it to");
    }

    #[test]
    fn records_follow_one_another_up_to_the_jobs_epochs() {
        for (stored, sent) in [
            (None, vec![1, 2, 3]),
            (None, vec![]),
            (Some(2), vec![3]),
            (Some(2), vec![1, 2, 3]),
            (Some(3), vec![1]),
            (Some(u64::MAX), vec![1]),
        ] {
            assert_eq!(refused(STEPS, stored, &records(sent)), None);
        }
        for (stored, sent, problem) in [
            (None, vec![2], "expected a record of epoch 1, got one of epoch 2"),
            (Some(1), vec![3], "expected a record of epoch 2, got one of epoch 3"),
            (None, vec![1, 3], "expected a record of epoch 2, got one of epoch 3"),
            (Some(2), vec![2, 1], "expected a step above 2 after it, got step 1"),
            (Some(3), vec![4], "expected epochs from 1 to 3, got a record of epoch 4"),
            (None, vec![0], "expected epochs from 1 to 3, got a record of epoch 0"),
            (None, vec![u64::MAX], "expected epochs from 1 to 3, got a record of epoch 18446744073709551615"),
        ] {
            assert_eq!(refused(STEPS, stored, &records(sent)).as_deref(), Some(problem));
        }
    }

    #[test]
    fn a_trainers_numbers_keep_to_its_bounds() {
        let record = records([1]).remove(0);
        let of =
            |trainer: &Trainer, name, value| refuse_records(trainer, STEPS, None, &[with(&record, name, Some(value))]);
        for (name, right, wrong) in [
            ("accuracy", [0.0, 0.5, 1.0], [-0.1, 1e300]),
            ("val_accuracy", [0.0, 1.0, f64::NAN], [-1e-9, 1.1]),
            ("loss", [-3e38, 3e38, f64::INFINITY], [-1e308, 1e308]),
        ] {
            for value in right {
                assert_eq!(of(&MLP, name, value), None);
            }
            for value in wrong {
                let problem = of(&MLP, name, value).unwrap();
                let start = format!("expected {name} of step 1 to be a number from ");
                assert!(problem.starts_with(&start) && problem.contains(", got "), "{problem}");
                assert_eq!(of(Trainer::rules("a program"), name, value), None, "nobody knows what it means");
            }
        }
        assert_eq!(of(&MLP, "norm", 1e300), None);
    }

    #[test]
    fn a_repetition_says_the_same() {
        let stored = with(&records([2]).remove(0), "norm", Some(0.1));
        assert!(repeats(&stored, &stored));
        assert!(repeats(&stored, &with(&stored, "rate", Some(f64::NAN))), "what is not finite is stored as none");
        for other in [
            with(&stored, "loss", Some(1.5)),
            with(&stored, "val_loss", None),
            with(&stored, "norm", Some(0.2)),
            with(&with(&stored, "norm", None), "rate", Some(0.1)),
            with(&stored, "rate", Some(0.1)),
            EpochRecord { step: 1, ..stored.clone() },
            EpochRecord { seconds: Some(1.0), ..stored.clone() },
        ] {
            assert!(!repeats(&stored, &other), "{other:?}");
        }
    }

    #[test]
    fn an_outcome_is_borne_out_by_its_records() {
        let lost = |mut records: Vec<EpochRecord>| {
            records.last_mut().expect("a record").metrics.remove("val_loss");
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
