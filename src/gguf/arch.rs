//! The architectures of llama.cpp that hold our models: their names, how they name tensors, and what
//! they keep in which order.

use strum::VariantArray;

use super::key::tensor::LAYER;
use crate::shape::{Norm, Part, Projection};

/// An architecture of llama.cpp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
pub enum Arch {
    /// LLaMA: one size for all layers.
    Llama,
    /// Qwen2: biases on q, k and v, one size for all layers.
    Qwen2,
    /// Qwen3: norms on heads, one size for all layers.
    Qwen3,
    /// DeciLM: LLaMA with a size for each layer, and biases where there are any.
    Deci,
    /// OpenELM: norms on heads, a tied head, and a size for each layer.
    OpenElm,
    /// SmolLM3: every fourth layer without positions, one size for all layers.
    SmolLm3,
    /// Granite: LLaMA with factors, one size for all layers.
    Granite,
    /// OLMo 2: norms behind, and over all heads, one size for all layers.
    Olmo2,
    /// Gemma 2: norms on both sides, caps and windows, one size for all layers.
    Gemma2,
    /// Gemma 3: norms on both sides and on heads, and windows, one size for all layers.
    Gemma3,
}

impl Arch {
    /// Its name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::Deci => "deci",
            Self::OpenElm => "openelm",
            Self::SmolLm3 => "smollm3",
            Self::Granite => "granite",
            Self::Olmo2 => "olmo2",
            Self::Gemma2 => "gemma2",
            Self::Gemma3 => "gemma3",
        }
    }

    /// The architecture of this name, if its files are read.
    pub fn named(name: &str) -> Option<Self> {
        Self::read().find(|arch| arch.name() == name)
    }

    /// The names of those whose files are read, for messages.
    pub(super) fn names() -> String {
        Self::read().map(Self::name).collect::<Vec<_>>().join(", ")
    }

    /// Those whose files are read. In a Gemma's, one was added to the scales of norms, which does not come off again
    /// without rounding.
    fn read() -> impl Iterator<Item = Self> {
        Self::VARIANTS.iter().copied().filter(|arch| !arch.has_norms_around())
    }

    fn has_norms_around(self) -> bool {
        matches!(self, Self::Gemma2 | Self::Gemma3)
    }

    /// Its name of a part, without the ending; `None` where it has no place for it.
    pub fn tensor_name(self, part: Part) -> Option<&'static str> {
        match part {
            Part::Bias(of) if !self.has_bias(of) => None,
            part => self.stem(part),
        }
    }

    /// The name of a part's tensor in layer `layer` where a file has one; `None` where it has no name.
    pub fn tensor_in_layer(self, layer: usize, part: Part) -> Option<String> {
        let ending = if matches!(part, Part::Bias(_)) { "bias" } else { "weight" };
        Some(format!("{LAYER}{layer}.{}.{ending}", self.stem(part)?))
    }

    fn stem(self, part: Part) -> Option<&'static str> {
        let has_head_norms = matches!(self, Self::Qwen3 | Self::OpenElm | Self::Gemma3);
        let (around, behind) = (self.has_norms_around(), self == Self::Olmo2);
        let of = match part {
            Part::Norm(Norm::Input) if !behind => return Some("attn_norm"),
            Part::Norm(Norm::Query) if has_head_norms => return Some("attn_q_norm"),
            Part::Norm(Norm::Key) if has_head_norms => return Some("attn_k_norm"),
            Part::Norm(Norm::Queries) if behind => return Some("attn_q_norm"),
            Part::Norm(Norm::Keys) if behind => return Some("attn_k_norm"),
            Part::Norm(Norm::PostAttention) if around || behind => return Some("post_attention_norm"),
            Part::Norm(Norm::PreFeedForward) if around => return Some("ffn_norm"),
            Part::Norm(Norm::PostFeedForward) if around || behind => return Some("post_ffw_norm"),
            Part::Norm(Norm::PostAttention) => return Some("ffn_norm"),
            Part::Norm(_) => return None,
            Part::Weight(of) | Part::Bias(of) => of,
        };
        Some(match of {
            of if self.fused().iter().any(|group| group.contains(&of)) => "attn_qkv",
            Projection::Q => "attn_q",
            Projection::K => "attn_k",
            Projection::V => "attn_v",
            Projection::O => "attn_output",
            Projection::Gate => "ffn_gate",
            Projection::Up => "ffn_up",
            Projection::Down => "ffn_down",
        })
    }

    fn has_bias(self, of: Projection) -> bool {
        match self {
            Self::Qwen2 => Projection::QKV.contains(&of),
            // Each is read where the file has it.
            Self::Deci | Self::Granite => true,
            _ => false,
        }
    }

    /// The projections that it keeps in one tensor.
    pub fn fused(self) -> &'static [&'static [Projection]] {
        if self == Self::OpenElm { &[Projection::QKV] } else { &[] }
    }

    /// Whether rotary pairs lie side by side, so that rows of q and k stand in that order.
    pub fn pairs_lie_side_by_side(self) -> bool {
        matches!(self, Self::Llama | Self::Deci | Self::SmolLm3 | Self::Granite)
    }

    /// Whether rows of a part stand in the order of [`side_by_side`](super::side_by_side).
    pub fn reorders(self, part: Part) -> bool {
        let turns =
            matches!(part, Part::Weight(Projection::Q | Projection::K) | Part::Bias(Projection::Q | Projection::K));
        turns && self.pairs_lie_side_by_side()
    }

    /// Whether it has a size for each layer; the others build every layer by the first one's number,
    /// whatever a list says.
    pub fn has_layers_that_differ(self) -> bool {
        matches!(self, Self::Deci | Self::OpenElm)
    }
}
