//! The form in which values are kept: bytes where they can be, else 32-bit floats.
//!
//! A source is read twice. The first pass only looks at the values ([`Seen`]), so that the second
//! one ([`Filling`]) reserves exactly the memory that the form takes.

use super::DataError;
use super::limits::reserve;
use super::samples::Values;

/// How exactly a multiple of 1/255 is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precision {
    /// As a 16-bit float.
    Half,
    /// As a 32-bit float, or as a 64-bit one that may have been a 32-bit one before.
    Single,
    /// As a text, which may have been rounded to four decimals.
    Text,
}

impl Precision {
    /// How far from its whole number the 255-fold of a fraction may lie.
    fn slack(self, fold: f64) -> f64 {
        match self {
            Self::Half => fold / 1_024.0,
            Self::Single => fold / f64::from(1 << 21),
            Self::Text => 0.013,
        }
    }
}

/// The form of all values of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Whole numbers 0 to 255.
    Bytes,
    /// Multiples of 1/255 from 0 to 1, which are kept as bytes.
    Fractions,
    /// Any finite numbers.
    Floats,
}

impl Form {
    /// Bytes of a value.
    pub(super) fn width(self) -> u64 {
        match self {
            Self::Bytes | Self::Fractions => 1,
            Self::Floats => 4,
        }
    }
}

/// What the values seen so far have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    bytes: bool,
    fractions: bool,
}

impl Default for Seen {
    fn default() -> Self {
        Self { bytes: true, fractions: true }
    }
}

impl Seen {
    /// Looks at one value.
    ///
    /// # Errors
    /// Where no 32-bit float holds it, in words that follow the value's place.
    pub(super) fn add(&mut self, value: f64, precision: Precision) -> Result<(), String> {
        self.bytes = self.bytes && (0.0..=255.0).contains(&value) && value.fract() == 0.0;
        if self.fractions {
            let (fold, is_fraction) = (value * 255.0, (0.0..=1.0).contains(&value));
            // A number that is not 0 stays one, however small the slack of its precision makes it
            // look.
            let is_kept = value == 0.0 || fold.round() >= 1.0;
            self.fractions = is_fraction && is_kept && (fold - fold.round()).abs() <= precision.slack(fold);
        }
        if self.bytes || (value as f32).is_finite() {
            return Ok(());
        }
        Err(if value.is_nan() {
            "is not a number (NaN): fill it or leave the sample out".to_owned()
        } else {
            format!("is {value}, which no 32-bit number holds: give finite numbers of at most 3e38")
        })
    }

    /// What is seen of values that are stored as bytes.
    pub(super) fn of_bytes() -> Self {
        Self { bytes: true, fractions: false }
    }

    /// Joins what was seen in another part of the source.
    pub(super) fn join(&mut self, other: Self) {
        self.bytes &= other.bytes;
        self.fractions &= other.fractions;
    }

    pub(super) fn form(self) -> Form {
        match self {
            Self { bytes: true, .. } => Form::Bytes,
            Self { fractions: true, .. } => Form::Fractions,
            _ => Form::Floats,
        }
    }
}

/// The values of a source in their form, as they are filled in.
pub(super) struct Filling(Values);

impl Filling {
    /// An empty one with room for `count` values.
    ///
    /// # Errors
    /// Where this machine has not that much memory.
    pub(super) fn new(what: &str, form: Form, count: u64) -> Result<Self, DataError> {
        Ok(Self(match form {
            Form::Bytes => Values::Bytes(reserve(what, count)?),
            Form::Fractions => Values::Fractions(reserve(what, count)?),
            Form::Floats => Values::Floats(reserve(what, count)?),
        }))
    }

    /// One of `count` zeros, to be overwritten in any order.
    ///
    /// # Errors
    /// As [`Filling::new`].
    pub(super) fn zeros(what: &str, form: Form, count: u64) -> Result<Self, DataError> {
        let mut filling = Self::new(what, form, count)?;
        match &mut filling.0 {
            Values::Bytes(values) | Values::Fractions(values) => values.resize(count as usize, 0),
            Values::Floats(values) => values.resize(count as usize, 0.0),
        }
        Ok(filling)
    }

    /// Appends a value of which the form was found before.
    pub(super) fn push(&mut self, value: f64) {
        match &mut self.0 {
            Values::Bytes(values) => values.push(value as u8),
            Values::Fractions(values) => values.push((value * 255.0).round() as u8),
            Values::Floats(values) => values.push(value as f32),
        }
    }

    /// Writes a value over that at `at`.
    pub(super) fn put(&mut self, at: usize, value: f64) {
        match &mut self.0 {
            Values::Bytes(values) => values[at] = value as u8,
            Values::Fractions(values) => values[at] = (value * 255.0).round() as u8,
            Values::Floats(values) => values[at] = value as f32,
        }
    }

    /// Appends values that are stored as bytes.
    pub(super) fn push_bytes(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Values::Bytes(values) => values.extend_from_slice(bytes),
            Values::Fractions(_) | Values::Floats(_) => bytes.iter().for_each(|&byte| self.push(byte.into())),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn finish(self) -> Values {
        self.0
    }

    /// Puts the values of each row from `start` on in another order: `places` says for each of them
    /// where it stands now.
    ///
    /// # Errors
    /// Where this machine has not the memory for a second copy.
    pub(super) fn reorder(&mut self, what: &str, start: usize, rows: usize, places: &[usize]) -> Result<(), DataError> {
        let place = |row: usize, place: usize| row * places.len() + place;
        match &mut self.0 {
            Values::Bytes(values) | Values::Fractions(values) => reorder(what, values, start, rows, places, place),
            Values::Floats(values) => reorder(what, values, start, rows, places, place),
        }
    }

    /// Makes rows of the columns from `start` on: `places` says for each value of a row in which
    /// column it stands.
    ///
    /// # Errors
    /// As [`Filling::reorder`].
    pub(super) fn reorder_columns(
        &mut self,
        what: &str,
        start: usize,
        rows: usize,
        places: &[usize],
    ) -> Result<(), DataError> {
        let place = |row: usize, column: usize| column * rows + row;
        match &mut self.0 {
            Values::Bytes(values) | Values::Fractions(values) => reorder(what, values, start, rows, places, place),
            Values::Floats(values) => reorder(what, values, start, rows, places, place),
        }
    }
}

fn reorder<T: Copy>(
    what: &str,
    values: &mut [T],
    start: usize,
    rows: usize,
    places: &[usize],
    place: impl Fn(usize, usize) -> usize,
) -> Result<(), DataError> {
    let old = &mut values[start..];
    let mut ordered = reserve(what, old.len() as u64)?;
    for row in 0..rows {
        ordered.extend(places.iter().map(|&at| old[place(row, at)]));
    }
    old.copy_from_slice(&ordered);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(values: &[f64], precision: Precision) -> Form {
        let mut seen = Seen::default();
        values.iter().for_each(|&value| seen.add(value, precision).unwrap());
        seen.form()
    }

    #[test]
    fn every_multiple_of_one_over_255_is_known_in_every_precision() {
        let multiples = || (0..=255).map(|k| f64::from(k) / 255.0);
        let singles: Vec<f64> = multiples().map(|value| f64::from(value as f32)).collect();
        let products: Vec<f64> = (0..=255_u8).map(|k| f64::from(f32::from(k) * (1.0 / 255.0_f32))).collect();
        let texts: Vec<f64> = multiples().map(|value| format!("{value:.4}").parse().unwrap()).collect();
        for (values, precision) in [
            (multiples().collect(), Precision::Single),
            (singles, Precision::Single),
            (products, Precision::Single),
            (texts, Precision::Text),
        ] {
            assert_eq!(form(&values, precision), Form::Fractions, "{precision:?}");
            let mut filling = Filling::new("x", Form::Fractions, 256).unwrap();
            values.iter().for_each(|&value| filling.push(value));
            assert_eq!(filling.finish(), Values::Fractions((0..=255).collect()));
        }
    }

    #[test]
    fn whole_numbers_stay_whole_and_other_numbers_are_floats() {
        assert_eq!(form(&[0.0, 1.0], Precision::Single), Form::Bytes);
        assert_eq!(form(&[0.0, 255.0], Precision::Single), Form::Bytes);
        for other in [&[0.0, 256.0][..], &[-1.0], &[0.5], &[1.0 / 255.0, 1.5], &[0.1, 0.2], &[1e-9], &[65_535.0]] {
            assert_eq!(form(other, Precision::Single), Form::Floats, "{other:?}");
        }
        for small in [5e-5, 0.00003, 1e-300] {
            for precision in [Precision::Half, Precision::Single, Precision::Text] {
                assert_eq!(form(&[0.0, 1.0, small], precision), Form::Floats, "{small} is not 0 ({precision:?})");
            }
        }
        for bad in [f64::NAN, f64::INFINITY, 1e39] {
            assert!(Seen::default().add(bad, Precision::Single).is_err(), "{bad}");
        }
    }
}
