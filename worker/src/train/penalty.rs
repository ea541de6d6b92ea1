//! l1 and l2 penalties on kernels, not biases: part of loss and val_loss, as Keras's `L1L2` regularizer.

use besom_sweep::Hyperparameters;

use super::layout::Layout;
use super::math::sum;

/// `l1` times the sum of absolute kernel weights plus `l2` times the sum of squared ones.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Penalty {
    l1: f32,
    l2: f32,
}

impl Penalty {
    /// The penalty of a job.
    pub(crate) fn new(hyperparameters: &Hyperparameters) -> Self {
        Self { l1: hyperparameters.l1 as f32, l2: hyperparameters.l2 as f32 }
    }

    /// Whether there is none.
    pub(crate) fn is_none(self) -> bool {
        self.l1 == 0.0 && self.l2 == 0.0
    }

    /// What is added to the loss of every sample.
    pub(crate) fn value(self, layout: &Layout, params: &[f32]) -> f64 {
        let kernels = || layout.layers.iter().map(|layer| &params[layer.kernel.clone()]);
        let mut value = 0.0;
        if self.l1 != 0.0 {
            value += f64::from(self.l1) * kernels().map(|kernel| sum(kernel, |w| f64::from(w).abs())).sum::<f64>();
        }
        if self.l2 != 0.0 {
            value +=
                f64::from(self.l2) * kernels().map(|kernel| sum(kernel, |w| f64::from(w) * f64::from(w))).sum::<f64>();
        }
        value
    }

    /// Adds the penalty's gradient: l1 sign(w) + 2 l2 w, where sign(0) is 0.
    pub(crate) fn add_gradient(self, layout: &Layout, params: &[f32], gradient: &mut [f32]) {
        if self.is_none() {
            return;
        }
        for layer in &layout.layers {
            for (g, &w) in gradient[layer.kernel.clone()].iter_mut().zip(&params[layer.kernel.clone()]) {
                let sign = if w == 0.0 { 0.0 } else { w.signum() };
                *g += self.l1 * sign + self.l2 * (2.0 * w);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_kernels_are_penalised() {
        let layout = Layout::new(2, &[], 1).unwrap();
        let penalty = Penalty { l1: 0.5, l2: 0.25 };
        let params = [2.0, -4.0, 100.0];
        assert_eq!(penalty.value(&layout, &params), 0.5 * 6.0 + 0.25 * 20.0);
        let mut gradient = [0.0; 3];
        penalty.add_gradient(&layout, &params, &mut gradient);
        assert_eq!(gradient, [1.5, -2.5, 0.0]);
    }
}
