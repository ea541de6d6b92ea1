//! Who computes gradients: one contract, so that trainer, optimizers and checkpoints know no tensors.

mod candle;
mod ops;

pub(crate) use candle::CandleEngine;

use super::job::TrainError;
use super::loss::Score;

/// Dropout of one batch: for each hidden layer, from the input on, rows x width factors, 0 or 1 / (1 - rate).
pub(crate) type Masks = [Vec<f32>];

/// Turns flat parameters and rows of the dataset into losses and gradients. One a job; results depend on the arguments
/// alone.
pub(crate) trait Engine {
    /// Scores `rows` (indices into the dataset, at least one) and overwrites `gradient` with the gradient of their mean
    /// cross-entropy. `masks` is empty where nothing is dropped.
    ///
    /// # Errors
    /// The computation itself failed; numbers that are not finite are results.
    fn loss_gradient(
        &mut self,
        params: &[f32],
        rows: &[u32],
        masks: &Masks,
        gradient: &mut [f32],
    ) -> Result<Score, TrainError>;

    /// The logits of `rows`, rows x classes, nothing dropped.
    ///
    /// # Errors
    /// The computation itself failed.
    fn logits(&mut self, params: &[f32], rows: &[u32]) -> Result<Vec<f32>, TrainError>;
}
