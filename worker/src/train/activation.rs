//! The activations and their slopes, value by value, as Keras defines them.

use besom_sweep::Activation;
use candle_core::cpu::erf::erf_f32;

/// `activation(x)` for every value.
pub(crate) fn values(activation: Activation, xs: &[f32]) -> Vec<f32> {
    let map = |f: fn(f32) -> f32| xs.iter().map(|&x| f(x)).collect();
    match activation {
        // Not `max`: a not-a-number must stay one, or a diverged job would look healthy.
        Activation::Relu => xs.iter().map(|&x| if x < 0.0 { 0.0 } else { x }).collect(),
        Activation::Tanh => map(f32::tanh),
        Activation::Sigmoid => map(|x| 1.0 / (1.0 + (-x).exp())),
        Activation::Gelu => map(|x| x * normal_cdf(x)),
        Activation::Elu => map(|x| if x > 0.0 { x } else { x.exp_m1() }),
    }
}

/// `gradient` times the slope at `xs`, where `ys` are the values there. At 0 relu's slope is 0 and elu's 1, as in Keras.
pub(crate) fn backward(activation: Activation, xs: &[f32], ys: &[f32], gradient: &[f32]) -> Vec<f32> {
    let triples = xs.iter().zip(ys).zip(gradient).map(|((&x, &y), &g)| (x, y, g));
    match activation {
        Activation::Relu => triples.map(|(x, _, g)| if x > 0.0 { g } else { 0.0 }).collect(),
        Activation::Tanh => triples.map(|(_, y, g)| g * (1.0 - y * y)).collect(),
        Activation::Sigmoid => triples.map(|(_, y, g)| g * (y * (1.0 - y))).collect(),
        Activation::Gelu => triples.map(|(x, _, g)| g * (normal_cdf(x) + x * normal_density(x))).collect(),
        Activation::Elu => triples.map(|(x, y, g)| if x > 0.0 { g } else { g * (y + 1.0) }).collect(),
    }
}

/// Phi(x), the distribution function of the standard normal.
fn normal_cdf(x: f32) -> f32 {
    0.5 * (1.0 + erf_f32(x * std::f32::consts::FRAC_1_SQRT_2))
}

/// The density of the standard normal.
fn normal_density(x: f32) -> f32 {
    // 1 / sqrt(2 pi)
    const ROOT: f32 = 0.5 * std::f32::consts::FRAC_2_SQRT_PI * std::f32::consts::FRAC_1_SQRT_2;
    ROOT * (-0.5 * x * x).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Activation; 5] =
        [Activation::Relu, Activation::Tanh, Activation::Sigmoid, Activation::Gelu, Activation::Elu];

    #[test]
    fn known_values_come_out() {
        let at = |activation, x| values(activation, &[x])[0];
        for (activation, x, expected) in [
            (Activation::Relu, -1.0, 0.0),
            (Activation::Relu, 2.0, 2.0),
            (Activation::Tanh, 0.5, 0.462_117_16),
            (Activation::Sigmoid, -1.0, 0.268_941_43),
            // The exact form; the tanh approximation would give 0.841192.
            (Activation::Gelu, 1.0, 0.841_344_8),
            (Activation::Elu, -1.0, -0.632_120_6),
        ] {
            let got = at(activation, x);
            assert!((got - expected).abs() < 1e-6, "{activation:?}({x}) = {got}, not {expected}");
        }
    }

    #[test]
    fn slopes_are_those_of_the_values() {
        for activation in ALL {
            for x in [-2.5_f32, -0.7, -0.1, 0.2, 0.9, 3.0] {
                let h = 1e-2;
                let around = values(activation, &[x - h, x + h]);
                let measured = (around[1] - around[0]) / (2.0 * h);
                let slope = backward(activation, &[x], &values(activation, &[x]), &[1.0])[0];
                assert!((slope - measured).abs() < 2e-4, "{activation:?} at {x}: {slope}, measured {measured}");
            }
        }
    }

    #[test]
    fn not_a_number_stays_one() {
        for activation in ALL {
            assert!(values(activation, &[f32::NAN])[0].is_nan(), "{activation:?}");
        }
    }
}
