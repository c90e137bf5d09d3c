//! The curves of a page: ratio by layer, and error by layer.

use super::Folder;
use super::figures::{Chart, Marks, Scale, Series};
use crate::allocate::LayerPlan;
use crate::pipeline::{LayerRecord, SiteRecord};
use crate::shape::Site;

/// Two curves of one folder: the first has the folder's name in the legend where there are several
/// folders, the second only where there is one.
fn pair(folders: usize, folder: &str, colour: usize, curves: [Curve; 2]) -> [Series; 2] {
    let mut is_first = true;
    curves.map(|Curve { what, points, marks }| {
        let legend = match folders {
            1 => Some(what.to_owned()),
            _ => is_first.then(|| folder.to_owned()),
        };
        is_first = false;
        let name = if folders == 1 { what.to_owned() } else { format!("{folder}, {what}") };
        Series { name, legend, points, colour, marks }
    })
}

struct Curve {
    what: &'static str,
    points: Vec<(f64, f64)>,
    marks: Marks,
}

/// The share of each layer's parameters that went, and the ratio it was rounded from.
pub fn ratios(folders: &[Folder]) -> String {
    let series = folders.iter().enumerate().flat_map(|(colour, folder)| {
        let layers = &folder.report.plan.layers;
        // The colour is the folder's, so that its two curves are seen as a pair.
        let share = |l: &LayerPlan| 1.0 - l.parameters_after as f64 / l.parameters_before as f64;
        let asked = layers.iter().enumerate().map(|(i, l)| (i as f64, l.ratio.mean())).collect();
        let went = layers.iter().enumerate().map(|(i, l)| (i as f64, share(l))).collect();
        let curves = [
            Curve { what: "schedule", points: asked, marks: Marks::Dashes },
            Curve { what: "parameters that went", points: went, marks: Marks::Rings },
        ];
        pair(folders.len(), &folder.name, colour, curves)
    });
    let chart = Chart {
        title: "How much each layer loses".into(),
        description: "The ratio of the schedule by layer, and the share of the layer's parameters that really went after rounding to whole heads and channels.".into(),
        x_label: "layer".into(),
        y_label: "share removed".into(),
        x_scale: Scale::Whole,
        x_reach: Vec::new(),
        y_scale: Scale::Linear,
        y_percent: true,
        reference: None,
        series: series.collect(),
    };
    chart.draw().inline()
}

/// The relative squared error of a site by layer, as predicted and as measured.
pub fn errors(folders: &[Folder], site: Site) -> String {
    let series = folders.iter().enumerate().flat_map(|(colour, folder)| {
        let measured = points(&folder.report.layers, site, |record| record.measured_loss);
        let predicted = points(&folder.report.layers, site, |record| record.predicted_loss);
        let curves = [
            Curve { what: "measured", points: measured, marks: Marks::Line },
            Curve { what: "predicted", points: predicted, marks: Marks::Rings },
        ];
        pair(folders.len(), &folder.name, colour, curves)
    });
    let what = match site {
        Site::Heads => "attention output",
        Site::Channels => "feed-forward output",
    };
    let chart = Chart {
        title: format!("Error of the {what} by layer"),
        description: format!(
            "The squared error of the pruned {what} as a share of the dense one's squared size, on the calibration tokens, on a logarithmic scale."
        ),
        x_label: "layer".into(),
        y_label: "relative squared error".into(),
        x_scale: Scale::Whole,
        // A layer that lost nothing has no point, but its place.
        x_reach: folders.iter().flat_map(|f| &f.report.layers).map(|l| l.layer as f64).collect(),
        y_scale: Scale::Log,
        y_percent: true,
        reference: None,
        series: series.collect(),
    };
    chart.draw().inline()
}

/// The layers where the site lost something: elsewhere there is no error to show.
fn points(layers: &[LayerRecord], site: Site, loss: impl Fn(&SiteRecord) -> f64) -> Vec<(f64, f64)> {
    let record = |layer: &LayerRecord| match site {
        Site::Heads => layer.heads.clone(),
        Site::Channels => layer.channels.clone(),
    };
    let shares = layers.iter().map(|layer| (layer.layer as f64, record(layer)));
    shares.filter(|(_, r)| r.signal > 0.0 && loss(r) > 0.0).map(|(x, r)| (x, loss(&r) / r.signal)).collect()
}
