//! What cutting costs, site by site: what a search has found out of a model, before anything is asked for.

use serde::{Deserialize, Serialize};

use super::Curve;
use crate::shape::LayerShape;

/// The costs of all sites.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Map {
    /// The model's layers as they are.
    pub layers: Vec<LayerShape>,
    /// Of each layer, one curve for every kind of unit that may go.
    pub curves: Vec<Curve>,
}

impl Map {
    /// Layers whose curves are there: all below this number.
    pub fn probed(&self) -> usize {
        self.curves.last().map_or(0, |curve| curve.layer + 1)
    }

    /// The curves of a layer.
    pub fn of_layer(&self, layer: usize) -> impl Iterator<Item = &Curve> {
        self.curves.iter().filter(move |curve| curve.layer == layer)
    }
}
