//! How the target is shared out among the layers: by a curve, by ratios, or by the very sizes.

use serde::{Deserialize, Serialize};

use super::{Curve, LayerRatio};
use crate::shape::LayerShape;

/// How much is to go.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// The share of the decoder layers' parameters, between 0 and 1.
    Ratio(f64),
    /// How many parameters the whole model is to have afterwards, embeddings included.
    Parameters(usize),
    /// How large the files of its weights are to be at most ([`Target::within`]).
    Bytes {
        /// As it was asked for.
        bytes: u64,
        /// Parameters of the whole model that are so large in the types that are written.
        parameters: usize,
    },
    /// How long it may take to write a token at most. Only a search knows sizes for it, and only with measured times.
    Time(TimeBudget),
}

/// How long a model may take to write a token.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeBudget {
    /// The share of the time that it takes as it is, between 0 and 1.
    Share(f64),
    /// Milliseconds.
    Milliseconds(f64),
}

impl TimeBudget {
    /// Seconds for a model that takes `now` seconds as it is.
    pub fn seconds(self, now: f64) -> f64 {
        match self {
            Self::Share(share) => share * now,
            Self::Milliseconds(milliseconds) => milliseconds / 1e3,
        }
    }
}

impl std::fmt::Display for TimeBudget {
    /// As it is typed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Share(share) => write!(f, "{share}x"),
            Self::Milliseconds(milliseconds) => write!(f, "{milliseconds}ms"),
        }
    }
}

impl std::fmt::Display for Target {
    /// As it is typed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ratio(ratio) => write!(f, "{ratio}"),
            Self::Parameters(parameters) => write!(f, "{parameters}"),
            Self::Bytes { bytes, .. } => write!(f, "{bytes}B"),
            Self::Time(time) => write!(f, "{time}"),
        }
    }
}

/// How the target is shared out among the layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// By a formula of the layer's depth.
    Curve(Curve),
    /// One ratio or pair of ratios for each layer. Used as they stand when there is no target; with
    /// a target they are a profile, scaled until the target is met.
    Ratios(Vec<LayerRatio>),
    /// The very sizes of each layer afterwards; there is no target beside them.
    Shapes(Vec<LayerShape>),
    /// The same sizes for every layer.
    Shape(FinalShape),
    /// By scores of the units of all layers, of which the lowest go ([`by_scores`](super::by_scores)).
    Scores,
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Curve(Curve::default())
    }
}

impl Schedule {
    /// Heads and channels alike, one ratio for each layer.
    pub fn even(ratios: &[f64]) -> Self {
        Self::Ratios(ratios.iter().map(|&r| LayerRatio::both(r)).collect())
    }

    /// Whether it says the very sizes, so that nothing is rounded.
    pub fn is_exact(&self) -> bool {
        matches!(self, Self::Shapes(_) | Self::Shape(_))
    }

    /// Whether it says how much goes without a target beside it.
    pub fn needs_no_target(&self) -> bool {
        !matches!(self, Self::Curve(_) | Self::Scores)
    }
}

/// Sizes that every layer is to have; a count that is not given stays what it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalShape {
    /// Query heads of each layer.
    pub heads: Option<usize>,
    /// Key/value heads. Alone, they take their query heads along.
    pub kv_heads: Option<usize>,
    /// Feed-forward channels of each layer.
    pub channels: Option<usize>,
}

impl FinalShape {
    /// The sizes of a layer that has `before` now.
    pub(super) fn of(self, before: LayerShape) -> LayerShape {
        let kv_heads = self.kv_heads.unwrap_or(before.kv_heads);
        LayerShape {
            heads: self.heads.unwrap_or(kv_heads * before.heads_per_group()),
            kv_heads,
            channels: self.channels.unwrap_or(before.channels),
        }
    }
}
