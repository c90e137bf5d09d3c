//! A layer without its attention, or without its feed-forward part: one level more beside those of a curve, where nothing
//! is left to be fitted.

use serde::{Deserialize, Serialize};

use crate::shape::{LayerShape, Site};

/// A site of which nothing is left.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WholeSite {
    /// Index of the layer, from 0.
    pub layer: usize,
    /// Which half of it goes.
    pub site: Site,
    /// The divergence of the model without this half alone, in nats a token.
    pub divergence: f64,
}

/// The sites of a layer that can go as a whole, if such may.
pub(super) fn sites_of(shape: LayerShape, may: bool) -> Vec<Site> {
    Site::ALL.into_iter().filter(|&site| may && shape.has(site)).collect()
}
