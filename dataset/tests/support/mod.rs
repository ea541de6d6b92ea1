//! Files made by hand, byte by byte, so that each lie in them is on purpose.
#![allow(dead_code, reason = "each test target uses its part")]

use std::io::Write;
use std::path::Path;

use besom_dataset::{DataError, Loaded, load_local};
use besom_sweep::DatasetSpec;
use flate2::Compression;
use flate2::write::GzEncoder;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A spec of `source` with nothing else said.
pub(crate) fn spec(source: &str) -> DatasetSpec {
    DatasetSpec::new(source)
}

/// Loads `spec` with `folder` as base.
pub(crate) fn load_in(folder: &Path, spec: &DatasetSpec) -> Result<Loaded, DataError> {
    load_local(spec, folder)
}

/// A version 1 .npy file with the header text as NumPy writes it.
pub(crate) fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    npy_ordered(descr, "False", shape, data)
}

/// The same with `fortran_order` said.
pub(crate) fn npy_ordered(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let descr = if descr.starts_with('[') { descr.to_owned() } else { format!("'{descr}'") };
    let mut text = format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}");
    while (text.len() + 11) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend_from_slice(&(text.len() as u16).to_le_bytes());
    file.extend_from_slice(text.as_bytes());
    file.extend_from_slice(data);
    file
}

/// A zip file of `entries`.
pub(crate) fn zip_of(entries: &[(&str, &[u8])], deflated: bool) -> Vec<u8> {
    let method = if deflated { CompressionMethod::Deflated } else { CompressionMethod::Stored };
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// An archive of `arr_0` and `arr_1`.
pub(crate) fn npz(samples: &[u8], labels: &[u8]) -> Vec<u8> {
    zip_of(&[("arr_0.npy", samples), ("arr_1.npy", labels)], false)
}

/// Ten samples of four values, 1 to 40, as uint8.
pub(crate) fn ten_samples() -> Vec<u8> {
    npy("|u1", "(10, 4)", &(1..=40).collect::<Vec<u8>>())
}

/// Ten labels, 0 and 1 in turn, as int64.
pub(crate) fn ten_labels() -> Vec<u8> {
    npy("<i8", "(10,)", &(0..10_i64).flat_map(|i| (i % 2).to_le_bytes()).collect::<Vec<u8>>())
}

/// An IDX file of unsigned bytes.
pub(crate) fn idx(sizes: &[u32], data: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, sizes.len() as u8];
    sizes.iter().for_each(|size| file.extend_from_slice(&size.to_be_bytes()));
    file.extend_from_slice(data);
    file
}

/// The bytes as one gzip member.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An error with its causes, as the command line prints it.
pub(crate) fn chain(error: &DataError) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}
