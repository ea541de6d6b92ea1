//! The course of the learning rate: a function of the step and epoch, and for `plateau` of what
//! val_loss did.

use besom_sweep::{Hyperparameters, Schedule};
use serde::{Deserialize, Serialize};

use super::math::{cos, pow};
use super::state::Waiting;

/// Keras's `ReduceLROnPlateau(min_delta=1e-4)`.
const PLATEAU_DELTA: f64 = 1e-4;

/// What a course remembers between two epochs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CourseState {
    /// The rate of `plateau`; `learning_rate` with every other schedule.
    rate: f64,
    /// Epochs without a better val_loss since the last reduction.
    waiting: Waiting,
}

impl CourseState {
    /// Before the first epoch.
    pub(crate) fn new(learning_rate: f64) -> Self {
        Self { rate: learning_rate, waiting: Waiting::default() }
    }

    /// The learning rate of the step after `steps` steps and `epochs` full epochs of a job with
    /// `steps_per_epoch`.
    pub(crate) fn rate(&self, job: &Hyperparameters, steps: u64, steps_per_epoch: u64) -> f64 {
        let all_steps = steps_per_epoch * u64::from(job.epochs);
        let step = steps as f64;
        match job.schedule {
            Schedule::Constant | Schedule::Plateau { .. } => self.rate,
            // `ExponentialDecay`: rate decay_rate^(step / decay_steps)
            Schedule::Exponential { decay_rate, decay_steps } => {
                let decay_steps = decay_steps.map_or(all_steps, u64::from);
                self.rate * pow(decay_rate, step / decay_steps as f64)
            }
            // `CosineDecay` from 0 with warmup_target: rate step / warmup_steps, then rate (1 +
            // cos(pi x)) / 2, where x goes from 0 to 1 in decay_steps and stays there
            Schedule::Cosine { decay_steps, warmup_steps } => {
                let warmup_steps = u64::from(warmup_steps);
                if steps < warmup_steps {
                    return self.rate * (step / warmup_steps as f64);
                }
                let decay_steps = decay_steps.map_or(all_steps.saturating_sub(warmup_steps).max(1), u64::from);
                let part = ((steps - warmup_steps) as f64 / decay_steps as f64).min(1.0);
                self.rate * (0.5 * (1.0 + cos(std::f64::consts::PI * part)))
            }
            Schedule::Step { decay_rate, step_epochs } => {
                let times = steps / steps_per_epoch / u64::from(step_epochs);
                self.rate * pow(decay_rate, times as f64)
            }
        }
    }

    /// After a full epoch.
    pub(crate) fn advance(&mut self, schedule: Schedule, val_loss: Option<f64>) {
        let Schedule::Plateau { plateau_factor, plateau_patience, min_learning_rate } = schedule else { return };
        let better = self.waiting.count(val_loss, PLATEAU_DELTA);
        if !better && self.waiting.epochs() >= plateau_patience && self.rate > min_learning_rate {
            self.rate = (self.rate * plateau_factor).max(min_learning_rate);
            self.waiting.restart();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn job(params: serde_json::Value) -> Hyperparameters {
        let serde_json::Value::Object(mut params) = params else { panic!("not an object") };
        params.insert("learning_rate".to_owned(), json!(0.1));
        params.insert("epochs".to_owned(), json!(4));
        Hyperparameters::from_params(&params).unwrap()
    }

    /// Rates at the steps 0, 1, 5, 20, 39 and 50, with ten steps an epoch.
    fn rates(params: serde_json::Value) -> [f64; 6] {
        let job = job(params);
        let state = CourseState::new(job.learning_rate);
        [0, 1, 5, 20, 39, 50].map(|step| state.rate(&job, step, 10))
    }

    fn assert_close(got: [f64; 6], expected: [f64; 6]) {
        for (a, b) in got.iter().zip(expected) {
            assert!((a - b).abs() <= 1e-8 + 2e-6 * b, "{got:?}, not {expected:?}");
        }
    }

    #[test]
    fn decays_are_those_of_keras() {
        assert_close(
            rates(json!({"schedule": "exponential", "decay_rate": 0.8, "decay_steps": 7})),
            [
                0.10000000149011612,
                0.09686250984668732,
                0.08526652306318283,
                0.05285843089222908,
                0.028845150023698807,
                0.02031354419887066,
            ],
        );
        assert_close(
            rates(json!({"schedule": "cosine", "decay_steps": 30})),
            [0.10000000149011612, 0.09972609579563141, 0.09330127388238907, 0.02499999664723873, 0.0, 0.0],
        );
        assert_close(
            rates(json!({"schedule": "cosine", "decay_steps": 30, "warmup_steps": 4})),
            [0.0, 0.02500000037252903, 0.09972609579563141, 0.04477357119321823, 0.0, 0.0],
        );
    }

    #[test]
    fn a_constant_rate_stays_and_a_step_comes_after_its_epochs() {
        assert_eq!(rates(json!({})), [0.1; 6]);
        let stepped = rates(json!({"schedule": "step", "decay_rate": 0.5, "step_epochs": 2}));
        assert_close(stepped, [0.1, 0.1, 0.1, 0.05, 0.05, 0.025]);
    }

    #[test]
    fn without_decay_steps_the_decay_lasts_until_the_end_of_the_job() {
        assert_eq!(
            rates(json!({"schedule": "cosine", "warmup_steps": 4})),
            rates(json!({"schedule": "cosine", "warmup_steps": 4, "decay_steps": 36}))
        );
        assert_eq!(
            rates(json!({"schedule": "exponential"})),
            rates(json!({"schedule": "exponential", "decay_steps": 40}))
        );
        // All warmup: no decay is left, and nothing is divided by zero.
        assert_eq!(rates(json!({"schedule": "cosine", "warmup_steps": 40}))[4], 0.1 * (39.0 / 40.0));
    }

    #[test]
    fn a_plateau_reduces_the_rate_down_to_its_minimum() {
        let job = job(json!({
            "schedule": "plateau", "plateau_factor": 0.5, "plateau_patience": 2, "min_learning_rate": 0.02
        }));
        let mut state = CourseState::new(job.learning_rate);
        // 0.99995 is not better by more than 0.0001.
        let losses = [1.0, 0.99995, 1.1, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9];
        let rates = losses.map(|loss| {
            state.advance(job.schedule, Some(loss));
            state.rate(&job, 0, 10)
        });
        assert_eq!(rates, [0.1, 0.1, 0.05, 0.05, 0.05, 0.025, 0.025, 0.02, 0.02, 0.02]);
    }
}
