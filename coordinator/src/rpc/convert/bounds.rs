//! What a worker may say: the bounds of every count, text and number that it sends, in one place;
//! those of a confusion matrix, which the worker has to know too, are those of
//! [`besom_sweep::Confusion`].
//!
//! What takes the job to judge - which steps may follow, which numbers its trainer has, which
//! outcome its records bear out, how many classes there are - stands in `domain/claim.rs` and is
//! compared in the transaction that writes it.

use tonic::Status;

use super::super::status::invalid;

/// Trainers of a worker.
pub(super) const MAX_TRAINERS: usize = 64;

/// Slots of one worker, and jobs of one call: more than any machine has cores.
pub(super) const MAX_SLOTS: usize = 1_024;
/// Epoch records of one job in one call; a report carries some seconds' worth.
pub(super) const MAX_EPOCHS: usize = 10_000;
/// Metrics of one record.
pub(super) const MAX_METRICS: usize = 64;
/// Bytes of names, hosts and builds, which are for people.
pub(super) const MAX_TEXT: usize = 200;
/// Characters of an error. A longer one is cut: its job must end whatever the text.
pub(super) const MAX_ERROR: usize = 4_000;
/// An acquire waits no longer on the server, to stay under the usual idle limits of what stands in
/// between.
pub(super) const MAX_WAIT_MS: u64 = 20_000;
/// A count of steps is an integer of 63 bits in every database.
const MAX_STEP: u64 = i64::MAX.unsigned_abs();
/// No attempt and no epoch takes a year.
const MAX_SECONDS: f64 = 366.0 * 24.0 * 3600.0;

/// A learning rate, which a trainer applies in f32.
pub(super) fn learning_rate(field: &str, given: f64) -> Result<f64, Status> {
    within(field, given, 0.0, f64::from(f32::MAX))
}

/// A duration.
pub(super) fn seconds(field: &str, given: f64) -> Result<f64, Status> {
    within(field, given, 0.0, MAX_SECONDS)
}

/// A number whose meaning only its trainer knows.
pub(super) fn metric(field: &str, given: f64) -> Result<f64, Status> {
    within(field, given, f64::MIN, f64::MAX)
}

/// A step, which every database holds.
pub(super) fn step(field: &str, given: u64, before: Option<u64>) -> Result<u64, Status> {
    match before {
        Some(before) if given <= before => {
            Err(invalid(field, format!("expected a step above {before} after it, got {given}")))
        }
        _ if given > MAX_STEP => Err(invalid(field, format!("expected a step of at most {MAX_STEP}, got {given}"))),
        _ => Ok(given),
    }
}

fn within(field: &str, given: f64, least: f64, most: f64) -> Result<f64, Status> {
    if !given.is_finite() {
        let problem = format!("expected a finite number, got {given}; leave out a number that is not finite");
        return Err(invalid(field, problem));
    }
    if given < least || given > most {
        return Err(invalid(field, format!("expected a number from {least:?} to {most:?}, got {given:?}")));
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_no_training_gives_are_refused() {
        for (right, wrong) in [
            (learning_rate("a", 0.0), learning_rate("a", -1e-9)),
            (learning_rate("a", 3e38), learning_rate("a", 1e39)),
            (seconds("a", 86_400.0), seconds("a", 1e300)),
            (seconds("a", 0.0), seconds("a", -1.0)),
            (metric("a", f64::MIN), metric("a", f64::INFINITY)),
            (metric("a", f64::MAX), metric("a", f64::NAN)),
        ] {
            assert!(right.is_ok(), "{right:?}");
            let message = wrong.unwrap_err().message().to_owned();
            assert!(message.starts_with("a: expected a ") && message.contains(", got "), "{message}");
        }
    }
    #[test]
    fn steps_ascend_from_0_to_what_a_database_holds() {
        assert!(step("a", 0, None).is_ok() && step("a", 9, Some(2)).is_ok() && step("a", MAX_STEP, None).is_ok());
        for (given, before) in [(0, Some(0)), (2, Some(7)), (MAX_STEP + 1, None)] {
            step("a", given, before).unwrap_err();
        }
    }
}
