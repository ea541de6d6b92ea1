//! Rules that divide by a mean or sum of squared gradients. `[rho, rest]`: `rest` is what 1 - rho
//! is in Keras.

use super::flush;
use crate::math::pow;

/// `rmsprop.py`: v = rho v + (1 - rho) g²; i = lr g / sqrt(v + epsilon); w -= i, or with momentum
/// p = momentum p + i; w -= p. Centered: a = rho a + (1 - rho) g, and v - a² in place of v.
#[inline(always)]
pub(super) fn rmsprop(
    params: &mut [f32],
    gradient: &[f32],
    v: &mut [f32],
    average: Option<&mut [f32]>,
    momentum: Option<(f32, &mut [f32])>,
    lr: f32,
    options: [f32; 3],
) {
    // A loop each: the compiler makes vectors only of the one without branches.
    let steps = (params, gradient, v);
    match (average, momentum) {
        (None, None) => rmsprop_loop::<false, false>(steps, [&mut [], &mut []], lr, 0.0, options),
        (Some(a), None) => rmsprop_loop::<true, false>(steps, [a, &mut []], lr, 0.0, options),
        (None, Some((momentum, p))) => rmsprop_loop::<false, true>(steps, [&mut [], p], lr, momentum, options),
        (Some(a), Some((momentum, p))) => rmsprop_loop::<true, true>(steps, [a, p], lr, momentum, options),
    }
}

/// [`rmsprop`] with `[a, p]`, of which those that are not used are empty.
#[inline(always)]
fn rmsprop_loop<const CENTERED: bool, const MOMENTUM: bool>(
    (params, gradient, v): (&mut [f32], &[f32], &mut [f32]),
    [average, velocity]: [&mut [f32]; 2],
    lr: f32,
    momentum: f32,
    [rho, rest, epsilon]: [f32; 3],
) {
    for (i, ((w, &g), v)) in params.iter_mut().zip(gradient).zip(v).enumerate() {
        *v = flush(rho * *v + rest * (g * g));
        let square = if CENTERED {
            average[i] = flush(rho * average[i] + rest * g);
            *v - average[i] * average[i] + epsilon
        } else {
            *v + epsilon
        };
        let increment = (lr * g) / square.sqrt();
        *w -= if MOMENTUM {
            velocity[i] = flush(momentum * velocity[i] + increment);
            velocity[i]
        } else {
            increment
        };
    }
}

/// `adadelta.py`: s = rho s + (1 - rho) g²; d = -(sqrt(a + epsilon) g / sqrt(s + epsilon)); a = rho
/// a + (1 - rho) d²; w += lr d
#[inline(always)]
pub(super) fn adadelta(
    params: &mut [f32],
    gradient: &[f32],
    [squares, deltas]: [&mut [f32]; 2],
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

/// `adagrad.py`: s += g²; w -= lr g / sqrt(s + epsilon)
#[inline(always)]
pub(super) fn adagrad(params: &mut [f32], gradient: &[f32], sum: &mut [f32], lr: f32, epsilon: f32) {
    for ((w, &g), s) in params.iter_mut().zip(gradient).zip(sum) {
        *s += g * g;
        *w -= (lr * g) / (*s + epsilon).sqrt();
    }
}

/// Options of [`ftrl`].
pub(super) struct Ftrl {
    /// -learning_rate_power
    pub(super) power: f64,
    pub(super) l1: f32,
    pub(super) l2: f32,
}

/// `ftrl.py`: s' = s + g²; z += g - (s'^p - s^p) / lr w; w = (clip(z, -l1, l1) - z) / (s'^p / lr +
/// 2 l2); s = s', where p is -learning_rate_power
#[inline(always)]
pub(super) fn ftrl(params: &mut [f32], gradient: &[f32], state: [&mut [f32]; 2], lr: f32, options: &Ftrl) {
    // Of the power that nearly everybody uses, the correctly rounded root; chosen out here, so that
    // the loop is vectorised.
    if options.power == 0.5 {
        ftrl_raised(params, gradient, state, lr, options, f32::sqrt);
    } else {
        ftrl_raised(params, gradient, state, lr, options, |x| pow(f64::from(x), options.power) as f32);
    }
}

/// [`ftrl`], where `raised(x)` is x^p.
#[inline(always)]
fn ftrl_raised(
    params: &mut [f32],
    gradient: &[f32],
    [sum, linear]: [&mut [f32]; 2],
    lr: f32,
    options: &Ftrl,
    raised: impl Fn(f32) -> f32,
) {
    for (((w, &g), s), z) in params.iter_mut().zip(gradient).zip(sum).zip(linear) {
        let after = *s + g * g;
        let raised_after = raised(after);
        *z += g - (raised_after - raised(*s)) / lr * *w;
        let quadratic = raised_after / lr + 2.0 * options.l2;
        // By comparisons: which zero `max` and `min` give of two differs between CPUs.
        let cut = if *z < -options.l1 {
            -options.l1
        } else if *z > options.l1 {
            options.l1
        } else {
            *z
        };
        *w = (cut - *z) / quadratic;
        *s = after;
    }
}
