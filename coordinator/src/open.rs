//! From a store's URL to a store that is ready, with the artifacts that belong to it.
//!
//! SQLite: lock, open, migrate, in this order, so that no second coordinator ever touches the database; network file
//! systems are refused, because SQLite's locks do not hold there. Postgres: connect and migrate; any number may.

use std::{sync::Arc, time::Duration};

use tokio::task::spawn_blocking;

use crate::{
    artifacts::{ArtifactStore, FileArtifacts, PostgresArtifacts, folder},
    store::{
        OpenError, Store, StoreUrl,
        lock::LockFile,
        paths::{prepare_folder, refuse_other_names},
        postgres::PostgresStore,
        sqlite::SqliteStore,
        until_made,
    },
};

/// What closing a store may take: folding the largest write-ahead log into its file takes a moment.
const CLOSING: Duration = Duration::from_secs(5);

/// A store that is ready, with the artifacts that belong to it.
pub struct Opened {
    /// Rows.
    pub store: Arc<dyn Store>,
    /// Bytes.
    pub artifacts: Arc<dyn ArtifactStore>,
    /// SQLite, opened for writing: the right to do so, for as long as this lives.
    pub lock: Option<LockFile>,
}

impl Opened {
    /// Closes the store and only then gives the right to it away. What does not close in time ends with the process.
    pub async fn close(self) {
        if tokio::time::timeout(CLOSING, self.store.close()).await.is_err() {
            tracing::warn!("the store did not close in time; nothing is lost by it");
        }
    }
}

/// Opens for writing and brings the database to this build's migrations. A missing SQLite database is made, with its
/// folder.
///
/// # Errors
/// `Held` if another process has the SQLite database; the others as they say.
pub async fn open(url: &StoreUrl) -> Result<Opened, OpenError> {
    match url {
        StoreUrl::Sqlite(path) => {
            let database = path.clone();
            let lock = spawn_blocking(move || {
                prepare_folder(&database)?;
                let lock = LockFile::take(&database)?;
                refuse_other_names(&database)?;
                Ok(lock)
            });
            let lock = lock
                .await
                .map_err(|error| OpenError::Unavailable { store: url.to_string(), problem: error.to_string() })??;
            let store = SqliteStore::open(path).await?;
            let index = store.artifact_index();
            let folder = folder::prepare(path, &index).await?;
            let artifacts = FileArtifacts::new(folder.clone(), Some(index));
            artifacts.sweep_unfinished().await.map_err(|source| OpenError::Io { path: folder, source })?;
            Ok(Opened { store: Arc::new(store), artifacts: Arc::new(artifacts), lock: Some(lock) })
        }
        StoreUrl::Postgres(url) => {
            let store = PostgresStore::open(url).await?;
            let artifacts = PostgresArtifacts::new(store.pool().clone(), store.artifact_index());
            Ok(Opened { store: Arc::new(store), artifacts: Arc::new(artifacts), lock: None })
        }
    }
}

/// Opens an existing store for reading, beside a coordinator or without one. It changes nothing and needs no lock. A store that
/// another process is making, or brings to this build's migrations, is waited for.
///
/// # Errors
/// `NotFound` if there is no database or no store in it; the others as they say.
pub async fn open_read_only(url: &StoreUrl) -> Result<Opened, OpenError> {
    match url {
        StoreUrl::Sqlite(path) => {
            until_made(url).await;
            let store = SqliteStore::open_read_only(path).await?;
            let artifacts = FileArtifacts::new(folder::readable(path), None);
            Ok(Opened { store: Arc::new(store), artifacts: Arc::new(artifacts), lock: None })
        }
        StoreUrl::Postgres(server) => {
            until_made(url).await;
            let store = PostgresStore::open_read_only(server).await?;
            let artifacts = PostgresArtifacts::read_only(store.pool().clone(), store.artifact_index());
            Ok(Opened { store: Arc::new(store), artifacts: Arc::new(artifacts), lock: None })
        }
    }
}
