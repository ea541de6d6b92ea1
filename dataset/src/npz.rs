//! NumPy archives, whose arrays are known by their names.
//!
//! Nothing is extracted to disk and nothing is unpickled. Before an entry is read, the archive must
//! have few entries, none may overlap, and sizes must agree: compressed with the file, uncompressed
//! with the array's header.

use std::io::{Read, Seek};

use zip::ZipArchive;

use super::DataError;
use super::arrays::{self, KNOWN};
use super::form::{Filling, Seen};
use super::kind::BITMAPS;
use super::limits::{Bounded, Room, check_ratio};
use super::npy::Array;
use super::samples::{Parsed, Values};

/// No data set has more arrays; every entry costs memory before it is looked at.
const MAX_ENTRIES: usize = 256;
/// Uncompressed bytes of all entries together: float64 pictures are eight times their pixels.
const MAX_UNPACKED: u128 = 20 << 30;

/// Reads the archive of `length` bytes.
///
/// # Errors
/// Everything that is not an archive of samples and labels, by archive and entry.
pub(super) fn read<R: Read + Seek>(
    what: &str,
    file: R,
    length: u64,
    notes: &mut Vec<String>,
) -> Result<Parsed, DataError> {
    let mut archive = open(what, file)?;
    let entries = names(&archive);
    let arrays: Vec<String> = entries.iter().filter_map(|name| name.strip_suffix(".npy")).map(str::to_owned).collect();
    let mut open = |name: &str, take: &mut arrays::Take<'_>| {
        read_array(what, &mut archive, length, name, |what, array, reader| take(what, array, reader))
    };
    if let Some(parsed) = arrays::read(what, &arrays, &mut open, notes)? {
        return Ok(parsed);
    }
    if let Some(problem) = stranger(&entries, what) {
        return Err(DataError::refused(what, problem));
    }
    Err(DataError::refused(what, format!("must hold {KNOWN}; it holds {}", listed(&entries))))
}

/// What an archive without arrays of known names is, and what to do with it.
fn stranger(entries: &[String], what: &str) -> Option<String> {
    let is = |name: &str| entries.iter().any(|entry| entry == name);
    let ends = |end: &str| entries.iter().any(|entry| entry.to_ascii_lowercase().ends_with(end));
    if ["train.npy", "valid.npy", "test.npy"].iter().all(|name| is(name)) {
        return Some(format!(
            "holds the strokes of Quick, Draw! drawings (as sketch-rnn takes them), not pictures: take the bitmaps, {BITMAPS}"
        ));
    }
    let text = if is("[Content_Types].xml") || is("mimetype") {
        "is a workbook or document (such as Excel's): save the sheet as CSV and give that"
    } else if ends("data.pkl") {
        "is a file of PyTorch, which holds a pickle and is never read: save the arrays with numpy.savez"
    } else if is("model.weights.h5") || is("config.json") {
        "is a model of Keras, not a dataset"
    } else if [".png", ".jpg", ".jpeg", ".csv", ".parquet", "-ubyte", ".gz", ".npz"].iter().any(|end| ends(end)) {
        return Some(format!(
            "is a zip archive of other files: unpack it and give what is in it; it holds {}",
            listed(entries)
        ));
    } else if !what.ends_with(".npz") && !ends(".npy") && !entries.is_empty() {
        return Some(format!("is a zip archive without arrays of NumPy; it holds {}", listed(entries)));
    } else {
        return None;
    };
    Some(text.to_owned())
}

/// Reads drawings without labels: the archive's only array, or its samples by name. Gives their
/// sizes and values.
///
/// # Errors
/// Everything that is not an archive of such an array, by archive and entry.
pub(super) fn read_images<R: Read + Seek>(what: &str, file: R, length: u64) -> Result<(Vec<u64>, Values), DataError> {
    let mut archive = open(what, file)?;
    let entries = names(&archive);
    let name = match &entries[..] {
        [only] => only.strip_suffix(".npy"),
        several => several.iter().filter_map(|name| name.strip_suffix(".npy")).find(|name| arrays::are_samples(name)),
    };
    let Some(name) = name else {
        let shown = listed(&entries);
        return Err(DataError::refused(what, format!("must hold one array, or arr_0 or x; it holds {shown}")));
    };
    let mut seen = Seen::default();
    read_array(what, &mut archive, length, name, |what, array, mut reader| {
        Room::new().take(what, array.samples(), array.count())?;
        array.see(what, &mut reader, array.samples(), &mut seen)
    })?;
    let form = seen.form();
    read_array(what, &mut archive, length, name, |what, array, mut reader| {
        Room::new().take_wide(what, array.samples(), array.count(), form.width())?;
        let mut values = Filling::new(what, form, array.count())?;
        array.read_values(what, &mut reader, array.samples(), &mut values)?;
        Ok((array.shape.clone(), values.finish()))
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
