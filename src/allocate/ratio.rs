//! Ratios: of the two sites of a layer, and of one site in all layers.

use serde::{Deserialize, Serialize};

/// The shares of a layer's heads and channels that go, each in [0, 1).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerRatio {
    /// Share of the head units.
    pub heads: f64,
    /// Share of the channels.
    pub channels: f64,
}

impl LayerRatio {
    /// Heads and channels alike.
    pub fn both(ratio: f64) -> Self {
        Self { heads: ratio, channels: ratio }
    }

    /// The mean of the two, which is what a curve over the layers draws.
    pub fn mean(self) -> f64 {
        (self.heads + self.channels) / 2.0
    }

    /// Whether heads and channels lose the same share.
    pub fn is_even(self) -> bool {
        // Exactly: `both` makes the two of one number, and one factor scales both.
        self.heads == self.channels
    }

    pub(super) fn scaled(self, factor: f64) -> Self {
        Self { heads: self.heads * factor, channels: self.channels * factor }
    }
}

/// "20.0 %", or "10.0 % / 25.0 %" where heads and channels differ.
impl std::fmt::Display for LayerRatio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} %", 100.0 * self.heads)?;
        if self.is_even() { Ok(()) } else { write!(f, " / {:.1} %", 100.0 * self.channels) }
    }
}

impl Default for LayerRatio {
    fn default() -> Self {
        Self::both(0.0)
    }
}

/// How the ratio of one site follows from the layer's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
// A number or a list in JSON: the two cannot be taken for each other.
#[serde(untagged)]
pub enum SiteRatio {
    /// The layer's ratio times this; 0 keeps everything.
    Factor(f64),
    /// One ratio for each layer, whatever the layer's.
    List(Vec<f64>),
}

impl Default for SiteRatio {
    fn default() -> Self {
        Self::Factor(1.0)
    }
}

impl SiteRatio {
    /// Whether the site loses what the layer loses.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn of(&self, layer: usize, ratio: f64) -> f64 {
        match self {
            Self::Factor(factor) => factor * ratio,
            Self::List(list) => list[layer],
        }
    }
}
