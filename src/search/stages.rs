//! At which counts a site is put into the model, and what its errors are at all others.

use super::Cut;
use super::shapes::units;
use crate::allocate::channel_step;
use crate::obs::Nested;
use crate::shape::LayerShape;

/// Stages of a site with many units: shares of them that go.
const SHARES: [f64; 3] = [0.25, 0.5, 0.75];

/// What may go from a layer of this shape.
pub(super) fn cuts(shape: LayerShape) -> Vec<Cut> {
    let all = [Cut::KvHeads, Cut::QueryHeads, Cut::Channels];
    all.into_iter().filter(|&cut| units(shape, cut) > 1).collect()
}

/// Units between two counts that sizes may have.
pub(super) fn step(shape: LayerShape, cut: Cut, channel_multiple: Option<usize>) -> usize {
    match cut {
        Cut::Channels => channel_step(shape.channels, channel_multiple),
        Cut::KvHeads | Cut::QueryHeads => 1,
    }
}

/// The counts at which divergences are measured.
pub(super) fn stages(shape: LayerShape, cut: Cut, channel_multiple: Option<usize>) -> Vec<usize> {
    let (units, step) = (units(shape, cut), step(shape, cut, channel_multiple));
    // Of few units every count is a stage of its own.
    if units <= 4 {
        return (1..units).collect();
    }
    let at = |share: f64| ((share * units as f64 / step as f64).round() as usize).max(1) * step;
    let mut counts: Vec<usize> = SHARES.map(at).into_iter().filter(|&count| count < units).collect();
    counts.dedup();
    counts
}

/// The relative error after every step of units.
pub(super) fn errors(nested: &Nested, cut: Cut, shape: LayerShape, step: usize) -> Vec<f64> {
    // One of every group goes before a second of any, and they count as one unit.
    let sets = if cut == Cut::QueryHeads { shape.kv_heads } else { 1 };
    let mut sum = 0.0;
    let after: Vec<f64> = nested
        .removed
        .iter()
        .map(|removal| {
            sum += removal.cost;
            sum / nested.signal.max(f64::MIN_POSITIVE)
        })
        .collect();
    after.chunks_exact(sets * step).filter_map(|units| units.last().copied()).collect()
}
