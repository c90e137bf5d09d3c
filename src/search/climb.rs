//! A climb: sizes that are tried as they will be pruned, because what sites cost alone does not quite add up.
//!
//! What the map misses it misses in kind: whatever is lost early goes through all that comes after, and what two sites of
//! a layer have in common is lost once. So a step does not move one site. It makes the cuts of all dearer or cheaper by
//! what they have in common, and the sizes are allocated again: every candidate is the best there is for some map.
//!
//! The directions are tried one after the other, both ways, with a stride that halves when none helps (the pattern search
//! of Hooke and Jeeves, Journal of the ACM 8, 1961): nothing is drawn, so the same trials give the same sizes.

use super::Map;
use crate::shape::Site;

/// Natural logarithm of the factor that a stride along one direction puts on what it touches: 1.65.
const STRIDE: f64 = 0.5;
/// Strides below this move less than one step of channels.
const LEAST: f64 = 0.1;
/// A layer in so many is at an end of the model.
const END: usize = 8;

/// Logarithms of factors on what the sites of each layer cost: attention, feed-forward.
pub(super) type Tilt = Vec<[f64; 2]>;

/// A pattern search between two trials.
#[derive(Clone, Debug)]
pub(super) struct Climb {
    directions: Vec<Tilt>,
    at: Tilt,
    stride: f64,
    /// Twice the direction whose turn it is, and one more on its way back.
    turn: usize,
    /// Whether this turn has helped already, and whether one of this round has.
    helped: [bool; 2],
}

impl Climb {
    /// Before the first step of a map that is as it is.
    pub fn new(map: &Map) -> Self {
        let at = vec![[0.0; 2]; map.layers.len()];
        Self { directions: directions(map), at, stride: STRIDE, turn: 0, helped: [false; 2] }
    }

    /// What is to be tried next; `None` where no stride is left.
    pub fn next(&self) -> Option<Tilt> {
        let direction = self.directions.get(self.turn / 2).filter(|_| self.stride >= LEAST)?;
        let stride = if self.turn.is_multiple_of(2) { self.stride } else { -self.stride };
        let moved = |(at, along): (&[f64; 2], &[f64; 2])| [at[0] + stride * along[0], at[1] + stride * along[1]];
        Some(self.at.iter().zip(direction).map(moved).collect())
    }

    /// Whether what was tried is better than all before.
    pub fn told(&mut self, is_better: bool) {
        let Some(tried) = self.next() else { return };
        if is_better {
            // On along what has helped.
            (self.at, self.helped) = (tried, [true; 2]);
            return;
        }
        // Where it went up on the way there, the way back is known.
        self.turn += if self.helped[0] && self.turn.is_multiple_of(2) { 2 } else { 1 };
        self.helped[0] = false;
        if self.turn >= 2 * self.directions.len() {
            if !self.helped[1] {
                self.stride /= 2.0;
            }
            (self.turn, self.helped[1]) = (0, false);
        }
    }
}

/// What sites have in common, the kinds that a map is most likely to be wrong about first.
fn directions(map: &Map) -> Vec<Tilt> {
    let layers = map.layers.len();
    // From −1 at the first layer to 1 at the last.
    let depth = |layer: usize| if layers > 1 { 2.0 * layer as f64 / (layers - 1) as f64 - 1.0 } else { 0.0 };
    let ends = layers.div_ceil(END);
    let of = |of: &dyn Fn(usize) -> [f64; 2]| (0..layers).map(of).collect::<Tilt>();
    let both = |of: &dyn Fn(usize) -> f64| (0..layers).map(|layer| [of(layer); 2]).collect::<Tilt>();
    vec![
        // Attention against feed-forward.
        of(&|_| [0.5, -0.5]),
        both(&depth),
        // The ends against the middle; 1/3 is the mean of x² over −1 … 1.
        both(&|layer| depth(layer).powi(2) - 1.0 / 3.0),
        both(&|layer| f64::from(u8::from(layer < ends))),
        both(&|layer| f64::from(u8::from(layer + ends >= layers))),
        contrast(map),
    ]
}

/// How dear a site is among the others: along it costs are raised to a power.
fn contrast(map: &Map) -> Tilt {
    // Of the stage that is nearest to the middle, as what is a little of one site is all of another.
    let cost = |layer: usize, site: Site| {
        let curve = map.of_layer(layer).find(|curve| curve.cut.site() == site)?;
        let &(removed, divergence) = curve.probed.get(curve.probed.len() / 2)?;
        (divergence > 0.0).then(|| (divergence / removed as f64 * curve.most() as f64).ln())
    };
    let logs: Vec<[Option<f64>; 2]> =
        (0..map.layers.len()).map(|layer| [Site::Heads, Site::Channels].map(|site| cost(layer, site))).collect();
    let known: Vec<f64> = logs.iter().flatten().flatten().copied().collect();
    let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
    let variance = known.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / known.len().max(1) as f64;
    // Sites that all cost the same have no contrast.
    let scale = if variance > 0.0 { variance.sqrt().recip() } else { 0.0 };
    logs.into_iter().map(|sites| sites.map(|log| log.map_or(0.0, |log| (log - mean) * scale))).collect()
}

impl Map {
    /// The same map with every site's costs multiplied.
    pub(super) fn tilted(&self, tilt: &Tilt) -> Self {
        let mut map = self.clone();
        for curve in &mut map.curves {
            let factor = tilt[curve.layer][usize::from(curve.cut.site() == Site::Channels)].exp();
            curve.probed.iter_mut().for_each(|(_, divergence)| *divergence *= factor);
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::{Curve, Cut};
    use crate::shape::LayerShape;

    fn map(layers: usize) -> Map {
        let shape = LayerShape { heads: 4, kv_heads: 2, channels: 16 };
        let curve = |layer| Curve {
            layer,
            cut: Cut::Channels,
            step: 1,
            errors: vec![0.1; 12],
            probed: vec![(4, 0.1), (8, 0.2), (12, 0.4)],
        };
        Map { layers: vec![shape; layers], curves: (0..layers).map(curve).collect() }
    }

    /// Climbs towards a point in the span of the directions, by its distance.
    fn climbed(map: &Map, to: &Tilt) -> (f64, usize) {
        let far = |at: &Tilt| -> f64 {
            at.iter().flatten().zip(to.iter().flatten()).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
        };
        let (mut climb, mut trials) = (Climb::new(map), 0);
        let mut best = far(&climb.at);
        while let Some(tried) = climb.next() {
            trials += 1;
            let found = far(&tried);
            climb.told(found < best);
            best = best.min(found);
        }
        (best, trials)
    }

    #[test]
    fn it_gets_to_where_the_directions_lead() {
        let map = map(8);
        let directions = directions(&map);
        let to: Tilt =
            (0..8).map(|i| [0, 1].map(|site| 1.5 * directions[0][i][site] - 0.75 * directions[1][i][site])).collect();
        let (far, trials) = climbed(&map, &to);
        assert!(far < 0.5 && trials < 200, "{far} after {trials}");
    }

    #[test]
    fn where_nothing_helps_it_ends() {
        let mut climb = Climb::new(&map(3));
        let mut trials = 0;
        while climb.next().is_some() {
            climb.told(false);
            trials += 1;
        }
        // Six directions, both ways, at 0.5, 0.25 and 0.125.
        assert_eq!(trials, 36);
        assert!(climb.at.iter().flatten().all(|&log| log == 0.0));
    }

    #[test]
    fn a_tilted_map_costs_as_much_more() {
        let map = map(2);
        let tilted = map.tilted(&vec![[0.0, 2f64.ln()], [0.0, 0.0]]);
        for removed in 1..=12 {
            assert!((tilted.curves[0].divergence(removed) - 2.0 * map.curves[0].divergence(removed)).abs() < 1e-12);
            assert_eq!(tilted.curves[1].divergence(removed), map.curves[1].divergence(removed));
        }
    }
}
