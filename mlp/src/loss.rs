//! Categorical cross-entropy on logits, with label smoothing.

use super::elementary::{exp, ln};
use super::simd::{Isa, LANES, Lanes, Simd, dispatched};

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

/// What logits are scored against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Targets<'a> {
    /// The class of each row, below `classes`.
    pub(crate) labels: &'a [u16],
    /// Label smoothing, in [0, 1).
    pub(crate) smoothing: f32,
    /// Classes.
    pub(crate) classes: usize,
}

/// Scores `labels.len()` rows of logits, one after the other, and with `gradient` replaces them by
/// the gradient of their *mean* loss.
///
/// With the target t = (1 - s) onehot + s / classes (Keras's
/// `CategoricalCrossentropy(label_smoothing=s)`), a row costs -sum t log softmax(z), and its
/// gradient is (softmax(z) - t) / rows. Probabilities below [`TINIEST`] count as 0 there: products
/// with them would be subnormal numbers, where arithmetic is several times slower.
pub(crate) fn cross_entropy(logits: &mut [f32], targets: &Targets<'_>, gradient: bool) -> Score {
    let share = gradient.then(|| 1.0 / targets.labels.len() as f32);
    let mut scratch = vec![[0.0; LANES]; targets.classes];
    score(Isa::detect(), logits, targets.classes, targets, share, &mut scratch)
}

/// e^-69 is about 1e-30.
const TINIEST: f32 = -69.0;

dispatched!(
    /// As [`cross_entropy`], for engines: rows are `stride` apart, `share` is what the gradient of
    /// a row is multiplied with (`None`: no gradient), and `scratch` has as many elements as there
    /// are classes.
    pub(crate) fn score(
        logits: &mut [f32],
        stride: usize,
        targets: &Targets<'_>,
        share: Option<f32>,
        scratch: &mut [[f32; LANES]],
    ) -> Score = score_with
);

/// Lanes are rows.
#[inline(always)]
fn score_with<S: Simd>(
    s: S,
    logits: &mut [f32],
    stride: usize,
    targets: &Targets<'_>,
    share: Option<f32>,
    scratch: &mut [[f32; LANES]],
) -> Score {
    let Targets { labels, smoothing, classes } = *targets;
    let mut score = Score { n: labels.len() as u64, ..Score::default() };
    let off = smoothing / classes as f32;
    let on = 1.0 - smoothing + off;
    let (zero, one) = (s.splat(0.0), s.splat(1.0));
    for (logits, labels) in logits.chunks_mut(stride * LANES).zip(labels.chunks(LANES)) {
        let scratch = &mut scratch[..classes];
        let mut own = [0.0; LANES];
        let mut label = [0.0; LANES];
        for (row, &class) in labels.iter().enumerate() {
            own[row] = logits[row * stride..][..classes][usize::from(class)];
            label[row] = f32::from(class);
        }
        // Rows become lanes.
        for (first, scratch) in (0..classes).step_by(LANES).zip(scratch.chunks_mut(LANES)) {
            let mut square = [s.splat(0.0); LANES];
            for (row, vector) in square.iter_mut().enumerate().take(labels.len()) {
                let z = &logits[row * stride + first..][..scratch.len()];
                *vector = s.load_part(z);
            }
            s.turn(&mut square);
            for (column, vector) in scratch.iter_mut().zip(&square) {
                vector.store(column);
            }
        }
        let (own, label) = (s.load(&own), s.load(&label));

        // The largest logit, the first of equal ones.
        let mut largest = s.load(&scratch[0]);
        let mut winner = zero;
        let mut class = zero;
        for z in &scratch[1..] {
            let z = s.load(z);
            class = class + one;
            let more = largest.less(z);
            largest = z.select(more, largest);
            winner = class.select(more, winner);
        }
        let mut total = zero;
        let mut sum = zero;
        for z in scratch.iter_mut() {
            let shifted = s.load(z) - largest;
            sum = sum + shifted;
            let e = zero.select(shifted.less(s.splat(TINIEST)), exp(s, shifted));
            total = total + e;
            e.store(z);
        }
        let log_total = ln(s, total);
        let own = own - largest;
        let mut loss = s.splat(on) * (log_total - own);
        if off > 0.0 {
            loss = loss + s.splat(off) * (s.splat((classes - 1) as f32) * log_total - (sum - own));
        }

        let (mut losses, mut winners) = ([0.0; LANES], [0.0; LANES]);
        loss.store(&mut losses);
        winner.store(&mut winners);
        for (row, &class) in labels.iter().enumerate() {
            score.loss_sum += f64::from(losses[row]);
            score.correct += u64::from(winners[row] == f32::from(class));
        }
        let Some(share) = share else { continue };
        let (share, inverse) = (s.splat(share), one / total);
        let (on, off) = (s.splat(on), s.splat(off));
        let mut class = zero;
        for e in scratch.iter_mut() {
            // The label's class is neither below nor above.
            let target = off.select(label.less(class), off.select(class.less(label), on));
            ((s.load(e) * inverse - target) * share).store(e);
            class = class + one;
        }
        for (first, scratch) in (0..classes).step_by(LANES).zip(scratch.chunks(LANES)) {
            let mut square = [s.splat(0.0); LANES];
            for (vector, column) in square.iter_mut().zip(scratch) {
                *vector = s.load(column);
            }
            s.turn(&mut square);
            for (row, vector) in square.iter().enumerate().take(labels.len()) {
                vector.store_part(&mut logits[row * stride + first..][..scratch.len()]);
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

    fn score_of(logits: &[f32], labels: &[u16], classes: usize, smoothing: f32) -> Score {
        cross_entropy(&mut logits.to_vec(), &Targets { labels, smoothing, classes }, false)
    }

    #[test]
    fn known_losses_come_out() {
        let logits = [1.0, 2.0, 3.0, 1000.0, 0.0, 0.0];
        let score = score_of(&logits, &[2, 0], 3, 0.0);
        assert!((score.loss_sum - 0.407_605_96).abs() < 1e-6, "{score:?}");
        assert_eq!((score.correct, score.n), (2, 2));
        // Targets 0.0333, 0.0333, 0.9333 against log-probabilities -2.4076, -1.4076, -0.4076.
        let score = score_of(&logits[..3], &[2], 3, 0.1);
        assert!((score.loss_sum - 0.507_605_96).abs() < 1e-6, "{score:?}");
    }

    #[test]
    fn of_equal_logits_the_first_wins() {
        assert_eq!(score_of(&[1.0, 1.0, 0.0, 1.0], &[0], 4, 0.0).correct, 1);
        assert_eq!(score_of(&[1.0, 1.0, 0.0, 1.0], &[1], 4, 0.0).correct, 0);
        assert_eq!(argmax(&[1.0, 1.0, 0.0, 1.0]), 0);
    }

    #[test]
    #[should_panic(expected = "index out of bounds")]
    fn a_label_beyond_the_classes_reads_no_other_number() {
        let mut logits = [0.0; 2 * 16];
        let targets = Targets { labels: &[3, 0], smoothing: 0.0, classes: 3 };
        score(Isa::detect(), &mut logits, 16, &targets, None, &mut [[0.0; LANES]; 3]);
    }

    #[test]
    fn more_classes_than_lanes_have_the_loss_and_gradient_of_the_formula() {
        for (classes, rows) in [(15, 3), (16, 16), (17, 5), (37, 19), (4_096, 3)] {
            let logits: Vec<f32> = (0..rows * classes).map(|i| ((i * 37 % 101) as f32 - 50.0) / 20.0).collect();
            let labels: Vec<u16> = (0..rows).map(|row| (row * 7 % classes) as u16).collect();
            let mut gradient = logits.clone();
            let score = cross_entropy(&mut gradient, &Targets { labels: &labels, smoothing: 0.1, classes }, true);
            let mut loss = 0.0;
            for (row, &label) in labels.iter().enumerate() {
                let z = logits[row * classes..][..classes].iter().map(|&z| f64::from(z));
                let total: f64 = z.clone().map(f64::exp).sum();
                for (class, z) in z.enumerate() {
                    let target = 0.1 / classes as f64 + if class == usize::from(label) { 0.9 } else { 0.0 };
                    loss -= target * (z - total.ln());
                    let expected = (z.exp() / total - target) / rows as f64;
                    let got = f64::from(gradient[row * classes + class]);
                    assert!(
                        (got - expected).abs() < 1e-7,
                        "{classes} classes, row {row}, class {class}: {got}, not {expected}"
                    );
                }
            }
            assert!((score.loss_sum - loss).abs() < 1e-4, "{classes} classes: {score:?}, not {loss}");
        }
    }

    #[test]
    fn the_gradient_is_that_of_the_mean_loss() {
        for smoothing in [0.0, 0.2] {
            // More rows than lanes.
            let logits: Vec<f32> = (0..19 * 3).map(|i| ((i * 37 % 23) as f32 - 11.0) / 7.0).collect();
            let labels: Vec<u16> = (0..19).map(|row| row % 3).collect();
            let mut gradient = logits.clone();
            cross_entropy(&mut gradient, &Targets { labels: &labels, smoothing, classes: 3 }, true);
            for i in 0..logits.len() {
                let at = |d: f32| {
                    let mut moved = logits.clone();
                    moved[i] += d;
                    score_of(&moved, &labels, 3, smoothing).loss_sum / 19.0
                };
                let measured = (at(1e-2) - at(-1e-2)) / 2e-2;
                assert!((f64::from(gradient[i]) - measured).abs() < 1e-4, "{i}: {} vs {measured}", gradient[i]);
            }
        }
    }

    #[test]
    fn logits_that_are_not_finite_give_a_loss_that_is_not_finite() {
        for z in [[f32::NAN, 0.0], [0.0, f32::NAN], [f32::INFINITY, 0.0], [0.0, f32::INFINITY]] {
            for label in [0, 1] {
                assert!(!score_of(&z, &[label], 2, 0.0).loss_sum.is_finite(), "{z:?}");
            }
        }
    }

    #[test]
    fn every_set_of_instructions_and_every_stride_gives_the_same_bits() {
        for (classes, rows) in [(1_usize, 3_usize), (2, 16), (10, 37), (40, 5)] {
            let z = |i: usize| ((i * 7919 % 1009) as f32 - 500.0) / 40.0;
            let labels: Vec<u16> = (0..rows).map(|row| (row % classes) as u16).collect();
            let targets = Targets { labels: &labels, smoothing: 0.1, classes };
            let mut expected: Vec<f32> = (0..rows * classes).map(z).collect();
            let mut scratch = vec![[0.0; LANES]; classes];
            let portable = Isa::all()[0];
            let share = Some(0.25);
            let first = score(portable, &mut expected, classes, &targets, share, &mut scratch);
            for isa in Isa::all() {
                let stride = classes + 5;
                let mut logits = vec![0.0; rows * stride];
                for (i, z) in (0..rows * classes).map(|i| (i, z(i))) {
                    logits[i / classes * stride + i % classes] = z;
                }
                assert_eq!(score(isa, &mut logits, stride, &targets, share, &mut scratch), first);
                let gradient: Vec<f32> = logits.chunks(stride).flat_map(|row| row[..classes].to_vec()).collect();
                assert_eq!(gradient, expected, "{isa:?}, {classes} classes");
            }
        }
    }
}
