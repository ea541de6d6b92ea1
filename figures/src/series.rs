//! What is kept of a run's epochs: all of them, or of many so much that a drawing looks the same.
//!
//! A panel is some hundreds of points wide, and a run may have a million epochs. From [`MOST`]
//! records on neighbours are put together, again and again: of four entries the least and the
//! largest number stay, in the order in which they came.

use crate::data::Epoch;

/// More entries than this are never kept: three for each point of a panel's width.
const MOST: usize = 1024;

/// A run's epochs, from the first on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    /// In order; each stands for [`Series::stride`] epochs, the last one for the last.
    entries: Vec<Epoch>,
    /// A power of two.
    stride: usize,
    /// What is not yet two entries.
    pending: Vec<Epoch>,
    /// How many epochs there were.
    count: usize,
}

impl Default for Series {
    fn default() -> Self {
        Self { entries: Vec::new(), stride: 1, pending: Vec::new(), count: 0 }
    }
}

impl Series {
    /// Adds the next epoch.
    pub(crate) fn push(&mut self, epoch: Epoch) {
        self.count += 1;
        if self.stride == 1 {
            self.entries.push(epoch);
        } else {
            self.pending.push(epoch);
            if self.pending.len() == 2 * self.stride {
                self.entries.extend(extremes(&self.pending));
                self.pending.clear();
            }
        }
        if self.entries.len() >= MOST {
            self.halve();
        }
    }

    /// How many epochs an entry stands for.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// How many epochs there were.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The entries, each of `stride` epochs, which is no less than that of any series drawn beside
    /// it.
    pub(crate) fn finish(mut self, stride: usize) -> Vec<Epoch> {
        let last = self.pending.last().or(self.entries.last()).copied();
        let rest = std::mem::take(&mut self.pending);
        if rest.len() > self.stride {
            self.entries.extend(extremes(&rest));
        } else {
            self.entries.extend(rest.last());
        }
        while self.stride < stride {
            self.halve();
        }
        // Where a run ended is told by a number too.
        if let (Some(entry), Some(last)) = (self.entries.last_mut(), last) {
            *entry = last;
        }
        self.entries
    }

    fn halve(&mut self) {
        self.entries = self
            .entries
            .chunks(4)
            .flat_map(|four| match four {
                [one] | [_, one] => vec![*one],
                more => extremes(more).to_vec(),
            })
            .collect();
        self.stride *= 2;
    }
}

/// The least and the largest of each metric, in the order in which they came.
fn extremes(epochs: &[Epoch]) -> [Epoch; 2] {
    let of = |metric: fn(&Epoch) -> Option<f64>| {
        let known = || epochs.iter().enumerate().filter_map(|(at, epoch)| Some((at, metric(epoch)?)));
        let least = known().min_by(|a, b| a.1.total_cmp(&b.1));
        let largest = known().max_by(|a, b| a.1.total_cmp(&b.1));
        match (least, largest) {
            (Some(low), Some(high)) if low.0 <= high.0 => [Some(low.1), Some(high.1)],
            (Some(low), Some(high)) => [Some(high.1), Some(low.1)],
            _ => [None, None],
        }
    };
    let (accuracy, loss) = (of(|epoch| epoch.val_accuracy), of(|epoch| epoch.val_loss));
    [0, 1].map(|at| Epoch { val_accuracy: accuracy[at], val_loss: loss[at] })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(losses: impl Iterator<Item = f64>) -> Series {
        let mut series = Series::default();
        for loss in losses {
            series.push(Epoch { val_accuracy: None, val_loss: Some(loss) });
        }
        series
    }

    fn losses(epochs: &[Epoch]) -> Vec<f64> {
        epochs.iter().filter_map(|epoch| epoch.val_loss).collect()
    }

    #[test]
    fn few_epochs_stay_as_they_are() {
        let kept = series((0..1000).map(f64::from));
        assert_eq!((kept.stride(), kept.count()), (1, 1000));
        assert_eq!(losses(&kept.finish(1)), (0..1000).map(f64::from).collect::<Vec<_>>());
    }

    #[test]
    fn of_many_the_extremes_and_the_last_one_stay() {
        let spike = |n: i32| match n {
            123_456 => 9.0,
            777_777 => -9.0,
            999_999 => 0.25,
            _ => 1.0,
        };
        let kept = series((0..1_000_000).map(spike));
        let (stride, count) = (kept.stride(), kept.count());
        let kept = losses(&kept.finish(stride));
        assert_eq!(count, 1_000_000);
        assert!(kept.len() <= MOST && kept.len().abs_diff(count.div_ceil(stride)) <= 1, "{} of {stride}", kept.len());
        let at = |value: f64| kept.iter().position(|loss| *loss == value).unwrap() * stride;
        assert!(at(9.0).abs_diff(123_456) <= 2 * stride && at(-9.0).abs_diff(777_777) <= 2 * stride);
        assert_eq!(kept.last(), Some(&0.25));
    }

    #[test]
    fn short_ones_are_brought_to_the_stride_of_long_ones() {
        for count in 1..40 {
            let kept = losses(&series((0..count).map(f64::from)).finish(8));
            assert_eq!(kept.len(), (count as usize).div_ceil(8), "{count}: {kept:?}");
            assert_eq!(kept.last(), Some(&f64::from(count - 1)));
        }
        assert!(Series::default().finish(8).is_empty());
    }
}
