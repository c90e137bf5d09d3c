//! Predicted and measured loss, layer by layer, on a logarithmic scale: heads in one colour, channels in
//! another. Blue and orange are told apart with any colour vision, and the marks have shapes besides.

use eframe::egui::{self, Color32, RichText, Ui};
use egui_plot::{Line, MarkerShape, Plot, PlotPoints, Points};
use slimgpt::shape::Site;

use crate::progress::Loss;
use crate::theme::{Palette, palette};
use crate::widgets::card::quiet;
use slimgpt::format::short;

/// How one site is drawn: its name, colour, the marks of the plot, and the same mark as a letter.
type Look = (Site, &'static str, Color32, MarkerShape, char);

fn looks(p: &Palette) -> [Look; 2] {
    [
        (Site::Heads, "heads", p.accent, MarkerShape::Circle, '●'),
        (Site::Channels, "channels", p.second, MarkerShape::Square, '■'),
    ]
}

/// Draws the losses of both sites over the layers.
pub fn ui(ui: &mut Ui, losses: &[Loss]) {
    let p = palette(ui);
    let shown = Plot::new("loss")
        .height(230.0)
        .show_grid([false, true])
        // It stands still, so that the wheel scrolls the page.
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .x_axis_formatter(|mark, _| whole(mark.value))
        // The axis is linear in the logarithm, so its whole marks are powers of ten.
        .y_axis_formatter(|mark, _| if mark.value.fract() == 0.0 { format!("1e{}", mark.value) } else { String::new() })
        .show(ui, |plot| {
            for (site, name, colour, shape, _) in looks(&p) {
                // What lost nothing has no logarithm.
                let of: Vec<&Loss> = losses.iter().filter(|l| l.site == site && l.measured > 0.0).collect();
                let points = |value: fn(&Loss) -> f64| -> Vec<[f64; 2]> {
                    // A prediction of zero has no logarithm.
                    of.iter().map(|l| [l.layer as f64, value(l).max(1e-12).log10()]).collect()
                };
                let predicted = PlotPoints::from(points(|l| l.predicted));
                plot.line(Line::new(format!("{name}, predicted"), predicted).color(colour).width(1.5));
                let measured = PlotPoints::from(points(|l| l.measured));
                plot.points(Points::new(format!("{name}, measured"), measured).color(colour).shape(shape).radius(4.5));
            }
        });
    ui.horizontal_wrapped(|ui| {
        for (_, name, colour, _, mark) in looks(&p) {
            ui.label(RichText::new(format!("{mark} {name}")).color(colour));
        }
        quiet(ui, "Lines: predicted. Marks: measured. They should lie on the lines.");
    });
    let words = losses.iter().map(|l| {
        format!("layer {} {}: predicted {}, measured {}", l.layer, l.site, short(l.predicted), short(l.measured))
    });
    let words = words.collect::<Vec<_>>().join("; ");
    shown.response.widget_info(|| egui::WidgetInfo::labeled(egui::accesskit::Role::Image, true, &words));
}

fn whole(value: f64) -> String {
    if value.fract() == 0.0 && value >= 0.0 { format!("{value}") } else { String::new() }
}
