//! Drawings with what models say of them: gathered once, then shown as terminal text, figure or JSON.

use besom_dataset::{Dataset, Header, Images, Rows};
use besom_mlp::{Prediction, Predictor, TrainError, sample_test};
use besom_proto::v1::{self, Run};
use besom_sweep::{ClassCounts, Confusion, Lists};

use crate::{
    output::printable,
    render::{number, table::cut},
    trained::Trained,
};

/// Probabilities that are held at once: half a gigabyte.
const MOST_PROBABILITIES: usize = 1 << 26;

/// Drawings, and what each of some models says of each.
pub(crate) struct Sheet {
    /// Which drawings, and of which sweep.
    pub(crate) title: String,
    /// Whether besom made the drawings up.
    pub(crate) synthetic: bool,
    /// In the order of every drawing's guesses.
    pub(crate) models: Vec<Model>,
    /// Names in label order, fit to be shown.
    pub(crate) classes: Vec<String>,
    /// In the order asked for.
    pub(crate) drawings: Vec<Drawing>,
}

/// A model as a sheet names it.
pub(crate) struct Model {
    /// The number of its job.
    pub(crate) job: i64,
    /// What people tell jobs apart by.
    pub(crate) about: String,
    /// How well it did when it was trained.
    pub(crate) val_accuracy: Option<f64>,
}

/// One drawing.
pub(crate) struct Drawing {
    /// Its number: in the test split, or in the file, from 0.
    pub(crate) sample: u32,
    /// How it looks.
    pub(crate) picture: Picture,
    /// The class that it belongs to, where that is known.
    pub(crate) target: Option<usize>,
    /// One a model.
    pub(crate) guesses: Vec<Prediction>,
}

/// Grey values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Row by row; 0 is black, 255 the brightest.
    pub(crate) pixels: Vec<u8>,
}

impl Picture {
    /// A sample of this shape with grey values; a flat one as a square, or as near to one as can be. Of colours, the last
    /// of three axes, what grey they have.
    fn new(shape: &[u32], values: &[u8]) -> Self {
        let (width, grey) = match *shape {
            [_, width] => (width as usize, values.to_vec()),
            [_, width, 3] => (width as usize, values.as_chunks().0.iter().map(|&colour| luma(colour)).collect()),
            _ => ((values.len() as f64).sqrt().ceil() as usize, values.to_vec()),
        };
        let mut pixels: Vec<u8> = grey;
        let width = width.max(1);
        let height = pixels.len().div_ceil(width);
        pixels.resize(width * height, 0);
        Self { width, height, pixels }
    }

    /// The row `row` of `data`. Black is 0 and white the largest training value; of floats they are the ends of the row itself, in
    /// the numbers of the source.
    fn of_row(data: &Dataset, row: usize) -> Self {
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
        Self::new(&header.shape, &grey)
    }

    /// At most so wide and high: as many pixels as needed are averaged into one.
    pub(crate) fn at_most(&self, size: usize) -> Self {
        let step = self.width.max(self.height).div_ceil(size.max(1)).max(1);
        let (width, height) = (self.width.div_ceil(step), self.height.div_ceil(step));
        let average = |place: usize| {
            let (left, top) = (place % width * step, place / width * step);
            let (right, bottom) = ((left + step).min(self.width), (top + step).min(self.height));
            let rows = (top..bottom).map(|y| &self.pixels[y * self.width..][left..right]);
            let (count, sum) = rows.flatten().fold((0, 0), |(count, sum), &p| (count + 1, sum + u64::from(p)));
            (sum / u64::max(count, 1)) as u8
        };
        Self { width, height, pixels: (0..width * height).map(average).collect() }
    }
}

impl Sheet {
    /// Drawings of the test split, `rows` of it.
    ///
    /// # Errors
    /// The models do not fit the data.
    pub(crate) fn of_test(title: String, models: &[Trained], data: &Dataset, rows: &[u32]) -> Result<Self, TrainError> {
        let labels = &data.labels()[data.header().train as usize..];
        Self::new(title, models, data, rows, |row| Some(usize::from(labels[row as usize])))
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
    ) -> anyhow::Result<Self> {
        let rows: Vec<u32> = (0..images.count).collect();
        let data = images.into_dataset(trained_on)?;
        let sheet = Self::new(title, models, &data, &rows, |_| None)?;
        Ok(Self { synthetic: false, ..sheet })
    }

    fn new(
        title: String,
        models: &[Trained],
        data: &Dataset,
        rows: &[u32],
        target: impl Fn(u32) -> Option<usize>,
    ) -> Result<Self, TrainError> {
        let header = data.header();
        let picture = |row: u32| Picture::of_row(data, (header.train + row) as usize);
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
                drawing.guesses.push(guess);
            }
        }
        let models = models.iter().map(|trained| Model::new(&trained.run)).collect();
        Ok(Self { title, synthetic: header.synthetic, models, classes: names(header), drawings })
    }
}

impl Sheet {
    /// A line on the model at `index`: what it is, and how many of these drawings it gets right where that is known.
    pub(crate) fn line(&self, index: usize) -> String {
        let Model { job, about, val_accuracy } = &self.models[index];
        let accuracy =
            val_accuracy.map(|share| format!(", val_accuracy {}", number::metric(Some(share)))).unwrap_or_default();
        let known: Vec<bool> = self.drawings.iter().filter_map(|it| it.is_right(&it.guesses[index])).collect();
        let right = match known.len() {
            0 => String::new(),
            all => format!("; {} of {all} right", known.iter().filter(|&&right| right).count()),
        };
        format!("job {job}: {about}{accuracy}{right}")
    }
}

impl Drawing {
    /// Whether the guess is right, where that is known.
    pub(crate) fn is_right(&self, guess: &Prediction) -> Option<bool> {
        self.target.map(|target| target == guess.class)
    }
}

impl Model {
    fn new(run: &Run) -> Self {
        let rate = number::exact(run.learning_rate);
        let about = format!("{}, learning_rate {rate}, batch_size {}", cut(run.optimizer.clone()), run.batch_size);
        Self { job: run.job, about: printable(&about), val_accuracy: run.final_val_accuracy }
    }
}

/// Most classes whose pairs are shown as a table or a picture: of more, only those that are confused most.
pub(crate) const SHOWN_CLASSES: usize = 255;

/// How well a model does on the whole test split.
pub(crate) struct Report {
    /// Which model.
    pub(crate) model: Model,
    /// Names in label order, fit to be shown.
    pub(crate) classes: Vec<String>,
    /// Row is the target, column the guess.
    confusion: Confusion,
    /// The sums of each class.
    sums: Vec<ClassCounts>,
}

impl Report {
    /// The model on the test split of `data`.
    ///
    /// # Errors
    /// It does not fit the data.
    pub(crate) fn new(trained: &Trained, data: &Dataset) -> Result<Self, TrainError> {
        let confusion = predictor(trained, data)?.confusion()?;
        Ok(Self::of(Model::new(&trained.run), names(data.header()), confusion))
    }

    /// What the coordinator keeps of a run's model, whether or not it keeps the model itself; nothing where it does not fit
    /// the data.
    pub(crate) fn stored(run: &Run, header: &Header, confusion: v1::Confusion) -> Option<Self> {
        let v1::Confusion { classes, counts, gaps, by_class } = confusion;
        let confusion = Confusion::of_lists(classes, &Lists { counts, gaps, by_class }).ok()?;
        let fits = classes as usize == header.classes.len();
        fits.then(|| Self::of(Model::new(run), names(header), confusion))
    }

    pub(crate) fn of(model: Model, classes: Vec<String>, confusion: Confusion) -> Self {
        Self { model, classes, sums: confusion.by_class(), confusion }
    }

    /// Drawings of `target` that were taken for `guess`; `None` where only classes were counted.
    pub(crate) fn count(&self, target: usize, guess: usize) -> Option<u32> {
        self.confusion.count(target, guess)
    }

    /// Whether pairs were counted, and not only classes.
    pub(crate) fn has_pairs(&self) -> bool {
        self.confusion.count(0, 0).is_some()
    }

    /// Target, guess and count of the pairs that are not 0.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (u32, u32, u32)> + '_ {
        self.confusion.pairs()
    }

    /// At most so many classes in label order: those of which most drawings were taken for others, or others for them.
    pub(crate) fn most_confused(&self, most: usize) -> Vec<usize> {
        let mut classes: Vec<usize> = (0..self.classes.len()).collect();
        if classes.len() > most {
            let wrong = |&class: &usize| {
                let ClassCounts { support, predicted, correct } = self.sums[class];
                std::cmp::Reverse((support - correct) + (predicted - correct))
            };
            classes.sort_by_key(wrong);
            classes.truncate(most);
            classes.sort_unstable();
        }
        classes
    }

    /// Drawings of the class.
    pub(crate) fn support(&self, class: usize) -> u64 {
        self.sums[class].support
    }

    /// Of the drawings taken for the class, the share that belongs to it; `None` where none was.
    pub(crate) fn precision(&self, class: usize) -> Option<f64> {
        share(self.sums[class].correct, self.sums[class].predicted)
    }

    /// Of the drawings of the class, the share that was taken for it; `None` where there are none.
    pub(crate) fn recall(&self, class: usize) -> Option<f64> {
        share(self.sums[class].correct, self.support(class))
    }

    /// All drawings.
    pub(crate) fn total(&self) -> u64 {
        self.sums.iter().map(|class| class.support).sum()
    }

    /// The share that is right.
    pub(crate) fn accuracy(&self) -> Option<f64> {
        share(self.sums.iter().map(|class| class.correct).sum(), self.total())
    }
}

/// The grey of a colour (Rec. 601).
fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b) + 500) / 1000) as u8
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn predictor<'a>(trained: &'a Trained, data: &'a Dataset) -> Result<Predictor<'a>, TrainError> {
    Predictor::new(&trained.model, trained.engine, data).map_err(|error| TrainError {
        message: format!("the model of job {}: {}", trained.run.job, error.message),
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
        let square = Picture::new(&[9], &[255; 9]);
        assert_eq!((square.width, square.height), (3, 3));
        let other = Picture::new(&[5], &[10, 20, 30, 40, 50]);
        assert_eq!((other.width, other.height), (3, 2));
        assert_eq!(other.pixels, [10, 20, 30, 40, 50, 0]);
        let wide = Picture::new(&[1, 4], &[1, 2, 3, 4]);
        assert_eq!((wide.width, wide.height), (4, 1));
        let colours = Picture::new(&[1, 2, 3], &[255, 0, 0, 255, 255, 255]);
        assert_eq!(colours, Picture { width: 2, height: 1, pixels: vec![76, 255] });
    }

    #[test]
    fn a_large_picture_is_averaged_down() {
        let picture = Picture::new(&[2, 4], &[0, 100, 8, 8, 100, 200, 8, 8]);
        assert_eq!(picture.at_most(2), Picture { width: 2, height: 1, pixels: vec![100, 8] });
        assert_eq!(picture.at_most(4), picture);
    }

    #[test]
    fn a_report_counts_by_class() {
        let model = Model { job: 1, about: String::new(), val_accuracy: None };
        let confusion = Confusion::of_rows(3, &[3, 1, 0, 2, 2, 0, 0, 0, 0]);
        let report = Report::of(model, vec!["a".into(), "b".into(), "c".into()], confusion);
        assert_eq!((report.most_confused(2), report.most_confused(3)), (vec![0, 1], vec![0, 1, 2]));
        assert_eq!((report.total(), report.accuracy()), (8, Some(0.625)));
        assert_eq!((report.support(0), report.precision(0), report.recall(0)), (4, Some(0.6), Some(0.75)));
        assert_eq!((report.support(2), report.precision(2), report.recall(2)), (0, None, None));
    }
}
