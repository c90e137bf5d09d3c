//! A budget in bytes of the written files, as one in parameters that is not exceeded.

use super::sizes::Sizes;
use super::{AllocateError, Allocated, Target};
use crate::checkpoint::Types;
use crate::shape::{Axis, LayerShape, ModelConfig, Part};

impl Target {
    /// Files of at most so many bytes, for a model that is written in these types and with the biases of `written`. Where
    /// matrices have different types, all are counted in the widest: the files may then be smaller than they might be, and
    /// never larger.
    ///
    /// # Errors
    /// When the model is no larger as it is, or what stays in any case is larger already.
    pub fn within(bytes: u64, types: &Types, written: &ModelConfig) -> Result<Self, AllocateError> {
        let dense = types.file_bytes(written);
        if dense <= bytes {
            return Err(AllocateError::BytesEnough { bytes, dense });
        }
        // One unit of each stays, and with it what goes only with the last: norms, and biases of the residual stream.
        let least = |layer: &LayerShape| {
            let one = |of: usize| of.min(1);
            LayerShape { heads: one(layer.heads), kv_heads: one(layer.kv_heads), channels: one(layer.channels) }
        };
        let emptied = ModelConfig { layers: written.layers.iter().map(least).collect(), ..written.clone() };
        let least = types.file_bytes(&emptied);
        let left = bytes.checked_sub(least).ok_or(AllocateError::BytesTooFew { bytes, least })?;
        let of_layer = |(i, &layer)| written.parts_of(layer).map(move |part| (i, part));
        let parts = written.layers.iter().enumerate().flat_map(of_layer);
        let widest = parts.filter(|&(_, part)| may_go(part)).map(|(i, part)| types.part(i, part).bytes()).max();
        let parameters = emptied.parameters() + (left / widest.unwrap_or(1).max(1) as u64) as usize;
        Ok(Self::Bytes { bytes, parameters })
    }
}

/// Whether a part has entries that pruning removes.
fn may_go(part: Part) -> bool {
    part.axes().iter().any(|axis| matches!(axis, Axis::Heads | Axis::KvHeads | Axis::Channels))
}

/// The allocation with at most `most` parameters that comes nearest to them. One that aims for a number may miss it by half
/// a step upwards; then the largest aim is found by which it does not.
pub(super) fn at_most(
    most: usize,
    sizes: &Sizes<'_>,
    aimed: impl Fn(usize) -> Result<Allocated, AllocateError>,
) -> Result<Allocated, AllocateError> {
    let total = |found: &Allocated| sizes.total(&found.layers);
    let nearest = aimed(most)?;
    if total(&nearest) <= most {
        return Ok(nearest);
    }
    let (mut low, mut high, mut best) = (0, most, None);
    while high - low > 1 {
        let aim = low + (high - low) / 2;
        match aimed(aim) {
            Ok(found) if total(&found) <= most => (low, best) = (aim, Some(found)),
            Ok(_) => high = aim,
            // Nothing is so small: what can be lies above.
            Err(_) => low = aim,
        }
    }
    let (smallest, ratio) = (total(&nearest), nearest.ratio);
    best.ok_or(AllocateError::TargetTooSmall { wanted: most, smallest, ratio })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocate::{Allocation, Curve, Rounding, Schedule, allocate};
    use crate::checkpoint::Dtype;

    fn config() -> ModelConfig {
        let toy = ModelConfig::toy(48, LayerShape { heads: 6, kv_heads: 3, channels: 130 }, 5);
        ModelConfig { vocab_size: 97, tied_head: false, ..toy }
    }

    #[test]
    fn whatever_is_allocated_is_within_the_bytes_and_near_them() {
        let (config, types) = (config(), Types::all(Dtype::F16));
        let (dense, mut met) = (types.file_bytes(&config), 0);
        for tenth in 3..10 {
            let bytes = dense * tenth / 10;
            let target = Target::within(bytes, &types, &config).unwrap();
            for rounding in [Rounding::Layer, Rounding::Model] {
                for curve in [Curve::Uniform, Curve::default()] {
                    let asked = Allocation {
                        rounding: Some(rounding),
                        schedule: Schedule::Curve(curve),
                        channel_multiple: Some(2),
                        ..Allocation::to(target)
                    };
                    // A steep curve may have no layer small enough.
                    let Ok(found) = allocate(&asked, &config, &config) else { continue };
                    let layers = found.layers.iter().map(|layer| layer.after).collect();
                    let left = types.file_bytes(&ModelConfig { layers, ..config.clone() });
                    assert!(left <= bytes, "{left} of {bytes}, {rounding:?}");
                    // A few steps of two channels of one layer, or a third of the attention of all five.
                    let [channels, heads] = [2 * 2 * 3 * 48, 2 * 5 * (2 * 16 + 2 * 8) * 48];
                    let near = if rounding == Rounding::Model { 3 * channels } else { heads + 5 * channels };
                    assert!(bytes - left <= near, "{left} of {bytes}, {rounding:?} {curve:?}");
                    met += 1;
                }
            }
        }
        assert!(met > 16, "{met} of 28");
    }

    #[test]
    fn bytes_that_no_pruning_meets_are_named() {
        let (config, types) = (config(), Types::all(Dtype::F32));
        let dense = types.file_bytes(&config);
        let enough = Target::within(dense, &types, &config).unwrap_err();
        assert!(matches!(enough, AllocateError::BytesEnough { .. }), "{enough}");
        let outer = 4 * config.outer_parameters() as u64;
        let few = Target::within(outer, &types, &config).unwrap_err();
        assert!(matches!(few, AllocateError::BytesTooFew { .. }), "{few}");
        // In a narrower type the same bytes are enough.
        assert!(Target::within(dense * 9 / 10, &types, &config).is_ok());
        assert!(Target::within(dense * 9 / 10, &Types::all(Dtype::F16), &config).is_err());
    }
}
