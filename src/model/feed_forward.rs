//! The feed-forward part of a layer, up to the input of down_proj.

use burn::module::Module;
use burn::tensor::{Int, Tensor};

use super::activation::activated;
use super::linear::normed;
use super::{Linear, RmsNorm};
use crate::shape::Activation;

/// σ(gate(n)) · up(n) with n the normed residual stream, and down, which takes it back there.
#[derive(Module, Debug)]
pub struct FeedForward {
    /// Of the residual stream, before all else, where there is one.
    pub norm: Option<RmsNorm>,
    /// `(channels, d)`: what scales the channels, before its activation.
    pub gate: Linear,
    /// `(channels, d)`: what is scaled.
    pub up: Linear,
    /// `(d, channels)`: its input columns are what pruning removes.
    pub down: Linear,
    /// Of what it adds to the residual stream, where norms stand behind.
    pub added_norm: Option<RmsNorm>,
    #[module(skip)]
    pub(super) activation: Activation,
}

impl FeedForward {
    /// The input of down_proj, `(b, t, channels)`.
    pub fn inner(&self, hidden: Tensor<3>) -> Tensor<3> {
        let n = normed(self.norm.as_ref(), hidden);
        activated(self.gate.forward(n.clone()), self.activation) * self.up.forward(n)
    }

    /// The same as far as [`Self::inner`] goes, with these channels alone; its down_proj is what it was.
    pub(super) fn with_channels(&self, channels: &Tensor<1, Int>) -> Self {
        Self { gate: self.gate.rows(channels), up: self.up.rows(channels), ..self.clone() }
    }
}
