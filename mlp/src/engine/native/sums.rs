//! Where the sums of a gradient begin and where they go.

use super::rows::{Panel, put, vectors};
use crate::simd::{Band, BandMut, Simd};

/// What becomes of the sums over the rows of a chunk, of which there is one for each of some
/// parameters.
pub(super) enum Sums<'a> {
    /// Into the gradient, over what it holds.
    Start(&'a mut [f32]),
    /// Into the gradient, added to what it holds.
    GoOn(&'a mut [f32]),
    /// `params -= gradient lr`, where the gradient is the sum over these rows alone, and is not
    /// written.
    Descend { params: &'a mut [f32], lr: f32 },
    /// `params -= gradient lr`, where the gradient goes on from what it holds, and is not written.
    EndDescent { params: &'a mut [f32], lr: f32, gradient: &'a [f32] },
}

impl Sums<'_> {
    /// Whether sums of zeros leave everything as it is.
    pub(super) fn ignore_zeros(&self) -> bool {
        matches!(self, Sums::GoOn(_) | Sums::Descend { .. })
    }

    /// Of a matrix with `outputs` columns the `width` from `at` on.
    #[inline(always)]
    pub(super) fn columns(&mut self, outputs: usize, at: usize, width: usize) -> Columns<'_> {
        let (target, held, go_on, lr) = match self {
            Self::Start(gradient) => (&mut **gradient, None, false, None),
            Self::GoOn(gradient) => (&mut **gradient, None, true, None),
            Self::Descend { params, lr } => (&mut **params, None, false, Some(*lr)),
            Self::EndDescent { params, lr, gradient } => (&mut **params, Some(*gradient), true, Some(*lr)),
        };
        let rows = target.len() / outputs;
        let held = held.map(|held| Band::new(held, rows, outputs, at, width));
        Columns { held, target: BandMut::new(target, rows, outputs, at, width), go_on, lr }
    }
}

/// Some columns of [`Sums`].
pub(super) struct Columns<'a> {
    /// What the sums go on from, if not from `target`.
    held: Option<Band<'a>>,
    /// Where they are written, or what descends by them.
    target: BandMut<'a>,
    /// Whether they go on from what is held.
    go_on: bool,
    /// The rate of a descent.
    lr: Option<f32>,
}

impl Columns<'_> {
    /// What the sums of rows begin with.
    #[inline(always)]
    pub(super) fn begin<S: Simd, const P: usize, const N: usize, const FULL: bool>(
        &mut self,
        s: S,
        rows: [usize; P],
        panel: Panel,
    ) -> [[S::V; N]; P] {
        let mut sums = [[s.splat(0.0); N]; P];
        if self.go_on {
            for (sums, row) in sums.iter_mut().zip(rows) {
                let held = match &self.held {
                    Some(held) => held.row(row),
                    None => self.target.row(row),
                };
                *sums = vectors::<S, N, FULL>(s, held, 0, panel.last);
            }
        }
        sums
    }

    /// Takes the sums of rows. All is read before anything is written: rows of less than a vector
    /// lie close together, and a read would wait for what was just written beside it.
    #[inline(always)]
    pub(super) fn end<S: Simd, const P: usize, const N: usize, const FULL: bool>(
        &mut self,
        s: S,
        rows: [usize; P],
        mut sums: [[S::V; N]; P],
        panel: Panel,
    ) {
        if let Some(lr) = self.lr {
            let lr = s.splat(lr);
            for (sums, row) in sums.iter_mut().zip(rows) {
                let params = vectors::<S, N, FULL>(s, self.target.row(row), 0, panel.last);
                for (sum, param) in sums.iter_mut().zip(params) {
                    *sum = param - *sum * lr;
                }
            }
        }
        for (sums, row) in sums.iter().zip(rows) {
            put::<S, N, FULL>(sums, self.target.row(row));
        }
    }
}
