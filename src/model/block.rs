//! One decoder layer, in parts that a driver can run apart. Either half may be missing: then nothing is computed for it,
//! and the residual stream goes by as it is.

use burn::module::Module;
use burn::tensor::{Int, Tensor};

use super::linear::normed;
use super::{Attention, FeedForward, Gates, LayerCache, Positions};
use crate::shape::{Norms, Site};

/// h' = h + o(attention(norm(h))), h'' = h' + down(σ(gate(n)) · up(n)) with n = norm(h'); what is added is normed
/// and multiplied before, where the family does so.
#[derive(Module, Debug)]
pub struct Block {
    /// Its norms, q, k, v and o; `None` in a layer without attention.
    pub attention: Option<Attention>,
    /// Its norms, gate, up and down; `None` in a layer without a feed-forward part.
    pub feed_forward: Option<FeedForward>,
    /// Before o_proj and down_proj, while it is learnt what may go.
    pub gates: Option<Gates>,
    /// Where its norms stand.
    #[module(skip)]
    pub(super) norms: Norms,
    /// Factor of what both halves add.
    pub(super) residual_scale: f64,
}

impl Block {
    /// The input of o_proj, `(b, t, heads · head_dim)`; `None` in a layer without attention.
    pub fn context(&self, hidden: Tensor<3>, positions: &Positions) -> Option<Tensor<3>> {
        self.attention.as_ref().map(|attention| attention.context(hidden, positions, None))
    }

    /// The residual stream after attention, `(b, t, d)`, of the stream before and the input of o_proj.
    pub fn add_attention(&self, hidden: Tensor<3>, context: Option<Tensor<3>>) -> Tensor<3> {
        match self.attended(context) {
            Some(added) => hidden + added,
            None => hidden,
        }
    }

    /// What attention adds, `(b, t, d)`; `None` in a layer without attention.
    pub fn attended(&self, context: Option<Tensor<3>>) -> Option<Tensor<3>> {
        let (attention, context) = self.attention.as_ref().zip(context)?;
        // At what o_proj reads, so that a gate at zero leaves what a cut of the head's columns leaves.
        let context = match &self.gates {
            Some(gates) => gates.of_heads(context),
            None => context,
        };
        Some(self.added(Site::Heads, attention.o.forward(context)))
    }

    /// What is added to the residual stream, of the output of o_proj or of down_proj, both `(b, t, d)`.
    pub fn added(&self, site: Site, output: Tensor<3>) -> Tensor<3> {
        let norm = match site {
            Site::Heads => self.attention.as_ref().and_then(|attention| attention.added_norm.as_ref()),
            Site::Channels => self.feed_forward.as_ref().and_then(|feed_forward| feed_forward.added_norm.as_ref()),
        };
        let output = normed(norm, output);
        if self.residual_scale == 1.0 { output } else { output.mul_scalar(self.residual_scale) }
    }

    /// The input of down_proj, `(b, t, channels)`; `None` in a layer without a feed-forward part.
    pub fn inner(&self, hidden: Tensor<3>) -> Option<Tensor<3>> {
        self.feed_forward.as_ref().map(|feed_forward| feed_forward.inner(hidden))
    }

    /// The same layer as far as [`Self::inner`] goes, with these channels alone; its down_proj is what it was.
    #[must_use]
    pub fn with_channels(&self, channels: &Tensor<1, Int>) -> Self {
        let feed_forward = self.feed_forward.as_ref().map(|feed_forward| feed_forward.with_channels(channels));
        Self { feed_forward, ..self.clone() }
    }

    /// The same layer without its feed-forward part.
    #[must_use]
    pub fn without_feed_forward(&self) -> Self {
        Self { feed_forward: None, ..self.clone() }
    }

    /// What the next layer is given, `(b, t, d)`, of the residual stream after attention and the input of down_proj.
    pub fn add_mlp(&self, hidden: Tensor<3>, inner: Option<Tensor<3>>) -> Tensor<3> {
        let Some((feed_forward, inner)) = self.feed_forward.as_ref().zip(inner) else { return hidden };
        let inner = match &self.gates {
            Some(gates) => gates.of_channels(inner),
            None => inner,
        };
        hidden + self.added(Site::Channels, feed_forward.down.forward(inner))
    }

    /// The whole layer for sequences from their beginning, `(b, t, d)` to the same shape.
    pub fn forward(&self, hidden: Tensor<3>, positions: &Positions) -> Tensor<3> {
        let context = self.context(hidden.clone(), positions);
        self.after_attention(self.add_attention(hidden, context))
    }

    /// The whole layer for tokens that follow those in `cache`, which stays empty in a layer without attention.
    pub fn forward_cached(&self, hidden: Tensor<3>, positions: &Positions, cache: &mut LayerCache) -> Tensor<3> {
        let attend = |attention: &Attention| attention.context(hidden.clone(), positions, Some(cache));
        let context = self.attention.as_ref().map(attend);
        self.after_attention(self.add_attention(hidden, context))
    }

    fn after_attention(&self, hidden: Tensor<3>) -> Tensor<3> {
        let inner = self.inner(hidden.clone());
        self.add_mlp(hidden, inner)
    }
}
