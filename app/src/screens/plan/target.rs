//! The target: by ratio, by parameters or by bytes.

use eframe::egui::{DragValue, Slider, Ui};

use crate::model::Model;
use crate::settings::{Goal, Settings};
use crate::widgets::card::quiet;
use slimgpt::format::percent;

/// Draws the target and the three ways to say it.
pub fn ui(ui: &mut Ui, settings: &mut Settings, model: &Model) {
    ui.horizontal(|ui| {
        ui.selectable_value(&mut settings.goal, Goal::Ratio, "By ratio");
        ui.selectable_value(&mut settings.goal, Goal::Parameters, "By parameters");
        ui.selectable_value(&mut settings.goal, Goal::Bytes, "By bytes");
    });
    let whole = model.checkpoint.config().parameters() as f64;
    match settings.goal {
        Goal::Ratio => ratio(ui, settings),
        Goal::Parameters => {
            amount(ui, "million parameters that stay", &mut settings.millions, whole / 1e6);
        }
        Goal::Bytes => {
            let bytes = settings.dtype(model).bytes() as f64;
            amount(ui, "MiB that stay", &mut settings.mebibytes, whole * bytes / (1 << 20) as f64);
        }
    }
}

fn ratio(ui: &mut Ui, settings: &mut Settings) {
    let mut whole = settings.ratio * 100.0;
    ui.spacing_mut().slider_width = (ui.available_width() - 190.0).clamp(120.0, 420.0);
    let slider = Slider::new(&mut whole, 1.0..=90.0).fixed_decimals(0).suffix(" %").text("removed");
    if ui.add(slider).changed() {
        settings.ratio = whole / 100.0;
    }
    quiet(ui, words(settings.ratio));
}

fn words(ratio: f64) -> String {
    let effect = match ratio {
        r if r < 0.15 => "little is lost",
        r if r < 0.30 => "the usual range: most abilities stay",
        r if r < 0.45 => "clearly weaker; worth recovery training",
        _ => "much is lost; only with recovery training",
    };
    format!("{} of the decoder layers' parameters: {effect}.", percent(ratio))
}

fn amount(ui: &mut Ui, what: &str, value: &mut f64, whole: f64) {
    let digits = if whole < 10.0 { 3 } else { 1 };
    ui.horizontal(|ui| {
        // A drag of 400 points goes from nothing to the whole.
        let name = ui.add(DragValue::new(value).range(0.0..=whole).speed(whole / 400.0).fixed_decimals(digits));
        let label = ui.label(what);
        name.labelled_by(label.id);
    });
    quiet(ui, format!("The model has {whole:.digits$} now, embeddings included; they are never pruned."));
}
