//! From `besom.dataset` to a dataset: finds the source, checks its digest, knows its format by its first bytes.

use std::fs::{File, Metadata};
use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use besom_sweep::DatasetSpec;
use flate2::read::MultiGzDecoder;

use super::blocking::blocking;
use super::download::{Download, check_pin, download, hash_file};
use super::folder::{ClassFile, Key, class_name, refuse_keys};
use super::kind::{self, Kind};
use super::limits::{Bounded, MAX_SOURCE, unpacked_limit};
use super::samples::{Parsed, assemble};
use super::source::{check, expand, file_name, shown};
use super::{DataError, Dataset, columnar, folder, idx, npz, sketches, table};

/// Where to look and what is allowed.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// BESOM_HOME: downloads are kept under `cache/downloads`.
    pub home: PathBuf,
    /// The folder that relative paths are relative to.
    pub base_dir: PathBuf,
    /// Whether https may reach loopback, private and link-local addresses.
    pub allow_private_hosts: bool,
}

/// What [`load`] is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadProgress {
    /// Bytes of a download so far, and in all where the server says so.
    Downloading {
        /// Bytes received.
        received: u64,
        /// Bytes expected.
        total: Option<u64>,
    },
    /// Reading, or drawing, the samples.
    Reading,
}

/// A dataset and where it came from.
#[derive(Debug)]
pub struct Loaded {
    /// The dataset.
    pub dataset: Arc<Dataset>,
    /// SHA-256 of the source's bytes, lower-case hex; none for several files and for `builtin:sketches`.
    pub source_sha256: Option<String>,
    /// Lines that the user should see.
    pub notes: Vec<String>,
}

/// Loads, checks and splits the source of `spec`.
///
/// # Errors
/// [`DataError`]: refused input by file and entry, files and networks that fail.
pub async fn load(
    spec: &DatasetSpec,
    options: &LoadOptions,
    progress: &(dyn Fn(LoadProgress) + Send + Sync),
) -> Result<Loaded, DataError> {
    let source = spec.source.as_str();
    spec.sources().try_for_each(check)?;
    let pinned = spec.sha256.as_deref();
    if let Some(pinned) = pinned
        && !is_digest(pinned)
    {
        return Err(DataError::refused(
            shown(source),
            format!("sha256 must be 64 lower-case hex digits, not `{pinned}`"),
        ));
    }
    if source.starts_with("builtin:") {
        return load_sketches(spec, progress).await;
    }
    if spec.samples.is_some() || spec.seed.is_some() {
        return Err(DataError::refused(shown(source), format!("samples and seed belong to {} only", sketches::SOURCE)));
    }
    if !spec.more_sources.is_empty() {
        return load_list(spec, options, progress).await;
    }
    let Some(file) = fetch(source, pinned, options, progress).await? else {
        progress(LoadProgress::Reading);
        return read(local_path(source, options), None, spec).await;
    };
    progress(LoadProgress::Reading);
    let mut loaded = read(file.path().to_owned(), Some(file.sha256.clone()), spec).await?;
    file.keep()?;
    if let (None, Some(sha256)) = (pinned, &loaded.source_sha256) {
        loaded.notes.push(format!("{}: pinned to sha256 {sha256}", shown(source)));
    }
    Ok(loaded)
}

/// Downloads a source that is a URL; `None` for a path.
async fn fetch(
    source: &str,
    pinned: Option<&str>,
    options: &LoadOptions,
    progress: &(dyn Fn(LoadProgress) + Send + Sync),
) -> Result<Option<Download>, DataError> {
    let Some((scheme, _)) = source.split_once("://") else { return Ok(None) };
    if !scheme.eq_ignore_ascii_case("https") {
        return Err(DataError::refused(shown(source), "only https URLs and local paths are read"));
    }
    let folder = options.home.join("cache").join("downloads");
    download(source, pinned, &folder, options.allow_private_hosts, progress).await.map(Some)
}

/// Loads a list of sources: each is the .npy array of a class that is called as the file is.
async fn load_list(
    spec: &DatasetSpec,
    options: &LoadOptions,
    progress: &(dyn Fn(LoadProgress) + Send + Sync),
) -> Result<Loaded, DataError> {
    let mut files = Vec::new();
    let mut downloads = Vec::new();
    for source in spec.sources() {
        let what = shown(source);
        if source.starts_with("builtin:") {
            return Err(DataError::refused(what, "stands alone, not in a list"));
        }
        let class = class_name(file_name(source));
        let path = match fetch(source, None, options, progress).await? {
            Some(download) => {
                let path = download.path().to_owned();
                downloads.push(download);
                path
            }
            None => local_path(source, options),
        };
        files.push(ClassFile { what, path, class });
    }
    progress(LoadProgress::Reading);
    let spec = spec.clone();
    let (dataset, notes) = blocking(move || {
        let what = &spec.source_text(shown);
        if spec.sha256.is_some() {
            return Err(DataError::refused(what, "sha256 belongs to a single file; this is a list"));
        }
        refuse_keys(what, &spec, "arrays", &[Key::Size, Key::LabelColumn])?;
        for file in &files {
            check_file(&file.what, &file.path)?;
        }
        let mut notes = Vec::new();
        let samples = folder::read_classes(what, files, spec.per_class, &mut notes)?;
        Ok((assemble(what, Parsed::Whole(samples), &spec, false)?, notes))
    })
    .await?;
    downloads.into_iter().try_for_each(Download::keep)?;
    Ok(Loaded { dataset: Arc::new(dataset), source_sha256: None, notes })
}

/// Where a source that is no URL stands.
pub(super) fn local_path(source: &str, options: &LoadOptions) -> PathBuf {
    options.base_dir.join(expand(source))
}

/// True for a SHA-256 in lower-case hex, which is also safe as a file name.
pub(super) fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

async fn load_sketches(
    spec: &DatasetSpec,
    progress: &(dyn Fn(LoadProgress) + Send + Sync),
) -> Result<Loaded, DataError> {
    if spec.source != sketches::SOURCE {
        return Err(DataError::refused(&spec.source, format!("the only builtin dataset is {}", sketches::SOURCE)));
    }
    if spec.sha256.is_some() {
        return Err(DataError::refused(&spec.source, "sha256 belongs to files and URLs: these are drawn"));
    }
    progress(LoadProgress::Reading);
    let mut spec = spec.clone();
    spec.classes.get_or_insert_with(sketches::classes);
    let dataset = blocking(move || assemble(sketches::SOURCE, sketches::samples(&spec)?, &spec, true)).await?;
    let notes = vec![format!("{}: synthetic drawings, not people's", sketches::SOURCE)];
    Ok(Loaded { dataset: Arc::new(dataset), source_sha256: None, notes })
}

/// Reads a local file or directory, or a download whose digest is known and checked.
async fn read(path: PathBuf, downloaded: Option<String>, spec: &DatasetSpec) -> Result<Loaded, DataError> {
    let spec = spec.clone();
    let (dataset, source_sha256, notes) = blocking(move || {
        let what = if downloaded.is_some() { shown(&spec.source) } else { path.display().to_string() };
        let mut notes = Vec::new();
        if path.is_dir() {
            if spec.sha256.is_some() {
                return Err(DataError::refused(&what, "sha256 belongs to a single file; this is a directory"));
            }
            refuse_keys(&what, &spec, "files of samples", &[Key::LabelColumn])?;
            let parsed = folder::read(&path, &spec, &mut notes)?;
            return Ok((assemble(&what, parsed, &spec, false)?, None, notes));
        }
        let metadata = check_file(&what, &path)?;
        let sha256 = match &downloaded {
            Some(sha256) => sha256.clone(),
            None => hash_file(&path).map_err(|error| DataError::io(&path, "read", error))?,
        };
        check_pin(&what, &sha256, spec.sha256.as_deref())?;
        let (parsed, files) = parse(&what, &path, downloaded.is_some(), &spec, &mut notes)?;
        // A download stands under its digest: another process may put the same bytes there meanwhile.
        if downloaded.is_none() {
            check_unchanged(&what, &path, &metadata)?;
        }
        let source_sha256 = match (files, &spec.sha256) {
            (Files::One, _) => Some(sha256),
            (Files::Pair, None) => None,
            (Files::Pair, Some(_)) => {
                let problem = "sha256 belongs to a single file; the labels of these images stand in another";
                return Err(DataError::refused(&what, problem));
            }
        };
        Ok((assemble(&what, parsed, &spec, false)?, source_sha256, notes))
    })
    .await?;
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

/// Makes sure that the bytes that were parsed are those that were hashed: a file is opened once for each.
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
