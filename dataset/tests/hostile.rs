//! Hostile and broken files: each is refused with a clear text that names the file, without a
//! panic.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod support;

use std::fmt::Write as _;
use std::path::Path;

use besom_dataset::DataError;
use support::{chain, gzip, idx, load_in, npy, npz, spec, ten_labels, ten_samples, zip_of};

/// Writes `bytes` as `name`, loads it and checks that it is refused (not: that reading failed) in
/// these words.
fn refused(folder: &Path, name: &str, bytes: &[u8], words: &[&str]) {
    std::fs::write(folder.join(name), bytes).unwrap();
    let error = match load_in(folder, &spec(name)) {
        Ok(_) => panic!("{name} was accepted, but should be refused: {words:?}"),
        Err(error) => error,
    };
    assert!(matches!(error, DataError::Refused { .. }), "{name}: {}", chain(&error));
    let text = chain(&error);
    assert!(text.contains(name), "`{text}` does not name {name}");
    for word in words {
        assert!(text.contains(word), "`{text}` does not say `{word}`");
    }
}

fn floats(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn forty_floats(change: impl Fn(usize) -> f64) -> Vec<u8> {
    npy("<f8", "(10, 4)", &floats(&(0..40).map(change).collect::<Vec<_>>()))
}

#[test]
fn hostile_arrays_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ok = ten_labels();
    let mut long_header = ten_samples();
    long_header[8..10].copy_from_slice(&60_000_u16.to_le_bytes());
    let mut huge_header = b"\x93NUMPY\x03\x00".to_vec();
    huge_header.extend_from_slice(&u32::MAX.to_le_bytes());
    let mut extra = ten_samples();
    extra.push(0);
    let mut version = ten_samples();
    version[6] = 9;
    let cases: Vec<(&str, Vec<u8>, &[&str])> = vec![
        ("object", npy("|O", "(10, 4)", b"\x80\x04]."), &["arr_0.npy", "contains pickled Python objects"]),
        (
            "record",
            npy("[('a', '<f4'), ('b', '<i4')]", "(10,)", &[0; 80]),
            &["contains pickled Python objects or records"],
        ),
        ("void", npy("|V16", "(10, 4)", &[0; 640]), &["contains pickled Python objects or records"]),
        ("text", npy("<U3", "(10, 4)", &[0; 480]), &["<U3 holds texts"]),
        ("longtext", npy("<U300", "(10, 4)", &[0; 48_000]), &["<U300", "1 to 200 characters"]),
        ("complex", npy("<c16", "(10, 4)", &[0; 640]), &["<c16"]),
        ("longdouble", npy("<f16", "(10, 4)", &[0; 640]), &["<f16", "not supported"]),
        ("header", long_header, &["arr_0.npy", "claims a header of 60000 bytes"]),
        ("header4g", huge_header, &["claims a header of 4294967295 bytes"]),
        ("version", version, &["version 9"]),
        ("magic", b"\x93NUMPX\x01\x00 something".to_vec(), &["is not a .npy array"]),
        ("short", b"\x93NUM".to_vec(), &["arr_0.npy: ends too early"]),
        ("shape", npy("|u1", "(10, 400)", &[1; 40]), &["its header asks for", "the archive holds"]),
        (
            "overflow",
            npy("<f8", "(4294967296, 4294967296, 4)", &[1; 40]),
            &["(4294967296, 4294967296, 4) is too large"],
        ),
        ("zerowide", npy("|u1", "(0, 9223372036854775807)", &[]), &["no samples"]),
        ("empty", npy("|u1", "(0, 4)", &[]), &["no samples"]),
        ("scalar", npy("|u1", "()", &[1]), &["has shape ()"]),
        ("axes", npy("|u1", "(2, 2, 2, 5)", &[1; 40]), &["(2, 2, 2, 5)", "(n, h, w)"]),
        ("extra", extra, &["its header asks for"]),
        ("nan", forty_floats(|i| if i == 7 { f64::NAN } else { 1.0 }), &["value 7 is not a number"]),
        ("infinite", forty_floats(|i| if i == 9 { f64::INFINITY } else { 1.0 }), &["value 9 is inf"]),
        ("zeros", npy("|u1", "(10, 4)", &[0; 40]), &["every value of the training split is 0"]),
    ];
    for (name, samples, words) in cases {
        for deflated in [false, true] {
            let archive = zip_of(&[("arr_0.npy", &samples), ("arr_1.npy", &ok)], deflated);
            refused(folder.path(), &format!("{name}.npz"), &archive, words);
        }
    }
}

#[test]
fn hostile_labels_are_refused() {
    type Case<'a> = (&'a str, Vec<u8>, Vec<u8>, &'a [&'a str]);
    let folder = tempfile::tempdir().unwrap();
    let many: Vec<u8> = (0..5_000_u16).flat_map(u16::to_le_bytes).collect();
    let cases: [Case<'_>; 9] = [
        ("mismatch", ten_samples(), npy("|u1", "(9,)", &[0; 9]), &["10 samples but 9 labels"]),
        ("single", ten_samples(), npy("|u1", "(10,)", &[3; 10]), &["one class only", "at least 2"]),
        ("onehot", ten_samples(), npy("|u1", "(10, 2)", &[0; 20]), &["arr_1.npy", "one-hot", "sample 0 has no 1"]),
        ("half", ten_samples(), npy("<f8", "(10,)", &floats(&[0.5; 10])), &["arr_1.npy", "label 0 is 0.5"]),
        ("nan", ten_samples(), npy("<f8", "(10,)", &floats(&[f64::NAN; 10])), &["label 0 is NaN"]),
        ("none", ten_samples(), npy("|u1", "(0,)", &[]), &["has shape (0,): no samples"]),
        ("pickle", ten_samples(), npy("|O", "(10,)", &[0; 80]), &["arr_1.npy", "pickled"]),
        (
            "many",
            npy("|u1", "(5000, 1)", &[1; 5_000]),
            npy("<u2", "(5000,)", &many),
            &["more than 4096 different labels"],
        ),
        (
            "one",
            npy("|u1", "(1, 4)", &[1; 4]),
            npy("|u1", "(1,)", &[0]),
            &["1 sample with test_fraction", "no sample is left for one of the splits"],
        ),
    ];
    for (name, samples, labels, words) in cases {
        refused(folder.path(), &format!("{name}.npz"), &npz(&samples, &labels), words);
    }
    std::fs::write(folder.path().join("ok.npz"), npz(&ten_samples(), &ten_labels())).unwrap();
    for (classes, words) in
        [(&["a", "b", "c"][..], "names 3 classes, but the data have 2 labels (0, 1)"), (&["a", "a"], "twice")]
    {
        let mut named = spec("ok.npz");
        named.classes = Some(classes.iter().map(|&name| name.to_owned()).collect());
        let text = load_in(folder.path(), &named).unwrap_err().to_string();
        assert!(text.contains(words), "{text}");
    }
}

/// Offset of the first central directory header.
fn directory_of(zip: &[u8]) -> usize {
    zip.windows(4).position(|window| window == b"PK\x01\x02").unwrap()
}

#[test]
fn hostile_archives_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let good = npz(&ten_samples(), &ten_labels());
    refused(folder, "cut.npz", &good[..good.len() / 2], &["is not a readable zip file"]);
    refused(folder, "nothing.npz", b"", &["is empty"]);
    refused(folder, "text.npz", b"hello world", &["is called .npz but is no zip file"]);
    let other = zip_of(&[("images.npy", &ten_samples()), ("evil/../arr_0.npy", b"x")], false);
    refused(folder, "names.npz", &other, &["must hold arr_0 and arr_1", "images.npy"]);
    refused(folder, "no_entry.npz", &zip_of(&[], false), &["it holds nothing"]);

    // 100 MiB of zeros in 100 KiB: the shape agrees, the ratio betrays it.
    let bomb = npy("|u1", "(25600, 4096)", &vec![0; 100 << 20]);
    let bomb = zip_of(&[("arr_0.npy", &bomb), ("arr_1.npy", &ten_labels())], true);
    assert!(bomb.len() < 1 << 20);
    refused(folder, "bomb.npz", &bomb, &["arr_0.npy", "decompression bomb"]);

    // Both directory entries point at the first local file.
    let mut overlapping = good.clone();
    let first = directory_of(&good);
    let second = first + 46 + directory_of(&good[first + 46..]);
    overlapping[second + 42..second + 46].copy_from_slice(&good[first + 42..first + 46]);
    refused(folder, "overlap.npz", &overlapping, &["overlap"]);

    // Sizes in the directory that the file cannot hold.
    let mut lying = zip_of(&[("arr_0.npy", &ten_samples()), ("arr_1.npy", &ten_labels())], true);
    let at = directory_of(&lying) + 24;
    lying[at..at + 4].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
    refused(folder, "lying.npz", &lying, &["arr_0.npy", "cannot hold more than"]);

    // A flipped byte of data: the CRC of the entry.
    let mut damaged = good.clone();
    let data = damaged.windows(4).position(|window| window == [1, 2, 3, 4]).unwrap();
    damaged[data] = 99;
    refused(folder, "crc.npz", &damaged, &["arr_0.npy", "cannot be read"]);

    let names: Vec<String> = (0..300).map(|i| format!("{i}.npy")).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    refused(folder, "entries.npz", &zip_of(&entries, false), &["has 300 entries"]);

    // The entry is encrypted, says its flag.
    let mut encrypted = good.clone();
    encrypted[directory_of(&good) + 8] |= 1;
    encrypted[6] |= 1;
    refused(folder, "encrypted.npz", &encrypted, &["cannot be read"]);
}

#[test]
fn hostile_idx_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let label_file = idx(&[10], &[0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
    let write_labels = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
    let images = idx(&[10, 2, 2], &[1; 40]);

    refused(folder, "alone-images-idx3-ubyte", &images, &["alone-labels-idx1-ubyte", "not there"]);
    refused(folder, "unnamed-idx", &images, &["must have `images` in its name"]);
    write_labels("a-labels-idx1-ubyte", &label_file);
    write_labels("a-labels-idx1-ubyte.gz", &gzip(&label_file));
    // What is told of the plain file, and of the same bytes as .gz, where the end shows only after
    // unpacking.
    let cases = [
        (idx(&[u32::MAX, u32::MAX, u32::MAX], &[1; 40]), "too large", "too large"),
        (idx(&[1_000_000, 28, 28], &[1; 40]), "asks for 784000016 bytes", "claims 784000016 bytes"),
        (idx(&[10, 2, 2], &[1; 41]), "asks for 56 bytes, the file has 57", "has more than the 40 values"),
        (idx(&[10, 2, 2], &[1; 39]), "asks for 56 bytes, the file has 55", "ends after 39 of 40 values"),
        (vec![0, 0, 8, 3, 0, 0], "ends too early", "ends too early"),
        (idx(&[0, 2, 2], &[]), "no samples", "no samples"),
    ];
    for (bytes, plain, zipped) in cases {
        refused(folder, "a-images-idx3-ubyte", &bytes, &[plain]);
        refused(folder, "a-images-idx3-ubyte.gz", &gzip(&bytes), &[zipped]);
    }
    // Two bytes a value: not unsigned bytes, and so no table either.
    refused(folder, "b-images-idx3-ubyte", &[0, 0, 0x0b, 3, 0, 0, 0, 1], &["holds no unsigned bytes"]);
    write_labels("c-labels-idx1-ubyte", &images);
    std::fs::write(folder.join("c-images-idx3-ubyte"), &images).unwrap();
    let text = load_in(folder, &spec("c-images-idx3-ubyte")).unwrap_err().to_string();
    assert!(text.contains("c-labels-idx1-ubyte: is no IDX file of labels"), "{text}");
    write_labels("d-labels-idx1-ubyte", b"PK no labels at all");
    std::fs::write(folder.join("d-images-idx3-ubyte"), &images).unwrap();
    let text = load_in(folder, &spec("d-images-idx3-ubyte")).unwrap_err().to_string();
    assert!(text.contains("d-labels-idx1-ubyte: is no IDX file"), "{text}");

    let set = folder.join("set");
    std::fs::create_dir(&set).unwrap();
    std::fs::write(set.join("train-images-idx3-ubyte"), &images).unwrap();
    let text = load_in(folder, &spec("set")).unwrap_err().to_string();
    assert!(text.contains("no IDX file of images for a test set"), "{text}");
    std::fs::write(set.join("t10k-images-idx3-ubyte"), &images).unwrap();
    let text = load_in(folder, &spec("set")).unwrap_err().to_string();
    assert!(text.contains("train-labels-idx1-ubyte"), "{text}");
}

/// Labels are widened as they are read, so that their number must be known to be right before.
#[test]
fn labels_of_another_number_than_the_samples_are_refused_unread() {
    let folder = tempfile::tempdir().unwrap();
    // The fourth value is no label, and reading would say so.
    let fractions: Vec<f64> = (0..11).map(|i| if i == 3 { 0.5 } else { 0.0 }).collect();
    let labels = npy("<f8", "(11,)", &floats(&fractions));
    refused(folder.path(), "more.npz", &npz(&ten_samples(), &labels), &["arr_1.npy", "10 samples but 11 labels"]);
}

#[test]
fn gzip_bombs_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("x-labels-idx1-ubyte.gz"), gzip(&idx(&[1], &[0]))).unwrap();
    let bomb = gzip(&idx(&[102_400, 32, 32], &vec![0; 100 << 20]));
    refused(folder, "x-images-idx3-ubyte.gz", &bomb, &["decompression bomb"]);
    let table = format!("label,x\n{}", format!("0,{}\n", "0".repeat(10 << 20)).repeat(10));
    refused(folder, "x.csv.gz", &gzip(table.as_bytes()), &["decompression bomb"]);
    let line = format!("label,x\n0,\"{}\"\n", "0".repeat(40 << 20));
    refused(folder, "line.csv.gz", &gzip(line.as_bytes()), &["line 2", "longer than 16 MiB"]);
    refused(folder, "line.csv", line.as_bytes(), &["line 2", "longer than 16 MiB"]);
    let header = format!("label{}\n", ",".repeat(17 << 20));
    refused(folder, "header.csv", header.as_bytes(), &["line 1", "longer than 16 MiB"]);
    let cut = gzip(b"label,x\n1,2\n3,4\n");
    refused(folder, "cut.csv.gz", &cut[..cut.len() - 9], &["is no readable gzip file"]);
    refused(folder, "broken.gz", b"\x1f\x8b\xff\xff\xff\xff\xff\xff\xff\xff", &["is no readable gzip file"]);
}

#[test]
fn hostile_tables_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut classes = "label,x\n".to_owned();
    (0..5_000).for_each(|i| writeln!(classes, "{i},1").unwrap());
    let long = format!("label,x\n{},1\n", "n".repeat(10_000));
    let cases: Vec<(&str, &[u8], &[&str])> = vec![
        ("ragged", b"label,a,b\n0,1,2\n1,3\n", &["line 3: has 2 cells, the first line has 3"]),
        ("text", b"label,a\n0,1\n1,cat\n", &["line 3, column `a`: `cat` is not a number"]),
        ("missing", b"label,a\n0,\n", &["line 2, column `a`: the value is missing"]),
        ("infinite", b"label,a\n0,inf\n", &["line 2, column `a`: the value is inf"]),
        ("huge", b"label,a\n0,1e39\n", &["which no 32-bit number holds"]),
        ("nan", b"label,a\n0,NaN\n", &["line 2, column `a`: the value is missing"]),
        ("nolabel", b"kind,a\n0,1\n", &["no label column `label`", "kind, a"]),
        ("noheader", b"0,1,2\n1,2,3\n", &["has no header line", "label_column: 0"]),
        ("two", b"label,label,a\n0,0,1\n", &["two columns `label`"]),
        ("alone", b"label\n0\n", &["no column beside the labels"]),
        ("rows", b"label,a\n", &["holds no samples"]),
        ("emptylabel", b"label,a\n,1\n", &["the label is empty"]),
        ("latin1", b"label,a\n\xff,1\n", &["line 2: is not UTF-8"]),
        ("many", classes.as_bytes(), &["line 4098", "more than 4096 different labels"]),
        ("long", long.as_bytes(), &["the label is longer than"]),
        ("page", b"<!DOCTYPE html><html>", &["web page"]),
        ("lfs", b"version https://git-lfs.github.com/spec/v1\n", &["Git LFS pointer"]),
        ("pickle", b"\x80\x04\x95\x00", &["Python pickle"]),
        ("array", b"\x93NUMPY\x01\x00", &["single .npy array"]),
        ("binary", b"\x7fELF\x02\x01\x01\x00", &["of no known format"]),
    ];
    for (name, bytes, words) in cases {
        refused(folder.path(), &format!("{name}.csv"), bytes, words);
    }
}

#[test]
fn sources_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (source, words) in [
        ("http://example.org/x.npz?token", "http://example.org/x.npz?***: only https"),
        ("https://me:token@example.org/x.npz", "https://***@example.org/x.npz: the URL holds a user name"),
        ("", "besom.dataset.source: is empty"),
        ("https://example.org/x.npz", "must be fetched first"),
        ("ftp://example.org/x.npz", "only https"),
        ("file:///etc/passwd", "only https"),
        ("builtin:paintings", "builtin:sketches"),
        ("/dev/zero", "neither a file nor a directory"),
        ("not/there.npz", "not/there.npz: no such file or folder"),
    ] {
        let text = chain(&load_in(folder.path(), &spec(source)).unwrap_err());
        assert!(text.contains(words) && !text.contains("token"), "{source}: {text}");
    }
}

/// An archive whose `arr_0` claims `values` bytes of values, in the shape given, behind some
/// megabytes of real ones: so much may be packed in them.
fn claiming(shape: &str, values: u64) -> Vec<u8> {
    let mut state = 1_u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let array = npy("|u1", shape, &(0..4 << 20).map(|_| random()).collect::<Vec<u8>>());
    let claimed = array.len() as u64 - (4 << 20) + values;
    let mut archive = zip_of(&[("arr_0.npy", &array), ("arr_1.npy", &ten_labels())], true);
    let (real, claimed) = ((array.len() as u32).to_le_bytes(), (claimed as u32).to_le_bytes());
    let mut places = 0;
    for at in 0..archive.len() - 4 {
        if archive[at..at + 4] == real {
            archive[at..at + 4].copy_from_slice(&claimed);
            places += 1;
        }
    }
    assert_eq!(places, 2, "the entry's header and the directory");
    archive
}

#[test]
fn a_small_archive_that_would_fill_the_memory_is_refused_before_its_values_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Reading any of them would end with "ends too early", after all the memory was reserved.
    let many = claiming("(1300, 1024, 1024)", 1300 << 20);
    let words = ["arr_0.npy", "(1300, 1024, 1024) is too large", "at most 1073741824 values", "give fewer samples"];
    refused(folder, "many.npz", &many, &words);
    // Few values, but a label and a place in the split for each of them.
    let tiny = claiming("(268435456, 1)", 256 << 20);
    let words =
        ["arr_0.npy", "268435456 samples", "take 5120 MiB while they are read", "2048 MiB", "give fewer samples"];
    refused(folder, "tiny.npz", &tiny, &words);
}
