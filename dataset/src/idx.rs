//! IDX, the format of MNIST: two files, of images and of labels, plain or gzip.
//!
//! Format: a magic of two zeros, the type (8: unsigned byte) and the number of axes, then the sizes
//! (u32, big endian), then the bytes. A directory with the files of a training and a test set
//! brings its own split; they are told by their names, MNIST's own (`train-images-idx3-ubyte`,
//! `t10k-...`) or those of EMNIST (`emnist-letters-train-images-idx3-ubyte`, `...-test-...`). A
//! single images file finds its labels beside it, by the name with `images` replaced by `labels`
//! and `idx3` by `idx1`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::DataError;
use super::limits::{Axes, Bounded, Room, check_label_count, check_ratio, count_values, reserve, unpacked_limit};
use super::samples::{Labels, Parsed, Samples, Values};

/// True for the first four bytes of an IDX file of unsigned bytes.
pub(super) fn is_magic(bytes: &[u8]) -> bool {
    matches!(bytes, [0, 0, 8, 1..=4, ..])
}

/// True for the name of an IDX file of images.
pub(super) fn is_images(name: &str) -> bool {
    let name = name.to_lowercase();
    name.contains("images") && name.contains("idx") && !name.ends_with(".npy")
}

/// Reads the training and the test set of a directory, each images and labels, of which the files
/// `names` are images.
///
/// # Errors
/// Where one of them is missing or no IDX file, or there are several sets.
pub(super) fn read_directory(directory: &Path, names: Vec<String>) -> Result<Parsed, DataError> {
    let what = directory.display().to_string();
    let mut sets: BTreeMap<(String, bool), String> = BTreeMap::new();
    for name in names.into_iter().filter(|name| is_images(name)) {
        let key = name.to_lowercase().replace('.', "-");
        let key = key.strip_suffix("-gz").unwrap_or(&key);
        let Some(word) = ["train", "t10k", "test"].into_iter().find(|word| key.contains(word)) else { continue };
        // Of a file that is there plain and packed the plain one counts: it sorts first.
        sets.entry((key.replacen(word, "*", 1), word == "train")).or_insert(name);
    }
    let mut keys: Vec<&String> = sets.keys().map(|(key, _)| key).collect();
    keys.dedup();
    let key = match keys[..] {
        [key] => key.clone(),
        [] => {
            let problem = "holds IDX files whose names say neither train nor test: give the file of images itself";
            return Err(DataError::refused(what, problem));
        }
        _ => {
            let shown = keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            let problem = format!(
                "holds several sets ({shown}): keep one in a folder of its own, or give a file of images itself, which is \
                 split"
            );
            return Err(DataError::refused(what, problem));
        }
    };
    let images = |is_train: bool| {
        let (wanted, other) = if is_train { ("train", "a training") } else { ("t10k or test", "a test") };
        sets.get(&(key.clone(), is_train)).map(|name| directory.join(name)).ok_or_else(|| {
            let problem = format!(
                "holds no IDX file of images for {other} set (`{key}` with {wanted} for the *): add it and its labels, or give \
                 the file of images itself, which is split"
            );
            DataError::refused(&what, problem)
        })
    };
    let (train, test) = (images(true)?, images(false)?);
    let mut room = Room::new();
    Ok(Parsed::Split {
        train: read_pair(&train, &labels_of(&train)?, &mut room)?,
        test: read_pair(&test, &labels_of(&test)?, &mut room)?,
    })
}

/// Reads the images of `path` and the labels of the file beside it.
///
/// # Errors
/// Where there is no such file, or one of both is no IDX file.
pub(super) fn read_with_sibling(path: &Path) -> Result<Parsed, DataError> {
    read_pair(path, &labels_of(path)?, &mut Room::new()).map(Parsed::Whole)
}

/// The file of labels beside one of images, packed or not.
fn labels_of(images: &Path) -> Result<PathBuf, DataError> {
    let name = images.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let sibling = name.replace("images", "labels").replace("idx3", "idx1");
    if sibling == name {
        return Err(DataError::refused(
            images.display().to_string(),
            "an IDX file of images must have `images` in its name, so that its labels can be found beside it",
        ));
    }
    let plain = sibling.strip_suffix(".gz").unwrap_or(&sibling);
    // Names are written with `-idx3` and `.idx3`, also beside each other.
    let joints = [plain.to_owned(), plain.replace("-idx1", ".idx1"), plain.replace(".idx1", "-idx1")];
    let mut tried = vec![sibling.clone()];
    tried.extend(joints.iter().flat_map(|name| [name.clone(), format!("{name}.gz")]));
    tried.iter().map(|name| images.with_file_name(name)).find(|path| path.is_file()).ok_or_else(|| {
        let problem = format!("the labels must stand beside it in `{sibling}`, which is not there");
        DataError::refused(images.display().to_string(), problem)
    })
}

fn read_pair(images: &Path, labels: &Path, room: &mut Room) -> Result<Samples, DataError> {
    let (sizes, rows) = read(images, room)?;
    let what = &images.display().to_string();
    let axes = Axes::new(what, &sizes)?;
    if axes.planes {
        let problem = "holds colours plane by plane, as no IDX file of pictures does: save them as .npz";
        return Err(DataError::refused(what, problem));
    }
    let Axes { samples, shape, .. } = axes;
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

/// Parses a stream; `check` judges the total size that the header claims before anything is
/// allocated for it.
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
