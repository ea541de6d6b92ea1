//! What kernels are drawn from before the first epoch, as Keras's `VarianceScaling` initializers.

use besom_sweep::Initializer;

use super::math::ln;
use besom_dataset::random::Stream;

/// Standard deviation of the standard normal cut at two standard deviations: Keras divides by it.
const CUT_DEVIATION: f64 = 0.879_625_661_034_239_8;

/// Fills a kernel of `inputs` x `outputs`.
pub(crate) fn fill(initializer: Initializer, inputs: usize, outputs: usize, stream: &mut Stream, kernel: &mut [f32]) {
    match initializer {
        Initializer::GlorotUniform => uniform((6.0 / (inputs + outputs) as f64).sqrt() as f32, stream, kernel),
        Initializer::HeUniform => uniform((6.0 / inputs as f64).sqrt() as f32, stream, kernel),
        Initializer::GlorotNormal => normal((2.0 / (inputs + outputs) as f64).sqrt(), stream, kernel),
        Initializer::HeNormal => normal((2.0 / inputs as f64).sqrt(), stream, kernel),
    }
}

/// Evenly within ±`limit`.
fn uniform(limit: f32, stream: &mut Stream, kernel: &mut [f32]) {
    for weight in kernel {
        *weight = (2.0 * stream.unit() - 1.0) * limit;
    }
}

/// Normal, cut at two standard deviations, and of the standard deviation `deviation` after the cut.
fn normal(deviation: f64, stream: &mut Stream, kernel: &mut [f32]) {
    for weight in kernel {
        *weight = (cut_normal(stream) * (deviation / CUT_DEVIATION)) as f32;
    }
}

/// A standard normal number within ±2, by Marsaglia's polar method; others are drawn anew.
fn cut_normal(stream: &mut Stream) -> f64 {
    let mut coordinate = || 2.0 * f64::from(stream.unit()) - 1.0;
    loop {
        let (x, y) = (coordinate(), coordinate());
        let square = x * x + y * y;
        if square == 0.0 || square >= 1.0 {
            continue;
        }
        let normal = x * (-2.0 * ln(square) / square).sqrt();
        if normal.abs() <= 2.0 {
            return normal;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean, standard deviation and largest magnitude of a kernel of 300 x 100.
    fn moments(initializer: Initializer) -> [f64; 3] {
        let mut kernel = vec![0.0; 30_000];
        fill(initializer, 300, 100, &mut Stream::new(*b"test............", 1, 0), &mut kernel);
        let values = || kernel.iter().copied().map(f64::from);
        let mean = values().sum::<f64>() / 3e4;
        let variance = values().map(|w| (w - mean) * (w - mean)).sum::<f64>() / 3e4;
        [mean, variance.sqrt(), values().fold(0.0, |a, w| a.max(w.abs()))]
    }

    #[test]
    fn kernels_have_keras_spread_and_bounds() {
        for (initializer, variance, bound) in [
            (Initializer::GlorotUniform, 2.0 / 400.0, 3.0_f64.sqrt()),
            (Initializer::HeUniform, 2.0 / 300.0, 3.0_f64.sqrt()),
            (Initializer::GlorotNormal, 2.0 / 400.0, 2.0 / CUT_DEVIATION),
            (Initializer::HeNormal, 2.0 / 300.0, 2.0 / CUT_DEVIATION),
        ] {
            let deviation = f64::sqrt(variance);
            let [mean, spread, largest] = moments(initializer);
            assert!(mean.abs() < 0.03 * deviation, "{initializer:?} {mean}");
            assert!((spread / deviation - 1.0).abs() < 0.02, "{initializer:?} {spread}, not {deviation}");
            let share = largest / (bound * deviation);
            assert!(share > 0.99 && share <= 1.000_001, "{initializer:?} {largest}");
        }
    }
}
