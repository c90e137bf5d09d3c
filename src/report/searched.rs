//! What a page tells of a search: what cutting each layer costs, which explains where it was cut.

use serde::Serialize;

use super::figures::{Chart, Marks, Scale, Series};
use crate::search::{Cut, SearchPlan};

/// A search's part of the page.
#[derive(Serialize)]
pub struct SearchView {
    costs: String,
    predicted: String,
    calibration_tokens: usize,
    probe_tokens: usize,
}

impl SearchView {
    pub fn new(plan: &SearchPlan) -> Self {
        // A folder is pruned to one target; its search has found sizes for that one.
        let predicted = plan.targets.first().map_or(0.0, |found| found.predicted_divergence);
        Self {
            costs: costs(plan),
            predicted: format!("{predicted:.3}"),
            calibration_tokens: plan.calibration_tokens,
            probe_tokens: plan.probe_tokens,
        }
    }
}

/// The divergence at the first stage of each site, over a percent of the layer's units that it takes.
fn costs(plan: &SearchPlan) -> String {
    let series = |name: &str, of: fn(Cut) -> bool, colour, marks| {
        let point = |layer: usize| -> Option<(f64, f64)> {
            let curve = plan.map.of_layer(layer).find(|curve| of(curve.cut))?;
            let &(removed, divergence) = curve.probed.first()?;
            let shape = plan.map.layers[layer];
            let units = if curve.cut == Cut::Channels { shape.channels } else { shape.kv_heads };
            let percent = 100.0 * removed as f64 / units as f64;
            // A logarithm has no place for what costs nothing.
            (divergence > 0.0).then_some((layer as f64, divergence / percent))
        };
        let points = (0..plan.map.layers.len()).filter_map(point).collect();
        Series { name: name.into(), legend: Some(name.into()), points, colour, marks }
    };
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
        series: vec![
            series("key/value heads", |cut| cut == Cut::KvHeads, 0, Marks::Rings),
            series("channels", |cut| cut == Cut::Channels, 1, Marks::Line),
        ],
    };
    chart.draw().inline()
}
