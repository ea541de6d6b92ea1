//! Gradient descent, with and without momentum.

use super::flush;

/// `sgd.py`: w -= g lr
#[inline(always)]
pub(crate) fn sgd(params: &mut [f32], gradient: &[f32], lr: f32) {
    for (w, &g) in params.iter_mut().zip(gradient) {
        *w -= g * lr;
    }
}

/// `sgd.py`: m = m momentum - g lr; w += m, or with nesterov w += m momentum - g lr
#[inline(always)]
pub(super) fn momentum(params: &mut [f32], gradient: &[f32], m: &mut [f32], lr: f32, momentum: f32, nesterov: bool) {
    for ((w, &g), m) in params.iter_mut().zip(gradient).zip(m) {
        *m = flush(*m * momentum - g * lr);
        *w += if nesterov { *m * momentum - g * lr } else { *m };
    }
}
