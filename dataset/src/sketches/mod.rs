//! `builtin:sketches`: drawn stand-ins for the ten classes of the classic file, any number of them,
//! offline.
//!
//! A drawing is a pure function of (seed, index): ChaCha8 chooses a template and its deformation,
//! and only additions, products, quotients and square roots make the pixels, so every machine draws
//! the same bytes. Drawings are made to be hard: bent, cut, half forgotten and scribbled over,
//! about as far from the template as hasty people's are.

mod draw;
mod raster;
mod templates;

use besom_sweep::DatasetSpec;

use super::DataError;
use super::limits::{Room, reserve};
use super::samples::{Labels, Parsed, Samples, Values};
use raster::{PIXELS, SIDE};
use templates::CLASSES;

/// The source's name in a sweep file.
pub(super) const SOURCE: &str = "builtin:sketches";
/// Number of drawings where none is given.
const DEFAULT_SAMPLES: u64 = 20_000;

/// Draws the samples that `spec` asks for, their classes in turn.
///
/// # Errors
/// Where there would be too many.
pub(super) fn samples(spec: &DatasetSpec) -> Result<Parsed, DataError> {
    let count = spec.samples.unwrap_or(DEFAULT_SAMPLES);
    Room::new().take(SOURCE, count, count.saturating_mul(PIXELS as u64))?;
    let seed = spec.seed.unwrap_or(0);
    let mut rows = reserve(SOURCE, count * PIXELS as u64)?;
    for index in 0..count {
        rows.extend_from_slice(&draw::draw(seed, index, CLASSES[class_of(index)].variants));
    }
    let shape = vec![SIDE as u32, SIDE as u32];
    Ok(Parsed::Whole(Samples { shape, values: Values::Bytes(rows), labels: labels(spec) }))
}

/// The labels of those samples.
pub(super) fn labels(spec: &DatasetSpec) -> Labels {
    let count = spec.samples.unwrap_or(DEFAULT_SAMPLES);
    Labels::Integers((0..count).map(|index| class_of(index) as i64).collect())
}

fn class_of(index: u64) -> usize {
    (index % CLASSES.len() as u64) as usize
}

/// The names of the classes in label order.
pub(super) fn classes() -> Vec<String> {
    CLASSES.iter().map(|class| class.name.to_owned()).collect()
}
