//! A grid of numbers with holes, and the largest part of it that has none.
//!
//! Analysis of variance needs a value in every cell. A cell has none while it is not trained, where
//! all of its runs diverged or failed, or where run_cap cut it. Guessing them would invent results,
//! so whole values of a parameter are left out instead: always the one with the largest share of
//! empty cells; of equal ones the later parameter's, and of those the later value. It is no search
//! for the largest part, but the same part for the same grid.

use std::collections::BTreeSet;

/// Cells by the values of several axes, the last axis fastest.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Grid {
    sizes: Vec<usize>,
    cells: Vec<Option<f64>>,
}

/// Beyond this a sweep cannot have points.
const MAX_CELLS: usize = 1 << 20;

impl Grid {
    /// All empty; `None` without axes, or for more cells than a sweep has points.
    pub(super) fn new(sizes: &[usize]) -> Option<Self> {
        let cells = sizes.iter().try_fold(1_usize, |product, &size| product.checked_mul(size))?;
        (!sizes.is_empty() && (1..=MAX_CELLS).contains(&cells))
            .then(|| Self { sizes: sizes.to_vec(), cells: vec![None; cells] })
    }

    pub(super) fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    pub(super) fn cells(&self) -> &[Option<f64>] {
        &self.cells
    }

    /// Which value of `axis` a cell has.
    pub(super) fn digit(&self, cell: usize, axis: usize) -> usize {
        cell / self.stride(axis) % self.sizes[axis]
    }

    fn stride(&self, axis: usize) -> usize {
        self.sizes[axis + 1..].iter().product()
    }

    /// Fills the cells of this place: one, or as many as the axes without a value have.
    pub(super) fn set(&mut self, place: &[Option<usize>], value: f64) {
        let mut cells = vec![0];
        for (axis, digit) in place.iter().enumerate() {
            let digits = digit.map_or(0..self.sizes[axis], |digit| digit..digit + 1);
            cells = cells
                .iter()
                .flat_map(|cell| digits.clone().map(move |digit| (cell, digit)))
                .map(|(cell, digit)| cell * self.sizes[axis] + digit)
                .collect();
        }
        for cell in cells {
            self.cells[cell] = Some(value);
        }
    }

    /// The part without holes; `None` if that is fewer than two cells.
    pub(super) fn complete(&self) -> Option<Self> {
        // First what has no number at all: while a sweep runs that is most of it.
        let mut found: Vec<Vec<bool>> = self.sizes.iter().map(|&size| vec![false; size]).collect();
        for cell in (0..self.cells.len()).filter(|&cell| self.cells[cell].is_some()) {
            for (axis, found) in found.iter_mut().enumerate() {
                found[self.digit(cell, axis)] = true;
            }
        }
        let seen = self.keep(&found);
        let kept = seen.without_holes();
        let whole = seen.keep(&kept);
        (whole.cells.len() > 1).then_some(whole)
    }

    /// Which values of each axis stay.
    fn without_holes(&self) -> Vec<Vec<bool>> {
        let axes = self.sizes.len();
        let mut holes: Vec<Vec<usize>> = self.sizes.iter().map(|&size| vec![0; size]).collect();
        let mut empty: Vec<bool> = self.cells.iter().map(Option::is_none).collect();
        for cell in (0..empty.len()).filter(|&cell| empty[cell]) {
            for (axis, holes) in holes.iter_mut().enumerate() {
                holes[self.digit(cell, axis)] += 1;
            }
        }
        let mut order: Vec<BTreeSet<(usize, usize)>> = holes
            .iter()
            .map(|holes| holes.iter().enumerate().map(|(value, &count)| (count, value)).collect())
            .collect();
        let mut kept: Vec<Vec<bool>> = self.sizes.iter().map(|&size| vec![true; size]).collect();
        loop {
            // Every value of an axis has as many cells, so the largest share is among the largest
            // counts of each axis: count / cells is count x values / all cells.
            let worst = (0..axes)
                .filter_map(|axis| order[axis].last().map(|&(count, value)| (count * order[axis].len(), axis, value)))
                .max();
            let Some((1.., axis, value)) = worst else { return kept };
            kept[axis][value] = false;
            order[axis].remove(&(holes[axis][value], value));
            let stride = self.stride(axis);
            for outer in (0..self.cells.len()).step_by(stride * self.sizes[axis]) {
                let start = outer + value * stride;
                for cell in (start..start + stride).filter(|&cell| std::mem::take(&mut empty[cell])) {
                    for other in (0..axes).filter(|&other| other != axis) {
                        let digit = self.digit(cell, other);
                        let count = &mut holes[other][digit];
                        if order[other].remove(&(*count, digit)) {
                            order[other].insert((*count - 1, digit));
                        }
                        *count -= 1;
                    }
                }
            }
        }
    }

    /// The grid of the values that stay.
    fn keep(&self, kept: &[Vec<bool>]) -> Self {
        let sizes = kept.iter().map(|values| values.iter().filter(|&&kept| kept).count()).collect();
        let stays = |cell: usize| kept.iter().enumerate().all(|(axis, kept)| kept[self.digit(cell, axis)]);
        let cells = (0..self.cells.len()).filter(|&cell| stays(cell)).map(|cell| self.cells[cell]).collect();
        Self { sizes, cells }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(sizes: &[usize], holes: &[usize]) -> Grid {
        let mut grid = Grid::new(sizes).unwrap();
        for cell in (0..grid.cells.len()).filter(|cell| !holes.contains(cell)) {
            grid.cells[cell] = Some(cell as f64);
        }
        grid
    }

    /// The cells that stay.
    fn kept(sizes: &[usize], holes: &[usize]) -> Option<(Vec<usize>, Vec<usize>)> {
        let whole = grid(sizes, holes).complete()?;
        assert!(whole.cells.iter().all(Option::is_some));
        Some((whole.sizes.clone(), whole.cells.iter().flatten().map(|&cell| cell as usize).collect()))
    }

    #[test]
    fn a_complete_grid_stays_as_it_is() {
        assert_eq!(kept(&[2, 3], &[]), Some((vec![2, 3], vec![0, 1, 2, 3, 4, 5])));
    }

    #[test]
    fn a_value_that_never_had_a_result_is_left_out() {
        assert_eq!(kept(&[2, 3], &[1, 4]), Some((vec![2, 2], vec![0, 2, 3, 5])));
        assert_eq!(kept(&[3], &[0, 1]), None);
        assert_eq!(kept(&[2, 2], &[0, 1, 2, 3]), None);
    }

    #[test]
    fn the_value_with_the_larger_share_of_holes_goes_first() {
        // The hole is a third of its row and half of its column: the column goes.
        assert_eq!(kept(&[2, 3], &[4]), Some((vec![2, 2], vec![0, 2, 3, 5])));
        // Equal shares: the later axis's value goes.
        assert_eq!(kept(&[2, 2], &[0]), Some((vec![2, 1], vec![1, 3])));
        // One row holds most of the holes; without it nothing is missing but one column's cell.
        assert_eq!(kept(&[3, 3], &[0, 1, 5]), Some((vec![2, 2], vec![3, 4, 6, 7])));
    }

    #[test]
    fn what_is_kept_of_any_grid_has_no_holes() {
        let mut bits = 1_u64;
        for _ in 0..300 {
            let mut next = |below: u64| {
                bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (bits >> 33) % below
            };
            let sizes: Vec<usize> = (0..=next(3)).map(|_| 1 + next(5) as usize).collect();
            let cells: usize = sizes.iter().product();
            let share = next(10);
            let holes: Vec<usize> = (0..cells).filter(|_| next(10) < share).collect();
            if let Some((kept_sizes, cells)) = kept(&sizes, &holes) {
                assert_eq!(kept_sizes.iter().product::<usize>(), cells.len());
                assert!(cells.len() > 1 && cells.iter().all(|cell| !holes.contains(cell)), "{sizes:?} {holes:?}");
            }
        }
    }

    #[test]
    fn a_place_without_a_value_stands_for_all_of_them() {
        let mut grid = Grid::new(&[2, 3, 2]).unwrap();
        grid.set(&[Some(1), None, Some(0)], 7.0);
        let filled: Vec<usize> = (0..12).filter(|&cell| grid.cells[cell].is_some()).collect();
        assert_eq!(filled, [6, 8, 10]);
    }

    #[test]
    fn a_grid_of_a_hundred_thousand_cells_half_trained_is_cut_at_once() {
        let mut grid = Grid::new(&[2, 50_000]).unwrap();
        for cell in 0..80_000 {
            grid.cells[cell] = Some(1.0);
        }
        assert_eq!(grid.complete().unwrap().sizes, [2, 30_000]);
    }
}
