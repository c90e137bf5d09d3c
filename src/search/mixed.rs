//! Layers that lose K/V heads, and query heads of those that stay: between the counts of either alone there are many such
//! sizes, too many to put each into the model. Their errors are known from eliminations, and what an error of a layer's
//! attention costs the model is known from the heads that were probed.

use serde::{Deserialize, Serialize};

use super::curve::Curve;
use crate::obs::HeadCut;

/// Heads of both kinds that go from a layer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct MixedHeads {
    /// Index of the layer, from 0.
    pub layer: usize,
    /// What goes.
    pub cut: HeadCut,
    /// The squared error on the calibration tokens, over the site's signal.
    pub error: f64,
}

impl MixedHeads {
    /// The divergence that heads of one kind alone would cost at the same error, in nats a token: the mean of the kinds as
    /// logarithms; 0 where no kind has cost anything.
    pub fn divergence<'a>(&self, heads: impl Iterator<Item = &'a Curve>) -> f64 {
        let at: Vec<f64> = heads.map(|curve| curve.at_error(self.error)).filter(|&kl| kl > 0.0).collect();
        match at.len() {
            0 => 0.0,
            n => (at.iter().map(|kl| kl.ln()).sum::<f64>() / n as f64).exp(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Cut;

    #[test]
    fn it_costs_what_its_error_costs_by_heads_of_one_kind() {
        let of = |cut, errors: [f64; 2], costs: [f64; 2]| {
            let probed = vec![(1, costs[0]), (2, costs[1])];
            Curve { layer: 0, cut, step: 1, errors: errors.to_vec(), probed }
        };
        let curves = [of(Cut::KvHeads, [0.1, 0.4], [0.02, 0.08]), of(Cut::QueryHeads, [0.2, 0.8], [0.08, 0.32])];
        let mixed = MixedHeads { layer: 0, cut: HeadCut { kv_heads: 1, per_group: 1 }, error: 0.4 };
        // 0.08 by the one, 0.16 by the other.
        let mean = (0.08f64 * 0.16).sqrt();
        assert!((mixed.divergence(curves.iter()) - mean).abs() < 1e-12);
        let free = of(Cut::KvHeads, [0.1, 0.4], [0.0, 0.0]);
        assert_eq!(mixed.divergence(std::iter::once(&free)), 0.0);
    }
}
