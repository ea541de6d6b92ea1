//! How numbers become inputs of a network: each feature less a shift, over a divisor.
//!
//! The statistics are those of the training split alone, as scikit-learn's `StandardScaler` and
//! `MaxAbsScaler` have them, worked out in `f64` in one order. They go with the dataset and with
//! every model trained on it, so that a prediction scales one's own numbers to the bits that the
//! trainer saw.

use besom_sweep::Scale;

/// The scaling of a dataset of floats.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaling {
    scale: Scale,
    /// One a feature with [`Scale::Standard`], else none.
    shifts: Vec<f64>,
    /// One a feature, above 0; none with [`Scale::None`].
    divisors: Vec<f64>,
}

impl Scaling {
    /// The scaling `scale` by the statistics of the rows of a training split, which have `features`
    /// numbers each.
    pub(super) fn of<'a>(
        scale: Scale,
        features: usize,
        train: impl ExactSizeIterator<Item = &'a [f32]> + Clone,
    ) -> Self {
        let rows = || train.clone();
        match scale {
            Scale::None => Self { scale, shifts: Vec::new(), divisors: Vec::new() },
            Scale::Max => {
                let mut largest = vec![0.0_f64; features];
                for row in rows() {
                    for (largest, &value) in largest.iter_mut().zip(row) {
                        *largest = largest.max(f64::from(value).abs());
                    }
                }
                let divisors = largest.into_iter().map(|largest| if largest == 0.0 { 1.0 } else { largest }).collect();
                Self { scale, shifts: Vec::new(), divisors }
            }
            Scale::Standard => {
                let n = train.len() as f64;
                let mut shifts = vec![0.0; features];
                for row in rows() {
                    for (sum, &value) in shifts.iter_mut().zip(row) {
                        *sum += f64::from(value);
                    }
                }
                shifts.iter_mut().for_each(|sum| *sum /= n);
                // The sum of the differences would be 0 but for rounding, which it corrects.
                let mut sums = vec![[0.0; 2]; features];
                for row in rows() {
                    for ((sum, &value), &shift) in sums.iter_mut().zip(row).zip(&shifts) {
                        let difference = f64::from(value) - shift;
                        sum[0] += difference;
                        sum[1] += difference * difference;
                    }
                }
                let divisors = sums.iter().zip(&shifts).map(|(&[sum, squares], &mean)| {
                    let variance = (squares - sum * sum / n) / n;
                    if is_constant(variance, mean, n) { 1.0 } else { variance.sqrt() }
                });
                Self { scale, divisors: divisors.collect(), shifts }
            }
        }
    }

    /// Which scaling it is.
    #[must_use]
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// What is subtracted from each feature; empty where nothing is.
    #[must_use]
    pub fn shifts(&self) -> &[f64] {
        &self.shifts
    }

    /// What each feature is divided by then; empty where it is not.
    #[must_use]
    pub fn divisors(&self) -> &[f64] {
        &self.divisors
    }

    /// The scaling of these statistics; `None` where they are not those of `scale`, or nothing can
    /// be scaled by them.
    #[must_use]
    pub fn new(scale: Scale, features: usize, shifts: Vec<f64>, divisors: Vec<f64>) -> Option<Self> {
        let (wanted_shifts, wanted_divisors) = counts(scale, features);
        let sound = shifts.iter().all(|shift| shift.is_finite())
            && divisors.iter().all(|divisor| divisor.is_finite() && *divisor > 0.0);
        let fits = shifts.len() == wanted_shifts && divisors.len() == wanted_divisors;
        (sound && fits).then_some(Self { scale, shifts, divisors })
    }

    /// How many numbers the statistics of `scale` are.
    pub(super) fn numbers(scale: Scale, features: usize) -> usize {
        let (shifts, divisors) = counts(scale, features);
        shifts + divisors
    }

    /// Appends the statistics.
    pub(super) fn encode(&self, to: &mut Vec<u8>) {
        to.extend(self.shifts.iter().chain(&self.divisors).flat_map(|number| number.to_le_bytes()));
    }

    /// What [`Scaling::encode`] wrote.
    pub(super) fn decode(scale: Scale, features: usize, bytes: &[u8]) -> Option<Self> {
        let numbers: Vec<f64> = bytes.as_chunks().0.iter().map(|&number| f64::from_le_bytes(number)).collect();
        let (shifts, divisors) = numbers.split_at_checked(counts(scale, features).0)?;
        Self::new(scale, features, shifts.to_vec(), divisors.to_vec())
    }

    /// A number of the source as the network reads it; there is no -0 among those.
    #[must_use]
    pub fn apply(&self, feature: usize, value: f32) -> f32 {
        if self.divisors.is_empty() {
            return value + 0.0;
        }
        let shift = self.shifts.get(feature).copied().unwrap_or(0.0);
        ((f64::from(value) - shift) / self.divisors[feature]) as f32 + 0.0
    }

    /// About the number of the source that became `value`.
    #[must_use]
    pub fn undo(&self, feature: usize, value: f32) -> f32 {
        let divisor = self.divisors.get(feature).copied().unwrap_or(1.0);
        let shift = self.shifts.get(feature).copied().unwrap_or(0.0);
        (f64::from(value) * divisor + shift) as f32
    }
}

/// How many shifts and divisors there are.
fn counts(scale: Scale, features: usize) -> (usize, usize) {
    match scale {
        Scale::None => (0, 0),
        Scale::Max => (0, features),
        Scale::Standard => (features, features),
    }
}

/// Whether a variance is 0 but for the rounding of its sums: scikit-learn's bound.
fn is_constant(variance: f64, mean: f64, n: f64) -> bool {
    variance <= n * f64::EPSILON * variance + (n * mean * f64::EPSILON).powi(2)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// Numbers with what scikit-learn 1.9 makes of them, in f64 and then rounded.
    #[derive(Deserialize)]
    struct Reference {
        train: usize,
        features: usize,
        x: Vec<f32>,
        standard: Scaled,
        max: Scaled,
    }

    #[derive(Deserialize)]
    struct Scaled {
        shifts: Vec<f64>,
        divisors: Vec<f64>,
        values: Vec<f32>,
    }

    #[test]
    fn statistics_and_values_are_those_of_scikit_learn() {
        let reference: Reference = serde_json::from_str(include_str!("../tests/data/scaling.json")).unwrap();
        let Reference { train, features, x, standard, max } = reference;
        let close = |what: &str, got: &[f64], expected: &[f64]| {
            assert_eq!(got.len(), expected.len(), "{what}");
            for (feature, (a, b)) in got.iter().zip(expected).enumerate() {
                assert!((a - b).abs() <= 1e-12 * b.abs() + 1e-25, "{what} of feature {feature}: {a}, not {b}");
            }
        };
        for (scale, expected) in [(Scale::Standard, standard), (Scale::Max, max)] {
            let scaling = Scaling::of(scale, features, x[..train * features].chunks_exact(features));
            close("shift", scaling.shifts(), &expected.shifts);
            close("divisor", scaling.divisors(), &expected.divisors);
            for (at, (&value, &expected)) in x.iter().zip(&expected.values).enumerate() {
                let (feature, got) = (at % features, scaling.apply(at % features, value));
                // A shift off by its last bit moves a number near 0 by more than its own.
                assert!(
                    (got - expected).abs() <= 2e-7 * expected.abs() + 1e-9,
                    "{scale:?}, {at}: {got}, not {expected}"
                );
                let back = scaling.undo(feature, got);
                let near = 1e-6 * (f64::from(value.abs()) + scaling.divisors()[feature]);
                assert!(f64::from((back - value).abs()) <= near, "{scale:?}, {at}: {back}, not {value}");
            }
        }
    }

    /// Of rows of two.
    fn of(scale: Scale, x: &[f32]) -> Scaling {
        Scaling::of(scale, 2, x.chunks_exact(2))
    }

    #[test]
    fn statistics_are_those_of_each_feature() {
        let x = [1.0, 10.0, 3.0, -20.0];
        for scale in [Scale::None, Scale::Max, Scale::Standard] {
            let scaling = of(scale, &x);
            assert_eq!(scaling, of(scale, &[x[2], x[3], x[0], x[1]]));
        }
        let standard = of(Scale::Standard, &x);
        assert_eq!((standard.shifts(), standard.divisors()), (&[2.0, -5.0][..], &[1.0, 15.0][..]));
        assert_eq!(of(Scale::Max, &x).divisors(), [3.0, 20.0]);
    }

    #[test]
    fn statistics_survive_encoding_and_others_are_refused() {
        let x = [1.0, 10.0, 3.0, -20.0];
        for scale in [Scale::None, Scale::Max, Scale::Standard] {
            let scaling = of(scale, &x);
            let mut bytes = Vec::new();
            scaling.encode(&mut bytes);
            assert_eq!(bytes.len(), 8 * Scaling::numbers(scale, 2));
            assert_eq!(Scaling::decode(scale, 2, &bytes), Some(scaling));
        }
        assert_eq!(Scaling::new(Scale::Max, 1, vec![], vec![0.0]), None);
        assert_eq!(Scaling::new(Scale::Max, 1, vec![], vec![f64::NAN]), None);
        assert_eq!(Scaling::new(Scale::Max, 2, vec![], vec![1.0]), None);
        assert_eq!(Scaling::new(Scale::None, 1, vec![0.0], vec![]), None);
        assert_eq!(Scaling::new(Scale::Standard, 1, vec![f64::INFINITY], vec![1.0]), None);
    }

    #[test]
    fn there_is_no_negative_zero_among_inputs() {
        for scaling in [
            Scaling::of(Scale::None, 1, [&[1.0][..]].into_iter()),
            Scaling::of(Scale::Max, 1, [&[2.0][..]].into_iter()),
        ] {
            assert_eq!(scaling.apply(0, -0.0).to_bits(), 0);
        }
    }
}
