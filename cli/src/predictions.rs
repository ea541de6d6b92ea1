//! Drawings with what models say of them: gathered once, then shown as terminal text, figure or JSON.

use besom_proto::v1::{self, Run};
use besom_worker::{
    data::{Dataset, Header, Images},
    train::{self, Confusion, Prediction, Predictor, TrainError},
};

use crate::{
    output::printable,
    render::{number, table::cut},
    trained::Trained,
};

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
    /// A sample of this shape; a flat one as a square, or as near to one as can be. `max` is shown as white.
    fn new(shape: &[u32], values: &[u8], max: u8) -> Self {
        let width = match *shape {
            [_, width] => width as usize,
            _ => (values.len() as f64).sqrt().ceil() as usize,
        };
        let width = width.max(1);
        let height = values.len().div_ceil(width);
        let max = u32::from(max.max(1));
        let mut pixels: Vec<u8> = values.iter().map(|&value| (u32::from(value) * 255 / max).min(255) as u8).collect();
        pixels.resize(width * height, 0);
        Self { width, height, pixels }
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
        trained_on: &Header,
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
        let features = header.features as usize;
        let picture = |row: u32| {
            let start = (header.train + row) as usize * features;
            Picture::new(&header.shape, &data.rows()[start..start + features], header.max)
        };
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

/// How well a model does on the whole test split.
pub(crate) struct Report {
    /// Which model.
    pub(crate) model: Model,
    /// Names in label order, fit to be shown.
    pub(crate) classes: Vec<String>,
    /// Row is the target, column the guess.
    pub(crate) confusion: Confusion,
}

impl Report {
    /// The model on the test split of `data`.
    ///
    /// # Errors
    /// It does not fit the data.
    pub(crate) fn new(trained: &Trained, data: &Dataset) -> Result<Self, TrainError> {
        let confusion = predictor(trained, data)?.confusion()?;
        Ok(Self { model: Model::new(&trained.run), classes: names(data.header()), confusion })
    }

    /// What the coordinator keeps of a run's model, whether or not it keeps the model itself; nothing where it does not fit
    /// the data.
    pub(crate) fn stored(run: &Run, header: &Header, confusion: v1::Confusion) -> Option<Self> {
        let classes = header.classes.len();
        let fits = confusion.classes as usize == classes && confusion.counts.len() == classes * classes;
        let confusion = Confusion { classes: confusion.classes, counts: confusion.counts };
        fits.then(|| Self { model: Model::new(run), classes: names(header), confusion })
    }

    /// Drawings of `target` that were taken for `guess`.
    pub(crate) fn count(&self, target: usize, guess: usize) -> u64 {
        u64::from(self.confusion.counts[target * self.classes.len() + guess])
    }

    /// Drawings of the class.
    pub(crate) fn support(&self, class: usize) -> u64 {
        (0..self.classes.len()).map(|guess| self.count(class, guess)).sum()
    }

    /// Drawings taken for the class.
    fn guessed(&self, class: usize) -> u64 {
        (0..self.classes.len()).map(|target| self.count(target, class)).sum()
    }

    /// Of the drawings taken for the class, the share that belongs to it; `None` where none was.
    pub(crate) fn precision(&self, class: usize) -> Option<f64> {
        share(self.count(class, class), self.guessed(class))
    }

    /// Of the drawings of the class, the share that was taken for it; `None` where there are none.
    pub(crate) fn recall(&self, class: usize) -> Option<f64> {
        share(self.count(class, class), self.support(class))
    }

    /// All drawings.
    pub(crate) fn total(&self) -> u64 {
        (0..self.classes.len()).map(|class| self.support(class)).sum()
    }

    /// The share that is right.
    pub(crate) fn accuracy(&self) -> Option<f64> {
        share((0..self.classes.len()).map(|class| self.count(class, class)).sum(), self.total())
    }
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
    train::sample_test(data, count, seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_sample_becomes_as_square_a_picture_as_can_be() {
        let square = Picture::new(&[9], &[255; 9], 255);
        assert_eq!((square.width, square.height), (3, 3));
        let other = Picture::new(&[5], &[10, 20, 30, 40, 50], 50);
        assert_eq!((other.width, other.height), (3, 2));
        assert_eq!(other.pixels, [51, 102, 153, 204, 255, 0]);
        let wide = Picture::new(&[1, 4], &[1, 2, 3, 4], 255);
        assert_eq!((wide.width, wide.height), (4, 1));
    }

    #[test]
    fn a_large_picture_is_averaged_down() {
        let picture = Picture::new(&[2, 4], &[0, 100, 8, 8, 100, 200, 8, 8], 255);
        assert_eq!(picture.at_most(2), Picture { width: 2, height: 1, pixels: vec![100, 8] });
        assert_eq!(picture.at_most(4), picture);
    }

    #[test]
    fn a_report_counts_by_class() {
        let report = Report {
            model: Model { job: 1, about: String::new(), val_accuracy: None },
            classes: vec!["a".into(), "b".into(), "c".into()],
            confusion: Confusion { classes: 3, counts: vec![3, 1, 0, 2, 2, 0, 0, 0, 0] },
        };
        assert_eq!((report.total(), report.accuracy()), (8, Some(0.625)));
        assert_eq!((report.support(0), report.precision(0), report.recall(0)), (4, Some(0.6), Some(0.75)));
        assert_eq!((report.support(2), report.precision(2), report.recall(2)), (0, None, None));
    }
}
