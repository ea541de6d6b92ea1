//! What a model's predictions over a test split are counted in: by pair of classes, or by class
//! where there are too many pairs.

use std::collections::BTreeMap;

/// Most classes that a dataset may have.
pub const MAX_CLASSES: usize = 4_096;

/// Most classes whose pairs are kept with a run: beyond it only the counts by class are.
pub const MATRIX_CLASSES: u32 = 1_024;

/// Most classes of which all pairs are written, those that are 0 too: besom once knew no other
/// form.
const FULL_CLASSES: u32 = 255;

/// Counts as lists of numbers, of which one is filled: the form that travels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lists {
    /// All pairs, row by row: row is the target, column the prediction.
    pub counts: Vec<u32>,
    /// Of each pair that is not 0, row by row, how many of 0 lie between it and the one before, and
    /// then its count.
    pub gaps: Vec<u32>,
    /// Of each class its support, how often it was predicted, and how often rightly.
    pub by_class: Vec<u64>,
}

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
        // What a damaged store says beyond the classes is nobody's.
        let mut classes = vec![ClassCounts::default(); (self.classes as usize).min(MAX_CLASSES)];
        for (target, predicted, count) in self.pairs() {
            if let Some(class) = classes.get_mut(target as usize) {
                class.support += u64::from(count);
                class.correct += if target == predicted { u64::from(count) } else { 0 };
            }
            if let Some(class) = classes.get_mut(predicted as usize) {
                class.predicted += u64::from(count);
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

    /// The lists that it travels in.
    pub fn lists(&self) -> Lists {
        let Counts::Pairs(pairs) = &self.counts else {
            let numbers = |class: ClassCounts| [class.support, class.predicted, class.correct];
            return Lists { by_class: self.by_class().into_iter().flat_map(numbers).collect(), ..Lists::default() };
        };
        if self.classes <= FULL_CLASSES {
            return Lists { counts: self.rows().unwrap_or_default(), ..Lists::default() };
        }
        let mut next = 0;
        let gap = |(&place, &count): (&u32, &u32)| {
            let gap = place - next;
            next = place.saturating_add(1);
            [gap, count]
        };
        Lists { gaps: pairs.iter().flat_map(gap).collect(), ..Lists::default() }
    }

    /// What [`Confusion::lists`] said.
    ///
    /// # Errors
    /// What is wrong with them: more than one list, or one that does not fit the classes.
    pub fn of_lists(classes: u32, lists: &Lists) -> Result<Self, String> {
        if classes == 0 || classes as usize > MAX_CLASSES {
            return Err(format!("expected 1 to {MAX_CLASSES} classes, got {classes}"));
        }
        let Lists { counts, gaps, by_class } = lists;
        match [!counts.is_empty(), !gaps.is_empty(), !by_class.is_empty()] {
            [true, false, false] if classes > FULL_CLASSES => Err(format!(
                "expected gaps of {classes} classes, got all counts; send those up to {FULL_CLASSES} classes"
            )),
            [true, false, false] => {
                let wanted = classes as usize * classes as usize;
                match counts.len() {
                    found if found == wanted => Ok(Self::of_rows(classes, counts)),
                    found => Err(format!("expected {wanted} counts of {classes} classes, got {found}")),
                }
            }
            [false, true, false] if classes > MATRIX_CLASSES => Err(format!(
                "expected counts by class of {classes} classes, got pairs; send those up to {MATRIX_CLASSES}"
            )),
            [false, true, false] => Self::of_gaps(classes, gaps).ok_or_else(|| {
                format!("expected pairs of a gap and a count that lie in {classes} x {classes}, got others")
            }),
            [false, false, true] => Self::of_classes(classes, by_class)
                .ok_or_else(|| format!("expected three sums for each of {classes} classes that agree, got others")),
            filled => {
                let filled = filled.into_iter().filter(|&filled| filled).count();
                Err(format!("expected one of counts, gaps and by_class, got {filled} of them"))
            }
        }
    }

    fn of_gaps(classes: u32, gaps: &[u32]) -> Option<Self> {
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

    fn of_classes(classes: u32, numbers: &[u64]) -> Option<Self> {
        let (numbers, rest) = numbers.as_chunks();
        let sums: Vec<ClassCounts> =
            numbers.iter().map(|&[support, predicted, correct]| ClassCounts { support, predicted, correct }).collect();
        let sum =
            |part: fn(&ClassCounts) -> u64| sums.iter().try_fold(0_u64, |sum, class| sum.checked_add(part(class)));
        let supports = sum(|class| class.support).filter(|&sum| i64::try_from(sum).is_ok());
        let agree = supports.is_some()
            && supports == sum(|class| class.predicted)
            && sums.iter().all(|class| class.correct <= class.support.min(class.predicted));
        let fits = rest.is_empty() && sums.len() == classes as usize && agree;
        fits.then_some(Self { classes, counts: Counts::Classes(sums) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn samples_of(confusion: &Confusion) -> Vec<(u32, u32, u32)> {
        confusion.pairs().collect()
    }

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
            let few = confusion.lists();
            prop_assert!(few.gaps.is_empty());
            prop_assert_eq!(Confusion::of_lists(classes, &few), Ok(confusion.clone()));
            // The same among more classes, of which nothing is said.
            let wide = classes + 300;
            let pairs = confusion.pairs().map(|(target, predicted, count)| (target * wide + predicted, count)).collect();
            let many = Confusion { classes: wide, counts: Counts::Pairs(pairs) };
            if !samples_of(&many).is_empty() {
                prop_assert_eq!(Confusion::of_lists(wide, &many.lists()), Ok(many));
            }
            if confusion.pairs().next().is_some() {
                prop_assert_eq!(Confusion::of_lists(classes, &sums.lists()), Ok(sums.clone()));
            }
            prop_assert_eq!(&Confusion::of_rows(classes, &confusion.rows().unwrap()), &confusion);
            prop_assert_eq!(confusion.by_class(), sums.by_class());
            prop_assert_eq!(sums.rows(), None);
        }
    }

    #[test]
    fn lists_that_are_no_counts_are_refused() {
        let all = |counts: &[u32]| Lists { counts: counts.to_vec(), ..Lists::default() };
        let gaps = |gaps: &[u32]| Lists { gaps: gaps.to_vec(), ..Lists::default() };
        let sums = |by_class: &[u64]| Lists { by_class: by_class.to_vec(), ..Lists::default() };
        for (classes, lists, problem) in [
            (0, all(&[1]), "expected 1 to 4096 classes, got 0"),
            (4_097, gaps(&[0, 1]), "expected 1 to 4096 classes, got 4097"),
            (2, Lists::default(), "expected one of counts, gaps and by_class, got 0 of them"),
            (1, Lists { gaps: vec![0, 1], ..all(&[1]) }, "expected one of counts, gaps and by_class, got 2 of them"),
            (2, all(&[1]), "expected 4 counts of 2 classes, got 1"),
            (256, all(&[1]), "expected gaps of 256 classes, got all counts; send those up to 255 classes"),
            (1_025, gaps(&[0, 1]), "expected counts by class of 1025 classes, got pairs; send those up to 1024"),
        ] {
            assert_eq!(Confusion::of_lists(classes, &lists).unwrap_err(), problem);
        }
        for wrong in [&[0][..], &[4, 1], &[0, 0], &[3, 1, 0, 1], &[u32::MAX, 1], &[1, 1, u32::MAX, 1]] {
            let problem = Confusion::of_lists(2, &gaps(wrong)).unwrap_err();
            assert!(problem.contains("a gap and a count that lie in 2 x 2"), "{wrong:?}: {problem}");
        }
        let max = u64::MAX;
        for wrong in [&[1][..], &[1, 1, 1], &[1, 0, 0, 0, 0, 0], &[1, 1, 2, 0, 0, 0], &[max, max, 0, 0, 0, 0]] {
            let problem = Confusion::of_lists(2, &sums(wrong)).unwrap_err();
            assert!(problem.contains("three sums for each of 2 classes"), "{wrong:?}: {problem}");
        }
        assert!(Confusion::of_lists(1_024, &gaps(&[1_024 * 1_024 - 1, u32::MAX])).is_ok());
        assert!(Confusion::of_lists(2, &sums(&[1, 0, 0, 0, 1, 0])).is_ok());
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
