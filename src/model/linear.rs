//! y = x Wᵀ + b, and the root-mean-square norm.

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor};

use super::{LowRank, Table, weighted};
use crate::device::panels::Panels;
use crate::shape::ModelConfig;

/// y = x Wᵀ + b over the last axis, and what an adapter adds.
#[derive(Module, Debug)]
pub struct Linear {
    /// W `(out, in)`, as it is stored.
    pub weight: Table,
    /// b `(out)`; `None` where the family has none.
    pub bias: Option<Param<Tensor<1>>>,
    /// The adapter, while one is learnt or tried.
    pub low_rank: Option<LowRank>,
}

impl Linear {
    /// A map of W `(out, in)` and b `(out)` without an adapter.
    pub fn new(weight: Panels, bias: Option<Tensor<1>>) -> Self {
        Self { weight: weight.into(), bias: bias.map(Param::from_tensor), low_rank: None }
    }

    /// The map onto some of its outputs.
    pub fn rows(&self, rows: &Tensor<1, Int>) -> Self {
        let of_bias = |bias: &Param<Tensor<1>>| Param::from_tensor(bias.val().select(0, rows.clone()));
        let kept: Panels = self.weight.val().select(rows.clone()).into();
        Self {
            weight: kept.into(),
            bias: self.bias.as_ref().map(of_bias),
            low_rank: self.low_rank.as_ref().map(|adapter| adapter.rows(rows)),
        }
    }

    /// `(…, in)` as `(b, t, in)` to `(b, t, out)`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [b, t, n] = x.dims();
        // One large product instead of b small ones.
        let x = x.reshape([b * t, n]);
        let y = weighted(x.clone(), &self.weight.val());
        let y = match &self.low_rank {
            // Beside W, which stays as it was read; two thin products also cost less than a sum as large as W.
            Some(adapter) => y + adapter.forward(x),
            None => y,
        };
        let y = match &self.bias {
            Some(bias) => y + bias.val().unsqueeze(),
            None => y,
        };
        let [_, out] = y.dims();
        y.reshape([b, t, out])
    }
}

/// x / √(mean x² + ε) · (offset + scale) over the last axis (arXiv 1910.07467).
#[derive(Module, Debug)]
pub struct RmsNorm {
    /// One factor for each entry of the last axis, `(d)`.
    pub scale: Param<Tensor<1>>,
    eps: f64,
    /// What is added to the scale, and the factor of what comes out.
    offset: f64,
    factor: f64,
}

impl RmsNorm {
    /// A norm of a model with the scale `(d)`.
    pub fn new(scale: Tensor<1>, config: &ModelConfig) -> Self {
        let (eps, offset) = (config.rms_norm_eps, config.design.norm_offset);
        Self { scale: Param::from_tensor(scale), eps, offset, factor: 1.0 }
    }

    /// The norm before a model's logits: they are linear in what comes out of it, so their factor stands here.
    pub(super) fn last(scale: Tensor<1>, config: &ModelConfig) -> Self {
        Self { factor: config.design.logit_scale, ..Self::new(scale, config) }
    }

    /// `(…, d)` to the same shape.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        // ε stands within the root, so that a row of zeros stays zeros.
        let mean_square = x.clone().powi_scalar(2).mean_dim(D - 1);
        let scale = self.scale.val();
        // Gone round where they change nothing: training would keep them for the way back.
        let scale = if self.offset == 0.0 { scale } else { scale.add_scalar(self.offset) };
        let scale = if self.factor == 1.0 { scale } else { scale.mul_scalar(self.factor) };
        x / mean_square.add_scalar(self.eps).sqrt() * scale.unsqueeze()
    }
}

/// `x` behind a norm, if there is one.
pub(super) fn normed<const D: usize>(norm: Option<&RmsNorm>, x: Tensor<D>) -> Tensor<D> {
    match norm {
        Some(norm) => norm.forward(x),
        None => x,
    }
}
