//! Factors at heads and channels, while it is learnt which of them a model can do without.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

/// What goes into o_proj and down_proj, head by head and channel by channel, counts so much: 1 as the model is, 0 as
/// if it were cut.
#[derive(Module, Debug)]
pub struct Gates {
    /// `(heads)`, one for each query head.
    pub heads: Param<Tensor<1>>,
    /// `(channels)`.
    pub channels: Param<Tensor<1>>,
}

impl Gates {
    /// Gates at these factors.
    pub fn new(heads: Tensor<1>, channels: Tensor<1>) -> Self {
        Self { heads: Param::from_tensor(heads), channels: Param::from_tensor(channels) }
    }

    /// The contexts `(b, t, heads · head_dim)` behind the gates.
    pub(super) fn of_heads(&self, context: Tensor<3>) -> Tensor<3> {
        let [b, t, width] = context.dims();
        let factors = self.heads.val();
        let [heads] = factors.dims();
        // A head's entries are neighbours, so its factor stands for an axis of them.
        let gated = context.reshape([b, t, heads, width / heads]) * factors.reshape([1, 1, heads, 1]);
        gated.reshape([b, t, width])
    }

    /// The inner activations `(b, t, channels)` behind the gates.
    pub(super) fn of_channels(&self, inner: Tensor<3>) -> Tensor<3> {
        inner * self.channels.val().unsqueeze()
    }
}
