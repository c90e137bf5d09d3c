//! What a search found, as tables.

use comfy_table::Table;
use slimgpt::format;
use slimgpt::search::{Cut, Found, SearchPlan};
use slimgpt::shape::{LayerShape, Site};

use crate::cli::show::table;

/// What it costs to take a quarter or so of each site, and what the sizes for the targets are.
pub fn map(plan: &SearchPlan) -> Table {
    let targets: Vec<String> = plan.targets.iter().map(|found| found.target.to_string()).collect();
    let heading = ["layer", "heads: KL", "channels: KL"].into_iter().chain(targets.iter().map(String::as_str));
    let row = |layer: usize| -> Vec<String> {
        let cost = |site: Site| {
            let curves = plan.map.of_layer(layer).filter(|curve| curve.cut.site() == site);
            let first = curves.filter_map(|curve| Some((curve.cut, *curve.probed.first()?)));
            let told = first.map(|(cut, (removed, kl))| format!("{kl:.4} at −{removed}{}", unit(cut)));
            let whole = plan.map.of_whole(layer, site).map(|kl| format!("{kl:.4} whole"));
            told.chain(whole).collect::<Vec<_>>().join(", ")
        };
        let mut cells = vec![layer.to_string(), cost(Site::Heads), cost(Site::Channels)];
        cells.extend(plan.targets.iter().map(|found| sizes(found.layers[layer])));
        cells
    };
    table(&heading.collect::<Vec<_>>(), &(0..plan.map.layers.len()).map(row).collect::<Vec<_>>())
}

/// What each target comes to.
pub fn targets(plan: &SearchPlan) -> Table {
    let is_timed = plan.targets.iter().any(|found| found.predicted_seconds.is_some());
    let row = |found: &Found| {
        let mut cells = vec![
            found.target.to_string(),
            format!("{:.2} %", 100.0 * found.ratio),
            format::count(found.parameters),
            format!("{:.4} nats a token", found.predicted_divergence),
        ];
        cells.extend(found.predicted_seconds.map(|seconds| format!("{:.3} ms a token", 1e3 * seconds)));
        cells
    };
    let mut heading = vec!["target", "removed", "parameters", "predicted divergence"];
    // Without a table of times there is no such column.
    heading.extend(is_timed.then_some("predicted time"));
    table(&heading, &plan.targets.iter().map(row).collect::<Vec<_>>())
}

/// A layer's sizes, in words where a half is not there.
fn sizes(shape: LayerShape) -> String {
    let heads = format!("{}/{} heads", shape.heads, shape.kv_heads);
    match (shape.has(Site::Heads), shape.has(Site::Channels)) {
        (false, false) => "leaves the model".into(),
        (false, true) => format!("no attention, {} channels", shape.channels),
        (true, false) => format!("{heads}, no feed-forward part"),
        (true, true) => format!("{heads}, {} channels", shape.channels),
    }
}

fn unit(cut: Cut) -> &'static str {
    match cut {
        Cut::KvHeads => " kv",
        Cut::QueryHeads => " q",
        Cut::Channels => "",
    }
}
