//! The largest things that a dataset may be made of, and readers that hold to them.
//!
//! Lengths in headers are promises of strangers: they are compared with these limits and with what
//! the file can hold at all before a byte is allocated for them.

use std::io::{self, Read};

use super::DataError;

/// Most memory that one dataset takes while it is read, all copies together: beyond it a worker
/// could not hold it beside its slots.
pub(super) const MAX_MEMORY: u64 = 2 << 30;
/// How often the values stand in memory at the same time: as they are parsed and as they are laid
/// out, or as they are laid out and as they are moved to large pages.
const COPIES: u64 = 2;
/// What each sample takes beside its values: its label as the source has it (8 bytes), its place in
/// the split (4), its class index in both copies, and as the trainer reads it (2 bytes each).
const PER_SAMPLE: u64 = 18;
/// Most pixel values of one dataset.
const MAX_VALUES: u64 = MAX_MEMORY / COPIES;
/// Most values of one sample: a square picture of 1,024 pixels a side.
pub(super) const MAX_FEATURES: u64 = 1 << 20;
/// Largest source file, local or downloaded.
pub const MAX_SOURCE: u64 = 2 << 30;
/// DEFLATE cannot expand more than this (RFC 1951: 258 bytes from about two bits).
const MAX_DEFLATE_RATIO: u64 = 1_032;
/// Beyond [`RATIO_FREE`] nothing real shrinks more than this: labels sorted by class do, and are
/// small.
const MAX_RATIO: u64 = 600;
/// Up to this size any ratio is harmless.
const RATIO_FREE: u64 = 64 << 20;

/// Checks that `packed` compressed bytes may stand for `unpacked` ones.
///
/// # Errors
/// Where DEFLATE cannot expand that much, or only a bomb would.
pub(super) fn check_ratio(what: &str, packed: u64, unpacked: u64) -> Result<(), DataError> {
    let possible = packed.saturating_mul(MAX_DEFLATE_RATIO).saturating_add(1_024);
    if unpacked > possible {
        return Err(DataError::refused(
            what,
            format!("claims {unpacked} bytes, but its {packed} compressed bytes cannot hold more than {possible}"),
        ));
    }
    if unpacked > RATIO_FREE && unpacked / MAX_RATIO > packed {
        return Err(DataError::refused(
            what,
            format!("{packed} bytes that unpack to {unpacked} look like a decompression bomb"),
        ));
    }
    Ok(())
}

/// Most bytes that a compressed stream of `packed` bytes may unpack to before it is taken for a
/// bomb.
pub(super) fn unpacked_limit(packed: u64) -> u64 {
    packed.saturating_mul(MAX_RATIO).max(RATIO_FREE)
}

/// Number of values of `shape`.
///
/// # Errors
/// Where the product overflows or is beyond [`MAX_VALUES`].
pub(super) fn count_values(what: &str, shape: &[u64]) -> Result<u64, DataError> {
    let count = shape.iter().try_fold(1_u64, |product, &size| product.checked_mul(size));
    match count {
        Some(count) if count <= MAX_VALUES => Ok(count),
        _ => Err(DataError::refused(
            what,
            format!(
                "shape {} is too large: at most {MAX_VALUES} values are read, which take {} MiB; give fewer samples, or \
                 smaller ones",
                show_shape(shape),
                MAX_MEMORY >> 20
            ),
        )),
    }
}

/// Bytes of so many samples of so many values of `width` bytes.
///
/// # Errors
/// Where there are more than a dataset may take in memory.
pub(super) fn row_bytes(what: &str, samples: u64, features: u64, width: u64) -> Result<u64, DataError> {
    let bytes = count_values(what, &[samples, features])? * width;
    if bytes <= MAX_MEMORY / COPIES {
        return Ok(bytes);
    }
    Err(DataError::refused(
        what,
        format!(
            "{samples} samples of {features} values take {} MiB as floats: at most {} are read; give fewer samples, or \
             smaller ones",
            bytes >> 20,
            (MAX_MEMORY / COPIES) >> 20
        ),
    ))
}

/// The memory that is left for the samples of one dataset. They take it before they are read: a few
/// compressed megabytes may stand for gigabytes, and a dataset may come in several arrays or files.
pub(super) struct Room {
    left: u64,
}

impl Room {
    pub(super) fn new() -> Self {
        Self { left: MAX_MEMORY }
    }

    /// Takes the room of so many samples with so many bytes together, in all copies that there will
    /// be of them.
    ///
    /// # Errors
    /// Where it is not left.
    pub(super) fn take(&mut self, what: &str, samples: u64, values: u64) -> Result<(), DataError> {
        self.take_wide(what, samples, values, 1)
    }

    /// As [`Room::take`], for values of `width` bytes: 4 where they are read as floats.
    ///
    /// # Errors
    /// Where it is not left.
    pub(super) fn take_wide(&mut self, what: &str, samples: u64, values: u64, width: u64) -> Result<(), DataError> {
        let bytes = values.saturating_mul(width);
        let needed = bytes.saturating_mul(COPIES).saturating_add(samples.saturating_mul(PER_SAMPLE));
        match self.left.checked_sub(needed) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(DataError::refused(
                what,
                format!(
                    "{samples} samples of {values} values in all take {} MiB while they are read, and {} of {} MiB are \
                     left: give fewer samples, or smaller ones",
                    needed.div_ceil(1 << 20),
                    self.left >> 20,
                    MAX_MEMORY >> 20
                ),
            )),
        }
    }
}

/// How the axes of an array become samples.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Axes {
    pub(super) samples: u64,
    /// Shape of one sample: features, rows and columns, or rows, columns and three colours.
    pub(super) shape: Vec<u32>,
    /// Whether the colours of a sample come as three pictures one after the other, which they must
    /// not stay.
    pub(super) planes: bool,
}

impl Axes {
    /// The axes of an array whose first one counts the samples.
    ///
    /// # Errors
    /// Where the array has other axes, none of some axis, or samples of more than [`MAX_FEATURES`]
    /// values.
    pub(super) fn new(what: &str, shape: &[u64]) -> Result<Self, DataError> {
        let (sample, planes) = match *shape {
            [_, height, width] | [_, height, width, 1] | [_, 1, height, width] => (vec![height, width], false),
            [_, height, width, 3] => (vec![height, width, 3], false),
            [_, 3, height, width] => (vec![height, width, 3], true),
            [_, features] => (vec![features], false),
            _ => {
                return Err(DataError::refused(
                    what,
                    format!(
                        "has shape {}: samples must be (n, features), (n, h, w), (n, h, w, 1), (n, 1, h, w), or in colour \
                         (n, h, w, 3) or (n, 3, h, w)",
                        show_shape(shape)
                    ),
                ));
            }
        };
        if count_values(what, shape)? == 0 {
            return Err(DataError::refused(what, format!("has shape {}: no samples", show_shape(shape))));
        }
        match count_values(what, &sample)? {
            features if features <= MAX_FEATURES => {
                Ok(Self { samples: shape[0], shape: sample.iter().map(|&size| size as u32).collect(), planes })
            }
            features => Err(DataError::refused(what, format!("{features} values a sample: at most {MAX_FEATURES}"))),
        }
    }
}

/// Checks that every sample has its label, before anything is made of the labels.
///
/// # Errors
/// Where there are more or fewer.
pub(super) fn check_label_count(what: &str, samples: u64, labels: u64) -> Result<(), DataError> {
    if samples == labels {
        return Ok(());
    }
    Err(DataError::refused(what, format!("{samples} samples but {labels} labels")))
}

/// A shape as people write it: `(1000, 28, 28)`.
pub(super) fn show_shape(shape: &[u64]) -> String {
    let sizes: Vec<String> = shape.iter().map(u64::to_string).collect();
    if sizes.len() == 1 { format!("({},)", sizes[0]) } else { format!("({})", sizes.join(", ")) }
}

/// An empty vector with room for `length` values that were checked against the file before.
///
/// # Errors
/// Where this machine has not that much memory.
pub(super) fn reserve<T>(what: &str, length: u64) -> Result<Vec<T>, DataError> {
    let mut values = Vec::new();
    let length = usize::try_from(length)
        .map_err(|_| DataError::refused(what, format!("{length} values are too many for this machine")))?;
    values.try_reserve_exact(length).map_err(|_| DataError::Io {
        what: what.to_owned(),
        action: "reserving memory",
        source: io::ErrorKind::OutOfMemory.into(),
    })?;
    Ok(values)
}

/// A reader that fails, rather than ends, after `left` bytes.
pub(super) struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R> Bounded<R> {
    pub(super) fn new(inner: R, limit: u64) -> Self {
        Self { inner, left: limit }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            io::Error::new(io::ErrorKind::FileTooLarge, "unpacks to more than it may: looks like a decompression bomb")
        })?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_copies_of_all_parts_count() {
        let mut room = Room::new();
        room.take("x_train", 1 << 20, 900 << 20).unwrap();
        let error = room.take("x_test", 1 << 20, 120 << 20).unwrap_err().to_string();
        assert_eq!(
            error,
            "x_test: 1048576 samples of 125829120 values in all take 258 MiB while they are read, and 230 of 2048 MiB are \
             left: give fewer samples, or smaller ones"
        );
        room.take("x_test", 1 << 20, 100 << 20).unwrap();
        // Labels alone are too many where samples are tiny.
        assert!(Room::new().take("x", MAX_VALUES / 4, MAX_VALUES / 4).is_err());
        assert!(Room::new().take("x", u64::MAX, u64::MAX).is_err());
    }
}
