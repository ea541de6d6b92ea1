//! A person's own drawings for a trained model: an npz archive, a .npy array, an IDX file or a PNG picture.
//!
//! Read with the limits and checks of datasets: a sample has the model's shape, values are whole numbers 0..=255, and
//! nothing is allocated on a header's word. Labels beside the drawings are not looked at.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::limits::{Bounded, MAX_SOURCE, Room, show_shape};
use super::npy::Array;
use super::{DataError, Dataset, Header, Values, idx, npz};

/// Drawings of one shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Images {
    /// How many.
    pub count: u32,
    /// `count` x features values, row-major.
    pub values: Values,
    /// Whether they come from a picture whose edge is rather bright: sketches are light on dark.
    pub bright_edge: bool,
}

/// Reads the drawings in `path`, each of `shape`.
///
/// # Errors
/// [`DataError`]: no such file, an unknown format, a broken file, or drawings of another shape (both are named).
pub fn read_images(path: &Path, shape: &[u32]) -> Result<Images, DataError> {
    let what = &path.display().to_string();
    let mut file = File::open(path).map_err(|error| DataError::io(path, "open", error))?;
    let metadata = file.metadata().map_err(|error| DataError::io(path, "open", error))?;
    if !metadata.is_file() {
        return Err(DataError::refused(what, "is not a file"));
    }
    if metadata.len() > MAX_SOURCE {
        return Err(DataError::refused(what, format!("is larger than {} MiB", MAX_SOURCE >> 20)));
    }
    let mut start = Vec::new();
    file.by_ref().take(8).read_to_end(&mut start).map_err(|error| DataError::io(path, "read", error))?;
    file.seek(SeekFrom::Start(0)).map_err(|error| DataError::io(path, "read", error))?;
    let wanted: Vec<u64> = shape.iter().map(|&size| u64::from(size)).collect();
    let reader = BufReader::new(file);
    if start.starts_with(b"\x89PNG\r\n\x1a\n") {
        return picture(what, reader, &wanted);
    }
    let (sizes, rows) = if start.starts_with(b"PK") {
        npz::read_images(what, reader, metadata.len())?
    } else if start.starts_with(b"\x93NUMPY") {
        let mut reader = Bounded::new(reader, metadata.len());
        let array = Array::read_header(what, &mut reader)?;
        if array.file_bytes() != metadata.len() {
            let (asked, found) = (array.file_bytes(), metadata.len());
            return Err(DataError::refused(what, format!("its header asks for {asked} bytes, the file has {found}")));
        }
        Room::new().take(what, array.samples(), array.count())?;
        let values = array.read_values(what, &mut reader)?;
        (array.shape, values)
    } else if idx::is_magic(&start) || start.starts_with(&[0x1f, 0x8b]) {
        idx::read(path, &mut Room::new())?
    } else {
        return Err(DataError::refused(what, "is of no known format: .npz, .npy, IDX (also as .gz) and .png are read"));
    };
    let count = count(what, &sizes, &wanted)?;
    Ok(Images { count, values: Values::Bytes(rows), bright_edge: false })
}

impl Images {
    /// What a person should hear of numbers that are of another size than those of the training split: they may have been
    /// scaled, and the others not.
    #[must_use]
    pub fn note_on_size(&self, trained_on: &Dataset) -> Option<String> {
        /// Data of one kind differ less.
        const FACTOR: f32 = 20.0;
        let header = trained_on.header();
        let (trained, own) = match (trained_on.scaling(), &self.values) {
            (None, Values::Bytes(values) | Values::Fractions(values)) => {
                (f32::from(header.max), f32::from(values.iter().copied().max().unwrap_or(0)))
            }
            (None, Values::Floats(_)) => return None,
            (Some(scaling), values) => {
                let features = header.features as usize;
                let train = trained_on.rows().part(0..header.train as usize * features).numbers().enumerate();
                let reach = |reach: f32, value: f32| reach.max(value.abs());
                let trained = train.map(|(at, value)| scaling.undo(at % features, value)).fold(0.0, reach);
                (trained, values.clone().into_floats().into_iter().fold(0.0, reach))
            }
        };
        let alike = own <= trained * FACTOR && own * FACTOR >= trained;
        (!alike).then(|| {
            format!(
                "the values reach {own}, and those of the training data {trained}: give them as the training data were given, \
                 before any scaling"
            )
        })
    }

    /// A dataset whose test split they are, scaled as `trained_on` was. Its one training sample stands for the training
    /// maximum; its labels mean nothing.
    ///
    /// # Errors
    /// More values than a dataset may have.
    pub fn into_dataset(self, trained_on: &Dataset) -> Result<Dataset, DataError> {
        const WHAT: &str = "drawings";
        let header = trained_on.header();
        let features = header.features as usize;
        let own = Header { train: 1, test: self.count, ..header.clone() };
        let labels = std::iter::repeat_n(0, 1 + self.count as usize);
        let Some(scaling) = trained_on.scaling() else {
            let problem = "the model was trained on whole numbers 0 to 255, and these are other numbers";
            let rows = self.values.into_bytes().map_err(|_| DataError::refused(WHAT, problem))?;
            return Dataset::of_bytes(WHAT, own, labels, move |out| {
                let brightest = out.len();
                out.resize(brightest + features, 0);
                out[brightest] = header.max;
                out.extend_from_slice(&rows);
            });
        };
        Dataset::of_floats(WHAT, own, scaling, labels, move |out| {
            out.resize(out.len() + features * size_of::<f32>(), 0);
            let values = self.values.into_floats().into_iter().enumerate();
            out.extend(values.flat_map(|(at, value)| scaling.apply(at % features, value).to_le_bytes()));
        })
    }
}

/// How many drawings of the shape `wanted` an array of these sizes holds.
fn count(what: &str, sizes: &[u64], wanted: &[u64]) -> Result<u32, DataError> {
    let count = match sizes {
        one if is_drawing(one, wanted) => 1,
        [count, sample @ ..] if is_drawing(sample, wanted) => *count,
        _ => return Err(wrong_shape(what, sizes, wanted)),
    };
    match u32::try_from(count) {
        Ok(count @ 1..) => Ok(count),
        _ => Err(DataError::refused(what, format!("has shape {}: no drawings, or too many", show_shape(sizes)))),
    }
}

/// One axis of as many values as a drawing has is as good as the drawing's own axes, and so is a last axis of 1.
fn is_drawing(sample: &[u64], wanted: &[u64]) -> bool {
    let sample = match sample {
        [height, width, 1] => &[*height, *width],
        other => other,
    };
    let is_flat = sample.len() == 1 || (sample.len() == 2 && wanted.len() == 1);
    sample == wanted || (is_flat && sample.iter().product::<u64>() == wanted.iter().product::<u64>())
}

fn wrong_shape(what: &str, sizes: &[u64], wanted: &[u64]) -> DataError {
    let (found, sample) = (show_shape(sizes), show_shape(wanted));
    DataError::refused(what, format!("has shape {found}, but the model reads drawings of shape {sample}"))
}

/// One PNG picture as grey values: colours by their luma (Rec. 601), transparent parts as black, 16 bits as their upper 8.
fn picture<R: Read + Seek + std::io::BufRead>(what: &str, file: R, wanted: &[u64]) -> Result<Images, DataError> {
    let broken = |error: png::DecodingError| DataError::refused(what, format!("is not a readable PNG: {error}"));
    let mut decoder = png::Decoder::new_with_limits(file, png::Limits { bytes: 64 << 20 });
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(broken)?;
    let (width, height) = (u64::from(reader.info().width), u64::from(reader.info().height));
    if !is_drawing(&[height, width], wanted) {
        return Err(wrong_shape(what, &[height, width], wanted));
    }
    let size = reader.output_buffer_size().ok_or_else(|| DataError::refused(what, "is too large"))?;
    let mut pixels = vec![0; size];
    let frame = reader.next_frame(&mut pixels).map_err(broken)?;
    reader.finish().map_err(broken)?;
    pixels.truncate(frame.buffer_size());
    let rows: Vec<u8> = match frame.color_type {
        png::ColorType::Grayscale => pixels,
        png::ColorType::GrayscaleAlpha => {
            pixels.as_chunks().0.iter().map(|&[grey, alpha]| over_black(grey, alpha)).collect()
        }
        png::ColorType::Rgb => pixels.as_chunks().0.iter().map(|&colour| luma(colour)).collect(),
        png::ColorType::Rgba => {
            pixels.as_chunks().0.iter().map(|&[r, g, b, alpha]| over_black(luma([r, g, b]), alpha)).collect()
        }
        png::ColorType::Indexed => return Err(DataError::refused(what, "has colours that cannot be read")),
    };
    if rows.len() as u64 != width * height {
        return Err(DataError::refused(what, "does not hold as many pixels as its header says"));
    }
    let bright_edge = has_bright_edge(&rows, width as usize);
    Ok(Images { count: 1, values: Values::Bytes(rows), bright_edge })
}

fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b) + 500) / 1000) as u8
}

fn over_black(grey: u8, alpha: u8) -> u8 {
    ((u32::from(grey) * u32::from(alpha) + 127) / 255) as u8
}

fn has_bright_edge(rows: &[u8], width: usize) -> bool {
    let last = rows.len() / width - 1;
    let edge = rows.iter().enumerate().filter(|(at, _)| {
        let (x, y) = (at % width, at / width);
        x == 0 || y == 0 || x == width - 1 || y == last
    });
    let (count, sum) = edge.fold((0, 0), |(count, sum), (_, &value)| (count + 1, sum + u64::from(value)));
    sum > 127 * count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawings_may_come_alone_flat_or_with_a_channel_axis() {
        for (sizes, wanted, found) in [
            (&[5, 28, 28][..], &[28, 28][..], 5),
            (&[5, 28, 28, 1], &[28, 28], 5),
            (&[5, 784], &[28, 28], 5),
            (&[28, 28], &[28, 28], 1),
            (&[28, 28, 1], &[28, 28], 1),
            (&[784], &[28, 28], 1),
            (&[5, 28, 28], &[784], 5),
            (&[28, 28], &[784], 1),
            (&[3, 4], &[4], 3),
        ] {
            assert_eq!(count("x", sizes, wanted).unwrap(), found, "{sizes:?} for {wanted:?}");
        }
        for (sizes, wanted) in
            [(&[5, 28, 27][..], &[28, 28][..]), (&[0, 28, 28], &[28, 28]), (&[], &[4]), (&[5, 28, 28, 3], &[28, 28])]
        {
            assert!(count("x", sizes, wanted).is_err(), "{sizes:?} for {wanted:?}");
        }
        let error = count("x.npy", &[5, 32, 32], &[28, 28]).unwrap_err().to_string();
        assert_eq!(error, "x.npy: has shape (5, 32, 32), but the model reads drawings of shape (28, 28)");
    }

    #[test]
    fn colours_become_grey_by_luma_and_transparent_parts_black() {
        assert_eq!(
            [luma([255, 255, 255]), luma([255, 0, 0]), luma([0, 255, 0]), luma([0, 0, 255])],
            [255, 76, 150, 29]
        );
        assert_eq!([over_black(200, 255), over_black(200, 0), over_black(255, 128)], [200, 0, 128]);
    }
}
