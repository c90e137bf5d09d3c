//! What a model computes that LLaMA does not: one description for all who compute, read, write and refuse.

use serde::Serialize;

use super::Rope;

/// What a model computes that a LLaMA does not; [`Design::default`] is a LLaMA.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Design {
    /// Where the norms of a layer stand.
    pub norms: Norms,
    /// Whether queries of all heads are normed together, and keys: a head without which others would compute
    /// otherwise cannot go.
    pub binds_heads: bool,
    /// What is added to the scale of every norm: 1 where files keep its distance from 1.
    pub norm_offset: f64,
    /// What scales the channels, behind gate.
    pub activation: Activation,
    /// Factor of every embedding.
    pub embedding_scale: f64,
    /// Factor of what the halves of a layer add to the residual stream.
    pub residual_scale: f64,
    /// Factor of the scores q kᵀ; `None` for 1/√(dimensions of a head).
    pub score_scale: Option<f64>,
    /// c of c · tanh(score / c), behind the factor and before the mask.
    pub score_cap: Option<f64>,
    /// Factor of the logits.
    pub logit_scale: f64,
    /// c of c · tanh(logit / c), behind the factor.
    pub logit_cap: Option<f64>,
    /// How many tokens, itself included, a token sees in the layers that slide.
    pub window: Option<usize>,
    /// Rotary positions of the layers that slide, where they have their own.
    pub window_rope: Option<Rope>,
    /// Dimensions of a head that turn, its first; all where there is no number.
    pub rotated: Option<usize>,
    /// How rotary positions are stretched.
    pub stretch: Option<Stretch>,
    /// What each layer's attention does with positions; empty where all turn and none slides.
    pub layers: Vec<Reach>,
}

impl Default for Design {
    fn default() -> Self {
        Self {
            norms: Norms::Before,
            binds_heads: false,
            norm_offset: 0.0,
            activation: Activation::Silu,
            embedding_scale: 1.0,
            residual_scale: 1.0,
            score_scale: None,
            score_cap: None,
            logit_scale: 1.0,
            logit_cap: None,
            window: None,
            window_rope: None,
            rotated: None,
            stretch: None,
            layers: Vec::new(),
        }
    }
}

impl Design {
    /// Whether it is what a LLaMA computes.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the outputs of o_proj and down_proj are added to the residual stream as they are.
    pub fn adds_plainly(&self) -> bool {
        self.norms == Norms::Before && self.residual_scale == 1.0
    }

    /// What a token's row of the embedding is to the first layer.
    pub fn embedded<'a>(&self, row: &'a [f32]) -> impl Iterator<Item = f32> + use<'a> {
        let scale = self.embedding_scale as f32;
        row.iter().map(move |value| value * scale)
    }

    /// What the attention of layer `i` does with positions.
    pub fn layer(&self, i: usize) -> Reach {
        self.layers.get(i).copied().unwrap_or_default()
    }
}

/// Rotary positions that were stretched to a longer context (LongRoPE, arXiv 2402.13753).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stretch {
    /// By what the frequency of each pair is divided.
    pub divisors: Vec<f64>,
    /// Factor of what turns, of queries and of keys.
    pub factor: f64,
    /// Tokens of a text for which these divisors are meant.
    pub context: usize,
}

/// Where the norms of a layer stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Norms {
    /// Before attention and before the feed-forward part.
    Before,
    /// Of what each adds to the residual stream.
    Behind,
    /// Before and behind each.
    Around,
}

/// What scales the channels: a function of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Activation {
    /// x / (1 + e⁻ˣ).
    Silu,
    /// x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2: GELU as arXiv 1606.08415 approximates it.
    GeluTanh,
}

/// What a layer's attention does with positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Reach {
    /// Whether queries and keys are turned by their positions.
    pub turns: bool,
    /// Whether a token sees only those of its window.
    pub slides: bool,
}

impl Default for Reach {
    fn default() -> Self {
        Self { turns: true, slides: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_design_without_differences_is_a_llama() {
        assert!(Design::default().is_plain() && Design::default().adds_plainly());
        let slower = Design { residual_scale: 0.5, ..Design::default() };
        assert!(!slower.is_plain() && !slower.adds_plainly());
        let without = Reach { turns: false, slides: false };
        let some = Design { layers: vec![Reach::default(), without], ..Design::default() };
        assert!(!some.is_plain() && some.adds_plainly());
        assert_eq!((some.layer(1), some.layer(2)), (without, Reach::default()));
    }
}
