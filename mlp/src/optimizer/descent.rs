//! Gradient descent, with and without momentum.

use super::flush;
use crate::simd::{Lanes, Simd};

/// `sgd.py`: w -= g lr
#[inline(always)]
pub(super) fn sgd<S: Simd>(s: S, params: &mut [f32], gradient: &[f32], lr: f32) {
    let (params, last_params) = params.as_chunks_mut();
    let (gradient, last_gradient) = gradient.as_chunks();
    let rate = s.splat(lr);
    for (w, g) in params.iter_mut().zip(gradient) {
        (s.load(w) - s.load(g) * rate).store(w);
    }
    (s.load_part(last_params) - s.load_part(last_gradient) * rate).store_part(last_params);
}

/// `sgd.py`: m = m momentum - g lr; w += m, or with nesterov w += m momentum - g lr
#[inline(always)]
pub(super) fn momentum(params: &mut [f32], gradient: &[f32], m: &mut [f32], lr: f32, momentum: f32, nesterov: bool) {
    for ((w, &g), m) in params.iter_mut().zip(gradient).zip(m) {
        *m = flush(*m * momentum - g * lr);
        *w += if nesterov { *m * momentum - g * lr } else { *m };
    }
}
