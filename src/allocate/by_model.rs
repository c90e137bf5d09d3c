//! The whole model rounded at once: heads, of which there are few, go to the layers with the largest
//! rounding errors, and channels, of which there are many, make up for what is left of the target.

use super::apportion::{by_remainder, largest_remainders};
use super::counts::{is_coarse, round_share};
use super::layer::Layer;
use super::{AllocateError, Allocated, Allocation, LayerRatio, Sizes, bisect, profile};

/// Halvings of the channels' common factor: beyond this an f64 no longer changes a count.
const HALVINGS: usize = 60;

/// Meets the target to half a channel step.
///
/// # Errors
/// When the target cannot be reached.
pub(super) fn allocate(asked: &Allocation, sizes: &Sizes<'_>) -> Result<Allocated, AllocateError> {
    let layers = sizes.layers(asked)?;
    let at = |ratio| Unrounded::at(asked, &layers, ratio);
    let (unrounded, wanted) = match asked.target {
        Some(target) => {
            let wanted = sizes.wanted(target)?;
            let total = |found: &Unrounded| sizes.outer() + found.parameters;
            (bisect::nearest(wanted, sizes.total_before(), total, |ratio| at(Some(ratio)))?, wanted)
        }
        // A list alone is its own target: what it would leave if heads could be cut.
        None => {
            let unrounded = at(None)?;
            let wanted = sizes.outer() + unrounded.parameters;
            (unrounded, wanted)
        }
    };
    // Heads first: their steps are large, and only channels are fine enough to make up for them.
    let units = head_units(&layers, &unrounded.ratios);
    let channels = channels(&layers, &unrounded.ratios, &units, wanted.saturating_sub(sizes.outer()));
    let plans = layers.iter().zip(&unrounded.ratios).zip(units.iter().zip(&channels));
    let plans: Vec<_> = plans.map(|((layer, &ratio), (&u, &c))| layer.plan(ratio, u, c)).collect();
    // Without channels to make up, a target is met only to a head.
    let step = layers.iter().map(|l| l.unit_parameters).max().unwrap_or(0).max(largest_step(&layers, &channels));
    sizes.refuse_too_many(wanted, &plans, unrounded.ratio, step)?;
    Ok(Allocated { ratio: unrounded.ratio, layers: plans })
}

/// The ratios at a target, and what would stay if heads and channels could be cut.
struct Unrounded {
    ratio: f64,
    ratios: Vec<LayerRatio>,
    /// Of all decoder layers.
    parameters: usize,
}

impl Unrounded {
    fn at(asked: &Allocation, layers: &[Layer], target: Option<f64>) -> Result<Self, AllocateError> {
        let ratios = profile::ratios(asked, layers.len(), target)?;
        let left = layers.iter().zip(&ratios).map(|(layer, &ratio)| {
            let heads = layer.ideal_units(ratio) * layer.unit_parameters as f64;
            let channels = ideal_channels(layer, ratio, 1.0) * layer.channel_parameters as f64;
            layer.parameters as f64 - heads - channels
        });
        // Rounded once, over all layers: rounding each would bring its error back in.
        let parameters = left.sum::<f64>().round() as usize;
        Ok(Self { ratio: target.unwrap_or_else(|| profile::mean(&ratios)), ratios, parameters })
    }
}

/// How many units go from each layer.
fn head_units(layers: &[Layer], ratios: &[LayerRatio]) -> Vec<usize> {
    let each = || layers.iter().zip(ratios);
    // Where one unit is at most a tenth of a layer, each layer's own rounding is near enough.
    if !layers.iter().any(|layer| is_coarse(layer.units)) {
        // Rounding up must not empty a layer.
        return each().map(|(layer, r)| round_share(layer.units, r.heads).min(layer.most_units())).collect();
    }
    largest_remainders(&each().map(|(layer, &r)| layer.ideal_units(r)).collect::<Vec<_>>())
}

fn ideal_channels(layer: &Layer, ratio: LayerRatio, factor: f64) -> f64 {
    // A factor may ask a layer for more than it has; the others then give the rest.
    (layer.before.channels as f64 * ratio.channels * factor).min(layer.most_channels() as f64)
}

/// How many channels go from each layer, in the schedule's proportions, so that the decoder layers
/// have `wanted` parameters once the heads are gone.
fn channels(layers: &[Layer], ratios: &[LayerRatio], units: &[usize], wanted: usize) -> Vec<usize> {
    let left: usize = layers.iter().zip(units).map(|(l, u)| l.parameters - u * l.unit_parameters).sum();
    let to_go = left.saturating_sub(wanted) as f64;
    let at =
        |factor: f64| -> Vec<f64> { layers.iter().zip(ratios).map(|(l, &r)| ideal_channels(l, r, factor)).collect() };
    let worth = |gone: &[f64]| -> f64 { layers.iter().zip(gone).map(|(l, g)| g * l.channel_parameters as f64).sum() };
    // One factor for all keeps the schedule's proportions; a layer at its limit drops out.
    let ideal = at(factor_for(|factor| worth(&at(factor)) >= to_go));
    // Down first, so that steps only need to be added until nothing is missing.
    let mut gone: Vec<usize> = layers.iter().zip(&ideal).map(|(l, &g)| l.channels_at_most(g)).collect();
    let mut missing = to_go - layers.iter().zip(&gone).map(|(l, g)| (g * l.channel_parameters) as f64).sum::<f64>();
    for i in by_remainder(&remainders(layers, &ideal, &gone), steps_missing(layers, &gone, missing)) {
        let Some(next) = layers[i].next_removal(gone[i]) else { continue };
        let step = ((next - gone[i]) * layers[i].channel_parameters) as f64;
        // A step that overshoots by less than half of itself still comes nearer to the target.
        if step <= 2.0 * missing {
            missing -= step;
            gone[i] = next;
        }
    }
    gone
}

/// The smallest factor that is enough; the largest tried one where none is.
fn factor_for(is_enough: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    // 2^20 times a ratio is more than any layer has, so the search ends.
    for _ in 0..20 {
        if is_enough(high) {
            break;
        }
        (low, high) = (high, 2.0 * high);
    }
    for _ in 0..HALVINGS {
        let middle = (low + high) / 2.0;
        // `high` is always enough where anything is, so it is what is returned.
        if is_enough(middle) { high = middle } else { low = middle }
    }
    high
}

/// What rounding down left over in each layer, in steps of that layer.
fn remainders(layers: &[Layer], ideal: &[f64], gone: &[usize]) -> Vec<f64> {
    let of = |((layer, &ideal), &gone): ((&Layer, &f64), &usize)| {
        // A layer that can give no more has an infinite step and so no remainder.
        let step = layer.next_removal(gone).map_or(f64::INFINITY, |next| (next - gone) as f64);
        (ideal - gone as f64).max(0.0) / step
    };
    layers.iter().zip(ideal).zip(gone).map(of).collect()
}

/// About how many steps are missing, for spreading equal remainders.
fn steps_missing(layers: &[Layer], gone: &[usize], missing: f64) -> usize {
    // No next step anywhere is 0; 1 keeps the quotient finite.
    (missing / largest_step(layers, gone).max(1) as f64).round().max(0.0) as usize
}

/// Parameters of the largest next step.
fn largest_step(layers: &[Layer], gone: &[usize]) -> usize {
    let step = |(layer, &gone): (&Layer, &usize)| {
        layer.next_removal(gone).map_or(0, |next| (next - gone) * layer.channel_parameters)
    };
    layers.iter().zip(gone).map(step).max().unwrap_or(0)
}
