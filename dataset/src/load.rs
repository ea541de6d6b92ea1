//! From `besom.dataset` to a dataset: finds the source, checks its digest, knows its format by its
//! first bytes.

use std::fs::{File, Metadata};
use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use besom_sweep::{DatasetSpec, shown_source};
use flate2::read::MultiGzDecoder;

use super::digest::{check_pin, hash_file, is_digest};
use super::folder::{ClassFile, Key, class_name, refuse_keys};
use super::kind::{self, Kind};
use super::limits::{Bounded, MAX_SOURCE, unpacked_limit};
use super::samples::{Parsed, assemble};
use super::source::{self, expand, file_name};
use super::{DataError, Dataset, columnar, folder, idx, npz, sketches, table};

/// A dataset and where it came from.
#[derive(Debug)]
pub struct Loaded {
    /// The dataset.
    pub dataset: Arc<Dataset>,
    /// SHA-256 of the source's bytes, lower-case hex; none for several files and for
    /// `builtin:sketches`.
    pub source_sha256: Option<String>,
    /// Lines that the user should see.
    pub notes: Vec<String>,
}

/// A file or folder that a source names, where it stands on this machine.
#[derive(Debug, Clone)]
pub struct Located {
    /// What messages call it.
    pub what: String,
    /// Where it is.
    pub path: PathBuf,
    /// The SHA-256 of a download, which is known and checked; `None` for what was here before.
    pub downloaded: Option<String>,
}

impl Located {
    /// What a source that is no URL names; a relative path counts from `base_dir`.
    #[must_use]
    pub fn local(source: &str, base_dir: &Path) -> Self {
        let path = base_dir.join(expand(source));
        Self { what: path.display().to_string(), path, downloaded: None }
    }
}

/// Loads, checks and splits a source that stands on this machine, or is drawn. A relative path
/// counts from `base_dir`.
///
/// # Errors
/// [`DataError`]: a source that must be fetched first, refused input by file and entry, files that
/// fail.
pub fn load_local(spec: &DatasetSpec, base_dir: &Path) -> Result<Loaded, DataError> {
    check(spec)?;
    if let Some(url) = spec.sources().find(|source| source.contains("://")) {
        return Err(DataError::refused(shown_source(url), "must be fetched first: only local paths are read here"));
    }
    load(spec, spec.sources().map(|source| Located::local(source, base_dir)).collect())
}

/// Refuses what `spec` says wrongly whatever its sources hold, before anything is fetched.
///
/// # Errors
/// [`DataError::Refused`], without the secrets of a URL.
pub fn check(spec: &DatasetSpec) -> Result<(), DataError> {
    spec.sources().try_for_each(source::check)?;
    let what = || shown_source(&spec.source);
    let refuse = |what: String, problem: &str| Err(DataError::refused(what, problem));
    if let Some(pinned) = spec.sha256.as_deref()
        && !is_digest(pinned)
    {
        return refuse(what(), &format!("sha256 must be 64 lower-case hex digits, not `{pinned}`"));
    }
    if spec.source.starts_with("builtin:") {
        return match spec.sha256 {
            _ if spec.source != sketches::SOURCE => {
                refuse(what(), &format!("the only builtin dataset is {}", sketches::SOURCE))
            }
            Some(_) => refuse(what(), "sha256 belongs to files and URLs: these are drawn"),
            None => Ok(()),
        };
    }
    if spec.samples.is_some() || spec.seed.is_some() {
        return refuse(what(), &format!("samples and seed belong to {} only", sketches::SOURCE));
    }
    for source in spec.sources() {
        if source.starts_with("builtin:") {
            return refuse(shown_source(source), "stands alone, not in a list");
        }
        if source.split_once("://").is_some_and(|(scheme, _)| !scheme.eq_ignore_ascii_case("https")) {
            return refuse(shown_source(source), "only https URLs and local paths are read");
        }
    }
    if !spec.more_sources.is_empty() {
        let what = &spec.source_text(shown_source);
        if spec.sha256.is_some() {
            return refuse(what.clone(), "sha256 belongs to a single file; this is a list");
        }
        refuse_keys(what, spec, "arrays", &[Key::Size, Key::LabelColumn])?;
    }
    Ok(())
}

/// Loads, checks and splits the sources of `spec`, each of which stands at the place of `files`
/// with its number; none is needed of drawings.
///
/// # Errors
/// [`DataError`]: refused input by file and entry, files that fail.
pub fn load(spec: &DatasetSpec, files: Vec<Located>) -> Result<Loaded, DataError> {
    check(spec)?;
    if spec.source == sketches::SOURCE {
        return draw(spec);
    }
    let mut files = files;
    if !spec.more_sources.is_empty() {
        return read_list(spec, files);
    }
    let Some(file) = files.pop() else {
        return Err(DataError::unavailable(shown_source(&spec.source), "stands nowhere on this machine"));
    };
    read(&file, spec)
}

/// Reads a list of sources: each is the .npy array of a class that is called as the source is.
fn read_list(spec: &DatasetSpec, files: Vec<Located>) -> Result<Loaded, DataError> {
    let what = &spec.source_text(shown_source);
    let mut classes = Vec::new();
    for (source, file) in spec.sources().zip(files) {
        let what = shown_source(source);
        check_file(&what, &file.path)?;
        classes.push(ClassFile { what, path: file.path, class: class_name(file_name(source)) });
    }
    let mut notes = Vec::new();
    let samples = folder::read_classes(what, classes, spec.per_class, &mut notes)?;
    let dataset = assemble(what, Parsed::Whole(samples), spec, false)?;
    Ok(Loaded { dataset: Arc::new(dataset), source_sha256: None, notes })
}

fn draw(spec: &DatasetSpec) -> Result<Loaded, DataError> {
    let mut spec = spec.clone();
    spec.classes.get_or_insert_with(sketches::classes);
    let dataset = assemble(sketches::SOURCE, sketches::samples(&spec)?, &spec, true)?;
    let notes = vec![format!("{}: synthetic drawings, not people's", sketches::SOURCE)];
    Ok(Loaded { dataset: Arc::new(dataset), source_sha256: None, notes })
}

/// Reads a file or folder.
fn read(file: &Located, spec: &DatasetSpec) -> Result<Loaded, DataError> {
    let Located { what, path, downloaded } = file;
    let mut notes = Vec::new();
    if path.is_dir() {
        if spec.sha256.is_some() {
            return Err(DataError::refused(what, "sha256 belongs to a single file; this is a directory"));
        }
        refuse_keys(what, spec, "files of samples", &[Key::LabelColumn])?;
        let parsed = folder::read(path, spec, &mut notes)?;
        let dataset = assemble(what, parsed, spec, false)?;
        return Ok(Loaded { dataset: Arc::new(dataset), source_sha256: None, notes });
    }
    let metadata = check_file(what, path)?;
    let sha256 = match downloaded {
        Some(sha256) => sha256.clone(),
        None => hash_file(path).map_err(|error| DataError::io(path, "read", error))?,
    };
    check_pin(what, &sha256, spec.sha256.as_deref())?;
    let (parsed, files) = parse(what, path, downloaded.is_some(), spec, &mut notes)?;
    // A download stands under its digest: another process may put the same bytes there meanwhile.
    if downloaded.is_none() {
        check_unchanged(what, path, &metadata)?;
    }
    let source_sha256 = match (files, &spec.sha256) {
        (Files::One, _) => Some(sha256),
        (Files::Pair, None) => None,
        (Files::Pair, Some(_)) => {
            let problem = "sha256 belongs to a single file; the labels of these images stand in another";
            return Err(DataError::refused(what, problem));
        }
    };
    let dataset = assemble(what, parsed, spec, false)?;
    Ok(Loaded { dataset: Arc::new(dataset), source_sha256, notes })
}

/// Checks that a path is that of a file which is not too large.
fn check_file(what: &str, path: &Path) -> Result<Metadata, DataError> {
    let metadata = path.metadata().map_err(|error| match error.kind() {
        ErrorKind::NotFound => DataError::refused(
            what,
            "no such file or folder (a relative besom.dataset.source counts from the folder of its sweep file)",
        ),
        _ => DataError::io(path, "open", error),
    })?;
    if metadata.is_dir() {
        return Err(DataError::refused(what, "is a folder, and a list holds one .npy file for each class"));
    }
    if !metadata.is_file() {
        return Err(DataError::refused(what, "is neither a file nor a directory"));
    }
    if metadata.len() > MAX_SOURCE {
        return Err(DataError::refused(what, format!("is larger than {} MiB", MAX_SOURCE >> 20)));
    }
    Ok(metadata)
}

/// Makes sure that the bytes that were parsed are those that were hashed: a file is opened once for
/// each.
fn check_unchanged(what: &str, path: &Path, before: &Metadata) -> Result<(), DataError> {
    let stamp = |metadata: &Metadata| (metadata.len(), metadata.modified().ok());
    let after = path.metadata().map_err(|error| DataError::io(path, "open", error))?;
    if stamp(&after) == stamp(before) {
        return Ok(());
    }
    Err(DataError::unavailable(what, "changed while it was read"))
}

/// What the digest of a source would have to cover.
enum Files {
    One,
    /// Images and the labels beside them.
    Pair,
}

/// Parses one file by its first bytes.
fn parse(
    what: &str,
    path: &Path,
    downloaded: bool,
    spec: &DatasetSpec,
    notes: &mut Vec<String>,
) -> Result<(Parsed, Files), DataError> {
    let refuse = |problem: String| DataError::refused(what, problem);
    let open = || File::open(path).map_err(|error| DataError::io(path, "open", error));
    let length = open()?.metadata().map_err(|error| DataError::io(path, "open", error))?.len();
    let mut start = first_bytes(open()?).map_err(|error| DataError::io(path, "read", error))?;
    if start.is_empty() {
        return Err(refuse("is empty".to_owned()));
    }
    let unzipped =
        || Ok::<_, DataError>(Bounded::new(MultiGzDecoder::new(BufReader::new(open()?)), unpacked_limit(length)));
    let mut kind = kind::of(&start).map_err(refuse)?;
    let gzip = kind == Kind::Gzip;
    if gzip {
        start = first_bytes(unzipped()?).map_err(|error| refuse(format!("is no readable gzip file: {error}")))?;
        kind =
            kind::of(&start).map_err(|problem| refuse(format!("is packed with gzip, and what is in it {problem}")))?;
    }
    let form = match kind {
        Kind::Text | Kind::Parquet => "a table",
        Kind::Idx => "IDX files",
        _ => "arrays",
    };
    if kind != Kind::Picture && kind != Kind::Npy {
        let label_column = if form == "a table" { None } else { Some(Key::LabelColumn) };
        let size = if kind == Kind::Parquet { None } else { Some(Key::Size) };
        let keys: Vec<Key> = [Some(Key::PerClass), size, label_column].into_iter().flatten().collect();
        refuse_keys(what, spec, form, &keys)?;
    }
    let parsed = match kind {
        Kind::Gzip | Kind::Zip | Kind::Npy | Kind::Parquet if gzip => {
            let problem = "is packed with gzip, of which only CSV and IDX files are read: unpack it with gunzip";
            return Err(refuse(problem.to_owned()));
        }
        Kind::Zip => npz::read(what, BufReader::new(open()?), length, notes)?,
        Kind::Parquet => columnar::read(what, path, spec, notes)?,
        Kind::Idx if downloaded => {
            let problem =
                "is an IDX file of images, whose labels stand in another file: download both and give the path";
            return Err(refuse(problem.to_owned()));
        }
        Kind::Idx => return Ok((idx::read_with_sibling(path)?, Files::Pair)),
        Kind::Npy | Kind::Gzip => {
            let problem = "is a single .npy array, which has no labels: save samples and labels together with \
                           numpy.savez(\"data.npz\", x=x, y=y), or give a folder or list with one .npy file for each class";
            return Err(refuse(problem.to_owned()));
        }
        Kind::Picture => {
            let problem = "is a single picture: give the folder that holds a folder of pictures for each class";
            return Err(refuse(problem.to_owned()));
        }
        Kind::Text if !gzip && Path::new(what).extension().is_some_and(|end| end == "npz") => {
            return Err(refuse("is called .npz but is no zip file".to_owned()));
        }
        Kind::Text => {
            let open = || -> Result<Box<dyn Read>, DataError> {
                if gzip { Ok(Box::new(unzipped()?)) } else { Ok(Box::new(BufReader::new(open()?))) }
            };
            table::read(what, &open, spec.label_column.as_deref(), notes)?
        }
    };
    Ok((parsed, Files::One))
}

/// The first bytes, as many as tell the kind of a file.
fn first_bytes(reader: impl Read) -> std::io::Result<Vec<u8>> {
    let mut start = Vec::new();
    reader.take(kind::START as u64).read_to_end(&mut start)?;
    Ok(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changes_while_it_is_read_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        std::fs::write(&path, "label,x\n0,1\n").unwrap();
        let before = path.metadata().unwrap();
        check_unchanged("x.csv", &path, &before).unwrap();
        std::fs::write(&path, "label,x\n0,1\n1,2\n").unwrap();
        let error = check_unchanged("x.csv", &path, &before).unwrap_err();
        assert!(error.is_retryable() && error.to_string().contains("x.csv: changed while"), "{error}");
    }
}
