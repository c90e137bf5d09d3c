//! What a search found, as tables.

use comfy_table::Table;
use slimgpt::format;
use slimgpt::search::{Cut, Found, SearchPlan};

use crate::cli::show::table;

/// What it costs to take a quarter or so of each site, and what the sizes for the targets are.
pub fn map(plan: &SearchPlan) -> Table {
    let targets: Vec<String> = plan.targets.iter().map(|found| found.target.to_string()).collect();
    let heading = ["layer", "heads: KL", "channels: KL"].into_iter().chain(targets.iter().map(String::as_str));
    let row = |layer: usize| -> Vec<String> {
        let cost = |is_it: fn(Cut) -> bool| {
            let curves = plan.map.of_layer(layer).filter(|curve| is_it(curve.cut));
            let first = curves.filter_map(|curve| Some((curve.cut, *curve.probed.first()?)));
            let told = first.map(|(cut, (removed, kl))| format!("{kl:.4} at −{removed}{}", unit(cut)));
            told.collect::<Vec<_>>().join(", ")
        };
        let mut cells = vec![layer.to_string(), cost(|cut| cut != Cut::Channels), cost(|cut| cut == Cut::Channels)];
        cells.extend(plan.targets.iter().map(|found| {
            let shape = found.layers[layer];
            format!("{}/{} heads, {} channels", shape.heads, shape.kv_heads, shape.channels)
        }));
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
    heading.extend(is_timed.then_some("predicted time"));
    table(&heading, &plan.targets.iter().map(row).collect::<Vec<_>>())
}

fn unit(cut: Cut) -> &'static str {
    match cut {
        Cut::KvHeads => " kv",
        Cut::QueryHeads => " q",
        Cut::Channels => "",
    }
}
