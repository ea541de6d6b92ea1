//! How well a model does on a whole test split, counted by class and by pair of classes.

use besom_sweep::{ClassCounts, Confusion};

use crate::sheet::Model;

/// Most classes whose pairs are shown as a table or a picture: of more, only those that are
/// confused most.
pub const SHOWN_CLASSES: usize = 255;

/// How well a model does on the whole test split.
pub struct PredictionReport {
    /// Which model.
    pub model: Model,
    /// Names in label order, fit to be shown.
    pub classes: Vec<String>,
    /// Row is the target, column the guess.
    confusion: Confusion,
    /// The sums of each class.
    sums: Vec<ClassCounts>,
}

impl PredictionReport {
    /// Of a model, the names of its classes, and how often each was taken for which.
    #[must_use]
    pub fn new(model: Model, classes: Vec<String>, confusion: Confusion) -> Self {
        Self { model, classes, sums: confusion.by_class(), confusion }
    }

    /// Drawings of `target` that were taken for `guess`; `None` where only classes were counted.
    pub fn count(&self, target: usize, guess: usize) -> Option<u32> {
        self.confusion.count(target, guess)
    }

    /// Whether pairs were counted, and not only classes.
    pub fn has_pairs(&self) -> bool {
        self.confusion.count(0, 0).is_some()
    }

    /// Target, guess and count of the pairs that are not 0.
    pub fn pairs(&self) -> impl Iterator<Item = (u32, u32, u32)> + '_ {
        self.confusion.pairs()
    }

    /// At most so many classes in label order: those of which most drawings were taken for others,
    /// or others for them.
    pub fn most_confused(&self, most: usize) -> Vec<usize> {
        let mut classes: Vec<usize> = (0..self.classes.len()).collect();
        if classes.len() > most {
            let wrong = |&class: &usize| {
                let ClassCounts { support, predicted, correct } = self.sums[class];
                std::cmp::Reverse((support - correct) + (predicted - correct))
            };
            classes.sort_by_key(wrong);
            classes.truncate(most);
            classes.sort_unstable();
        }
        classes
    }

    /// Drawings of the class.
    pub fn support(&self, class: usize) -> u64 {
        self.sums[class].support
    }

    /// Of the drawings taken for the class, the share that belongs to it; `None` where none was.
    pub fn precision(&self, class: usize) -> Option<f64> {
        share(self.sums[class].correct, self.sums[class].predicted)
    }

    /// Of the drawings of the class, the share that was taken for it; `None` where there are none.
    pub fn recall(&self, class: usize) -> Option<f64> {
        share(self.sums[class].correct, self.support(class))
    }

    /// All drawings.
    pub fn total(&self) -> u64 {
        self.sums.iter().map(|class| class.support).sum()
    }

    /// The share that is right.
    pub fn accuracy(&self) -> Option<f64> {
        share(self.sums.iter().map(|class| class.correct).sum(), self.total())
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_counts_by_class() {
        let model = Model { job: 1, about: String::new(), val_accuracy: None };
        let confusion = Confusion::of_rows(3, &[3, 1, 0, 2, 2, 0, 0, 0, 0]);
        let report = PredictionReport::new(model, vec!["a".into(), "b".into(), "c".into()], confusion);
        assert_eq!((report.most_confused(2), report.most_confused(3)), (vec![0, 1], vec![0, 1, 2]));
        assert_eq!((report.total(), report.accuracy()), (8, Some(0.625)));
        assert_eq!((report.support(0), report.precision(0), report.recall(0)), (4, Some(0.6), Some(0.75)));
        assert_eq!((report.support(2), report.precision(2), report.recall(2)), (0, None, None));
    }
}
