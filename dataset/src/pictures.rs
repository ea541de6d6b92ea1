//! PNG and JPEG pictures as grey values.

use std::fs::File;
use std::io::{BufRead, Cursor, Read, Seek};
use std::path::Path;

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::DataError;
use super::form::{Filling, Form};
use super::limits::{MAX_FEATURES, Room};
use super::samples::Values;

/// Largest file of one picture.
const MAX_FILE: u64 = 64 << 20;
/// Most pixels of one picture: those of large cameras. Decoded they take up to four bytes each, and
/// a JPEG up to six more.
const MAX_PIXELS: u64 = 1 << 25;
/// Most pixels of a side: a line of them is gone through for each line of the resized picture.
const MAX_SIDE: u64 = 1 << 14;

/// A picture: colours by their luma (Rec. 601), transparent parts as black, 16 bits as their upper
/// 8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Row by row; 0 is black.
    pub(super) pixels: Vec<u8>,
}

impl Picture {
    /// Reads a file, which its first bytes tell to be PNG or JPEG.
    ///
    /// # Errors
    /// Where it is neither, broken or too large.
    pub(super) fn open(what: &str, path: &Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(|error| DataError::io(path, "open", error))?;
        let mut bytes = Vec::new();
        file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|error| DataError::io(path, "read", error))?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(DataError::refused(what, format!("is larger than {} MiB", MAX_FILE >> 20)));
        }
        Self::read(what, &bytes)
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// As [`Picture::open`].
    pub(super) fn read(what: &str, bytes: &[u8]) -> Result<Self, DataError> {
        match bytes {
            [0xff, 0xd8, 0xff, ..] => Self::jpeg(what, bytes),
            [0x89, b'P', b'N', b'G', ..] => Self::png(what, Cursor::new(bytes)),
            [] => Err(DataError::refused(what, "is empty: take it away")),
            _ => {
                Err(DataError::refused(what, "is neither a PNG nor a JPEG picture: convert it to PNG, or take it away"))
            }
        }
    }

    fn png<R: BufRead + Seek>(what: &str, file: R) -> Result<Self, DataError> {
        let broken = |error: png::DecodingError| DataError::refused(what, format!("is not a readable PNG: {error}"));
        let mut decoder = png::Decoder::new_with_limits(file, png::Limits { bytes: 64 << 20 });
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().map_err(broken)?;
        let (width, height) = (reader.info().width, reader.info().height);
        check_size(what, width.into(), height.into())?;
        let size = reader.output_buffer_size().ok_or_else(|| DataError::refused(what, "is too large"))?;
        let mut pixels = vec![0; size];
        let frame = reader.next_frame(&mut pixels).map_err(broken)?;
        reader.finish().map_err(broken)?;
        pixels.truncate(frame.buffer_size());
        let pixels: Vec<u8> = match frame.color_type {
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
        Self::new(what, width as usize, height as usize, pixels)
    }

    fn jpeg(what: &str, bytes: &[u8]) -> Result<Self, DataError> {
        let broken =
            |error: &dyn std::fmt::Display| DataError::refused(what, format!("is not a readable JPEG: {error}"));
        // The decoder fills what is missing with grey. A preview in the header has marks of its
        // own, before the last scan.
        let last = |mark: [u8; 2]| bytes.windows(2).rposition(|pair| pair == mark);
        if last([0xff, 0xd9]) < last([0xff, 0xda]) {
            return Err(DataError::refused(what, "ends too early: the picture was cut off, so fetch or copy it again"));
        }
        let options = DecoderOptions::default().set_strict_mode(false).jpeg_set_out_colorspace(ColorSpace::Luma);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
        decoder.decode_headers().map_err(|error| broken(&error))?;
        let info = decoder.info().ok_or_else(|| broken(&"it has no header"))?;
        let (width, height) = (info.width, info.height);
        check_size(what, width.into(), height.into())?;
        // The luma of nearly all files stands in them as such; of the others it is worked out.
        let is_grey = matches!(decoder.input_colorspace(), Some(ColorSpace::Luma | ColorSpace::YCbCr));
        if !is_grey {
            decoder.set_options(options.jpeg_set_out_colorspace(ColorSpace::RGB));
        }
        let pixels = decoder.decode().map_err(|error| broken(&error))?;
        let pixels = if is_grey { pixels } else { pixels.as_chunks().0.iter().map(|&colour| luma(colour)).collect() };
        Self::new(what, width.into(), height.into(), pixels)
    }

    fn new(what: &str, width: usize, height: usize, pixels: Vec<u8>) -> Result<Self, DataError> {
        if pixels.len() != width * height || pixels.is_empty() {
            return Err(DataError::refused(what, "does not hold as many pixels as its header says"));
        }
        Ok(Self { width, height, pixels })
    }

    /// The picture in another size. Each new pixel is the mean of those around its place, weighted
    /// by how near they are (a triangle, as wide as a new pixel at least), as PIL's bilinear filter
    /// has it. One order of plain sums gives the same bytes on every machine, so that a dataset
    /// keeps its digest.
    pub(super) fn resized(self, width: usize, height: usize) -> Self {
        if (self.width, self.height) == (width, height) {
            return self;
        }
        let columns = weights(self.width, width);
        let mut pixels = Vec::with_capacity(width * height);
        let mut line = vec![0.0; self.width];
        for (top, rows) in weights(self.height, height) {
            line.fill(0.0);
            for (row, weight) in self.pixels[top * self.width..].chunks_exact(self.width).zip(&rows) {
                line.iter_mut().zip(row).for_each(|(sum, &pixel)| *sum += weight * f64::from(pixel));
            }
            pixels.extend(columns.iter().map(|(left, weights)| {
                let sum: f64 = line[*left..].iter().zip(weights).map(|(value, weight)| value * weight).sum();
                sum.round().clamp(0.0, 255.0) as u8
            }));
        }
        Self { width, height, pixels }
    }
}

/// For each of `new` pixels the first of `old` ones that it is made of, and the weights of these.
fn weights(old: usize, new: usize) -> Vec<(usize, Vec<f64>)> {
    let scale = old as f64 / new as f64;
    let reach = scale.max(1.0);
    let of_pixel = |pixel: usize| {
        let centre = (pixel as f64 + 0.5) * scale;
        let first = (centre - reach).floor().max(0.0) as usize;
        let end = ((centre + reach).ceil() as usize).min(old).max(first + 1);
        let weight = |at: usize| (1.0 - ((at as f64 + 0.5 - centre) / reach).abs()).max(0.0);
        let weights: Vec<f64> = (first..end).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        (first, weights.into_iter().map(|weight| weight / sum).collect())
    };
    (0..new).map(of_pixel).collect()
}

/// Pictures of one size, one after the other.
pub(super) struct Gallery {
    /// The width and height that all are resized to.
    wanted: Option<usize>,
    /// The width and height of the first picture, and what it is called.
    first: Option<(usize, usize, String)>,
    room: Room,
    values: Option<Filling>,
}

impl Gallery {
    /// An empty one, of pictures that are resized to `size`, or have one size already.
    pub(super) fn new(size: Option<u32>) -> Self {
        Self { wanted: size.map(|size| size as usize), first: None, room: Room::new(), values: None }
    }

    /// Adds a picture, which messages call `shown`, of the `count` that there will be before the
    /// next [`Gallery::take`].
    ///
    /// # Errors
    /// Where it has another size than the first one, or all together take more memory than a
    /// dataset may.
    pub(super) fn add(&mut self, what: &str, shown: &str, picture: Picture, count: u64) -> Result<(), DataError> {
        let picture = match self.wanted {
            Some(size) => picture.resized(size, size),
            None => picture,
        };
        let (width, height, first) =
            self.first.get_or_insert_with(|| (picture.width, picture.height, shown.to_owned()));
        if (picture.width, picture.height) != (*width, *height) {
            let (own_width, own_height) = (picture.width, picture.height);
            let problem = format!(
                "has {own_width} x {own_height} pixels, but {first} has {width} x {height}: add `size: 28` to besom.dataset (or \
                 another number), and all pictures are resized to that width and height"
            );
            return Err(DataError::refused(shown, problem));
        }
        let filling = match &mut self.values {
            Some(filling) => filling,
            None => {
                let features = (*width * *height) as u64;
                if features > MAX_FEATURES {
                    let problem = format!(
                        "has {width} x {height} pixels, and a sample has at most {MAX_FEATURES} values: add `size: 28` to \
                         besom.dataset"
                    );
                    return Err(DataError::refused(shown, problem));
                }
                let values = count.saturating_mul(features);
                self.room.take(what, count, values)?;
                self.values.insert(Filling::new(what, Form::Bytes, values)?)
            }
        };
        filling.push_bytes(&picture.pixels);
        Ok(())
    }

    /// The shape and values of the pictures added since the last time; `None` where there are none.
    pub(super) fn take(&mut self) -> Option<(Vec<u32>, Values)> {
        let values = self.values.take()?.finish();
        let (width, height, _) = self.first.as_ref()?;
        Some((vec![*height as u32, *width as u32], values))
    }
}

fn check_size(what: &str, width: u64, height: u64) -> Result<(), DataError> {
    if width.max(height) > MAX_SIDE || width * height > MAX_PIXELS {
        let problem =
            format!("has {width} x {height} pixels: at most {MAX_SIDE} a side and {MAX_PIXELS} in all are read");
        return Err(DataError::refused(what, problem));
    }
    Ok(())
}

fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b) + 500) / 1000) as u8
}

fn over_black(grey: u8, alpha: u8) -> u8 {
    ((u32::from(grey) * u32::from(alpha) + 127) / 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: usize, height: usize, pixels: &[u8]) -> Picture {
        Picture { width, height, pixels: pixels.to_vec() }
    }

    #[test]
    fn colours_become_grey_by_luma_and_transparent_parts_black() {
        assert_eq!(
            [luma([255, 255, 255]), luma([255, 0, 0]), luma([0, 255, 0]), luma([0, 0, 255])],
            [255, 76, 150, 29]
        );
        assert_eq!([over_black(200, 255), over_black(200, 0), over_black(255, 128)], [200, 0, 128]);
    }

    #[test]
    fn a_resized_picture_keeps_its_light() {
        let same = picture(2, 2, &[0, 10, 20, 30]);
        assert_eq!(same.clone().resized(2, 2), same);
        assert_eq!(picture(4, 4, &[100; 16]).resized(3, 5), picture(3, 5, &[100; 15]));
        // Halved, a pixel at the edge takes three sevenths of each of its two and one seventh of
        // the neighbour's.
        assert_eq!(picture(4, 1, &[0, 0, 80, 80]).resized(2, 1).pixels, [11, 69]);
        assert_eq!(picture(1, 1, &[7]).resized(28, 28), picture(28, 28, &[7; 784]));
        let doubled = picture(2, 1, &[0, 100]).resized(4, 1);
        assert_eq!(doubled.pixels, [0, 25, 75, 100]);
    }
}
