//! Which counts two sites may change to together, so that the budget stays met.

use serde::{Deserialize, Serialize};

use super::choices::{Choice, Choices, taken};

/// One site gets units back, another loses more. Places are among all sites, and among a site's counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// The site that gets units back, and its count afterwards.
    pub(super) relieved: (usize, usize),
    /// The site that loses more, and its count afterwards.
    pub(super) loaded: (usize, usize),
}

impl Move {
    /// Sizes with the move made.
    pub fn made(&self, chosen: &[usize]) -> Vec<usize> {
        let mut moved = chosen.to_vec();
        moved[self.relieved.0] = self.relieved.1;
        moved[self.loaded.0] = self.loaded.1;
        moved
    }
}

/// What moves keep to.
pub(super) struct Shifts<'b, 'a> {
    pub sites: &'b [Choices<'a>],
    /// What is to go at least, in what the budget counts.
    pub target: usize,
    /// How many more may go.
    pub room: usize,
    /// Steps of the coarser site that a move may shift.
    pub units: usize,
}

impl Shifts<'_, '_> {
    /// Of every two sites the largest shift of counts, and where a site has nothing left or comes to that, the cheapest
    /// of those: no steps lead there, so these may be as long as they must.
    pub fn all(&self, chosen: &[usize]) -> Vec<Move> {
        let taken = taken(self.sites, chosen);
        let mut all = Vec::new();
        for relieved in 0..self.sites.len() {
            for loaded in (0..self.sites.len()).filter(|&loaded| loaded != relieved) {
                let pair = Pair { taken, relieved: (relieved, chosen[relieved]), loaded: (loaded, chosen[loaded]) };
                all.extend(self.of_counts(&pair));
                all.extend(self.of_a_whole_site(&pair));
            }
        }
        all
    }

    fn of_counts(&self, pair: &Pair) -> Option<Move> {
        let [gives, takes] = [pair.relieved.0, pair.loaded.0].map(|site| &self.sites[site]);
        let full = gives.options[pair.relieved.1];
        if full.is_whole() {
            return None;
        }
        // In steps of the coarser site, or heads could never be traded for channels.
        let most = self.units.saturating_mul(gives.widest()?.max(takes.widest()?));
        let mut best: Option<(usize, f64, Move)> = None;
        for (back, rest) in gives.options.iter().enumerate().filter(|(_, rest)| rest.gone < full.gone) {
            let given = full.gone - rest.gone;
            if given > most {
                continue;
            }
            let Some((cost, made)) = self.cheapest(pair, (back, rest), |option| !option.is_whole()) else { continue };
            // The largest first, for every move costs a pruning; of those alike the one that the map finds cheapest.
            let is_better = |&(known, dear, _): &(usize, f64, Move)| given > known || (given == known && cost < dear);
            if best.as_ref().is_none_or(is_better) {
                best = Some((given, cost, made));
            }
        }
        best.map(|(_, _, made)| made)
    }

    fn of_a_whole_site(&self, pair: &Pair) -> Option<Move> {
        let [gives, takes] = [pair.relieved.0, pair.loaded.0].map(|site| &self.sites[site]);
        let full = gives.options[pair.relieved.1];
        if !full.is_whole() && !takes.options.iter().any(Choice::is_whole) {
            return None;
        }
        let back = gives.options.iter().enumerate().filter(|(_, rest)| rest.gone < full.gone);
        let moves = back.filter_map(|rest| self.cheapest(pair, rest, |option| full.is_whole() || option.is_whole()));
        moves.min_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, made)| made)
    }

    /// What the site that loses more comes to at the least cost when the other keeps `rest`, and the costs of both.
    fn cheapest(
        &self,
        pair: &Pair,
        (back, rest): (usize, &Choice<'_>),
        may: impl Fn(&Choice<'_>) -> bool,
    ) -> Option<(f64, Move)> {
        let [gives, takes] = [pair.relieved.0, pair.loaded.0].map(|site| &self.sites[site]);
        let (given, before) = (gives.options[pair.relieved.1].gone - rest.gone, takes.options[pair.loaded.1]);
        // What the other site may come to, so that the budget is met.
        let least = (self.target + given + before.gone).saturating_sub(pair.taken);
        let is_near = |option: &Choice<'_>| (least..=least + self.room).contains(&option.gone);
        let all = takes.options.iter().enumerate();
        let fitting = all.filter(|(_, option)| option.gone > before.gone && is_near(option) && may(option));
        let (on, more) = fitting.min_by(|(_, a), (_, b)| a.cost.total_cmp(&b.cost))?;
        let made = Move { relieved: (pair.relieved.0, back), loaded: (pair.loaded.0, on) };
        Some((rest.cost + more.cost, made))
    }
}

/// Two sites as they are, by their places, and what goes from all.
struct Pair {
    taken: usize,
    relieved: (usize, usize),
    loaded: (usize, usize),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::budget::{Budget, Measure};
    use crate::search::choices::{Bounds, sites};
    use crate::search::{Curve, Cut, Map, WholeSite};
    use crate::shape::{LayerShape, ModelConfig, Site};

    #[test]
    fn a_whole_site_comes_back_and_another_goes() {
        let config = ModelConfig::toy(8, LayerShape { heads: 4, kv_heads: 2, channels: 16 }, 2);
        let curve = |layer| {
            let at = |k: usize| (k * k) as f64;
            let probed = [4, 8, 12].map(|k| (k, at(k))).to_vec();
            Curve { layer, cut: Cut::Channels, step: 1, errors: (1..=12).map(at).collect(), probed }
        };
        let whole = |layer| WholeSite { layer, site: Site::Heads, divergence: 1.0 };
        let (curves, whole) = ([0, 1].map(curve).to_vec(), [0, 1].map(whole).to_vec());
        let map = Map { layers: config.layers.clone(), curves, whole, ..Map::default() };
        let bounds = Bounds { whole_sites: true, ..Bounds::default() };
        let attention = config.layer_parameters(config.layers[0].without(Site::Channels));
        let budget = Budget { config: &config, measure: Measure::Parameters(&config), gone: attention };
        let sites = sites(&map, &budget, &bounds);
        // The first layer's attention is gone; all else is there.
        let chosen = [1, 0, 0, 0];
        for units in [1, 16] {
            let moves = Shifts { sites: &sites, target: attention, room: 24, units }.all(&chosen);
            assert!(moves.contains(&Move { relieved: (0, 0), loaded: (2, 1) }), "{units}: {moves:?}");
            for made in moves {
                let taken = taken(&sites, &made.made(&chosen));
                assert!((attention..=attention + 24).contains(&taken), "{units}: {made:?} {taken}");
            }
        }
        // Many channels come back for an attention that goes.
        let chosen = [0, 12, 0, 0];
        let target = taken(&sites, &chosen);
        let moves = Shifts { sites: &sites, target, room: attention, units: 1 }.all(&chosen);
        let is_it = |made: &Move| made.relieved.0 == 1 && made.loaded == (2, 1);
        assert!(moves.iter().any(is_it), "{moves:?}");
    }
}
