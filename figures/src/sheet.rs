//! Drawings with what models say of them, as figures and tables show them.

use besom_sweep::number;

/// Drawings, and what each of some models says of each.
pub struct Sheet {
    /// Which drawings, and of which sweep.
    pub title: String,
    /// Whether besom made the drawings up.
    pub synthetic: bool,
    /// In the order of every drawing's guesses.
    pub models: Vec<Model>,
    /// Names in label order, fit to be shown.
    pub classes: Vec<String>,
    /// In the order asked for.
    pub drawings: Vec<Drawing>,
}

/// A model as a sheet names it.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The number of its job.
    pub job: i64,
    /// What people tell jobs apart by.
    pub about: String,
    /// How well it did when it was trained.
    pub val_accuracy: Option<f64>,
}

/// One drawing.
pub struct Drawing {
    /// Its number: in the test split, or in the file, from 0.
    pub sample: u32,
    /// How it looks.
    pub picture: Picture,
    /// The class that it belongs to, where that is known.
    pub target: Option<usize>,
    /// One a model.
    pub guesses: Vec<Guess>,
}

/// What a model says of one drawing.
#[derive(Debug, Clone, PartialEq)]
pub struct Guess {
    /// The class that it takes the drawing for.
    pub class: usize,
    /// One a class, from 0 to 1; they add up to 1.
    pub probabilities: Vec<f64>,
}

impl Guess {
    /// The probability of its class.
    pub fn confidence(&self) -> f64 {
        self.probabilities[self.class]
    }
}

/// Grey values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// Row by row; 0 is black, 255 the brightest.
    pub pixels: Vec<u8>,
}

impl Picture {
    /// At most so wide and high: as many pixels as needed are averaged into one.
    pub fn at_most(&self, size: usize) -> Self {
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
    /// A line on the model at `index`: what it is, and how many of these drawings it gets right
    /// where that is known.
    pub fn line(&self, index: usize) -> String {
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
    pub fn is_right(&self, guess: &Guess) -> Option<bool> {
        self.target.map(|target| target == guess.class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_picture_is_averaged_down() {
        let picture = Picture { width: 4, height: 2, pixels: vec![0, 100, 8, 8, 100, 200, 8, 8] };
        assert_eq!(picture.at_most(2), Picture { width: 2, height: 1, pixels: vec![100, 8] });
        assert_eq!(picture.at_most(4), picture);
    }
}
