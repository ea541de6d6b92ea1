//! l1 and l2 penalties on kernels, not biases: part of loss and val_loss, as Keras's `L1L2`
//! regularizer.

use besom_sweep::Hyperparameters;

use super::layout::Layout;
use super::math::sum;
use super::simd::{Isa, Simd, dispatched};

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
        layout.layers.iter().map(|layer| kernel_value(Isa::detect(), self, &params[layer.kernel.clone()])).sum()
    }

    /// Adds the penalty's gradient: l1 sign(w) + 2 l2 w, where sign(0) is 0.
    pub(crate) fn add_gradient(self, layout: &Layout, params: &[f32], gradient: &mut [f32]) {
        if self.is_none() {
            return;
        }
        for layer in &layout.layers {
            let kernel = layer.kernel.clone();
            add_slope(Isa::detect(), self, &params[kernel.clone()], &mut gradient[kernel]);
        }
    }
}

dispatched!(
    /// [`Penalty::add_gradient`] of one kernel.
    fn add_slope(penalty: Penalty, kernel: &[f32], gradient: &mut [f32]) = add_slope_with
);

#[inline(always)]
fn add_slope_with<S: Simd>(_s: S, penalty: Penalty, kernel: &[f32], gradient: &mut [f32]) {
    for (g, &w) in gradient.iter_mut().zip(kernel) {
        let sign = if w == 0.0 { 0.0 } else { w.signum() };
        *g += penalty.l1 * sign + penalty.l2 * (2.0 * w);
    }
}

dispatched!(
    /// [`Penalty::value`] of one kernel.
    fn kernel_value(penalty: Penalty, kernel: &[f32]) -> f64 = kernel_value_with
);

#[inline(always)]
fn kernel_value_with<S: Simd>(_s: S, penalty: Penalty, kernel: &[f32]) -> f64 {
    let mut value = 0.0;
    if penalty.l1 != 0.0 {
        value += f64::from(penalty.l1) * sum(kernel, |w| f64::from(w).abs());
    }
    if penalty.l2 != 0.0 {
        value += f64::from(penalty.l2) * sum(kernel, |w| f64::from(w) * f64::from(w));
    }
    value
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

    #[test]
    fn every_set_of_instructions_gives_the_same_bits() {
        let penalty = Penalty { l1: 0.3, l2: 0.07 };
        let kernel: Vec<f32> = (0..1003).map(|i| if i % 9 == 0 { 0.0 } else { (i as f32 - 500.0) / 317.0 }).collect();
        let mut results = Isa::all().into_iter().map(|isa| {
            let mut gradient = vec![0.25; kernel.len()];
            add_slope(isa, penalty, &kernel, &mut gradient);
            let gradient: Vec<u32> = gradient.iter().map(|g| g.to_bits()).collect();
            (kernel_value(isa, penalty, &kernel).to_bits(), gradient)
        });
        let first = results.next().unwrap();
        assert!(results.all(|other| other == first));
    }
}
