//! The tensors of a decoder layer, and every fact about each: its name in a checkpoint, what its
//! axes run along, and which models have it. A new tensor begins here.
//!
//! Shapes, parameter counts, cutting and padding all follow from [`Part::axes`]: to remove heads is
//! to drop the entries of every axis that runs along heads.

use std::fmt;

use super::{LayerShape, ModelConfig, Norms, Site};

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
    /// Of all query heads together, before they are turned by their position.
    Queries,
    /// Of all key heads together, before they are turned by their position.
    Keys,
    /// Named after attention: of the residual stream before the feed-forward part, or of what attention adds where
    /// norms stand behind it.
    PostAttention,
    /// Of the residual stream before the feed-forward part, where norms stand on both sides.
    PreFeedForward,
    /// Of what the feed-forward part adds.
    PostFeedForward,
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
    /// Gate and up, which some formats keep in one matrix.
    pub const GATE_UP: &'static [Self] = &[Self::Gate, Self::Up];

    /// The site of the half of a layer that it belongs to.
    pub fn site(self) -> Site {
        match self {
            Self::Q | Self::K | Self::V | Self::O => Site::Heads,
            Self::Gate | Self::Up | Self::Down => Site::Channels,
        }
    }

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
    pub const ALL: [Self; 22] = [
        Self::Norm(Norm::Input),
        Self::Weight(Projection::Q),
        Self::Bias(Projection::Q),
        Self::Weight(Projection::K),
        Self::Bias(Projection::K),
        Self::Weight(Projection::V),
        Self::Bias(Projection::V),
        Self::Norm(Norm::Query),
        Self::Norm(Norm::Key),
        Self::Norm(Norm::Queries),
        Self::Norm(Norm::Keys),
        Self::Weight(Projection::O),
        Self::Bias(Projection::O),
        Self::Norm(Norm::PostAttention),
        Self::Norm(Norm::PreFeedForward),
        Self::Weight(Projection::Gate),
        Self::Bias(Projection::Gate),
        Self::Weight(Projection::Up),
        Self::Bias(Projection::Up),
        Self::Weight(Projection::Down),
        Self::Bias(Projection::Down),
        Self::Norm(Norm::PostFeedForward),
    ];

    /// What each axis runs along, outermost first.
    pub fn axes(self) -> &'static [Axis] {
        match self {
            // One scale for all heads: nothing of it goes with a head.
            Self::Norm(Norm::Query | Norm::Key) => &[Axis::HeadDim],
            Self::Norm(Norm::Queries) => &[Axis::Heads],
            Self::Norm(Norm::Keys) => &[Axis::KvHeads],
            Self::Norm(_) => &[Axis::Hidden],
            Self::Weight(projection) => projection.axes(),
            // One entry for each row of W.
            Self::Bias(projection) => &projection.axes()[..1],
        }
    }

    /// Whether the layers of a model have it.
    pub fn is_in(self, config: &ModelConfig) -> bool {
        match self {
            Self::Norm(Norm::PostAttention) | Self::Weight(_) => true,
            Self::Norm(Norm::Input) => config.design.norms != Norms::Behind,
            Self::Norm(Norm::PreFeedForward) => config.design.norms == Norms::Around,
            Self::Norm(Norm::PostFeedForward) => config.design.norms != Norms::Before,
            Self::Norm(Norm::Query | Norm::Key) => config.qk_norm && !config.design.binds_heads,
            Self::Norm(Norm::Queries | Norm::Keys) => config.qk_norm && config.design.binds_heads,
            Self::Bias(Projection::Q | Projection::K | Projection::V) => config.qkv_bias,
            Self::Bias(Projection::O) => config.o_bias,
            Self::Bias(Projection::Gate | Projection::Up | Projection::Down) => config.mlp_bias,
        }
    }

    /// The site of the half of a layer that it belongs to, where norms stand so.
    pub fn site(self, norms: Norms) -> Site {
        match self {
            Self::Norm(Norm::Input | Norm::Query | Norm::Key | Norm::Queries | Norm::Keys) => Site::Heads,
            // Of what attention adds, but where no norm stands behind it.
            Self::Norm(Norm::PostAttention) if norms != Norms::Before => Site::Heads,
            Self::Norm(Norm::PostAttention | Norm::PreFeedForward | Norm::PostFeedForward) => Site::Channels,
            Self::Weight(projection) | Self::Bias(projection) => projection.site(),
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
    /// The parts that each whole layer of the model has, in the order of [`Part::ALL`].
    pub fn parts(&self) -> impl Iterator<Item = Part> {
        Part::ALL.into_iter().filter(|part| part.is_in(self))
    }

    /// The parts that a layer of these sizes has: none of a half that it lacks.
    pub fn parts_of(&self, layer: LayerShape) -> impl Iterator<Item = Part> {
        self.parts().filter(move |part| layer.has(part.site(self.design.norms)))
    }

    /// Whether any projection has a bias.
    pub fn has_biases(&self) -> bool {
        self.parts().any(|part| matches!(part, Part::Bias(_)))
    }

    /// Parameters of one decoder layer of the given sizes, norms and biases included; of a half that it lacks not even
    /// the norm is left.
    pub fn layer_parameters(&self, layer: LayerShape) -> usize {
        self.parts_of(layer).map(|part| part.elements(self, layer)).sum()
    }
}

/// The parts of the tensor that begins with `part`: itself alone, or the matrix that `fused` makes
/// of several; none where it is another's later rows.
pub fn beginning_with<'a>(part: Part, fused: impl IntoIterator<Item = &'a [Projection]>) -> Vec<Part> {
    let Part::Weight(projection) = part else { return vec![part] };
    match fused.into_iter().find(|group| group.contains(&projection)) {
        None => vec![part],
        // The first stands for all, so that no tensor is written twice.
        Some(group) if group[0] == projection => group.iter().map(|&p| Part::Weight(p)).collect(),
        Some(_) => vec![],
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
            Self::Norm(Norm::Query | Norm::Queries) => write!(f, "self_attn.q_norm.{ending}"),
            Self::Norm(Norm::Key | Norm::Keys) => write!(f, "self_attn.k_norm.{ending}"),
            Self::Norm(Norm::PostAttention) => write!(f, "post_attention_layernorm.{ending}"),
            Self::Norm(Norm::PreFeedForward) => write!(f, "pre_feedforward_layernorm.{ending}"),
            Self::Norm(Norm::PostFeedForward) => write!(f, "post_feedforward_layernorm.{ending}"),
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
    fn a_norm_named_after_attention_belongs_to_where_it_stands() {
        let of = |norm, norms| Part::Norm(norm).site(norms);
        assert_eq!(of(Norm::PostAttention, Norms::Before), Site::Channels);
        for norms in [Norms::Behind, Norms::Around] {
            assert_eq!(of(Norm::PostAttention, norms), Site::Heads);
            assert_eq!(of(Norm::PostFeedForward, norms), Site::Channels);
        }
    }

    #[test]
    fn every_part_is_listed_once_under_a_name_of_its_own() {
        assert_eq!(Part::ALL.iter().collect::<HashSet<_>>().len(), Part::ALL.len());
        // No layer has norms of each head and of all heads together, which have one name.
        let together = [Part::Norm(Norm::Queries), Part::Norm(Norm::Keys)];
        let others: Vec<_> = Part::ALL.iter().filter(|part| !together.contains(part)).collect();
        let names: HashSet<String> = others.iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), others.len());
    }

    #[test]
    fn a_bias_runs_along_the_outputs_of_its_projection() {
        assert_eq!(Part::Bias(Projection::Gate).axes(), [Axis::Channels]);
        assert_eq!(Part::Bias(Projection::Down).axes(), [Axis::Hidden]);
    }
}
