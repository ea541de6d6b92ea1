//! Numbers of a matrix that lie apart, with one check for all that are read together. The messages of checks inside loops
//! name no numbers, which every turn would have to keep for them.
#![allow(unsafe_code, reason = "a check of every number costs the kernels of the first layer a third of their time")]

/// Columns of `R` rows.
#[derive(Clone, Copy)]
pub(in crate::train) struct Columns<'a, const R: usize> {
    /// At least `R * stride` numbers.
    values: &'a [f32],
    stride: usize,
}

impl<'a, const R: usize> Columns<'a, R> {
    /// The first rows of `values`, `stride` numbers each; panics if there are fewer than `R`.
    #[inline(always)]
    pub(in crate::train) fn new(values: &'a [f32], stride: usize) -> Self {
        const { assert!(R > 0, "no rows, no columns") };
        assert!(R.checked_mul(stride).is_some_and(|needed| needed <= values.len()), "{R} rows of {stride} numbers");
        Self { values, stride }
    }

    /// The numbers of a column; panics if the rows have no such column.
    #[inline(always)]
    pub(in crate::train) fn at(&self, column: usize) -> [&'a f32; R] {
        assert!(column < self.stride, "there is no such column");
        // SAFETY: column < stride, 0 < R and r < R, so that both numbers are among the first R * stride.
        let first = unsafe { self.values.as_ptr().add(column) };
        std::array::from_fn(|r| unsafe { &*first.add(r * self.stride) })
    }
}

/// The same stretch of every row.
#[derive(Clone, Copy)]
pub(in crate::train) struct Band<'a> {
    /// From the first number of the first stretch on: at least `stride * (rows - 1) + width` of them.
    values: &'a [f32],
    rows: usize,
    stride: usize,
    width: usize,
}

/// Where the stretches begin, of `width` numbers from `at` on in each of `rows` rows, which are `stride` long; panics unless
/// they lie in rows of `length` numbers in all.
#[inline(always)]
fn band_start(length: usize, rows: usize, stride: usize, at: usize, width: usize) -> usize {
    let inside = at.checked_add(width).is_some_and(|end| end <= stride);
    assert!(inside && rows.checked_mul(stride).is_some_and(|needed| needed <= length), "there is no such stretch");
    at
}

impl<'a> Band<'a> {
    /// `width` numbers from `at` on of each of the first `rows` rows of `values`, which are `stride` long; panics unless they
    /// are there.
    #[inline(always)]
    pub(in crate::train) fn new(values: &'a [f32], rows: usize, stride: usize, at: usize, width: usize) -> Self {
        Self { values: &values[band_start(values.len(), rows, stride, at, width)..], rows, stride, width }
    }

    /// The stretch of a row; panics if there is no such row.
    #[inline(always)]
    pub(in crate::train) fn row(&self, row: usize) -> &'a [f32] {
        assert!(row < self.rows, "there is no such row");
        let start = row * self.stride;
        // SAFETY: `at` numbers of the row lie before it, and `at + width <= stride`.
        unsafe { self.values.get_unchecked(start..start + self.width) }
    }
}

/// A [`Band`] of `W` numbers a row.
#[derive(Clone, Copy)]
pub(in crate::train) struct Strip<'a, const W: usize> {
    /// As of a [`Band`].
    values: &'a [f32],
    rows: usize,
    stride: usize,
}

impl<'a, const W: usize> Strip<'a, W> {
    /// As [`Band::new`].
    #[inline(always)]
    pub(in crate::train) fn new(values: &'a [f32], rows: usize, stride: usize, at: usize) -> Self {
        Self { values: &values[band_start(values.len(), rows, stride, at, W)..], rows, stride }
    }

    /// The stretch of a row; panics if there is no such row.
    #[inline(always)]
    pub(in crate::train) fn row(&self, row: usize) -> &'a [f32; W] {
        assert!(row < self.rows, "there is no such row");
        // SAFETY: as in `Band::row`; an array of numbers is aligned as one of them.
        unsafe { &*self.values.as_ptr().add(row * self.stride).cast() }
    }
}

/// The same stretch of every row, to be written.
pub(in crate::train) struct BandMut<'a> {
    /// As of a [`Band`].
    values: &'a mut [f32],
    rows: usize,
    stride: usize,
    width: usize,
}

impl<'a> BandMut<'a> {
    /// As [`Band::new`].
    #[inline(always)]
    pub(in crate::train) fn new(values: &'a mut [f32], rows: usize, stride: usize, at: usize, width: usize) -> Self {
        let start = band_start(values.len(), rows, stride, at, width);
        Self { values: &mut values[start..], rows, stride, width }
    }

    /// The stretch of a row; panics if there is no such row.
    #[inline(always)]
    pub(in crate::train) fn row(&mut self, row: usize) -> &mut [f32] {
        assert!(row < self.rows, "there is no such row");
        let start = row * self.stride;
        // SAFETY: as in `Band::row`.
        unsafe { self.values.get_unchecked_mut(start..start + self.width) }
    }
}
