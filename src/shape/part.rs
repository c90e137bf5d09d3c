//! The tensors of a decoder layer, and every fact about each: its name in a checkpoint, what its
//! axes run along, and which models have it. A new tensor begins here.
//!
//! Shapes, parameter counts, cutting and padding all follow from [`Part::axes`]: to remove heads is
//! to drop the entries of every axis that runs along heads.

use std::fmt;

use super::{LayerShape, ModelConfig};

/// A linear map of a layer, y = x Wᵀ + b.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Projection {
    /// Residual stream to queries.
    Q,
    /// Residual stream to keys.
    K,
    /// Residual stream to values.
    V,
    /// The heads' contexts back to the residual stream.
    O,
    /// Residual stream to what scales the channels, before its SiLU.
    Gate,
    /// Residual stream to channels.
    Up,
    /// Channels back to the residual stream.
    Down,
}

/// A root-mean-square norm of a layer; its one tensor is the scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Norm {
    /// Of the residual stream before attention.
    Input,
    /// Of each query head, before it is turned by its position.
    Query,
    /// Of each key head, before it is turned by its position.
    Key,
    /// Of the residual stream before the feed-forward part.
    PostAttention,
}

/// One tensor of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The scale of a norm.
    Norm(Norm),
    /// W `(out, in)` of a projection.
    Weight(Projection),
    /// b `(out)` of a projection.
    Bias(Projection),
}

/// What the entries along an axis of a tensor belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// The residual stream, which pruning leaves as wide as it is.
    Hidden,
    /// Query heads, `head_dim` entries each.
    Heads,
    /// Key/value heads, `head_dim` entries each.
    KvHeads,
    /// Feed-forward channels, one entry each.
    Channels,
    /// The dimensions within one head, whichever heads there are.
    HeadDim,
}

impl Axis {
    /// Entries along the axis in a layer of these sizes.
    pub fn entries(self, config: &ModelConfig, layer: LayerShape) -> usize {
        match self {
            Self::Hidden => config.hidden_size,
            Self::Heads => layer.heads * config.head_dim,
            Self::KvHeads => layer.kv_heads * config.head_dim,
            Self::Channels => layer.channels,
            Self::HeadDim => config.head_dim,
        }
    }
}

impl Projection {
    /// Every projection, in the order in which a layer computes with them.
    pub const ALL: [Self; 7] = [Self::Q, Self::K, Self::V, Self::O, Self::Gate, Self::Up, Self::Down];
    /// Queries, keys and values, which some formats keep in one matrix.
    pub const QKV: &'static [Self] = &[Self::Q, Self::K, Self::V];

    /// What the rows and the columns of W run along.
    pub fn axes(self) -> &'static [Axis; 2] {
        match self {
            Self::Q => &[Axis::Heads, Axis::Hidden],
            Self::K | Self::V => &[Axis::KvHeads, Axis::Hidden],
            Self::O => &[Axis::Hidden, Axis::Heads],
            Self::Gate | Self::Up => &[Axis::Channels, Axis::Hidden],
            Self::Down => &[Axis::Hidden, Axis::Channels],
        }
    }
}

impl Part {
    /// Every part there can be, in the order in which a layer computes with them.
    pub const ALL: [Self; 18] = [
        Self::Norm(Norm::Input),
        Self::Weight(Projection::Q),
        Self::Bias(Projection::Q),
        Self::Weight(Projection::K),
        Self::Bias(Projection::K),
        Self::Weight(Projection::V),
        Self::Bias(Projection::V),
        Self::Norm(Norm::Query),
        Self::Norm(Norm::Key),
        Self::Weight(Projection::O),
        Self::Bias(Projection::O),
        Self::Norm(Norm::PostAttention),
        Self::Weight(Projection::Gate),
        Self::Bias(Projection::Gate),
        Self::Weight(Projection::Up),
        Self::Bias(Projection::Up),
        Self::Weight(Projection::Down),
        Self::Bias(Projection::Down),
    ];

    /// What each axis runs along, outermost first.
    pub fn axes(self) -> &'static [Axis] {
        match self {
            Self::Norm(Norm::Input | Norm::PostAttention) => &[Axis::Hidden],
            // One scale for all heads: nothing of it goes with a head.
            Self::Norm(Norm::Query | Norm::Key) => &[Axis::HeadDim],
            Self::Weight(projection) => projection.axes(),
            // One entry for each row of W.
            Self::Bias(projection) => &projection.axes()[..1],
        }
    }

    /// Whether the layers of a model have it.
    pub fn is_in(self, config: &ModelConfig) -> bool {
        match self {
            Self::Norm(Norm::Input | Norm::PostAttention) | Self::Weight(_) => true,
            Self::Norm(Norm::Query | Norm::Key) => config.qk_norm,
            Self::Bias(Projection::Q | Projection::K | Projection::V) => config.qkv_bias,
            Self::Bias(Projection::O) => config.o_bias,
            Self::Bias(Projection::Gate | Projection::Up | Projection::Down) => config.mlp_bias,
        }
    }

    /// Its sizes in a layer of these sizes, outermost first.
    pub fn shape(self, config: &ModelConfig, layer: LayerShape) -> Vec<usize> {
        self.axes().iter().map(|axis| axis.entries(config, layer)).collect()
    }

    /// How many elements it has in a layer of these sizes.
    pub fn elements(self, config: &ModelConfig, layer: LayerShape) -> usize {
        self.axes().iter().map(|axis| axis.entries(config, layer)).product()
    }
}

impl ModelConfig {
    /// The parts that each layer of the model has, in the order of [`Part::ALL`].
    pub fn parts(&self) -> impl Iterator<Item = Part> {
        Part::ALL.into_iter().filter(|part| part.is_in(self))
    }

    /// Whether any projection has a bias.
    pub fn has_biases(&self) -> bool {
        self.parts().any(|part| matches!(part, Part::Bias(_)))
    }

    /// Parameters of one decoder layer of the given sizes, norms and biases included.
    pub fn layer_parameters(&self, layer: LayerShape) -> usize {
        self.parts().map(|part| part.elements(self, layer)).sum()
    }
}

/// The entries along an axis that belong to `units` of `width` entries each.
pub fn entries_of(units: &[usize], width: usize) -> Vec<usize> {
    units.iter().flat_map(|unit| unit * width..(unit + 1) * width).collect()
}

impl fmt::Display for Projection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Q => "q_proj",
            Self::K => "k_proj",
            Self::V => "v_proj",
            Self::O => "o_proj",
            Self::Gate => "gate_proj",
            Self::Up => "up_proj",
            Self::Down => "down_proj",
        })
    }
}

impl fmt::Display for Part {
    /// The name within a layer that Hugging Face gives it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Projection::{Down, Gate, K, O, Q, Up, V};
        let ending = if matches!(self, Self::Bias(_)) { "bias" } else { "weight" };
        match self {
            Self::Norm(Norm::Input) => write!(f, "input_layernorm.{ending}"),
            Self::Norm(Norm::Query) => write!(f, "self_attn.q_norm.{ending}"),
            Self::Norm(Norm::Key) => write!(f, "self_attn.k_norm.{ending}"),
            Self::Norm(Norm::PostAttention) => write!(f, "post_attention_layernorm.{ending}"),
            Self::Weight(of @ (Q | K | V | O)) | Self::Bias(of @ (Q | K | V | O)) => {
                write!(f, "self_attn.{of}.{ending}")
            }
            Self::Weight(of @ (Gate | Up | Down)) | Self::Bias(of @ (Gate | Up | Down)) => {
                write!(f, "mlp.{of}.{ending}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_part_is_listed_once_under_a_name_of_its_own() {
        let names: HashSet<String> = Part::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), Part::ALL.len());
    }

    #[test]
    fn a_bias_runs_along_the_outputs_of_its_projection() {
        assert_eq!(Part::Bias(Projection::Gate).axes(), [Axis::Channels]);
        assert_eq!(Part::Bias(Projection::Down).axes(), [Axis::Hidden]);
    }
}
