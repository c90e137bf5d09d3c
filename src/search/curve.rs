//! What one site costs at every count.

use serde::{Deserialize, Serialize};

use crate::shape::Site;

/// What goes from a site as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Cut {
    /// A key/value head with its query heads.
    KvHeads,
    /// A query head of every key/value head.
    QueryHeads,
    /// A feed-forward channel.
    Channels,
}

impl Cut {
    /// The site that it is of.
    pub fn site(self) -> Site {
        match self {
            Self::KvHeads | Self::QueryHeads => Site::Heads,
            Self::Channels => Site::Channels,
        }
    }
}

/// A site with ever fewer units of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Index of the layer, from 0.
    pub layer: usize,
    /// What goes.
    pub cut: Cut,
    /// Units between two entries of `errors`.
    pub step: usize,
    /// The squared error after one step, two, …, over the site's signal on the calibration tokens.
    pub errors: Vec<f64>,
    /// Units gone, and the divergence of the model with only this site cut, in nats a token; ascending.
    pub probed: Vec<(usize, f64)>,
}

impl Curve {
    /// The most units that may go: what was probed last.
    pub fn most(&self) -> usize {
        self.probed.last().map_or(0, |&(removed, _)| removed)
    }

    /// The divergence with so many units gone, a multiple of the step and at most [`Self::most`].
    ///
    /// Between two probes log KL is a line over log error; below the first KL is proportional to the error, as it is for
    /// small changes.
    pub fn divergence(&self, removed: usize) -> f64 {
        self.error(removed).map_or(0.0, |error| self.at_error(error))
    }

    /// The divergence at an error of the site, over its signal.
    pub(super) fn at_error(&self, error: f64) -> f64 {
        let known = self.probed.iter().map(|&(units, kl)| (self.error(units).unwrap_or(0.0), kl));
        // Of what is not above 0 there is no logarithm.
        let known: Vec<(f64, f64)> = known.filter(|&(error, kl)| error > 0.0 && kl > 0.0).collect();
        let above = known.iter().position(|&(known, _)| known >= error);
        let (low, high) = match above {
            // Below all that was probed both go to nothing together.
            Some(0) => return known[0].1 * error / known[0].0,
            Some(i) => (known[i - 1], known[i]),
            None => match known.last() {
                Some(&(last, kl)) => return kl * error / last,
                // Nothing that was probed has cost anything.
                None => return 0.0,
            },
        };
        let width = (high.0 / low.0).ln();
        // Two counts of one error: the dearer is meant.
        if width < 1e-9 {
            return high.1;
        }
        let part = (error / low.0).ln() / width;
        (low.1.ln() + part * (high.1 / low.1).ln()).exp()
    }

    /// The error after so many units; `None` where none went, or it is not known.
    fn error(&self, removed: usize) -> Option<f64> {
        let steps = removed / self.step.max(1);
        steps.checked_sub(1).and_then(|last| self.errors.get(last).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve() -> Curve {
        let errors = vec![0.01, 0.02, 0.04, 0.08, 0.16, 0.32];
        Curve { layer: 0, cut: Cut::Channels, step: 32, errors, probed: vec![(64, 0.1), (128, 0.4), (192, 3.2)] }
    }

    #[test]
    fn what_was_probed_is_what_it_costs() {
        let curve = curve();
        for &(removed, kl) in &curve.probed {
            assert!((curve.divergence(removed) - kl).abs() < 1e-12, "{removed}");
        }
        assert_eq!(curve.divergence(0), 0.0);
    }

    #[test]
    fn between_probes_logarithms_go_along() {
        let curve = curve();
        // Halfway on both logarithms: √(0.1 · 0.4).
        assert!((curve.divergence(96) - 0.2).abs() < 1e-12);
        // Below the first, half the error is half the divergence.
        assert!((curve.divergence(32) - 0.05).abs() < 1e-12);
    }

    #[test]
    fn a_site_that_costs_nothing_is_no_division_by_zero() {
        let free = Curve { errors: vec![0.0; 6], probed: vec![(64, 0.0), (128, 0.0)], ..curve() };
        assert_eq!(free.divergence(96), 0.0);
        let flat = Curve { errors: vec![0.1; 6], ..curve() };
        assert!(flat.divergence(96).is_finite());
    }
}
