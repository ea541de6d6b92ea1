//! Who computes gradients: one contract, so that trainer, optimizers and checkpoints know no
//! tensors.

mod candle;
mod native;
mod ops;
#[cfg(test)]
mod traces;

use besom_sweep::Hyperparameters;
use candle::CandleEngine;
use native::NativeEngine;

use super::job::TrainError;
use super::layout::Layout;
use super::loss::Score;
use super::optimizer::descend;
use super::simd::Isa;
use besom_dataset::Dataset;

/// Dropout of one batch: for each hidden layer, from the input on, rows x width factors, 0 or 1 /
/// (1 - rate). Empty where nothing is dropped.
pub(crate) type Masks = [Vec<f32>];

/// What a step trains on.
pub(crate) struct Batch<'a> {
    /// Indices into the dataset, at least one.
    pub(crate) rows: &'a [u32],
    /// Rows of the batch after it, if it is known: a hint that no result may depend on.
    pub(crate) next: &'a [u32],
    /// See [`Masks`].
    pub(crate) masks: &'a Masks,
}

/// Turns flat parameters and rows of the dataset into losses and gradients. One a job; results
/// depend on the arguments alone.
pub(crate) trait Engine {
    /// Scores a batch and overwrites `gradient` with the gradient of its mean cross-entropy.
    ///
    /// # Errors
    /// The computation itself failed; numbers that are not finite are results.
    fn loss_gradient(&mut self, params: &[f32], batch: &Batch<'_>, gradient: &mut [f32]) -> Result<Score, TrainError>;

    /// As [`Engine::loss_gradient`] and then [`descend`] with the rate `lr`, to the same bits; what
    /// `gradient` holds afterwards is undefined. For engines that can do both in one pass over the
    /// parameters.
    ///
    /// # Errors
    /// As above.
    fn descend(
        &mut self,
        params: &mut [f32],
        batch: &Batch<'_>,
        lr: f32,
        gradient: &mut [f32],
    ) -> Result<Score, TrainError> {
        let score = self.loss_gradient(params, batch, gradient)?;
        descend(Isa::detect(), params, gradient, lr);
        Ok(score)
    }

    /// The logits of `rows` (indices into the dataset), rows x classes, nothing dropped, in place
    /// of what `into` holds.
    ///
    /// # Errors
    /// The computation itself failed.
    fn logits(&mut self, params: &[f32], rows: &[u32], into: &mut Vec<f32>) -> Result<(), TrainError>;
}

/// The engine `kind` for the model `layout` on `data`, whose labels are below the number of
/// classes.
///
/// # Errors
/// candle cannot make the tensors.
pub(crate) fn make<'a>(
    kind: besom_sweep::Engine,
    data: &'a Dataset,
    layout: &Layout,
    hyperparameters: &Hyperparameters,
) -> Result<Box<dyn Engine + 'a>, TrainError> {
    Ok(match kind {
        besom_sweep::Engine::Candle => Box::new(CandleEngine::new(data, layout.clone(), hyperparameters)?),
        besom_sweep::Engine::Native => Box::new(NativeEngine::new(data, layout.clone(), hyperparameters)),
    })
}
