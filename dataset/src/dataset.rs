//! The canonical artifact: the one form in which a dataset is stored, sent, cached and trained on.
//!
//! Layout: the magic `besomdat`, a version (u32, little endian), the header's length (u32) and the
//! header (JSON with the fields of [`Header`] in their order), then the rows, the training rows
//! first, then the labels, and nothing after. Equal datasets have equal bytes and so one digest.
//! The bytes are held once; rows are a view into them.
//!
//! Version 1 holds bytes of at most 255 classes: a byte a value and a byte a label. Everything else
//! is version 2: its labels take two bytes, and its values are bytes or 32-bit floats (all little
//! endian). Floats are stored as the network reads them, so after scaling; the statistics that they
//! were scaled by (64-bit floats, see [`Scaling`]) stand between the header and the rows.

use std::ops::Range;

use besom_sweep::{MAX_CLASSES, Scale};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::DataError;
use super::digest::hex;
use super::limits::{count_values, reserve, row_bytes, show_shape};
use super::memory::Memory;
use super::scaling::Scaling;

const MAGIC: &[u8; 8] = b"besomdat";
/// Bytes of at most [`NARROW`] classes.
const BYTES: u32 = 1;
/// Everything else.
const WIDE: u32 = 2;
const PREFIX: usize = 16;
/// Classes whose labels version 1 holds.
const NARROW: usize = 255;
/// 255 class names of 200 bytes each fit well.
const MAX_HEADER: u32 = 1 << 16;
/// As many names of that length as there may be classes.
const MAX_WIDE_HEADER: u32 = 1 << 20;

/// What values are stored as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Whole numbers 0 to 255, which training divides by the largest one.
    #[default]
    Bytes,
    /// 32-bit floats, which training takes as they are.
    Floats,
}

impl Kind {
    /// Bytes of a value.
    pub(super) fn width(self) -> u64 {
        match self {
            Self::Bytes => 1,
            Self::Floats => 4,
        }
    }

    fn is_bytes(&self) -> bool {
        *self == Self::Bytes
    }
}

/// What a dataset is, without its samples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Values of one sample: the product of `shape`.
    pub features: u32,
    /// Shape of one sample: `[28, 28]` or `[784]`.
    pub shape: Vec<u32>,
    /// Names in label order, 1 to 4,096 of them, all different.
    pub classes: Vec<String>,
    /// Samples of the training split, at least 1.
    pub train: u32,
    /// Samples of the test split, at least 1.
    pub test: u32,
    /// Of bytes the largest value of the training split, at least 1: pixels are divided by it. Of
    /// floats 0.
    pub max: u8,
    /// True for drawn data (`builtin:sketches`): every output says so.
    pub synthetic: bool,
    /// What the values are stored as.
    #[serde(default, skip_serializing_if = "Kind::is_bytes")]
    pub values: Kind,
    /// How floats were scaled; `None` for bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
}

impl Header {
    /// Samples of both splits. Does not overflow: checked where a header is made.
    fn samples(&self) -> usize {
        self.train as usize + self.test as usize
    }

    /// The version of the artifact.
    fn version(&self) -> u32 {
        if self.values == Kind::Bytes && self.classes.len() <= NARROW { BYTES } else { WIDE }
    }

    /// Bytes of a label.
    fn label_width(&self) -> usize {
        if self.version() == BYTES { 1 } else { 2 }
    }

    /// Bytes of the statistics.
    fn statistics_bytes(&self) -> usize {
        self.scale.map_or(0, |scale| Scaling::numbers(scale, self.features as usize) * size_of::<f64>())
    }

    /// Checks the header alone and gives the number of bytes of rows.
    pub(super) fn check(&self, what: &str) -> Result<u64, DataError> {
        let refuse = |problem: String| Err(DataError::refused(what, problem));
        let sizes: Vec<u64> = self.shape.iter().map(|&size| u64::from(size)).collect();
        if sizes.is_empty() || count_values(what, &sizes)? != u64::from(self.features) || self.features == 0 {
            return refuse(format!("shape {} does not make {} features", show_shape(&sizes), self.features));
        }
        if self.train == 0 || self.test == 0 {
            return refuse(format!("{} training and {} test samples: one split is empty", self.train, self.test));
        }
        if self.classes.is_empty() || self.classes.len() > MAX_CLASSES {
            return refuse(format!("{} classes: must be 1 to {MAX_CLASSES}", self.classes.len()));
        }
        let mut sorted: Vec<&String> = self.classes.iter().collect();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return refuse(format!("two classes are named `{}`", pair[0]));
        }
        if (self.values == Kind::Floats) != self.scale.is_some() {
            return refuse("floats, and only they, say how they were scaled".to_owned());
        }
        let samples = u64::from(self.train) + u64::from(self.test);
        if u32::try_from(samples).is_err() {
            return refuse(format!("{samples} samples: at most {}", u32::MAX));
        }
        row_bytes(what, samples, u64::from(self.features), self.values.width())
    }
}

/// The rows of a dataset: one value after the other, row by row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rows<'a> {
    /// Whole numbers, not scaled yet.
    Bytes(&'a [u8]),
    /// Numbers as the network reads them, each as its four bytes, little endian.
    Floats(&'a [[u8; 4]]),
}

impl<'a> Rows<'a> {
    /// The bytes, where they are such.
    #[must_use]
    #[inline]
    pub fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Floats(_) => None,
        }
    }

    /// All values as numbers, as they are stored.
    pub fn numbers(self) -> impl Iterator<Item = f32> + 'a {
        let (bytes, floats): (&[u8], &[[u8; 4]]) = match self {
            Self::Bytes(bytes) => (bytes, &[]),
            Self::Floats(floats) => (&[], floats),
        };
        let floats = floats.iter().map(|&value| f32::from_le_bytes(value));
        bytes.iter().map(|&value| f32::from(value)).chain(floats)
    }

    /// The values in `range`.
    #[must_use]
    #[inline]
    pub fn part(self, range: Range<usize>) -> Self {
        match self {
            Self::Bytes(bytes) => Self::Bytes(&bytes[range]),
            Self::Floats(floats) => Self::Floats(&floats[range]),
        }
    }

    /// How they lie in memory.
    #[must_use]
    pub fn memory(self) -> &'a [u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Floats(floats) => floats.as_flattened(),
        }
    }
}

/// A dataset in memory. Shared as `Arc<Dataset>`; never copied.
pub struct Dataset {
    header: Header,
    bytes: Memory,
    rows: Range<usize>,
    labels: Vec<u16>,
    scaling: Option<Scaling>,
    digest: String,
}

impl std::fmt::Debug for Dataset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dataset").field("header", &self.header).field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl Dataset {
    /// Shape, classes, sizes of the splits.
    #[must_use]
    #[inline]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// `(train + test) x features` values, row-major; the training rows first, then the test rows.
    #[must_use]
    #[inline]
    pub fn rows(&self) -> Rows<'_> {
        let bytes = &self.bytes[self.rows.clone()];
        match self.header.values {
            Kind::Bytes => Rows::Bytes(bytes),
            Kind::Floats => Rows::Floats(bytes.as_chunks().0),
        }
    }

    /// One row.
    #[must_use]
    #[inline]
    pub fn row(&self, row: usize) -> Rows<'_> {
        let features = self.header.features as usize;
        self.rows().part(row * features..(row + 1) * features)
    }

    /// `train + test` class indices, in the order of the rows.
    #[must_use]
    #[inline]
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// How floats were scaled; `None` for bytes.
    #[must_use]
    pub fn scaling(&self) -> Option<&Scaling> {
        self.scaling.as_ref()
    }

    /// SHA-256 of [`Dataset::artifact`], lower-case hex.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The canonical bytes, as stored and sent.
    #[must_use]
    pub fn artifact(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes the canonical bytes and checks their layout and every label; the digest is computed.
    ///
    /// # Errors
    /// [`DataError::Refused`] naming what does not fit.
    pub fn from_artifact(bytes: Vec<u8>) -> Result<Self, DataError> {
        let what = "dataset artifact";
        let refuse = |problem: String| Err(DataError::refused(what, problem));
        let (header, start) = Self::read_header(&bytes)?;
        let row_bytes = header.check(what)?;
        let samples = header.samples();
        let (statistics, labels) = (header.statistics_bytes(), samples * header.label_width());
        let expected = (start + statistics + labels) as u64 + row_bytes;
        if bytes.len() as u64 != expected {
            return refuse(format!("has {} bytes, its header asks for {expected}", bytes.len()));
        }
        let rows = start + statistics..bytes.len() - labels;
        let labels: Vec<u16> = match header.label_width() {
            1 => bytes[rows.end..].iter().map(|&label| u16::from(label)).collect(),
            _ => bytes[rows.end..].as_chunks().0.iter().map(|&label| u16::from_le_bytes(label)).collect(),
        };
        if let Some(&label) = labels.iter().find(|&&label| usize::from(label) >= header.classes.len()) {
            return refuse(format!("has label {label} for {} classes", header.classes.len()));
        }
        let scaling = match header.scale {
            None => {
                let train_values = header.train as usize * header.features as usize;
                let max = bytes[rows.clone()][..train_values].iter().copied().max().unwrap_or(0);
                if max != header.max || max == 0 {
                    return refuse(format!("claims a training maximum of {}, but it is {max}", header.max));
                }
                None
            }
            Some(scale) => {
                let values = bytes[rows.clone()].as_chunks().0;
                if header.max != 0 || values.iter().any(|&value| !f32::from_le_bytes(value).is_finite()) {
                    return refuse("holds floats that are not finite, or a maximum for them".to_owned());
                }
                match Scaling::decode(scale, header.features as usize, &bytes[start..rows.start]) {
                    Some(scaling) => Some(scaling),
                    None => return refuse("has statistics that nothing can be scaled by".to_owned()),
                }
            }
        };
        let digest = hex(&Sha256::digest(&bytes));
        Ok(Self { header, bytes: bytes.into(), rows, labels, scaling, digest })
    }

    /// The header, and where it ends.
    fn read_header(bytes: &[u8]) -> Result<(Header, usize), DataError> {
        let refuse = |problem: String| Err(DataError::refused("dataset artifact", problem));
        let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX>() else {
            return refuse(format!("{} bytes are too few", bytes.len()));
        };
        if &prefix[..8] != MAGIC {
            return refuse("does not begin with `besomdat`".to_owned());
        }
        let version = u32::from_le_bytes([prefix[8], prefix[9], prefix[10], prefix[11]]);
        if version != BYTES && version != WIDE {
            return refuse(format!("has format version {version}, this build reads {BYTES} and {WIDE}"));
        }
        let length = u32::from_le_bytes([prefix[12], prefix[13], prefix[14], prefix[15]]);
        if length > max_header(version) || length as usize > rest.len() {
            return refuse(format!("claims a header of {length} bytes"));
        }
        let header: Header = match serde_json::from_slice(&rest[..length as usize]) {
            Ok(header) => header,
            Err(error) => return refuse(format!("has an unreadable header: {error}")),
        };
        if header.version() != version {
            return refuse(format!("has format version {version}, its header asks for {}", header.version()));
        }
        Ok((header, PREFIX + length as usize))
    }

    /// Lays out bytes: `fill` appends the rows to what it is given.
    ///
    /// # Errors
    /// What [`Dataset::from_artifact`] refuses, and a training split with nothing but zeros.
    pub(super) fn of_bytes(
        what: &str,
        mut header: Header,
        labels: impl Iterator<Item = u16>,
        fill: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Self, DataError> {
        // The header's length depends on the maximum, which is known once the rows are there: the
        // body is written behind the header of the longest maximum and moved back by the
        // difference.
        header.max = u8::MAX;
        let mut body = begin(what, &header)?;
        let start = body.len();
        fill(&mut body);
        let train_values = header.train as usize * header.features as usize;
        header.max = body[start..].iter().take(train_values).copied().max().unwrap_or(0);
        if header.max == 0 {
            return Err(DataError::refused(what, "every value of the training split is 0"));
        }
        Self::finish(what, &header, body, start, labels)
    }

    /// Lays out numbers that `scaling` has scaled: `fill` appends the rows to what it is given.
    ///
    /// # Errors
    /// What [`Dataset::from_artifact`] refuses.
    pub(super) fn of_floats(
        what: &str,
        header: Header,
        scaling: &Scaling,
        labels: impl Iterator<Item = u16>,
        fill: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Self, DataError> {
        let header = Header { values: Kind::Floats, scale: Some(scaling.scale()), max: 0, ..header };
        let mut body = begin(what, &header)?;
        let start = body.len();
        scaling.encode(&mut body);
        fill(&mut body);
        Self::finish(what, &header, body, start, labels)
    }

    fn finish(
        what: &str,
        header: &Header,
        mut body: Vec<u8>,
        start: usize,
        labels: impl Iterator<Item = u16>,
    ) -> Result<Self, DataError> {
        match header.label_width() {
            // Version 1 has no more classes than a byte tells apart.
            1 => body.extend(labels.map(|label| label as u8)),
            _ => body.extend(labels.flat_map(u16::to_le_bytes)),
        }
        let text = encode(what, header)?;
        let mut prefix = Vec::with_capacity(PREFIX + text.len());
        prefix.extend_from_slice(MAGIC);
        prefix.extend_from_slice(&header.version().to_le_bytes());
        prefix.extend_from_slice(&(text.len() as u32).to_le_bytes());
        prefix.extend_from_slice(&text);
        body.splice(..start, prefix);
        body.shrink_to_fit();
        Self::from_artifact(body)
    }
}

/// An empty body behind the room that its header takes.
fn begin(what: &str, header: &Header) -> Result<Vec<u8>, DataError> {
    let rows = header.check(what)?;
    let text = encode(what, header)?.len();
    let rest = PREFIX + text + header.statistics_bytes() + header.samples() * header.label_width();
    let mut body = reserve(what, rows + rest as u64)?;
    body.resize(PREFIX + text, 0);
    Ok(body)
}

fn max_header(version: u32) -> u32 {
    if version == BYTES { MAX_HEADER } else { MAX_WIDE_HEADER }
}

fn encode(what: &str, header: &Header) -> Result<Vec<u8>, DataError> {
    let text = serde_json::to_vec(header).expect("a header has string keys and finite numbers only");
    if text.len() > max_header(header.version()) as usize {
        return Err(DataError::refused(what, format!("the class names are too long: {} bytes", text.len())));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(features: u32, train: u32, test: u32, classes: u32) -> Header {
        let classes = (0..classes).map(|class| format!("class {class}")).collect();
        let (values, scale) = (Kind::Bytes, None);
        Header { features, shape: vec![features], classes, train, test, max: 0, synthetic: false, values, scale }
    }

    fn small() -> Dataset {
        Dataset::of_bytes("x", header(3, 4, 2, 2), [1; 6].into_iter(), |out| out.extend([1; 18])).unwrap()
    }

    fn small_floats(scale: Scale) -> Dataset {
        let scaling = Scaling::of(scale, 3, [&[1.0, 2.0, 3.0][..], &[4.0, 0.0, -1.5]].into_iter());
        let rows = |out: &mut Vec<u8>| out.extend((0..18).flat_map(|at| (at as f32 / 4.0 - 1.0).to_le_bytes()));
        Dataset::of_floats("x", header(3, 4, 2, 2), &scaling, [1; 6].into_iter(), rows).unwrap()
    }

    proptest! {
        #[test]
        fn an_artifact_survives_encoding(
            features in 1_u32..9, train in 1_u32..9, test in 1_u32..9, classes in 1_u32..600,
            seed in any::<u8>(), synthetic: bool, scale in prop::sample::select(vec![Scale::None, Scale::Max, Scale::Standard]),
        ) {
            let samples = train + test;
            let rows: Vec<u8> = (0..samples * features).map(|i| (i as u8).wrapping_mul(seed | 1).wrapping_add(1)).collect();
            let labels: Vec<u16> = (0..samples).map(|i| (i % classes) as u16).collect();
            let header = Header { synthetic, ..header(features, train, test, classes) };
            let fill = |out: &mut Vec<u8>| out.extend_from_slice(&rows);
            let built = Dataset::of_bytes("x", header.clone(), labels.iter().copied(), fill).unwrap();
            prop_assert_eq!(built.rows(), Rows::Bytes(&rows));
            prop_assert_eq!(built.labels(), &labels[..]);
            prop_assert_eq!(built.header().max, *rows[..(train * features) as usize].iter().max().unwrap());
            let version = if classes > 255 { 2 } else { 1 };
            prop_assert_eq!(built.artifact()[8], version);
            let again = Dataset::from_artifact(built.artifact().to_vec()).unwrap();
            prop_assert_eq!(again.header(), built.header());
            prop_assert_eq!(again.digest(), built.digest());
            prop_assert_eq!(again.rows(), built.rows());

            let numbers: Vec<f32> = rows.iter().map(|&byte| f32::from(byte) / 7.0 - 9.0).collect();
            let scaling = Scaling::of(scale, features as usize, numbers.chunks_exact(features as usize).take(train as usize));
            let fill = |out: &mut Vec<u8>| out.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
            let floats = Dataset::of_floats("x", header, &scaling, labels.iter().copied(), fill).unwrap();
            prop_assert_eq!(floats.rows().numbers().collect::<Vec<_>>(), numbers);
            prop_assert_eq!((floats.labels(), floats.scaling()), (&labels[..], Some(&scaling)));
            let again = Dataset::from_artifact(floats.artifact().to_vec()).unwrap();
            prop_assert_eq!((again.header(), again.scaling()), (floats.header(), floats.scaling()));
            prop_assert_eq!((again.digest(), again.rows()), (floats.digest(), floats.rows()));
        }

        #[test]
        fn a_cut_or_changed_artifact_never_panics(at in 0_usize..400, value: u8, cut in 0_usize..400, kind in 0..3) {
            let built = match kind {
                0 => small(),
                1 => small_floats(Scale::Standard),
                _ => small_floats(Scale::None),
            };
            let mut bytes = built.artifact().to_vec();
            let length = bytes.len();
            bytes[at % length] = value;
            let _ = Dataset::from_artifact(bytes.clone());
            bytes.truncate(cut % length);
            prop_assert!(Dataset::from_artifact(bytes).is_err());
        }
    }

    /// What is said of `good` with `from` in its header replaced by `to`.
    fn lie(good: &Dataset, from: &str, to: &str) -> String {
        let text = serde_json::to_string(good.header()).unwrap();
        let changed = text.replace(from, to);
        assert_ne!(changed, text);
        let mut bytes = good.artifact()[..12].to_vec();
        bytes.extend_from_slice(&(changed.len() as u32).to_le_bytes());
        bytes.extend_from_slice(changed.as_bytes());
        bytes.extend_from_slice(&good.artifact()[PREFIX + text.len()..]);
        Dataset::from_artifact(bytes).unwrap_err().to_string()
    }

    #[test]
    fn lying_artifacts_are_refused() {
        let good = small();
        let with = |from: &str, to: &str| lie(&good, from, to);
        assert!(with("\"train\":4", "\"train\":5").contains("its header asks for"));
        assert!(with("\"train\":4", "\"train\":4294967295").contains("at most"));
        assert!(with("[3]", "[65536,65536,65536,65536]").contains("too large"));
        assert!(with("[3]", "[4]").contains("does not make 3 features"));
        assert!(with("\"max\":1", "\"max\":9").contains("training maximum"));
        assert!(with("class 1", "class 0").contains("two classes"));
        assert!(with(",\"class 1\"", "").contains("label 1 for 1 classes"));
        assert!(with("\"test\":2", "\"test\":0").contains("empty"));
        assert!(with("synthetic", "sympathetic").contains("unreadable header"));
        assert!(with("false", "false,\"scale\":\"max\"").contains("only they"));
        assert!(with("false", "false,\"values\":\"floats\",\"scale\":\"max\"").contains("version 1"));
        let mut long = good.artifact().to_vec();
        long[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(Dataset::from_artifact(long).unwrap_err().to_string().contains("claims a header of"));
    }

    #[test]
    fn lying_artifacts_of_floats_are_refused() {
        let good = small_floats(Scale::Standard);
        let with = |from: &str, to: &str| lie(&good, from, to);
        assert!(with("\"max\":0", "\"max\":9").contains("a maximum for them"));
        assert!(with("standard", "none").contains("its header asks for"));
        assert!(with(",\"scale\":\"standard\"", "").contains("only they"));
        assert!(with(",\"values\":\"floats\",\"scale\":\"standard\"", "").contains("version 2"));
        let spoil = |at: usize, number: &[u8]| {
            let mut bytes = good.artifact().to_vec();
            let at = bytes.len() - at;
            bytes[at..at + number.len()].copy_from_slice(number);
            Dataset::from_artifact(bytes).unwrap_err().to_string()
        };
        let (labels, rows, statistics) = (6 * 2, 18 * 4, 6 * 8);
        assert!(spoil(2, &7_u16.to_le_bytes()).contains("label 7 for 2 classes"));
        assert!(spoil(labels + 4, &f32::NAN.to_le_bytes()).contains("not finite"));
        assert!(spoil(labels + rows + statistics, &f64::INFINITY.to_le_bytes()).contains("statistics"));
        assert!(spoil(labels + rows + 8, &0.0_f64.to_le_bytes()).contains("statistics"));
    }

    #[test]
    fn the_artifact_of_bytes_is_as_it_always_was() {
        let text = br#"{"features":3,"shape":[3],"classes":["class 0","class 1"],"train":4,"test":2,"max":1,"synthetic":false}"#;
        let mut expected = b"besomdat\x01\0\0\0".to_vec();
        expected.extend((text.len() as u32).to_le_bytes());
        expected.extend(text);
        expected.extend([1; 24]);
        assert_eq!(small().artifact(), expected);
    }
}
