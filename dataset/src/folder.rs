//! Folders: IDX files, a .npy file for each class, arrays in .npy files of their own, or a folder
//! of pictures for each class.
//!
//! Classes may stand under `train` and `test` (or `val`), which is then the split. Hidden files,
//! and those that systems leave behind, are not looked at.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use besom_sweep::{DatasetSpec, MAX_CLASSES};

use super::arrays;
use super::form::{Filling, Seen};
use super::kind::{self, Kind};
use super::limits::{Axes, Room, show_shape};
use super::npy::Array;
use super::pictures::{Gallery, Picture};
use super::samples::{Labels, Parsed, Samples};
use super::{DataError, idx};

/// Most files and folders that are looked at.
const MAX_ENTRIES: usize = 4 << 20;
/// Names that a message lists.
const SHOWN: usize = 8;
/// Most folders below each other.
const MAX_DEPTH: usize = 8;
/// What systems leave in folders.
const LITTER: [&str; 3] = ["thumbs.db", "desktop.ini", "__macosx"];
const TRAIN: [&str; 2] = ["train", "training"];
/// The first one that is there is the test split.
const TESTS: [&str; 6] = ["test", "testing", "val", "valid", "validation", "dev"];
const PICTURES: [&str; 3] = ["png", "jpg", "jpeg"];

/// Something in a folder.
struct Entry {
    name: String,
    path: PathBuf,
    is_folder: bool,
}

/// A file of one class: a .npy array.
#[derive(Debug, Clone)]
pub(super) struct ClassFile {
    /// What messages call it.
    pub(super) what: String,
    pub(super) path: PathBuf,
    pub(super) class: String,
}

/// Reads what a folder holds.
///
/// # Errors
/// Where it holds nothing of that, or too many things.
pub(super) fn read(folder: &Path, spec: &DatasetSpec, notes: &mut Vec<String>) -> Result<Parsed, DataError> {
    let what = &folder.display().to_string();
    let entries = entries(folder, &mut 0)?;
    let (folders, files): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(|entry| entry.is_folder);
    let arrays: Vec<&Entry> = files.iter().filter(|file| extension(&file.name) == "npy").copied().collect();
    let names: Vec<String> = arrays.iter().map(|file| stem(&file.name)).collect();
    if files.iter().any(|file| idx::is_images(&file.name)) {
        refuse_keys(what, spec, "IDX files", &[Key::PerClass, Key::Size])?;
        return idx::read_directory(folder, files.iter().map(|file| file.name.clone()).collect());
    }
    if arrays::are_known(&names) && !are_classes(&arrays, &names)? {
        refuse_keys(what, spec, "arrays with labels of their own", &[Key::PerClass, Key::Size])?;
        let mut open = |name: &str, take: &mut arrays::Take<'_>| {
            let Some(file) = arrays.iter().find(|file| stem(&file.name) == name) else {
                return Err(DataError::refused(what, format!("holds no {name}.npy")));
            };
            let shown = &file.path.display().to_string();
            let (array, mut reader) = open_array(shown, &file.path)?;
            take(shown, &array, &mut reader)
        };
        if let Some(parsed) = arrays::read(what, &names, &mut open, notes)? {
            return Ok(parsed);
        }
    }
    if !arrays.is_empty() {
        refuse_keys(what, spec, "arrays", &[Key::Size])?;
        if let Some(split) = folders.iter().find(|folder| is_split(&folder.name)) {
            let problem = format!(
                "holds .npy files ({}) beside the folder {}: move one of them away",
                names.join(", "),
                split.name
            );
            return Err(DataError::refused(what, problem));
        }
        if !folders.is_empty() {
            notes.push(format!("{what}: {} left out: beside .npy files no folder is read", listed(&folders)));
        }
        return read_classes(what, class_files(&arrays), spec.per_class, notes).map(Parsed::Whole);
    }
    let find = |names: &[&str]| folders.iter().find(|folder| names.contains(&folder.name.to_lowercase().as_str()));
    let splits = (find(&TRAIN), TESTS.iter().find_map(|name| find(&[*name])));
    if let (Some(train), test) = splits
        && folders.iter().all(|folder| is_split(&folder.name))
    {
        return read_splits(what, train, test.copied(), &folders, spec, notes);
    }
    if folders.is_empty() {
        return Err(DataError::refused(what, nothing(&files)));
    }
    refuse_mixed_splits(what, &folders)?;
    let classes = class_folders(what, &folders)?;
    pictures(what, vec![classes], spec, notes)?
        .pop()
        .map(Parsed::Whole)
        .ok_or_else(|| DataError::refused(what, "is empty"))
}

/// Whether arrays are one for each class although some are called as samples and labels are:
/// classes may be called `x` and `y`. Then there are others as well, and the samples of all of them
/// have one shape.
fn are_classes(arrays: &[&Entry], names: &[String]) -> Result<bool, DataError> {
    if names.iter().all(|name| arrays::has_role(name)) {
        return Ok(false);
    }
    let mut first: Option<Vec<u64>> = None;
    for file in arrays {
        let (array, _) = open_array(&file.path.display().to_string(), &file.path)?;
        let sample = array.shape.get(1..).unwrap_or_default().to_vec();
        if sample.is_empty() || *first.get_or_insert_with(|| sample.clone()) != sample {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_split(name: &str) -> bool {
    let name = name.to_lowercase();
    TRAIN.contains(&name.as_str()) || TESTS.contains(&name.as_str())
}

/// Refuses folders of which some are splits and others are not, or that are splits without a
/// training split. A class may be called `train` all the same: its folder holds pictures and no
/// folders.
fn refuse_mixed_splits(what: &str, folders: &[&Entry]) -> Result<(), DataError> {
    let (mut splits, mut others) = (Vec::new(), Vec::new());
    for folder in folders {
        let holds_classes = |entry: &Entry| entry.is_folder || extension(&entry.name) == "npy";
        match is_split(&folder.name) && entries(&folder.path, &mut 0)?.iter().any(holds_classes) {
            true => splits.push(*folder),
            false => others.push(*folder),
        }
    }
    let problem = match (&splits[..], &others[..]) {
        ([], _) => return Ok(()),
        (splits, []) => format!("holds {} but no folder train: call the training split so", listed(splits)),
        (splits, others) => format!(
            "holds {} beside folders for splits ({}): move what is neither the training nor the test split away",
            listed(others),
            listed(splits)
        ),
    };
    Err(DataError::refused(what, problem))
}

/// The names of the first few.
fn listed(folders: &[&Entry]) -> String {
    let names: Vec<String> = folders.iter().take(SHOWN).map(|folder| format!("`{}`", folder.name)).collect();
    let more = if folders.len() > SHOWN { ", ..." } else { "" };
    format!("{}{more}", names.join(", "))
}

/// Reads classes that stand under folders for the splits.
fn read_splits(
    what: &str,
    train: &Entry,
    test: Option<&Entry>,
    folders: &[&Entry],
    spec: &DatasetSpec,
    notes: &mut Vec<String>,
) -> Result<Parsed, DataError> {
    let used = |entry: &Entry| entry.name == train.name || test.is_some_and(|test| test.name == entry.name);
    for folder in folders.iter().filter(|folder| !used(folder)) {
        notes.push(format!("{what}: the folder `{}` is left out; besom trains without it", folder.name));
    }
    let splits: Vec<&Entry> = std::iter::once(train).chain(test).collect();
    let mut listings = Vec::new();
    for split in &splits {
        listings.push(entries(&split.path, &mut 0)?);
    }
    let has_arrays = |listing: &Vec<Entry>| listing.iter().any(|entry| extension(&entry.name) == "npy");
    let samples: Vec<Samples> = if listings.iter().all(has_arrays) {
        refuse_keys(what, spec, "arrays", &[Key::Size])?;
        let mut samples = Vec::new();
        for (split, listing) in splits.iter().zip(&listings) {
            let arrays: Vec<&Entry> = listing.iter().filter(|entry| extension(&entry.name) == "npy").collect();
            let what = &split.path.display().to_string();
            samples.push(read_classes(what, class_files(&arrays), spec.per_class, notes)?);
        }
        samples
    } else {
        let mut classes = Vec::new();
        for (split, listing) in splits.iter().zip(&listings) {
            let folders: Vec<&Entry> = listing.iter().filter(|entry| entry.is_folder).collect();
            let what = &split.path.display().to_string();
            if folders.is_empty() {
                return Err(DataError::refused(what, "holds no folder for each class"));
            }
            classes.push(class_folders(what, &folders)?);
        }
        pictures(what, classes, spec, notes)?
    };
    let mut samples = samples.into_iter();
    match (samples.next(), samples.next()) {
        (Some(train), Some(test)) => Ok(Parsed::Split { train, test }),
        (Some(whole), None) => Ok(Parsed::Whole(whole)),
        (None, _) => Err(DataError::refused(what, "is empty")),
    }
}

/// Keys of `besom.dataset` that go with some forms only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    PerClass,
    Size,
    LabelColumn,
}

/// Refuses the keys that `form` has no use for: what is written must have an effect.
///
/// # Errors
/// Where one of them is given.
pub(super) fn refuse_keys(what: &str, spec: &DatasetSpec, form: &str, keys: &[Key]) -> Result<(), DataError> {
    for key in keys {
        let (is_given, text) = match key {
            Key::PerClass => (
                spec.per_class.is_some(),
                "per_class goes with a folder or list of .npy files for each class and with folders of pictures",
            ),
            Key::Size => (spec.size.is_some(), "size goes with folders of pictures"),
            Key::LabelColumn => (spec.label_column.is_some(), "label_column goes with tables (CSV or Parquet)"),
        };
        if is_given {
            return Err(DataError::refused(what, format!("{text}, and this holds {form}: remove the key")));
        }
    }
    Ok(())
}

/// What a folder without a form that is read holds, and what to do.
fn nothing(files: &[&Entry]) -> String {
    let readable = ["npz", "csv", "tsv", "parquet", "gz", "txt"];
    let holds = files.iter().take(SHOWN).map(|file| file.name.as_str()).collect::<Vec<_>>().join(", ");
    let advice = match files.iter().find(|file| readable.contains(&extension(&file.name).as_str())) {
        Some(file) => format!("give a file itself, such as {}", file.name),
        None if files.iter().any(|file| PICTURES.contains(&extension(&file.name).as_str())) => {
            "put the pictures of each class into a folder of its name".to_owned()
        }
        None => "docs/data.md lists what is read".to_owned(),
    };
    let holds = if holds.is_empty() { "nothing".to_owned() } else { holds };
    format!(
        "is a folder that holds neither IDX files, nor a .npy file for each class, nor a folder of pictures for each class; it \
         holds {holds}: {advice}"
    )
}

/// What stands in a folder, by name; `count` grows by it.
fn entries(folder: &Path, count: &mut usize) -> Result<Vec<Entry>, DataError> {
    let failed = |error| DataError::io(folder, "read", error);
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        let Ok(name) = entry.file_name().into_string() else {
            return Err(DataError::refused(path.display().to_string(), "has a name that is not UTF-8: rename it"));
        };
        if name.starts_with('.') || LITTER.contains(&name.to_lowercase().as_str()) {
            continue;
        }
        *count += 1;
        if *count > MAX_ENTRIES {
            let problem = format!("holds more than {MAX_ENTRIES} files");
            return Err(DataError::refused(folder.display().to_string(), problem));
        }
        // Links are followed, as to data on another disk.
        let metadata = path.metadata().map_err(|error| DataError::io(&path, "open", error))?;
        entries.push(Entry { name, is_folder: metadata.is_dir(), path });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

fn extension(name: &str) -> String {
    name.rsplit_once('.').map(|(_, end)| end.to_lowercase()).unwrap_or_default()
}

fn stem(name: &str) -> String {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned()
}

/// The class that a file is called after: without its ending, the prefix of Quick, Draw!'s
/// downloads and the escapes of an address.
pub(super) fn class_name(file: &str) -> String {
    let stem = stem(file);
    let name = percent_encoding::percent_decode_str(&stem).decode_utf8().map_or_else(|_| stem.clone(), Into::into);
    name.strip_prefix("full_numpy_bitmap_").unwrap_or(&name).to_owned()
}

fn class_files(arrays: &[&Entry]) -> Vec<ClassFile> {
    let file = |entry: &&Entry| ClassFile {
        what: entry.path.display().to_string(),
        path: entry.path.clone(),
        class: class_name(&entry.name),
    };
    arrays.iter().map(file).collect()
}

/// The .npy files of a folder that has one for each class; none of another folder.
pub(super) fn arrays_in(folder: &Path) -> Vec<PathBuf> {
    let entries = entries(folder, &mut 0).unwrap_or_default();
    let arrays: Vec<Entry> = entries.into_iter().filter(|entry| extension(&entry.name) == "npy").collect();
    let names: Vec<String> = arrays.iter().map(|file| stem(&file.name)).collect();
    let is_one_each =
        !arrays::are_known(&names) || are_classes(&arrays.iter().collect::<Vec<_>>(), &names).unwrap_or(false);
    if is_one_each { arrays.into_iter().map(|file| file.path).collect() } else { Vec::new() }
}

/// Opens a .npy file and reads its header.
fn open_array(what: &str, path: &Path) -> Result<(Array, BufReader<File>), DataError> {
    let failed = |action| move |error| DataError::io(path, action, error);
    let mut file = File::open(path).map_err(failed("open"))?;
    let length = file.metadata().map_err(failed("open"))?.len();
    let mut start = Vec::new();
    file.by_ref().take(kind::START as u64).read_to_end(&mut start).map_err(failed("read"))?;
    match kind::of(&start) {
        Ok(Kind::Npy) => {}
        Ok(_) => return Err(DataError::refused(what, "is called .npy but is no array of NumPy")),
        Err(problem) => return Err(DataError::refused(what, problem)),
    }
    file.seek(SeekFrom::Start(0)).map_err(failed("read"))?;
    let mut reader = BufReader::new(file);
    let array = Array::read_header(what, &mut reader)?;
    if array.file_bytes() != length {
        let asked = array.file_bytes();
        return Err(DataError::refused(what, format!("its header asks for {asked} bytes, the file has {length}")));
    }
    Ok((array, reader))
}

/// Reads one array for each class, at most `per_class` samples of each.
///
/// # Errors
/// Where a file is no array of samples, the samples differ in shape, or two classes have one name.
pub(super) fn read_classes(
    what: &str,
    files: Vec<ClassFile>,
    per_class: Option<u64>,
    notes: &mut Vec<String>,
) -> Result<Samples, DataError> {
    if files.len() < 2 {
        let only = files.first().map_or("nothing", |file| file.what.as_str());
        let problem =
            format!("holds one class ({only}): a classifier needs at least 2, each in a .npy file of its own");
        return Err(DataError::refused(what, problem));
    }
    let names = class_names(what, files.iter().map(|file| &file.class))?;
    // All headers and forms first: nothing large is reserved for what is refused later.
    let mut room = Room::new();
    let mut seen = Seen::default();
    let mut counts = Vec::new();
    let mut shape: Option<(Vec<u32>, &str)> = None;
    for ClassFile { what, path, .. } in &files {
        let (array, mut reader) = open_array(what, path)?;
        let axes = Axes::new(what, &array.shape)?;
        let (first, other) = shape.get_or_insert_with(|| (axes.shape.clone(), what.as_str()));
        if *first != axes.shape {
            let show = |shape: &[u32]| show_shape(&shape.iter().map(|&size| size.into()).collect::<Vec<_>>());
            let problem = format!("has samples of shape {}, but {other} has {}", show(&axes.shape), show(first));
            return Err(DataError::refused(what, problem));
        }
        let count = per_class.map_or(axes.samples, |most| most.min(axes.samples));
        array.see(what, &mut reader, count, &mut seen)?;
        counts.push(count);
    }
    let Some((shape, _)) = shape else { return Err(DataError::refused(what, "is empty")) };
    note_few(what, per_class, names.iter().zip(counts.iter().copied()), notes);
    let (form, features) = (seen.form(), shape.iter().map(|&size| u64::from(size)).product::<u64>());
    let samples: u64 = counts.iter().sum();
    room.take_wide(what, samples, samples.saturating_mul(features), form.width())?;
    let mut values = Filling::new(what, form, samples * features)?;
    let mut indices = Vec::with_capacity(samples as usize);
    for ((class, ClassFile { what, path, .. }), &count) in files.iter().enumerate().zip(&counts) {
        let (array, mut reader) = open_array(what, path)?;
        array.read_values(what, &mut reader, count, &mut values)?;
        indices.extend(std::iter::repeat_n(class as u16, count as usize));
    }
    if values.len() as u64 != samples * features {
        return Err(DataError::unavailable(what, "changed while it was read"));
    }
    Ok(Samples { shape, values: values.finish(), labels: Labels::Names { names, indices } })
}

/// Notes the classes that have fewer samples than `per_class` asks for.
fn note_few<'a>(
    what: &str,
    per_class: Option<u64>,
    counts: impl Iterator<Item = (&'a String, u64)>,
    notes: &mut Vec<String>,
) {
    let Some(wanted) = per_class else { return };
    let few: Vec<String> =
        counts.filter(|(_, count)| *count < wanted).map(|(class, count)| format!("`{class}` ({count})")).collect();
    if !few.is_empty() {
        let more = few.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let shown = few[..few.len().min(SHOWN)].join(", ");
        notes.push(format!("{what}: fewer samples than per_class: {wanted} asks for have {shown}{more}"));
    }
}

fn class_names<'a>(what: &str, names: impl Iterator<Item = &'a String>) -> Result<Vec<String>, DataError> {
    let names: Vec<String> = names.cloned().collect();
    if names.len() > MAX_CLASSES {
        return Err(DataError::refused(what, format!("holds {} classes: at most {MAX_CLASSES}", names.len())));
    }
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(DataError::refused(what, format!("two classes are called `{}`", pair[0]))),
        None => Ok(names),
    }
}

/// The pictures of each class of a split, by the names of their folders.
type Classes = BTreeMap<String, Vec<PathBuf>>;

fn class_folders(what: &str, folders: &[&Entry]) -> Result<Classes, DataError> {
    let mut classes = Classes::new();
    let mut count = 0;
    for folder in folders {
        let mut found = Vec::new();
        gather(folder, &mut found, &mut count, 0)?;
        if found.is_empty() {
            return Err(DataError::refused(
                folder.path.display().to_string(),
                "holds no PNG or JPEG picture: each folder is a class, so put its pictures there or take the folder away",
            ));
        }
        classes.insert(folder.name.clone(), found);
    }
    if classes.len() < 2 {
        let problem = "holds the folder of one class only: a classifier needs at least 2";
        return Err(DataError::refused(what, problem));
    }
    Ok(classes)
}

/// Finds pictures in a folder and those below, in the order of their names.
fn gather(folder: &Entry, found: &mut Vec<PathBuf>, count: &mut usize, depth: usize) -> Result<(), DataError> {
    if depth == MAX_DEPTH {
        let problem = format!("lies more than {MAX_DEPTH} folders deep");
        return Err(DataError::refused(folder.path.display().to_string(), problem));
    }
    for entry in entries(&folder.path, count)? {
        if entry.is_folder {
            gather(&entry, found, count, depth + 1)?;
        } else if PICTURES.contains(&extension(&entry.name).as_str()) {
            found.push(entry.path);
        } else if ["gif", "bmp", "tif", "tiff", "webp", "ppm", "pgm"].contains(&extension(&entry.name).as_str()) {
            let problem = "is a picture that is neither PNG nor JPEG: convert it to PNG";
            return Err(DataError::refused(entry.path.display().to_string(), problem));
        }
    }
    Ok(())
}

/// Reads the pictures of each split in grey.
fn pictures(
    what: &str,
    splits: Vec<Classes>,
    spec: &DatasetSpec,
    notes: &mut Vec<String>,
) -> Result<Vec<Samples>, DataError> {
    refuse_keys(what, spec, "pictures", &[Key::LabelColumn])?;
    let mut names: Vec<String> = splits.iter().flat_map(|classes| classes.keys().cloned()).collect();
    names.sort_unstable();
    names.dedup();
    let names = class_names(what, names.iter())?;
    let most = spec.per_class.unwrap_or(u64::MAX);
    let taken = |pictures: &Vec<PathBuf>| usize::try_from(most).map_or(pictures.len(), |most| most.min(pictures.len()));
    let counts = splits.iter().flatten().map(|(class, pictures)| (class, pictures.len() as u64));
    note_few(what, spec.per_class, counts, notes);
    let mut gallery = Gallery::new(spec.size);
    let mut all = Vec::new();
    for classes in &splits {
        let count: usize = classes.values().map(taken).sum();
        let mut indices = Vec::with_capacity(count);
        for (class, pictures) in classes {
            let index = names.binary_search(class).unwrap_or_default() as u16;
            for path in &pictures[..taken(pictures)] {
                let shown = &path.display().to_string();
                gallery.add(what, shown, Picture::open(shown, path)?, count as u64)?;
                indices.push(index);
            }
        }
        let (shape, values) = gallery.take().ok_or_else(|| DataError::refused(what, "holds no picture"))?;
        all.push(Samples { shape, values, labels: Labels::Names { names: names.clone(), indices } });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_called_as_its_file_is() {
        for (file, class) in [
            ("cat.npy", "cat"),
            ("The Eiffel Tower.npy", "The Eiffel Tower"),
            ("The%20Eiffel%20Tower.npy", "The Eiffel Tower"),
            ("full_numpy_bitmap_cat.npy", "cat"),
            ("full%2Fnumpy.npy", "full/numpy"),
            ("100%.npy", "100%"),
            ("%ff.npy", "%ff"),
        ] {
            assert_eq!(class_name(file), class);
        }
    }
}
