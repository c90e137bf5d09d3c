//! Sizes in parameters: what a unit of a site is worth in a model.

use super::Cut;
use crate::obs::{HeadCut, HeadUnit};
use crate::shape::{LayerShape, ModelConfig};

/// Parameters of a layer of this shape.
pub(super) fn parameters(config: &ModelConfig, shape: LayerShape) -> usize {
    config.layer_parameters(shape)
}

/// The layer's shape when so many units of this kind have gone.
pub(super) fn after(shape: LayerShape, cut: Cut, removed: usize) -> LayerShape {
    match cut {
        Cut::KvHeads => after_heads(shape, HeadCut::of(HeadUnit::KeyValue, removed)),
        Cut::QueryHeads => after_heads(shape, HeadCut::of(HeadUnit::Query, removed)),
        Cut::Channels => LayerShape { channels: shape.channels - removed, ..shape },
    }
}

/// The layer's shape when these heads have gone.
pub(super) fn after_heads(shape: LayerShape, cut: HeadCut) -> LayerShape {
    let kv_heads = shape.kv_heads - cut.kv_heads;
    LayerShape { heads: kv_heads * (shape.heads_per_group() - cut.per_group), kv_heads, ..shape }
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
