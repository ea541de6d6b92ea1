//! What a trained model says of drawings: the engine that trained it, run forward.
//!
//! A drawing of the test split is computed within the same batch as at validation, so its logits
//! have the bits that the trainer saw (with candle: on the same kind of CPU), and a confusion
//! matrix equals the stored one. Confidence is the softmax of the logits, worked out here in `f64`,
//! and nowhere else.

use std::collections::BTreeMap;

use besom_sweep::{Confusion, Engine as EngineKind};

use super::engine;
use super::job::TrainError;
use super::layout::Layout;
use super::loss::argmax;
use super::math::exp;
use super::model_file::{InputScaling, ModelFile};
use super::threads::single_thread;
use super::trainer::VALIDATION_BATCH;
use besom_dataset::Dataset;
use besom_dataset::random::Stream;

/// A model with the drawings that it is asked about: the test split of a dataset.
pub struct Predictor<'a> {
    model: &'a ModelFile,
    engine: EngineKind,
    data: &'a Dataset,
    layout: Layout,
    params: Vec<f32>,
}

/// What a model says of one drawing.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The class with the largest logit, the first of equal ones: what the trainer counts.
    pub class: usize,
    /// One a class, in [0, 1]; they add up to 1.
    pub probabilities: Vec<f64>,
}

impl Prediction {
    /// The probability of its class.
    #[must_use]
    pub fn confidence(&self) -> f64 {
        self.probabilities[self.class]
    }
}

impl<'a> Predictor<'a> {
    /// A predictor of `model`, which `engine` trained, on `data`.
    ///
    /// # Errors
    /// Samples of another size, other classes or another scaling than the model's.
    pub fn new(model: &'a ModelFile, engine: EngineKind, data: &'a Dataset) -> Result<Self, TrainError> {
        let header = data.header();
        let (features, classes) = (header.features as usize, header.classes.len());
        if (features, classes) != (model.features(), model.classes()) {
            return Err(TrainError::impossible(format!(
                "the model reads {} values and knows {} classes; the data have {features} values a sample and {classes} classes",
                model.features(),
                model.classes()
            )));
        }
        match model.scaling() {
            InputScaling::DivideBy(_) if data.scaling().is_some() => {
                let problem = "the model was trained on whole numbers 0 to 255, the data are other numbers";
                return Err(TrainError::impossible(problem));
            }
            InputScaling::DivideBy(max) if header.max != *max => {
                return Err(TrainError::impossible(format!(
                    "the model divides by {max}, the data's largest training value is {}",
                    header.max
                )));
            }
            InputScaling::Floats(scaling) if data.scaling() != Some(scaling) => {
                let problem = "the model scales its inputs by other statistics than the data were scaled by";
                return Err(TrainError::impossible(problem));
            }
            InputScaling::DivideBy(_) | InputScaling::Floats(_) => {}
        }
        let (layout, params) = model.flat()?;
        Ok(Self { model, engine, data, layout, params })
    }

    /// Predictions of these rows of the test split (from 0), in their order.
    ///
    /// # Errors
    /// A row that is not there, or one whose logits are not finite.
    pub fn test_rows(&self, rows: &[u32]) -> Result<Vec<Prediction>, TrainError> {
        let test = self.data.header().test;
        if let Some(row) = rows.iter().find(|&&row| row >= test) {
            return Err(TrainError::impossible(format!("test sample {row}: there are {test}, counted from 0")));
        }
        let mut batches: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (place, row) in rows.iter().enumerate() {
            batches.entry(row / VALIDATION_BATCH as u32).or_default().push(place);
        }
        let mut found: Vec<Option<Prediction>> = vec![None; rows.len()];
        self.each_batch(batches.keys().copied(), |batch, logits| {
            for &place in &batches[&batch] {
                let at = rows[place] as usize % VALIDATION_BATCH;
                found[place] = Some(prediction(rows[place], &logits[at * self.classes()..][..self.classes()])?);
            }
            Ok(())
        })?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Counts the predictions over the whole test split, as the trainer does after the last epoch.
    ///
    /// # Errors
    /// The computation itself failed.
    pub fn confusion(&self) -> Result<Confusion, TrainError> {
        let (classes, train) = (self.classes(), self.data.header().train);
        let labels = &self.data.labels()[train as usize..];
        let mut confusion = Confusion::new(classes as u32);
        let batches = 0..labels.len().div_ceil(VALIDATION_BATCH) as u32;
        self.each_batch(batches, |batch, logits| {
            let labels = &labels[batch as usize * VALIDATION_BATCH..];
            for (&label, logits) in labels.iter().zip(logits.chunks_exact(classes)) {
                confusion.add(usize::from(label), argmax(logits));
            }
            Ok(())
        })?;
        Ok(confusion)
    }

    fn classes(&self) -> usize {
        self.layout.classes()
    }

    /// Hands over the logits of whole validation batches, on one thread as in training.
    fn each_batch(
        &self,
        batches: impl Iterator<Item = u32> + Send,
        mut take: impl FnMut(u32, &[f32]) -> Result<(), TrainError> + Send,
    ) -> Result<(), TrainError> {
        let header = self.data.header();
        let end = header.train + header.test;
        single_thread()?.install(|| {
            let mut engine = engine::make(self.engine, self.data, &self.layout, self.model.hyperparameters())?;
            let mut logits = Vec::new();
            for batch in batches {
                let start = header.train + batch * VALIDATION_BATCH as u32;
                let rows: Vec<u32> = (start..end.min(start.saturating_add(VALIDATION_BATCH as u32))).collect();
                engine.logits(&self.params, &rows, &mut logits)?;
                take(batch, &logits)?;
            }
            Ok(())
        })
    }
}

/// Rows of the test split (from 0) drawn by `seed`: at most `count`, all different.
#[must_use]
pub fn sample_test(data: &Dataset, count: u32, seed: u64) -> Vec<u32> {
    let mut order = Stream::new(*b"besom/predict/sm", seed, 0).permutation(data.header().test);
    order.truncate(count as usize);
    order
}

fn prediction(row: u32, logits: &[f32]) -> Result<Prediction, TrainError> {
    if !logits.iter().all(|logit| logit.is_finite()) {
        return Err(TrainError::impossible(format!("sample {row}: the model's outputs are not finite")));
    }
    let class = argmax(logits);
    let largest = f64::from(logits[class]);
    let mut probabilities: Vec<f64> = logits.iter().map(|&logit| exp(f64::from(logit) - largest)).collect();
    let sum: f64 = probabilities.iter().sum();
    probabilities.iter_mut().for_each(|probability| *probability /= sum);
    Ok(Prediction { class, probabilities })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_the_softmax_and_the_first_of_equal_logits_wins() {
        let found = prediction(0, &[1.0, 2.0, 3.0]).unwrap();
        assert_eq!(found.class, 2);
        for (got, wanted) in
            found.probabilities.iter().zip([0.090_030_573_170_38, 0.244_728_471_054_8, 0.665_240_955_774_82])
        {
            assert!((got - wanted).abs() < 1e-14, "{got}");
        }
        let found = prediction(0, &[1000.0, 1000.0, -1000.0]).unwrap();
        assert_eq!((found.class, found.confidence()), (0, 0.5));
        assert!(prediction(7, &[f32::NAN, 0.0]).unwrap_err().message.contains("sample 7"));
    }
}
