//! Drawings of one's own: every format, every conversion, and what is refused.

#![allow(clippy::unwrap_used, reason = "this is test code, which clippy sees only inside test functions")]

mod support;

use std::path::PathBuf;

use besom_dataset::{Images, Values, read_images};
use support::{gzip, idx, npy, npy_ordered, npz, ten_labels, ten_samples, zip_of};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn read(&self, bytes: &[u8], shape: &[u32]) -> Images {
        read_images(&self.file("x", bytes), shape).unwrap()
    }

    fn refusal(&self, bytes: &[u8], shape: &[u32]) -> String {
        let error = read_images(&self.file("x", bytes), shape).unwrap_err();
        support::chain(&error)
    }
}

/// A picture of 3 x 2 pixels.
fn png_of(color: png::ColorType, depth: png::BitDepth, data: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 3, 2);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if color == png::ColorType::Indexed {
        encoder.set_palette(vec![0, 0, 0, 255, 0, 0, 255, 255, 255]);
    }
    encoder.write_header().unwrap().write_image_data(data).unwrap();
    file
}

#[test]
fn arrays_without_values_are_refused_however_long_their_other_axes_are() {
    let folder = Folder::new();
    for (fortran, shape) in [("True", "(0, 1099511627776)"), ("False", "(0, 1099511627776, 1099511627776)")] {
        let error = folder.refusal(&npy_ordered("|u1", fortran, shape, &[]), &[4]);
        assert!(error.contains("no samples"), "{error}");
    }
}

#[test]
fn arrays_give_their_drawings_whatever_holds_them() {
    let folder = Folder::new();
    let values: Vec<u8> = (1..=40).collect();
    let want = |count| Images { count, values: Values::Bytes(values.clone()), bright_edge: false };
    assert_eq!(folder.read(&npz(&ten_samples(), &ten_labels()), &[2, 2]), want(10));
    assert_eq!(folder.read(&zip_of(&[("mine.npy", &ten_samples())], true), &[4]), want(10));
    assert_eq!(folder.read(&ten_samples(), &[4]), want(10));
    assert_eq!(folder.read(&idx(&[10, 2, 2], &values), &[2, 2]), want(10));
    assert_eq!(folder.read(&gzip(&idx(&[10, 4], &values)), &[2, 2]), want(10));
    assert_eq!(
        folder.read(&npy("<f4", "(2, 2)", &[0.0_f32, 7.0, 255.0, 1.0].map(f32::to_le_bytes).concat()), &[2, 2]).values,
        Values::Bytes(vec![0, 7, 255, 1])
    );
}

#[test]
fn fractions_and_floats_keep_their_values() {
    let folder = Folder::new();
    let array = |values: [f32; 4]| npy("<f4", "(2, 2)", &values.map(f32::to_le_bytes).concat());
    let fractions = [0.0, 1.0 / 255.0, 0.2, 1.0];
    assert_eq!(folder.read(&array(fractions), &[2, 2]).values, Values::Fractions(vec![0, 1, 51, 255]));
    let floats = [-1.5, 0.25, 3.0, 1e6];
    assert_eq!(folder.read(&npz(&array(floats), &ten_labels()), &[2, 2]).values, Values::Floats(floats.to_vec()));
}

#[test]
fn a_picture_becomes_grey_values() {
    use png::{
        BitDepth::{Eight, One, Sixteen},
        ColorType,
    };
    let folder = Folder::new();
    let read = |bytes: Vec<u8>| match folder.read(&bytes, &[2, 3]).values {
        Values::Bytes(bytes) => bytes,
        other => panic!("{other:?}"),
    };
    assert_eq!(read(png_of(ColorType::Grayscale, Eight, &[0, 1, 2, 3, 4, 255])), [0, 1, 2, 3, 4, 255]);
    assert_eq!(read(png_of(ColorType::Grayscale, One, &[0b1010_0000, 0b0100_0000])), [255, 0, 255, 0, 255, 0]);
    let deep: Vec<u8> = [0_u16, 0x0102, 0x80ff, 0xff00, 1, 0xffff].iter().flat_map(|v| v.to_be_bytes()).collect();
    assert_eq!(read(png_of(ColorType::Grayscale, Sixteen, &deep)), [0, 1, 128, 255, 0, 255]);
    assert_eq!(
        read(png_of(ColorType::GrayscaleAlpha, Eight, &[200, 255, 200, 0, 255, 128, 0, 255, 9, 255, 7, 255])),
        [200, 0, 128, 0, 9, 7]
    );
    let colours = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [10, 10, 10]].concat();
    assert_eq!(read(png_of(ColorType::Rgb, Eight, &colours)), [76, 150, 29, 255, 0, 10]);
    let with_alpha: Vec<u8> = colours.chunks(3).flat_map(|c| [c[0], c[1], c[2], 0]).collect();
    assert_eq!(read(png_of(ColorType::Rgba, Eight, &with_alpha)), [0; 6]);
    assert_eq!(read(png_of(ColorType::Indexed, Eight, &[0, 1, 2, 0, 1, 2])), [0, 76, 255, 0, 76, 255]);
    let flat = folder.read(&png_of(ColorType::Grayscale, Eight, &[9; 6]), &[6]);
    assert_eq!((flat.count, flat.values, flat.bright_edge), (1, Values::Bytes(vec![9; 6]), false));
    assert!(folder.read(&png_of(ColorType::Grayscale, Eight, &[250; 6]), &[2, 3]).bright_edge);
}

#[test]
fn a_wrong_shape_names_both() {
    let folder = Folder::new();
    let picture = png_of(png::ColorType::Grayscale, png::BitDepth::Eight, &[9; 6]);
    for (bytes, found) in [(ten_samples(), "(10, 4)"), (picture, "(2, 3)"), (idx(&[1, 4], &[0; 4]), "(1, 4)")] {
        let error = folder.refusal(&bytes, &[28, 28]);
        assert!(error.contains(found) && error.contains("(28, 28)"), "{error}");
    }
    let picture = png_of(png::ColorType::Grayscale, png::BitDepth::Eight, &[9; 6]);
    assert!(folder.refusal(&picture, &[3]).contains("(2, 3)"), "a picture is one drawing, not one a line");
}

#[test]
fn hostile_files_are_refused_by_name() {
    let folder = Folder::new();
    let picture = png_of(png::ColorType::Grayscale, png::BitDepth::Eight, &[9; 6]);
    for cut in [8, 20, 33, picture.len() - 13] {
        let error = folder.refusal(&picture[..cut], &[2, 3]);
        assert!(error.contains("not a readable PNG"), "{cut}: {error}");
    }
    // A header that claims 60,000 x 60,000 pixels: refused for its shape before anything is
    // allocated.
    let mut huge = picture.clone();
    huge[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
    huge[20..24].copy_from_slice(&60_000_u32.to_be_bytes());
    let error = folder.refusal(&huge, &[2, 3]);
    assert!(error.contains("not a readable PNG") || error.contains("60000 x 60000"), "{error}");
    let pickled = npy("|O", "(10, 4)", &[]);
    for (bytes, says) in [
        (b"PK\x03\x04 and nothing else".to_vec(), "not a readable zip file"),
        (npz(&pickled, &ten_labels()), "arr_0.npy: dtype |O contains pickled"),
        (zip_of(&[("a.npy", &ten_samples()), ("b.npy", &ten_samples())], false), "it holds a.npy, b.npy"),
        (npz(&npy("<f4", "(1, 2)", &[0.5_f32, 1.0].map(f32::to_le_bytes).concat()), &ten_labels()), "has shape (1, 2)"),
        (npy("|u1", "(10, 4)", &[0; 39]), "its header asks for"),
        (idx(&[10, 4], &[0; 39]), "asks for 52 bytes, the file has 51"),
        (b"GIF89a\x01\0".to_vec(), "neither PNG nor JPEG"),
        (b"label,a\n0,1\n".to_vec(), "is a table"),
        (b"\x89HDF\r\n\x1a\n".to_vec(), "HDF5"),
        (Vec::new(), "is empty"),
        (gzip(b"hello"), "no IDX file"),
    ] {
        let error = folder.refusal(&bytes, &[4]);
        assert!(error.contains(says), "{says}: {error}");
    }
    let error = read_images(&folder.0.path().join("none.png"), &[4]).unwrap_err();
    assert!(support::chain(&error).contains("none.png: open failed"));
    let error = read_images(folder.0.path(), &[4]).unwrap_err();
    assert!(support::chain(&error).contains("is not a file"));
}

#[test]
fn drawings_are_scaled_as_the_training_data_were() {
    let folder = Folder::new();
    let csv = "label,x,y\na,200,0\nb,1,7\na,2,2\nb,200,4\na,200,200\n";
    folder.file("x.csv", csv.as_bytes());
    let trained_on = support::load_in(folder.0.path(), &support::spec("x.csv")).unwrap().dataset;
    let images = Images { count: 2, values: Values::Bytes(vec![1, 2, 255, 4]), bright_edge: false };
    let data = images.into_dataset(&trained_on).unwrap();
    assert_eq!((data.header().max, data.header().test, data.header().train), (200, 2, 1));
    assert_eq!(data.rows().bytes().unwrap()[2..], [1, 2, 255, 4]);
    let of = |values| Images { count: 1, values, bright_edge: false };
    assert_eq!(of(Values::Bytes(vec![90, 0])).note_on_size(&trained_on), None);
    let small = of(Values::Bytes(vec![1, 0])).note_on_size(&trained_on).unwrap();
    assert!(small.starts_with("the values reach 1, and those of the training data 200"), "{small}");
    let scaled = besom_sweep::DatasetSpec { scale: Some(besom_sweep::Scale::Standard), ..support::spec("x.csv") };
    let scaled = support::load_in(folder.0.path(), &scaled).unwrap().dataset;
    assert_eq!(of(Values::Bytes(vec![90, 0])).note_on_size(&scaled), None);
    assert!(of(Values::Fractions(vec![90, 255])).note_on_size(&scaled).unwrap().starts_with("the values reach 1, "));
    assert!(of(Values::Floats(vec![9e9, 1.0])).note_on_size(&scaled).is_some());
    let others = Images { count: 1, values: Values::Floats(vec![1.5, 2.0]), bright_edge: false };
    let refused = others.into_dataset(&trained_on).unwrap_err().to_string();
    assert!(refused.contains("trained on whole numbers 0 to 255"), "{refused}");
}
