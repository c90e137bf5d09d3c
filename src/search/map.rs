//! What cutting costs, site by site: what a search has found out of a model, before anything is asked for.

use serde::{Deserialize, Serialize};

use super::mixed::MixedHeads;
use super::shapes::gone;
use super::{Curve, WholeSite};
use crate::obs::HeadCut;
use crate::shape::{LayerShape, ModelConfig, Site};

/// The costs of all sites.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Map {
    /// The model's layers as they are.
    pub layers: Vec<LayerShape>,
    /// Of each layer, one curve for every kind of unit that may go.
    pub curves: Vec<Curve>,
    /// Heads of both kinds together, where a layer has both.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) mixed: Vec<MixedHeads>,
    /// Sites without any unit left, where the search was to look at them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub whole: Vec<WholeSite>,
}

impl Map {
    /// Layers whose curves are there: all below this number.
    pub fn probed(&self) -> usize {
        self.curves.last().map_or(0, |curve| curve.layer + 1)
    }

    /// The divergence for each percent of the model's parameters that a site loses at its first stage, in nats a token: of
    /// the kind of unit that costs least; `None` where nothing was probed.
    pub fn cost_of_a_percent(&self, config: &ModelConfig, layer: usize, site: Site) -> Option<f64> {
        let all = config.parameters() as f64;
        let cost = |curve: &Curve| {
            let &(removed, divergence) = curve.probed.first()?;
            let percent = 100.0 * gone(config, self.layers[layer], curve.cut, removed) as f64 / all;
            (percent > 0.0).then(|| divergence / percent)
        };
        self.of_layer(layer).filter(|curve| curve.cut.site() == site).filter_map(cost).min_by(f64::total_cmp)
    }

    /// The ways in which a layer may lose heads of both kinds, with the divergence of each in nats a token.
    pub(super) fn of_mixed(&self, layer: usize) -> impl Iterator<Item = (HeadCut, f64)> {
        let heads = move || self.of_layer(layer).filter(|curve| curve.cut.site() == Site::Heads);
        let of_layer = self.mixed.iter().filter(move |mixed| mixed.layer == layer);
        of_layer.map(move |mixed| (mixed.cut, mixed.divergence(heads())))
    }

    /// What it costs that a layer loses a half; `None` where nobody looked.
    pub fn of_whole(&self, layer: usize, site: Site) -> Option<f64> {
        let is_it = |whole: &&WholeSite| (whole.layer, whole.site) == (layer, site);
        self.whole.iter().find(is_it).map(|whole| whole.divergence)
    }

    /// The curves of a layer.
    pub fn of_layer(&self, layer: usize) -> impl Iterator<Item = &Curve> {
        self.curves.iter().filter(move |curve| curve.layer == layer)
    }
}
