//! One shape for all layers: of all that meet the target the one with the least Σ KL. There are few, so all are looked at.

use std::collections::BTreeMap;

use super::budget::Budget;
use super::choices::{Bounds, Choice, Choices, sites};
use super::{Map, SearchError};
use crate::shape::LayerShape;

/// What a count comes to in all layers together.
#[derive(Clone, Copy, Default)]
struct Sum {
    gone: usize,
    cost: f64,
}

/// The layers in the one shape that loses at least what the budget says at the least Σ KL, and that sum.
pub(super) fn uniform(map: &Map, budget: &Budget<'_>, bounds: &Bounds) -> Result<(Vec<LayerShape>, f64), SearchError> {
    let sites = sites(map, budget, bounds);
    // Heads and channels of a layer follow each other.
    let site = |which: usize| sites.iter().skip(which).step_by(2);
    let heads = common(site(0), map, |shape| (shape.heads, shape.kv_heads));
    let channels = common(site(1), map, |shape| shape.channels);
    let pairs = heads.iter().flat_map(|heads| channels.iter().map(move |channels| (heads, channels)));
    let pairs = pairs.map(|((&(heads, kv_heads), of_heads), (&channels, of_channels))| {
        let sum = Sum { gone: of_heads.gone + of_channels.gone, cost: of_heads.cost + of_channels.cost };
        (LayerShape { heads, kv_heads, channels }, sum)
    });
    let pairs: Vec<(LayerShape, Sum)> = pairs.collect();
    let most = pairs.iter().map(|(_, sum)| sum.gone).max().ok_or(SearchError::NoCommonShape)?;
    let enough = pairs.into_iter().filter(|(_, sum)| sum.gone >= budget.gone);
    // Of equal costs the one that takes less than the other beyond the target.
    let best = enough.min_by(|(_, a), (_, b)| a.cost.total_cmp(&b.cost).then(a.gone.cmp(&b.gone)));
    let (shape, sum) = best.ok_or_else(|| budget.beyond(most))?;
    let of_layer = |(layer, &before)| if bounds.keep_layers.contains(&layer) { before } else { shape };
    Ok((map.layers.iter().enumerate().map(of_layer).collect(), sum.cost))
}

/// The sizes that every one of the sites can come out with, with what they come to.
fn common<'a, K: Ord + Copy>(
    sites: impl Iterator<Item = &'a Choices<'a>>,
    map: &Map,
    size: impl Fn(LayerShape) -> K,
) -> BTreeMap<K, Sum> {
    let of_site = |site: &Choices<'_>| -> BTreeMap<K, Sum> {
        let sized = |choice: &Choice<'_>| {
            (size(choice.of(map.layers[site.layer])), Sum { gone: choice.gone, cost: choice.cost })
        };
        site.options.iter().map(sized).collect()
    };
    let both = |all: BTreeMap<K, Sum>, one: BTreeMap<K, Sum>| -> BTreeMap<K, Sum> {
        let added = |(size, sum): (K, Sum)| {
            one.get(&size).map(|own| (size, Sum { gone: sum.gone + own.gone, cost: sum.cost + own.cost }))
        };
        all.into_iter().filter_map(added).collect()
    };
    sites.map(of_site).reduce(both).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::budget::Measure;
    use crate::search::{Curve, Cut};
    use crate::shape::ModelConfig;

    const LAYERS: usize = 3;

    fn config() -> ModelConfig {
        ModelConfig::toy(12, LayerShape { heads: 6, kv_heads: 3, channels: 10 }, LAYERS)
    }

    /// Costs without a rule, every count probed.
    fn map(config: &ModelConfig) -> Map {
        let cost = |layer: usize, cut: usize, k: usize| k as f64 * (1.0 + ((layer * 7 + cut * 3 + k) % 5) as f64 / 5.0);
        let mut curves = Vec::new();
        for layer in 0..LAYERS {
            for (i, (cut, most)) in
                [(Cut::KvHeads, 2), (Cut::QueryHeads, 1), (Cut::Channels, 9)].into_iter().enumerate()
            {
                let errors = (1..=most).map(|k| k as f64 / 10.0).collect();
                let probed = (1..=most).map(|k| (k, cost(layer, i, k))).collect();
                curves.push(Curve { layer, cut, step: 1, errors, probed });
            }
        }
        Map { layers: config.layers.clone(), curves, ..Map::default() }
    }

    fn budget(config: &ModelConfig, gone: usize) -> Budget<'_> {
        Budget { config, measure: Measure::Parameters(config), gone }
    }

    fn parameters(config: &ModelConfig, layers: &[LayerShape]) -> usize {
        layers.iter().map(|&shape| config.layer_parameters(shape)).sum()
    }

    /// The least cost of all shapes, by hand: every pair is held against the model's own count of parameters.
    fn by_trying(map: &Map, config: &ModelConfig, target: usize) -> Option<(LayerShape, f64)> {
        let heads = [
            (6, 3, None),
            (4, 2, Some((Cut::KvHeads, 1))),
            (2, 1, Some((Cut::KvHeads, 2))),
            (3, 3, Some((Cut::QueryHeads, 1))),
        ];
        let cost = |cut: Cut, k: usize| -> f64 {
            map.curves.iter().filter(|c| c.cut == cut).map(|c| c.probed.iter().find(|p| p.0 == k).unwrap().1).sum()
        };
        let mut best: Option<(LayerShape, f64)> = None;
        for (heads, kv_heads, cut) in heads {
            for gone in 0..=9usize {
                let shape = LayerShape { heads, kv_heads, channels: 10 - gone };
                let lost = parameters(config, &config.layers) - parameters(config, &[shape; LAYERS]);
                let of_channels = if gone == 0 { 0.0 } else { cost(Cut::Channels, gone) };
                let sum = cut.map_or(0.0, |(cut, k)| cost(cut, k)) + of_channels;
                if lost >= target && best.is_none_or(|(_, least)| sum < least - 1e-12) {
                    best = Some((shape, sum));
                }
            }
        }
        best
    }

    #[test]
    fn it_is_as_good_as_trying_everything() {
        let config = config();
        let map = map(&config);
        let all = parameters(&config, &config.layers);
        for percent in 1..80 {
            let target = all * percent / 100;
            let Some((_, least)) = by_trying(&map, &config, target) else {
                let refused = uniform(&map, &budget(&config, target), &Bounds::default()).unwrap_err();
                assert!(matches!(refused, SearchError::TooMuch { .. }), "{refused}");
                continue;
            };
            let (layers, sum) = uniform(&map, &budget(&config, target), &Bounds::default()).unwrap();
            assert!(layers.iter().all(|shape| *shape == layers[0]), "{layers:?}");
            assert!(all - parameters(&config, &layers) >= target, "{percent} %");
            assert!((sum - least).abs() < 1e-9, "{percent} %: {sum}, and {least} is possible");
        }
    }

    #[test]
    fn bounds_hold_for_one_shape_too() {
        let config = config();
        let map = map(&config);
        let bounds = Bounds { keep_layers: vec![0], channel_multiple: Some(5), uniform: true, ..Bounds::default() };
        let (layers, _) = uniform(&map, &budget(&config, 150), &bounds).unwrap();
        assert_eq!(layers[0], config.layers[0]);
        assert!(layers[1] == layers[2] && layers[1] != layers[0] && layers[1].channels.is_multiple_of(5), "{layers:?}");
    }

    #[test]
    fn layers_of_different_sizes_meet_where_they_can() {
        let mut config = config();
        // The second layer has lost four channels already.
        config.layers[1].channels = 6;
        let mut map = map(&config);
        map.curves.iter_mut().filter(|c| c.layer == 1 && c.cut == Cut::Channels).for_each(|curve| {
            curve.errors.truncate(5);
            curve.probed.truncate(5);
        });
        let (layers, _) = uniform(&map, &budget(&config, 1), &Bounds::default()).unwrap();
        assert!(layers.iter().all(|shape| *shape == layers[0]) && layers[0].channels <= 6, "{layers:?}");
        config.layers[2].channels = 1;
        map.layers.clone_from(&config.layers);
        map.curves.retain(|c| c.layer != 2 || c.cut != Cut::Channels);
        map.curves
            .iter_mut()
            .filter(|c| c.layer == 1 && c.cut == Cut::Channels)
            .for_each(|curve| curve.probed.truncate(2));
        let refused = uniform(&map, &budget(&config, 1), &Bounds::default()).unwrap_err();
        assert!(matches!(refused, SearchError::NoCommonShape), "{refused}");
    }
}
