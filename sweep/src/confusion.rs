//! What a model's predictions over a test split are counted in: by pair of classes, or by class where there are too
//! many pairs.

use std::collections::BTreeMap;

/// Most classes that a dataset may have.
pub const MAX_CLASSES: usize = 4_096;

/// Most classes whose pairs are kept with a run: beyond it only the counts by class are.
pub const MATRIX_CLASSES: u32 = 1_024;

/// Counts over a test split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    /// Number of classes.
    pub classes: u32,
    /// Their counts.
    pub counts: Counts,
}

/// The counts of a [`Confusion`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counts {
    /// Those that are not 0, by `target * classes + predicted`.
    Pairs(BTreeMap<u32, u32>),
    /// One for each class.
    Classes(Vec<ClassCounts>),
}

/// The sums of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClassCounts {
    /// Samples of the class.
    pub support: u64,
    /// Samples taken for the class.
    pub predicted: u64,
    /// Samples of the class taken for it.
    pub correct: u64,
}

impl Confusion {
    /// No samples yet.
    pub fn new(classes: u32) -> Self {
        Self { classes, counts: Counts::Pairs(BTreeMap::new()) }
    }

    /// Of all pairs, row by row: row is the target, column the prediction.
    pub fn of_rows(classes: u32, counts: &[u32]) -> Self {
        let pairs = (0..).zip(counts.iter().copied()).filter(|&(_, count)| count > 0).collect();
        Self { classes, counts: Counts::Pairs(pairs) }
    }

    /// Counts a sample.
    pub fn add(&mut self, target: usize, predicted: usize) {
        match &mut self.counts {
            Counts::Pairs(pairs) => *pairs.entry(self.classes * target as u32 + predicted as u32).or_default() += 1,
            Counts::Classes(classes) => {
                classes[target].support += 1;
                classes[predicted].predicted += 1;
                classes[target].correct += u64::from(target == predicted);
            }
        }
    }

    /// The pairs that are not 0: target, prediction and count; none where only classes are counted.
    pub fn pairs(&self) -> impl Iterator<Item = (u32, u32, u32)> + '_ {
        let pairs = match &self.counts {
            Counts::Pairs(pairs) => Some(pairs),
            Counts::Classes(_) => None,
        };
        let classes = self.classes.max(1);
        pairs.into_iter().flatten().map(move |(&place, &count)| (place / classes, place % classes, count))
    }

    /// The count of a pair; `None` where only classes are counted.
    pub fn count(&self, target: usize, predicted: usize) -> Option<u32> {
        match &self.counts {
            Counts::Pairs(pairs) => {
                Some(pairs.get(&(self.classes * target as u32 + predicted as u32)).copied().unwrap_or(0))
            }
            Counts::Classes(_) => None,
        }
    }

    /// All pairs, row by row; `None` where only classes are counted.
    pub fn rows(&self) -> Option<Vec<u32>> {
        let Counts::Pairs(pairs) = &self.counts else { return None };
        let mut rows = vec![0; self.classes as usize * self.classes as usize];
        for (&place, &count) in pairs {
            if let Some(cell) = rows.get_mut(place as usize) {
                *cell = count;
            }
        }
        Some(rows)
    }

    /// The sums of each class.
    pub fn by_class(&self) -> Vec<ClassCounts> {
        if let Counts::Classes(classes) = &self.counts {
            return classes.clone();
        }
        let mut classes = vec![ClassCounts::default(); self.classes as usize];
        for (target, predicted, count) in self.pairs() {
            let (target, predicted, count) = (target as usize, predicted as usize, u64::from(count));
            // What a damaged store says beyond the classes is nobody's.
            if target < classes.len() {
                classes[target].support += count;
                classes[predicted].predicted += count;
                classes[target].correct += if target == predicted { count } else { 0 };
            }
        }
        classes
    }

    /// As it is kept with a run.
    pub fn kept(self) -> Self {
        match self.counts {
            Counts::Pairs(_) if self.classes > MATRIX_CLASSES => {
                Self { counts: Counts::Classes(self.by_class()), ..self }
            }
            _ => self,
        }
    }

    /// The pairs that are not 0 as a list for the wire: of each how many pairs of 0 lie before it, then its count.
    pub fn gaps(&self) -> Vec<u32> {
        let Counts::Pairs(pairs) = &self.counts else { return Vec::new() };
        let mut next = 0;
        let gap = |(&place, &count): (&u32, &u32)| {
            let gap = place - next;
            next = place + 1;
            [gap, count]
        };
        pairs.iter().flat_map(gap).collect()
    }

    /// What [`Confusion::gaps`] said; `None` where there is no such matrix.
    pub fn of_gaps(classes: u32, gaps: &[u32]) -> Option<Self> {
        let all = u64::from(classes).pow(2);
        let (gaps, rest) = gaps.as_chunks();
        let mut next = 0;
        let mut pairs = BTreeMap::new();
        for &[gap, count] in gaps {
            let place = next + u64::from(gap);
            if place >= all || count == 0 {
                return None;
            }
            pairs.insert(u32::try_from(place).ok()?, count);
            next = place + 1;
        }
        rest.is_empty().then_some(Self { classes, counts: Counts::Pairs(pairs) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pairs_survive_the_wire_and_add_up_by_class(
            classes in 1_u32..40, samples in prop::collection::vec((0_u32..40, 0_u32..40), 0..200),
        ) {
            let mut confusion = Confusion::new(classes);
            let mut sums = Confusion { classes, counts: Counts::Classes(vec![ClassCounts::default(); classes as usize]) };
            for (target, predicted) in samples {
                let (target, predicted) = ((target % classes) as usize, (predicted % classes) as usize);
                confusion.add(target, predicted);
                sums.add(target, predicted);
            }
            prop_assert_eq!(Confusion::of_gaps(classes, &confusion.gaps()), Some(confusion.clone()));
            prop_assert_eq!(&Confusion::of_rows(classes, &confusion.rows().unwrap()), &confusion);
            prop_assert_eq!(confusion.by_class(), sums.by_class());
            prop_assert_eq!(sums.rows(), None);
        }
    }

    #[test]
    fn a_list_that_is_no_matrix_is_refused() {
        for gaps in [&[0][..], &[4, 1], &[0, 0], &[3, 1, 0, 1], &[u32::MAX, 1], &[1, 1, u32::MAX, 1]] {
            assert_eq!(Confusion::of_gaps(2, gaps), None, "{gaps:?}");
        }
        assert!(Confusion::of_gaps(4_096, &[4_096 * 4_096 - 1, u32::MAX]).is_some());
    }

    #[test]
    fn pairs_are_kept_up_to_a_number_of_classes() {
        let many = |classes| {
            let mut confusion = Confusion::new(classes);
            confusion.add(classes as usize - 1, 0);
            confusion.kept()
        };
        assert_eq!(many(MATRIX_CLASSES).count(MATRIX_CLASSES as usize - 1, 0), Some(1));
        let sums = many(MATRIX_CLASSES + 1);
        assert_eq!((sums.count(MATRIX_CLASSES as usize, 0), sums.pairs().count()), (None, 0));
        let by_class = sums.by_class();
        assert_eq!(by_class[0], ClassCounts { support: 0, predicted: 1, correct: 0 });
        assert_eq!(by_class[MATRIX_CLASSES as usize], ClassCounts { support: 1, predicted: 0, correct: 0 });
    }
}
