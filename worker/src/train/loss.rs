//! Categorical cross-entropy on logits, with label smoothing.

/// The sum over some samples of what an epoch averages.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Score {
    /// Cross-entropy, summed over the samples (penalties not included).
    pub(crate) loss_sum: f64,
    /// Samples whose largest logit (the first of equal ones) is the label's.
    pub(crate) correct: u64,
    /// Samples.
    pub(crate) n: u64,
}

impl Score {
    /// Adds other samples.
    pub(crate) fn add(&mut self, other: Self) {
        self.loss_sum += other.loss_sum;
        self.correct += other.correct;
        self.n += other.n;
    }
}

/// Scores `labels.len()` rows of `classes` logits, and writes the gradient of the *mean* loss with respect to them.
///
/// With the target t = (1 - s) onehot + s / classes (Keras's `CategoricalCrossentropy(label_smoothing=s)`), a row costs
/// -sum t log softmax(z), and its gradient is (softmax(z) - t) / rows.
pub(crate) fn cross_entropy(
    logits: &[f32],
    labels: &[u8],
    classes: usize,
    smoothing: f32,
    mut gradient: Option<&mut [f32]>,
) -> Score {
    let rows = labels.len();
    let mut score = Score { n: rows as u64, ..Score::default() };
    let share = 1.0 / rows as f32;
    let off = smoothing / classes as f32;
    let on = 1.0 - smoothing + off;
    for (row, (z, &label)) in logits.chunks_exact(classes).zip(labels).enumerate() {
        let label = usize::from(label);
        let largest = z[argmax(z)];
        let log_sum = z.iter().map(|z| (z - largest).exp()).sum::<f32>().ln();
        let mut loss = on * (log_sum - (z[label] - largest));
        if off > 0.0 {
            for (class, z) in z.iter().enumerate() {
                if class != label {
                    loss += off * (log_sum - (z - largest));
                }
            }
        }
        score.loss_sum += f64::from(loss);
        score.correct += u64::from(argmax(z) == label);
        if let Some(gradient) = gradient.as_deref_mut() {
            let into = &mut gradient[row * classes..][..classes];
            for (class, (into, z)) in into.iter_mut().zip(z).enumerate() {
                let target = if class == label { on } else { off };
                *into = ((z - largest - log_sum).exp() - target) * share;
            }
        }
    }
    score
}

/// The index of the largest value, the first of equal ones.
pub(crate) fn argmax(values: &[f32]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_losses_come_out() {
        let logits = [1.0, 2.0, 3.0, 1000.0, 0.0, 0.0];
        let score = cross_entropy(&logits, &[2, 0], 3, 0.0, None);
        assert!((score.loss_sum - 0.407_605_96).abs() < 1e-6, "{score:?}");
        assert_eq!((score.correct, score.n), (2, 2));
        // Targets 0.0333, 0.0333, 0.9333 against log-probabilities -2.4076, -1.4076, -0.4076.
        let score = cross_entropy(&logits[..3], &[2], 3, 0.1, None);
        assert!((score.loss_sum - 0.507_605_96).abs() < 1e-6, "{score:?}");
    }

    #[test]
    fn the_gradient_is_that_of_the_mean_loss() {
        for smoothing in [0.0, 0.2] {
            let logits = [0.3_f32, -1.0, 0.7, 2.0, 0.1, -0.4];
            let labels = [1, 0];
            let mut gradient = [0.0; 6];
            cross_entropy(&logits, &labels, 3, smoothing, Some(&mut gradient));
            for i in 0..6 {
                let at = |d: f32| {
                    let mut moved = logits;
                    moved[i] += d;
                    cross_entropy(&moved, &labels, 3, smoothing, None).loss_sum / 2.0
                };
                let measured = (at(1e-2) - at(-1e-2)) / 2e-2;
                assert!((f64::from(gradient[i]) - measured).abs() < 1e-4, "{i}: {} vs {measured}", gradient[i]);
            }
        }
    }

    #[test]
    fn logits_that_are_not_finite_give_a_loss_that_is_not_finite() {
        assert!(!cross_entropy(&[f32::NAN, 0.0], &[1], 2, 0.0, None).loss_sum.is_finite());
        assert!(!cross_entropy(&[f32::INFINITY, 0.0], &[1], 2, 0.0, None).loss_sum.is_finite());
    }
}
