//! Bounds on a gradient, before the update rule sees it, as in Keras's `base_optimizer.py`.
//!
//! Sums of squares are of `f64`, in the order of [`sum`], and rounded to `f32` once.

use besom_sweep::Clipping;

use crate::layout::Layout;
use crate::math::sum;

/// Bounds `gradient` in place.
#[inline(always)]
pub(super) fn clip(clipping: Clipping, layout: &Layout, gradient: &mut [f32]) {
    match clipping {
        Clipping::None => {}
        Clipping::Value(bound) => {
            let bound = bound as f32;
            gradient.iter_mut().for_each(|g| *g = g.clamp(-bound, bound));
        }
        // g bound / max(norm, bound), each kernel and each bias on its own.
        Clipping::Norm(bound) => {
            let bound = bound as f32;
            for variable in layout.layers.iter().flat_map(|layer| [layer.kernel.clone(), layer.bias.clone()]) {
                let variable = &mut gradient[variable];
                let norm = norm(variable);
                let divisor = if norm < bound { bound } else { norm };
                variable.iter_mut().for_each(|g| *g = *g * bound / divisor);
            }
        }
        // g (bound min(1 / norm, 1 / bound))
        Clipping::GlobalNorm(bound) => {
            let bound = bound as f32;
            let norm = norm(gradient);
            // As in Keras, a norm that is not finite makes the gradient not a number.
            let scale = if norm.is_finite() { bound * (1.0 / norm).min(1.0 / bound) } else { f32::NAN };
            gradient.iter_mut().for_each(|g| *g *= scale);
        }
    }
}

#[inline(always)]
fn norm(values: &[f32]) -> f32 {
    (sum(values, |g| f64::from(g * g)) as f32).sqrt()
}
