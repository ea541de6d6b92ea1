//! One .npy array, read as values or as labels.
//!
//! Format: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>, versions 1 to
//! 3. The header is a promise: its length is capped as NumPy caps it, the shape is multiplied with
//! checks, and the data must be exactly as long as it says. Values are converted in pieces, so a
//! float64 array never stands in memory whole.

use std::io::Read;

use super::DataError;
use super::form::{Filling, Precision, Seen};
use super::labels::{self, MAX_LABEL, Texts, VALUES};
use super::limits::{Axes, check_label_count, count_values, show_shape};
use super::samples::Labels;

/// NumPy's own limit for headers of untrusted files.
const MAX_HEADER: u32 = 10_000;
/// Bytes converted at once.
const PIECE: usize = 1 << 16;
/// Longest text of an item in bytes: UTF-32 takes four a character.
const MAX_TEXT: usize = 4 * MAX_LABEL;

/// How one item is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Signed,
    Unsigned,
    Float,
    /// Latin characters of a byte each.
    Bytes,
    /// Characters of four bytes each.
    Text,
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
        if count_values(what, &fields.shape)? == 0 {
            // The other axes of such an array may be of any size.
            return Err(refuse(&format!("has shape {}: no samples", show_shape(&fields.shape))));
        }
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

    /// Bytes of the whole file that the header promises. Cannot overflow: at most 2^30 items of
    /// some hundred bytes.
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

    /// Whether all values are bytes or truth values, so that nothing need be looked at to know
    /// their form.
    pub(super) fn is_bytes(&self) -> bool {
        matches!((self.kind, self.item), (Kind::Bool, _) | (Kind::Unsigned, 1))
    }

    /// The form of the values of the first `samples` samples, for which they are read where their
    /// type leaves it open.
    ///
    /// # Errors
    /// Where there are texts, or a value is no finite number, or the data are shorter or longer
    /// than promised.
    pub(super) fn see(
        &self,
        what: &str,
        reader: &mut impl Read,
        samples: u64,
        seen: &mut Seen,
    ) -> Result<(), DataError> {
        if matches!(self.kind, Kind::Bytes | Kind::Text) {
            let problem = format!("dtype {} holds texts, not the numbers of samples", self.descr);
            return Err(DataError::refused(what, problem));
        }
        if self.is_bytes() {
            seen.join(Seen::of_bytes());
            return Ok(());
        }
        let precision = if self.kind == Kind::Float && self.item == 2 { Precision::Half } else { Precision::Single };
        let mut bad = None;
        self.for_each_of(what, reader, samples, |index, item| {
            if let Err(problem) = seen.add(self.decode(item), precision)
                && bad.is_none()
            {
                bad = Some(format!("value {index} {problem}"));
            }
        })?;
        bad.map_or(Ok(()), |problem| Err(DataError::refused(what, problem)))
    }

    /// Appends the values of the first `samples` samples in C order, colours last.
    ///
    /// # Errors
    /// Where the data are shorter or longer than promised, or memory is missing.
    pub(super) fn read_values(
        &self,
        what: &str,
        reader: &mut impl Read,
        samples: u64,
        values: &mut Filling,
    ) -> Result<(), DataError> {
        let start = values.len();
        let holds_all = !self.fortran || samples == self.samples();
        if self.kind == Kind::Unsigned && self.item == 1 && holds_all {
            self.for_each_piece(what, reader, self.stored(samples), |_, piece| values.push_bytes(piece))?;
        } else {
            self.for_each_of(what, reader, samples, |_, item| values.push(self.decode(item)))?;
        }
        let (rows, shape) = (samples as usize, self.shape.get(1..).unwrap_or_default());
        let shape: Vec<usize> = shape.iter().map(|&size| size as usize).collect();
        let width: usize = shape.iter().product();
        if self.fortran && width > 0 {
            values.reorder_columns(what, start, rows, &fortran_places(&shape))?;
        }
        if let [3, height, width] = shape[..]
            && Axes::new(what, &self.shape).is_ok_and(|axes| axes.planes)
        {
            let area = height * width;
            let places: Vec<usize> = (0..3 * area).map(|at| at % 3 * area + at / 3).collect();
            values.reorder(what, start, rows, &places)?;
        }
        Ok(())
    }

    /// How many items must be read to have the first `samples` samples.
    fn stored(&self, samples: u64) -> u64 {
        let width: u64 = self.shape.iter().skip(1).product();
        if self.fortran { self.count() } else { self.count().min(samples.saturating_mul(width)) }
    }

    /// The number of columns of labels that have one for each class.
    pub(super) fn one_hot_columns(&self) -> Option<u64> {
        match self.shape[..] {
            [samples, classes] if samples > 1 && classes > 1 => Some(classes),
            _ => None,
        }
    }

    /// Reads all values as labels of so many samples: one column of whole numbers or texts, or one
    /// column for each class, of which every sample has one 1.
    ///
    /// # Errors
    /// Where the array is nothing of that.
    pub(super) fn read_labels(&self, what: &str, reader: &mut impl Read, samples: u64) -> Result<Labels, DataError> {
        match self.shape[..] {
            [_] | [_, 1] => {}
            // A row rather than a column, as MATLAB's files become.
            [1, count] if count == samples => {}
            [_, classes] if !matches!(self.kind, Kind::Bytes | Kind::Text) => {
                check_label_count(what, samples, self.samples())?;
                return self.read_one_hot(what, reader, samples, classes);
            }
            _ => {
                let shape = show_shape(&self.shape);
                let problem = format!("labels must be one column, or one 1 in a column for each class, not {shape}");
                return Err(DataError::refused(what, problem));
            }
        }
        // Eight bytes each, whatever they take in the file: a few compressed megabytes could ask
        // for 16 GiB.
        check_label_count(what, samples, self.count())?;
        if matches!(self.kind, Kind::Bytes | Kind::Text) {
            return self.read_texts(what, reader);
        }
        let mut labels = Vec::with_capacity(samples as usize);
        let mut bad = None;
        self.for_each(what, reader, self.count(), |index, item| {
            let value = self.decode(item);
            // Beyond 2^53 an f64 does not hold every integer, and no class is called that.
            if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 {
                labels.push(value as i64);
            } else if bad.is_none() {
                bad = Some((index, value));
            }
        })?;
        let Some((index, value)) = bad else { return Ok(Labels::Integers(labels)) };
        let why = if value.is_finite() { VALUES } else { "give a whole number or drop the sample" };
        Err(DataError::refused(what, format!("label {index} is {value}: {why}")))
    }

    fn read_one_hot(
        &self,
        what: &str,
        reader: &mut impl Read,
        samples: u64,
        classes: u64,
    ) -> Result<Labels, DataError> {
        // The class of each sample so far, or -1; in Fortran order they come column by column.
        let mut labels = vec![-1_i64; samples as usize];
        let mut bad = None;
        self.for_each(what, reader, self.count(), |index, item| {
            let (sample, class) =
                if self.fortran { (index % samples, index / samples) } else { (index / classes, index % classes) };
            let value = self.decode(item);
            let label = &mut labels[sample as usize];
            if value == 1.0 && *label == -1 {
                *label = class as i64;
            } else if value != 0.0 && bad.is_none() {
                bad = Some((sample, value));
            }
        })?;
        let none = labels.iter().position(|&label| label == -1).map(|sample| format!("sample {sample} has no 1"));
        let several = bad.map(|(sample, value)| match value {
            1.0 => format!("sample {sample} has several 1s, and besom knows one class a sample"),
            value => format!("sample {sample} has a {value}"),
        });
        match several.or(none) {
            None => Ok(Labels::Integers(labels)),
            Some(problem) => Err(DataError::refused(
                what,
                format!(
                    "labels of shape {} must have one 1 for the class of a sample and else 0 (one-hot): {problem}",
                    show_shape(&self.shape)
                ),
            )),
        }
    }

    fn read_texts(&self, what: &str, reader: &mut impl Read) -> Result<Labels, DataError> {
        let mut texts = Texts::default();
        let mut bad = None;
        self.for_each(what, reader, self.count(), |index, item| {
            let added = self.decode_text(item).and_then(|text| texts.add(&text, || format!("label {index}")));
            if let Err(problem) = added
                && bad.is_none()
            {
                bad = Some(format!("label {index}: {problem}"));
            }
        })?;
        if let Some(problem) = bad {
            return Err(DataError::refused(what, problem));
        }
        texts.finish(labels::plain).map_err(|problem| DataError::refused(what, problem))
    }

    /// Feeds the items of the first `samples` samples, as stored, to `take`: in Fortran order they
    /// lie all over the file.
    fn for_each_of(
        &self,
        what: &str,
        reader: &mut impl Read,
        samples: u64,
        mut take: impl FnMut(u64, &[u8]),
    ) -> Result<(), DataError> {
        let all = self.samples().max(1);
        self.for_each(what, reader, self.stored(samples), |index, item| {
            if !self.fortran || index % all < samples {
                take(index, item);
            }
        })
    }

    /// Feeds the first `count` items, as stored, to `take`.
    fn for_each(
        &self,
        what: &str,
        reader: &mut impl Read,
        count: u64,
        mut take: impl FnMut(u64, &[u8]),
    ) -> Result<(), DataError> {
        self.for_each_piece(what, reader, count, |first, piece| {
            for (index, item) in piece.chunks_exact(self.item).enumerate() {
                take(first + index as u64, item);
            }
        })
    }

    /// Feeds the first `count` items in pieces of many, with the index of the first one of each.
    /// Where these are all, it makes sure that the data end where they should.
    fn for_each_piece(
        &self,
        what: &str,
        reader: &mut impl Read,
        count: u64,
        mut take: impl FnMut(u64, &[u8]),
    ) -> Result<(), DataError> {
        let at_once = (PIECE / self.item).max(1) as u64;
        let mut piece = vec![0; at_once as usize * self.item];
        let mut index = 0;
        while index < count {
            let items = at_once.min(count - index);
            let piece = &mut piece[..items as usize * self.item];
            fill(what, reader, piece)?;
            take(index, piece);
            index += items;
        }
        if count < self.count() {
            return Ok(());
        }
        // Reading past the end also makes a zip entry check its CRC.
        let mut extra = [0];
        match reader.read(&mut extra) {
            Ok(0) => Ok(()),
            Ok(_) => Err(DataError::refused(what, "has more data than its shape says")),
            Err(error) => Err(unreadable(what, &error)),
        }
    }

    /// A text without the zeros that fill it up.
    fn decode_text(&self, item: &[u8]) -> Result<String, String> {
        let text: Option<String> = match self.kind {
            Kind::Text => item
                .as_chunks()
                .0
                .iter()
                .map(|&bytes| if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
                .map(char::from_u32)
                .collect(),
            _ => std::str::from_utf8(item).ok().map(str::to_owned),
        };
        let text = text.ok_or("the label is not text")?;
        Ok(text.trim_end_matches('\0').trim().to_owned())
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
            (Kind::Bytes | Kind::Text, _) => f64::NAN,
        }
    }
}

/// IEEE 754 binary16.
pub(super) fn half(bits: u16) -> f64 {
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

/// Where the values of a sample of `shape` stand in Fortran order, in steps of the number of
/// samples.
fn fortran_places(shape: &[usize]) -> Vec<usize> {
    let width: usize = shape.iter().product();
    let place = |index: usize| {
        let (mut left, mut place, mut step) = (index, 0, width);
        for &size in shape.iter().rev() {
            step /= size;
            place += left % size * step;
            left /= size;
        }
        place
    };
    (0..width).map(place).collect()
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
        Some(b'S') => Kind::Bytes,
        Some(b'U') => Kind::Text,
        Some(b'O' | b'V' | b'[') => {
            return refuse(format!(
                "dtype {descr} contains pickled Python objects or records, which are never read: save plain numbers with \
                 .astype(\"uint8\") or \"float32\", and texts with .astype(\"U\")"
            ));
        }
        _ => return refuse(format!("dtype {descr} holds no numbers: use uint8")),
    };
    let size: usize = code[1..].parse().unwrap_or(0);
    if let Kind::Bytes | Kind::Text = kind {
        let bytes = if kind == Kind::Text { size.saturating_mul(4) } else { size };
        if !(1..=MAX_TEXT).contains(&bytes) {
            return refuse(format!("dtype {descr}: texts of 1 to {MAX_LABEL} characters are read"));
        }
        return Ok((kind, bytes, order == ">"));
    }
    let known: &[usize] = match kind {
        Kind::Bool => &[1],
        Kind::Signed | Kind::Unsigned => &[1, 2, 4, 8],
        Kind::Float => &[2, 4, 8],
        Kind::Bytes | Kind::Text => &[],
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

    /// A dtype's text; a list of fields (a structured dtype) becomes `[...]`, which no dtype is
    /// called.
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
    use super::super::form::Form;
    use super::super::samples::Values;
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
        let mut stored = Filling::new("x", Form::Bytes, 24).unwrap();
        for k in 0..4 {
            for j in 0..3 {
                for i in 0..2 {
                    stored.push_bytes(&[12 * i + 4 * j + k]);
                }
            }
        }
        stored.reorder_columns("x", 0, 2, &fortran_places(&[3, 4])).unwrap();
        assert_eq!(stored.finish(), Values::Bytes((0..24).collect()));
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
