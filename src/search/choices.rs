//! The counts among which each site decides, with what each takes away and costs.

use super::budget::Measure;
use super::map::Map;
use super::shapes::{after, units};
use super::{Curve, Cut};
use crate::eval::LayerTimes;
use crate::shape::LayerShape;

/// What sizes must keep to, whatever it costs, and what tells how fast they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bounds {
    /// Layers that lose nothing.
    pub keep_layers: Vec<usize>,
    /// Channels stay in multiples of this; `None` as the curves have it.
    pub channel_multiple: Option<usize>,
    /// All layers but those that lose nothing come out with one shape.
    pub uniform: bool,
    /// What a token takes by sizes; without it no time can be asked for.
    pub times: Option<LayerTimes>,
}

/// A site's counts.
pub(super) struct Choices<'a> {
    /// Index of the layer, from 0.
    pub layer: usize,
    /// Nothing goes by the first.
    pub options: Vec<Choice<'a>>,
}

impl Choices<'_> {
    /// The widest step from one count to the next, by what goes; `None` where nothing may go.
    pub fn widest(&self) -> Option<usize> {
        let mut gone: Vec<usize> = self.options.iter().map(|choice| choice.gone).collect();
        gone.sort_unstable();
        gone.windows(2).map(|pair| pair[1] - pair[0]).max().filter(|&step| step > 0)
    }
}

/// A count of a site, with what it takes away and costs.
#[derive(Clone, Copy)]
pub(super) struct Choice<'a> {
    /// `None` where nothing goes.
    curve: Option<&'a Curve>,
    removed: usize,
    /// What goes, in what the budget counts.
    pub gone: usize,
    /// The divergence, in nats a token.
    pub cost: f64,
}

impl Choice<'_> {
    /// What a layer of this shape becomes.
    pub fn of(&self, shape: LayerShape) -> LayerShape {
        self.curve.map_or(shape, |curve| after(shape, curve.cut, self.removed))
    }
}

/// What goes with the chosen count of each site, in what the budget counts.
pub(super) fn taken(sites: &[Choices<'_>], chosen: &[usize]) -> usize {
    sites.iter().zip(chosen).map(|(site, &at)| site.options[at].gone).sum()
}

/// Σ of the divergences of the chosen counts, in nats a token.
pub(super) fn cost(sites: &[Choices<'_>], chosen: &[usize]) -> f64 {
    sites.iter().zip(chosen).map(|(site, &at)| site.options[at].cost).sum()
}

/// What `layers` become with the chosen counts.
pub(super) fn sizes(layers: &[LayerShape], sites: &[Choices<'_>], chosen: &[usize]) -> Vec<LayerShape> {
    let mut layers = layers.to_vec();
    for (site, &at) in sites.iter().zip(chosen) {
        layers[site.layer] = site.options[at].of(layers[site.layer]);
    }
    layers
}

/// The two sites of every layer that may lose something: heads, then channels. Of heads, key/value heads go or query
/// heads, never both.
pub(super) fn sites<'a>(map: &'a Map, measure: Measure<'_>, bounds: &Bounds) -> Vec<Choices<'a>> {
    let mut sites = Vec::new();
    for layer in (0..map.layers.len()).filter(|layer| !bounds.keep_layers.contains(layer)) {
        let of = |is_of: fn(Cut) -> bool| {
            let nothing = Choice { curve: None, removed: 0, gone: 0, cost: 0.0 };
            let curves = map.of_layer(layer).filter(move |curve| is_of(curve.cut));
            let all = curves.flat_map(|curve| counts(curve, map.layers[layer], measure, bounds));
            Choices { layer, options: std::iter::once(nothing).chain(all).collect() }
        };
        sites.push(of(|cut| cut != Cut::Channels));
        sites.push(of(|cut| cut == Cut::Channels));
    }
    sites
}

fn counts<'a>(curve: &'a Curve, shape: LayerShape, measure: Measure<'_>, bounds: &Bounds) -> Vec<Choice<'a>> {
    let multiple = bounds.channel_multiple.filter(|_| curve.cut == Cut::Channels).unwrap_or(1);
    let is_whole = |removed: &usize| after(shape, curve.cut, *removed).channels.is_multiple_of(multiple);
    let most = curve.most().min(units(shape, curve.cut).saturating_sub(1));
    let choice = |removed| Choice {
        curve: Some(curve),
        removed,
        gone: measure.gone(shape, curve.cut, removed),
        cost: curve.divergence(removed),
    };
    (1..=most / curve.step.max(1)).map(|steps| steps * curve.step).filter(is_whole).map(choice).collect()
}
