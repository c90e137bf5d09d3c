//! Layers whose sizes are said outright.

use std::cmp::Ordering;

use super::counts::{share, units_of};
use super::layer::Layer;
use super::whole::may_lose;
use super::{AllocateError, Allocation, LayerPlan, LayerRatio, Schedule};
use crate::obs::HeadUnit;
use crate::shape::{LayerShape, ModelConfig, Site};

/// The sizes that the schedule says; `None` where it says ratios.
pub(super) fn said(asked: &Allocation, config: &ModelConfig) -> Option<Vec<LayerShape>> {
    match &asked.schedule {
        Schedule::Shapes(shapes) => Some(shapes.clone()),
        Schedule::Shape(shape) => Some(config.layers.iter().map(|&before| shape.of(before)).collect()),
        Schedule::Curve(_) | Schedule::Ratios(_) | Schedule::Scores => None,
    }
}

/// Plans that leave these very sizes. The unit that goes from a layer's attention follows from them. Without
/// `whole_sites` every layer keeps both its halves.
///
/// # Errors
/// When sizes do not belong to the model, would grow, or cannot come about by one kind of unit.
pub(super) fn plans(
    shapes: &[LayerShape],
    config: &ModelConfig,
    written: &ModelConfig,
    whole_sites: bool,
) -> Result<Vec<LayerPlan>, AllocateError> {
    if shapes.len() != config.layers.len() {
        return Err(AllocateError::ListLength { given: shapes.len(), layers: config.layers.len() });
    }
    if shapes.iter().all(LayerShape::is_empty) {
        return Err(AllocateError::NoLayers);
    }
    let plan = |(index, &after): (usize, &LayerShape)| {
        let before = config.layers[index];
        for site in Site::ALL.into_iter().filter(|&site| before.has(site) && !after.has(site)) {
            if !whole_sites {
                return Err(AllocateError::WholeSite { layer: index, site });
            }
            may_lose(index, site, written)?;
        }
        let unit = unit_between(index, before, after)?;
        // Any number of channels can be said, so no multiple is asked for.
        let layer = Layer::new(index, config, written, unit, Some(1))?;
        let units = units_of(before, unit) - units_of(after, unit);
        let channels = before.channels - after.channels;
        if channels > layer.most_channels() && after.has(Site::Channels) {
            let (left, present) = (after.channels, before.channels);
            let least = before.channels - layer.most_channels();
            let ratio = channels as f64 / present as f64;
            return Err(AllocateError::Emptied { layer: index, ratio, what: "channels", left, present, least });
        }
        let ratio = LayerRatio {
            // By query heads, whose share is the units' share whichever the unit.
            heads: share(before.heads - after.heads, before.heads),
            channels: share(channels, before.channels),
        };
        // Counted as it is: with a half its norm goes too.
        Ok(LayerPlan { after, parameters_after: written.layer_parameters(after), ..layer.plan(ratio, units, channels) })
    };
    shapes.iter().enumerate().map(plan).collect()
}

/// By which unit `before` becomes `after`; where heads of both kinds go, by the smaller.
fn unit_between(layer: usize, before: LayerShape, after: LayerShape) -> Result<HeadUnit, AllocateError> {
    let wrong = |why| Err(AllocateError::Shape { layer, before, after, why });
    let LayerShape { heads, kv_heads, channels } = after;
    if (heads == 0) != (kv_heads == 0) {
        return wrong("query heads and key/value heads go together, or at least one of each stays");
    }
    if heads > before.heads || kv_heads > before.kv_heads || channels > before.channels {
        return wrong("a layer cannot grow");
    }
    // Attention gives every key/value head the same number of query heads.
    if !heads.is_multiple_of(kv_heads) {
        return wrong("the query heads must be a multiple of the key/value heads");
    }
    // All of them are all units of either kind.
    if heads == 0 {
        return Ok(HeadUnit::KeyValue);
    }
    match after.heads_per_group().cmp(&before.heads_per_group()) {
        // A layer that keeps its heads may be said by either; the usual unit has no preconditions.
        Ordering::Equal => Ok(HeadUnit::KeyValue),
        Ordering::Less => Ok(HeadUnit::Query),
        Ordering::Greater => wrong("no key/value head can have more query heads than it had"),
    }
}
