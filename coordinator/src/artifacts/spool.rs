//! Uploads that are not complete: each in a file of its own, which grows as its bytes come.
//!
//! Nobody waits here for anybody. Two senders of one digest have two files. Where there are too
//! many files, or too many bytes in them, the one that moved least gives way, a stranger to
//! strangers and a worker to workers; so those who send least lose to whoever sends honestly. After
//! a break a file stays for a while, for its sender to go on with.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};
use tokio::{
    sync::{Mutex as AsyncMutex, OwnedMutexGuard},
    task::spawn_blocking,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    contract::{ArtifactError, NewUpload, Sender},
    durable::{at, make_folder, sync_file},
    verify::Verifier,
};
use crate::domain::Digest;

/// How long a file stays after its upload broke.
const KEPT: Duration = Duration::from_secs(10 * 60);

/// An upload that began so recently has not shown yet how fast it is.
const YOUNG: Duration = Duration::from_secs(5);

/// How long a call that was told to stop may take to: it finishes one write.
const STOPPING: Duration = Duration::from_secs(20);

/// What one kind of sender may have unfinished, all of them together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) files: usize,
    pub(super) bytes: u64,
}

/// Room for strangers: two of the largest artifacts.
const STRANGERS: Room = Room { files: 256, bytes: 8 << 30 };
/// Room for workers.
const WORKERS: Room = Room { files: 2_048, bytes: 32 << 30 };
/// Files of one worker: it sends few at once, and each may have broken before.
const OF_A_WORKER: usize = 16;

/// Where unfinished files are.
#[derive(Debug)]
pub(super) enum Place {
    /// In this folder, under names; from there a file can be moved to where it belongs.
    Folder(PathBuf),
    /// In the system's temporary folder, without a name: they are gone with the process, however it
    /// ends.
    Nameless,
}

/// The unfinished uploads of a process.
pub(super) struct Spool {
    place: Place,
    strangers: Room,
    uploads: Mutex<HashMap<Key, Entry>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    digest: Digest,
    name: String,
}

struct Entry {
    sender: Sender,
    file: Arc<AsyncMutex<Unfinished>>,
    meter: Arc<Mutex<Meter>>,
    /// Stops the call that receives it.
    stop: CancellationToken,
}

/// What can be known of an upload while its file is in use.
#[derive(Debug, Clone, Copy)]
struct Meter {
    received: u64,
    /// By the call that receives it now, or did so last.
    moved: u64,
    began: Instant,
    touched: Instant,
    active: bool,
    evicted: bool,
}

impl Meter {
    /// Bytes a second of the latest call; one that broke is worth less than any that goes on.
    fn speed(&self, now: Instant) -> f64 {
        let age = now.saturating_duration_since(self.began);
        match self.active {
            true if age < YOUNG => f64::INFINITY,
            true => self.moved as f64 / age.as_secs_f64(),
            false => -1.0,
        }
    }
}

impl Spool {
    pub(super) fn new(place: Place) -> Self {
        Self { place, strangers: STRANGERS, uploads: Mutex::new(HashMap::new()) }
    }

    /// How much of an upload was received. A call that still receives it, stops.
    pub(super) async fn received(&self, digest: &Digest, name: &str) -> Result<u64, ArtifactError> {
        let key = Key { digest: digest.clone(), name: name.to_owned() };
        let Some(file) = self.stop(&key) else { return Ok(0) };
        Ok(stopped(file).await?.verifier.seen())
    }

    /// Receives the bytes of an upload to the last one and verifies them.
    pub(super) async fn collect(
        self: &Arc<Self>,
        upload: &NewUpload,
        mut chunks: BoxStream<'static, Result<Bytes, io::Error>>,
    ) -> Result<Unfinished, ArtifactError> {
        let mut call = self.begin(upload).await?;
        loop {
            let chunk = tokio::select! {
                biased;
                () = call.stop.cancelled() => return Err(call.stopped()),
                chunk = chunks.next() => chunk.transpose()?,
            };
            match chunk {
                Some(chunk) => call.append(chunk).await?,
                None => return call.finish().await,
            }
        }
    }

    /// Forgets what nobody went on with.
    pub(super) fn forget_old(&self) {
        let now = Instant::now();
        self.uploads().retain(|_, entry| {
            let meter = *lock(&entry.meter);
            meter.active || now.saturating_duration_since(meter.touched) < KEPT
        });
    }

    /// The call that receives an upload from its offset on.
    async fn begin(self: &Arc<Self>, upload: &NewUpload) -> Result<Call, ArtifactError> {
        self.forget_old();
        let name = upload.name.clone().unwrap_or_else(|| Uuid::now_v7().to_string());
        let key = Key { digest: upload.digest.clone(), name };
        let kept = match (self.stop(&key), upload.offset) {
            (Some(file), offset) if offset > 0 => Some((stopped(file.clone()).await?, file)),
            (Some(_) | None, _) => None,
        };
        let at = kept.as_ref().map_or(0, |(file, _)| file.verifier.seen());
        let same = kept.as_ref().is_none_or(|(file, _)| file.verifier.size() == upload.size);
        if upload.offset != at || !same {
            let (digest, expected) = (upload.digest.clone(), at.to_string());
            return Err(ArtifactError::Offset { digest, expected, offset: upload.offset });
        }
        let (guard, file) = match kept {
            Some((guard, file)) => (guard, file),
            None => {
                let (path, verifier) = (self.path(), Verifier::new(upload.digest.clone(), upload.size));
                let file =
                    spawn_blocking(move || Unfinished::create(path, verifier)).await.map_err(io::Error::other)??;
                let file = Arc::new(AsyncMutex::new(file));
                (file.clone().lock_owned().await, file)
            }
        };
        let now = Instant::now();
        let meter = Meter { received: at, moved: 0, began: now, touched: now, active: true, evicted: false };
        let meter = Arc::new(Mutex::new(meter));
        let stop = CancellationToken::new();
        let entry = Entry { sender: upload.sender, file, meter: meter.clone(), stop: stop.clone() };
        self.admit(key.clone(), entry)?;
        Ok(Call { spool: self.clone(), resumable: upload.name.is_some(), key, guard: Some(guard), meter, stop })
    }

    /// Tells the call that receives this upload, if one does, to stop.
    fn stop(&self, key: &Key) -> Option<Arc<AsyncMutex<Unfinished>>> {
        let uploads = self.uploads();
        let entry = uploads.get(key)?;
        entry.stop.cancel();
        Some(entry.file.clone())
    }

    /// Takes an upload in, in the place of others where there are too many.
    fn admit(&self, key: Key, entry: Entry) -> Result<(), ArtifactError> {
        let mut uploads = self.uploads();
        uploads.remove(&key);
        let sender = entry.sender;
        let of_kind = |other: &Sender| sender.is_like(*other);
        if let Sender::Worker(_) = sender {
            make_room(&mut uploads, OF_A_WORKER, |other| *other == sender, &key.digest)?;
        }
        make_room(&mut uploads, self.room(sender).files, of_kind, &key.digest)?;
        uploads.insert(key, entry);
        Ok(())
    }

    fn room(&self, sender: Sender) -> Room {
        match sender {
            Sender::Worker(_) => WORKERS,
            Sender::Stranger => self.strangers,
        }
    }

    /// Sees to it that the bytes of one kind of sender stay bounded: the slowest gives way, which
    /// may be `key` itself.
    fn bound_bytes(&self, key: &Key) {
        let mut uploads = self.uploads();
        let Some(sender) = uploads.get(key).map(|entry| entry.sender) else { return };
        let most = self.room(sender).bytes;
        let of_kind = |other: &Sender| sender.is_like(*other);
        loop {
            let mine = uploads.values().filter(|entry| of_kind(&entry.sender));
            let bytes: u64 = mine.map(|entry| lock(&entry.meter).received).sum();
            if bytes <= most {
                return;
            }
            let slowest = slowest(&uploads, of_kind).unwrap_or_else(|| key.clone());
            evict(&mut uploads, &slowest);
        }
    }

    fn forget(&self, key: &Key, file: &Arc<Mutex<Meter>>) {
        let mut uploads = self.uploads();
        // Another call may have begun it anew under its name.
        if uploads.get(key).is_some_and(|entry| Arc::ptr_eq(&entry.meter, file)) {
            uploads.remove(key);
        }
    }

    fn path(&self) -> Option<PathBuf> {
        match &self.place {
            Place::Folder(folder) => Some(folder.join(Uuid::now_v7().simple().to_string())),
            Place::Nameless => None,
        }
    }

    fn uploads(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        lock(&self.uploads)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Evicts until one more fits.
fn make_room(
    uploads: &mut HashMap<Key, Entry>,
    files: usize,
    of_kind: impl Fn(&Sender) -> bool + Copy,
    digest: &Digest,
) -> Result<(), ArtifactError> {
    while uploads.values().filter(|entry| of_kind(&entry.sender)).count() >= files {
        let Some(slowest) = slowest(uploads, of_kind) else { return Err(ArtifactError::Crowded(digest.clone())) };
        evict(uploads, &slowest);
    }
    Ok(())
}

/// The upload that moved least, and of those the one that did longest; none while all of them have
/// only begun.
fn slowest(uploads: &HashMap<Key, Entry>, of_kind: impl Fn(&Sender) -> bool) -> Option<Key> {
    let now = Instant::now();
    let mine = uploads.iter().filter(|(_, entry)| of_kind(&entry.sender));
    let speeds = mine.map(|(key, entry)| {
        let meter = *lock(&entry.meter);
        (key, meter.speed(now), meter.touched.min(meter.began))
    });
    let judged = speeds.filter(|(_, speed, _)| speed.is_finite());
    judged.min_by(|a, b| a.1.total_cmp(&b.1).then(a.2.cmp(&b.2))).map(|(key, ..)| key.clone())
}

fn evict(uploads: &mut HashMap<Key, Entry>, key: &Key) {
    if let Some(entry) = uploads.remove(key) {
        lock(&entry.meter).evicted = true;
        entry.stop.cancel();
    }
}

/// The file, once the call that was told to stop has let go of it.
async fn stopped(file: Arc<AsyncMutex<Unfinished>>) -> Result<OwnedMutexGuard<Unfinished>, ArtifactError> {
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "an upload that was told to stop still writes");
    Ok(tokio::time::timeout(STOPPING, file.lock_owned()).await.map_err(late)?)
}

/// One call that receives an upload. Dropped before its end, it leaves the file to be gone on with,
/// where its sender can.
struct Call {
    spool: Arc<Spool>,
    key: Key,
    resumable: bool,
    /// `None` while a write has it, and after one that failed.
    guard: Option<OwnedMutexGuard<Unfinished>>,
    meter: Arc<Mutex<Meter>>,
    stop: CancellationToken,
}

impl Call {
    async fn append(&mut self, chunk: Bytes) -> Result<(), ArtifactError> {
        let length = chunk.len() as u64;
        let mut guard = self.guard.take().expect("taken only while a write has it");
        // What has been written in part cannot be gone on with: a failed write leaves no guard.
        let written = spawn_blocking(move || guard.append(&chunk).map(|()| guard)).await.map_err(io::Error::other)?;
        self.guard = Some(written?);
        {
            let mut meter = lock(&self.meter);
            (meter.received, meter.moved, meter.touched) =
                (meter.received + length, meter.moved + length, Instant::now());
        }
        self.spool.bound_bytes(&self.key);
        Ok(())
    }

    async fn finish(mut self) -> Result<Unfinished, ArtifactError> {
        let mut guard = self.guard.take().expect("taken only while a write has it");
        // Wrong bytes are not gone on with, and right ones are the caller's: either way the upload
        // is over.
        guard.verifier.finish()?;
        let over = Unfinished { file: None, path: None, verifier: guard.verifier.clone() };
        Ok(std::mem::replace(&mut *guard, over))
    }

    fn stopped(&self) -> ArtifactError {
        match lock(&self.meter).evicted {
            true => ArtifactError::Crowded(self.key.digest.clone()),
            false => ArtifactError::Superseded(self.key.digest.clone()),
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        {
            let mut meter = lock(&self.meter);
            (meter.active, meter.touched) = (false, Instant::now());
        }
        if !self.resumable || self.guard.is_none() {
            self.spool.forget(&self.key, &self.meter);
        }
    }
}

/// A file on its way; it goes when this does.
#[derive(Debug)]
pub(super) struct Unfinished {
    /// `None`: its bytes have been handed on.
    file: Option<File>,
    /// Where it has a name.
    path: Option<PathBuf>,
    verifier: Verifier,
}

impl Unfinished {
    fn create(path: Option<PathBuf>, verifier: Verifier) -> io::Result<Self> {
        let file = match &path {
            Some(path) => {
                let folder = path.parent().expect("a file in the spool's folder");
                make_folder(folder).map_err(|error| at(folder, &error))?;
                let options = File::options().read(true).write(true).create_new(true).open(path);
                options.map_err(|error| at(path, &error))?
            }
            None => tempfile::tempfile().map_err(|error| at(&std::env::temp_dir(), &error))?,
        };
        Ok(Self { file: Some(file), path, verifier })
    }

    fn append(&mut self, chunk: &[u8]) -> Result<(), ArtifactError> {
        self.verifier.update(chunk)?;
        Ok(self.file()?.write_all(chunk)?)
    }

    /// The file, which stands at its end.
    fn file(&mut self) -> io::Result<&mut File> {
        self.file.as_mut().ok_or_else(|| io::Error::other("this upload is over"))
    }

    /// Makes the complete file durable.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        let path = self.path.clone().unwrap_or_default();
        sync_file(self.file()?, &path)
    }

    /// Gives it its name.
    pub(super) fn rename(mut self, to: &Path) -> io::Result<()> {
        let from = self.path.take().ok_or_else(|| io::Error::other("this file has no name"))?;
        std::fs::rename(&from, to).map_err(|error| {
            self.path = Some(from.clone());
            at(to, &error)
        })
    }

    /// The complete file, to be read from its beginning.
    pub(super) fn rewind(mut self) -> io::Result<File> {
        let mut file = self.file.take().ok_or_else(|| io::Error::other("this upload is over"))?;
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // What stays is removed at the next start.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use futures_util::stream;
    use sha2::{Digest as _, Sha256};
    use tokio::sync::mpsc;
    use tokio_stream::wrappers::ReceiverStream;

    use super::*;
    use crate::domain::{ArtifactKind, WorkerId};

    type Line = mpsc::Sender<Result<Bytes, io::Error>>;

    fn digest(bytes: &[u8]) -> Digest {
        let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Digest::parse(&hex).unwrap()
    }

    fn upload(bytes: &[u8], sender: Sender, name: &str, offset: u64) -> NewUpload {
        let (digest, size, name) = (digest(bytes), bytes.len() as u64, Some(name.to_owned()));
        NewUpload { digest, size, kind: ArtifactKind::Model, sender, name, offset }
    }

    /// A call that stays open until its line is dropped.
    fn open(
        spool: &Arc<Spool>,
        upload: NewUpload,
    ) -> (Line, tokio::task::JoinHandle<Result<Unfinished, ArtifactError>>) {
        let (line, chunks) = mpsc::channel(1);
        let spool = spool.clone();
        let call = tokio::spawn(async move { spool.collect(&upload, ReceiverStream::new(chunks).boxed()).await });
        (line, call)
    }

    async fn begun(spool: &Spool, count: usize) {
        let limit = Duration::from_secs(20);
        besom_testkit::eventually("uploads to begin", limit, async || spool.uploads().len() == count).await;
    }

    /// As if they had begun a minute ago.
    fn grow_old(spool: &Spool) {
        for entry in spool.uploads().values() {
            let mut meter = lock(&entry.meter);
            meter.began -= Duration::from_secs(60);
            meter.touched -= Duration::from_secs(60);
        }
    }

    fn spool(files: usize, bytes: u64) -> Arc<Spool> {
        Arc::new(Spool { strangers: Room { files, bytes }, ..Spool::new(Place::Nameless) })
    }

    fn whole(bytes: &[u8]) -> BoxStream<'static, Result<Bytes, io::Error>> {
        stream::iter([Ok(Bytes::copy_from_slice(bytes))]).boxed()
    }

    #[tokio::test]
    async fn where_there_is_no_room_the_slowest_stranger_gives_way_and_no_worker() {
        let spool = spool(3, u64::MAX);
        let bytes = [7; 1000];
        let worker = Sender::Worker(WorkerId(1));
        let (_worker, at_work) = open(&spool, upload(&bytes, worker, "w", 0));
        let mut calls = Vec::new();
        for name in ["a", "b", "c"] {
            calls.push(open(&spool, upload(&bytes, Sender::Stranger, name, 0)));
        }
        begun(&spool, 4).await;
        grow_old(&spool);
        for (number, (line, _)) in calls.iter().enumerate().filter(|(number, _)| *number != 1) {
            line.send(Ok(Bytes::from(vec![7; 10 + number]))).await.unwrap();
        }
        besom_testkit::eventually("bytes to come", Duration::from_secs(20), async || {
            spool.uploads().values().map(|entry| lock(&entry.meter).received).sum::<u64>() == 22
        })
        .await;
        let stored = spool.collect(&upload(&bytes, Sender::Stranger, "d", 0), whole(&bytes)).await;
        assert!(stored.is_ok(), "{stored:?}");
        let (_line, evicted) = calls.remove(1);
        let evicted = evicted.await.unwrap().unwrap_err();
        assert!(matches!(evicted, ArtifactError::Crowded(_)), "{evicted}");
        assert!(calls.iter().all(|(_, call)| !call.is_finished()) && !at_work.is_finished());
    }

    #[tokio::test]
    async fn strangers_who_have_only_begun_are_not_driven_out() {
        let spool = spool(1, u64::MAX);
        let bytes = [7; 1000];
        let (_line, _call) = open(&spool, upload(&bytes, Sender::Stranger, "a", 0));
        begun(&spool, 1).await;
        let refused = spool.collect(&upload(&bytes, Sender::Stranger, "b", 0), whole(&bytes)).await.unwrap_err();
        assert!(matches!(refused, ArtifactError::Crowded(_)), "{refused}");
        let worker = upload(&bytes, Sender::Worker(WorkerId(1)), "b", 0);
        assert!(spool.collect(&worker, whole(&bytes)).await.is_ok(), "workers have room of their own");
    }

    #[tokio::test]
    async fn the_bytes_of_strangers_are_bounded() {
        let spool = spool(10, 1500);
        let bytes = [7; 1000];
        let (line, call) = open(&spool, upload(&bytes, Sender::Stranger, "a", 0));
        line.send(Ok(Bytes::from(vec![7; 900]))).await.unwrap();
        drop(line);
        let _ = call.await.unwrap();
        let (line, call) = open(&spool, upload(&bytes, Sender::Stranger, "b", 0));
        line.send(Ok(Bytes::from(vec![7; 900]))).await.unwrap();
        line.send(Ok(Bytes::from(vec![7; 100]))).await.unwrap();
        drop(line);
        assert!(call.await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn asking_what_came_of_an_upload_stops_it_and_its_sender_goes_on_from_there() {
        let spool = spool(10, u64::MAX);
        let bytes: Vec<u8> = (0..200_u8).collect();
        let (line, call) = open(&spool, upload(&bytes, Sender::Stranger, "a", 0));
        line.send(Ok(Bytes::copy_from_slice(&bytes[..70]))).await.unwrap();
        line.send(Ok(Bytes::copy_from_slice(&bytes[70..80]))).await.unwrap();
        besom_testkit::eventually("bytes to come", Duration::from_secs(20), async || {
            spool.uploads().values().all(|entry| lock(&entry.meter).received == 80)
        })
        .await;
        let name = digest(&bytes);
        assert_eq!(spool.received(&name, "a").await.unwrap(), 80);
        assert!(matches!(call.await.unwrap(), Err(ArtifactError::Superseded(_))));
        assert_eq!(spool.received(&name, "b").await.unwrap(), 0, "nobody else's");
        for offset in [1, 79, 81, 500] {
            let wrong = spool.collect(&upload(&bytes, Sender::Stranger, "a", offset), whole(&bytes)).await.unwrap_err();
            assert!(wrong.to_string().contains(&format!("expected an offset of 80, got {offset}")), "{wrong}");
        }
        let rest = spool.collect(&upload(&bytes, Sender::Stranger, "a", 80), whole(&bytes[80..])).await.unwrap();
        let mut collected = Vec::new();
        rest.rewind().unwrap().read_to_end(&mut collected).unwrap();
        assert_eq!(collected, bytes);
        assert_eq!(spool.received(&name, "a").await.unwrap(), 0, "a complete one is not kept");
    }

    #[tokio::test]
    async fn what_nobody_goes_on_with_is_forgotten() {
        let spool = spool(10, u64::MAX);
        let bytes = [7; 1000];
        let (line, call) = open(&spool, upload(&bytes, Sender::Stranger, "a", 0));
        line.send(Ok(Bytes::from(vec![7; 900]))).await.unwrap();
        line.send(Err(io::Error::other("the line is cut"))).await.unwrap();
        assert!(call.await.unwrap().is_err());
        spool.forget_old();
        assert_eq!(spool.received(&digest(&bytes), "a").await.unwrap(), 900);
        for entry in spool.uploads().values() {
            lock(&entry.meter).touched -= KEPT;
        }
        spool.forget_old();
        assert!(spool.uploads().is_empty());
    }
}
