//! The folder of the artifacts that belong to a SQLite database.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tokio::task::spawn_blocking;

use crate::store::{
    OpenError, StoreUrl,
    paths::{folder_of, resolve_symlinks},
    sqlite::SqliteArtifactIndex,
};

/// The name of the database that has its artifacts in a folder without its name.
const DEFAULT_NAME: &str = "besom.db";

/// Beside the database, and its alone: two databases in one folder would otherwise remove each other's files.
fn own_folder(database: &Path) -> PathBuf {
    let database = resolve_symlinks(database);
    let folder = folder_of(&database);
    match database.file_name() {
        Some(name) if name != DEFAULT_NAME => {
            let mut name = name.to_owned();
            name.push(".artifacts");
            folder.join(name)
        }
        _ => folder.join("artifacts"),
    }
}

/// The folder in which earlier builds kept the artifacts of every database beside it.
fn shared_folder(database: &Path) -> PathBuf {
    folder_of(&resolve_symlinks(database)).join("artifacts")
}

/// The folder to read from: who only reads moves nothing.
pub(crate) fn readable(database: &Path) -> PathBuf {
    let own = own_folder(database);
    if own.is_dir() { own } else { shared_folder(database) }
}

/// The folder of a database that is opened for writing. A database that is opened for the first time by this build is given
/// one of its own, with its files of the folder that it shared with others. They stay there as well, since nobody knows who
/// else names them.
///
/// # Errors
/// If a file cannot be linked or copied, or the database does not say which artifacts it has.
pub(crate) async fn prepare(database: &Path, index: &SqliteArtifactIndex) -> Result<PathBuf, OpenError> {
    let (own, shared) = (own_folder(database), shared_folder(database));
    if own.is_dir() || own == shared || !shared.is_dir() {
        return Ok(own);
    }
    let unavailable =
        |problem: String| OpenError::Unavailable { store: StoreUrl::of_file(database).to_string(), problem };
    let digests = index.with_prefix("").await.map_err(|error| unavailable(error.to_string()))?;
    if digests.is_empty() {
        return Ok(own);
    }
    let adopted = own.clone();
    let moved = spawn_blocking(move || {
        // Whole or not at all: a folder that is there is taken for a complete one.
        let making = adopted.with_extension("artifacts-unfinished");
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Io { path, source }
        };
        for digest in digests {
            let place = Path::new(&digest.as_str()[..2]).join(digest.as_str());
            let (from, to) = (shared.join(&place), making.join(&place));
            if !from.is_file() || to.is_file() {
                continue;
            }
            fs::create_dir_all(folder_of(&to)).map_err(io(&making))?;
            fs::hard_link(&from, &to).or_else(|_| fs::copy(&from, &to).map(drop)).map_err(io(&to))?;
        }
        fs::create_dir_all(&making).and_then(|()| fs::rename(&making, &adopted)).map_err(io(&adopted))
    });
    moved.await.map_err(|error| unavailable(error.to_string()))??;
    Ok(own)
}
