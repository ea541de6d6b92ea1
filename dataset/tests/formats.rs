//! Every supported format becomes the same dataset.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod support;

use std::path::Path;

use besom_dataset::{Dataset, describe};
use sha2::{Digest, Sha256};

use support::{chain, gzip, idx, load_in, npy, npy_ordered, npz, spec, ten_labels, ten_samples, zip_of};

/// The samples of both splits with the class names of their labels, sorted.
fn content(dataset: &Dataset) -> Vec<(Vec<u8>, String)> {
    let header = dataset.header();
    let mut all: Vec<_> = dataset
        .rows()
        .bytes()
        .unwrap()
        .chunks_exact(header.features as usize)
        .zip(dataset.labels())
        .map(|(row, &label)| (row.to_vec(), header.classes[usize::from(label)].clone()))
        .collect();
    all.sort();
    all
}

fn expected() -> Vec<(Vec<u8>, String)> {
    (0..10_u8).map(|i| ((1..=4).map(|k| 4 * i + k).collect(), (i % 2).to_string())).collect()
}

fn loaded(folder: &Path, name: &str, bytes: &[u8]) -> Dataset {
    std::fs::write(folder.join(name), bytes).unwrap();
    match load_in(folder, &spec(name)) {
        Ok(loaded) => std::sync::Arc::into_inner(loaded.dataset).unwrap(),
        Err(error) => panic!("{name}: {}", chain(&error)),
    }
}

#[test]
fn every_number_type_gives_the_same_dataset() {
    let folder = tempfile::tempdir().unwrap();
    let values = || 1..=40_u8;
    let reference = loaded(folder.path(), "u1.npz", &npz(&ten_samples(), &ten_labels()));
    assert_eq!(content(&reference), expected());
    assert_eq!((reference.header().train, reference.header().test), (8, 2));
    let half = |v: u8| -> u16 {
        let exponent = 7 - v.leading_zeros() as u16;
        (exponent + 15) << 10 | ((u16::from(v) << (10 - exponent)) & 0x3ff)
    };
    let variants: Vec<(&str, Vec<u8>)> = vec![
        ("|i1", values().collect()),
        ("<u2", values().flat_map(|v| u16::from(v).to_le_bytes()).collect()),
        (">u2", values().flat_map(|v| u16::from(v).to_be_bytes()).collect()),
        (">i4", values().flat_map(|v| i32::from(v).to_be_bytes()).collect()),
        ("<i8", values().flat_map(|v| i64::from(v).to_le_bytes()).collect()),
        ("<u8", values().flat_map(|v| u64::from(v).to_le_bytes()).collect()),
        ("<f2", values().flat_map(|v| half(v).to_le_bytes()).collect()),
        ("<f4", values().flat_map(|v| f32::from(v).to_le_bytes()).collect()),
        (">f8", values().flat_map(|v| f64::from(v).to_be_bytes()).collect()),
    ];
    for (descr, data) in variants {
        let archive = zip_of(&[("arr_0.npy", &npy(descr, "(10, 4)", &data)), ("arr_1.npy", &ten_labels())], true);
        assert_eq!(loaded(folder.path(), "x.npz", &archive).digest(), reference.digest(), "{descr}");
    }
    let fortran: Vec<u8> = (0..4).flat_map(|k| (0..10).map(move |i| 4 * i + k + 1)).collect();
    let archive = npz(&npy_ordered("|u1", "True", "(10, 4)", &fortran), &ten_labels());
    assert_eq!(loaded(folder.path(), "f.npz", &archive).digest(), reference.digest());
    let column = npy("<f4", "(10, 1)", &(0..10).flat_map(|i| ((i % 2) as f32).to_le_bytes()).collect::<Vec<u8>>());
    assert_eq!(loaded(folder.path(), "c.npz", &npz(&ten_samples(), &column)).digest(), reference.digest());
}

#[test]
fn headers_of_versions_two_and_three_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let reference = loaded(folder.path(), "1.npz", &npz(&ten_samples(), &ten_labels()));
    for version in [2, 3] {
        let old = ten_samples();
        let mut new = b"\x93NUMPY".to_vec();
        new.extend_from_slice(&[version, 0, old[8], old[9], 0, 0]);
        new.extend_from_slice(&old[10..]);
        assert_eq!(loaded(folder.path(), "v.npz", &npz(&new, &ten_labels())).digest(), reference.digest());
    }
}

#[test]
fn pictures_keep_their_shape() {
    let folder = tempfile::tempdir().unwrap();
    for shape in ["(10, 2, 2)", "(10, 2, 2, 1)"] {
        let samples = npy("|u1", shape, &(1..=40).collect::<Vec<u8>>());
        let dataset = loaded(folder.path(), "p.npz", &npz(&samples, &ten_labels()));
        assert_eq!((&dataset.header().shape[..], dataset.header().features), (&[2, 2][..], 4));
    }
}

#[test]
fn a_source_with_two_splits_keeps_them_and_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let archive = zip_of(
        &[
            ("x_train.npy", &ten_samples()),
            ("y_train.npy", &ten_labels()),
            ("x_test.npy", &npy("|u1", "(1, 4)", &[200, 201, 202, 203])),
            ("y_test.npy", &npy("|u1", "(1,)", &[7])),
        ],
        true,
    );
    let dataset = loaded(folder.path(), "s.npz", &archive);
    assert_eq!(dataset.rows().bytes().unwrap()[..40], (1..=40).collect::<Vec<u8>>());
    assert_eq!(dataset.rows().bytes().unwrap()[40..], [200, 201, 202, 203]);
    assert_eq!(dataset.header().classes, ["0", "1", "7"]);
    assert_eq!(dataset.labels(), [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 2]);
    assert_eq!(dataset.header().max, 40, "the maximum is that of the training split");
    let described = describe(&dataset);
    assert_eq!((described.train.min, described.train.max, &described.train.classes[..]), (1.0, 40.0, &[5, 5, 0][..]));
    assert_eq!((described.test.min, described.test.max, &described.test.classes[..]), (200.0, 203.0, &[0, 0, 1][..]));
    let mut fraction = spec("s.npz");
    fraction.test_fraction = Some(0.5);
    let error = load_in(folder.path(), &fraction).unwrap_err().to_string();
    assert!(error.contains("remove test_fraction"), "{error}");
}

#[test]
fn labels_need_neither_start_at_zero_nor_be_in_a_row() {
    let folder = tempfile::tempdir().unwrap();
    let labels: Vec<u8> = (0..10_i32).flat_map(|i| [-5_i32, 300, 7][i as usize % 3].to_le_bytes()).collect();
    let archive = npz(&ten_samples(), &npy("<i4", "(10,)", &labels));
    assert_eq!(loaded(folder.path(), "l.npz", &archive).header().classes, ["-5", "7", "300"]);
    let mut named = spec("l.npz");
    named.classes = Some(["a", "b", "c"].map(str::to_owned).to_vec());
    assert_eq!(load_in(folder.path(), &named).unwrap().dataset.header().classes, ["a", "b", "c"]);
}

#[test]
fn idx_files_are_read_plain_gzipped_and_as_a_directory() {
    let folder = tempfile::tempdir().unwrap();
    let images = idx(&[10, 2, 2], &(1..=40).collect::<Vec<u8>>());
    let labels = idx(&[10], &[0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
    std::fs::write(folder.path().join("few-labels-idx1-ubyte"), &labels).unwrap();
    let plain = loaded(folder.path(), "few-images-idx3-ubyte", &images);
    assert_eq!(content(&plain), expected());
    assert_eq!(plain.header().shape, [2, 2]);
    std::fs::write(folder.path().join("few-labels-idx1-ubyte.gz"), gzip(&labels)).unwrap();
    let zipped = loaded(folder.path(), "few-images-idx3-ubyte.gz", &gzip(&images));
    assert_eq!(zipped.digest(), plain.digest());

    let set = folder.path().join("set");
    std::fs::create_dir(&set).unwrap();
    std::fs::write(set.join("train-images-idx3-ubyte.gz"), gzip(&images)).unwrap();
    std::fs::write(set.join("train-labels.idx1-ubyte"), &labels).unwrap();
    std::fs::write(set.join("t10k-images.idx3-ubyte"), idx(&[1, 2, 2], &[9; 4])).unwrap();
    std::fs::write(set.join("t10k-labels-idx1-ubyte.gz"), gzip(&idx(&[1], &[1]))).unwrap();
    let own = load_in(folder.path(), &spec("set")).unwrap();
    assert_eq!(own.source_sha256, None);
    assert_eq!((own.dataset.header().train, own.dataset.header().test), (10, 1));
    assert_eq!(own.dataset.rows().bytes().unwrap()[..40], (1..=40).collect::<Vec<u8>>());
}

#[test]
fn a_table_is_read_plain_and_gzipped_with_names_or_numbers_as_labels() {
    let folder = tempfile::tempdir().unwrap();
    let table = |header: &str, label: &dyn Fn(u8) -> String| {
        let mut text = format!("{header}\n");
        for i in 0..10 {
            text += &format!("{}, {}.0,{},{},{}\n", 4 * i + 1, 4 * i + 2, label(i), 4 * i + 3, 4 * i + 4);
        }
        text
    };
    let numbers = table("a,b,label,c,d", &|i| (i % 2).to_string());
    let plain = loaded(folder.path(), "t.csv", numbers.as_bytes());
    assert_eq!(content(&plain), expected());
    assert_eq!(loaded(folder.path(), "t.csv.gz", &gzip(numbers.as_bytes())).digest(), plain.digest());

    let names = table("a,b,kind,c,d", &|i| ["cat", "\"ant, red\""][usize::from(i % 2)].to_owned());
    std::fs::write(folder.path().join("n.csv"), names).unwrap();
    let mut wanted = spec("n.csv");
    wanted.label_column = Some("kind".to_owned());
    let named = load_in(folder.path(), &wanted).unwrap().dataset;
    assert_eq!(named.header().classes, ["ant, red", "cat"]);
    assert_eq!(describe(&named).train.classes.iter().sum::<u32>(), 8);
    wanted.classes = Some(vec!["cat".to_owned(), "ant, red".to_owned()]);
    let ordered = load_in(folder.path(), &wanted).unwrap().dataset;
    assert_eq!(ordered.header().classes, ["cat", "ant, red"]);
    assert_eq!(content(&ordered), content(&named));
    wanted.classes = Some(vec!["cat".to_owned(), "dog".to_owned()]);
    let error = load_in(folder.path(), &wanted).unwrap_err().to_string();
    assert!(error.contains("ant, red, cat"), "{error}");
}

#[test]
fn a_pinned_file_must_have_its_digest() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.npz"), npz(&ten_samples(), &ten_labels())).unwrap();
    let sha256 = load_in(folder.path(), &spec("x.npz")).unwrap().source_sha256.unwrap();
    let mut pinned = spec("x.npz");
    pinned.sha256 = Some(sha256.clone());
    assert_eq!(load_in(folder.path(), &pinned).unwrap().source_sha256, Some(sha256));
    pinned.sha256 = Some("0".repeat(64));
    let error = load_in(folder.path(), &pinned).unwrap_err().to_string();
    assert!(error.contains("x.npz: has sha256") && error.contains("asks for 000"), "{error}");
    pinned.sha256 = Some("../../etc/passwd".to_owned());
    assert!(load_in(folder.path(), &pinned).is_err());
}

/// The digest of the images would leave the labels open.
#[test]
fn a_pair_of_idx_files_has_no_one_digest() {
    let folder = tempfile::tempdir().unwrap();
    let images = idx(&[10, 2, 2], &(1..=40).collect::<Vec<u8>>());
    std::fs::write(folder.path().join("x-images-idx3-ubyte"), &images).unwrap();
    std::fs::write(folder.path().join("x-labels-idx1-ubyte"), idx(&[10], &[0, 1, 0, 1, 0, 1, 0, 1, 0, 1])).unwrap();
    let mut pinned = spec("x-images-idx3-ubyte");
    assert_eq!(load_in(folder.path(), &pinned).unwrap().source_sha256, None);
    pinned.sha256 = Some(Sha256::digest(&images).iter().map(|byte| format!("{byte:02x}")).collect());
    let error = load_in(folder.path(), &pinned).unwrap_err().to_string();
    assert!(error.contains("sha256 belongs to a single file"), "{error}");
}

#[test]
fn sketches_are_the_same_everywhere_and_say_that_they_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let mut few = spec("builtin:sketches");
    few.samples = Some(200);
    let drawn = load_in(folder.path(), &few).unwrap();
    let header = drawn.dataset.header();
    assert!(header.synthetic && drawn.notes[0].contains("synthetic"));
    assert_eq!((header.train, header.test, &header.shape[..], header.max), (160, 40, &[28, 28][..], 255));
    assert_eq!(header.classes[4], "The Eiffel Tower");
    // Pinned: a change here changes every example's numbers.
    assert_eq!(drawn.dataset.digest(), "50edc7a0ffad0fd57d5d086c75be8560fc75b7d2a776ba41e383e50a7dce43c5");
    for row in drawn.dataset.rows().bytes().unwrap().chunks_exact(784) {
        assert!(row.iter().filter(|&&value| value > 0).count() > 15, "a drawing has ink");
    }
    few.seed = Some(1);
    assert_ne!(load_in(folder.path(), &few).unwrap().dataset.digest(), drawn.dataset.digest());
    few.samples = Some(u64::MAX);
    assert!(load_in(folder.path(), &few).unwrap_err().to_string().contains("give fewer samples"));
}
