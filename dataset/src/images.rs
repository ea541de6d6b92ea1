//! A person's own drawings for a trained model: an npz archive, a .npy array, an IDX file or a PNG
//! or JPEG picture.
//!
//! Read with the limits and checks of datasets: a sample has the model's shape, values are whole
//! numbers 0..=255, and nothing is allocated on a header's word. Labels beside the drawings are not
//! looked at.

use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::form::{Filling, Seen};
use super::kind::{self, Kind};
use super::limits::{Bounded, MAX_SOURCE, Room, show_shape};
use super::npy::Array;
use super::pictures::Picture;
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
/// [`DataError`]: no such file, an unknown format, a broken file, or drawings of another shape
/// (both are named).
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
    file.by_ref()
        .take(kind::START as u64)
        .read_to_end(&mut start)
        .map_err(|error| DataError::io(path, "read", error))?;
    file.seek(SeekFrom::Start(0)).map_err(|error| DataError::io(path, "read", error))?;
    if start.is_empty() {
        return Err(DataError::refused(what, "is empty"));
    }
    let wanted: Vec<u64> = shape.iter().map(|&size| u64::from(size)).collect();
    let reader = BufReader::new(file);
    let (sizes, values) = match kind::of(&start).map_err(|problem| DataError::refused(what, problem))? {
        Kind::Picture => return picture(what, path, &wanted),
        Kind::Zip => npz::read_images(what, reader, metadata.len())?,
        Kind::Npy => {
            let mut reader = Bounded::new(reader, metadata.len());
            let array = Array::read_header(what, &mut reader)?;
            if array.file_bytes() != metadata.len() {
                let (asked, found) = (array.file_bytes(), metadata.len());
                let problem = format!("its header asks for {asked} bytes, the file has {found}");
                return Err(DataError::refused(what, problem));
            }
            Room::new().take(what, array.samples(), array.count())?;
            let mut seen = Seen::default();
            array.see(what, &mut reader, array.samples(), &mut seen)?;
            let form = seen.form();
            Room::new().take_wide(what, array.samples(), array.count(), form.width())?;
            let mut values = Filling::new(what, form, array.count())?;
            let mut reader = BufReader::new(File::open(path).map_err(|error| DataError::io(path, "open", error))?);
            let array = Array::read_header(what, &mut reader)?;
            array.read_values(what, &mut reader, array.samples(), &mut values)?;
            (array.shape, values.finish())
        }
        Kind::Idx | Kind::Gzip => {
            let (sizes, rows) = idx::read(path, &mut Room::new())?;
            (sizes, Values::Bytes(rows))
        }
        Kind::Parquet | Kind::Text => {
            let problem = "is a table; drawings are read from .npz, .npy, IDX (also as .gz), PNG and JPEG";
            return Err(DataError::refused(what, problem));
        }
    };
    let count = count(what, &sizes, &wanted)?;
    Ok(Images { count, values, bright_edge: false })
}

impl Images {
    /// What a person should hear of numbers that are of another size than those of the training
    /// split: they may have been scaled, and the others not.
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

    /// A dataset whose test split they are, scaled as `trained_on` was. Its one training sample
    /// stands for the training maximum; its labels mean nothing.
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
        [count, 1, height, width] if is_drawing(&[*height, *width], wanted) => *count,
        // Colours that come plane by plane were put behind each other as the array was read.
        [count, 3, height, width] if wanted == [*height, *width, 3] => *count,
        [count, sample @ ..] if is_drawing(sample, wanted) => *count,
        _ => return Err(wrong_shape(what, sizes, wanted)),
    };
    match u32::try_from(count) {
        Ok(count @ 1..) => Ok(count),
        _ => Err(DataError::refused(what, format!("has shape {}: no drawings, or too many", show_shape(sizes)))),
    }
}

/// One axis of as many values as a drawing has is as good as the drawing's own axes, and so is a
/// last axis of 1.
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

/// One PNG or JPEG picture.
fn picture(what: &str, path: &Path, wanted: &[u64]) -> Result<Images, DataError> {
    let picture = Picture::open(what, path)?;
    let sizes = [picture.height as u64, picture.width as u64];
    if !is_drawing(&sizes, wanted) {
        return Err(wrong_shape(what, &sizes, wanted));
    }
    let bright_edge = has_bright_edge(&picture.pixels, picture.width);
    Ok(Images { count: 1, values: Values::Bytes(picture.pixels), bright_edge })
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
            (&[5, 1, 28, 28], &[28, 28], 5),
            (&[5, 28, 28, 3], &[28, 28, 3], 5),
            (&[5, 3, 28, 28], &[28, 28, 3], 5),
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
}
