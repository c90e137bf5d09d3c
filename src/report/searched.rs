//! What a page tells of a search: what cutting each layer costs, which explains where it was cut.

use serde::Serialize;

use super::figures::{Chart, Marks, Scale, Series};
use crate::search::{Climbed, Curve, Cut, SearchPlan};
use crate::shape::{LayerShape, Site};

/// A search's part of the page.
#[derive(Serialize)]
pub struct SearchView {
    costs: String,
    predicted: String,
    climbed: Option<ClimbView>,
    calibration_tokens: usize,
    probe_tokens: usize,
}

/// What complete candidates came to.
#[derive(Serialize)]
struct ClimbView {
    candidates: usize,
    start: String,
    reached: String,
    tokens: usize,
}

impl ClimbView {
    fn new(climbed: &Climbed) -> Self {
        let told = |nats: f64| format!("{nats:.3}");
        let (start, reached) = (told(climbed.start), told(climbed.reached_by_sizes()));
        Self { candidates: climbed.steps, start, reached, tokens: climbed.tokens }
    }
}

impl SearchView {
    pub fn new(plan: &SearchPlan) -> Self {
        // A folder is pruned to one target; its search has found sizes for that one.
        let predicted = plan.targets.first().map_or(0.0, |found| found.predicted_divergence);
        Self {
            costs: costs(plan),
            predicted: format!("{predicted:.3}"),
            climbed: plan.targets.first().and_then(|found| found.climb.as_ref()).map(ClimbView::new),
            calibration_tokens: plan.calibration_tokens,
            probe_tokens: plan.probe_tokens,
        }
    }
}

/// The divergence at the first stage of each site, over a percent of the layer's units that it takes.
fn costs(plan: &SearchPlan) -> String {
    let series = |name: &str, colour, marks, cost: &dyn Fn(usize) -> Option<f64>| {
        // A logarithm has no place for what costs nothing.
        let point = |layer: usize| Some((layer as f64, cost(layer).filter(|&cost| cost > 0.0)?));
        let points = (0..plan.map.layers.len()).filter_map(point).collect();
        Series { name: name.into(), legend: Some(name.into()), points, colour, marks }
    };
    let some = |site: Site| {
        move |layer: usize| -> Option<f64> {
            let curves = plan.map.of_layer(layer).filter(|curve| curve.cut.site() == site);
            // Of heads that may go in two ways the cheaper one.
            curves.filter_map(|curve| first(curve, plan.map.layers[layer])).min_by(f64::total_cmp)
        }
    };
    let whole = |site: Site| move |layer: usize| plan.map.of_whole(layer, site).map(|divergence| divergence / 100.0);
    let mut all = vec![
        series("heads", 0, Marks::Rings, &some(Site::Heads)),
        series("channels", 1, Marks::Line, &some(Site::Channels)),
    ];
    if !plan.map.whole.is_empty() {
        all.push(series("all of attention", 2, Marks::Dashes, &whole(Site::Heads)));
        all.push(series("all of the feed-forward part", 3, Marks::Dashes, &whole(Site::Channels)));
    }
    let chart = Chart {
        title: "What a percent costs".into(),
        description:
            "The divergence from the dense model when one site alone is cut, for each percent of its units, by layer."
                .into(),
        x_label: "layer".into(),
        y_label: "nats a token".into(),
        x_scale: Scale::Whole,
        // A first layer whose cuts cost nothing has no point, but its place.
        x_reach: vec![0.0],
        y_scale: Scale::Log,
        y_percent: false,
        reference: None,
        series: all,
    };
    chart.draw().inline()
}

/// What a percent of the units costs at a curve's first stage.
fn first(curve: &Curve, shape: LayerShape) -> Option<f64> {
    let &(removed, divergence) = curve.probed.first()?;
    let units = match curve.cut {
        Cut::KvHeads => shape.kv_heads,
        // So many go from every group.
        Cut::QueryHeads => shape.heads_per_group(),
        Cut::Channels => shape.channels,
    };
    Some(divergence * units as f64 / (100.0 * removed as f64))
}
