//! Vocabulary: how large a model is, layer by layer, and which numbers of its configuration the
//! mathematics needs. Knows no file and no device.

mod design;
mod family;
mod layer;
mod part;

use serde::{Deserialize, Serialize};

pub use design::{Activation, Design, Norms, Reach, Stretch};
pub use family::{Family, Fused};
pub use layer::Layer;
pub use part::{Axis, Norm, Part, Projection, beginning_with, entries_of};

/// The sizes of one decoder layer that pruning changes. A layer may lack one of its halves: without heads it has no
/// attention, without channels no feed-forward part, and nothing of it is stored or computed.
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

    /// A layer that has lost both halves. No model has such a layer: it leaves.
    pub const EMPTY: Self = Self { heads: 0, kv_heads: 0, channels: 0 };

    /// Whether a layer can have these sizes.
    pub fn is_possible(&self) -> bool {
        let both_or_neither = (self.heads == 0) == (self.kv_heads == 0);
        // Of 0 only 0 is a multiple, so that a layer without attention passes.
        both_or_neither && self.heads.is_multiple_of(self.kv_heads) && self.heads <= Self::MOST_HEADS
    }

    /// Query heads that read one key/value head; 0 in a layer without attention.
    pub fn heads_per_group(&self) -> usize {
        self.heads.checked_div(self.kv_heads).unwrap_or(0)
    }

    /// Whether the layer has the half that a site stands in: attention, or the feed-forward part.
    pub fn has(&self, site: Site) -> bool {
        match site {
            Site::Heads => self.heads > 0,
            Site::Channels => self.channels > 0,
        }
    }

    /// Whether the layer has neither half, and so leaves the model.
    pub fn is_empty(&self) -> bool {
        Site::ALL.iter().all(|&site| !self.has(site))
    }

    /// Whether the layer has both halves.
    pub fn is_whole(&self) -> bool {
        Site::ALL.iter().all(|&site| self.has(site))
    }

    /// The same layer without the half that a site stands in.
    #[must_use]
    pub fn without(self, site: Site) -> Self {
        match site {
            Site::Heads => Self { heads: 0, kv_heads: 0, ..self },
            Site::Channels => Self { channels: 0, ..self },
        }
    }
}

/// Where each of these layers stands once those that have lost both halves have left the model; `None` for those.
pub fn places(layers: impl IntoIterator<Item = LayerShape>) -> Vec<Option<usize>> {
    // Checkpoints number their layers without gaps.
    let mut stay = 0..;
    layers.into_iter().map(|layer| if layer.is_empty() { None } else { stay.next() }).collect()
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
    /// Both, in the order in which a layer computes them.
    pub const ALL: [Self; 2] = [Self::Heads, Self::Channels];

    /// The half of a layer that it stands in, in words.
    pub fn half(self) -> &'static str {
        match self {
            Self::Heads => "attention",
            Self::Channels => "feed-forward part",
        }
    }

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
    /// Whether q and k are normed before they are turned by their position: every head, or all together.
    pub qk_norm: bool,
    /// What it computes that a LLaMA does not.
    pub design: Design,
    /// Whether the output head is the embedding.
    pub tied_head: bool,
    /// Token that begins a text; `None` where the model has none.
    pub bos_token: Option<u32>,
    /// Tokens that end a text; empty where config.json names none.
    pub eos_tokens: Vec<u32>,
}

impl ModelConfig {
    /// Most layers that are read: far more than any model has.
    pub const MOST_LAYERS: usize = 1 << 10;

    /// A LLaMA with ten tokens, in which the heads share the hidden size and the head is the embedding: what the shipped
    /// model and those of tests have in common.
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
            design: Design::default(),
            tied_head: true,
            bos_token: None,
            eos_tokens: Vec::new(),
        }
    }

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

    /// The same model with these layers. Those that have lost both halves leave it, and later ones move up.
    #[must_use]
    pub fn with_layers(&self, layers: impl IntoIterator<Item = LayerShape>) -> Self {
        Self { layers: layers.into_iter().filter(|layer| !layer.is_empty()).collect(), ..self.clone() }
    }

    /// Whether every layer has attention and a feed-forward part.
    pub fn has_whole_layers(&self) -> bool {
        self.layers.iter().all(LayerShape::is_whole)
    }

    /// Whether every layer has the same sizes.
    pub fn is_uniform(&self) -> bool {
        self.layers.windows(2).all(|w| w[0] == w[1])
    }
}
