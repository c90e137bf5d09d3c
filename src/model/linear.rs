//! y = x Wᵀ + b, and the root-mean-square norm.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

/// y = x Wᵀ + b over the last axis.
#[derive(Module, Debug)]
pub struct Linear {
    /// W `(out, in)`, as it is stored.
    pub weight: Param<Tensor<2>>,
    /// b `(out)`; `None` where the family has none.
    pub bias: Option<Param<Tensor<1>>>,
}

impl Linear {
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

/// x / √(mean x² + ε) · scale over the last axis (arXiv 1910.07467).
#[derive(Module, Debug)]
pub struct RmsNorm {
    /// One factor for each entry of the last axis, `(d)`.
    pub scale: Param<Tensor<1>>,
    eps: f64,
}

impl RmsNorm {
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
