//! The dataset cache: one fetch, one copy, and never damaged bytes.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

#[path = "../../dataset/tests/support/mod.rs"]
mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use besom_client::datasets::DatasetCache;
use besom_dataset::{DataError, Dataset};
use support::{load_in, npz, spec, ten_labels, ten_samples};

async fn dataset(folder: &Path) -> Arc<Dataset> {
    std::fs::write(folder.join("x.npz"), npz(&ten_samples(), &ten_labels())).unwrap();
    load_in(folder, &spec("x.npz")).unwrap().dataset
}

fn cached(home: &Path, digest: &str) -> std::path::PathBuf {
    home.join("cache/datasets").join(digest)
}

async fn unreachable_fetch() -> Result<Vec<u8>, String> {
    panic!("nothing needs to be fetched")
}

#[tokio::test]
async fn slots_that_ask_together_share_one_fetch_and_one_copy() {
    let home = tempfile::tempdir().unwrap();
    let dataset = dataset(home.path()).await;
    let cache = DatasetCache::new(home.path());
    let fetches = AtomicUsize::new(0);
    let get = || {
        cache.get(dataset.digest(), || async {
            fetches.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok::<_, String>(dataset.artifact().to_vec())
        })
    };
    let (a, b, c) = tokio::join!(get(), get(), get());
    let (a, b, c) = (a.unwrap(), b.unwrap(), c.unwrap());
    assert!(Arc::ptr_eq(&a, &b) && Arc::ptr_eq(&b, &c));
    assert_eq!(fetches.load(Ordering::SeqCst), 1);
    assert_eq!(a.rows(), dataset.rows());

    // Between two jobs nobody holds it, and still it is not read again.
    let address = Arc::as_ptr(&a);
    drop((a, b, c));
    assert_eq!(Arc::as_ptr(&cache.get(dataset.digest(), unreachable_fetch).await.unwrap()), address);

    // Another process finds the file.
    let other = DatasetCache::new(home.path()).get(dataset.digest(), unreachable_fetch).await.unwrap();
    assert_eq!(other.digest(), dataset.digest());
}

#[tokio::test]
async fn an_inserted_dataset_is_not_fetched() {
    let home = tempfile::tempdir().unwrap();
    let dataset = dataset(home.path()).await;
    let cache = DatasetCache::new(home.path());
    cache.insert(&dataset).await.unwrap();
    assert!(Arc::ptr_eq(&cache.get(dataset.digest(), unreachable_fetch).await.unwrap(), &dataset));
    assert_eq!(std::fs::read(cached(home.path(), dataset.digest())).unwrap(), dataset.artifact());
}

#[tokio::test]
async fn a_damaged_file_is_removed_and_fetched_again() {
    let home = tempfile::tempdir().unwrap();
    let dataset = dataset(home.path()).await;
    let path = cached(home.path(), dataset.digest());
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut flipped = dataset.artifact().to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    for damage in [&flipped[..], &dataset.artifact()[..20], b""] {
        std::fs::write(&path, damage).unwrap();
        let fetch = || async { Ok::<_, String>(dataset.artifact().to_vec()) };
        let again = DatasetCache::new(home.path()).get(dataset.digest(), fetch).await.unwrap();
        assert_eq!(again.digest(), dataset.digest());
        assert_eq!(std::fs::read(&path).unwrap(), dataset.artifact());
    }
}

#[tokio::test]
async fn a_failed_fetch_leaves_nothing_and_the_next_one_works() {
    let home = tempfile::tempdir().unwrap();
    let dataset = dataset(home.path()).await;
    let cache = DatasetCache::new(home.path());
    let failed = cache.get(dataset.digest(), || async { Err::<Vec<u8>, _>("coordinator away") }).await.unwrap_err();
    assert!(failed.is_retryable() && failed.to_string().contains("coordinator away"), "{failed}");
    let mut other = dataset.artifact().to_vec();
    *other.last_mut().unwrap() ^= 1;
    let wrong = cache.get(dataset.digest(), || async { Ok::<_, String>(other) }).await.unwrap_err();
    assert!(wrong.is_retryable() && wrong.to_string().contains("the bytes have digest"), "{wrong}");
    assert!(!cached(home.path(), dataset.digest()).exists());
    let fetch = || async { Ok::<_, String>(dataset.artifact().to_vec()) };
    cache.get(dataset.digest(), fetch).await.unwrap();
    assert!(cached(home.path(), dataset.digest()).exists());
    let refused = cache.get("../../x", unreachable_fetch).await.unwrap_err();
    assert!(matches!(refused, DataError::Refused { .. }));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_costs_no_dataset() {
    let home = tempfile::tempdir().unwrap();
    let dataset = dataset(home.path()).await;
    std::fs::write(home.path().join("cache"), b"a file where a folder should be").unwrap();
    let cache = DatasetCache::new(home.path());
    let fetch = || async { Ok::<_, String>(dataset.artifact().to_vec()) };
    assert_eq!(cache.get(dataset.digest(), fetch).await.unwrap().digest(), dataset.digest());
    let error = DatasetCache::new(home.path()).insert(&dataset).await.unwrap_err();
    assert!(matches!(error, DataError::Io { .. }), "{error}");
}
