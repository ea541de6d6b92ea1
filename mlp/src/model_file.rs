//! Reads a model back from the safetensors file that `model` writes.
//!
//! A file comes from a store that others may have written to: its digest, every name, shape and
//! length are checked before a number is used, and whatever does not fit is refused by name. What
//! is left is a multilayer perceptron whose layers fit each other. Nothing here computes: `predict`
//! does.

use besom_sweep::{Activation, Hyperparameters, Params, Scale};
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

use super::job::TrainError;
use super::layout::Layout;
use besom_dataset::Scaling;
use besom_dataset::digest::hex;

/// A multilayer perceptron as its file has it.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelFile {
    hyperparameters: Hyperparameters,
    dataset: String,
    scaling: InputScaling,
    layers: Vec<Dense>,
}

/// How values of a source become inputs.
#[derive(Debug, Clone, PartialEq)]
pub enum InputScaling {
    /// Whole numbers 0 to 255 over the largest one of the training split.
    DivideBy(u8),
    /// Other numbers by the statistics of the training split.
    Floats(Scaling),
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
        let scale = metadata.get("scale");
        let inputs = file.names().into_iter().filter(|name| scale.is_some() && name.starts_with(INPUT)).count();
        let layers = layers(&file, inputs)?;
        let scaling = match scale {
            None => {
                let max = said("input_max")?;
                let max = max.parse().ok().filter(|&max| max > 0);
                let problem = || ModelError::new(format!("input_max: `{}` is not 1 to 255", metadata["input_max"]));
                InputScaling::DivideBy(max.ok_or_else(problem)?)
            }
            Some(scale) => InputScaling::Floats(scaling(&file, scale, layers[0].inputs, inputs)?),
        };
        let mut params = Params::new();
        params.insert("activation".to_owned(), said("activation")?.as_str().into());
        let widths: Vec<usize> = layers[..layers.len() - 1].iter().map(|layer| layer.outputs).collect();
        params.insert("hidden".to_owned(), widths.into());
        let hyperparameters =
            Hyperparameters::from_params(&params).map_err(|error| ModelError::new(error.to_string()))?;
        Ok(Self { hyperparameters, dataset: said("dataset")?.clone(), scaling, layers })
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

    /// How values of a source become its inputs.
    #[must_use]
    pub fn scaling(&self) -> &InputScaling {
        &self.scaling
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

/// What the names of statistics begin with.
const INPUT: &str = "input.";

/// The statistics that inputs of `features` values are scaled by; nothing else is called as they
/// are.
fn scaling(file: &SafeTensors<'_>, scale: &str, features: usize, tensors: usize) -> Result<Scaling, ModelError> {
    let known = Scale::parse(scale).ok_or_else(|| ModelError::new(format!("scale: `{scale}` is not known")))?;
    let mut found = 0;
    let mut numbers = |name: &str| -> Result<Vec<f64>, ModelError> {
        let Ok(tensor) = file.tensor(&format!("{INPUT}{name}")) else { return Ok(Vec::new()) };
        found += 1;
        if tensor.dtype() != Dtype::F64 || tensor.shape() != [features] {
            let (dtype, shape) = (tensor.dtype(), tensor.shape());
            let problem =
                format!("`{INPUT}{name}` has dtype {dtype:?} and shape {shape:?}; F64 and [{features}] are meant");
            return Err(ModelError::new(problem));
        }
        Ok(tensor.data().as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect())
    };
    let scaling = Scaling::new(known, features, numbers("shift")?, numbers("divisor")?);
    let wrong = || ModelError::new(format!("the statistics of its inputs are not those of scale `{scale}`"));
    scaling.filter(|_| found == tensors).ok_or_else(wrong)
}

/// `layers.0`, `layers.1` ... and nothing else but the `inputs` tensors of statistics, each fitting
/// the one before.
fn layers(file: &SafeTensors<'_>, inputs: usize) -> Result<Vec<Dense>, ModelError> {
    let tensors = file.len() - inputs;
    let count = tensors / 2;
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
    if tensors != 2 * count {
        let problem = format!("holds {tensors} tensors: a weight and a bias for each layer are meant");
        return Err(ModelError::new(problem));
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
