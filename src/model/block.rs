//! One decoder layer, in parts that a driver can run apart.

use burn::module::Module;
use burn::tensor::activation::silu;
use burn::tensor::{Int, Tensor};

use super::{Attention, Gates, LayerCache, Linear, Positions, RmsNorm};

/// h' = h + o(attention(norm(h))), h'' = h' + down(silu(gate(n)) · up(n)) with n = norm(h').
#[derive(Module, Debug)]
pub struct Block {
    /// Norm of the residual stream before attention.
    pub input_norm: RmsNorm,
    /// q, k, v, o.
    pub attention: Attention,
    /// Before the feed-forward part.
    pub post_norm: RmsNorm,
    /// `(channels, d)`: what scales the channels, before its SiLU.
    pub gate: Linear,
    /// `(channels, d)`: what is scaled.
    pub up: Linear,
    /// `(d, channels)`: its input columns are what pruning removes.
    pub down: Linear,
    /// Before o_proj and down_proj, while it is learnt what may go.
    pub gates: Option<Gates>,
}

impl Block {
    /// The input of o_proj, `(b, t, heads · head_dim)`.
    pub fn context(&self, hidden: Tensor<3>, positions: &Positions) -> Tensor<3> {
        self.attention.context(self.input_norm.forward(hidden), positions, None)
    }

    /// hidden + o_proj(context), `(b, t, d)`: the residual stream after attention.
    pub fn add_attention(&self, hidden: Tensor<3>, context: Tensor<3>) -> Tensor<3> {
        hidden + self.attended(context)
    }

    /// o_proj(context), `(b, t, d)`: what attention adds.
    pub fn attended(&self, context: Tensor<3>) -> Tensor<3> {
        // At what o_proj reads, so that a gate at zero leaves what a cut of the head's columns leaves.
        let context = match &self.gates {
            Some(gates) => gates.of_heads(context),
            None => context,
        };
        self.attention.o.forward(context)
    }

    /// The input of down_proj, `(b, t, channels)`.
    pub fn inner(&self, hidden: Tensor<3>) -> Tensor<3> {
        let n = self.post_norm.forward(hidden);
        silu(self.gate.forward(n.clone())) * self.up.forward(n)
    }

    /// The same layer as far as [`Self::inner`] goes, with these channels alone; its down_proj is what it was.
    #[must_use]
    pub fn with_channels(&self, channels: &Tensor<1, Int>) -> Self {
        Self { gate: self.gate.rows(channels), up: self.up.rows(channels), ..self.clone() }
    }

    /// hidden + down_proj(inner), `(b, t, d)`: what the next layer is given.
    pub fn add_mlp(&self, hidden: Tensor<3>, inner: Tensor<3>) -> Tensor<3> {
        let inner = match &self.gates {
            Some(gates) => gates.of_channels(inner),
            None => inner,
        };
        hidden + self.down.forward(inner)
    }

    /// The whole layer for sequences from their beginning, `(b, t, d)` to the same shape.
    pub fn forward(&self, hidden: Tensor<3>, positions: &Positions) -> Tensor<3> {
        let context = self.context(hidden.clone(), positions);
        self.feed_forward(self.add_attention(hidden, context))
    }

    /// The whole layer for tokens that follow those in `cache`.
    pub fn forward_cached(&self, hidden: Tensor<3>, positions: &Positions, cache: &mut LayerCache) -> Tensor<3> {
        let normed = self.input_norm.forward(hidden.clone());
        let context = self.attention.context(normed, positions, Some(cache));
        self.feed_forward(self.add_attention(hidden, context))
    }

    fn feed_forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        let inner = self.inner(hidden.clone());
        self.add_mlp(hidden, inner)
    }
}
