//! What a plan can know of a dataset that is not fetched for it: all of it where that is cheap, and
//! otherwise how many samples its header promises.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use besom_sweep::DatasetSpec;
use zip::ZipArchive;

use super::load::{Loaded, Located, load};
use super::npy::Array;
use super::samples::divide;
use super::source::check;
use super::split::{DEFAULT_TEST_FRACTION, count_test};
use super::{DataError, Survey, folder, idx, sketches};

/// Larger files are not read for a plan.
const WHOLE: u64 = 200_000_000;
/// Files of a folder that are counted before it is taken for a large one.
const MOST_FILES: usize = 100_000;
/// Arrays of an archive that are looked at.
const MOST_ARRAYS: usize = 256;

/// What there is to know.
#[derive(Debug)]
pub enum Glance {
    /// All of it.
    Whole(Box<Loaded>),
    /// Drawn data: their labels are known without drawing them.
    Labels(Survey),
    /// A header only: the number of training and of test samples.
    Header {
        /// Samples of the training split.
        train: u32,
        /// Samples of the test split.
        test: u32,
        /// Why no more.
        why: String,
    },
    /// Nothing, and why.
    Nothing(String),
}

/// Looks at the sources of `spec`, each of which would stand at the place of `files` with its
/// number.
///
/// # Errors
/// What is read of the source is refused.
pub fn glance(spec: &DatasetSpec, files: Vec<Located>) -> Result<Glance, DataError> {
    let source = spec.source.as_str();
    spec.sources().try_for_each(check)?;
    if source == sketches::SOURCE {
        let mut spec = spec.clone();
        spec.classes.get_or_insert_with(sketches::classes);
        let (classes, labels, order) = divide(source, &sketches::labels(&spec), &spec)?;
        let of = |part: &[u32]| part.iter().map(|&at| labels[at as usize]).collect::<Vec<_>>();
        return Ok(Glance::Labels(Survey::count(classes, of(&order.train).into_iter(), of(&order.test).into_iter())));
    }
    let mut size = 0_u64;
    for file in &files {
        match size_of_all(&file.path) {
            Some(bytes) => size = size.saturating_add(bytes),
            None => return Ok(Glance::Nothing(format!("{} is not there", file.path.display()))),
        }
    }
    if size <= WHOLE {
        return Ok(Glance::Whole(Box::new(load(spec, files)?)));
    }
    Ok(header(files.into_iter().map(|file| file.path).collect(), size, spec))
}

/// Bytes of a file, or of all files below a folder; nothing where there is neither.
fn size_of_all(path: &Path) -> Option<u64> {
    let metadata = path.metadata().ok()?;
    if !metadata.is_dir() {
        return Some(metadata.len());
    }
    let mut folders = vec![path.to_owned()];
    let (mut size, mut files) = (0_u64, 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).ok()? {
            let path = entry.ok()?.path();
            // Links are followed, but not into folders, which might lead around in circles.
            let Ok(metadata) = path.metadata() else { continue };
            files += 1;
            match metadata.is_dir() {
                true if path.is_symlink() => {}
                true => folders.push(path),
                false => size = size.saturating_add(metadata.len()),
            }
            if files > MOST_FILES || size > WHOLE {
                return Some(u64::MAX);
            }
        }
    }
    Some(size)
}

/// What the headers of large files tell.
fn header(paths: Vec<PathBuf>, size: u64, spec: &DatasetSpec) -> Glance {
    let what = spec.source_text(|_| paths.first().map(|path| path.display().to_string()).unwrap_or_default());
    let why = match size {
        u64::MAX => format!("{what} is larger than {} MB in all", WHOLE / 1_000_000),
        size => format!("{what} has {} MB", size / 1_000_000),
    };
    let fraction = spec.test_fraction.unwrap_or(DEFAULT_TEST_FRACTION);
    let counts = match &paths[..] {
        [path] if !path.is_dir() => counts(path),
        [folder] => of_classes(&folder::arrays_in(folder), spec.per_class),
        list => of_classes(list, spec.per_class),
    };
    let counts = match counts {
        Some(Counts::Whole(count)) => count_test("", count, fraction).ok().map(|test| (count - test, test)),
        Some(Counts::Split(train, test)) => Some((train, test)),
        None => None,
    };
    match counts {
        Some((train, test)) => Glance::Header { train, test, why },
        None => Glance::Nothing(format!("{why}, and its header does not tell how many samples it has")),
    }
}

/// What the arrays of classes hold together, each at most `per_class` samples.
fn of_classes(paths: &[PathBuf], per_class: Option<u64>) -> Option<Counts> {
    let mut count = 0_u64;
    for path in paths {
        let array = Array::read_header("", &mut BufReader::new(File::open(path).ok()?)).ok()?;
        count = count.saturating_add(array.samples().min(per_class.unwrap_or(u64::MAX)));
    }
    u32::try_from(count).ok().filter(|&count| count > 0).map(Counts::Whole)
}

/// Samples that a header promises.
enum Counts {
    Whole(u32),
    Split(u32, u32),
}

/// What the header of a file promises, where it has one that is known.
fn counts(path: &Path) -> Option<Counts> {
    let mut start = [0; 16];
    let mut file = File::open(path).ok()?;
    file.read_exact(&mut start).ok()?;
    if idx::is_magic(&start) {
        return Some(Counts::Whole(u32::from_be_bytes([start[4], start[5], start[6], start[7]])));
    }
    start.starts_with(b"PK").then(|| of_archive(path)).flatten()
}

/// Of the arrays of an archive: the largest one, or the largest ones with `train` and with `test`
/// or `val` in their names.
fn of_archive(path: &Path) -> Option<Counts> {
    let mut archive = ZipArchive::new(BufReader::new(File::open(path).ok()?)).ok()?;
    let mut arrays: Vec<(String, u64, u64)> = Vec::new();
    for index in 0..archive.len().min(MOST_ARRAYS) {
        let mut entry = archive.by_index(index).ok()?;
        let name = entry.name().ok()?.to_lowercase();
        if let Ok(array) = Array::read_header("", &mut entry) {
            arrays.push((name, array.samples(), array.count()));
        }
    }
    let largest = |words: &[&str]| {
        let found = arrays.iter().filter(|(name, ..)| words.is_empty() || words.iter().any(|word| name.contains(word)));
        found.max_by_key(|(.., values)| *values).and_then(|&(_, samples, _)| u32::try_from(samples).ok())
    };
    // As a run does: the validation set stands in where there is no test set.
    match (largest(&["train"]), largest(&["test"]).or_else(|| largest(&["val"]))) {
        (Some(train), Some(test)) => Some(Counts::Split(train, test)),
        _ => largest(&[]).map(Counts::Whole),
    }
}
