//! Every layer rounded by itself.

use super::layer::Layer;
use super::{AllocateError, Allocated, Allocation, Sizes, Target, bisect, profile};
use crate::obs::HeadUnit;

/// Rounds each layer's ratio half to even. A target that is a number of parameters, or whose layers
/// do not lose what their ratio says, is solved for as nearly as the steps allow.
///
/// # Errors
/// When a layer would be empty or the target cannot be reached.
pub(super) fn allocate(asked: &Allocation, sizes: &Sizes<'_>) -> Result<Allocated, AllocateError> {
    let layers = sizes.layers(asked)?;
    // Keys and values stay behind where query heads go, so such a layer loses less than its ratio.
    let loses_its_ratio = asked.head_unit == HeadUnit::KeyValue && asked.is_even();
    match asked.target {
        // As published: the ratio is taken as it stands, and rounding decides what is met.
        Some(Target::Ratio(ratio)) if loses_its_ratio => at(asked, &layers, Some(ratio)),
        Some(target) => bisect::nearest(
            sizes.wanted(target)?,
            sizes.total_before(),
            |found: &Allocated| sizes.total(&found.layers),
            |ratio| at(asked, &layers, Some(ratio)),
        ),
        None => at(asked, &layers, None),
    }
}

fn at(asked: &Allocation, layers: &[Layer], target: Option<f64>) -> Result<Allocated, AllocateError> {
    let ratios = profile::ratios(asked, layers.len(), target)?;
    let plans = layers.iter().zip(&ratios).map(|(layer, &ratio)| layer.rounded(ratio));
    Ok(Allocated { ratio: target.unwrap_or_else(|| profile::mean(&ratios)), layers: plans.collect::<Result<_, _>>()? })
}
