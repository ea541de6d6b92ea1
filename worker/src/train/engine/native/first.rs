//! The first layer's two products, in which nothing is multiplied by a 0 that it costs less to jump over.
//!
//! What they leave out are products with an exact 0, which change no finite sum but the sign of a zero that underflow made;
//! they leave out the same with all instructions, so that a run that diverges has the same bits too. The order of the sums and
//! the layout of weights are those of [`super::dense`].

use super::ahead::Ahead;
use super::inputs::{GROUP, Inputs, STRIP};
use super::rows::{Panel, Rows, panels, put, put_row, vectors};
use crate::train::simd::{Band, BandMut, LANES, Lanes, Simd, Strip, dispatched};

/// Features between two questions for rows ahead, and cache lines of a question: in the product, in the gradient of a group,
/// and in that of two strips.
const FEATURES_AN_ASK: usize = 12;
const LINES_IN_PRODUCT: usize = 1;
const LINES_IN_GROUP: usize = 2;
const LINES_IN_STRIPS: usize = 4;

/// What [`first_product`] multiplies and adds.
#[derive(Clone, Copy)]
pub(super) struct FirstFactors<'a> {
    /// The left matrix.
    pub(super) inputs: &'a Inputs,
    /// `outputs` weights for each feature.
    pub(super) weights: &'a [f32],
    /// What the sums start from, one an output.
    pub(super) bias: &'a [f32],
    /// Weights of one feature.
    pub(super) outputs: usize,
    /// Whether the results are cut at 0 from below.
    pub(super) relu: bool,
}

dispatched!(
    /// `out = inputs weights + bias`. `out` has room for whole groups; what follows the rows in use becomes anything, and
    /// the padding of rows 0.
    pub(super) fn first_product(factors: &FirstFactors<'_>, out: &mut Rows, ahead: &mut Ahead<'_>) = first_product_with
);

#[inline(always)]
fn first_product_with<S: Simd>(s: S, factors: &FirstFactors<'_>, out: &mut Rows, ahead: &mut Ahead<'_>) {
    for place in (0..factors.inputs.count).step_by(GROUP) {
        panels!(S, factors.outputs, product_panel(s, factors, place, out, ahead));
    }
}

/// The group of rows from `place` on.
#[inline(always)]
fn product_panel<S: Simd, const N: usize, const FULL: bool>(
    panel: Panel,
    s: S,
    factors: &FirstFactors<'_>,
    place: usize,
    out: &mut Rows,
    ahead: &mut Ahead<'_>,
) {
    match factors.inputs.count - place {
        1 => product_rows::<S, 1, N, FULL>(panel, s, factors, place, out, ahead),
        2 => product_rows::<S, 2, N, FULL>(panel, s, factors, place, out, ahead),
        5.. if S::WIDE => product_rows::<S, 8, N, FULL>(panel, s, factors, place, out, ahead),
        left => {
            product_rows::<S, 4, N, FULL>(panel, s, factors, place, out, ahead);
            if left > 4 {
                product_rows::<S, 4, N, FULL>(panel, s, factors, place + 4, out, ahead);
            }
        }
    }
}

/// `R` rows from `place` on, all of one group.
#[inline(always)]
fn product_rows<S: Simd, const R: usize, const N: usize, const FULL: bool>(
    panel: Panel,
    s: S,
    factors: &FirstFactors<'_>,
    place: usize,
    out: &mut Rows,
    ahead: &mut Ahead<'_>,
) {
    let mut sums = [vectors::<S, N, FULL>(s, factors.bias, panel.at, panel.last); R];
    let columns = factors.inputs.columns::<R>(place);
    let Inputs { features, .. } = *factors.inputs;
    let weights = Band::new(factors.weights, features, factors.outputs, panel.at, panel.width(N, FULL));
    for features in factors.inputs.list(place / GROUP).chunks(FEATURES_AN_ASK) {
        ahead.ask(LINES_IN_PRODUCT);
        for &feature in features {
            let w = vectors::<S, N, FULL>(s, weights.row(feature as usize), 0, panel.last);
            let x = columns.at(feature as usize);
            for r in 0..R {
                let x = s.splat(*x[r]);
                for n in 0..N {
                    sums[r][n] = x.mul_add(w[n], sums[r][n]);
                }
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        let row = usize::from(factors.inputs.order[place + r]);
        put_row(s, sums, factors.relu, row, panel.at, out);
    }
}

/// What [`first_gradient`] multiplies.
#[derive(Clone, Copy)]
pub(super) struct FirstOuter<'a> {
    /// The left matrix, which is turned.
    pub(super) inputs: &'a Inputs,
    /// A row of `outputs` numbers for each row of inputs.
    pub(super) delta: &'a Rows,
    /// Weights of one feature.
    pub(super) outputs: usize,
}

/// Where the gradient of the first kernel goes.
pub(super) enum Sums<'a> {
    /// Into the gradient, over what it holds.
    Start(&'a mut [f32]),
    /// Into the gradient, added to what it holds.
    GoOn(&'a mut [f32]),
    /// `weights -= gradient lr`, where the gradient is the sum over these rows alone, and is not written.
    Descend { weights: &'a mut [f32], lr: f32 },
    /// `weights -= gradient lr`, where the gradient goes on from what it holds, and is not written.
    EndDescent { weights: &'a mut [f32], lr: f32, gradient: &'a [f32] },
}

dispatched!(
    /// The gradient of the first kernel: `inputsT delta`.
    pub(super) fn first_gradient(outer: &FirstOuter<'_>, to: &mut Sums<'_>, ahead: &mut Ahead<'_>) = first_gradient_with
);

#[inline(always)]
fn first_gradient_with<S: Simd>(s: S, outer: &FirstOuter<'_>, to: &mut Sums<'_>, ahead: &mut Ahead<'_>) {
    let Inputs { features, count, ref pairs, rest, .. } = *outer.inputs;
    if count <= GROUP {
        match to {
            Sums::Start(gradient) => return group_gradient::<S, false>(s, outer, gradient, 0.0, ahead),
            Sums::Descend { weights, lr } => return group_gradient::<S, true>(s, outer, weights, *lr, ahead),
            // The rest of a larger batch.
            Sums::GoOn(_) | Sums::EndDescent { .. } => {}
        }
    }
    for &[one, other] in pairs {
        let (one, other) = (one as usize, other as usize);
        ahead.ask(LINES_IN_STRIPS);
        // The same rows for both with all instructions: what is left out would show where numbers are not finite.
        let rows = outer.inputs.rows_of(one) | outer.inputs.rows_of(other);
        if S::WIDE {
            strips::<S, 2, STRIP>(s, outer, [one, other], rows, to);
        } else {
            strips::<S, 1, STRIP>(s, outer, [one], rows, to);
            strips::<S, 1, STRIP>(s, outer, [other], rows, to);
        }
    }
    for feature in rest..features {
        strips::<S, 1, 1>(s, outer, [feature], outer.inputs.rows_of(feature), to);
    }
}

/// `P` features from each of `starts` on, of which `rows` have others than 0.
#[inline(always)]
fn strips<S: Simd, const H: usize, const P: usize>(
    s: S,
    outer: &FirstOuter<'_>,
    starts: [usize; H],
    rows: u64,
    to: &mut Sums<'_>,
) {
    let changes_nothing = matches!(to, Sums::GoOn(_) | Sums::Descend { .. });
    if rows != 0 || !changes_nothing {
        panels!(S, outer.outputs, strips_panel[H, P](s, outer, starts, rows, to));
    }
}

#[inline(always)]
fn strips_panel<S: Simd, const H: usize, const P: usize, const N: usize, const FULL: bool>(
    panel: Panel,
    s: S,
    outer: &FirstOuter<'_>,
    starts: [usize; H],
    mut rows: u64,
    to: &mut Sums<'_>,
) {
    let Inputs { count, rows: ref x, ref places, .. } = *outer.inputs;
    let (outputs, width) = (outer.outputs, panel.width(N, FULL));
    let mut sums = [[[s.splat(0.0); N]; P]; H];
    if let Some(gradient) = to.held() {
        for (sums, &start) in sums.iter_mut().zip(&starts) {
            let gradient = Band::new(&gradient[start * outputs..], P, outputs, panel.at, width);
            for (p, sums) in sums.iter_mut().enumerate() {
                *sums = vectors::<S, N, FULL>(s, gradient.row(p), 0, panel.last);
            }
        }
    }
    let x: [Strip<'_, P>; H] = std::array::from_fn(|h| Strip::new(&x.values, count, x.stride, starts[h]));
    let delta = Band::new(&outer.delta.values, count, outer.delta.stride, panel.at, N * LANES);
    while rows != 0 {
        let row = rows.trailing_zeros() as usize;
        rows &= rows - 1;
        let delta = vectors::<S, N, true>(s, delta.row(row), 0, LANES);
        for h in 0..H {
            let x = x[h].row(usize::from(places[row]));
            for p in 0..P {
                let x = s.splat(x[p]);
                for n in 0..N {
                    sums[h][p][n] = x.mul_add(delta[n], sums[h][p][n]);
                }
            }
        }
    }
    let (to, lr) = to.target();
    for (sums, &start) in sums.iter().zip(&starts) {
        let mut to = BandMut::new(&mut to[start * outputs..], P, outputs, panel.at, width);
        for (p, sums) in sums.iter().enumerate() {
            match lr {
                None => put::<S, N, FULL>(sums, to.row(p)),
                Some(lr) => descend::<S, N, FULL>(s, to.row(p), lr, sums, panel),
            }
        }
    }
}

impl Sums<'_> {
    /// What the sums go on from, if not from 0.
    #[inline(always)]
    fn held(&self) -> Option<&[f32]> {
        match self {
            Self::Start(_) | Self::Descend { .. } => None,
            Self::GoOn(gradient) => Some(gradient),
            Self::EndDescent { gradient, .. } => Some(gradient),
        }
    }

    /// Where they are written, or with a rate what descends by them.
    #[inline(always)]
    fn target(&mut self) -> (&mut [f32], Option<f32>) {
        match self {
            Self::Start(gradient) | Self::GoOn(gradient) => (gradient, None),
            Self::Descend { weights, lr } | Self::EndDescent { weights, lr, .. } => (weights, Some(*lr)),
        }
    }
}

/// `weights -= sums lr`
#[inline(always)]
fn descend<S: Simd, const N: usize, const FULL: bool>(
    s: S,
    weights: &mut [f32],
    lr: f32,
    sums: &[S::V; N],
    panel: Panel,
) {
    let lr = s.splat(lr);
    let mut moved = vectors::<S, N, FULL>(s, weights, 0, panel.last);
    for (w, &sum) in moved.iter_mut().zip(sums) {
        *w = *w - sum * lr;
    }
    put::<S, N, FULL>(&moved, weights);
}

/// The gradient over a group of rows, or with `DESCEND` `to -= gradient lr`: feature by feature, because a strip of features
/// has hardly fewer rows than the group, and none is visited that is 0 in all of them.
#[inline(always)]
fn group_gradient<S: Simd, const DESCEND: bool>(
    s: S,
    outer: &FirstOuter<'_>,
    to: &mut [f32],
    lr: f32,
    ahead: &mut Ahead<'_>,
) {
    match (outer.inputs.count, DESCEND) {
        (0 | 1, false) => panels!(S, outer.outputs, group_panel[1, false](s, outer, to, lr, ahead)),
        (2, false) => panels!(S, outer.outputs, group_panel[2, false](s, outer, to, lr, ahead)),
        (3 | 4, false) => panels!(S, outer.outputs, group_panel[4, false](s, outer, to, lr, ahead)),
        (_, false) => panels!(S, outer.outputs, group_panel[8, false](s, outer, to, lr, ahead)),
        (0 | 1, true) => panels!(S, outer.outputs, group_panel[1, true](s, outer, to, lr, ahead)),
        (2, true) => panels!(S, outer.outputs, group_panel[2, true](s, outer, to, lr, ahead)),
        (3 | 4, true) => panels!(S, outer.outputs, group_panel[4, true](s, outer, to, lr, ahead)),
        (_, true) => panels!(S, outer.outputs, group_panel[8, true](s, outer, to, lr, ahead)),
    }
    if !DESCEND {
        clear_others(outer, to);
    }
}

/// Zeroes the gradient of all features that are not listed.
fn clear_others(outer: &FirstOuter<'_>, gradient: &mut [f32]) {
    let mut next = 0;
    for &feature in outer.inputs.list(0) {
        let start = feature as usize * outer.outputs;
        if next < start {
            gradient[next..start].fill(0.0);
        }
        next = start + outer.outputs;
    }
    gradient[next..].fill(0.0);
}

/// `R` rows, those behind the rows in use times 0.
#[inline(always)]
fn group_panel<S: Simd, const R: usize, const DESCEND: bool, const N: usize, const FULL: bool>(
    panel: Panel,
    s: S,
    outer: &FirstOuter<'_>,
    to: &mut [f32],
    lr: f32,
    ahead: &mut Ahead<'_>,
) {
    let mut delta = [[s.splat(0.0); N]; R];
    for (row, delta) in delta.iter_mut().enumerate().take(outer.inputs.count) {
        *delta = vectors::<S, N, true>(s, &outer.delta.values, row * outer.delta.stride + panel.at, LANES);
    }
    let columns = outer.inputs.columns::<R>(0);
    let mut to = BandMut::new(to, outer.inputs.features, outer.outputs, panel.at, panel.width(N, FULL));
    for features in outer.inputs.list(0).chunks(FEATURES_AN_ASK) {
        ahead.ask(LINES_IN_GROUP);
        for &feature in features {
            let x = columns.at(feature as usize);
            let mut sums = [s.splat(0.0); N];
            for r in 0..R {
                let x = s.splat(*x[r]);
                for n in 0..N {
                    sums[n] = x.mul_add(delta[r][n], sums[n]);
                }
            }
            if DESCEND {
                descend::<S, N, FULL>(s, to.row(feature as usize), lr, &sums, panel);
            } else {
                put::<S, N, FULL>(&sums, to.row(feature as usize));
            }
        }
    }
}
