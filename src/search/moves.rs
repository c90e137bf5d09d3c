//! Moves of a climb: one site gets units back, another loses as much more, be it parameters or time.
//!
//! By the map no move gains anything, since its sizes are the best there are for sums of its costs; but costs of sites
//! that are cut alone are not those in a model that is cut everywhere. So a move is worth what the map says and a part of
//! what it moves, the smaller the more is known of its sites; and what candidates show corrects the costs of both sites,
//! damped: all corrected at once by what they cost in the cut model, sizes came out worse.

use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Map;
use super::budget::Budget;
use super::choices::{self, Bounds, Choices, sites};
use super::shifts::{Move, Shifts};
use crate::shape::LayerShape;

/// The part of the costs a move shifts by which they may be wrong, before anything is known of its sites.
const HOPE: f64 = 0.5;
/// Moves whose worth differs by less than this part of what they shift are worth the same.
const NEAR: f64 = 0.05;
/// The part of what a candidate shows that its sites' costs are corrected by, as logarithms.
const DAMPING: f64 = 0.3;
/// The most by which a cost is corrected: a factor of e to this.
const MOST_CORRECTION: f64 = 2.0;

/// What candidates have shown of each site.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Learnt {
    /// The logarithm of what its costs are multiplied by.
    corrections: Vec<f64>,
    /// Candidates in which it was moved.
    tries: Vec<usize>,
}

impl Learnt {
    /// Nothing, of so many sites.
    pub fn nothing(sites: usize) -> Self {
        Self { corrections: vec![0.0; sites], tries: vec![0; sites] }
    }

    /// Whether it is of so many sites.
    pub fn is_of(&self, sites: usize) -> bool {
        self.corrections.len() == sites && self.tries.len() == sites
    }

    fn cost(&self, site: usize, cost: f64) -> f64 {
        // A factor above 0, however often it is corrected.
        cost * self.corrections[site].exp()
    }

    /// Takes note of what a move has gained, in nats a token.
    pub fn note(&mut self, made: &Move, worth: &Worth, gained: f64) {
        // One candidate says at most that all that was moved was judged wrongly.
        let surprise = ((gained - worth.gain) / worth.moved.max(f64::MIN_POSITIVE)).clamp(-1.0, 1.0);
        // Better than expected: what came back was dearer, or what went was cheaper.
        for (site, sign) in [(made.relieved.0, 1.0), (made.loaded.0, -1.0)] {
            let corrected = self.corrections[site] + sign * DAMPING * surprise;
            self.corrections[site] = corrected.clamp(-MOST_CORRECTION, MOST_CORRECTION);
            self.tries[site] += 1;
        }
    }
}

/// What a move is expected to come to, in nats a token.
#[derive(Clone, Copy, Debug)]
pub struct Worth {
    /// By how much the divergence is to fall.
    gain: f64,
    /// The costs that come and go.
    moved: f64,
    /// What it is worth to try it.
    hope: f64,
}

/// All sites with their counts, and the budget.
pub struct Field<'a> {
    sites: Vec<Choices<'a>>,
    layers: &'a [LayerShape],
    /// What is to go at least, in what the budget counts.
    target: usize,
    /// How many more may go.
    room: usize,
}

impl<'a> Field<'a> {
    /// The sites of a map, and of each the place of what it loses for the layers `start`; `None` where these are not sizes
    /// of the map, or do not meet the budget. Every move meets it.
    pub fn new(map: &'a Map, budget: &Budget<'_>, bounds: &Bounds, start: &[LayerShape]) -> Option<(Self, Vec<usize>)> {
        if start.len() != map.layers.len() {
            return None;
        }
        let (sites, target) = (sites(map, budget, bounds), budget.gone);
        let mut field = Self { sites, layers: &map.layers, target, room: 0 };
        let chosen = field.places_of(start)?;
        // Whatever it begins with is met as nearly, and else to a step of channels.
        let step = field.sites.iter().skip(1).step_by(2).filter_map(Choices::widest).max().unwrap_or(0);
        field.room = step.max(field.gone(&chosen).checked_sub(target)?);
        Some((field, chosen))
    }

    fn places_of(&self, start: &[LayerShape]) -> Option<Vec<usize>> {
        let place = |(i, site): (usize, &Choices<'a>)| {
            let (before, after) = (self.layers[site.layer], start[site.layer]);
            // Heads and channels of a layer follow one another.
            let is_it = |shape: LayerShape| match i % 2 {
                0 => (shape.heads, shape.kv_heads) == (after.heads, after.kv_heads),
                _ => shape.channels == after.channels,
            };
            site.options.iter().position(|choice| is_it(choice.of(before)))
        };
        let places: Option<Vec<usize>> = self.sites.iter().enumerate().map(place).collect();
        // Layers that lose nothing have no sites.
        places.filter(|places| self.sizes(places) == start)
    }

    /// Whether these are places of its sites' counts that meet the budget.
    pub fn has(&self, chosen: &[usize]) -> bool {
        let is_there = |(site, &at): (&Choices<'a>, &usize)| at < site.options.len();
        chosen.len() == self.count() && self.sites.iter().zip(chosen).all(is_there) && self.gone(chosen) >= self.target
    }

    /// How many sites there are.
    pub fn count(&self) -> usize {
        self.sites.len()
    }

    /// The layers of sizes.
    pub fn sizes(&self, chosen: &[usize]) -> Vec<LayerShape> {
        choices::sizes(self.layers, &self.sites, chosen)
    }

    /// Σ of the sites' costs as the map has them.
    pub fn cost(&self, chosen: &[usize]) -> f64 {
        choices::cost(&self.sites, chosen)
    }

    /// What goes, in what the budget counts.
    pub fn gone(&self, chosen: &[usize]) -> usize {
        choices::taken(&self.sites, chosen)
    }

    /// The first layer that a move changes.
    pub fn first_layer(&self, of: &Move) -> usize {
        self.sites[of.relieved.0].layer.min(self.sites[of.loaded.0].layer)
    }

    /// What is to be tried next of moves of at most so many units, with what is expected of it; none where all were tried.
    /// Among what is worth the same, seed and step choose.
    pub fn propose(
        &self,
        chosen: &[usize],
        learnt: &Learnt,
        tried: &[Move],
        units: usize,
        (seed, step): (u64, usize),
    ) -> Option<(Move, Worth)> {
        let moves = self.moves(chosen, units).into_iter().filter(|made| !tried.contains(made));
        let all: Vec<(Move, Worth)> = moves.map(|made| (made, self.worth(chosen, &made, learnt))).collect();
        let best = all.iter().map(|(_, worth)| *worth).max_by(|a, b| a.hope.total_cmp(&b.hope))?;
        let near: Vec<&(Move, Worth)> =
            all.iter().filter(|(_, worth)| worth.hope >= best.hope - NEAR * best.moved).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // A stream for each step: what is chosen does not depend on how a climb was interrupted.
        rng.set_stream(step as u64);
        near.get(index::sample(&mut rng, near.len(), 1).index(0)).map(|found| **found)
    }

    fn moves(&self, chosen: &[usize], units: usize) -> Vec<Move> {
        Shifts { sites: &self.sites, target: self.target, room: self.room, units }.all(chosen)
    }

    fn worth(&self, chosen: &[usize], made: &Move, learnt: &Learnt) -> Worth {
        let change = |(site, to): (usize, usize)| {
            let options = &self.sites[site].options;
            learnt.cost(site, options[to].cost) - learnt.cost(site, options[chosen[site]].cost)
        };
        let (less, more) = (-change(made.relieved), change(made.loaded));
        let (gain, moved) = (less - more, less.abs() + more.abs());
        let known = learnt.tries[made.relieved.0] + learnt.tries[made.loaded.0];
        Worth { gain, moved, hope: gain + HOPE * moved / ((1 + known) as f64).sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::allocate::allocate;
    use crate::search::budget::Measure;
    use crate::search::{Curve, Cut};
    use crate::shape::ModelConfig;

    const LAYERS: usize = 4;

    fn config() -> ModelConfig {
        let dense = LayerShape { heads: 8, kv_heads: 4, channels: 40 };
        ModelConfig { head_dim: 4, ..ModelConfig::toy(12, dense, LAYERS) }
    }

    fn map(config: &ModelConfig) -> Map {
        let mut curves = Vec::new();
        for layer in 0..LAYERS {
            for (cut, step, most) in [(Cut::KvHeads, 1, 3), (Cut::QueryHeads, 1, 1), (Cut::Channels, 2, 36)] {
                let at =
                    |k: usize| (1 + layer) as f64 * (k * k) as f64 * if cut == Cut::Channels { 1e-4 } else { 0.02 };
                let errors = (1..=most / step).map(|k| at(k * step)).collect();
                let probed =
                    [most / 2 / step * step, most].into_iter().filter(|&k| k > 0).map(|k| (k, at(k))).collect();
                curves.push(Curve { layer, cut, step, errors, probed });
            }
        }
        Map { layers: config.layers.clone(), curves, ..Map::default() }
    }

    fn budget(config: &ModelConfig, gone: usize) -> Budget<'_> {
        Budget { config, measure: Measure::Parameters(config), gone }
    }

    fn start(map: &Map, budget: &Budget<'_>, bounds: &Bounds) -> Vec<LayerShape> {
        allocate(map, budget, bounds).unwrap().0
    }

    /// Makes so many moves one after the other, whatever they come to, and looks at each.
    fn walked(bounds: &Bounds, moves: usize, seed: u64, look: impl Fn(&[LayerShape], usize, &Field<'_>)) -> Vec<Move> {
        let config = config();
        let map = map(&config);
        let target = config.decoder_parameters() * 3 / 10;
        let budget = budget(&config, target);
        let start = start(&map, &budget, bounds);
        let (field, mut chosen) = Field::new(&map, &budget, bounds, &start).unwrap();
        assert_eq!(field.sizes(&chosen), start);
        let (mut learnt, mut made) = (Learnt::nothing(field.count()), Vec::new());
        for step in 0..moves {
            let units = [4, 2, 1, 16][step % 4];
            let (next, worth) = field.propose(&chosen, &learnt, &[], units, (seed, step)).unwrap();
            // As if every other candidate had been better than expected.
            learnt.note(&next, &worth, if step % 2 == 0 { 1.0 } else { -1.0 });
            chosen = next.made(&chosen);
            assert!(field.has(&chosen));
            look(&field.sizes(&chosen), target, &field);
            made.push(next);
        }
        made
    }

    fn gone(layers: &[LayerShape]) -> usize {
        let config = config();
        config.decoder_parameters() - layers.iter().map(|&layer| config.layer_parameters(layer)).sum::<usize>()
    }

    #[test]
    fn every_move_keeps_to_the_budget_by_the_models_own_count() {
        for seed in 0..3 {
            walked(&Bounds::default(), 60, seed, |layers, target, field| {
                let gone = gone(layers);
                // Two channels are a step, of three rows or columns each.
                assert!((target..=target + 2 * 3 * 12).contains(&gone), "{gone} for {target}");
                assert_eq!(field.gone(&field.places_of(layers).unwrap()), gone);
            });
        }
    }

    #[test]
    fn every_move_keeps_to_the_bounds() {
        let bounds = Bounds { keep_layers: vec![1], channel_multiple: Some(4), ..Bounds::default() };
        walked(&bounds, 60, 7, |layers, _, _| {
            assert_eq!(layers[1], config().layers[1]);
            assert!(layers.iter().all(|layer| layer.channels.is_multiple_of(4)), "{layers:?}");
        });
    }

    #[test]
    fn budget_passes_between_attention_and_feed_forward() {
        let config = config();
        let map = map(&config);
        let (bounds, budget) = (Bounds::default(), budget(&config, config.decoder_parameters() * 3 / 10));
        let start = start(&map, &budget, &bounds);
        let (field, chosen) = Field::new(&map, &budget, &bounds, &start).unwrap();
        let moves = field.moves(&chosen, 4);
        // Of each layer heads come first.
        let crosses = |from: usize| moves.iter().any(|m| m.relieved.0 % 2 == from && m.loaded.0 % 2 != from);
        assert!(crosses(0) && crosses(1), "{moves:?}");
    }

    #[test]
    fn the_same_seed_and_step_propose_the_same() {
        let moves = |seed| walked(&Bounds::default(), 20, seed, |_, _, _| {});
        assert_eq!(moves(3), moves(3));
    }

    #[test]
    fn all_moves_are_tried_once_and_then_none() {
        let config = config();
        let map = map(&config);
        let (bounds, budget) = (Bounds::default(), budget(&config, config.decoder_parameters() / 4));
        let start = start(&map, &budget, &bounds);
        let (field, chosen) = Field::new(&map, &budget, &bounds, &start).unwrap();
        let (learnt, mut tried) = (Learnt::nothing(field.count()), Vec::new());
        while let Some((made, _)) = field.propose(&chosen, &learnt, &tried, 1, (0, tried.len())) {
            assert!(!tried.contains(&made));
            tried.push(made);
        }
        assert!(tried.len() > LAYERS, "{tried:?}");
    }

    #[test]
    fn what_a_candidate_shows_makes_the_same_move_dearer_and_its_reverse_cheaper() {
        let config = config();
        let map = map(&config);
        let (bounds, budget) = (Bounds::default(), budget(&config, config.decoder_parameters() / 4));
        let start = start(&map, &budget, &bounds);
        let (field, chosen) = Field::new(&map, &budget, &bounds, &start).unwrap();
        let mut learnt = Learnt::nothing(field.count());
        let (made, before) = field.propose(&chosen, &learnt, &[], 2, (0, 0)).unwrap();
        learnt.note(&made, &before, before.gain - before.moved);
        let after = field.worth(&chosen, &made, &learnt);
        assert!(after.gain < before.gain && after.hope < before.hope, "{before:?} {after:?}");
        // However often: a cost is never believed to be nothing.
        for _ in 0..100 {
            learnt.note(&made, &before, -1e9);
        }
        assert!(learnt.corrections.iter().all(|c| c.abs() <= MOST_CORRECTION), "{learnt:?}");
    }

    #[test]
    fn sizes_that_the_map_does_not_have_are_no_start() {
        let config = config();
        let map = map(&config);
        let mut layers = config.layers.clone();
        layers[0].channels -= 1;
        let field = |gone, layers| Field::new(&map, &budget(&config, gone), &Bounds::default(), layers);
        assert!(field(0, &layers).is_none());
        // Too little goes.
        assert!(field(10, &config.layers).is_none());
        assert!(field(0, &layers[1..]).is_none());
    }
}
