//! Operations that candle lacks, or has only in a dearer form, each with its backward pass;
//! autograd joins them.

use besom_sweep::Activation;
use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, InplaceOp1, Layout, Result, Shape, Tensor, bail};

use crate::activation;
use crate::simd::Isa;

/// x w for a batch x [rows, in] and a kernel w [in, out]. Plain autograd would also compute the
/// gradient with respect to the batch, a third of the first layer's work, and throw it away.
pub(super) struct InputProduct;

impl CustomOp2 for InputProduct {
    fn name(&self) -> &'static str {
        "input-product"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, w: &CpuStorage, lw: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, inputs) = lx.shape().dims2()?;
        let (_, outputs) = lw.shape().dims2()?;
        let product = x.matmul(w, (1, rows, outputs, inputs), lx, lw)?;
        Ok((product, Shape::from((rows, outputs))))
    }

    fn bwd(&self, x: &Tensor, _w: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((None, Some(x.t()?.matmul(grad)?)))
    }
}

/// An activation. candle's own differ from Keras: relu's slope at 0 is 1 there, gelu's has six
/// digits.
pub(super) struct Activate(pub(super) Activation);

impl CustomOp1 for Activate {
    fn name(&self) -> &'static str {
        "activate"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut ys = slice(x, layout)?.to_vec();
        activation::values(Isa::detect(), self.0, &mut ys);
        Ok((CpuStorage::F32(ys), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let mut gradient = read(grad, |grad| Ok(grad.to_vec()))?;
        read(x, |x| {
            read(y, |y| {
                activation::backward(Isa::detect(), self.0, x, y, &mut gradient);
                Ok(())
            })
        })?;
        Ok(Some(Tensor::from_vec(gradient, x.shape(), x.device())?))
    }
}

/// Multiplies by constant factors, forward and backward: dropout.
pub(super) struct Mask(pub(super) Vec<f32>);

impl Mask {
    fn apply(&self, values: &[f32]) -> Vec<f32> {
        values.iter().zip(&self.0).map(|(value, factor)| value * factor).collect()
    }
}

impl CustomOp1 for Mask {
    fn name(&self) -> &'static str {
        "mask"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(self.apply(slice(x, layout)?)), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(Tensor::from_vec(read(grad, |grad| Ok(self.apply(grad)))?, x.shape(), x.device())?))
    }
}

/// The end of the graph: a scalar whose gradient with respect to the logits is known already, since
/// the loss computes both at once.
pub(super) struct KnownGradient(pub(super) Tensor);

impl CustomOp1 for KnownGradient {
    fn name(&self) -> &'static str {
        "known-gradient"
    }

    fn cpu_fwd(&self, _logits: &CpuStorage, _layout: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(vec![0.0]), Shape::from(())))
    }

    fn bwd(&self, _logits: &Tensor, _res: &Tensor, _grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(self.0.clone()))
    }
}

/// Overwrites a tensor's values in place, so that a model keeps its tensors from step to step.
pub(super) struct Assign<'a>(pub(super) &'a [f32]);

impl InplaceOp1 for Assign<'_> {
    fn name(&self) -> &'static str {
        "assign"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        match (storage, layout.contiguous_offsets()) {
            (CpuStorage::F32(values), Some((start, end))) => values[start..end].copy_from_slice(self.0),
            _ => bail!("assign needs a contiguous f32 tensor"),
        }
        Ok(())
    }
}

/// Hands the values of an `f32` tensor to `f`, row by row.
pub(super) fn read<R>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        candle_core::Storage::Cpu(storage) => f(slice(storage, layout)?),
        _ => bail!("the tensor is not in main memory"),
    }
}

fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        _ => bail!("needs a contiguous f32 tensor"),
    }
}
