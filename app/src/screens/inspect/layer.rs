//! One layer of a pruned model: its scores in order with the cut, and the compensation.

use eframe::egui::{self, Color32, Ui};
use egui_plot::{Bar, BarChart, Plot, VLine};
use slimgpt::pipeline::{LayerRecord, Report, SiteRecord};

use crate::findings::Change;
use crate::screens::Action;
use crate::theme::{GAP, palette};
use crate::widgets::card::{card, quiet};
use crate::widgets::trouble::problem;
use slimgpt::format::short;

/// Draws the scores and the compensation of one layer.
pub fn ui(
    ui: &mut Ui,
    record: &LayerRecord,
    report: &Report,
    change: Option<&Result<Change, String>>,
    changing: bool,
) -> Option<Action> {
    card(ui, &format!("Layer {}: scores in order", record.layer), |ui| {
        let kept_units = kept_share(record.kept_heads.len(), record.before.heads);
        scores(ui, "Heads", &record.heads, kept_units);
        scores(ui, "Channels", &record.channels, kept_share(record.kept_channels.len(), record.before.channels));
    });
    ui.add_space(GAP);
    card(ui, &format!("Layer {}: compensation", record.layer), |ui| match change {
        Some(Ok(change)) => {
            moved(ui, "Heads", &change.heads);
            moved(ui, "Channels", &change.channels);
            None
        }
        other => {
            if let Some(Err(words)) = other {
                problem(ui, words);
            }
            quiet(ui, "How far the weights of what stays were moved to make up for what went.");
            let possible = report.source.is_some() && !changing;
            let pressed = ui.add_enabled(possible, egui::Button::new("Compare with the dense weights")).clicked();
            pressed.then_some(Action::Change(record.layer))
        }
    })
}

fn kept_share(kept: usize, of: usize) -> f64 {
    kept as f64 / of.max(1) as f64
}

/// Scores from the lowest to the highest as bars; what is left of the line went, or would have by
/// the first look alone.
fn scores(ui: &mut Ui, name: &str, site: &SiteRecord, kept: f64) {
    let p = palette(ui);
    if site.scores.is_empty() {
        quiet(ui, format!("{name}: nothing went."));
        return;
    }
    let mut sorted = site.scores.clone();
    // In order of the scores, so that the cut is one place on the axis.
    sorted.sort_by(f64::total_cmp);
    let cut = (1.0 - kept) * sorted.len() as f64;
    let colour = |i: usize| if (i as f64) < cut - 0.5 { p.second } else { p.accent };
    let words =
        format!("{name}, {} scores from {} to {}", sorted.len(), short(sorted[0]), short(sorted[sorted.len() - 1]));
    let words = format!("{words}; {:.0} % went", 100.0 * (1.0 - kept));
    // Bars are centred on whole numbers: the line stands between two of them.
    bars(ui, name, &sorted, colour, Some(cut - 0.5), &words);
}

fn moved(ui: &mut Ui, name: &str, change: &[(usize, f64)]) {
    let p = palette(ui);
    let mut sorted: Vec<f64> = change.iter().map(|&(_, c)| 100.0 * c).collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let most = change.iter().max_by(|a, b| a.1.total_cmp(&b.1));
    let words = most.map_or(format!("{name}: none"), |(unit, by)| {
        format!("{name}: weights of {unit} moved most, by {:.1} %", 100.0 * by)
    });
    bars(ui, &format!("{name} moved"), &sorted, |_| p.accent, None, &words);
}

fn bars(ui: &mut Ui, id: &str, values: &[f64], colour: impl Fn(usize) -> Color32, cut: Option<f64>, words: &str) {
    let p = palette(ui);
    quiet(ui, words);
    let bar = |(i, &v): (usize, &f64)| Bar::new(i as f64, v).width(0.9).fill(colour(i));
    let bars: Vec<Bar> = values.iter().enumerate().map(bar).collect();
    let shown = Plot::new(id.to_owned())
        .height(104.0)
        // A plot that moves would take the wheel from the page around it.
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .show_grid([false, true])
        .show_axes([false, true])
        .y_axis_min_width(46.0)
        .y_axis_formatter(|mark, _| short(mark.value))
        .show(ui, |plot| {
            plot.bar_chart(BarChart::new(id.to_owned(), bars).color(p.accent));
            if let Some(cut) = cut {
                plot.vline(VLine::new("cut", cut).color(p.second).width(1.5));
            }
        });
    // A screen reader sees no bars; it reads these words.
    let words = words.to_owned();
    shown.response.widget_info(|| egui::WidgetInfo::labeled(egui::accesskit::Role::Image, true, &words));
}
