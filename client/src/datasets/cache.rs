//! The worker's datasets: each fetched once, kept on disk by digest, held once in memory.
//!
//! Several processes may share the folder: files appear by rename, complete, and their digest is
//! checked at every reading, so a damaged file is fetched again and never trained on.

use std::collections::HashMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::blocking::blocking;
use super::unfinished::Unfinished;
use besom_dataset::digest::is_digest;
use besom_dataset::{DataError, Dataset};

/// The dataset of one digest, where anybody holds it; locked while it is fetched.
type Place = Arc<tokio::sync::Mutex<Weak<Dataset>>>;

/// Datasets of one process, on the folder that processes share.
pub struct DatasetCache {
    folder: PathBuf,
    places: Mutex<HashMap<String, Place>>,
    /// The last one asked for stays in memory between two jobs.
    latest: Mutex<Option<Arc<Dataset>>>,
}

impl DatasetCache {
    /// The cache under `home` (`cache/datasets`). Nothing is touched before the first use.
    #[must_use]
    pub fn new(home: &Path) -> Self {
        Self {
            folder: home.join("cache").join("datasets"),
            places: Mutex::new(HashMap::new()),
            latest: Mutex::new(None),
        }
    }

    /// The dataset of `digest`: from memory, from disk, or by `fetch`, which gives the artifact's
    /// bytes. Callers that ask for the same digest at the same time share one fetch. A folder that
    /// cannot be written to is logged and costs only the next process a fetch.
    ///
    /// # Errors
    /// [`DataError::Unavailable`] where `fetch` fails or gives other bytes; [`DataError::Refused`]
    /// for a digest that is none or bytes that are no dataset.
    pub async fn get<F, E>(&self, digest: &str, fetch: impl FnOnce() -> F) -> Result<Arc<Dataset>, DataError>
    where
        F: Future<Output = Result<Vec<u8>, E>>,
        E: Display,
    {
        if !is_digest(digest) {
            return Err(DataError::refused(digest, "is no dataset digest: 64 lower-case hex digits"));
        }
        let place = self.place(digest);
        let mut held = place.lock().await;
        if let Some(dataset) = held.upgrade() {
            return Ok(dataset);
        }
        let dataset = match self.read(digest).await {
            Some(dataset) => dataset,
            None => {
                let bytes =
                    fetch().await.map_err(|error| DataError::unavailable(digest, format!("fetch failed: {error}")))?;
                let dataset = verify(digest, bytes).await?;
                if let Err(error) = self.write(&dataset).await {
                    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                    tracing::warn!(folder = %self.folder.display(), %error, cause, "the dataset cache cannot be written");
                }
                dataset
            }
        };
        *held = Arc::downgrade(&dataset);
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&dataset));
        Ok(dataset)
    }

    /// Puts a dataset that is already in memory into the folder, so that it need not be fetched.
    ///
    /// # Errors
    /// [`DataError::Io`] where the folder cannot be written to.
    pub async fn insert(&self, dataset: &Arc<Dataset>) -> Result<(), DataError> {
        let place = self.place(dataset.digest());
        let mut held = place.lock().await;
        self.write(dataset).await?;
        *held = Arc::downgrade(dataset);
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(dataset));
        Ok(())
    }

    fn place(&self, digest: &str) -> Place {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(places.entry(digest.to_owned()).or_default())
    }

    /// The dataset on disk; a file that is not what its name says is removed.
    async fn read(&self, digest: &str) -> Option<Arc<Dataset>> {
        let path = self.folder.join(digest);
        let bytes = tokio::fs::read(&path).await.ok()?;
        match verify(digest, bytes).await {
            Ok(dataset) => Some(dataset),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a cached dataset is damaged and is fetched again");
                let _ = tokio::fs::remove_file(&path).await;
                None
            }
        }
    }

    async fn write(&self, dataset: &Arc<Dataset>) -> Result<(), DataError> {
        let (folder, dataset) = (self.folder.clone(), Arc::clone(dataset));
        blocking(move || {
            let path = folder.join(dataset.digest());
            if path.metadata().is_ok_and(|file| file.len() == dataset.artifact().len() as u64) {
                return Ok(());
            }
            let mut file = Unfinished::new(&folder)?;
            file.write(dataset.artifact())?;
            file.finish(&path)
        })
        .await
    }
}

/// Makes a dataset of bytes that must have `digest`.
async fn verify(digest: &str, bytes: Vec<u8>) -> Result<Arc<Dataset>, DataError> {
    let wanted = digest.to_owned();
    blocking(move || {
        let dataset = Dataset::from_artifact(bytes)?;
        if dataset.digest() != wanted {
            return Err(DataError::unavailable(wanted, format!("the bytes have digest {}", dataset.digest())));
        }
        Ok(Arc::new(dataset))
    })
    .await
}
