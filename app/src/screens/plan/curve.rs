//! The ratio of each layer as a curve whose ends can be dragged, and what that makes of its heads
//! and channels.

use eframe::egui::{self, DragValue, Key, RichText, ScrollArea, Ui, vec2};
use egui_plot::{Legend, Line, Plot, PlotPoints, PlotUi, Points};
use slimgpt::allocate::{Curve, LayerPlan, Schedule};
use slimgpt::format::arrow;
use slimgpt::names::Named;
use slimgpt::pipeline::Plan;
use slimgpt::shape::ModelConfig;

use super::search::Searching;
use crate::screens::Action;
use crate::settings::{Settings, gentle_end};
use crate::theme::palette;
use crate::widgets::card::quiet;

/// Draws the schedule, its curve, and the counts of each layer; returns what is wanted.
pub fn ui(
    ui: &mut Ui,
    settings: &mut Settings,
    searching: &mut Searching,
    plan: &Plan,
    config: &ModelConfig,
    can_search: bool,
) -> Option<Action> {
    ui.horizontal_wrapped(|ui| {
        schedule(ui, settings, searching);
        if settings.has_ends() {
            first(ui, settings, plan);
        }
    });
    let wanted = searching.is_chosen.then(|| searching.ui(ui, config, can_search)).flatten();
    match settings.has_sizes() {
        true => sites(ui, plan),
        false => plot(ui, settings, plan),
    }
    layers(ui, plan);
    wanted
}

/// What the list of schedules can say.
#[derive(Clone, Copy, PartialEq)]
enum Choice {
    Curve(Curve),
    /// Sizes that are searched for.
    Search,
    /// Sizes that a run was begun with.
    Sizes,
}

fn schedule(ui: &mut Ui, settings: &mut Settings, searching: &mut Searching) {
    let now = match (searching.is_chosen, settings.has_sizes()) {
        (true, _) => Choice::Search,
        (false, true) => Choice::Sizes,
        (false, false) => Choice::Curve(settings.curve()),
    };
    let mut chosen = now;
    let name = match now {
        Choice::Curve(curve) => curve.name(),
        Choice::Search => "search",
        Choice::Sizes => "given sizes",
    };
    egui::ComboBox::from_label("schedule").selected_text(name).width(190.0).show_ui(ui, |ui| {
        for &curve in Curve::all() {
            ui.selectable_value(&mut chosen, Choice::Curve(curve), format!("{}: {}", curve.name(), curve.about()));
        }
        // A page has nowhere to keep a search.
        if cfg!(not(target_arch = "wasm32")) {
            let about = "search: sizes by what cutting each site costs";
            ui.selectable_value(&mut chosen, Choice::Search, about);
        }
    });
    if chosen == now {
        return;
    }
    searching.is_chosen = chosen == Choice::Search;
    if let Choice::Curve(curve) = chosen {
        let allocation = &mut settings.request.allocation;
        // The end that was set belonged to the other curve.
        (allocation.schedule, allocation.first_ratio) = (Schedule::Curve(curve), None);
    }
}

/// What goes of both sites of each layer, where they go apart.
fn sites(ui: &mut Ui, plan: &Plan) {
    let p = palette(ui);
    let share = |before: usize, after: usize| 100.0 * (1.0 - after as f64 / before.max(1) as f64);
    let line = |of: &dyn Fn(&LayerPlan) -> f64| -> PlotPoints<'static> {
        plan.layers.iter().enumerate().map(|(i, layer)| [i as f64, of(layer)]).collect()
    };
    let shown = Plot::new("sites")
        .height(150.0)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .show_grid([false, true])
        .legend(Legend::default())
        .include_y(0.0)
        .include_y(25.0)
        .y_axis_formatter(|mark, _| format!("{:.0} %", mark.value))
        .show(ui, |plot| {
            let heads = line(&|layer| share(layer.before.heads, layer.after.heads));
            let channels = line(&|layer| share(layer.before.channels, layer.after.channels));
            plot.line(Line::new("heads", heads).color(p.accent).width(2.0));
            plot.line(Line::new("channels", channels).color(p.second).width(2.0));
        });
    let words = "What goes of the heads and of the channels of each layer; the list below has the numbers";
    shown.response.widget_info(|| egui::WidgetInfo::labeled(egui::accesskit::Role::Image, true, words));
}

fn gentle_layer(settings: &Settings, plan: &Plan) -> usize {
    if settings.curve().decreases() { plan.layers.len() - 1 } else { 0 }
}

fn first(ui: &mut Ui, settings: &mut Settings, plan: &Plan) {
    let layer = gentle_layer(settings, plan);
    let mut whole = plan.layers.get(layer).map_or(0.0, |l| 100.0 * l.ratio.mean());
    let name = if layer == 0 { "first layer" } else { "last layer" };
    let label = ui.label(name);
    let field = ui.add(DragValue::new(&mut whole).range(0.0..=99.0).speed(0.2).fixed_decimals(1).suffix(" %"));
    if field.labelled_by(label.id).changed() {
        settings.request.allocation.first_ratio = Some(whole / 100.0);
    }
    if ui.add_enabled(settings.request.allocation.first_ratio.is_some(), egui::Button::new("Reset")).clicked() {
        settings.request.allocation.first_ratio = None;
    }
}

fn plot(ui: &mut Ui, settings: &mut Settings, plan: &Plan) {
    let p = palette(ui);
    let last = plan.layers.len().saturating_sub(1) as f64;
    // A tenth at least, so that small ratios do not look like large ones.
    let greatest = plan.layers.iter().map(|l| l.ratio.mean()).fold(0.1, f64::max);
    let shown = Plot::new("schedule")
        .height(150.0)
        // Of it only the ends move; the wheel scrolls the page.
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .show_grid([false, true])
        // The marks of both ends reach beyond their layers.
        .default_x_bounds(-0.35, last + 0.35)
        .include_y(0.0)
        // A quarter more than the greatest, as room for an end that is dragged upwards.
        .include_y(100.0 * (greatest * 1.25).min(1.0))
        .x_axis_formatter(|mark, _| {
            // There is no layer between two layers.
            if mark.value.fract() == 0.0 && mark.value >= 0.0 { format!("{}", mark.value) } else { String::new() }
        })
        .y_axis_formatter(|mark, _| format!("{:.0} %", mark.value))
        .show(ui, |plot| {
            let at = |(i, l): (usize, &LayerPlan)| [i as f64, 100.0 * l.ratio.mean()];
            let points: Vec<[f64; 2]> = plan.layers.iter().enumerate().map(at).collect();
            let ends: Vec<[f64; 2]> = [points.first(), points.last()].into_iter().flatten().copied().collect();
            plot.line(Line::new("ratio", PlotPoints::from(points.clone())).color(p.accent).width(2.0));
            plot.points(Points::new("layers", PlotPoints::from(points)).color(p.accent).radius(2.5));
            if settings.has_ends() {
                plot.points(Points::new("ends", PlotPoints::from(ends)).color(p.second).radius(6.0));
            }
            dragged(plot)
        });
    let words = format!("Ratio of each layer, from {} to {}", plan.layers[0].ratio, plan.layers[last as usize].ratio);
    shown.response.widget_info(|| egui::WidgetInfo::labeled(egui::accesskit::Role::Image, true, &words));
    // Only now: while the plot is drawn, it borrows the settings.
    if let Some([x, y]) = shown.inner {
        drag(settings, plan, x, (y / 100.0).clamp(0.0, 0.95));
    }
    if settings.has_ends() {
        quiet(ui, "Drag an end of the curve to make it flatter or steeper; the target stays.");
    }
}

/// Where the pointer drags to.
fn dragged(plot: &PlotUi<'_>) -> Option<[f64; 2]> {
    let held = plot.response().is_pointer_button_down_on() && !plot.ctx().input(|i| i.key_down(Key::Escape));
    let at = plot.pointer_coordinate().filter(|_| held)?;
    Some([at.x, at.y])
}

/// The nearer end follows the pointer.
fn drag(settings: &mut Settings, plan: &Plan, x: f64, ratio: f64) {
    let layers = plan.layers.len();
    let end = if x < (layers as f64 - 1.0) / 2.0 { 0 } else { layers - 1 };
    if !settings.has_ends() || layers < 2 {
        return;
    }
    let first = match end == gentle_layer(settings, plan) {
        true => Some(ratio),
        false => gentle_end(settings.curve(), layers, plan.ratio, ratio),
    };
    // A schedule that would leave its range is not taken: the curve stops there.
    let possible = |first: f64| slimgpt::allocate::ratios(settings.curve(), plan.ratio, Some(first), layers).is_ok();
    if let Some(first) = first.filter(|&f| possible(f)) {
        settings.request.allocation.first_ratio = Some(first);
    }
}

fn layers(ui: &mut Ui, plan: &Plan) {
    let p = palette(ui);
    ScrollArea::vertical().id_salt("layers").max_height(152.0).show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        egui::Grid::new("layer-counts")
            .num_columns(5)
            .min_row_height(20.0)
            .striped(true)
            .spacing(vec2(38.0, 4.0))
            .show(ui, |ui| {
                for head in ["Layer", "Ratio", "Query heads", "K/V heads", "Channels"] {
                    ui.label(RichText::new(head).small().color(p.quiet));
                }
                ui.end_row();
                for (i, layer) in plan.layers.iter().enumerate() {
                    row(ui, i, layer);
                    ui.end_row();
                }
            });
    });
}

fn row(ui: &mut Ui, i: usize, layer: &LayerPlan) {
    let (before, after) = (layer.before, layer.after);
    ui.label(i.to_string());
    ui.label(layer.ratio.to_string());
    ui.label(arrow(before.heads, after.heads));
    ui.label(arrow(before.kv_heads, after.kv_heads));
    ui.label(arrow(before.channels, after.channels));
}
