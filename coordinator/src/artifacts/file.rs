//! Artifacts as files: `<dir>/ab/abcdef...`, beside a SQLite database.
//!
//! A file under its final name is always whole: bytes go to a temporary file in the same folder while they are hashed, and
//! the rename follows the fsync. Only then does the database's table `artifacts` name it. Temporary files of a process
//! that was killed are swept by the next one that holds the database's lock. A file that turns out damaged when it is read
//! is put aside, so that whoever has the right bytes can put them again.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::task::spawn_blocking;
use tracing::warn;
use uuid::Uuid;

use super::{
    ArtifactError, ArtifactKind, ArtifactStore, CHUNK,
    durable::{sync_file, sync_folder},
    verify::Verifier,
};
use crate::{domain::Digest, store::sqlite::SqliteArtifactIndex};

/// What the names of unfinished files begin with; no digest does.
const TEMPORARY: &str = ".tmp-";

/// What the names of damaged files end with; they stay for whoever wants to find out why.
const DAMAGED: &str = "damaged";

/// Files in one folder.
pub struct FileArtifacts {
    dir: PathBuf,
    index: Option<SqliteArtifactIndex>,
}

impl FileArtifacts {
    /// The artifacts in `dir`, which is made when it is first needed. Without an index they can only be read.
    pub fn new(dir: PathBuf, index: Option<SqliteArtifactIndex>) -> Self {
        Self { dir, index }
    }

    /// Removes what killed processes left unfinished. The caller holds the database's lock, so nobody else is writing.
    ///
    /// # Errors
    /// If a folder cannot be read or a file cannot be removed.
    pub async fn sweep_unfinished(&self) -> io::Result<()> {
        let dir = self.dir.clone();
        blocking(move || {
            for folder in entries(&dir)? {
                for file in entries(&folder)? {
                    if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(TEMPORARY)) {
                        fs::remove_file(&file).map_err(|error| at(&file, &error))?;
                    }
                }
            }
            Ok(())
        })
        .await
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.dir.join(&digest.as_str()[..2]).join(digest.as_str())
    }

    async fn file_size(&self, digest: &Digest) -> io::Result<Option<u64>> {
        let path = self.path(digest);
        blocking(move || match fs::metadata(&path) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(at(&path, &error)),
        })
        .await
    }
}

#[async_trait]
impl ArtifactStore for FileArtifacts {
    async fn size(&self, digest: &Digest) -> Result<Option<u64>, ArtifactError> {
        // A process killed between the file and its row leaves a file that no result may name: who asks has to put it
        // again, which then only adds the row.
        if let Some(index) = &self.index
            && !index.contains(digest).await?
        {
            return Ok(None);
        }
        Ok(self.file_size(digest).await?)
    }

    async fn put(
        &self,
        digest: &Digest,
        size: u64,
        kind: ArtifactKind,
        mut chunks: BoxStream<'static, Result<Bytes, io::Error>>,
    ) -> Result<(), ArtifactError> {
        let Some(index) = &self.index else { return Err(ArtifactError::read_only()) };
        // A file that no row names is written anew: a process that died may have left its name, but not on the disk.
        if self.size(digest).await? != Some(size) {
            let (path, digest) = (self.path(digest), digest.clone());
            let mut unfinished = blocking(move || Unfinished::create(path, Verifier::new(digest, size))).await?;
            while let Some(chunk) = chunks.next().await {
                let chunk = chunk?;
                unfinished = spawn(move || unfinished.append(&chunk)).await?;
            }
            spawn(move || unfinished.finish()).await?;
        }
        Ok(index.insert(digest, kind.as_str(), size).await?)
    }

    async fn get(&self, digest: &Digest) -> Result<BoxStream<'static, Result<Bytes, ArtifactError>>, ArtifactError> {
        let (path, digest) = (self.path(digest), digest.clone());
        let aside = self.index.is_some();
        let reader = spawn(move || Reader::open(path, digest, aside)).await?;
        Ok(stream::try_unfold(reader, |reader| spawn(move || reader.next())).boxed())
    }
}

/// A temporary file; removed when it is dropped before it is finished.
struct Unfinished {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    verifier: Verifier,
    finished: bool,
}

impl Unfinished {
    fn create(path: PathBuf, verifier: Verifier) -> io::Result<Self> {
        let folder = folder_of(&path);
        if !folder.is_dir() {
            make_folder(folder).map_err(|error| at(folder, &error))?;
            sync_folder(folder_of(folder))?;
        }
        let temporary = folder.join(format!("{TEMPORARY}{}", Uuid::now_v7().simple()));
        let file = File::create_new(&temporary).map_err(|error| at(&temporary, &error))?;
        Ok(Self { file, temporary, path, verifier, finished: false })
    }

    fn append(mut self, chunk: &[u8]) -> Result<Self, ArtifactError> {
        self.verifier.update(chunk)?;
        self.file.write_all(chunk).map_err(|error| at(&self.temporary, &error))?;
        Ok(self)
    }

    fn finish(mut self) -> Result<(), ArtifactError> {
        self.verifier.finish()?;
        sync_file(&self.file, &self.temporary)?;
        fs::rename(&self.temporary, &self.path).map_err(|error| at(&self.path, &error))?;
        self.finished = true;
        Ok(sync_folder(folder_of(&self.path))?)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.finished {
            // What stays is swept at the next start.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// A file being read.
struct Reader {
    file: File,
    path: PathBuf,
    /// Whether to put the file aside if it is damaged; who only reads must not.
    aside: bool,
    verifier: Verifier,
    ended: bool,
}

impl Reader {
    fn open(path: PathBuf, digest: Digest, aside: bool) -> Result<Self, ArtifactError> {
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ArtifactError::NotFound(digest)),
            Err(error) => return Err(at(&path, &error).into()),
        };
        let size = file.metadata().map_err(|error| at(&path, &error))?.len();
        Ok(Self { file, path, aside, verifier: Verifier::new(digest, size), ended: false })
    }

    fn next(mut self) -> Result<Option<(Bytes, Self)>, ArtifactError> {
        if self.ended {
            return Ok(None);
        }
        let mut chunk = Vec::with_capacity(CHUNK);
        (&mut self.file).take(CHUNK as u64).read_to_end(&mut chunk)?;
        self.verifier.update(&chunk)?;
        if chunk.len() < CHUNK {
            self.ended = true;
            if let Err(damage) = self.verifier.finish() {
                self.put_aside();
                return Err(damage);
            }
        }
        Ok((!chunk.is_empty()).then(|| (Bytes::from(chunk), self)))
    }
}

impl Reader {
    /// Frees the name for the right bytes. Several readers may find the damage; the first one puts it aside.
    fn put_aside(&self) {
        if !self.aside || !self.is_current() {
            return;
        }
        let aside = self.path.with_extension(DAMAGED);
        match fs::rename(&self.path, &aside) {
            Ok(()) => warn!(path = %aside.display(), "a damaged artifact was put aside"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => warn!(path = %self.path.display(), %error, "a damaged artifact could not be put aside"),
        }
    }

    /// Whether the name still is that of this file: others may have put it aside, and the right bytes in its place.
    fn is_current(&self) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let (Ok(mine), Ok(named)) = (self.file.metadata(), fs::metadata(&self.path)) else { return false };
            (mine.dev(), mine.ino()) == (named.dev(), named.ino())
        }
        #[cfg(not(unix))]
        {
            self.path.exists()
        }
    }
}

async fn spawn<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ArtifactError> + Send + 'static,
) -> Result<T, ArtifactError> {
    spawn_blocking(work).await.map_err(|error| ArtifactError::Io(io::Error::other(error)))?
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}

/// The error with the path that it is about.
fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Nothing, where there is no such folder yet.
fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(dir) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Vec::new()),
        Err(error) => Err(at(dir, &error)),
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().expect("an artifact's path has two folders of ours")
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
