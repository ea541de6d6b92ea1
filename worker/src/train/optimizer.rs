//! The update rules: each one loop over flat vectors, in the order of `f32` operations of Keras 3 (`keras/src/optimizers`).
//!
//! State that decays is set to zero below 1e-30: exact-zero gradients (blank pixels, dead units) would otherwise walk it
//! through subnormal numbers, where arithmetic is several times slower. That is part of the definition, for every engine.

use besom_sweep::Optimizer;
use serde::{Deserialize, Serialize};

/// Below this, decaying state is zero.
const TINY: f32 = 1e-30;

/// The state of an update rule; the rule itself and its options come from the job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct OptimizerState {
    /// Steps so far.
    step: u64,
    /// As many as the rule has, each as long as the parameters: momentum; first and second moment; mean squared gradient
    /// and mean squared update.
    vectors: Vec<Vec<f32>>,
}

impl OptimizerState {
    /// Before the first step on `parameters` parameters.
    pub(crate) fn new(optimizer: Optimizer, parameters: usize) -> Self {
        let vectors = match optimizer {
            Optimizer::Sgd { momentum: 0.0, .. } => 0,
            Optimizer::Sgd { .. } => 1,
            Optimizer::Adam { .. } | Optimizer::Adadelta { .. } => 2,
        };
        Self { step: 0, vectors: vec![vec![0.0; parameters]; vectors] }
    }

    /// One step of `optimizer`, which is the rule that this state was made for, along `gradient`.
    pub(crate) fn step(&mut self, optimizer: Optimizer, learning_rate: f64, params: &mut [f32], gradient: &[f32]) {
        self.step += 1;
        let lr = learning_rate as f32;
        match (optimizer, self.vectors.as_mut_slice()) {
            (Optimizer::Sgd { .. }, []) => sgd(params, gradient, lr),
            (Optimizer::Sgd { momentum, nesterov }, [m]) => {
                sgd_momentum(params, gradient, m, lr, momentum as f32, nesterov);
            }
            (Optimizer::Adam { beta_1, beta_2, epsilon }, [m, v]) => {
                // lr sqrt(1 - beta_2^t) / (1 - beta_1^t)
                let power_1 = power(beta_1 as f32, self.step);
                let power_2 = power(beta_2 as f32, self.step);
                let alpha = lr * (1.0 - power_2).sqrt() / (1.0 - power_1);
                adam(params, gradient, m, v, alpha, [(1.0 - beta_1) as f32, (1.0 - beta_2) as f32], epsilon as f32);
            }
            (Optimizer::Adadelta { rho, epsilon }, [squares, deltas]) => {
                adadelta(params, gradient, squares, deltas, lr, [rho as f32, (1.0 - rho) as f32], epsilon as f32);
            }
            (Optimizer::Sgd { .. } | Optimizer::Adam { .. } | Optimizer::Adadelta { .. }, _) => {
                unreachable!("state made for another optimizer")
            }
        }
    }
}

/// `sgd.py`: w -= g lr
fn sgd(params: &mut [f32], gradient: &[f32], lr: f32) {
    for (w, &g) in params.iter_mut().zip(gradient) {
        *w -= g * lr;
    }
}

/// `sgd.py`: m = m momentum - g lr; w += m, or with nesterov w += m momentum - g lr
fn sgd_momentum(params: &mut [f32], gradient: &[f32], m: &mut [f32], lr: f32, momentum: f32, nesterov: bool) {
    for ((w, &g), m) in params.iter_mut().zip(gradient).zip(m) {
        *m = flush(*m * momentum - g * lr);
        *w += if nesterov { *m * momentum - g * lr } else { *m };
    }
}

/// `adam.py`: m += (g - m)(1 - beta_1); v += (g² - v)(1 - beta_2); w -= m alpha / (sqrt(v) + epsilon)
fn adam(params: &mut [f32], gradient: &[f32], m: &mut [f32], v: &mut [f32], alpha: f32, rest: [f32; 2], epsilon: f32) {
    for (((w, &g), m), v) in params.iter_mut().zip(gradient).zip(m).zip(v) {
        *m = flush(*m + (g - *m) * rest[0]);
        *v = flush(*v + (g * g - *v) * rest[1]);
        *w -= (*m * alpha) / (v.sqrt() + epsilon);
    }
}

/// `adadelta.py`: s = rho s + (1 - rho) g²; d = -(sqrt(a + epsilon) g / sqrt(s + epsilon)); a = rho a + (1 - rho) d²; w += lr d
fn adadelta(
    params: &mut [f32],
    gradient: &[f32],
    squares: &mut [f32],
    deltas: &mut [f32],
    lr: f32,
    [rho, rest]: [f32; 2],
    epsilon: f32,
) {
    for (((w, &g), s), a) in params.iter_mut().zip(gradient).zip(squares).zip(deltas) {
        *s = flush(rho * *s + rest * (g * g));
        let delta = -(((*a + epsilon).sqrt() * g) / (*s + epsilon).sqrt());
        *a = flush(rho * *a + rest * (delta * delta));
        *w += lr * delta;
    }
}

/// Zero where the magnitude is below [`TINY`]; not a number stays one.
fn flush(x: f32) -> f32 {
    if x.abs() < TINY { 0.0 } else { x }
}

/// `base` to the power `exponent`, rounded to `f32` once. Products of `f64` alone, so the same on every platform, which
/// the system's `pow` is not.
fn power(base: f32, mut exponent: u64) -> f32 {
    let mut square = f64::from(base);
    let mut product = 1.0;
    while exponent > 0 {
        if exponent & 1 == 1 {
            product *= square;
        }
        square *= square;
        exponent >>= 1;
    }
    product as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Trace {
        optimizer: String,
        config: serde_json::Map<String, serde_json::Value>,
        initial: Vec<f32>,
        gradients: Vec<Vec<f32>>,
        parameters_after_each_step: Vec<Vec<f32>>,
    }

    #[test]
    fn every_step_is_that_of_keras() {
        #[derive(Deserialize)]
        struct File {
            traces: Vec<Trace>,
        }
        let file: File = serde_json::from_str(include_str!("../../tests/data/keras_optimizers.json")).unwrap();
        assert_eq!(file.traces.len(), 7);
        for trace in file.traces {
            let option = |name: &str, default: f64| trace.config.get(name).map_or(default, |v| v.as_f64().unwrap());
            let optimizer = match trace.optimizer.as_str() {
                "SGD" => Optimizer::Sgd {
                    momentum: option("momentum", 0.0),
                    nesterov: trace.config.get("nesterov").is_some_and(|v| v.as_bool().unwrap()),
                },
                "Adam" => Optimizer::Adam {
                    beta_1: option("beta_1", 0.9),
                    beta_2: option("beta_2", 0.999),
                    epsilon: option("epsilon", 1e-7),
                },
                "Adadelta" => Optimizer::Adadelta { rho: option("rho", 0.95), epsilon: option("epsilon", 1e-7) },
                other => panic!("unknown optimizer {other}"),
            };
            let learning_rate = trace.config["learning_rate"].as_f64().unwrap();
            let mut params = trace.initial.clone();
            let mut state = OptimizerState::new(optimizer, params.len());
            for (step, (gradient, expected)) in
                trace.gradients.iter().zip(&trace.parameters_after_each_step).enumerate()
            {
                state.step(optimizer, learning_rate, &mut params, gradient);
                for (i, (&a, &b)) in params.iter().zip(expected).enumerate() {
                    assert!(
                        (a - b).abs() <= 1e-7 + 1e-5 * b.abs(),
                        "{} {:?} step {step} parameter {i}: {a}, Keras {b}",
                        trace.optimizer,
                        trace.config
                    );
                }
            }
        }
    }

    #[test]
    fn decaying_state_becomes_zero_and_never_subnormal() {
        for optimizer in [
            Optimizer::Sgd { momentum: 0.9, nesterov: false },
            Optimizer::Adam { beta_1: 0.9, beta_2: 0.9, epsilon: 1e-7 },
            Optimizer::Adadelta { rho: 0.9, epsilon: 1e-7 },
        ] {
            let mut params = vec![1.0];
            let mut state = OptimizerState::new(optimizer, 1);
            state.step(optimizer, 0.01, &mut params, &[1.0]);
            assert!(state.vectors.iter().all(|v| v[0] != 0.0));
            for _ in 0..1000 {
                state.step(optimizer, 0.01, &mut params, &[0.0]);
                assert!(state.vectors.iter().all(|v| !v[0].is_subnormal()));
            }
            assert!(state.vectors.iter().all(|v| v[0] == 0.0), "{optimizer:?} {state:?}");
        }
    }

    #[test]
    fn powers_are_those_of_repeated_multiplication() {
        assert_eq!(power(0.9, 0), 1.0);
        assert_eq!(power(0.9, 1), 0.9);
        let exact = (1..=1000).fold(1.0_f64, |p, _| p * f64::from(0.999_f32));
        assert!((f64::from(power(0.999, 1000)) - exact).abs() < 1e-7 * exact);
    }
}
