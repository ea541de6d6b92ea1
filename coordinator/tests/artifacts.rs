//! Every behaviour of an artifact store, on files and on Postgres.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod store_support;

use std::{io, sync::Arc, time::Duration};

use besom_coordinator::{
    artifacts::{ArtifactError, ArtifactKind, ArtifactStore, CHUNK, NewUpload, Sender, Stored},
    domain::{Digest, WorkerId},
    open::{Opened, open, open_read_only},
    store::{AcquireRequest, StoreError, StoreUrl},
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
    an_upload_that_breaks_goes_on_where_it_stopped,
    two_senders_of_one_artifact_wait_for_nobody,
    a_download_goes_on_at_any_byte,
    what_is_stored_as_one_kind_is_not_taken_as_another,
    artifacts_without_a_name_are_removed_after_an_hour,
    what_somebody_was_told_is_there_stays_for_an_hour,
    what_a_running_attempt_may_have_stored_stays_however_long_it_takes,
    an_artifact_removed_in_the_middle_of_a_download_is_not_called_damaged,
);

/// Of a row in Postgres.
const ROW: usize = 1 << 20;

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

/// A model from a stranger who does not mean to go on after a break.
fn upload(bytes: &[u8]) -> NewUpload {
    let (digest, size) = (digest(bytes), bytes.len() as u64);
    NewUpload { digest, size, kind: ArtifactKind::Model, sender: Sender::Stranger, name: None, offset: 0 }
}

async fn put(artifacts: &dyn ArtifactStore, bytes: &[u8]) -> Result<(), ArtifactError> {
    artifacts.put(upload(bytes), pieces(bytes)).await
}

async fn get(artifacts: &dyn ArtifactStore, digest: &Digest) -> Result<Vec<u8>, ArtifactError> {
    get_from(artifacts, digest, 0).await
}

async fn get_from(artifacts: &dyn ArtifactStore, digest: &Digest, offset: u64) -> Result<Vec<u8>, ArtifactError> {
    let (_, chunks) = artifacts.get(digest, offset).await?;
    let chunks: Vec<Bytes> = chunks.try_collect().await?;
    Ok(chunks.concat())
}

async fn size(artifacts: &dyn ArtifactStore, digest: &Digest) -> Option<u64> {
    artifacts.find(digest).await.unwrap().map(|stored| stored.size)
}

/// Changes rows as nothing else would.
async fn change(setup: &Setup, sql: &str) {
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    match &setup.url {
        StoreUrl::Sqlite(path) => {
            let pool = sqlx::SqlitePool::connect(&format!("sqlite:{}", path.display())).await.unwrap();
            sqlx::raw_sql(sql).execute(&pool).await.unwrap();
            pool.close().await;
        }
        StoreUrl::Postgres(url) => {
            let pool = sqlx::PgPool::connect(url).await.unwrap();
            sqlx::raw_sql(sql).execute(&pool).await.unwrap();
            pool.close().await;
        }
    }
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
    let bytes = content(2 * ROW, 13);
    let name = digest(&bytes);
    let (sender, receiver) = mpsc::channel(1);
    let put = tokio::spawn({
        let (upload, chunks) = (upload(&bytes), ReceiverStream::new(receiver).boxed());
        async move { artifacts.put(upload, chunks).await }
    });
    let rows = async || named(&setup.url, &name).await;
    for piece in bytes.chunks(300_007) {
        assert!(rows().await.is_empty());
        assert_eq!(size(&*setup.opened.artifacts, &name).await, None);
        sender.send(Ok(Bytes::copy_from_slice(piece))).await.unwrap();
    }
    drop(sender);
    put.await.unwrap().unwrap();
    assert_eq!(rows().await, [(2 * ROW as i64, "model".to_owned())]);
    assert!(get(&*setup.opened.artifacts, &name).await.unwrap() == bytes);
}

/// Size and kind of the rows that name an artifact.
async fn named(url: &StoreUrl, digest: &Digest) -> Vec<(i64, String)> {
    use sqlx::Connection;
    let sql = "SELECT size, kind FROM artifacts WHERE digest = $1";
    match url {
        StoreUrl::Sqlite(path) => {
            let mut connection = sqlx::SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
            sqlx::query_as(sql).bind(digest.as_str()).fetch_all(&mut connection).await.unwrap()
        }
        StoreUrl::Postgres(url) => {
            let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
            sqlx::query_as(sql).bind(digest.as_str()).fetch_all(&mut connection).await.unwrap()
        }
    }
}

async fn what_is_put_comes_back_in_chunks(setup: Setup) {
    let artifacts = &*setup.opened.artifacts;
    for length in [1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 12_345, ROW - 1, ROW, ROW + 1, 2 * ROW + 12_345] {
        let bytes = content(length, 7);
        put(artifacts, &bytes).await.unwrap();
        assert_eq!(size(artifacts, &digest(&bytes)).await, Some(length as u64));
        let (announced, chunks) = artifacts.get(&digest(&bytes), 0).await.unwrap();
        let chunks: Vec<Bytes> = chunks.try_collect().await.unwrap();
        assert_eq!(announced, length as u64);
        assert!(chunks.iter().all(|chunk| chunk.len() <= CHUNK && !chunk.is_empty()));
        assert!(chunks.concat() == bytes, "{length} bytes came back changed");
    }
}

async fn an_empty_artifact_is_one_too(setup: Setup) {
    let artifacts = &*setup.opened.artifacts;
    put(artifacts, b"").await.unwrap();
    assert_eq!(size(artifacts, &digest(b"")).await, Some(0));
    assert!(get(artifacts, &digest(b"")).await.unwrap().is_empty());
}

async fn an_unknown_artifact_is_not_found(setup: Setup) {
    let artifacts = &*setup.opened.artifacts;
    let unknown = digest(b"never stored");
    assert_eq!(size(artifacts, &unknown).await, None);
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
        let result = artifacts.put(upload(&bytes), pieces(wrong)).await;
        match result {
            Err(ArtifactError::Mismatch { expected, problem }) => {
                assert_eq!(expected, name);
                assert!(problem.contains(says), "{problem}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(size(artifacts, &name).await, None);
        assert_eq!(leftovers(&setup), [""; 0]);
    }
    put(artifacts, &bytes).await.unwrap();
}

async fn a_sender_that_breaks_off_leaves_nothing(setup: Setup) {
    let artifacts = &*setup.opened.artifacts;
    let bytes = content(2 * CHUNK, 2);
    let broken = pieces(&bytes[..CHUNK]).chain(stream::iter([Err(io::Error::other("the line is cut"))])).boxed();
    let result = artifacts.put(upload(&bytes), broken).await;
    assert!(matches!(result, Err(ArtifactError::Io(error)) if error.to_string() == "the line is cut"));
    assert_eq!(size(artifacts, &digest(&bytes)).await, None);
    assert_eq!(leftovers(&setup), [""; 0]);
    put(artifacts, &bytes).await.unwrap();
}

async fn a_caller_that_goes_away_leaves_nothing(setup: Setup) {
    let artifacts = setup.opened.artifacts.clone();
    let bytes = content(2 * CHUNK, 3);
    let name = digest(&bytes);
    let (sender, receiver) = mpsc::channel(1);
    let put = tokio::spawn({
        let (artifacts, upload) = (artifacts.clone(), upload(&bytes));
        async move { artifacts.put(upload, ReceiverStream::new(receiver).boxed()).await }
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
    assert_eq!(size(&*artifacts, &name).await, None);
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
        let (_, mut reader) = artifacts.get(&digest(&bytes), 0).await.unwrap();
        assert!(reader.next().await.unwrap().unwrap() == bytes[..CHUNK]);
        readers.push(reader);
    }
    store_and_read_back(artifacts, &content(CHUNK, 9)).await;
    let rest: Vec<Bytes> = readers.pop().unwrap().try_collect().await.unwrap();
    assert!(rest.concat() == bytes[CHUNK..]);
}

/// Sends the first `length` bytes of an upload with this name, and breaks off.
async fn break_off(artifacts: &dyn ArtifactStore, bytes: &[u8], name: &str, offset: usize, length: usize) {
    let upload = NewUpload { name: Some(name.to_owned()), offset: offset as u64, ..upload(bytes) };
    let broken = pieces(&bytes[offset..offset + length]).chain(stream::iter([Err(io::Error::other("cut"))])).boxed();
    let error = artifacts.put(upload, broken).await.unwrap_err();
    assert!(matches!(error, ArtifactError::Io(_)), "{error}");
}

async fn an_upload_that_breaks_goes_on_where_it_stopped(setup: Setup) {
    let artifacts = &*setup.opened.artifacts;
    let bytes = content(2 * ROW + 77, 15);
    let name = digest(&bytes);
    break_off(artifacts, &bytes, "mine", 0, ROW + 5).await;
    assert_eq!(artifacts.received(&name, "mine").await.unwrap(), ROW as u64 + 5);
    assert_eq!(artifacts.received(&name, "yours").await.unwrap(), 0, "nobody goes on with what another sent");
    break_off(artifacts, &bytes, "mine", ROW + 5, 100).await;
    let offset = artifacts.received(&name, "mine").await.unwrap();
    assert_eq!(offset, ROW as u64 + 105);
    assert_eq!(size(artifacts, &name).await, None);

    let at = |offset| NewUpload { name: Some("mine".to_owned()), offset, ..upload(&bytes) };
    let wrong = artifacts.put(at(offset + 1), pieces(&bytes[ROW + 106..])).await.unwrap_err();
    assert!(matches!(wrong, ArtifactError::Offset { .. }), "{wrong}");
    artifacts.put(at(offset), pieces(&bytes[ROW + 105..])).await.unwrap();
    assert!(get(artifacts, &name).await.unwrap() == bytes);
    assert_eq!(leftovers(&setup), [""; 0]);
}

async fn two_senders_of_one_artifact_wait_for_nobody(setup: Setup) {
    let artifacts = setup.opened.artifacts.clone();
    let bytes = content(ROW + 9, 16);
    let mut holding = Vec::new();
    for sender in [Sender::Stranger, Sender::Worker(WorkerId(1)), Sender::Stranger] {
        let (line, receiver) = mpsc::channel(1);
        let upload = NewUpload { sender, ..upload(&bytes) };
        let artifacts = artifacts.clone();
        let put = tokio::spawn(async move { artifacts.put(upload, ReceiverStream::new(receiver).boxed()).await });
        line.send(Ok(Bytes::copy_from_slice(&bytes[..10]))).await.unwrap();
        // There is room again once the first piece was taken: a put that begins after the artifact
        // is there takes none.
        drop(line.reserve().await.unwrap());
        holding.push((line, put));
    }
    store_and_read_back(&*artifacts, &bytes).await;
    for (line, put) in holding {
        line.send(Ok(Bytes::copy_from_slice(&bytes[10..]))).await.unwrap();
        drop(line);
        put.await.unwrap().unwrap();
    }
    assert!(get(&*artifacts, &digest(&bytes)).await.unwrap() == bytes);
    assert_eq!(leftovers(&setup), [""; 0]);
}

async fn a_download_goes_on_at_any_byte(setup: Setup) {
    let artifacts = &*setup.opened.artifacts;
    let bytes = content(2 * ROW + 7, 17);
    put(artifacts, &bytes).await.unwrap();
    let name = digest(&bytes);
    for offset in [1, CHUNK, ROW - 1, ROW, ROW + CHUNK + 1, 2 * ROW, 2 * ROW + 6, 2 * ROW + 7] {
        assert!(get_from(artifacts, &name, offset as u64).await.unwrap() == bytes[offset..], "from {offset}");
    }
    let beyond = get_from(artifacts, &name, bytes.len() as u64 + 1).await.unwrap_err();
    assert!(matches!(beyond, ArtifactError::Offset { .. }), "{beyond}");
}

async fn what_is_stored_as_one_kind_is_not_taken_as_another(setup: Setup) {
    let artifacts = &*setup.opened.artifacts;
    let bytes = content(100, 18);
    put(artifacts, &bytes).await.unwrap();
    let dataset = NewUpload { kind: ArtifactKind::Dataset, ..upload(&bytes) };
    let refused = artifacts.put(dataset, pieces(&bytes)).await.unwrap_err().to_string();
    assert!(refused.ends_with("expected a dataset, but it is stored as a model"), "{refused}");
    let stored = Stored { size: 100, kind: "model".to_owned() };
    assert_eq!(artifacts.find(&digest(&bytes)).await.unwrap(), Some(stored));
}

/// As if it had been stored two hours ago.
const OLD: &str = "UPDATE artifacts SET created_at = created_at - 7200000000, asked_at = asked_at - 7200000000";

async fn artifacts_without_a_name_are_removed_after_an_hour(setup: Setup) {
    let artifacts = &*setup.opened.artifacts;
    let (old, new) = (content(ROW + 1, 19), content(1000, 20));
    put(artifacts, &old).await.unwrap();
    assert_eq!(artifacts.remove_unnamed().await.unwrap(), 0, "whoever stored it is about to name it");
    change(&setup, OLD).await;
    put(artifacts, &new).await.unwrap();
    assert_eq!(artifacts.remove_unnamed().await.unwrap(), 1);
    assert!(matches!(get(artifacts, &digest(&old)).await, Err(ArtifactError::NotFound(_))));
    assert!(get(artifacts, &digest(&new)).await.unwrap() == new);
    if let StoreUrl::Postgres(url) = &setup.url {
        let pool = sqlx::PgPool::connect(url).await.unwrap();
        let chunks: i64 = sqlx::query_scalar("SELECT count(*) FROM artifact_chunks").fetch_one(&pool).await.unwrap();
        assert_eq!(chunks, 1, "the bytes went with their row");
    }
    store_and_read_back(artifacts, &old).await;
}

async fn what_somebody_was_told_is_there_stays_for_an_hour(setup: Setup) {
    let artifacts = &*setup.opened.artifacts;
    let bytes = content(1000, 21);
    put(artifacts, &bytes).await.unwrap();
    change(&setup, OLD).await;
    assert!(artifacts.claim(&digest(&bytes)).await.unwrap().is_some());
    assert_eq!(artifacts.remove_unnamed().await.unwrap(), 0);
    change(&setup, OLD).await;
    put(artifacts, &bytes).await.unwrap();
    assert_eq!(artifacts.remove_unnamed().await.unwrap(), 0, "to store what is there is to ask for it");
    change(&setup, OLD).await;
    assert_eq!(artifacts.remove_unnamed().await.unwrap(), 1);
}

/// A worker names its model only when a slow link or an outage lets it, which may take more than an
/// hour.
async fn what_a_running_attempt_may_have_stored_stays_however_long_it_takes(setup: Setup) {
    let (artifacts, store) = (&*setup.opened.artifacts, &*setup.opened.store);
    let [before, stored, asked] = [26, 27, 28].map(|seed| content(1000, seed));
    put(artifacts, &before).await.unwrap();
    put(artifacts, &asked).await.unwrap();
    change(&setup, OLD).await;
    let (sweep, _) = store.create_sweep(store_support::new_sweep("s", 1), None).await.unwrap();
    store.add_jobs(sweep.id, 0, vec![store_support::new_job(0)]).await.unwrap();
    let session = store.register_worker(store_support::new_worker("w"), None).await.unwrap();
    let wish = AcquireRequest { session, ..store_support::request(session.worker, 1) };
    let lease = store.acquire(wish, None).await.unwrap().assignments[0].lease;
    put(artifacts, &stored).await.unwrap();
    assert!(artifacts.claim(&digest(&asked)).await.unwrap().is_some());
    change(&setup, OLD).await;
    change(&setup, "UPDATE jobs SET started_at = started_at - 7200000000").await;
    assert_eq!(artifacts.remove_unnamed().await.unwrap(), 1);
    assert!(matches!(get(artifacts, &digest(&before)).await, Err(ArtifactError::NotFound(_))));
    for kept in [&stored, &asked] {
        assert!(get(artifacts, &digest(kept)).await.unwrap() == *kept);
    }
    store.release(session, vec![lease], true, None).await.unwrap();
    assert_eq!(artifacts.remove_unnamed().await.unwrap(), 2, "nobody is left who could name them");
}

async fn an_artifact_removed_in_the_middle_of_a_download_is_not_called_damaged(setup: Setup) {
    let artifacts = &*setup.opened.artifacts;
    let bytes = content(3 * CHUNK, 22);
    put(artifacts, &bytes).await.unwrap();
    let (_, mut chunks) = artifacts.get(&digest(&bytes), 0).await.unwrap();
    let first = chunks.next().await.unwrap().unwrap();
    change(&setup, OLD).await;
    assert_eq!(artifacts.remove_unnamed().await.unwrap(), 1);
    let rest: Result<Vec<Bytes>, ArtifactError> = chunks.try_collect().await;
    match rest {
        // An open file stays readable.
        Ok(rest) => assert!([&first[..], &rest.concat()].concat() == bytes),
        Err(error) => assert!(matches!(error, ArtifactError::NotFound(_)), "{error}"),
    }
}

/// A process that is killed between the database's commit and the removal, or between a file and
/// its row.
#[tokio::test]
async fn files_that_no_row_names_are_removed_after_an_hour() {
    let setup = sqlite().await;
    let artifacts = &*setup.opened.artifacts;
    let (kept, left, young) = (content(1000, 23), content(1000, 24), content(1000, 25));
    put(artifacts, &kept).await.unwrap();
    put(artifacts, &left).await.unwrap();
    put(artifacts, &young).await.unwrap();
    let path = |bytes: &[u8]| {
        let name = digest(bytes);
        setup.dir.path().join("artifacts").join(&name.as_str()[..2]).join(name.as_str())
    };
    let hours_ago = std::time::SystemTime::now() - Duration::from_secs(7200);
    for bytes in [&kept, &left] {
        let file = std::fs::File::options().write(true).open(path(bytes)).unwrap();
        file.set_modified(hours_ago).unwrap();
    }
    for bytes in [&left, &young] {
        change(&setup, &format!("DELETE FROM artifacts WHERE digest = '{}'", digest(bytes).as_str())).await;
    }
    assert_eq!(artifacts.remove_unnamed().await.unwrap(), 1);
    assert!(path(&kept).exists() && !path(&left).exists() && path(&young).exists());
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
    let (_, mut stream) = setup.opened.artifacts.get(&name, 0).await.unwrap();
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
    // As after a process that died before its sync: a name, and of the bytes nobody knows how many
    // are on the disk.
    let path = setup.dir.path().join("artifacts").join(&name.as_str()[..2]).join(name.as_str());
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, content(CHUNK, 13)).unwrap();
    put(&*setup.opened.artifacts, &bytes).await.unwrap();
    assert!(get(&*setup.opened.artifacts, &name).await.unwrap() == bytes);
}

#[tokio::test]
async fn a_damaged_row_is_an_error_in_the_stream_and_healed_by_the_next_put() {
    let setup = postgres().await;
    let (artifacts, bytes) = (&*setup.opened.artifacts, content(2 * ROW, 11));
    let name = digest(&bytes);
    put(artifacts, &bytes).await.unwrap();
    let StoreUrl::Postgres(url) = &setup.url else { panic!("{:?}", setup.url) };
    let pool = sqlx::PgPool::connect(url).await.unwrap();
    for damage in [
        "UPDATE artifact_chunks SET bytes = set_byte(bytes, 5, get_byte(bytes, 5) # 1) WHERE seq = 1",
        "DELETE FROM artifact_chunks WHERE seq = 1",
    ] {
        sqlx::query(damage).execute(&pool).await.unwrap();
        let reading = open_read_only(&setup.url).await.unwrap();
        let result = get(&*reading.artifacts, &name).await;
        assert!(matches!(result, Err(ArtifactError::Mismatch { .. })), "{damage}");
        assert_eq!(size(artifacts, &name).await, Some(bytes.len() as u64), "who only reads notes nothing");
        let result = get(artifacts, &name).await;
        assert!(matches!(result, Err(ArtifactError::Mismatch { .. })), "{damage}");
        assert_eq!(size(artifacts, &name).await, None, "it counts as missing");
        assert!(matches!(get(artifacts, &name).await, Err(ArtifactError::NotFound(_))), "{damage}");
        let (one, other) = tokio::join!(put(artifacts, &bytes), put(artifacts, &bytes));
        one.and(other).unwrap();
        assert!(get(artifacts, &name).await.unwrap() == bytes, "{damage}");
    }
}

/// A coordinator that is killed between the rename and the row leaves a whole file that no result
/// may name yet.
#[tokio::test]
async fn a_file_without_its_row_is_not_stored_until_it_is_put_again() {
    let setup = sqlite().await;
    let bytes = content(1000, 14);
    let name = digest(&bytes);
    let folder = setup.dir.path().join("artifacts").join(&name.as_str()[..2]);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name.as_str()), &bytes).unwrap();
    let artifacts = &*setup.opened.artifacts;
    assert_eq!(size(artifacts, &name).await, None, "whoever hears that it is there does not put it");
    put(artifacts, &bytes).await.unwrap();
    assert_eq!(size(artifacts, &name).await, Some(1000));
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
    let unfinished = setup.dir.path().join("artifacts").join("unfinished");
    std::fs::write(folder.join(".tmp-0123"), b"half of someth").unwrap();
    std::fs::write(unfinished.join("0123"), b"half of someth").unwrap();
    let opened = open(&setup.url).await.unwrap();
    assert!(!folder.join(".tmp-0123").exists() && !unfinished.join("0123").exists());
    assert!(get(&*opened.artifacts, &digest(&bytes)).await.unwrap() == bytes);
}

#[tokio::test]
async fn a_sqlite_store_is_opened_for_writing_once() {
    use besom_coordinator::store::{OpenError, lock::read_lock};
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
    use besom_coordinator::store::OpenError;
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
    assert_eq!(size(artifacts, &name).await, None);
    assert!(matches!(get(artifacts, &name).await, Err(ArtifactError::NotFound(_))));
    assert_eq!(leftovers(&setup), [format!("{name}.damaged")]);
    put(artifacts, &bytes).await.unwrap();
    assert_eq!(size(artifacts, &name).await, Some(bytes.len() as u64));
    assert!(get(artifacts, &name).await.unwrap() == bytes);
    assert!(std::fs::read(file).unwrap() == bytes);
}

#[tokio::test]
async fn a_reader_of_the_damaged_file_does_not_put_the_healed_one_aside() {
    let (setup, bytes, _) = damaged().await;
    let artifacts = &*setup.opened.artifacts;
    let name = digest(&bytes);
    let (_, mut slow) = artifacts.get(&name, 0).await.unwrap();
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

#[tokio::test]
async fn two_stores_in_one_folder_do_not_share_their_files() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = content(CHUNK, 31);
    let name = digest(&bytes);
    let url = |file: &str| StoreUrl::Sqlite(dir.path().join(file));
    let (besom, other) = (open(&url("besom.db")).await.unwrap(), open(&url("other.db")).await.unwrap());
    for opened in [&besom, &other] {
        put(&*opened.artifacts, &bytes).await.unwrap();
    }
    for folder in ["artifacts", "other.db.artifacts"] {
        assert!(dir.path().join(folder).join(&name.as_str()[..2]).join(name.as_str()).is_file(), "{folder}");
    }
    std::fs::remove_dir_all(dir.path().join("artifacts")).unwrap();
    assert!(get(&*other.artifacts, &name).await.unwrap() == bytes);
    let reading = open_read_only(&url("other.db")).await.unwrap();
    assert!(get(&*reading.artifacts, &name).await.unwrap() == bytes);
}

#[tokio::test]
async fn a_store_takes_its_files_out_of_a_folder_that_it_shared_with_others() {
    let dir = tempfile::tempdir().unwrap();
    let (mine, others) = (content(CHUNK, 32), content(CHUNK, 33));
    let url = StoreUrl::Sqlite(dir.path().join("other.db"));
    let opened = open(&url).await.unwrap();
    put(&*opened.artifacts, &mine).await.unwrap();
    opened.close().await;
    // As an earlier build left it, with a file of another store beside it.
    let shared = dir.path().join("artifacts");
    std::fs::rename(dir.path().join("other.db.artifacts"), &shared).unwrap();
    let foreign = digest(&others);
    let place = shared.join(&foreign.as_str()[..2]);
    std::fs::create_dir_all(&place).unwrap();
    std::fs::write(place.join(foreign.as_str()), &others).unwrap();
    let reading = open_read_only(&url).await.unwrap();
    assert!(
        get(&*reading.artifacts, &digest(&mine)).await.unwrap() == mine,
        "who only reads finds them where they are"
    );
    let opened = open(&url).await.unwrap();
    std::fs::remove_dir_all(&shared).unwrap();
    assert!(get(&*opened.artifacts, &digest(&mine)).await.unwrap() == mine);
    assert!(matches!(get(&*opened.artifacts, &foreign).await, Err(ArtifactError::NotFound(_))));
}

/// The last run that named an artifact drops it while somebody stores it anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_artifact_that_is_dropped_while_it_is_stored_again_has_its_bytes() {
    let setup = postgres().await;
    let artifacts = setup.opened.artifacts.clone();
    let bytes = content(1000, 29);
    let (line, chunks) = mpsc::channel(1);
    let again = upload(&bytes);
    let storing = {
        let artifacts = artifacts.clone();
        tokio::spawn(async move { artifacts.put(again, ReceiverStream::new(chunks).boxed()).await })
    };
    // The second piece has a place once the first is taken: by then the artifact was looked for in
    // vain.
    for piece in bytes.chunks(500) {
        line.send(Ok(Bytes::copy_from_slice(piece))).await.unwrap();
    }
    put(&*artifacts, &bytes).await.unwrap();
    let StoreUrl::Postgres(url) = &setup.url else { unreachable!("opened so") };
    let pool = sqlx::PgPool::connect(url).await.unwrap();
    let mut dropping = pool.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE artifacts IN EXCLUSIVE MODE").execute(&mut *dropping).await.unwrap();
    drop(line);
    besom_testkit::eventually("the second one waits", Duration::from_secs(20), async || {
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        sqlx::query_scalar::<_, i64>(waiting).fetch_one(&pool).await.unwrap() == 1
    })
    .await;
    sqlx::raw_sql("DELETE FROM artifact_chunks; DELETE FROM artifacts").execute(&mut *dropping).await.unwrap();
    dropping.commit().await.unwrap();
    storing.await.unwrap().unwrap();
    assert!(get(&*artifacts, &digest(&bytes)).await.unwrap() == bytes);
}
