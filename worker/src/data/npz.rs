//! NumPy archives: `arr_0`/`arr_1`, or `x_train`/`y_train`/`x_test`/`y_test` with a split of their own.
//!
//! Nothing is extracted to disk and nothing is unpickled. Before an entry is read, the archive must have few
//! entries, none may overlap, and sizes must agree: compressed with the file, uncompressed with the array's header.

use std::io::{Read, Seek};

use zip::ZipArchive;

use super::DataError;
use super::limits::{Bounded, Room, check_ratio, sample_shape};
use super::npy::Array;
use super::samples::{Labels, Parsed, Samples, Values};

/// No data set has more arrays; every entry costs memory before it is looked at.
const MAX_ENTRIES: usize = 256;
/// Uncompressed bytes of all entries together: float64 pictures are eight times their pixels.
const MAX_UNPACKED: u128 = 20 << 30;

/// Reads the archive of `length` bytes.
///
/// # Errors
/// Everything that is not an archive of the arrays named above, by archive and entry.
pub(super) fn read<R: Read + Seek>(what: &str, file: R, length: u64) -> Result<Parsed, DataError> {
    let mut archive = open(what, file)?;
    let names = names(&archive);
    let has = |name: &str| names.iter().any(|entry| entry.strip_suffix(".npy") == Some(name));
    let mut room = Room::new();
    let mut samples = |values: &str, labels: &str| -> Result<Samples, DataError> {
        let (count, shape, rows) = read_array(what, &mut archive, length, values, |what, array, mut reader| {
            let shape = sample_shape(what, &array.shape)?;
            room.take(what, array.shape[0], array.count())?;
            Ok((array.shape[0], shape, array.read_values(what, &mut reader)?))
        })?;
        let labels = read_array(what, &mut archive, length, labels, |what, array, mut reader| {
            Ok(Labels::Integers(array.read_labels(what, &mut reader, count)?))
        })?;
        Ok(Samples { shape, values: Values::Bytes(rows), labels })
    };
    if has("x_train") && has("y_train") && has("x_test") && has("y_test") {
        return Ok(Parsed::Split { train: samples("x_train", "y_train")?, test: samples("x_test", "y_test")? });
    }
    if has("arr_0") && has("arr_1") {
        return Ok(Parsed::Whole(samples("arr_0", "arr_1")?));
    }
    let shown = listed(&names);
    Err(DataError::refused(
        what,
        format!("must hold arr_0 and arr_1, or x_train, y_train, x_test and y_test; it holds {shown}"),
    ))
}

/// Reads drawings without labels: the archive's only array, or `arr_0`. Gives their sizes and values.
///
/// # Errors
/// Everything that is not an archive of such an array, by archive and entry.
pub(super) fn read_images<R: Read + Seek>(what: &str, file: R, length: u64) -> Result<(Vec<u64>, Vec<u8>), DataError> {
    let mut archive = open(what, file)?;
    let names = names(&archive);
    let name = match &names[..] {
        [only] => only.strip_suffix(".npy"),
        several => several.iter().any(|name| name == "arr_0.npy").then_some("arr_0"),
    };
    let Some(name) = name else {
        let shown = listed(&names);
        return Err(DataError::refused(what, format!("must hold one array, or arr_0; it holds {shown}")));
    };
    read_array(what, &mut archive, length, name, |what, array, mut reader| {
        Room::new().take(what, array.samples(), array.count())?;
        Ok((array.shape.clone(), array.read_values(what, &mut reader)?))
    })
}

/// Opens an archive and checks what can be checked of it as a whole.
fn open<R: Read + Seek>(what: &str, file: R) -> Result<ZipArchive<R>, DataError> {
    let broken =
        |error: zip::result::ZipError| DataError::refused(what, format!("is not a readable zip file: {error}"));
    let mut archive = ZipArchive::new(file).map_err(broken)?;
    if archive.len() > MAX_ENTRIES {
        return Err(DataError::refused(what, format!("has {} entries, at most {MAX_ENTRIES} are read", archive.len())));
    }
    if archive.has_overlapping_entries().map_err(broken)? {
        return Err(DataError::refused(what, "has entries that overlap: looks like a decompression bomb"));
    }
    if archive.decompressed_size().is_none_or(|size| size > MAX_UNPACKED) {
        return Err(DataError::refused(what, "unpacks to more than 20 GiB: looks like a decompression bomb"));
    }
    Ok(archive)
}

fn names<R: Read + Seek>(archive: &ZipArchive<R>) -> Vec<String> {
    archive.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect()
}

fn listed(names: &[String]) -> String {
    let shown = names.iter().take(12).map(String::as_str).collect::<Vec<_>>().join(", ");
    if shown.is_empty() { "nothing".to_owned() } else { shown }
}

/// Opens one entry, checks its sizes and hands it to `take`.
fn read_array<R: Read + Seek, T>(
    what: &str,
    archive: &mut ZipArchive<R>,
    length: u64,
    name: &str,
    take: impl FnOnce(&str, &Array, &mut dyn Read) -> Result<T, DataError>,
) -> Result<T, DataError> {
    let what = &format!("{what}: {name}.npy");
    let entry = archive
        .by_name(&format!("{name}.npy"))
        .map_err(|error| DataError::refused(what, format!("cannot be read: {error}")))?;
    let (packed, unpacked) = (entry.compressed_size(), entry.size());
    if packed > length {
        return Err(DataError::refused(what, format!("claims {packed} bytes of a file of {length}")));
    }
    check_ratio(what, packed, unpacked)?;
    let mut reader = Bounded::new(entry, unpacked);
    let array = Array::read_header(what, &mut reader)?;
    if array.file_bytes() != unpacked {
        return Err(DataError::refused(
            what,
            format!("its header asks for {} bytes, the archive holds {unpacked}", array.file_bytes()),
        ));
    }
    take(what, &array, &mut reader)
}
