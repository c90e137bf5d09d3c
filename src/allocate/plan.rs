//! What an allocation comes to.

use serde::{Deserialize, Serialize};

use super::counts::{is_coarse, share, units_of};
use super::{LayerRatio, profile};
use crate::obs::{HeadCut, HeadUnit};
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
    /// What goes from its attention as one; where K/V heads go and query heads of the others too, query heads.
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
    /// Which heads go.
    pub fn head_cut(&self) -> HeadCut {
        let Self { before, after, .. } = self;
        // Of a half that goes as a whole nothing is left that could lose query heads.
        let per_group = if after.heads == 0 { 0 } else { before.heads_per_group() - after.heads_per_group() };
        HeadCut { kv_heads: before.kv_heads - after.kv_heads, per_group }
    }

    /// What goes from attention: K/V heads, or query heads of every K/V head that stays.
    pub fn head_units_removed(&self) -> usize {
        units_of(self.before, self.unit) - units_of(self.after, self.unit)
    }

    /// How many feed-forward channels go.
    pub fn channels_removed(&self) -> usize {
        self.before.channels - self.after.channels
    }

    /// The share of the query heads that goes, which is coarser than the ratio it was rounded from.
    pub fn head_share_removed(&self) -> f64 {
        share(self.before.heads - self.after.heads, self.before.heads)
    }

    /// The share of the layer's attention that one head unit is, where that is more than a tenth.
    pub fn coarse_unit(&self) -> Option<f64> {
        let units = units_of(self.before, self.unit);
        is_coarse(units).then(|| 1.0 / units as f64)
    }
}
