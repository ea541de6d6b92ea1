//! Every behaviour of an artifact store, on files and on Postgres.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{io, sync::Arc, time::Duration};

use besom_coordinator::{
    artifacts::{ArtifactError, ArtifactKind, ArtifactStore, CHUNK},
    domain::Digest,
    store::{
        StoreError,
        open::{Opened, StoreUrl, open, open_read_only},
        query::{Cell, query},
    },
};
use bytes::Bytes;
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

type Chunks = BoxStream<'static, Result<Bytes, io::Error>>;

/// A store of its own for each test; the folder goes with it.
struct Setup {
    opened: Opened,
    url: StoreUrl,
    dir: tempfile::TempDir,
}

async fn sqlite() -> Setup {
    let dir = tempfile::tempdir().unwrap();
    let url = StoreUrl::Sqlite(dir.path().join("besom.db"));
    Setup { opened: open(&url).await.unwrap(), url, dir }
}

async fn postgres() -> Setup {
    let url = StoreUrl::Postgres(besom_testkit::postgres::database().await.url);
    Setup { opened: open(&url).await.unwrap(), url, dir: tempfile::tempdir().unwrap() }
}

macro_rules! on_both {
    ($($behaviour:ident),* $(,)?) => {
        mod on_files {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $behaviour() { super::$behaviour(super::sqlite().await).await; })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $behaviour() { super::$behaviour(super::postgres().await).await; })*
        }
    };
}

on_both!(
    bytes_before_rows,
    what_is_put_comes_back_in_chunks,
    an_empty_artifact_is_one_too,
    an_unknown_artifact_is_not_found,
    wrong_bytes_are_refused_and_leave_nothing,
    a_sender_that_breaks_off_leaves_nothing,
    a_caller_that_goes_away_leaves_nothing,
    the_same_artifact_from_many_sides_is_stored_once,
    a_store_opened_for_reading_gives_but_does_not_take,
    a_slow_reader_holds_up_nobody,
);

/// Bytes that do not repeat within a chunk.
fn content(size: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    (0..size)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .collect()
}

fn digest(bytes: &[u8]) -> Digest {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Digest::parse(&hex).unwrap()
}

/// As a network would deliver them: in pieces that fit no chunk.
fn pieces(bytes: &[u8]) -> Chunks {
    let pieces: Vec<_> = bytes.chunks(300_007).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces).boxed()
}

async fn put(artifacts: &dyn ArtifactStore, bytes: &[u8]) -> Result<(), ArtifactError> {
    artifacts.put(&digest(bytes), bytes.len() as u64, ArtifactKind::Model, pieces(bytes)).await
}

async fn get(artifacts: &dyn ArtifactStore, digest: &Digest) -> Result<Vec<u8>, ArtifactError> {
    let chunks: Vec<Bytes> = artifacts.get(digest).await?.try_collect().await?;
    Ok(chunks.concat())
}

/// Unfinished files, which nothing may leave behind.
fn leftovers(setup: &Setup) -> Vec<String> {
    let Ok(folders) = std::fs::read_dir(setup.dir.path().join("artifacts")) else { return Vec::new() };
    folders
        .flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap())
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| Digest::parse(name).is_none())
        .collect()
}

/// The invariant of that name: no row names an artifact that is not complete, verified and on disk.
async fn bytes_before_rows(setup: Setup) {
    let artifacts = setup.opened.artifacts.clone();
    let bytes = content(2 * CHUNK, 13);
    let name = digest(&bytes);
    let (sender, receiver) = mpsc::channel(1);
    let put = tokio::spawn({
        let name = name.clone();
        let chunks = ReceiverStream::new(receiver).boxed();
        async move { artifacts.put(&name, 2 * CHUNK as u64, ArtifactKind::Model, chunks).await }
    });
    let rows = async || {
        let sql = format!("SELECT size, kind FROM artifacts WHERE digest = '{name}'");
        query(&setup.url, &sql).await.unwrap().rows
    };
    for piece in bytes.chunks(300_007) {
        assert!(rows().await.is_empty());
        assert_eq!(setup.opened.artifacts.size(&name).await.unwrap(), None);
        sender.send(Ok(Bytes::copy_from_slice(piece))).await.unwrap();
    }
    drop(sender);
    put.await.unwrap().unwrap();
    assert_eq!(rows().await, [[Cell::Integer(2 * CHUNK as i64), Cell::Text("model".to_owned())]]);
    assert!(get(&*setup.opened.artifacts, &name).await.unwrap() == bytes);
}

async fn what_is_put_comes_back_in_chunks(setup: Setup) {
    let artifacts = &*setup.opened.artifacts;
    for size in [1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 12_345] {
        let bytes = content(size, 7);
        put(artifacts, &bytes).await.unwrap();
        assert_eq!(artifacts.size(&digest(&bytes)).await.unwrap(), Some(size as u64));
        let chunks: Vec<Bytes> = artifacts.get(&digest(&bytes)).await.unwrap().try_collect().await.unwrap();
        assert!(chunks.iter().all(|chunk| chunk.len() <= CHUNK && !chunk.is_empty()));
        assert!(chunks.concat() == bytes, "{size} bytes came back changed");
    }
}

async fn an_empty_artifact_is_one_too(setup: Setup) {
    let artifacts = &*setup.opened.artifacts;
    put(artifacts, b"").await.unwrap();
    assert_eq!(artifacts.size(&digest(b"")).await.unwrap(), Some(0));
    assert!(get(artifacts, &digest(b"")).await.unwrap().is_empty());
}

async fn an_unknown_artifact_is_not_found(setup: Setup) {
    let artifacts = &*setup.opened.artifacts;
    let unknown = digest(b"never stored");
    assert_eq!(artifacts.size(&unknown).await.unwrap(), None);
    assert!(matches!(get(artifacts, &unknown).await, Err(ArtifactError::NotFound(digest)) if digest == unknown));
}

async fn wrong_bytes_are_refused_and_leave_nothing(setup: Setup) {
    let artifacts = &*setup.opened.artifacts;
    let bytes = content(2 * CHUNK + 5, 1);
    let name = digest(&bytes);
    let mut flipped = bytes.clone();
    flipped[CHUNK] ^= 1;
    let longer = [bytes.as_slice(), b"!"].concat();
    for (wrong, says) in [(&flipped[..], "those of"), (&bytes[1..], "only"), (&longer[..], "more than")] {
        let result = artifacts.put(&name, bytes.len() as u64, ArtifactKind::Dataset, pieces(wrong)).await;
        match result {
            Err(ArtifactError::Mismatch { expected, problem }) => {
                assert_eq!(expected, name);
                assert!(problem.contains(says), "{problem}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(artifacts.size(&name).await.unwrap(), None);
        assert_eq!(leftovers(&setup), [""; 0]);
    }
    put(artifacts, &bytes).await.unwrap();
}

async fn a_sender_that_breaks_off_leaves_nothing(setup: Setup) {
    let artifacts = &*setup.opened.artifacts;
    let bytes = content(2 * CHUNK, 2);
    let broken = pieces(&bytes[..CHUNK]).chain(stream::iter([Err(io::Error::other("the line is cut"))])).boxed();
    let result = artifacts.put(&digest(&bytes), bytes.len() as u64, ArtifactKind::Model, broken).await;
    assert!(matches!(result, Err(ArtifactError::Io(error)) if error.to_string() == "the line is cut"));
    assert_eq!(artifacts.size(&digest(&bytes)).await.unwrap(), None);
    assert_eq!(leftovers(&setup), [""; 0]);
    put(artifacts, &bytes).await.unwrap();
}

async fn a_caller_that_goes_away_leaves_nothing(setup: Setup) {
    let artifacts = setup.opened.artifacts.clone();
    let bytes = content(2 * CHUNK, 3);
    let name = digest(&bytes);
    let (sender, receiver) = mpsc::channel(1);
    let put = tokio::spawn({
        let (artifacts, name) = (artifacts.clone(), name.clone());
        async move {
            artifacts.put(&name, 2 * CHUNK as u64, ArtifactKind::Model, ReceiverStream::new(receiver).boxed()).await
        }
    });
    for piece in bytes[..CHUNK].chunks(300_007) {
        sender.send(Ok(Bytes::copy_from_slice(piece))).await.unwrap();
    }
    put.abort();
    assert!(put.await.unwrap_err().is_cancelled());
    drop(sender);
    besom_testkit::eventually("the unfinished file to be removed", Duration::from_secs(10), async || {
        leftovers(&setup).is_empty()
    })
    .await;
    assert_eq!(artifacts.size(&name).await.unwrap(), None);
    store_and_read_back(&*artifacts, &bytes).await;
}

async fn store_and_read_back(artifacts: &dyn ArtifactStore, bytes: &[u8]) {
    put(artifacts, bytes).await.unwrap();
    assert!(get(artifacts, &digest(bytes)).await.unwrap() == bytes);
}

async fn the_same_artifact_from_many_sides_is_stored_once(setup: Setup) {
    let bytes = Arc::new(content(3 * CHUNK + 17, 4));
    let sides: Vec<_> = (0..6)
        .map(|_| {
            let (artifacts, bytes) = (setup.opened.artifacts.clone(), bytes.clone());
            tokio::spawn(async move { put(&*artifacts, &bytes).await })
        })
        .collect();
    for side in sides {
        side.await.unwrap().unwrap();
    }
    put(&*setup.opened.artifacts, &bytes).await.unwrap();
    assert!(get(&*setup.opened.artifacts, &digest(&bytes)).await.unwrap() == *bytes);
    assert_eq!(leftovers(&setup), [""; 0]);
}

async fn a_store_opened_for_reading_gives_but_does_not_take(setup: Setup) {
    let bytes = content(100_000, 5);
    put(&*setup.opened.artifacts, &bytes).await.unwrap();
    let reader = open_read_only(&setup.url).await.unwrap();
    assert!(get(&*reader.artifacts, &digest(&bytes)).await.unwrap() == bytes);
    let refused = put(&*reader.artifacts, &content(10, 6)).await;
    assert!(matches!(refused, Err(ArtifactError::Store(StoreError::InvalidState { .. }))), "{refused:?}");
}

async fn a_slow_reader_holds_up_nobody(setup: Setup) {
    let artifacts = &*setup.opened.artifacts;
    let bytes = content(4 * CHUNK, 8);
    put(artifacts, &bytes).await.unwrap();
    let mut readers = Vec::new();
    // More than the store has connections.
    for _ in 0..24 {
        let mut reader = artifacts.get(&digest(&bytes)).await.unwrap();
        assert!(reader.next().await.unwrap().unwrap() == bytes[..CHUNK]);
        readers.push(reader);
    }
    store_and_read_back(artifacts, &content(CHUNK, 9)).await;
    let rest: Vec<Bytes> = readers.pop().unwrap().try_collect().await.unwrap();
    assert!(rest.concat() == bytes[CHUNK..]);
}

#[tokio::test]
async fn a_damaged_file_is_an_error_in_the_stream() {
    let setup = sqlite().await;
    let bytes = content(CHUNK + 5, 10);
    put(&*setup.opened.artifacts, &bytes).await.unwrap();
    let name = digest(&bytes);
    let path = setup.dir.path().join("artifacts").join(&name.as_str()[..2]).join(name.as_str());
    let mut damaged = bytes.clone();
    damaged[3] ^= 0x40;
    std::fs::write(&path, &damaged).unwrap();
    let mut stream = setup.opened.artifacts.get(&name).await.unwrap();
    assert!(stream.next().await.unwrap().is_ok());
    assert!(matches!(stream.next().await, Some(Err(ArtifactError::Mismatch { .. }))));
    std::fs::write(&path, &bytes[..CHUNK]).unwrap();
    assert!(matches!(get(&*setup.opened.artifacts, &name).await, Err(ArtifactError::Mismatch { .. })));
    // A file that lost its tail is written anew.
    put(&*setup.opened.artifacts, &bytes).await.unwrap();
    assert!(get(&*setup.opened.artifacts, &name).await.unwrap() == bytes);
}

#[tokio::test]
async fn a_file_that_no_row_names_is_not_relied_on() {
    let setup = sqlite().await;
    let bytes = content(CHUNK, 12);
    let name = digest(&bytes);
    // As after a process that died before its sync: a name, and of the bytes nobody knows how many are on the disk.
    let path = setup.dir.path().join("artifacts").join(&name.as_str()[..2]).join(name.as_str());
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, content(CHUNK, 13)).unwrap();
    put(&*setup.opened.artifacts, &bytes).await.unwrap();
    assert!(get(&*setup.opened.artifacts, &name).await.unwrap() == bytes);
}

#[tokio::test]
async fn a_damaged_row_is_an_error_in_the_stream() {
    let setup = postgres().await;
    let bytes = content(2 * CHUNK, 11);
    put(&*setup.opened.artifacts, &bytes).await.unwrap();
    let StoreUrl::Postgres(url) = &setup.url else { panic!("{:?}", setup.url) };
    let pool = sqlx::PgPool::connect(url).await.unwrap();
    for damage in [
        "UPDATE artifact_chunks SET bytes = set_byte(bytes, 5, get_byte(bytes, 5) # 1) WHERE seq = 1",
        "DELETE FROM artifact_chunks WHERE seq = 1",
    ] {
        sqlx::query(damage).execute(&pool).await.unwrap();
        let result = get(&*setup.opened.artifacts, &digest(&bytes)).await;
        assert!(matches!(result, Err(ArtifactError::Mismatch { .. })), "{damage}");
    }
}

/// A coordinator that is killed between the rename and the row leaves a whole file that no result may name yet.
#[tokio::test]
async fn a_file_without_its_row_is_not_stored_until_it_is_put_again() {
    let setup = sqlite().await;
    let bytes = content(1000, 14);
    let name = digest(&bytes);
    let folder = setup.dir.path().join("artifacts").join(&name.as_str()[..2]);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name.as_str()), &bytes).unwrap();
    let artifacts = &*setup.opened.artifacts;
    assert_eq!(artifacts.size(&name).await.unwrap(), None, "whoever hears that it is there does not put it");
    put(artifacts, &bytes).await.unwrap();
    assert_eq!(artifacts.size(&name).await.unwrap(), Some(1000));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let setup = sqlite().await;
    std::fs::write(setup.dir.path().join("artifacts"), b"in the way").unwrap();
    match put(&*setup.opened.artifacts, b"some bytes").await {
        Err(ArtifactError::Io(error)) => assert!(error.to_string().contains("artifacts"), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_a_killed_process_left_unfinished_is_swept_at_the_start() {
    let setup = sqlite().await;
    let bytes = content(1000, 12);
    put(&*setup.opened.artifacts, &bytes).await.unwrap();
    drop(setup.opened);
    let folder = setup.dir.path().join("artifacts").join(&digest(&bytes).as_str()[..2]);
    std::fs::write(folder.join(".tmp-0123"), b"half of someth").unwrap();
    let opened = open(&setup.url).await.unwrap();
    assert!(!folder.join(".tmp-0123").exists());
    assert!(get(&*opened.artifacts, &digest(&bytes)).await.unwrap() == bytes);
}

#[tokio::test]
async fn a_sqlite_store_is_opened_for_writing_once() {
    use besom_coordinator::store::{lock::read_lock, open::OpenError};
    let setup = sqlite().await;
    match open(&setup.url).await.map(|_| ()) {
        Err(OpenError::Held { pid, .. }) => assert_eq!(pid, std::process::id()),
        other => panic!("{other:?}"),
    }
    let database = setup.dir.path().join("besom.db");
    assert_eq!(read_lock(&database).unwrap().unwrap().pid, std::process::id());
    drop(setup.opened);
    open(&setup.url).await.unwrap();
}

#[tokio::test]
async fn a_database_that_is_not_there_is_not_made_by_reading() {
    use besom_coordinator::store::open::OpenError;
    let dir = tempfile::tempdir().unwrap();
    let url = StoreUrl::Sqlite(dir.path().join("none.db"));
    match open_read_only(&url).await.map(|_| ()) {
        Err(error @ OpenError::NotFound { .. }) => assert!(error.to_string().contains("none.db"), "{error}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    let url = StoreUrl::Postgres(besom_testkit::postgres::database().await.url);
    assert!(matches!(open_read_only(&url).await.map(|_| ()), Err(OpenError::NotFound { .. })));
}

/// A file of the right size with a wrong bit.
async fn damaged() -> (Setup, Vec<u8>, std::path::PathBuf) {
    let setup = sqlite().await;
    let bytes = content(2 * CHUNK + 5, 21);
    put(&*setup.opened.artifacts, &bytes).await.unwrap();
    let name = digest(&bytes);
    let file = setup.dir.path().join("artifacts").join(&name.as_str()[..2]).join(name.as_str());
    let mut flipped = bytes.clone();
    flipped[CHUNK + 7] ^= 1;
    std::fs::write(&file, flipped).unwrap();
    (setup, bytes, file)
}

#[tokio::test]
async fn a_damaged_file_is_put_aside_and_healed_by_the_next_put() {
    let (setup, bytes, file) = damaged().await;
    let artifacts = &*setup.opened.artifacts;
    let name = digest(&bytes);
    assert!(matches!(get(artifacts, &name).await, Err(ArtifactError::Mismatch { .. })));
    assert_eq!(artifacts.size(&name).await.unwrap(), None);
    assert!(matches!(get(artifacts, &name).await, Err(ArtifactError::NotFound(_))));
    assert_eq!(leftovers(&setup), [format!("{name}.damaged")]);
    put(artifacts, &bytes).await.unwrap();
    assert_eq!(artifacts.size(&name).await.unwrap(), Some(bytes.len() as u64));
    assert!(get(artifacts, &name).await.unwrap() == bytes);
    assert!(std::fs::read(file).unwrap() == bytes);
}

#[tokio::test]
async fn a_reader_of_the_damaged_file_does_not_put_the_healed_one_aside() {
    let (setup, bytes, _) = damaged().await;
    let artifacts = &*setup.opened.artifacts;
    let name = digest(&bytes);
    let mut slow = artifacts.get(&name).await.unwrap();
    slow.next().await.unwrap().unwrap();
    assert!(get(artifacts, &name).await.is_err());
    put(artifacts, &bytes).await.unwrap();
    assert!(slow.try_collect::<Vec<_>>().await.is_err());
    assert!(get(artifacts, &name).await.unwrap() == bytes);
}

#[tokio::test]
async fn who_only_reads_leaves_a_damaged_file_where_it_is() {
    let (setup, bytes, file) = damaged().await;
    let reading = open_read_only(&setup.url).await.unwrap();
    assert!(matches!(get(&*reading.artifacts, &digest(&bytes)).await, Err(ArtifactError::Mismatch { .. })));
    assert!(file.exists());
}
