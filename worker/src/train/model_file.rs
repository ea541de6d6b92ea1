//! Reads a model back from the safetensors file that `model` writes.
//!
//! A file comes from a store that others may have written to: its digest, every name, shape and length are checked
//! before a number is used, and whatever does not fit is refused by name. What is left is a multilayer perceptron whose
//! layers fit each other. Nothing here computes: `predict` does.

use besom_sweep::{Activation, Hyperparameters, Params};
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

use super::job::TrainError;
use super::layout::Layout;
use crate::data::hex;

/// A multilayer perceptron as its file has it.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelFile {
    hyperparameters: Hyperparameters,
    dataset: String,
    input_max: u8,
    layers: Vec<Dense>,
}

/// One layer, PyTorch's way.
#[derive(Debug, Clone, PartialEq)]
struct Dense {
    inputs: usize,
    outputs: usize,
    /// `[outputs, inputs]`, row by row.
    weight: Vec<f32>,
    /// `[outputs]`.
    bias: Vec<f32>,
}

/// Why a file is no model of this trainer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("model file: {problem}")]
pub struct ModelError {
    problem: String,
}

impl ModelError {
    fn new(problem: impl Into<String>) -> Self {
        Self { problem: problem.into() }
    }
}

impl ModelFile {
    /// Reads the file whose SHA-256 is `digest` (lower-case hex).
    ///
    /// # Errors
    /// Other bytes than the digest says, and everything that is not a whole model of this trainer.
    pub fn read(bytes: &[u8], digest: &str) -> Result<Self, ModelError> {
        let found = hex(&Sha256::digest(bytes));
        if found != digest {
            return Err(ModelError::new(format!("its SHA-256 is {found}, not {digest}: damaged")));
        }
        Self::parse(bytes)
    }

    /// Reads a file whatever its digest.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, ModelError> {
        let unreadable = |error| ModelError::new(format!("not a whole safetensors file ({error})"));
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(unreadable)?;
        let file = SafeTensors::deserialize(bytes).map_err(unreadable)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let said = |name: &str| {
            metadata
                .get(name)
                .ok_or_else(|| ModelError::new(format!("its metadata lack `{name}`: not written by besom")))
        };
        let trainer = said("trainer")?;
        if trainer != besom_sweep::TRAINER {
            return Err(ModelError::new(format!("trainer: `{trainer}` is not known to this build")));
        }
        let input_max = said("input_max")?;
        let input_max: u8 = input_max
            .parse()
            .ok()
            .filter(|&max| max > 0)
            .ok_or_else(|| ModelError::new(format!("input_max: `{input_max}` is not 1 to 255")))?;
        let layers = layers(&file)?;
        let mut params = Params::new();
        params.insert("activation".to_owned(), said("activation")?.as_str().into());
        let widths: Vec<usize> = layers[..layers.len() - 1].iter().map(|layer| layer.outputs).collect();
        params.insert("hidden".to_owned(), widths.into());
        let hyperparameters =
            Hyperparameters::from_params(&params).map_err(|error| ModelError::new(error.to_string()))?;
        Ok(Self { hyperparameters, dataset: said("dataset")?.clone(), input_max, layers })
    }

    /// Values of one sample.
    #[must_use]
    pub fn features(&self) -> usize {
        self.layers[0].inputs
    }

    /// Classes that it tells apart.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.layers[self.layers.len() - 1].outputs
    }

    /// Inputs and outputs of each layer, from the input on.
    pub fn widths(&self) -> impl ExactSizeIterator<Item = (usize, usize)> + '_ {
        self.layers.iter().map(|layer| (layer.inputs, layer.outputs))
    }

    /// What follows each hidden layer.
    #[must_use]
    pub fn activation(&self) -> Activation {
        self.hyperparameters.activation
    }

    /// What inputs are divided by: the largest value of the training split.
    #[must_use]
    pub fn input_max(&self) -> u8 {
        self.input_max
    }

    /// Digest of the dataset that it was trained on.
    #[must_use]
    pub fn dataset(&self) -> &str {
        &self.dataset
    }

    /// Those that shape it; the others have their defaults, which do not matter to a trained model.
    pub(crate) fn hyperparameters(&self) -> &Hyperparameters {
        &self.hyperparameters
    }

    /// The layout and the flat vector of an engine.
    ///
    /// # Errors
    /// More parameters than a model may have.
    pub(crate) fn flat(&self) -> Result<(Layout, Vec<f32>), TrainError> {
        let layout = Layout::new(self.features() as u32, &self.hyperparameters.hidden, self.classes() as u32)?;
        let mut params = vec![0.0; layout.parameters()];
        for (place, layer) in layout.layers.iter().zip(&self.layers) {
            // The file has [out, in].
            let kernel = &mut params[place.kernel.clone()];
            for (output, weights) in layer.weight.chunks_exact(place.inputs).enumerate() {
                for (to, &weight) in kernel[output..].iter_mut().step_by(place.outputs).zip(weights) {
                    *to = weight;
                }
            }
            params[place.bias.clone()].copy_from_slice(&layer.bias);
        }
        Ok((layout, params))
    }
}

/// `layers.0`, `layers.1` ... and nothing else, each fitting the one before.
fn layers(file: &SafeTensors<'_>) -> Result<Vec<Dense>, ModelError> {
    let count = file.len() / 2;
    if count == 0 {
        return Err(ModelError::new("holds no layer"));
    }
    let mut layers: Vec<Dense> = Vec::new();
    for index in 0..count {
        let weight = Named::find(file, format!("layers.{index}.weight"))?;
        let bias = Named::find(file, format!("layers.{index}.bias"))?;
        let [outputs, inputs] = weight.shape[..] else {
            return Err(weight.refuse("not [out, in]"));
        };
        let fits = layers.last().is_none_or(|before| before.outputs == inputs);
        if !fits || inputs == 0 || outputs == 0 || u32::try_from(inputs.max(outputs)).is_err() {
            return Err(weight.refuse("which does not fit the layer before it"));
        }
        if bias.shape != [outputs] {
            return Err(bias.refuse(&format!("but the layer has {outputs} outputs")));
        }
        layers.push(Dense { inputs, outputs, weight: weight.values, bias: bias.values });
    }
    if file.len() != 2 * count {
        return Err(ModelError::new(format!(
            "holds {} tensors: a weight and a bias for each layer are meant",
            file.len()
        )));
    }
    Ok(layers)
}

/// A tensor under its name.
struct Named {
    name: String,
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Named {
    fn find(file: &SafeTensors<'_>, name: String) -> Result<Self, ModelError> {
        let tensor = file.tensor(&name).map_err(|_| ModelError::new(format!("`{name}` is missing")))?;
        if tensor.dtype() != Dtype::F32 {
            return Err(ModelError::new(format!("`{name}` has dtype {:?}; F32 is read", tensor.dtype())));
        }
        let values = tensor.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        Ok(Self { shape: tensor.shape().to_vec(), values, name })
    }

    fn refuse(&self, problem: &str) -> ModelError {
        ModelError::new(format!("`{}` has shape {:?}, {problem}", self.name, self.shape))
    }
}
