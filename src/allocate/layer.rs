//! One layer as a choice of how much goes: its units, what each is worth in parameters, and the
//! sizes it may come out with.

use super::counts::{channels_removed, default_multiple, fewest_channels, round_share, shape_after, units_of};
use super::{AllocateError, LayerPlan, LayerRatio};
use crate::obs::HeadUnit;
use crate::shape::{LayerShape, ModelConfig};

/// What can go from one layer.
pub(super) struct Layer {
    pub index: usize,
    pub before: LayerShape,
    pub unit: HeadUnit,
    /// Units of which a share goes: K/V heads, or query heads of one K/V group.
    pub units: usize,
    /// Parameters that go with a unit.
    pub unit_parameters: usize,
    /// Parameters that go with a channel.
    pub channel_parameters: usize,
    /// Parameters while nothing is gone, with the biases that the method adds.
    pub parameters: usize,
    /// Parameters of the layer as it is.
    parameters_before: usize,
    multiple: usize,
    least_channels: usize,
}

impl Layer {
    /// The layer `index` of `config`, whose layers are written with the biases of `written`.
    ///
    /// # Errors
    /// When query heads are to go where every K/V head has only one.
    pub fn new(
        index: usize,
        config: &ModelConfig,
        written: &ModelConfig,
        unit: HeadUnit,
        multiple: Option<usize>,
    ) -> Result<Self, AllocateError> {
        let before = config.layers[index];
        let units = units_of(before, unit);
        // The group's only query head cannot go while its keys and values stay for nobody.
        if unit == HeadUnit::Query && units == 1 {
            return Err(AllocateError::NoGroups { layer: index });
        }
        // Parameters are linear in each count, so the difference of one step is that of every step.
        let parameters = written.layer_parameters(before);
        let without = |shape| parameters - written.layer_parameters(shape);
        Ok(Self {
            index,
            before,
            unit,
            units,
            unit_parameters: without(shape_after(before, unit, 1, 0)),
            channel_parameters: without(shape_after(before, unit, 0, 1)),
            parameters,
            parameters_before: config.layer_parameters(before),
            multiple: multiple.unwrap_or_else(|| default_multiple(before.channels)),
            // Of a model that was pruned before, a narrow layer may stay as narrow as it is.
            least_channels: fewest_channels(config.dense.channels).min(before.channels),
        })
    }

    /// Each count rounded by itself, half to even, as in the published code.
    ///
    /// # Errors
    /// When nothing or too little would stay.
    pub fn rounded(&self, ratio: LayerRatio) -> Result<LayerPlan, AllocateError> {
        let units = round_share(self.units, ratio.heads);
        let channels = channels_removed(self.before.channels, self.multiple, ratio.channels);
        self.refuse_empty(ratio, shape_after(self.before, self.unit, units, channels))?;
        Ok(self.plan(ratio, units, channels))
    }

    /// The plan that `units` units and `channels` channels go.
    pub fn plan(&self, ratio: LayerRatio, units: usize, channels: usize) -> LayerPlan {
        LayerPlan {
            ratio,
            unit: self.unit,
            before: self.before,
            after: shape_after(self.before, self.unit, units, channels),
            parameters_before: self.parameters_before,
            parameters_after: self.parameters - units * self.unit_parameters - channels * self.channel_parameters,
        }
    }

    /// How many units go if they could be cut: the share, but never all of them.
    pub fn ideal_units(&self, ratio: LayerRatio) -> f64 {
        (self.units as f64 * ratio.heads).min(self.most_units() as f64)
    }

    /// At least one unit stays: programs that open the result know no layer without heads.
    pub fn most_units(&self) -> usize {
        self.units.saturating_sub(1)
    }

    /// Most channels that can go.
    pub fn most_channels(&self) -> usize {
        self.channels_at_most((self.before.channels - self.least_channels) as f64)
    }

    /// The largest removal of at most `removed` channels that leaves a multiple, or everything.
    pub fn channels_at_most(&self, removed: f64) -> usize {
        let rest = self.before.channels % self.multiple;
        // The first step takes the odd rest of the width, every later one a whole multiple.
        let steps = ((removed - rest as f64) / self.multiple as f64).floor();
        if steps < 0.0 { 0 } else { rest + steps as usize * self.multiple }
    }

    /// The next larger removal; `None` where too few channels would stay.
    pub fn next_removal(&self, removed: usize) -> Option<usize> {
        let rest = self.before.channels % self.multiple;
        let next = if removed == 0 && rest > 0 { rest } else { removed + self.multiple };
        // The narrowest there is has none, and none of them can go.
        let is_there = next <= self.before.channels;
        (is_there && self.before.channels - next >= self.least_channels).then_some(next)
    }

    fn refuse_empty(&self, ratio: LayerRatio, after: LayerShape) -> Result<(), AllocateError> {
        let (before, layer) = (self.before, self.index);
        let counts = [
            ("K/V heads", ratio.heads, after.kv_heads, before.kv_heads, 1),
            ("query heads", ratio.heads, after.heads, before.heads, 1),
            ("channels", ratio.channels, after.channels, before.channels, self.least_channels),
        ];
        // Only shrinking below the least is refused: a layer that was small before may stay so.
        match counts.into_iter().find(|&(_, _, left, present, least)| left < present && left < least) {
            Some((what, ratio, left, present, least)) => {
                Err(AllocateError::Emptied { layer, ratio, what, left, present, least })
            }
            None => Ok(()),
        }
    }
}
