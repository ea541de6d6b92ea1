//! The update rules: each one loop over flat vectors, in the order of `f32` operations of Keras 3
//! (`keras/src/optimizers`).
//!
//! State that decays is set to zero below 1e-30: exact-zero gradients (blank pixels, dead units)
//! would otherwise walk it through subnormal numbers, where arithmetic is several times slower.
//! That is part of the definition, for every engine.

mod clip;
mod descent;
mod moments;
mod squares;

use besom_sweep::{Clipping, Hyperparameters, Optimizer};
use serde::{Deserialize, Serialize};

use super::layout::Layout;
use super::math::power;
use super::simd::{Isa, Simd, dispatched};
use squares::Ftrl;

/// Below this, decaying state is zero.
const TINY: f32 = 1e-30;

/// What a step does, from the job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rule {
    pub(crate) optimizer: Optimizer,
    /// Share of each parameter times the learning rate that goes before the step.
    pub(crate) weight_decay: f64,
    pub(crate) clipping: Clipping,
}

impl Rule {
    /// The rule of a job.
    pub(crate) fn new(hyperparameters: &Hyperparameters) -> Self {
        let Hyperparameters { optimizer, weight_decay, clipping, .. } = *hyperparameters;
        Self { optimizer, weight_decay, clipping }
    }

    /// Whether a step is [`descend`] and nothing else.
    pub(crate) fn is_plain_sgd(&self) -> bool {
        matches!(self.optimizer, Optimizer::Sgd { momentum: 0.0, .. })
            && self.weight_decay == 0.0
            && self.clipping == Clipping::None
    }
}

/// The state of an update rule; the rule itself and its options come from the job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct OptimizerState {
    /// Steps so far.
    step: u64,
    /// Nadam's product of momentum weights; 1 with every other rule.
    product: f32,
    /// As many as the rule has, each as long as the parameters, in the order of the rule's
    /// function.
    vectors: Vec<Vec<f32>>,
}

impl OptimizerState {
    /// Before the first step on `parameters` parameters.
    pub(crate) fn new(optimizer: Optimizer, parameters: usize) -> Self {
        let first: &[f64] = match optimizer {
            Optimizer::Sgd { momentum: 0.0, .. } => &[],
            Optimizer::Sgd { .. } | Optimizer::Lion { .. } => &[0.0],
            Optimizer::Rmsprop { momentum, centered, .. } => {
                &[0.0; 3][..1 + usize::from(centered) + usize::from(momentum > 0.0)]
            }
            Optimizer::Adam { amsgrad, .. } | Optimizer::Adamw { amsgrad, .. } => &[0.0; 3][..2 + usize::from(amsgrad)],
            Optimizer::Adadelta { .. } | Optimizer::Adamax { .. } | Optimizer::Nadam { .. } => &[0.0; 2],
            Optimizer::Adagrad { initial_accumulator_value, .. } => &[initial_accumulator_value],
            Optimizer::Ftrl { initial_accumulator_value, .. } => &[initial_accumulator_value, 0.0],
        };
        let vectors = first.iter().map(|&value| vec![value as f32; parameters]).collect();
        Self { step: 0, product: 1.0, vectors }
    }

    /// Steps so far.
    pub(crate) fn steps(&self) -> u64 {
        self.step
    }

    /// One step of `rule`, which is the one that this state was made for, along `gradient`, which
    /// is clipped in place.
    pub(crate) fn step(&mut self, rule: &Rule, layout: &Layout, lr: f64, params: &mut [f32], gradient: &mut [f32]) {
        self.count_step();
        step(Isa::detect(), self, rule, layout, lr as f32, params, gradient);
    }

    /// One more step, which somebody else makes: [`Rule::is_plain_sgd`].
    pub(crate) fn count_step(&mut self) {
        self.step += 1;
    }

    /// The rule proper.
    #[inline(always)]
    fn update<S: Simd>(&mut self, s: S, optimizer: Optimizer, lr: f32, params: &mut [f32], gradient: &[f32]) {
        let pair = |a: f64, b: f64| [a as f32, b as f32];
        let mut vectors = self.vectors.iter_mut().map(Vec::as_mut_slice);
        let mut next = || vectors.next().expect("state made for this rule");
        match optimizer {
            Optimizer::Sgd { momentum: 0.0, .. } => descent::sgd(s, params, gradient, lr),
            Optimizer::Sgd { momentum, nesterov } => {
                descent::momentum(params, gradient, next(), lr, momentum as f32, nesterov);
            }
            Optimizer::Rmsprop { rho, momentum, epsilon, centered } => {
                let v = next();
                let average = centered.then(&mut next);
                let momentum = (momentum > 0.0).then(|| (momentum as f32, next()));
                let options = [rho as f32, (1.0 - rho) as f32, epsilon as f32];
                squares::rmsprop(params, gradient, v, average, momentum, lr, options);
            }
            Optimizer::Adam { beta_1, beta_2, epsilon, amsgrad }
            | Optimizer::Adamw { beta_1, beta_2, epsilon, amsgrad } => {
                let alpha = moments::adam_alpha(lr, pair(beta_1, beta_2), self.step);
                let rest = pair(1.0 - beta_1, 1.0 - beta_2);
                if amsgrad {
                    moments::amsgrad(params, gradient, [next(), next(), next()], alpha, rest, epsilon as f32);
                } else {
                    moments::adam(s, params, gradient, [next(), next()], alpha, rest, epsilon as f32);
                }
            }
            Optimizer::Adadelta { rho, epsilon } => {
                squares::adadelta(params, gradient, [next(), next()], lr, pair(rho, 1.0 - rho), epsilon as f32);
            }
            Optimizer::Adagrad { epsilon, .. } => squares::adagrad(params, gradient, next(), lr, epsilon as f32),
            Optimizer::Adamax { beta_1, beta_2, epsilon } => {
                let power_1 = power(beta_1 as f32, self.step);
                let factors = pair(1.0 - beta_1, beta_2);
                moments::adamax(params, gradient, [next(), next()], lr, factors, power_1, epsilon as f32);
            }
            Optimizer::Nadam { beta_1, beta_2, epsilon } => {
                let betas = pair(beta_1, beta_2);
                let step = moments::NadamStep::new(betas, self.step, &mut self.product);
                let rest = betas.map(|beta| 1.0 - beta);
                moments::nadam(params, gradient, [next(), next()], lr, rest, &step, epsilon as f32);
            }
            Optimizer::Ftrl { learning_rate_power, l1_regularization_strength, l2_regularization_strength, .. } => {
                let [l1, l2] = pair(l1_regularization_strength, l2_regularization_strength);
                let options = Ftrl { power: -learning_rate_power, l1, l2 };
                squares::ftrl(params, gradient, [next(), next()], lr, &options);
            }
            Optimizer::Lion { beta_1, beta_2 } => moments::lion(params, gradient, next(), lr, pair(beta_1, beta_2)),
        }
    }
}

dispatched!(
    /// Plain gradient descent, `w -= g lr`: what
    /// [`Engine::descend`](super::engine::Engine::descend) does, in whatever order.
    pub(crate) fn descend(params: &mut [f32], gradient: &[f32], lr: f32) = descent::sgd
);

dispatched!(
    fn step(
        state: &mut OptimizerState,
        rule: &Rule,
        layout: &Layout,
        lr: f32,
        params: &mut [f32],
        gradient: &mut [f32],
    ) = step_with
);

/// The instructions do not matter to a result: the loops have the same operations in the same order
/// with each, only more of them at once.
#[inline(always)]
fn step_with<S: Simd>(
    s: S,
    state: &mut OptimizerState,
    rule: &Rule,
    layout: &Layout,
    lr: f32,
    params: &mut [f32],
    gradient: &mut [f32],
) {
    clip::clip(rule.clipping, layout, gradient);
    decay(params, rule.weight_decay as f32, lr);
    state.update(s, rule.optimizer, lr, params, gradient);
}

/// `base_optimizer.py`: w -= w weight_decay lr, for kernels and biases
#[inline(always)]
fn decay(params: &mut [f32], weight_decay: f32, lr: f32) {
    if weight_decay != 0.0 {
        params.iter_mut().for_each(|w| *w -= *w * weight_decay * lr);
    }
}

/// Zero where the magnitude is below [`TINY`]; not a number stays one.
#[inline(always)]
fn flush(x: f32) -> f32 {
    if x.abs() < TINY { 0.0 } else { x }
}

#[cfg(test)]
mod tests;
