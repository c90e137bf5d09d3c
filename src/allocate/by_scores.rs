//! Sizes by scores of all units: whatever scores lowest goes, from whichever layer and site, until the target is met
//! (FLAP's adaptive structure, arXiv 2312.11983).
//!
//! One threshold serves heads and channels. What a unit takes away is counted in parameters, as FLAP counts a head of
//! four projections as 4 · 128 / 3 channels of three. The threshold whose model is nearest to the target decides about
//! the heads; channels then come or go in the order of their scores until the target is met to half a step. A budget in
//! bytes is not exceeded.

use super::bytes::at_most;
use super::counts::share;
use super::layer::Layer;
use super::{AllocateError, Allocated, Allocation, LayerPlan, LayerRatio, Sizes, Target};
use crate::obs::HeadUnit;
use crate::shape::{ModelConfig, Site};

/// What goes from a site as one: a head unit, or as many channels as leave a multiple.
struct Step {
    score: f64,
    layer: usize,
    site: Site,
    units: usize,
    parameters: usize,
}

/// What `asked` leaves of a model of the sizes `config`, whose layers are written with the biases of `written`, where
/// units score so: of each layer the units that go from attention (of query heads each one, group by group), and the
/// channels.
///
/// # Errors
/// When the scores are not those of such a model, or the target cannot be reached.
pub fn by_scores(
    asked: &Allocation,
    config: &ModelConfig,
    written: &ModelConfig,
    scores: &[[Vec<f64>; 2]],
) -> Result<Allocated, AllocateError> {
    asked.check(config.layers.len())?;
    asked.until_scored()?;
    let (asked, sizes) = (&asked.with_ends(config.layers.len()), Sizes { config, written });
    let (layers, dense) = (sizes.layers(asked)?, sizes.total_before());
    let target = asked.target.ok_or(AllocateError::NoTarget)?;
    let wanted = sizes.wanted(target)?;
    if wanted >= dense {
        return Err(AllocateError::TargetTooLarge { wanted, dense });
    }
    if let Some(layer) = (0..layers.len()).find(|&i| !scores.get(i).is_some_and(|of| fit(&layers[i], of))) {
        return Err(AllocateError::Scores { layer });
    }
    let may_lose = |i: &usize| !asked.keep_layers.contains(i);
    let mut steps: Vec<Step> = (0..layers.len()).filter(may_lose).flat_map(|i| steps(&layers[i], &scores[i])).collect();
    // Stable, so that equal scores go by layer and site, and a site's steps stay in their order.
    steps.sort_by(|a, b| a.score.total_cmp(&b.score));
    // With the biases that the method adds.
    let whole: usize = layers.iter().map(|layer| layer.parameters).sum();
    let largest = steps.iter().map(|step| step.parameters).max().unwrap_or(0);
    let aimed = |wanted: usize| -> Result<Allocated, AllocateError> {
        let goes = chosen(&steps, layers.len(), (whole + sizes.outer()).saturating_sub(wanted));
        let found = Allocated::of(layers.iter().map(|layer| plan(layer, &steps, &goes)).collect());
        sizes.refuse_too_many(wanted, &found.layers, found.ratio, largest)?;
        Ok(found)
    };
    match target {
        // Files must not have more, and half a step upwards would be more.
        Target::Bytes { .. } => at_most(wanted, &sizes, aimed),
        _ => aimed(wanted),
    }
}

/// Whether a layer has a score for each unit.
fn fit(layer: &Layer, [heads, channels]: &[Vec<f64>; 2]) -> bool {
    let units = match layer.unit {
        HeadUnit::KeyValue => layer.before.kv_heads,
        HeadUnit::Query => layer.before.heads,
    };
    (heads.len(), channels.len()) == (units, layer.before.channels)
}

/// All that can go from a layer, the lowest of each site first.
fn steps(layer: &Layer, [heads, channels]: &[Vec<f64>; 2]) -> Vec<Step> {
    let at = |score, site, units, parameters| Step { score, layer: layer.index, site, units, parameters };
    // Of query heads one goes from every group.
    let mut steps: Vec<Step> = lowest_of_groups(heads, layer.units)
        .into_iter()
        .take(layer.most_units())
        .map(|score| at(score, Site::Heads, 1, layer.unit_parameters))
        .collect();
    let sorted = ascending(channels);
    let (mut gone, mut last) = (0, f64::NEG_INFINITY);
    while let Some(next) = layer.next_removal(gone) {
        let together = &sorted[gone..next];
        // Rounding must not put a later step before an earlier one.
        last = (together.iter().sum::<f64>() / together.len() as f64).max(last);
        steps.push(at(last, Site::Channels, next - gone, (next - gone) * layer.channel_parameters));
        gone = next;
    }
    steps
}

/// The mean of the lowest of every group, of the second, and so on; a group has so many members.
fn lowest_of_groups(scores: &[f64], members: usize) -> Vec<f64> {
    // A layer without attention has no groups.
    let groups: Vec<Vec<f64>> = scores.chunks(members.max(1)).map(ascending).collect();
    let mean = |k: usize| groups.iter().map(|group| group[k]).sum::<f64>() / groups.len() as f64;
    (0..members).map(mean).collect()
}

fn ascending(scores: &[f64]) -> Vec<f64> {
    let mut sorted = scores.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// Which of the steps, sorted by score, are taken so that about `to_go` parameters go.
fn chosen(steps: &[Step], layers: usize, to_go: usize) -> Vec<bool> {
    let below = threshold(steps, to_go);
    let mut goes: Vec<bool> = (0..steps.len()).map(|i| i < below).collect();
    let gone: usize = steps[..below].iter().map(|step| step.parameters).sum();
    let is_over = gone > to_go;
    let mut off = gone.abs_diff(to_go);
    // The next above the threshold go too, or the last below it stay.
    let nearest: Vec<usize> = if is_over { (0..below).rev().collect() } else { (below..steps.len()).collect() };
    let mut is_open = vec![true; layers];
    for i in nearest {
        let Step { layer, site, parameters, .. } = steps[i];
        if site == Site::Heads || !is_open[layer] {
            continue;
        }
        // A step that overshoots by less than half of itself still comes nearer to the target.
        if parameters <= 2 * off {
            goes[i] = !is_over;
            off = off.saturating_sub(parameters);
        } else {
            // The steps of a site go in their order.
            is_open[layer] = false;
        }
    }
    goes
}

/// How many of the steps go by the threshold that comes nearest.
fn threshold(steps: &[Step], to_go: usize) -> usize {
    let mut gone = 0;
    let sums = std::iter::once(0).chain(steps.iter().map(|step| {
        gone += step.parameters;
        gone
    }));
    // Of equally near ones the first, which keeps more.
    sums.enumerate().min_by_key(|(_, gone)| gone.abs_diff(to_go)).map_or(0, |(count, _)| count)
}

fn plan(layer: &Layer, steps: &[Step], goes: &[bool]) -> LayerPlan {
    let gone = |site: Site| -> usize {
        let of_site =
            steps.iter().zip(goes).filter(|(step, goes)| **goes && step.layer == layer.index && step.site == site);
        of_site.map(|(step, _)| step.units).sum()
    };
    let (units, channels) = (gone(Site::Heads), gone(Site::Channels));
    let ratio = LayerRatio { heads: share(units, layer.units), channels: share(channels, layer.before.channels) };
    layer.plan(ratio, units, channels)
}
