//! The sizes with the least divergence within a budget.
//!
//! With a price μ on everything that stays, be it parameters or time, each site decides alone: the count with the least
//! KL(count) − μ · gone. Between the price that takes too little and the one that takes too much (Everett's method,
//! Operations Research 11, 1963) lies a gap of a few units, or of a whole site. Steps close it from either side, the
//! cheapest for what goes first; the cheaper of the two is taken.

use super::budget::Budget;
use super::choices::{Bounds, Choice, Choices, cost, sites, sizes, taken};
use super::exchange::exchange;
use super::{Map, SearchError};
use crate::shape::LayerShape;

/// The shapes that lose at least what the budget says, by no more than a step of channels, and Σ KL of the sites.
pub(super) fn allocate(map: &Map, budget: &Budget<'_>, bounds: &Bounds) -> Result<(Vec<LayerShape>, f64), SearchError> {
    let found = solved(map, budget, bounds);
    if !bounds.whole_sites {
        return found;
    }
    // A whole site is a long step, beside which single steps may close the gap at a worse price than without it.
    let without = solved(map, budget, &Bounds { whole_sites: false, ..bounds.clone() });
    match (found, without) {
        (Ok(with), Ok(without)) if without.1 < with.1 => Ok(without),
        (found, _) => found,
    }
}

fn solved(map: &Map, budget: &Budget<'_>, bounds: &Bounds) -> Result<(Vec<LayerShape>, f64), SearchError> {
    let (sites, target) = (sites(map, budget, bounds), budget.gone);
    let most: usize = sites.iter().map(|site| site.options.iter().map(|choice| choice.gone).max().unwrap_or(0)).sum();
    if target > most {
        return Err(budget.beyond(most));
    }
    let [mut chosen, mut beyond] = priced(&sites, target);
    finish(&sites, &mut chosen, target);
    give_back(&sites, &mut beyond, target);
    let over = |chosen: &[usize]| taken(&sites, chosen).saturating_sub(target);
    let steps = sites.iter().flat_map(|site| site.options.iter().map(|choice| choice.gone)).filter(|&gone| gone > 0);
    let is_near = over(&beyond) <= steps.min().unwrap_or(0).max(over(&chosen));
    let is_cheaper = cost(&sites, &beyond) < cost(&sites, &chosen);
    if taken(&sites, &chosen) < target || (is_near && is_cheaper) {
        chosen = beyond;
    }
    exchange(&sites, &mut chosen, target);
    Ok((sizes(&map.layers, &sites, &chosen), cost(&sites, &chosen)))
}

/// What every site chooses at the highest price at which all together still take less than the target, and at the next,
/// at which they take enough.
fn priced(sites: &[Choices<'_>], target: usize) -> [Vec<usize>; 2] {
    let at = |price: f64| -> Vec<usize> { sites.iter().map(|site| site.best(price)).collect() };
    let (mut low, mut high) = (0.0, 1.0);
    // A price at which everything goes that can: costs are finite.
    while taken(sites, &at(high)) < target && high < 1e12 {
        high *= 4.0;
    }
    // Until no number lies between the two.
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if taken(sites, &at(middle)) < target { low = middle } else { high = middle }
    }
    [at(low), at(high)]
}

impl Choices<'_> {
    /// The count with the least cost at a price for all that stays; of equals the first.
    fn best(&self, price: f64) -> usize {
        let worth = |choice: &Choice<'_>| choice.cost - price * choice.gone as f64;
        let mut best = 0;
        for (i, choice) in self.options.iter().enumerate() {
            // Less, and not as little: of equal ones the first stays, so that equal searches end alike.
            if worth(choice) < worth(&self.options[best]) {
                best = i;
            }
        }
        best
    }

    /// All cuts that take more than the one at `at`, with what each takes and costs beyond it: a far one, as of a whole
    /// site, may cost less for a parameter than the nearest.
    fn further(&self, at: usize) -> impl Iterator<Item = (usize, usize, f64)> {
        let now = self.options[at];
        let more = self.options.iter().enumerate().filter(move |(_, choice)| choice.gone > now.gone);
        more.map(move |(i, choice)| (i, choice.gone - now.gone, choice.cost - now.cost))
    }

    /// All cuts that take less than the one at `at`, with what each gives back and saves.
    fn nearer(&self, at: usize) -> impl Iterator<Item = (usize, usize, f64)> {
        let now = self.options[at];
        let less = self.options.iter().enumerate().filter(move |(_, choice)| choice.gone < now.gone);
        less.map(move |(i, choice)| (i, now.gone - choice.gone, now.cost - choice.cost))
    }
}

/// What was taken beyond the target comes back, what saves most for its amount first.
fn give_back(sites: &[Choices<'_>], chosen: &mut [usize], target: usize) {
    loop {
        let Some(over) = taken(sites, chosen).checked_sub(target) else { return };
        let steps = sites.iter().zip(chosen.iter()).enumerate();
        let steps = steps.flat_map(|(site, (choices, &at))| choices.nearer(at).map(move |step| (site, step)));
        let fits = steps.filter(|(_, (_, back, _))| *back <= over);
        let best = fits.max_by(|(_, a), (_, b)| (a.2 / a.1 as f64).total_cmp(&(b.2 / b.1 as f64)));
        let Some((site, (i, ..))) = best else { return };
        chosen[site] = i;
    }
}

/// Single steps until the target is met, the cheapest for what goes first. A step that would overshoot is taken only
/// where no smaller one is left.
fn finish(sites: &[Choices<'_>], chosen: &mut [usize], target: usize) {
    loop {
        let taken = taken(sites, chosen);
        if taken >= target {
            return;
        }
        let left = target - taken;
        let steps = sites.iter().zip(chosen.iter()).enumerate();
        let steps: Vec<(usize, usize, usize, f64)> = steps
            .flat_map(|(site, (choices, &at))| choices.further(at).map(move |(i, gone, cost)| (site, i, gone, cost)))
            .collect();
        let smallest = steps.iter().map(|&(_, _, gone, _)| gone).min().unwrap_or(0);
        let fits = steps.iter().filter(|&&(_, _, gone, _)| gone <= left.max(smallest));
        let cheapest = fits.min_by(|a, b| (a.3 / a.2 as f64).total_cmp(&(b.3 / b.2 as f64)));
        let Some(&(site, i, ..)) = cheapest else { return };
        chosen[site] = i;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::{LayerTimes, MeasuredTimes, TimePoint};
    use crate::search::budget::Measure;
    use crate::search::{Curve, Cut, WholeSite};
    use crate::shape::{ModelConfig, Site};

    fn config(layers: usize) -> ModelConfig {
        ModelConfig::toy(8, LayerShape { heads: 4, kv_heads: 2, channels: 16 }, layers)
    }

    fn parameters(config: &ModelConfig, gone: usize) -> Budget<'_> {
        Budget { config, measure: Measure::Parameters(config), gone }
    }

    /// Channels cost the layer's factor times the square of what goes, heads a lot.
    fn map(config: &ModelConfig, factors: &[f64]) -> Map {
        let mut curves = Vec::new();
        for (layer, factor) in factors.iter().enumerate() {
            let at = |k: usize| factor * (k * k) as f64;
            let heads = Curve { layer, cut: Cut::KvHeads, step: 1, errors: vec![0.5], probed: vec![(1, 50.0)] };
            let channels = Curve {
                layer,
                cut: Cut::Channels,
                step: 1,
                errors: (1..=12).map(at).collect(),
                probed: [4, 8, 12].map(|k| (k, at(k))).to_vec(),
            };
            curves.extend([heads, channels]);
        }
        Map { layers: config.layers.clone(), curves, ..Map::default() }
    }

    /// The least cost of all ways to take at least so many channels.
    fn by_trying(factors: &[f64], channels: usize) -> f64 {
        let mut best = f64::INFINITY;
        for a in 0..=12usize {
            for b in 0..=12usize {
                for c in 0..=12usize {
                    if a + b + c >= channels {
                        let cost = [a, b, c].iter().zip(factors).map(|(k, f)| f * (k * k) as f64).sum();
                        best = best.min(cost);
                    }
                }
            }
        }
        best
    }

    #[test]
    fn it_is_as_good_as_trying_everything() {
        let (config, factors) = (config(3), [1.0, 0.3, 0.05]);
        let map = map(&config, &factors);
        let each = 3 * 8;
        for channels in 1..=24 {
            let budget = parameters(&config, channels * each);
            let (shapes, sum) = allocate(&map, &budget, &Bounds::default()).unwrap();
            let gone: usize = shapes.iter().map(|shape| 16 - shape.channels).sum();
            assert_eq!(gone, channels, "the target is met exactly");
            let best = by_trying(&factors, channels);
            assert!(sum <= best * (1.0 + 1e-9), "{channels}: {sum}, and {best} is possible");
        }
    }

    #[test]
    fn a_whole_half_goes_where_that_is_cheapest() {
        let config = config(3);
        let mut map = map(&config, &[1.0, 1.0, 1.0]);
        // The middle layer's attention costs next to nothing, its feed-forward part less than its last channels.
        let whole = |site, divergence| WholeSite { layer: 1, site, divergence };
        map.whole = vec![whole(Site::Heads, 0.01), whole(Site::Channels, 90.0)];
        let bounds = Bounds { whole_sites: true, ..Bounds::default() };
        let [attention, layer] = [config.layers[1].without(Site::Channels), config.layers[1]];
        let [attention, layer] = [attention, layer].map(|shape| config.layer_parameters(shape));
        let (shapes, sum) = allocate(&map, &parameters(&config, attention), &bounds).unwrap();
        assert_eq!((shapes[1], sum), (config.layers[1].without(Site::Heads), 0.01));
        assert_eq!((shapes[0], shapes[2]), (config.layers[0], config.layers[2]));
        // Both go, with both norms, and what is left is asked of the others.
        let (shapes, _) = allocate(&map, &parameters(&config, layer + 10 * 24), &bounds).unwrap();
        let gone: usize = shapes.iter().map(|&shape| layer - config.layer_parameters(shape)).sum();
        assert!(shapes[1].is_empty() && gone >= layer + 10 * 24 && gone < layer + 11 * 24, "{shapes:?}");
        // Not asked for, or not known, nothing goes as a whole.
        let without = allocate(&map, &parameters(&config, attention), &Bounds::default()).unwrap();
        assert!(without.0.iter().all(LayerShape::is_whole), "{without:?}");
        let kept = Bounds { keep_layers: vec![1], ..bounds.clone() };
        assert_eq!(allocate(&map, &parameters(&config, attention), &kept).unwrap().0[1], config.layers[1]);
        // A bias of the method's would be left of the half.
        let biased = ModelConfig { o_bias: true, ..config.clone() };
        assert!(allocate(&map, &parameters(&biased, attention), &bounds).unwrap().0[1].has(Site::Heads));
    }

    #[test]
    fn what_is_to_stay_stays() {
        let config = config(3);
        let map = map(&config, &[0.1, 0.1, 0.1]);
        let bounds = Bounds { keep_layers: vec![1], channel_multiple: Some(4), ..Bounds::default() };
        let (shapes, _) = allocate(&map, &parameters(&config, 10 * 24), &bounds).unwrap();
        assert_eq!(shapes[1], config.layers[1]);
        assert!(shapes.iter().all(|shape| shape.channels % 4 == 0));
        let too_much = allocate(&map, &parameters(&config, 1_000_000), &bounds).unwrap_err();
        assert!(matches!(too_much, SearchError::TooMuch { .. }), "{too_much}");
    }

    /// Microseconds of a token when both layers have so many channels: steep, flat, and steep again.
    const BY_CHANNELS: [(usize, u32); 5] = [(4, 1_000), (8, 1_064), (10, 1_068), (12, 1_072), (16, 1_200)];

    /// The table of a model of two layers in which heads save nothing.
    fn times(config: &ModelConfig) -> LayerTimes {
        let point = |layer: LayerShape, micros: u32| TimePoint { layer, seconds: f64::from(micros) / 1e6 };
        let largest = config.layers[0];
        let channels = BY_CHANNELS.iter().rev().map(|&(channels, micros)| {
            let layer = LayerShape { channels, ..largest };
            point(layer, micros)
        });
        let heads = [(2, 2), (2, 1), (1, 1)].map(|(heads, kv_heads)| LayerShape { heads, kv_heads, ..largest });
        let points = channels.chain(heads.map(|layer| point(layer, 1_200))).collect();
        let text = String::new;
        let (version, device, model) = (text(), text(), text());
        LayerTimes::new(MeasuredTimes { version, device, model, layers: 2, context_tokens: 1, points }).unwrap()
    }

    /// Microseconds of one layer beyond those of the largest, by hand: lines between what was measured, over two layers.
    fn micros(channels: usize) -> f64 {
        let above = BY_CHANNELS.iter().position(|&(knot, _)| knot >= channels).unwrap();
        let (high, at_high) = BY_CHANNELS[above];
        let whole = 1_200.0;
        if high == channels {
            return (f64::from(at_high) - whole) / 2.0;
        }
        let (low, at_low) = BY_CHANNELS[above - 1];
        let part = (channels - low) as f64 / (high - low) as f64;
        (f64::from(at_low) + part * (f64::from(at_high) - f64::from(at_low)) - whole) / 2.0
    }

    #[test]
    fn a_budget_of_time_is_met_as_cheaply_as_trying_everything() {
        let config = config(2);
        let times = times(&config);
        for factors in [[1.0, 1.0], [1.0, 0.3], [0.02, 1.0]] {
            let map = map(&config, &factors);
            let cost =
                |(a, b): (usize, usize)| [a, b].iter().zip(factors).map(|(k, f)| f * (k * k) as f64).sum::<f64>();
            // Between whole microseconds, so that rounding decides nothing.
            for saved in (1..196).step_by(3).map(|n| f64::from(n) + 0.5) {
                let asked =
                    Budget { config: &config, measure: Measure::Nanoseconds(&times), gone: (1e3 * saved) as usize };
                let (shapes, sum) = allocate(&map, &asked, &Bounds::default()).unwrap();
                let reached = 1e6 * (times.seconds(&config.layers) - times.seconds(&shapes));
                assert!(reached >= saved - 1e-6, "{saved}: {reached}");
                let by_hand: f64 = shapes.iter().map(|shape| -micros(shape.channels)).sum();
                assert!((by_hand - reached).abs() < 1e-6, "{by_hand} µs by hand, {reached}");
                let all = (0..=12usize).flat_map(|a| (0..=12usize).map(move |b| (a, b)));
                let enough = all.filter(|&(a, b)| -micros(16 - a) - micros(16 - b) >= saved);
                let best = enough.map(cost).min_by(f64::total_cmp).unwrap();
                assert!((sum - best).abs() <= 1e-9 * best, "{factors:?}, {saved} µs: {sum}, and {best} is possible");
            }
        }
    }

    #[test]
    fn more_time_than_can_be_saved_is_told_in_milliseconds() {
        let config = config(2);
        let (map, times) = (map(&config, &[1.0, 1.0]), times(&config));
        let asked = Budget { config: &config, measure: Measure::Nanoseconds(&times), gone: 300_000 };
        let error = allocate(&map, &asked, &Bounds::default()).unwrap_err();
        assert!(matches!(error, SearchError::TooFast { .. }) && error.to_string().contains("0.200"), "{error}");
    }
}
