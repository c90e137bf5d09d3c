//! Predicted and measured loss, layer by layer, on a logarithmic scale.

use eframe::egui::{self, Ui};
use egui_plot::{Line, MarkerShape, Plot, PlotPoints, Points};
use slimgpt::shape::Site;

use crate::progress::Loss;
use crate::theme::palette;
use crate::widgets::card::quiet;
use slimgpt::format::short;

/// Draws the losses of both sites over the layers.
pub fn ui(ui: &mut Ui, losses: &[Loss]) {
    let p = palette(ui);
    let shown = Plot::new("loss")
        .height(230.0)
        .show_grid([false, true])
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .x_axis_formatter(|mark, _| whole(mark.value))
        // The axis is linear in the logarithm, so its whole marks are powers of ten.
        .y_axis_formatter(|mark, _| if mark.value.fract() == 0.0 { format!("1e{}", mark.value) } else { String::new() })
        .show(ui, |plot| {
            for (site, shape, name) in
                [(Site::Heads, MarkerShape::Circle, "heads"), (Site::Channels, MarkerShape::Square, "channels")]
            {
                let of: Vec<&Loss> = losses.iter().filter(|l| l.site == site && l.measured > 0.0).collect();
                let points = |value: fn(&Loss) -> f64| -> Vec<[f64; 2]> {
                    // A prediction of zero has no logarithm.
                    of.iter().map(|l| [l.layer as f64, value(l).max(1e-12).log10()]).collect()
                };
                plot.line(
                    Line::new(format!("{name}, predicted"), PlotPoints::from(points(|l| l.predicted)))
                        .color(p.second)
                        .width(1.5),
                );
                plot.points(
                    Points::new(format!("{name}, measured"), PlotPoints::from(points(|l| l.measured)))
                        .color(p.accent)
                        .shape(shape)
                        .radius(4.5),
                );
            }
        });
    quiet(
        ui,
        "Lines: predicted. Marks: measured; circles are heads, squares are channels. They should lie on the lines.",
    );
    let words = losses.iter().map(|l| {
        format!("layer {} {}: predicted {}, measured {}", l.layer, l.site, short(l.predicted), short(l.measured))
    });
    let words = words.collect::<Vec<_>>().join("; ");
    shown.response.widget_info(|| egui::WidgetInfo::labeled(egui::accesskit::Role::Image, true, &words));
}

fn whole(value: f64) -> String {
    if value.fract() == 0.0 && value >= 0.0 { format!("{value}") } else { String::new() }
}
