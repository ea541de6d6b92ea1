//! One .npy array, read as bytes 0..=255 or as labels.
//!
//! Format: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>, versions 1 to 3. The header
//! is a promise: its length is capped as NumPy caps it, the shape is multiplied with checks, and the data must be
//! exactly as long as it says. Values are converted in pieces, so a float64 array never stands in memory whole.

use std::io::Read;

use super::DataError;
use super::limits::{check_label_count, count_values, reserve, show_shape};

/// NumPy's own limit for headers of untrusted files.
const MAX_HEADER: u32 = 10_000;
/// Bytes converted at once; a multiple of every item size.
const PIECE: usize = 1 << 16;

/// How one item is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Signed,
    Unsigned,
    Float,
}

/// The header of an array.
#[derive(Debug)]
pub(super) struct Array {
    kind: Kind,
    item: usize,
    big_endian: bool,
    descr: String,
    fortran: bool,
    pub(super) shape: Vec<u64>,
    /// Bytes of magic, lengths and header.
    header_bytes: u64,
}

impl Array {
    /// Reads the header from the start of `reader`; `what` names the array.
    ///
    /// # Errors
    /// Where it is no .npy header, or one of an array that cannot be samples or labels.
    pub(super) fn read_header(what: &str, reader: &mut impl Read) -> Result<Self, DataError> {
        let refuse = |problem: &str| DataError::refused(what, problem);
        let mut start = [0; 8];
        fill(what, reader, &mut start)?;
        if &start[..6] != b"\x93NUMPY" {
            return Err(refuse("is not a .npy array: it does not begin with \\x93NUMPY"));
        }
        let (length, length_bytes) = match start[6] {
            1 => {
                let mut bytes = [0; 2];
                fill(what, reader, &mut bytes)?;
                (u32::from(u16::from_le_bytes(bytes)), 2)
            }
            2 | 3 => {
                let mut bytes = [0; 4];
                fill(what, reader, &mut bytes)?;
                (u32::from_le_bytes(bytes), 4)
            }
            version => return Err(refuse(&format!("has .npy version {version}; versions 1 to 3 are known"))),
        };
        if length > MAX_HEADER {
            return Err(refuse(&format!("claims a header of {length} bytes; at most {MAX_HEADER} are read")));
        }
        let mut text = vec![0; length as usize];
        fill(what, reader, &mut text)?;
        let text = String::from_utf8(text).map_err(|_| refuse("has a header that is not text"))?;
        let fields = Fields::parse(&text).map_err(|problem| refuse(&format!("has an unreadable header: {problem}")))?;
        let (kind, item, big_endian) = dtype(what, &fields.descr)?;
        count_values(what, &fields.shape)?;
        Ok(Self {
            kind,
            item,
            big_endian,
            descr: fields.descr,
            fortran: fields.fortran,
            shape: fields.shape,
            header_bytes: 8 + length_bytes + u64::from(length),
        })
    }

    /// Bytes of the whole file that the header promises. Cannot overflow: at most 2^30 items of 8 bytes.
    pub(super) fn file_bytes(&self) -> u64 {
        self.header_bytes + self.count() * self.item as u64
    }

    /// Values of all samples.
    pub(super) fn count(&self) -> u64 {
        self.shape.iter().product()
    }

    /// The length of the first axis.
    pub(super) fn samples(&self) -> u64 {
        self.shape.first().copied().unwrap_or(1)
    }

    /// Reads all values as bytes in C order.
    ///
    /// # Errors
    /// Where a value is not a whole number 0..=255, or the data are shorter or longer than promised.
    pub(super) fn read_values(&self, what: &str, reader: &mut impl Read) -> Result<Vec<u8>, DataError> {
        let mut values = reserve(what, self.count())?;
        let mut odd = OddValues::default();
        self.for_each(what, reader, |index, value| {
            if odd.first.is_some() {
                odd.widen(value);
            } else if (0.0..=255.0).contains(&value) && value.fract() == 0.0 {
                values.push(value as u8);
            } else {
                odd = OddValues::starting(index, value, &values);
            }
        })?;
        odd.check(what, &self.descr)?;
        Ok(if self.fortran { to_c_order(what, &values, &self.shape)? } else { values })
    }

    /// Reads all values as labels of so many samples.
    ///
    /// # Errors
    /// Where the array is not one column of as many whole numbers.
    pub(super) fn read_labels(&self, what: &str, reader: &mut impl Read, samples: u64) -> Result<Vec<i64>, DataError> {
        if !matches!(self.shape[..], [_] | [_, 1]) {
            let shape = show_shape(&self.shape);
            let hint = if self.shape.len() == 2 { " (one-hot labels? use argmax)" } else { "" };
            return Err(DataError::refused(what, format!("labels must be one column, not {shape}{hint}")));
        }
        // Eight bytes each, whatever they take in the file: a few compressed megabytes could ask for 16 GiB.
        check_label_count(what, samples, self.count())?;
        let mut labels = Vec::with_capacity(samples as usize);
        let mut bad = None;
        self.for_each(what, reader, |index, value| {
            // Beyond 2^53 an f64 does not hold every integer, and no class is called that.
            if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 {
                labels.push(value as i64);
            } else if bad.is_none() {
                bad = Some((index, value));
            }
        })?;
        match bad {
            None => Ok(labels),
            Some((index, value)) => {
                Err(DataError::refused(what, format!("label {index} is {value}: labels must be whole numbers")))
            }
        }
    }

    /// Feeds every item, as stored, to `take` and makes sure that the data end where they should.
    fn for_each(&self, what: &str, reader: &mut impl Read, mut take: impl FnMut(u64, f64)) -> Result<(), DataError> {
        let mut left = self.count() * self.item as u64;
        let mut index = 0;
        let mut piece = vec![0; PIECE];
        while left > 0 {
            let piece = &mut piece[..left.min(PIECE as u64) as usize];
            fill(what, reader, piece)?;
            left -= piece.len() as u64;
            for item in piece.chunks_exact(self.item) {
                take(index, self.decode(item));
                index += 1;
            }
        }
        // Reading past the end also makes a zip entry check its CRC.
        let mut extra = [0];
        match reader.read(&mut extra) {
            Ok(0) => Ok(()),
            Ok(_) => Err(DataError::refused(what, "has more data than its shape says")),
            Err(error) => Err(unreadable(what, &error)),
        }
    }

    fn decode(&self, item: &[u8]) -> f64 {
        let mut bytes = [0; 8];
        for (to, from) in bytes.iter_mut().enumerate().take(item.len()) {
            *from = item[if self.big_endian { item.len() - 1 - to } else { to }];
        }
        let bits = u64::from_le_bytes(bytes);
        match (self.kind, self.item) {
            (Kind::Bool | Kind::Unsigned, _) => bits as f64,
            (Kind::Signed, size) => {
                let shift = 64 - 8 * size as u32;
                (((bits << shift) as i64) >> shift) as f64
            }
            (Kind::Float, 2) => half(bits as u16),
            (Kind::Float, 4) => f64::from(f32::from_bits(bits as u32)),
            (Kind::Float, _) => f64::from_bits(bits),
        }
    }
}

/// What is known of the values once one of them cannot be a pixel.
#[derive(Default)]
struct OddValues {
    first: Option<(u64, f64)>,
    range: (f64, f64),
    fractions: bool,
}

impl OddValues {
    fn starting(index: u64, value: f64, before: &[u8]) -> Self {
        let bound = |bound: Option<&u8>| bound.map_or(value, |&bound| f64::from(bound));
        let range = (value.min(bound(before.iter().min())), value.max(bound(before.iter().max())));
        Self { first: Some((index, value)), range, fractions: value.fract() != 0.0 }
    }

    fn widen(&mut self, value: f64) {
        self.range = (self.range.0.min(value), self.range.1.max(value));
        self.fractions |= value.fract() != 0.0;
    }

    fn check(&self, what: &str, descr: &str) -> Result<(), DataError> {
        let Some((index, value)) = self.first else {
            return Ok(());
        };
        let (min, max) = self.range;
        let problem = if value.is_nan() {
            format!("value {index} is not a number")
        } else if self.fractions && min >= -1.0 && max <= 1.0 {
            format!(
                "value {index} is {value} and all lie in {min}..{max} ({descr}): they look already scaled, give whole numbers 0..255"
            )
        } else {
            format!("value {index} is {value} ({descr}): values must be whole numbers 0..255")
        };
        Err(DataError::refused(what, problem))
    }
}

/// IEEE 754 binary16.
fn half(bits: u16) -> f64 {
    let magnitude = match (bits >> 10 & 0x1f, bits & 0x3ff) {
        (0, fraction) => f64::from(fraction) / 16_777_216.0,
        (0x1f, 0) => f64::INFINITY,
        (0x1f, _) => f64::NAN,
        (exponent, fraction) => {
            f64::from(1_024 + u32::from(fraction)) * f64::from_bits((u64::from(exponent) + 1_023 - 25) << 52)
        }
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

/// Reorders values stored with the first axis fastest.
fn to_c_order(what: &str, values: &[u8], shape: &[u64]) -> Result<Vec<u8>, DataError> {
    let mut ordered = reserve(what, values.len() as u64)?;
    let (Some((&samples, rest)), false) = (shape.split_first(), values.is_empty()) else {
        return Ok(values.to_vec());
    };
    let width: u64 = rest.iter().product();
    // Where the i-th value of a sample in C order stands in Fortran order, in steps of `samples`.
    let mut places = Vec::with_capacity(width as usize);
    for index in 0..width {
        let (mut left, mut place, mut step) = (index, 0, width);
        for &size in rest.iter().rev() {
            step /= size;
            place += left % size * step;
            left /= size;
        }
        places.push(place);
    }
    for sample in 0..samples {
        ordered.extend(places.iter().map(|place| values[(place * samples + sample) as usize]));
    }
    Ok(ordered)
}

fn dtype(what: &str, descr: &str) -> Result<(Kind, usize, bool), DataError> {
    let refuse = |problem: String| Err(DataError::refused(what, problem));
    let (order, code) = match descr.as_bytes().first() {
        Some(b'<' | b'>' | b'|' | b'=') => descr.split_at(1),
        _ => ("|", descr),
    };
    let kind = match code.as_bytes().first() {
        Some(b'b') => Kind::Bool,
        Some(b'i') => Kind::Signed,
        Some(b'u') => Kind::Unsigned,
        Some(b'f') => Kind::Float,
        Some(b'O' | b'V' | b'[') => {
            return refuse(format!(
                "dtype {descr} contains pickled Python objects or records, which are never read: save plain numbers"
            ));
        }
        _ => return refuse(format!("dtype {descr} holds no numbers: use uint8")),
    };
    let size = code[1..].parse().unwrap_or(0);
    let known: &[usize] = match kind {
        Kind::Bool => &[1],
        Kind::Signed | Kind::Unsigned => &[1, 2, 4, 8],
        Kind::Float => &[2, 4, 8],
    };
    if !known.contains(&size) {
        return refuse(format!("dtype {descr} is not supported: use uint8"));
    }
    Ok((kind, size, order == ">"))
}

fn fill(what: &str, reader: &mut impl Read, buffer: &mut [u8]) -> Result<(), DataError> {
    reader.read_exact(buffer).map_err(|error| unreadable(what, &error))
}

fn unreadable(what: &str, error: &std::io::Error) -> DataError {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => DataError::refused(what, "ends too early"),
        _ => DataError::refused(what, format!("cannot be read: {error}")),
    }
}

/// The three fields of the header, a Python literal such as
/// `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }`.
#[derive(Debug, PartialEq)]
struct Fields {
    descr: String,
    fortran: bool,
    shape: Vec<u64>,
}

impl Fields {
    fn parse(text: &str) -> Result<Self, String> {
        let mut literal = Literal { rest: text };
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        literal.expect('{')?;
        while !literal.accept('}') {
            let key = literal.string()?;
            literal.expect(':')?;
            match key.as_str() {
                "descr" => descr = Some(literal.descr()?),
                "fortran_order" => fortran = Some(literal.boolean()?),
                "shape" => shape = Some(literal.shape()?),
                other => return Err(format!("unknown field `{other}`")),
            }
            if !literal.accept(',') {
                literal.expect('}')?;
                break;
            }
        }
        if !literal.rest.trim().is_empty() {
            return Err("text after the closing brace".to_owned());
        }
        match (descr, fortran, shape) {
            (Some(descr), Some(fortran), Some(shape)) => Ok(Self { descr, fortran, shape }),
            _ => Err("descr, fortran_order or shape is missing".to_owned()),
        }
    }
}

/// A cursor over the header's text.
struct Literal<'a> {
    rest: &'a str,
}

impl Literal<'_> {
    fn accept(&mut self, wanted: char) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        if self.accept(wanted) { Ok(()) } else { Err(format!("`{wanted}` expected")) }
    }

    fn string(&mut self) -> Result<String, String> {
        for quote in ['\'', '"'] {
            if self.accept(quote) {
                let (text, rest) = self.rest.split_once(quote).ok_or("a string without end")?;
                self.rest = rest;
                return Ok(text.to_owned());
            }
        }
        Err("a string expected".to_owned())
    }

    /// A dtype's text; a list of fields (a structured dtype) becomes `[...]`, which no dtype is called.
    fn descr(&mut self) -> Result<String, String> {
        if self.accept('[') {
            let (_, rest) = self.rest.rsplit_once(']').ok_or("a list without end")?;
            self.rest = rest;
            return Ok("[...]".to_owned());
        }
        self.string()
    }

    fn boolean(&mut self) -> Result<bool, String> {
        self.rest = self.rest.trim_start();
        for (word, value) in [("True", true), ("False", false)] {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return Ok(value);
            }
        }
        Err("True or False expected".to_owned())
    }

    fn shape(&mut self) -> Result<Vec<u64>, String> {
        let mut sizes = Vec::new();
        self.expect('(')?;
        while !self.accept(')') {
            self.rest = self.rest.trim_start();
            let digits = self.rest.len() - self.rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, rest) = self.rest.split_at(digits);
            sizes.push(number.parse().map_err(|_| "a shape must hold whole numbers below 2^64")?);
            // Python 2 wrote long integers with an L.
            self.rest = rest.strip_prefix('L').unwrap_or(rest);
            if !self.accept(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(sizes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn headers_are_read_as_numpy_writes_them() {
        let parsed = Fields::parse("{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }   \n").unwrap();
        assert_eq!(parsed, Fields { descr: "<f8".into(), fortran: false, shape: vec![3, 4] });
        let parsed = Fields::parse("{\"shape\": (3L,), \"descr\": \"|u1\", \"fortran_order\": True}").unwrap();
        assert_eq!(parsed, Fields { descr: "|u1".into(), fortran: true, shape: vec![3] });
        assert!(Fields::parse("{'descr': '<f8', 'fortran_order': False, 'shape': ()}").unwrap().shape.is_empty());
        for bad in [
            "",
            "{",
            "{}",
            "{'descr': 1}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,)}",
            "{'x': 1}",
        ] {
            assert!(Fields::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn half_floats_have_their_values() {
        for (bits, value) in
            [(0x3c00, 1.0), (0x5bf8, 255.0), (0x0001, 1.0 / 16_777_216.0), (0xc000, -2.0), (0x7bff, 65504.0)]
        {
            assert_eq!(half(bits), value);
        }
        assert!(half(0x7e00).is_nan() && half(0xfc00) == f64::NEG_INFINITY);
    }

    #[test]
    fn fortran_order_becomes_c_order() {
        // a[i, j, k] = 12 i + 4 j + k for shape (2, 3, 4), stored with i fastest.
        let mut stored = Vec::new();
        for k in 0..4 {
            for j in 0..3 {
                for i in 0..2 {
                    stored.push(12 * i + 4 * j + k);
                }
            }
        }
        assert_eq!(to_c_order("x", &stored, &[2, 3, 4]).unwrap(), (0..24).collect::<Vec<u8>>());
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[{}()',:a-z0-9 ]{0,80}") {
            let mut file = b"\x93NUMPY\x01\x00".to_vec();
            file.extend_from_slice(&bytes);
            let _ = Array::read_header("x", &mut &file[..]);
            let _ = Fields::parse(&text);
        }
    }
}
