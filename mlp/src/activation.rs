//! The activations and their slopes, as Keras defines them (gelu in its exact form), in place on
//! slices.
//!
//! Not a number stays one.

use besom_sweep::Activation;

use super::elementary::{exp_m1, normal_cdf, normal_density, sigmoid, tanh};
use super::simd::{LANES, Lanes, Simd, dispatched};

dispatched!(
    /// Replaces every value x by `activation(x)`.
    pub(crate) fn values(activation: Activation, xs: &mut [f32]) = values_with
);

dispatched!(
    /// Multiplies `gradient` by the slope at `xs`, where `ys` are the values there; `xs` matters to
    /// gelu alone. At 0 relu's slope is 0 and elu's 1, as in Keras.
    pub(crate) fn backward(activation: Activation, xs: &[f32], ys: &[f32], gradient: &mut [f32]) = backward_with
);

/// See [`values`].
#[inline(always)]
fn values_with<S: Simd>(s: S, activation: Activation, xs: &mut [f32]) {
    let (zero, one) = (s.splat(0.0), s.splat(1.0));
    match activation {
        // In this order a NaN stays, or a diverged job would look healthy.
        Activation::Relu => map(s, xs, |x| zero.larger(x)),
        Activation::Tanh => map(s, xs, |x| tanh(s, x)),
        Activation::Sigmoid => map(s, xs, |x| sigmoid(s, x)),
        Activation::Gelu => map(s, xs, |x| x * normal_cdf(s, x)),
        Activation::Elu => map(s, xs, |x| x.select(zero.less(x), exp_m1(s, one.smaller(x)))),
    }
}

/// See [`backward`].
#[inline(always)]
fn backward_with<S: Simd>(s: S, activation: Activation, xs: &[f32], ys: &[f32], gradient: &mut [f32]) {
    let (zero, one) = (s.splat(0.0), s.splat(1.0));
    match activation {
        Activation::Relu => zip(s, ys, gradient, |y, g| g.select(zero.less(y), zero)),
        Activation::Tanh => zip(s, ys, gradient, |y, g| g * (one - y * y)),
        Activation::Sigmoid => zip(s, ys, gradient, |y, g| g * (y * (one - y))),
        Activation::Gelu => zip(s, xs, gradient, |x, g| g * (normal_cdf(s, x) + x * normal_density(s, x))),
        Activation::Elu => zip(s, ys, gradient, |y, g| g.select(zero.less(y), g * (y + one))),
    }
}

#[inline(always)]
fn map<S: Simd>(s: S, xs: &mut [f32], f: impl Fn(S::V) -> S::V) {
    let (whole, rest) = xs.as_chunks_mut::<LANES>();
    for xs in whole {
        f(s.load(xs)).store(xs);
    }
    f(s.load_part(rest)).store_part(rest);
}

#[inline(always)]
fn zip<S: Simd>(s: S, xs: &[f32], ys: &mut [f32], f: impl Fn(S::V, S::V) -> S::V) {
    let (whole, rest) = ys.as_chunks_mut::<LANES>();
    let (whole_x, rest_x) = xs.as_chunks::<LANES>();
    for (xs, ys) in whole_x.iter().zip(whole) {
        f(s.load(xs), s.load(ys)).store(ys);
    }
    f(s.load_part(rest_x), s.load_part(rest)).store_part(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Isa;

    const ALL: [Activation; 5] =
        [Activation::Relu, Activation::Tanh, Activation::Sigmoid, Activation::Gelu, Activation::Elu];

    fn value(activation: Activation, x: f32) -> f32 {
        let mut xs = [x];
        values(Isa::detect(), activation, &mut xs);
        xs[0]
    }

    #[test]
    fn known_values_come_out() {
        for (activation, x, expected) in [
            (Activation::Relu, -1.0, 0.0),
            (Activation::Relu, 2.0, 2.0),
            (Activation::Tanh, 0.5, 0.462_117_16),
            (Activation::Sigmoid, -1.0, 0.268_941_43),
            // The exact form; the tanh approximation would give 0.841192.
            (Activation::Gelu, 1.0, 0.841_344_8),
            (Activation::Elu, -1.0, -0.632_120_6),
        ] {
            let got = value(activation, x);
            assert!((got - expected).abs() < 1e-6, "{activation:?}({x}) = {got}, not {expected}");
        }
    }

    #[test]
    fn slopes_are_those_of_the_values() {
        for activation in ALL {
            for x in [-2.5_f32, -0.7, -0.1, 0.2, 0.9, 3.0] {
                let h = 1e-2;
                let measured = (value(activation, x + h) - value(activation, x - h)) / (2.0 * h);
                let mut slope = [1.0];
                backward(Isa::detect(), activation, &[x], &[value(activation, x)], &mut slope);
                let [slope] = slope;
                assert!((slope - measured).abs() < 2e-4, "{activation:?} at {x}: {slope}, measured {measured}");
            }
        }
    }

    #[test]
    fn not_a_number_stays_one() {
        for activation in ALL {
            assert!(value(activation, f32::NAN).is_nan(), "{activation:?}");
        }
    }

    #[test]
    fn every_set_of_instructions_gives_the_same_bits() {
        let xs: Vec<f32> = (0..1003_u16).map(|i| (f32::from(i) - 500.0) / 37.0).collect();
        for activation in ALL {
            let mut results = Isa::all().into_iter().map(|isa| {
                let (mut ys, mut slopes) = (xs.clone(), xs.clone());
                values(isa, activation, &mut ys);
                backward(isa, activation, &xs, &ys, &mut slopes);
                (ys, slopes)
            });
            let first = results.next().unwrap();
            assert!(results.all(|other| other == first), "{activation:?}");
        }
    }
}
