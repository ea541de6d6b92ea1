//! What a worker may say: the bounds of every count, text and number that it sends, in one place; those of a confusion
//! matrix, which the worker has to know too, are those of [`besom_sweep::Confusion`].
//!
//! What takes the job to judge - which epochs may follow, which outcome its records bear out, how many classes there are -
//! stands in `domain/claim.rs` and is compared in the transaction that writes it.

use tonic::Status;

use super::super::status::invalid;

/// Trainers of a worker.
pub(super) const MAX_TRAINERS: usize = 64;

/// Slots of one worker, and jobs of one call: more than any machine has cores.
pub(super) const MAX_SLOTS: usize = 1_024;
/// Epoch records of one job in one call; a report carries some seconds' worth.
pub(super) const MAX_EPOCHS: usize = 10_000;
/// Named numbers beside the fixed ones of an epoch.
pub(super) const MAX_METRICS: usize = 64;
/// Bytes of names, hosts and builds, which are for people.
pub(super) const MAX_TEXT: usize = 200;
/// Characters of an error. A longer one is cut: its job must end whatever the text.
pub(super) const MAX_ERROR: usize = 4_000;
/// An acquire waits no longer on the server, to stay under the usual idle limits of what stands in between.
pub(super) const MAX_WAIT_MS: u64 = 20_000;
/// No attempt and no epoch takes a year.
const MAX_SECONDS: f64 = 366.0 * 24.0 * 3600.0;

/// A share of samples that are right, where there is one.
pub(super) fn accuracy(field: &str, given: Option<f64>) -> Result<Option<f64>, Status> {
    within(field, given, 0.0, 1.0)
}

/// A loss, which a trainer sums up in f32, where it is finite.
pub(super) fn loss(field: &str, given: Option<f64>) -> Result<Option<f64>, Status> {
    within(field, given, -f64::from(f32::MAX), f64::from(f32::MAX))
}

/// A learning rate, which a trainer applies in f32.
pub(super) fn learning_rate(field: &str, given: f64) -> Result<f64, Status> {
    within(field, Some(given), 0.0, f64::from(f32::MAX)).map(|_| given)
}

/// A duration.
pub(super) fn seconds(field: &str, given: f64) -> Result<f64, Status> {
    within(field, Some(given), 0.0, MAX_SECONDS).map(|_| given)
}

/// A number whose meaning only its trainer knows.
pub(super) fn metric(field: &str, given: f64) -> Result<f64, Status> {
    within(field, Some(given), f64::MIN, f64::MAX).map(|_| given)
}

fn within(field: &str, given: Option<f64>, least: f64, most: f64) -> Result<Option<f64>, Status> {
    match given {
        Some(number) if !number.is_finite() => Err(invalid(
            field,
            format!("expected a finite number, got {number}; leave out a number that is not finite"),
        )),
        Some(number) if number < least || number > most => {
            Err(invalid(field, format!("expected a number from {least:?} to {most:?}, got {number:?}")))
        }
        given => Ok(given),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_no_training_gives_are_refused() {
        for (right, wrong) in [
            (
                accuracy("a", Some(0.0)).and(accuracy("a", Some(1.0))).and(accuracy("a", None)),
                accuracy("a", Some(1e300)),
            ),
            (accuracy("a", Some(0.5)), accuracy("a", Some(-0.1))),
            (loss("a", Some(-3e38)).and(loss("a", Some(3e38))), loss("a", Some(-1e308))),
            (loss("a", None), loss("a", Some(f64::NAN))),
            (learning_rate("a", 0.0).map(Some), learning_rate("a", -1e-9).map(Some)),
            (seconds("a", 86_400.0).map(Some), seconds("a", 1e300).map(Some)),
            (seconds("a", 0.0).map(Some), seconds("a", -1.0).map(Some)),
            (metric("a", f64::MIN).map(Some), metric("a", f64::INFINITY).map(Some)),
        ] {
            assert!(right.is_ok(), "{right:?}");
            let message = wrong.unwrap_err().message().to_owned();
            assert!(message.starts_with("a: expected a ") && message.contains(", got "), "{message}");
        }
    }
}
