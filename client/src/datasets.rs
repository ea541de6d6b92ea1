//! Datasets of sources that may be on the web: fetched where they must be, kept under BESOM_HOME,
//! and read by [`besom_dataset`].

mod blocking;
mod cache;
mod download;
mod hosts;
mod unfinished;

use std::path::PathBuf;

use besom_dataset::{DataError, Glance, Loaded, Located, check};
use besom_sweep::{DatasetSpec, shown_source};

use self::blocking::blocking;
pub use self::cache::DatasetCache;
use self::download::{Download, download, is_sound};

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

impl LoadOptions {
    fn downloads(&self) -> PathBuf {
        self.home.join("cache").join("downloads")
    }
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

/// Fetches the sources of `spec` where they are on the web; loads, checks and splits them.
///
/// # Errors
/// [`DataError`]: refused input by file and entry, files and networks that fail.
pub async fn load(
    spec: &DatasetSpec,
    options: &LoadOptions,
    progress: &(dyn Fn(LoadProgress) + Send + Sync),
) -> Result<Loaded, DataError> {
    check(spec)?;
    let (mut files, mut downloads) = (Vec::new(), Vec::new());
    for source in spec.sources() {
        if !source.contains("://") {
            files.push(Located::local(source, &options.base_dir));
            continue;
        }
        let folder = options.downloads();
        let download = download(source, spec.sha256.as_deref(), &folder, options.allow_private_hosts, progress).await?;
        files.push(Located {
            what: shown_source(source),
            path: download.path().to_owned(),
            downloaded: Some(download.sha256.clone()),
        });
        downloads.push(download);
    }
    progress(LoadProgress::Reading);
    let was_fetched = !downloads.is_empty();
    let owned = spec.clone();
    let mut loaded = blocking(move || besom_dataset::load(&owned, files)).await?;
    downloads.into_iter().try_for_each(Download::keep)?;
    if let (true, None, Some(sha256)) = (was_fetched, &spec.sha256, &loaded.source_sha256) {
        loaded.notes.push(format!("{}: pinned to sha256 {sha256}", shown_source(&spec.source)));
    }
    Ok(loaded)
}

/// Looks at the sources of `spec` for a plan. Nothing is fetched, and nothing is removed.
///
/// # Errors
/// What is read of the source is refused.
pub async fn glance(
    spec: &DatasetSpec,
    options: &LoadOptions,
    progress: &(dyn Fn(LoadProgress) + Send + Sync),
) -> Result<Glance, DataError> {
    check(spec)?;
    let mut files = Vec::new();
    for source in spec.sources() {
        if !source.contains("://") {
            files.push(Located::local(source, &options.base_dir));
            continue;
        }
        let what = shown_source(source);
        let Some(pinned) = spec.sha256.clone() else {
            return Ok(Glance::Nothing(format!("{what} is not fetched for a plan")));
        };
        let path = options.downloads().join(&pinned);
        if !path.exists() {
            return Ok(Glance::Nothing(format!("{what} is not in the cache, and a plan fetches nothing")));
        }
        let (cached, digest) = (path.clone(), pinned.clone());
        if !blocking(move || Ok(is_sound(&cached, &digest))).await? {
            return Ok(Glance::Nothing(format!(
                "the cached copy of {what} is damaged, and a plan fetches nothing; a run fetches it again"
            )));
        }
        files.push(Located { what, path, downloaded: Some(pinned) });
    }
    progress(LoadProgress::Reading);
    let spec = spec.clone();
    blocking(move || besom_dataset::glance(&spec, files)).await
}
