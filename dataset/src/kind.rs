//! What a file is by its first bytes: what is read, and what is not, with what to do instead.

/// So many bytes tell it: a tar archive says what it is at 257.
pub(super) const START: usize = 512;

/// Where the pictures of Quick, Draw! are, since its strokes are what people find first.
pub(super) const BITMAPS: &str = "one .npy file for each class at \
                                  https://storage.googleapis.com/quickdraw_dataset/full/numpy_bitmap/NAME.npy";

/// A kind of file that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A zip archive, such as .npz.
    Zip,
    /// One array.
    Npy,
    Idx,
    Parquet,
    /// A compressed file; what is in it counts.
    Gzip,
    /// A PNG or JPEG picture.
    Picture,
    /// Text, which a table may be.
    Text,
}

/// First bytes of texts that are no tables, and what such a file is and what to do with it.
const TEXTS: &[(&str, &str)] = &[
    ("MATLAB 7.3", HDF5),
    (
        "MATLAB ",
        "is a MATLAB file, which is not read: load it in Python with scipy.io.loadmat and save its arrays with numpy.savez",
    ),
    ("version https://git-lfs", LFS),
    ("version https://hawser", LFS),
    ("/annex/objects/", "is a git-annex pointer, not the file itself: fetch the file with `git annex get`"),
];

/// First bytes of files that are no text, where they stand, and what such a file is and what to do
/// with it. Many of them are letters, with which the header line of a table may begin.
const STRANGERS: &[(usize, &[u8], &str)] = &[
    (0, b"\x89HDF\r\n\x1a\n", HDF5),
    (0, b"PARE", "is an encrypted Parquet file, which is not read: write it without encryption"),
    (0, b"ARROW1", ARROW),
    (0, b"FEA1", ARROW),
    (0, b"ORC", "is an ORC file, which is not read: write the table as Parquet or CSV"),
    (0, b"Obj\x01", "is an Avro file, which is not read: write the table as Parquet or CSV"),
    (0, b"SQLite format 3\0", "is a SQLite database, which is not read: write the table as CSV or Parquet"),
    (0, b"\xd0\xcf\x11\xe0", "is an old workbook or document (such as Excel's): save the sheet as CSV and give that"),
    (0, b"%PDF", "is a PDF document, not a dataset"),
    (0, b"GIF8", OTHER_PICTURE),
    (0, b"BM", OTHER_PICTURE),
    (0, b"II*\0", OTHER_PICTURE),
    (0, b"MM\0*", OTHER_PICTURE),
    (8, b"WEBP", OTHER_PICTURE),
    (257, b"ustar", ARCHIVE),
    (0, b"7z\xbc\xaf\x27\x1c", ARCHIVE),
    (0, b"Rar!", ARCHIVE),
    (0, b"BZh", ARCHIVE),
    (0, b"\xfd7zXZ\0", ARCHIVE),
    (0, b"\x28\xb5\x2f\xfd", ARCHIVE),
    (0, b"\xff\xfe", UTF16),
    (0, b"\xfe\xff", UTF16),
    (8, b"{\"__metadata__\"", WEIGHTS),
];
const HDF5: &str = "is an HDF5 file (as h5py, Keras and MATLAB 7.3 write them), which is not read: load its arrays in Python \
                    with h5py and save them with numpy.savez";
const LFS: &str = "is a Git LFS pointer, not the file itself: fetch the file with `git lfs pull`";
const ARROW: &str = "is an Arrow (Feather) file, which is not read: write the table as Parquet";
const ARCHIVE: &str = "is a packed archive, which is not read: unpack it and give what is in it";
const UTF16: &str = "is text in UTF-16: save it as UTF-8 (in Excel: CSV UTF-8)";
const WEIGHTS: &str = "is a safetensors file of a model's weights, not a dataset";
const OTHER_PICTURE: &str = "is a picture that is neither PNG nor JPEG: convert it to PNG";
const PICKLE: &str = "is a Python pickle, which can run any program and is never read: load it where you trust it and save \
                      its arrays with numpy.savez";
const PAGE: &str = "is a web page or XML, not a dataset: the address leads to a page about the file, so take that of the \
                    download itself (on GitHub: Raw)";

/// The kind of a file with these first bytes.
///
/// # Errors
/// What it is and what to do, where it is of no kind that is read.
pub(super) fn of(start: &[u8]) -> Result<Kind, String> {
    match start {
        [b'P', b'K', 3 | 5 | 7, ..] => return Ok(Kind::Zip),
        [0x1f, 0x8b, ..] => return Ok(Kind::Gzip),
        [0, 0, 8, 1..=4, ..] => return Ok(Kind::Idx),
        [0x89, b'P', b'N', b'G', ..] | [0xff, 0xd8, 0xff, ..] => return Ok(Kind::Picture),
        // Protocols 2 to 5 begin with their number, and end no text.
        [0x80, 2..=5, ..] => return Err(PICKLE.to_owned()),
        [0, 0, 9 | 11..=14, axes @ 1..=4, ..] => {
            return Err(format!("is an IDX file of {axes} axes that holds no unsigned bytes: save it as uint8"));
        }
        _ => {}
    }
    if start.starts_with(b"\x93NUMPY") {
        return Ok(Kind::Npy);
    }
    let is_binary = start.iter().any(|&byte| byte < b' ' && !byte.is_ascii_whitespace());
    if is_binary && start.starts_with(b"PAR1") {
        return Ok(Kind::Parquet);
    }
    let text = TEXTS.iter().find(|(begin, _)| start.starts_with(begin.as_bytes())).map(|(_, text)| text);
    let binary = STRANGERS
        .iter()
        .find(|(at, magic, _)| start.get(*at..).is_some_and(|rest| rest.starts_with(magic)))
        .filter(|_| is_binary)
        .map(|(_, _, text)| text);
    if let Some(known) = text.or(binary) {
        return Err((*known).to_owned());
    }
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    let holds = |part: &[u8]| text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part));
    let problem = match text {
        [b'<', b'!' | b'?' | b'/' | b'a'..=b'z' | b'A'..=b'Z', ..] => PAGE.to_owned(),
        [b'{' | b'[', ..] if holds(b"\"drawing\"") || holds(b"\"key_id\"") => {
            format!("holds the strokes of Quick, Draw! drawings (ndjson), not pictures: take the bitmaps, {BITMAPS}")
        }
        [b'{', rest @ ..] | [b'[', rest @ ..] if matches!(rest.trim_ascii_start(), [b'"' | b'{' | b'[', ..]) => {
            "is JSON, which is not read: write the table as CSV or the arrays with numpy.savez".to_owned()
        }
        [b'(', b'l' | b'd' | b'i', ..] | [b'c', b'n', b'u', b'm', b'p', b'y', ..] if holds(b"\n") && holds(b"p0") => {
            PICKLE.to_owned()
        }
        _ if text.to_ascii_lowercase().starts_with(b"@relation") => {
            "is an ARFF table (Weka), which is not read: write it as CSV".to_owned()
        }
        _ if start.iter().any(|&byte| byte < b'\t') => {
            "is of no known format: .npz, folders of .npy files or pictures, IDX (unsigned bytes), CSV and Parquet are read; \
             CSV and IDX also as .gz"
                .to_owned()
        }
        _ => return Ok(Kind::Text),
    };
    Err(problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_not_read_is_called_by_its_name_and_told_what_to_do() {
        assert_eq!(of(b"<30,0,0,0\n>30,1,3,1\n"), Ok(Kind::Text), "a label may begin like a tag");
        let mut tar = b"cat.npy".to_vec();
        tar.resize(257, 0);
        tar.extend_from_slice(b"ustar");
        for (start, name, advice) in [
            (&b"\x89HDF\r\n\x1a\n\0"[..], "HDF5", "numpy.savez"),
            (b"MATLAB 5.0 MAT-file, Platform: GLNXA64", "MATLAB", "loadmat"),
            (b"MATLAB 7.3 MAT-file, Platform: GLNXA64", "HDF5", "h5py"),
            (b"\x80\x04\x95\x10", "pickle", "numpy.savez"),
            (b"(lp0\nS'a'\np1\na.", "pickle", "numpy.savez"),
            (b"\n<!DOCTYPE html>", "web page", "Raw"),
            (b"\xef\xbb\xbf<html>", "web page", "Raw"),
            (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer", "git lfs pull"),
            (b"/annex/objects/SHA256E-s1--1.npz", "git-annex", "git annex get"),
            (b"{\"word\":\"cat\",\"countrycode\":\"US\",\"key_id\":\"5\"", "strokes of Quick, Draw!", "numpy_bitmap"),
            (b"[{\"a\": 1}]", "JSON", "CSV"),
            (b"@RELATION iris\n", "ARFF", "CSV"),
            (b"\xff\xfel\0a\0b\0", "UTF-16", "UTF-8"),
            (b"RIFF\x10\0\0\0WEBPVP8 ", "neither PNG nor JPEG", "convert"),
            (&tar, "archive", "unpack"),
            (b"\x7fELF\x02\x01\x01\x00", "of no known format", "are read"),
            (b"\0\0\x0d\x03\0\0\0\x01", "IDX", "uint8"),
        ] {
            let text = of(start).unwrap_err();
            assert!(text.contains(name) && text.contains(advice), "{text}");
        }
    }

    #[test]
    fn what_is_read_is_known() {
        for (start, kind) in [
            (&b"PK\x03\x04"[..], Kind::Zip),
            (b"\x1f\x8b\x08", Kind::Gzip),
            (b"\0\0\x08\x03", Kind::Idx),
            (b"\x93NUMPY\x01", Kind::Npy),
            (b"PAR1\x15", Kind::Parquet),
            (b"\x89PNG\r\n\x1a\n", Kind::Picture),
            (b"\xff\xd8\xff\xe0", Kind::Picture),
            (b"label,a\n0,1\n", Kind::Text),
            (b"PKD,a\n0,1\n", Kind::Text),
            (b"[0],a\n0,1\n", Kind::Text),
            (b"BMI,age,label\n", Kind::Text),
            (b"PAR1,PAR2,label\n", Kind::Text),
            (b"\xef\xbb\xbflabel,a\n", Kind::Text),
        ] {
            assert_eq!(of(start), Ok(kind), "{start:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = of(&bytes);
        }
    }
}
