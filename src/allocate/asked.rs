//! What is asked of an allocation, before it is held against a model.

use serde::{Deserialize, Serialize};

use super::{AllocateError, Curve, Rounding, Schedule, SiteRatio, Target};
use crate::obs::HeadUnit;

/// What decides how many heads and channels each layer keeps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Allocation {
    /// How much is to go; may be absent only where the schedule says so by itself.
    pub target: Option<Target>,
    /// How it is shared out among the layers.
    pub schedule: Schedule,
    /// r₀ of a curve, instead of the paper's share of the target.
    pub first_ratio: Option<f64>,
    /// The heads' ratio, if it is not the layer's.
    pub head_ratio: SiteRatio,
    /// The channels' ratio, if it is not the layer's.
    pub channel_ratio: SiteRatio,
    /// Layers that lose nothing.
    pub keep_layers: Vec<usize>,
    /// Layers at both ends that lose nothing either.
    pub keep_ends: KeptEnds,
    /// Whether a layer may lose its whole attention or its whole feed-forward part, or both and so leave the model.
    pub whole_sites: bool,
    /// What is rounded; without it the model, or each layer of a list of ratios that has no target.
    pub rounding: Option<Rounding>,
    /// What goes from attention as one.
    pub head_unit: HeadUnit,
    /// Kept channels are a multiple of this; without it of gcd(channels, 32).
    pub channel_multiple: Option<usize>,
}

/// Layers at the ends of a model that a published method leaves alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeptEnds {
    /// None.
    #[default]
    None,
    /// The first eighth and the last sixteenth, as in LLM-Pruner (four and two of 32).
    LlmPruner,
    /// The first tenth and the last layer, as in LoRAPrune's code.
    LoraPrune,
}

impl KeptEnds {
    /// How many at the beginning and at the end of so many layers.
    fn of(self, layers: usize) -> [usize; 2] {
        match self {
            Self::None => [0, 0],
            Self::LlmPruner => [layers / 8, layers / 16],
            Self::LoraPrune => [layers / 10, 1],
        }
    }
}

impl Allocation {
    /// An allocation of the default kind.
    pub fn to(target: Target) -> Self {
        Self { target: Some(target), ..Self::default() }
    }

    /// What is rounded. An explicit list means its ratios as they stand; scores count the units of all layers.
    pub fn rounding(&self) -> Rounding {
        if self.schedule == Schedule::Scores {
            return Rounding::Model;
        }
        let implied = if matches!(self.schedule, Schedule::Ratios(_)) { Rounding::Layer } else { Rounding::Model };
        self.rounding.unwrap_or(implied)
    }

    /// The same with the layers at the ends among those that lose nothing.
    pub(super) fn with_ends(&self, layers: usize) -> Self {
        let mut keep_layers = self.keep_layers.clone();
        let [first, last] = self.keep_ends.of(layers);
        let ends = (0..first).chain(layers - last..layers);
        keep_layers.extend(ends.filter(|layer| !self.keep_layers.contains(layer)));
        Self { keep_layers, keep_ends: KeptEnds::None, ..self.clone() }
    }

    /// What is asked for while the scores are not known that say which layers lose how much: all lose alike.
    ///
    /// # Errors
    /// When ratios are asked for beside scores.
    pub(super) fn until_scored(&self) -> Result<Self, AllocateError> {
        let says_ratios = self.first_ratio.is_some() || !self.head_ratio.is_plain() || !self.channel_ratio.is_plain();
        match says_ratios {
            true => Err(AllocateError::RatioBesideScores),
            false => Ok(Self { schedule: Schedule::Curve(Curve::Uniform), ..self.clone() }),
        }
    }

    /// Whether every layer loses one ratio of both its sites, so that the mean of the ratios is the
    /// share that goes.
    pub(super) fn is_even(&self) -> bool {
        let pairs_are = match &self.schedule {
            Schedule::Ratios(ratios) => ratios.iter().all(|r| r.is_even()),
            _ => true,
        };
        // A layer that keeps all of itself shifts the mean of the others, and so does a site's own ratio.
        pairs_are && self.head_ratio.is_plain() && self.channel_ratio.is_plain() && self.keep_layers.is_empty()
    }

    /// Refuses numbers that mean nothing for a model of so many layers.
    pub(super) fn check(&self, layers: usize) -> Result<(), AllocateError> {
        if self.channel_multiple == Some(0) {
            return Err(AllocateError::ZeroMultiple);
        }
        if let Some(&layer) = self.keep_layers.iter().find(|&&layer| layer >= layers) {
            return Err(AllocateError::NoSuchLayer { layer, layers });
        }
        for site in [&self.head_ratio, &self.channel_ratio] {
            match site {
                // Above 1 is allowed: only with a layer's ratio does it show whether it leaves [0, 1).
                SiteRatio::Factor(factor) if !(factor.is_finite() && *factor >= 0.0) => {
                    return Err(AllocateError::Factor(*factor));
                }
                SiteRatio::List(list) if list.len() != layers => {
                    return Err(AllocateError::ListLength { given: list.len(), layers });
                }
                _ => {}
            }
        }
        Ok(())
    }
}
