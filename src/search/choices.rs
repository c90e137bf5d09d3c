//! The counts among which each site decides, with what each takes away and costs.

use super::budget::{Budget, Measure};
use super::map::Map;
use super::shapes::{after, after_heads, units};
use super::{Curve, Cut};
use crate::allocate::may_lose;
use crate::eval::LayerTimes;
use crate::obs::HeadCut;
use crate::shape::{LayerShape, Site};

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
    /// A layer may lose a half as a whole, or both and so leave the model; never where all are to have one shape.
    pub whole_sites: bool,
}

/// A site's counts.
pub(super) struct Choices<'a> {
    /// Index of the layer, from 0.
    pub layer: usize,
    /// Nothing goes by the first.
    pub options: Vec<Choice<'a>>,
}

impl Choices<'_> {
    /// The widest step from one count to the next, by what goes; `None` where nothing may go. The last step, to a site of
    /// which nothing is left, is none between counts.
    pub fn widest(&self) -> Option<usize> {
        let counts = self.options.iter().filter(|choice| !choice.is_whole());
        let mut gone: Vec<usize> = counts.map(|choice| choice.gone).collect();
        // Of heads there may be two curves one behind the other, by key/value heads and by query heads.
        gone.sort_unstable();
        gone.windows(2).map(|pair| pair[1] - pair[0]).max().filter(|&step| step > 0)
    }
}

/// A count of a site, with what it takes away and costs.
#[derive(Clone, Copy)]
pub(super) struct Choice<'a> {
    what: Goes<'a>,
    /// What goes, in what the budget counts.
    pub gone: usize,
    /// The divergence, in nats a token.
    pub cost: f64,
}

/// What goes from a site.
#[derive(Clone, Copy)]
enum Goes<'a> {
    Nothing,
    /// So many units of a curve.
    Units(&'a Curve, usize),
    /// Heads of both kinds.
    Heads(HeadCut),
    Whole(Site),
}

impl Choice<'_> {
    /// Whether nothing is left of the site.
    pub fn is_whole(&self) -> bool {
        matches!(self.what, Goes::Whole(_))
    }

    /// What a layer of this shape becomes.
    pub fn of(&self, shape: LayerShape) -> LayerShape {
        match self.what {
            Goes::Nothing => shape,
            Goes::Units(curve, removed) => after(shape, curve.cut, removed),
            Goes::Heads(cut) => after_heads(shape, cut),
            Goes::Whole(site) => shape.without(site),
        }
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

/// The two sites of every layer that may lose something: heads, then channels. Of heads, key/value heads go, query heads,
/// or some of both.
pub(super) fn sites<'a>(map: &'a Map, budget: &Budget<'_>, bounds: &Bounds) -> Vec<Choices<'a>> {
    let mut sites = Vec::new();
    for layer in (0..map.layers.len()).filter(|layer| !bounds.keep_layers.contains(layer)) {
        let of = |site: Site| {
            let nothing = Choice { what: Goes::Nothing, gone: 0, cost: 0.0 };
            let curves = map.of_layer(layer).filter(move |curve| curve.cut.site() == site);
            let all = curves.flat_map(|curve| counts(curve, map.layers[layer], budget.measure, bounds));
            let mixed = (site == Site::Heads).then(|| mixed(map, layer, budget.measure)).into_iter().flatten();
            let whole = whole(map, layer, site, budget, bounds);
            Choices { layer, options: std::iter::once(nothing).chain(all).chain(mixed).chain(whole).collect() }
        };
        sites.extend(Site::ALL.map(of));
    }
    sites
}

/// Heads of both kinds that go from a layer.
fn mixed<'a>(map: &Map, layer: usize, measure: Measure<'_>) -> Vec<Choice<'a>> {
    let shape = map.layers[layer];
    let choice = |(cut, cost)| {
        let gone = measure.between(shape, after_heads(shape, cut), Site::Heads);
        Choice { what: Goes::Heads(cut), gone, cost }
    };
    map.of_mixed(layer).map(choice).collect()
}

/// That a layer loses a half, where that may be and it is known what it costs.
fn whole<'a>(map: &'a Map, layer: usize, site: Site, budget: &Budget<'_>, bounds: &Bounds) -> Option<Choice<'a>> {
    let may_go = bounds.whole_sites && !bounds.uniform && may_lose(layer, site, budget.config).is_ok();
    let cost = map.of_whole(layer, site).filter(|_| may_go)?;
    let shape = map.layers[layer];
    // Its norms are among it.
    Some(Choice { what: Goes::Whole(site), gone: budget.measure.between(shape, shape.without(site), site), cost })
}

fn counts<'a>(curve: &'a Curve, shape: LayerShape, measure: Measure<'_>, bounds: &Bounds) -> Vec<Choice<'a>> {
    let multiple = bounds.channel_multiple.filter(|_| curve.cut == Cut::Channels).unwrap_or(1);
    let is_whole = |removed: &usize| after(shape, curve.cut, *removed).channels.is_multiple_of(multiple);
    // The last unit stays: a site of which nothing is left is a choice of its own, where that may be.
    let most = curve.most().min(units(shape, curve.cut).saturating_sub(1));
    let choice = |removed| Choice {
        what: Goes::Units(curve, removed),
        gone: measure.between(shape, after(shape, curve.cut, removed), curve.cut.site()),
        cost: curve.divergence(removed),
    };
    (1..=most / curve.step.max(1)).map(|steps| steps * curve.step).filter(is_whole).map(choice).collect()
}
