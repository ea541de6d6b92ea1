//! Artifacts as files: `<dir>/ab/abcdef...`, beside a SQLite database.
//!
//! A file under its final name is always whole: an upload is collected in `<dir>/unfinished`,
//! hashed while it comes, synced, and only then renamed. Only then does the database's table
//! `artifacts` name it. Unfinished files of a process that was killed are removed by the next one
//! that holds the database's lock. A file that turns out damaged when it is read is put aside, so
//! that whoever has the right bytes can put them again. What the database drops is written down
//! there, in the same transaction, and its file removed after it.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::{sync::Mutex, task::spawn_blocking};
use tracing::warn;

use super::{
    contract::{ArtifactError, ArtifactStore, CHUNK, Chunks, NewUpload, heed},
    durable::{at, make_folder, sync_folder},
    spool::{Place, Spool, Unfinished},
    verify::Verifier,
};
use crate::{
    domain::{Digest, Stored, UNNAMED},
    full_disk::FullDisk,
    store::sqlite::SqliteArtifactIndex,
};

/// The folder of unfinished files.
const UNFINISHED: &str = "unfinished";

/// What the names of unfinished files began with when they lay beside the finished ones; no digest
/// does.
const TEMPORARY: &str = ".tmp-";

/// What the names of damaged files end with; they stay for whoever wants to find out why.
const DAMAGED: &str = "damaged";

/// Files in one folder.
pub struct FileArtifacts {
    dir: PathBuf,
    index: Option<SqliteArtifactIndex>,
    spool: Arc<Spool>,
    /// Held while a file and its row come or go together.
    names: Mutex<()>,
    disk: FullDisk,
}

impl FileArtifacts {
    /// The artifacts in `dir`, which is made when it is first needed. Without an index they can
    /// only be read.
    pub fn new(dir: PathBuf, index: Option<SqliteArtifactIndex>) -> Self {
        let spool = Arc::new(Spool::new(Place::Folder(dir.join(UNFINISHED))));
        let disk = FullDisk::of_folder(dir.parent().unwrap_or(&dir));
        Self { dir, index, spool, names: Mutex::new(()), disk }
    }

    /// Removes what killed processes left unfinished. The caller holds the database's lock, so
    /// nobody else is writing.
    ///
    /// # Errors
    /// If a folder cannot be read or a file cannot be removed.
    pub async fn sweep_unfinished(&self) -> io::Result<()> {
        let dir = self.dir.clone();
        blocking(move || {
            for folder in entries(&dir)? {
                let all = folder.file_name().is_some_and(|name| name == UNFINISHED);
                for file in entries(&folder)? {
                    if all || file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(TEMPORARY)) {
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

    fn writable(&self) -> Result<&SqliteArtifactIndex, ArtifactError> {
        self.index.as_ref().ok_or_else(ArtifactError::read_only)
    }

    /// The row, where its file is there and whole: a row alone, or a file that lost its tail, is
    /// put again.
    async fn with_file(&self, digest: &Digest, row: Option<Stored>) -> Result<Option<Stored>, ArtifactError> {
        match row {
            Some(stored) if self.file_size(digest).await? == Some(stored.size) => Ok(Some(stored)),
            Some(_) | None => Ok(None),
        }
    }

    async fn write(
        &self,
        upload: &NewUpload,
        chunks: BoxStream<'static, Result<Bytes, io::Error>>,
    ) -> Result<(), ArtifactError> {
        let mut file = self.spool.collect(upload, chunks).await?;
        let file = blocking(move || file.sync().map(|()| file)).await?;
        self.name(upload, file).await
    }

    /// Gives a complete file its name and its row.
    async fn name(&self, upload: &NewUpload, file: Unfinished) -> Result<(), ArtifactError> {
        let index = self.writable()?;
        let path = self.path(&upload.digest);
        let _names = self.names.lock().await;
        blocking(move || {
            let folder = folder_of(&path);
            if !folder.is_dir() {
                make_folder(folder).map_err(|error| at(folder, &error))?;
                sync_folder(folder_of(folder))?;
            }
            file.rename(&path)?;
            sync_folder(folder)
        })
        .await?;
        upload.refuse_other(&index.note(&upload.digest, upload.kind.as_str(), upload.size).await?)
    }

    /// Removes the file of an artifact that has no row.
    async fn remove_file(&self, digest: &Digest) -> Result<bool, ArtifactError> {
        let index = self.writable()?;
        let path = self.path(digest);
        let _names = self.names.lock().await;
        // It may have been put again meanwhile.
        if index.find(digest).await?.is_some() {
            return Ok(false);
        }
        let removed = blocking(move || match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(at(&path, &error)),
        });
        Ok(removed.await?)
    }

    /// Files that no row names: a process was killed between the one and the other, or before it
    /// could remove a file.
    async fn remove_files_without_row(&self) -> Result<u64, ArtifactError> {
        let mut removed = 0;
        for folder in 0..=u8::MAX {
            let prefix = format!("{folder:02x}");
            let dir = self.dir.join(&prefix);
            let mut files = blocking(move || old_files(&dir)).await?;
            if files.is_empty() {
                continue;
            }
            let rows = self.writable()?.with_prefix(&prefix).await?;
            files.retain(|digest| !rows.contains(digest));
            for digest in files {
                removed += u64::from(self.remove_file(&digest).await?);
            }
        }
        Ok(removed)
    }
}

#[async_trait]
impl ArtifactStore for FileArtifacts {
    async fn find(&self, digest: &Digest) -> Result<Option<Stored>, ArtifactError> {
        match &self.index {
            Some(index) => self.with_file(digest, index.find(digest).await?).await,
            // Who only reads has no index; a file without a row was never named and is never asked
            // for.
            None => {
                let kind = String::new();
                Ok(self.file_size(digest).await?.map(|size| Stored { size, kind }))
            }
        }
    }

    async fn claim(&self, digest: &Digest) -> Result<Option<Stored>, ArtifactError> {
        match &self.index {
            Some(index) => self.with_file(digest, index.claim(digest).await?).await,
            None => self.find(digest).await,
        }
    }

    async fn received(&self, digest: &Digest, upload: &str) -> Result<u64, ArtifactError> {
        self.spool.received(digest, upload).await
    }

    async fn put(
        &self,
        upload: NewUpload,
        chunks: BoxStream<'static, Result<Bytes, io::Error>>,
    ) -> Result<(), ArtifactError> {
        let index = self.writable()?;
        if let Some(row) = index.claim(&upload.digest).await? {
            upload.refuse_other(&row)?;
            if self.file_size(&upload.digest).await? == Some(upload.size) {
                return Ok(());
            }
        }
        // A file that no row names is written anew: a process that died may have left its name, but
        // not on the disk.
        let written = self.write(&upload, chunks).await;
        heed(&self.disk, upload.size, &written);
        written
    }

    async fn get(&self, digest: &Digest, offset: u64) -> Result<(u64, Chunks), ArtifactError> {
        let (path, digest) = (self.path(digest), digest.clone());
        let aside = self.index.is_some();
        let reader = spawn(move || Reader::open(path, digest, offset, aside)).await?;
        Ok((reader.size, stream::try_unfold(reader, |reader| spawn(move || reader.next())).boxed()))
    }

    async fn tidy(&self) -> Result<(), ArtifactError> {
        self.spool.forget_old();
        let Some(index) = &self.index else { return Ok(()) };
        loop {
            let dropped = index.dropped().await?;
            if dropped.is_empty() {
                return Ok(());
            }
            for digest in &dropped {
                self.remove_file(digest).await?;
            }
            index.forget_dropped(&dropped).await?;
        }
    }

    async fn remove_unnamed(&self) -> Result<u64, ArtifactError> {
        let removed = self.writable()?.remove_unnamed(UNNAMED).await?;
        self.tidy().await?;
        Ok(removed + self.remove_files_without_row().await?)
    }
}

/// The digests of files that nobody has written to for [`UNNAMED`].
fn old_files(dir: &Path) -> io::Result<Vec<Digest>> {
    let now = SystemTime::now();
    let mut old = Vec::new();
    for path in entries(dir)? {
        let digest = path.file_name().and_then(|name| Digest::parse(&name.to_string_lossy()));
        let Some(digest) = digest else { continue };
        let written = fs::metadata(&path).and_then(|file| file.modified()).map_err(|error| at(&path, &error))?;
        if now.duration_since(written).is_ok_and(|age| age > UNNAMED) {
            old.push(digest);
        }
    }
    Ok(old)
}

/// A file being read.
struct Reader {
    file: File,
    path: PathBuf,
    /// Whether to put the file aside if it is damaged; who only reads must not.
    aside: bool,
    size: u64,
    /// `None` where reading began behind the first byte: whoever has the bytes before it verifies
    /// the whole.
    verifier: Option<Verifier>,
    ended: bool,
}

impl Reader {
    fn open(path: PathBuf, digest: Digest, offset: u64, aside: bool) -> Result<Self, ArtifactError> {
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ArtifactError::NotFound(digest)),
            Err(error) => return Err(at(&path, &error).into()),
        };
        let size = file.metadata().map_err(|error| at(&path, &error))?.len();
        if offset > size {
            return Err(ArtifactError::Offset { digest, expected: format!("at most {size}"), offset });
        }
        file.seek(SeekFrom::Start(offset)).map_err(|error| at(&path, &error))?;
        let verifier = (offset == 0).then(|| Verifier::new(digest, size));
        Ok(Self { file, path, aside, size, verifier, ended: false })
    }

    fn next(mut self) -> Result<Option<(Bytes, Self)>, ArtifactError> {
        if self.ended {
            return Ok(None);
        }
        let mut chunk = Vec::with_capacity(CHUNK);
        (&mut self.file).take(CHUNK as u64).read_to_end(&mut chunk)?;
        self.ended = chunk.len() < CHUNK;
        if let Some(verifier) = &mut self.verifier {
            verifier.update(&chunk)?;
            if self.ended
                && let Err(damage) = verifier.finish()
            {
                self.put_aside();
                return Err(damage);
            }
        }
        Ok((!chunk.is_empty()).then(|| (Bytes::from(chunk), self)))
    }
}

impl Reader {
    /// Frees the name for the right bytes. Several readers may find the damage; the first one puts
    /// it aside.
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

    /// Whether the name still is that of this file: others may have put it aside, and the right
    /// bytes in its place.
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
