//! The canonical artifact: the one form in which a dataset is stored, sent, cached and trained on.
//!
//! Layout: the magic `besomdat`, a version (u32, little endian), the header's length (u32) and the header (JSON
//! with the fields of [`Header`] in their order), then `(train + test) x features` bytes of rows, the training
//! rows first, then `train + test` bytes of labels, and nothing after. Equal datasets have equal bytes and so one
//! digest. The bytes are held once; rows and labels are views into them.

use std::ops::Range;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::DataError;
use super::limits::{count_values, show_shape};
use super::memory::Memory;
use super::strips::Strips;

const MAGIC: &[u8; 8] = b"besomdat";
const VERSION: u32 = 1;
const PREFIX: usize = 16;
/// 255 class names of 200 bytes each fit well.
const MAX_HEADER: u32 = 1 << 16;
/// Labels are bytes, and 255 stays free.
pub(super) const MAX_CLASSES: usize = 255;

/// What a dataset is, without its samples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Values of one sample: the product of `shape`.
    pub features: u32,
    /// Shape of one sample: `[28, 28]` or `[784]`.
    pub shape: Vec<u32>,
    /// Names in label order, 1 to 255 of them, all different.
    pub classes: Vec<String>,
    /// Samples of the training split, at least 1.
    pub train: u32,
    /// Samples of the test split, at least 1.
    pub test: u32,
    /// Largest value of the training split, at least 1: pixels are divided by it.
    pub max: u8,
    /// True for drawn data (`builtin:sketches`): every output says so.
    pub synthetic: bool,
}

impl Header {
    /// Samples of both splits. Does not overflow: checked where a header is made.
    fn samples(&self) -> usize {
        self.train as usize + self.test as usize
    }

    /// Checks the header alone and gives the number of bytes of rows.
    fn check(&self, what: &str) -> Result<u64, DataError> {
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
        let samples = u64::from(self.train) + u64::from(self.test);
        if u32::try_from(samples).is_err() {
            return refuse(format!("{samples} samples: at most {}", u32::MAX));
        }
        count_values(what, &[samples, u64::from(self.features)])
    }
}

/// A dataset in memory. Shared as `Arc<Dataset>`; never copied.
pub struct Dataset {
    header: Header,
    bytes: Memory,
    rows: Range<usize>,
    labels: Range<usize>,
    digest: String,
    strips: OnceLock<Strips>,
}

impl std::fmt::Debug for Dataset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dataset").field("header", &self.header).field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl Dataset {
    /// Shape, classes, sizes of the splits.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// `(train + test) x features` values, row-major; the training rows first, then the test rows.
    #[must_use]
    pub fn rows(&self) -> &[u8] {
        &self.bytes[self.rows.clone()]
    }

    /// `train + test` class indices, in the order of the rows.
    #[must_use]
    pub fn labels(&self) -> &[u8] {
        &self.bytes[self.labels.clone()]
    }

    /// Which parts of the rows are all 0; found when it is first asked for.
    pub(crate) fn strips(&self) -> &Strips {
        self.strips.get_or_init(|| Strips::new(&self.header.shape, self.rows()))
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
        let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX>() else {
            return refuse(format!("{} bytes are too few", bytes.len()));
        };
        if &prefix[..8] != MAGIC {
            return refuse("does not begin with `besomdat`".to_owned());
        }
        let version = u32::from_le_bytes([prefix[8], prefix[9], prefix[10], prefix[11]]);
        if version != VERSION {
            return refuse(format!("has format version {version}, this build reads {VERSION}"));
        }
        let length = u32::from_le_bytes([prefix[12], prefix[13], prefix[14], prefix[15]]);
        if length > MAX_HEADER || length as usize > rest.len() {
            return refuse(format!("claims a header of {length} bytes"));
        }
        let header: Header = match serde_json::from_slice(&rest[..length as usize]) {
            Ok(header) => header,
            Err(error) => return refuse(format!("has an unreadable header: {error}")),
        };
        let row_bytes = header.check(what)?;
        let samples = header.samples();
        let start = PREFIX + length as usize;
        let expected = start as u64 + row_bytes + samples as u64;
        if bytes.len() as u64 != expected {
            return refuse(format!("has {} bytes, its header asks for {expected}", bytes.len()));
        }
        let rows = start..bytes.len() - samples;
        let labels = rows.end..bytes.len();
        if let Some(&label) = bytes[labels.clone()].iter().find(|&&label| usize::from(label) >= header.classes.len()) {
            return refuse(format!("has label {label} for {} classes", header.classes.len()));
        }
        let train_values = header.train as usize * header.features as usize;
        let max = bytes[rows.clone()][..train_values].iter().copied().max().unwrap_or(0);
        if max != header.max || max == 0 {
            return refuse(format!("claims a training maximum of {}, but it is {max}", header.max));
        }
        let digest = hex(&Sha256::digest(&bytes));
        Ok(Self { header, bytes: bytes.into(), rows, labels, digest, strips: OnceLock::new() })
    }

    /// Lays out a dataset: `fill` appends the rows, then the labels, to the bytes given.
    ///
    /// # Errors
    /// What [`Dataset::from_artifact`] refuses, and a training split with nothing but zeros.
    pub(super) fn build(what: &str, mut header: Header, fill: impl FnOnce(&mut Vec<u8>)) -> Result<Self, DataError> {
        let row_bytes = header.check(what)?;
        let room = PREFIX as u64 + u64::from(MAX_HEADER) + row_bytes + header.samples() as u64;
        let mut body = super::limits::reserve(what, room)?;
        // The header's length depends on the maximum, which is known once the rows are there: the body is written
        // behind the header of the longest maximum and moved back by the difference.
        header.max = u8::MAX;
        body.resize(PREFIX + encode(what, &header)?.len(), 0);
        let start = body.len();
        fill(&mut body);
        let train_values = header.train as usize * header.features as usize;
        header.max = body[start..].iter().take(train_values).copied().max().unwrap_or(0);
        if header.max == 0 {
            return Err(DataError::refused(what, "every value of the training split is 0"));
        }
        let text = encode(what, &header)?;
        let mut prefix = Vec::with_capacity(PREFIX + text.len());
        prefix.extend_from_slice(MAGIC);
        prefix.extend_from_slice(&VERSION.to_le_bytes());
        prefix.extend_from_slice(&(text.len() as u32).to_le_bytes());
        prefix.extend_from_slice(&text);
        body.splice(..start, prefix);
        body.shrink_to_fit();
        Self::from_artifact(body)
    }
}

fn encode(what: &str, header: &Header) -> Result<Vec<u8>, DataError> {
    let text = serde_json::to_vec(header).expect("a header has string keys and finite numbers only");
    if text.len() > MAX_HEADER as usize {
        return Err(DataError::refused(what, format!("the class names are too long: {} bytes", text.len())));
    }
    Ok(text)
}

/// Lower-case hex of a digest.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(features: u32, train: u32, test: u32, classes: u32) -> Header {
        let classes = (0..classes).map(|class| format!("class {class}")).collect();
        Header { features, shape: vec![features], classes, train, test, max: 0, synthetic: false }
    }

    proptest! {
        #[test]
        fn an_artifact_survives_encoding(
            features in 1_u32..9, train in 1_u32..9, test in 1_u32..9, classes in 1_u32..255,
            seed in any::<u8>(), synthetic: bool,
        ) {
            let samples = train + test;
            let rows: Vec<u8> = (0..samples * features).map(|i| (i as u8).wrapping_mul(seed | 1).wrapping_add(1)).collect();
            let labels: Vec<u8> = (0..samples).map(|i| (i % classes) as u8).collect();
            let header = Header { synthetic, ..header(features, train, test, classes) };
            let built = Dataset::build("x", header, |out| {
                out.extend_from_slice(&rows);
                out.extend_from_slice(&labels);
            }).unwrap();
            prop_assert_eq!(built.rows(), &rows[..]);
            prop_assert_eq!(built.labels(), &labels[..]);
            prop_assert_eq!(built.header().max, *rows[..(train * features) as usize].iter().max().unwrap());
            let again = Dataset::from_artifact(built.artifact().to_vec()).unwrap();
            prop_assert_eq!(again.header(), built.header());
            prop_assert_eq!(again.digest(), built.digest());
            prop_assert_eq!(again.rows(), built.rows());
        }

        #[test]
        fn a_cut_or_changed_artifact_never_panics(at in 0_usize..200, value: u8, cut in 0_usize..200) {
            let built = Dataset::build("x", header(3, 4, 2, 2), |out| out.extend_from_slice(&[1; 24])).unwrap();
            let mut bytes = built.artifact().to_vec();
            let length = bytes.len();
            bytes[at % length] = value;
            let _ = Dataset::from_artifact(bytes.clone());
            bytes.truncate(cut % length);
            prop_assert!(Dataset::from_artifact(bytes).is_err());
        }
    }

    #[test]
    fn lying_artifacts_are_refused() {
        let good = Dataset::build("x", header(3, 4, 2, 2), |out| out.extend_from_slice(&[1; 24])).unwrap();
        let text = serde_json::to_string(good.header()).unwrap();
        let with = |from: &str, to: &str| {
            let changed = text.replace(from, to);
            assert_ne!(changed, text);
            let mut bytes = good.artifact()[..12].to_vec();
            bytes.extend_from_slice(&(changed.len() as u32).to_le_bytes());
            bytes.extend_from_slice(changed.as_bytes());
            bytes.extend_from_slice(&good.artifact()[PREFIX + text.len()..]);
            Dataset::from_artifact(bytes).unwrap_err().to_string()
        };
        assert!(with("\"train\":4", "\"train\":5").contains("its header asks for"));
        assert!(with("\"train\":4", "\"train\":4294967295").contains("at most"));
        assert!(with("[3]", "[65536,65536,65536,65536]").contains("too large"));
        assert!(with("[3]", "[4]").contains("does not make 3 features"));
        assert!(with("\"max\":1", "\"max\":9").contains("training maximum"));
        assert!(with("class 1", "class 0").contains("two classes"));
        assert!(with(",\"class 1\"", "").contains("label 1 for 1 classes"));
        assert!(with("\"test\":2", "\"test\":0").contains("empty"));
        assert!(with("synthetic", "sympathetic").contains("unreadable header"));
        let mut long = good.artifact().to_vec();
        long[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(Dataset::from_artifact(long).unwrap_err().to_string().contains("claims a header of"));
    }
}
