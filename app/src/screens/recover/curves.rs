//! The losses over the steps: of the steps in one colour, of what is held out in another.

use eframe::egui::{self, RichText, Ui};
use egui_plot::{Line, MarkerShape, Plot, PlotPoints, Points};
use slimgpt::recover::{HeldOut, StepRecord};

use crate::theme::palette;
use crate::widgets::card::quiet;

/// Draws both.
pub fn ui(ui: &mut Ui, steps: &[StepRecord], held_out: &[HeldOut]) {
    if steps.is_empty() && held_out.is_empty() {
        quiet(ui, "The loss of every step appears here, and of what is held out at every look.");
        return;
    }
    let p = palette(ui);
    let of_steps: Vec<[f64; 2]> = steps.iter().map(|step| [step.step as f64, step.loss]).collect();
    let of_looks: Vec<[f64; 2]> = held_out.iter().map(|look| [look.step as f64, look.loss]).collect();
    let shown = Plot::new("losses")
        .height(230.0)
        // It stands still, so that the wheel scrolls the page.
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .show(ui, |plot| {
            plot.line(Line::new("training", PlotPoints::from(of_steps)).color(p.accent).width(1.5));
            let looks = Points::new("held out", PlotPoints::from(of_looks));
            plot.points(looks.color(p.second).shape(MarkerShape::Square).radius(4.5));
        });
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new("● training").color(p.accent));
        ui.label(RichText::new("■ held out").color(p.second));
        quiet(ui, "Training goes up and down with its sequences; what is held out tells whether it helps.");
    });
    let words = held_out.iter().map(|look| format!("step {}: {:.4}", look.step, look.loss)).collect::<Vec<_>>();
    let words = format!("held-out loss: {}", words.join("; "));
    shown.response.widget_info(|| egui::WidgetInfo::labeled(egui::accesskit::Role::Image, true, &words));
}
