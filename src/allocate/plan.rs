//! What an allocation comes to.

use serde::{Deserialize, Serialize};

use super::counts::{is_coarse, share, units_of};
use super::{LayerRatio, profile};
use crate::obs::HeadUnit;
use crate::shape::LayerShape;

/// What each layer keeps, and the mean ratio behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Allocated {
    /// The mean ratio that was asked for or solved for.
    pub ratio: f64,
    /// The layers in order.
    pub layers: Vec<LayerPlan>,
}

/// What one layer loses.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerPlan {
    /// The ratios its counts were rounded from.
    pub ratio: LayerRatio,
    /// What goes from its attention as one.
    pub unit: HeadUnit,
    /// Its sizes as it is.
    pub before: LayerShape,
    /// Its sizes after pruning.
    pub after: LayerShape,
    /// Parameters as it is.
    pub parameters_before: usize,
    /// Parameters after pruning, biases that the method adds included.
    pub parameters_after: usize,
}

impl Allocated {
    /// Of layers whose sizes were said; the ratio is the mean of theirs.
    pub(super) fn of(layers: Vec<LayerPlan>) -> Self {
        let ratios: Vec<LayerRatio> = layers.iter().map(|l| l.ratio).collect();
        Self { ratio: profile::mean(&ratios), layers }
    }
}

impl LayerPlan {
    /// What goes from attention: K/V heads, or query heads of every K/V group.
    pub fn head_units_removed(&self) -> usize {
        units_of(self.before, self.unit) - units_of(self.after, self.unit)
    }

    /// How many feed-forward channels go.
    pub fn channels_removed(&self) -> usize {
        self.before.channels - self.after.channels
    }

    /// The share of the head units that goes, which is coarser than the ratio it was rounded from.
    pub fn head_share_removed(&self) -> f64 {
        share(self.head_units_removed(), units_of(self.before, self.unit))
    }

    /// The share of the layer's attention that one head unit is, where that is more than a tenth.
    pub fn coarse_unit(&self) -> Option<f64> {
        let units = units_of(self.before, self.unit);
        is_coarse(units).then(|| 1.0 / units as f64)
    }
}
