//! Rules with a running mean of gradients: Adam and its kin. `rest` is what 1 - beta is in Keras,
//! betas are [beta_1, beta_2].

use super::{TINY, flush};
use crate::math::power;
use crate::simd::{Lanes, Simd};

/// `adam.py`: m += (g - m)(1 - beta_1); v += (g² - v)(1 - beta_2); w -= m alpha / (sqrt(v) +
/// epsilon), where alpha is lr sqrt(1 - beta_2^t) / (1 - beta_1^t)
#[inline(always)]
pub(super) fn adam<S: Simd>(
    s: S,
    params: &mut [f32],
    gradient: &[f32],
    [m, v]: [&mut [f32]; 2],
    alpha: f32,
    rest: [f32; 2],
    epsilon: f32,
) {
    let stays = epsilon > 0.0 && alpha.is_finite();
    let (alpha, epsilon) = (s.splat(alpha), s.splat(epsilon));
    let step = AdamStep { alpha, rest: rest.map(|rest| s.splat(rest)), epsilon, stays };
    let (params, last_params) = params.as_chunks_mut();
    let (gradient, last_gradient) = gradient.as_chunks();
    let (m, last_m) = m.as_chunks_mut();
    let (v, last_v) = v.as_chunks_mut();
    for (((params, gradient), m), v) in params.iter_mut().zip(gradient).zip(m).zip(v) {
        if let Some(next) = step.next(s, s.load(params), s.load(gradient), s.load(m), s.load(v)) {
            next.0.store(params);
            next.1.store(m);
            next.2.store(v);
        }
    }
    let (w, g) = (s.load_part(last_params), s.load_part(last_gradient));
    if let Some(next) = step.next(s, w, g, s.load_part(last_m), s.load_part(last_v)) {
        next.0.store_part(last_params);
        next.1.store_part(last_m);
        next.2.store_part(last_v);
    }
}

/// What all parameters share in a step of [`adam`].
struct AdamStep<V> {
    alpha: V,
    rest: [V; 2],
    epsilon: V,
    /// Whether parameters without gradient and state stay where they are: not if 0 is divided by 0.
    stays: bool,
}

impl<V: Lanes> AdamStep<V> {
    /// Parameters, m and v after the step; nothing where all stays 0, as for pixels that have
    /// always been 0.
    #[inline(always)]
    fn next<S: Simd<V = V>>(&self, s: S, w: V, g: V, m: V, v: V) -> Option<(V, V, V)> {
        let tiny = s.splat(TINY);
        let (zero, before) = (s.splat(0.0), m.abs() + v);
        let mut m = m + (g - m) * self.rest[0];
        let mut v = v + (g * g - v) * self.rest[1];
        // Where neither has to be flushed, and both are numbers, the smaller one tells.
        if V::any(v.smaller(m.abs()).less(tiny)) {
            if self.stays && V::all((before + g.abs()).less(tiny)) {
                return None;
            }
            m = zero.select(m.abs().less(tiny), m);
            v = zero.select(v.abs().less(tiny), v);
        }
        Some((w - (m * self.alpha) / (v.sqrt() + self.epsilon), m, v))
    }
}

/// `adam.py` with amsgrad: as [`adam`], with the largest v so far, `largest`, in place of v
#[inline(always)]
pub(super) fn amsgrad(
    params: &mut [f32],
    gradient: &[f32],
    [m, v, largest]: [&mut [f32]; 3],
    alpha: f32,
    rest: [f32; 2],
    epsilon: f32,
) {
    for ((((w, &g), m), v), largest) in params.iter_mut().zip(gradient).zip(m).zip(v).zip(largest) {
        *m = flush(*m + (g - *m) * rest[0]);
        *v = flush(*v + (g * g - *v) * rest[1]);
        *largest = largest.max(*v);
        *w -= (*m * alpha) / (largest.sqrt() + epsilon);
    }
}

/// lr sqrt(1 - beta_2^t) / (1 - beta_1^t) at step t
pub(super) fn adam_alpha(lr: f32, betas: [f32; 2], t: u64) -> f32 {
    lr * (1.0 - power(betas[1], t)).sqrt() / (1.0 - power(betas[0], t))
}

/// `adamax.py`: m += (g - m)(1 - beta_1); u = max(beta_2 u, |g|); w -= (lr m) / ((1 - beta_1^t)(u +
/// epsilon))
#[inline(always)]
pub(super) fn adamax(
    params: &mut [f32],
    gradient: &[f32],
    [m, u]: [&mut [f32]; 2],
    lr: f32,
    [rest_1, beta_2]: [f32; 2],
    power_1: f32,
    epsilon: f32,
) {
    for (((w, &g), m), u) in params.iter_mut().zip(gradient).zip(m).zip(u) {
        *m = flush(*m + (g - *m) * rest_1);
        *u = flush((beta_2 * *u).max(g.abs()));
        *w -= (lr * *m) / ((1.0 - power_1) * (*u + epsilon));
    }
}

/// What all parameters share in a step of [`nadam`].
pub(super) struct NadamStep {
    /// mu_t = beta_1 (1 - 0.96^t / 2)
    now: f32,
    /// mu_{t+1}
    next: f32,
    /// mu_1 ... mu_t
    product: f32,
    /// beta_2^t
    power_2: f32,
}

impl NadamStep {
    /// Of step t, where `product` is mu_1 ... mu_{t-1} and becomes mu_1 ... mu_t.
    pub(super) fn new(betas: [f32; 2], t: u64, product: &mut f32) -> Self {
        let mu = |t| 1.0 - 0.5 * power(0.96, t);
        *product = flush(*product * betas[0] * mu(t));
        Self { now: betas[0] * mu(t), next: betas[0] * mu(t + 1), product: *product, power_2: power(betas[1], t) }
    }
}

/// `nadam.py`: m += (g - m)(1 - beta_1); v += (g² - v)(1 - beta_2); m' = mu_{t+1} m / (1 - mu_1 ...
/// mu_{t+1}) + (1 - mu_t) g / (1 - mu_1 ... mu_t); v' = v / (1 - beta_2^t); w -= m' lr / (sqrt(v')
/// + epsilon)
#[inline(always)]
pub(super) fn nadam(
    params: &mut [f32],
    gradient: &[f32],
    [m, v]: [&mut [f32]; 2],
    lr: f32,
    rest: [f32; 2],
    step: &NadamStep,
    epsilon: f32,
) {
    let (after_next, after_now) = (1.0 - step.product * step.next, 1.0 - step.product);
    for (((w, &g), m), v) in params.iter_mut().zip(gradient).zip(m).zip(v) {
        *m = flush(*m + (g - *m) * rest[0]);
        *v = flush(*v + (g * g - *v) * rest[1]);
        let mean = (step.next * *m) / after_next + ((1.0 - step.now) * g) / after_now;
        let square = *v / (1.0 - step.power_2);
        *w -= (mean * lr) / (square.sqrt() + epsilon);
    }
}

/// `lion.py`: w -= lr sign(m beta_1 + g (1 - beta_1)); m = m beta_2 + g (1 - beta_2), where sign(0)
/// is 0
#[inline(always)]
pub(super) fn lion(params: &mut [f32], gradient: &[f32], m: &mut [f32], lr: f32, betas: [f32; 2]) {
    for ((w, &g), m) in params.iter_mut().zip(gradient).zip(m) {
        let direction = *m * betas[0] + g * (1.0 - betas[0]);
        *w -= lr * if direction == 0.0 { 0.0 } else { direction.signum() };
        *m = flush(*m * betas[1] + g * (1.0 - betas[1]));
    }
}
