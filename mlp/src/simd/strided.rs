//! Numbers and bytes of a matrix that lie apart, with one check for all that are read together. The
//! messages of checks inside loops name no numbers, which every turn would have to keep for them.
#![allow(unsafe_code, reason = "a check of every number costs the kernels of the first layer a third of their time")]

/// The same stretch of every row.
#[derive(Clone, Copy)]
pub(crate) struct Band<'a> {
    /// From the first number of the first stretch on: at least `stride * (rows - 1) + width` of
    /// them.
    values: &'a [f32],
    rows: usize,
    stride: usize,
    width: usize,
}

/// Where the stretches begin, of `width` numbers from `at` on in each of `rows` rows, which are
/// `stride` long; panics unless they lie in rows of `length` numbers in all.
#[inline(always)]
fn band_start(length: usize, rows: usize, stride: usize, at: usize, width: usize) -> usize {
    let inside = at.checked_add(width).is_some_and(|end| end <= stride);
    assert!(inside && rows.checked_mul(stride).is_some_and(|needed| needed <= length), "there is no such stretch");
    at
}

impl<'a> Band<'a> {
    /// `width` numbers from `at` on of each of the first `rows` rows of `values`, which are
    /// `stride` long; panics unless they are there.
    #[inline(always)]
    pub(crate) fn new(values: &'a [f32], rows: usize, stride: usize, at: usize, width: usize) -> Self {
        Self { values: &values[band_start(values.len(), rows, stride, at, width)..], rows, stride, width }
    }

    /// The stretch of a row; panics if there is no such row.
    #[inline(always)]
    pub(crate) fn row(&self, row: usize) -> &'a [f32] {
        assert!(row < self.rows, "there is no such row");
        let start = row * self.stride;
        // SAFETY: `at` numbers of the row lie before it, and `at + width <= stride`.
        unsafe { self.values.get_unchecked(start..start + self.width) }
    }

    /// The stretches of `P` rows from `row` on; panics if there are no such rows.
    #[inline(always)]
    pub(crate) fn block<const P: usize>(&self, row: usize) -> [&'a [f32]; P] {
        assert!(P <= self.rows && row <= self.rows - P, "there are no such rows");
        let start = row * self.stride;
        // SAFETY: as in `row`, for each of them.
        std::array::from_fn(|p| unsafe {
            let start = start + p * self.stride;
            self.values.get_unchecked(start..start + self.width)
        })
    }
}

/// The same stretch of every row, to be written.
pub(crate) struct BandMut<'a> {
    /// As of a [`Band`].
    values: &'a mut [f32],
    rows: usize,
    stride: usize,
    width: usize,
}

impl<'a> BandMut<'a> {
    /// As [`Band::new`].
    #[inline(always)]
    pub(crate) fn new(values: &'a mut [f32], rows: usize, stride: usize, at: usize, width: usize) -> Self {
        let start = band_start(values.len(), rows, stride, at, width);
        Self { values: &mut values[start..], rows, stride, width }
    }

    /// The stretch of a row; panics if there is no such row.
    #[inline(always)]
    pub(crate) fn row(&mut self, row: usize) -> &mut [f32] {
        assert!(row < self.rows, "there is no such row");
        let start = row * self.stride;
        // SAFETY: as in `Band::row`.
        unsafe { self.values.get_unchecked_mut(start..start + self.width) }
    }
}

/// Rows of [`Samples`] at most: as many as a word has bits for.
const SAMPLES: usize = u64::BITS as usize;

/// Some rows of a matrix of bytes.
pub(crate) struct Samples<'a> {
    bytes: &'a [u8],
    /// Where each row begins: `features` bytes of it are there. Behind the last one 0, where there
    /// are as many.
    begins: [usize; SAMPLES],
    /// Bytes of a row.
    features: usize,
}

/// Two stretches of four bytes in each of some rows.
pub(crate) struct Pairs<'a> {
    samples: &'a Samples<'a>,
    /// Both at least four bytes before the end of a row.
    starts: [usize; 2],
}

impl<'a> Samples<'a> {
    /// The rows `rows` of `bytes`, of `features` bytes each; panics if they are not there, or too
    /// many.
    #[inline(always)]
    pub(crate) fn new(bytes: &'a [u8], features: usize, rows: &[u32]) -> Self {
        let count = bytes.len() / features;
        assert!(count > 0, "there are no rows");
        let mut begins = [0; SAMPLES];
        for (begin, &row) in begins[..rows.len()].iter_mut().zip(rows) {
            assert!((row as usize) < count, "there is no such row");
            *begin = row as usize * features;
        }
        Self { bytes, begins, features }
    }

    /// Four bytes from each of `starts` on; panics if a row has not got them.
    #[inline(always)]
    pub(crate) fn pairs(&self, starts: [usize; 2]) -> Pairs<'_> {
        let last = starts[0].max(starts[1]);
        assert!(last < self.features && self.features - last >= 4, "there are no such bytes");
        Pairs { samples: self, starts }
    }
}

impl Pairs<'_> {
    /// The bytes of the row `row`, one stretch after the other; of a row that there is not, those
    /// of some other.
    #[inline(always)]
    pub(crate) fn row(&self, row: usize) -> [u8; 8] {
        let begin = self.samples.begins[row % SAMPLES];
        // SAFETY: `features` bytes from `begin` on are there, and four from `start` on are among
        // them; bytes have no alignment.
        let four =
            |start: usize| unsafe { self.samples.bytes.as_ptr().add(begin + start).cast::<u32>().read_unaligned() };
        let [one, other] = self.starts.map(four);
        // In the order of memory whatever that of the CPU is.
        (u64::from(u32::from_le(one)) | u64::from(u32::from_le(other)) << 32).to_le_bytes()
    }
}
