//! IDX, the format of MNIST: two files, of images and of labels, plain or gzip.
//!
//! Format: a magic of two zeros, the type (8: unsigned byte) and the number of axes, then the sizes (u32, big
//! endian), then the bytes. A directory with the four files of a training and a test set brings its own split; a
//! single images file finds its labels beside it, by the name with `images` replaced by `labels` and `idx3` by
//! `idx1`.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::DataError;
use super::limits::{
    Bounded, Room, check_label_count, check_ratio, count_values, reserve, sample_shape, unpacked_limit,
};
use super::samples::{Labels, Parsed, Samples, Values};

/// True for the first four bytes of an IDX file of unsigned bytes.
pub(super) fn is_magic(bytes: &[u8]) -> bool {
    matches!(bytes, [0, 0, 8, 1..=4, ..])
}

/// Reads the four files of a directory: training and test set, each images and labels.
///
/// # Errors
/// Where one of them is missing or no IDX file.
pub(super) fn read_directory(directory: &Path) -> Result<Parsed, DataError> {
    let find = |prefix: &str, axes: &str| -> Result<PathBuf, DataError> {
        let names = ["-", "."]
            .iter()
            .flat_map(|joint| ["", ".gz"].iter().map(move |end| format!("{prefix}{joint}{axes}-ubyte{end}")));
        let mut tried = Vec::new();
        for name in names {
            let path = directory.join(&name);
            if path.is_file() {
                return Ok(path);
            }
            tried.push(name);
        }
        Err(DataError::refused(
            directory.display().to_string(),
            format!("a dataset directory holds four IDX files; none of {} is there", tried.join(", ")),
        ))
    };
    let mut room = Room::new();
    Ok(Parsed::Split {
        train: read_pair(&find("train-images", "idx3")?, &find("train-labels", "idx1")?, &mut room)?,
        test: read_pair(&find("t10k-images", "idx3")?, &find("t10k-labels", "idx1")?, &mut room)?,
    })
}

/// Reads the images of `path` and the labels of the file beside it.
///
/// # Errors
/// Where there is no such file, or one of both is no IDX file.
pub(super) fn read_with_sibling(path: &Path) -> Result<Parsed, DataError> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let sibling = name.replace("images", "labels").replace("idx3", "idx1");
    if sibling == name {
        return Err(DataError::refused(
            path.display().to_string(),
            "an IDX file of images must have `images` in its name, so that its labels can be found beside it",
        ));
    }
    let labels = path.with_file_name(&sibling);
    if !labels.is_file() {
        return Err(DataError::refused(
            path.display().to_string(),
            format!("the labels must stand beside it in `{sibling}`, which is not there"),
        ));
    }
    read_pair(path, &labels, &mut Room::new()).map(Parsed::Whole)
}

fn read_pair(images: &Path, labels: &Path, room: &mut Room) -> Result<Samples, DataError> {
    let (sizes, rows) = read(images, room)?;
    let what = &images.display().to_string();
    let shape = sample_shape(what, &sizes)?;
    let samples = sizes[0];
    let (sizes, values) = read(labels, room)?;
    if sizes.len() != 1 {
        return Err(DataError::refused(labels.display().to_string(), "is no IDX file of labels: it has several axes"));
    }
    check_label_count(what, samples, sizes[0])?;
    let labels = Labels::Integers(values.into_iter().map(i64::from).collect());
    Ok(Samples { shape, values: Values::Bytes(rows), labels })
}

/// Sizes and bytes of one file, plain or gzip, for which `room` must have enough left.
///
/// # Errors
/// Where it is no IDX file of unsigned bytes, or too large a one.
pub(super) fn read(path: &Path, room: &mut Room) -> Result<(Vec<u64>, Vec<u8>), DataError> {
    let what = &path.display().to_string();
    let mut file = File::open(path).map_err(|error| DataError::io(path, "open", error))?;
    let length = file.metadata().map_err(|error| DataError::io(path, "open", error))?.len();
    let mut start = [0; 2];
    let gzip = file.read_exact(&mut start).is_ok() && start == [0x1f, 0x8b];
    let file = BufReader::new(File::open(path).map_err(|error| DataError::io(path, "open", error))?);
    if gzip {
        let reader = Bounded::new(MultiGzDecoder::new(file), unpacked_limit(length));
        parse(what, reader, room, |unpacked| check_ratio(what, length, unpacked))
    } else {
        parse(what, file, room, |size| {
            if size == length {
                return Ok(());
            }
            Err(DataError::refused(what, format!("its header asks for {size} bytes, the file has {length}")))
        })
    }
}

/// Parses a stream; `check` judges the total size that the header claims before anything is allocated for it.
fn parse(
    what: &str,
    mut reader: impl Read,
    room: &mut Room,
    check: impl FnOnce(u64) -> Result<(), DataError>,
) -> Result<(Vec<u64>, Vec<u8>), DataError> {
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => DataError::refused(what, "ends too early"),
        _ => DataError::refused(what, format!("cannot be read: {error}")),
    };
    let mut magic = [0; 4];
    reader.read_exact(&mut magic).map_err(unreadable)?;
    if !is_magic(&magic) {
        return Err(DataError::refused(
            what,
            format!("is no IDX file of unsigned bytes: it begins with {magic:02x?}, not 00 00 08 and 1 to 4 axes"),
        ));
    }
    let mut sizes = Vec::new();
    for _ in 0..magic[3] {
        let mut size = [0; 4];
        reader.read_exact(&mut size).map_err(unreadable)?;
        sizes.push(u64::from(u32::from_be_bytes(size)));
    }
    let count = count_values(what, &sizes)?;
    check(count + 4 + 4 * sizes.len() as u64)?;
    room.take(what, sizes.first().copied().unwrap_or(1), count)?;
    let mut values = reserve(what, count)?;
    reader.by_ref().take(count).read_to_end(&mut values).map_err(unreadable)?;
    if values.len() as u64 != count {
        return Err(DataError::refused(what, format!("ends after {} of {count} values", values.len())));
    }
    match reader.read(&mut [0]).map_err(unreadable)? {
        0 => Ok((sizes, values)),
        _ => Err(DataError::refused(what, format!("has more than the {count} values of its header"))),
    }
}
