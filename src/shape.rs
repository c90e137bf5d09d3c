//! Vocabulary: how large a model is, layer by layer, and which numbers of its configuration the
//! mathematics needs. Knows no file and no device.

mod layer;
mod part;

use serde::{Deserialize, Serialize};

pub use layer::Layer;
pub use part::{Axis, Norm, Part, Projection, entries_of};

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
}

/// The sizes of one decoder layer that pruning changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LayerShape {
    /// Query heads, each `head_dim` columns of o_proj.
    #[serde(rename = "num_attention_heads")]
    pub heads: usize,
    /// Key/value heads; divides `heads`.
    #[serde(rename = "num_key_value_heads")]
    pub kv_heads: usize,
    /// Feed-forward channels: the width between up and down.
    #[serde(rename = "intermediate_size")]
    pub channels: usize,
}

impl LayerShape {
    /// Most query heads that a layer is read with, several times what any model has: a file that says more is
    /// wrong, and whoever believed it would fill the memory.
    pub const MOST_HEADS: usize = 1024;

    /// Whether a layer can have these sizes.
    pub fn is_possible(&self) -> bool {
        self.kv_heads > 0 && self.heads.is_multiple_of(self.kv_heads) && self.heads <= Self::MOST_HEADS
    }

    /// Query heads that read one key/value head.
    pub fn heads_per_group(&self) -> usize {
        self.heads / self.kv_heads
    }
}

/// Where a prunable linear layer sits: its input columns are what goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Site {
    /// The input of `o_proj`: attention heads.
    Heads,
    /// The input of `down_proj`: feed-forward channels.
    Channels,
}

impl Site {
    /// The projection whose input columns are pruned.
    pub fn projection(self) -> Projection {
        match self {
            Self::Heads => Projection::O,
            Self::Channels => Projection::Down,
        }
    }
}

impl std::fmt::Display for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Heads => "heads",
            Self::Channels => "channels",
        })
    }
}

/// Rotary position embedding: base and, for LLaMA 3.1 and later, its frequency scaling.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rope {
    /// θ: frequency j of a head of d dimensions is θ^(−2j/d).
    pub theta: f64,
    /// LLaMA 3.1's stretching of the low frequencies.
    pub scaling: Option<RopeScaling>,
}

/// `rope_scaling` of type `llama3`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RopeScaling {
    /// By how much the lowest frequencies are divided.
    pub factor: f64,
    /// Wavelengths above `original_max_positions / low_freq_factor` are divided by `factor`.
    pub low_freq_factor: f64,
    /// Wavelengths below `original_max_positions / high_freq_factor` are kept.
    pub high_freq_factor: f64,
    /// The context the model was first trained with.
    #[serde(rename = "original_max_position_embeddings")]
    pub original_max_positions: usize,
}

/// Everything about a model that is a number: read from `config.json`, needed to run and to prune.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// The family, by `model_type` (for a folder we pruned: the family it was pruned from).
    pub family: Family,
    /// Rows of the embedding.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Dimensions of one head, the same for query, key and value heads.
    pub head_dim: usize,
    /// The sizes of an unpruned layer: the globals of `config.json`.
    pub dense: LayerShape,
    /// The sizes of each layer as it is.
    pub layers: Vec<LayerShape>,
    /// Longest context the model was made for.
    pub max_positions: usize,
    /// ε of every RMSNorm.
    pub rms_norm_eps: f64,
    /// Rotary position embedding of q and k (RoFormer, arXiv 2104.09864).
    pub rope: Rope,
    /// Whether q, k and v have biases.
    pub qkv_bias: bool,
    /// Whether the attention output has a bias.
    pub o_bias: bool,
    /// Whether gate, up and down have biases.
    pub mlp_bias: bool,
    /// Whether every head of q and k is normed before it is turned by its position.
    pub qk_norm: bool,
    /// Whether the output head is the embedding.
    pub tied_head: bool,
    /// Token that begins a text; `None` where the model has none.
    pub bos_token: Option<u32>,
    /// Tokens that end a text; empty where config.json names none.
    pub eos_tokens: Vec<u32>,
}

#[cfg(test)]
impl ModelConfig {
    /// A small LLaMA for tests, in which the heads share the hidden size and the head is the embedding.
    pub(crate) fn toy(hidden_size: usize, dense: LayerShape, layers: usize) -> Self {
        Self {
            family: Family::Llama,
            vocab_size: 10,
            hidden_size,
            head_dim: hidden_size / dense.heads,
            dense,
            layers: vec![dense; layers],
            max_positions: 64,
            rms_norm_eps: 1e-6,
            rope: Rope { theta: 1e4, scaling: None },
            qkv_bias: false,
            o_bias: false,
            mlp_bias: false,
            qk_norm: false,
            tied_head: true,
            bos_token: None,
            eos_tokens: Vec::new(),
        }
    }
}

impl ModelConfig {
    /// Most layers that are read: far more than any model has.
    pub const MOST_LAYERS: usize = 1 << 10;

    /// Parameters of all decoder layers as they are.
    pub fn decoder_parameters(&self) -> usize {
        self.layers.iter().map(|&l| self.layer_parameters(l)).sum()
    }

    /// Parameters outside the decoder layers: embedding, output head unless tied, final norm.
    pub fn outer_parameters(&self) -> usize {
        // A tied head is the embedding itself and counts once.
        let heads = if self.tied_head { 1 } else { 2 };
        heads * self.vocab_size * self.hidden_size + self.hidden_size
    }

    /// All parameters of the model as it is.
    pub fn parameters(&self) -> usize {
        self.decoder_parameters() + self.outer_parameters()
    }

    /// The same model with no layer pruned.
    pub fn unpruned(&self) -> Self {
        Self { layers: vec![self.dense; self.layers.len()], ..self.clone() }
    }

    /// Whether every layer has the same sizes.
    pub fn is_uniform(&self) -> bool {
        self.layers.windows(2).all(|w| w[0] == w[1])
    }
}
