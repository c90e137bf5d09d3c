//! The families of decoder that are read, and which of their tensors hold several projections.

use serde::{Deserialize, Serialize};

use super::Projection;

/// The families of decoder we read, by the `model_type` of their `config.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// LLaMA 1, 2, 3 and everything that keeps its layout.
    Llama,
    /// Mistral: LLaMA's layout with grouped-query attention.
    Mistral,
    /// Qwen2: LLaMA's layout with biases on q, k and v.
    Qwen2,
    /// Qwen3: LLaMA's layout with a norm on every head of q and k.
    Qwen3,
    /// Baichuan 7B: LLaMA with q, k and v stored as one matrix.
    Baichuan,
    /// Phi-3 and Phi-4: LLaMA with q, k and v stored as one matrix, and gate and up as another.
    Phi3,
    /// SmolLM3: LLaMA with layers that know no positions.
    SmolLm3,
    /// OLMo 2: norms behind attention and feed-forward part, and one over all heads of q, and of k.
    Olmo2,
    /// Granite: LLaMA with factors at embedding, scores, residual stream and logits.
    Granite,
    /// Gemma 2: norms on both sides, caps on scores and logits, a window in every other layer.
    Gemma2,
    /// Gemma 3, text alone: norms on both sides and on heads, windows with a rotary base of their own.
    #[serde(rename = "gemma3_text")]
    Gemma3,
}

/// A tensor that holds several projections under one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fused {
    /// Its name within a layer.
    pub name: &'static str,
    /// What lies in it, from its first row on.
    pub projections: &'static [Projection],
}

const PHI3: [Fused; 2] = [
    Fused { name: "self_attn.qkv_proj.weight", projections: Projection::QKV },
    Fused { name: "mlp.gate_up_proj.weight", projections: Projection::GATE_UP },
];
const BAICHUAN: [Fused; 1] = [Fused { name: "self_attn.W_pack.weight", projections: Projection::QKV }];

impl Family {
    /// The family as which a model is written: a Baichuan whose projections are split is a LLaMA.
    pub fn written(self) -> Self {
        if self == Self::Baichuan { Self::Llama } else { self }
    }

    /// The tensors of its files that hold several projections.
    pub fn fused(self) -> &'static [Fused] {
        match self {
            Self::Baichuan => &BAICHUAN,
            Self::Phi3 => &PHI3,
            _ => &[],
        }
    }

    /// Whether its files keep this projection within another tensor.
    pub fn fuses(self, projection: Projection) -> bool {
        self.fused().iter().any(|fused| fused.projections.contains(&projection))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_projection_is_fused_where_its_family_does_so() {
        assert!(Family::Phi3.fuses(Projection::Up) && !Family::Phi3.fuses(Projection::Down));
        assert!(Family::Baichuan.fuses(Projection::Q) && !Family::Baichuan.written().fuses(Projection::Q));
    }
}
