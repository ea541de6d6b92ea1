//! Drawings with what models say of them: gathered once, then shown as terminal text, figure or
//! JSON.

use besom_dataset::{Dataset, Header, Images, Rows};
use besom_figures::{Drawing, Guess, Model, Picture, PredictionReport, Sheet};
use besom_mlp::{Predictor, TrainError, sample_test};
use besom_sweep::{Confusion, Row, TableError};

use crate::{
    output::printable,
    text::{cut, number},
    trained::Trained,
};

/// Probabilities that are held at once: half a gigabyte.
const MOST_PROBABILITIES: usize = 1 << 26;

/// A sample of this shape with grey values; a flat one as a square, or as near to one as can be. Of
/// colours, the last of three axes, what grey they have.
fn picture(shape: &[u32], values: &[u8]) -> Picture {
    let (width, grey) = match *shape {
        [_, width] => (width as usize, values.to_vec()),
        [_, width, 3] => (width as usize, values.as_chunks().0.iter().map(|&colour| luma(colour)).collect()),
        _ => ((values.len() as f64).sqrt().ceil() as usize, values.to_vec()),
    };
    let mut pixels: Vec<u8> = grey;
    let width = width.max(1);
    let height = pixels.len().div_ceil(width);
    pixels.resize(width * height, 0);
    Picture { width, height, pixels }
}

/// The row `row` of `data`. Black is 0 and white the largest training value; of floats they are the
/// ends of the row itself, in the numbers of the source.
fn picture_of_row(data: &Dataset, row: usize) -> Picture {
    let header = data.header();
    let features = header.features as usize;
    let grey: Vec<u8> = match data.rows().part(row * features..(row + 1) * features) {
        Rows::Bytes(bytes) => {
            let max = u32::from(header.max.max(1));
            bytes.iter().map(|&value| (u32::from(value) * 255 / max).min(255) as u8).collect()
        }
        floats @ Rows::Floats(_) => {
            let undo = |(feature, value)| data.scaling().map_or(value, |scaling| scaling.undo(feature, value));
            let numbers: Vec<f32> = floats.numbers().enumerate().map(undo).collect();
            let least = numbers.iter().copied().fold(f32::INFINITY, f32::min);
            let most = numbers.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let range = if most > least { f64::from(most) - f64::from(least) } else { 1.0 };
            let grey = |&value: &f32| ((f64::from(value) - f64::from(least)) / range * 255.0).round() as u8;
            numbers.iter().map(grey).collect()
        }
    };
    picture(&header.shape, &grey)
}

/// Drawings of the test split, `rows` of it.
///
/// # Errors
/// The models do not fit the data.
pub(crate) fn of_test(title: String, models: &[Trained], data: &Dataset, rows: &[u32]) -> Result<Sheet, TrainError> {
    let labels = &data.labels()[data.header().train as usize..];
    sheet(title, models, data, rows, |row| Some(usize::from(labels[row as usize])))
}

/// A person's own drawings.
///
/// # Errors
/// The models do not fit the drawings.
pub(crate) fn of_images(
    title: String,
    models: &[Trained],
    images: Images,
    trained_on: &Dataset,
) -> anyhow::Result<Sheet> {
    let rows: Vec<u32> = (0..images.count).collect();
    let data = images.into_dataset(trained_on)?;
    Ok(Sheet { synthetic: false, ..sheet(title, models, &data, &rows, |_| None)? })
}

fn sheet(
    title: String,
    models: &[Trained],
    data: &Dataset,
    rows: &[u32],
    target: impl Fn(u32) -> Option<usize>,
) -> Result<Sheet, TrainError> {
    let header = data.header();
    let picture = |row: u32| picture_of_row(data, (header.train + row) as usize);
    let numbers = rows.len().saturating_mul(header.classes.len()).saturating_mul(models.len());
    if numbers > MOST_PROBABILITIES {
        let each = header.classes.len() * models.len();
        let message = format!(
            "{} drawings with {each} probabilities each are too many at once: give at most {}",
            rows.len(),
            MOST_PROBABILITIES / each
        );
        return Err(TrainError { retryable: false, surroundings: false, message });
    }
    let mut drawings: Vec<Drawing> = rows
        .iter()
        .map(|&row| Drawing { sample: row, picture: picture(row), target: target(row), guesses: Vec::new() })
        .collect();
    for trained in models {
        let guesses = predictor(trained, data)?.test_rows(rows)?;
        for (drawing, guess) in drawings.iter_mut().zip(guesses) {
            drawing.guesses.push(Guess { class: guess.class, probabilities: guess.probabilities });
        }
    }
    let models = models.iter().map(|trained| trained.about.clone()).collect();
    Ok(Sheet { title, synthetic: header.synthetic, models, classes: names(header), drawings })
}

/// A run's model as people tell it from others.
///
/// # Errors
/// The row is none of the view `runs`.
pub(crate) fn model(run: Row<'_>) -> Result<Model, TableError> {
    let optimizer = cut(run.maybe_text("optimizer")?.unwrap_or("-").to_owned());
    let rate = run.maybe_float("learning_rate")?.map_or_else(|| "-".to_owned(), number::exact);
    let size = run.maybe_integer("batch_size")?.map_or_else(|| "-".to_owned(), |size| size.to_string());
    let about = printable(&format!("{optimizer}, learning_rate {rate}, batch_size {size}"));
    Ok(Model { job: run.integer("job")?, about, val_accuracy: run.maybe_float("final_val_accuracy")? })
}

/// How well the model does on the test split of `data`.
///
/// # Errors
/// It does not fit the data.
pub(crate) fn report(trained: &Trained, data: &Dataset) -> Result<PredictionReport, TrainError> {
    let confusion = predictor(trained, data)?.confusion()?;
    Ok(PredictionReport::new(trained.about.clone(), names(data.header()), confusion))
}

/// What the coordinator keeps of a run's model, whether or not it keeps the model itself; nothing
/// where it does not fit the data.
pub(crate) fn stored(model: Model, header: &Header, confusion: Confusion) -> Option<PredictionReport> {
    let fits = confusion.classes as usize == header.classes.len();
    fits.then(|| PredictionReport::new(model, names(header), confusion))
}

/// The grey of a colour (Rec. 601).
fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b) + 500) / 1000) as u8
}

fn predictor<'a>(trained: &'a Trained, data: &'a Dataset) -> Result<Predictor<'a>, TrainError> {
    Predictor::new(&trained.model, trained.engine, data).map_err(|error| TrainError {
        message: format!("the model of job {}: {}", trained.job, error.message),
        ..error
    })
}

fn names(header: &Header) -> Vec<String> {
    header.classes.iter().map(|name| printable(name).replace(['\n', '\t'], " ")).collect()
}

/// Rows of the test split to look at, chosen by `seed`.
pub(crate) fn sample(data: &Dataset, count: u32, seed: u64) -> Vec<u32> {
    sample_test(data, count, seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_sample_becomes_as_square_a_picture_as_can_be() {
        let square = picture(&[9], &[255; 9]);
        assert_eq!((square.width, square.height), (3, 3));
        let other = picture(&[5], &[10, 20, 30, 40, 50]);
        assert_eq!((other.width, other.height), (3, 2));
        assert_eq!(other.pixels, [10, 20, 30, 40, 50, 0]);
        let wide = picture(&[1, 4], &[1, 2, 3, 4]);
        assert_eq!((wide.width, wide.height), (4, 1));
        let colours = picture(&[1, 2, 3], &[255, 0, 0, 255, 255, 255]);
        assert_eq!(colours, Picture { width: 2, height: 1, pixels: vec![76, 255] });
    }
}
