//! y = x Wᵀ + b, and the root-mean-square norm.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

use crate::checkpoint::{HostTensor, Projection};

/// A linear layer.
#[derive(Module, Debug)]
pub struct Linear {
    /// W `(out, in)`.
    pub weight: Param<Tensor<2>>,
    /// b `(out)`.
    pub bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    /// A layer with the weights of a checkpoint.
    pub fn load(projection: &Projection, device: &Device) -> Self {
        Self {
            weight: Param::from_tensor(matrix(&projection.weight, device)),
            bias: projection.bias.as_ref().map(|b| Param::from_tensor(vector(b, device))),
        }
    }

    /// `(…, in)` as `(b, t, in)` to `(b, t, out)`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [b, t, n] = x.dims();
        // One large product instead of b small ones.
        let y = x.reshape([b * t, n]).matmul(self.weight.val().transpose());
        let y = match &self.bias {
            Some(bias) => y + bias.val().unsqueeze(),
            None => y,
        };
        let [_, out] = y.dims();
        y.reshape([b, t, out])
    }
}

/// x / √(mean x² + ε) · scale.
#[derive(Module, Debug)]
pub struct RmsNorm {
    /// `(d)`.
    pub scale: Param<Tensor<1>>,
    eps: f64,
}

impl RmsNorm {
    /// A norm with the scale of a checkpoint.
    pub fn load(scale: &HostTensor, eps: f64, device: &Device) -> Self {
        Self::new(vector(scale, device), eps)
    }

    /// A norm with the scale `(d)`.
    pub fn new(scale: Tensor<1>, eps: f64) -> Self {
        Self { scale: Param::from_tensor(scale), eps }
    }

    /// `(…, d)` to the same shape.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let mean_square = x.clone().powi_scalar(2).mean_dim(D - 1);
        x / mean_square.add_scalar(self.eps).sqrt() * self.scale.val().unsqueeze()
    }
}

/// A stored matrix on the device.
pub(super) fn matrix(host: &HostTensor, device: &Device) -> Tensor<2> {
    let shape = [host.shape[0], host.shape[1]];
    Tensor::from_data(TensorData::new(host.values.clone(), shape), device)
}

/// A stored vector on the device.
pub(super) fn vector(host: &HostTensor, device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::new(host.values.clone(), [host.shape[0]]), device)
}
