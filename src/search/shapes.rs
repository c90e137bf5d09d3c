//! Sizes in parameters: what a unit of a site is worth in a model.

use super::Cut;
use crate::shape::{LayerShape, ModelConfig};

/// Parameters of a layer of this shape.
pub(super) fn parameters(config: &ModelConfig, shape: LayerShape) -> usize {
    config.layer_parameters(shape)
}

/// The layer's shape when so many units of this kind have gone.
pub(super) fn after(shape: LayerShape, cut: Cut, removed: usize) -> LayerShape {
    match cut {
        Cut::KvHeads => {
            let kv_heads = shape.kv_heads - removed;
            LayerShape { heads: kv_heads * shape.heads_per_group(), kv_heads, ..shape }
        }
        Cut::QueryHeads => LayerShape { heads: shape.heads - removed * shape.kv_heads, ..shape },
        Cut::Channels => LayerShape { channels: shape.channels - removed, ..shape },
    }
}

/// Parameters that go with so many units of this kind.
pub(super) fn gone(config: &ModelConfig, shape: LayerShape, cut: Cut, removed: usize) -> usize {
    parameters(config, shape) - parameters(config, after(shape, cut, removed))
}

/// Units of this kind, of which one must stay.
pub(super) fn units(shape: LayerShape, cut: Cut) -> usize {
    match cut {
        Cut::KvHeads => shape.kv_heads,
        Cut::QueryHeads => shape.heads_per_group(),
        Cut::Channels => shape.channels,
    }
}
