//! The calibration text: files, how much of them, and what the first windows say.

use std::path::Path;

use eframe::egui::{self, DragValue, RichText, ScrollArea, Ui};

use crate::findings::Calibration;
use crate::mail::Pick;
use crate::model::{Model, Origin};
use crate::screens::Action;
use crate::settings::Settings;
use crate::theme::palette;
use crate::widgets::card::quiet;
use crate::widgets::trouble::{problem, remark};
use slimgpt::format::count;

/// What is said until a text is chosen.
const NO_TEXT: &str = "Choose at least one text to calibrate on: the layers are fitted to what it makes of them. Good is \
varied text of the kind the model will be used for; 2 to 3 MB are plenty";

/// How far the cutting is.
pub struct Cut<'a> {
    /// The windows, or why there are none.
    pub calibration: Option<&'a Result<Calibration, String>>,
    /// Whether they are being cut.
    pub cutting: bool,
}

/// Draws files, size and preview of the calibration text.
pub fn ui(ui: &mut Ui, settings: &mut Settings, model: &Model, cut: &Cut<'_>) -> Option<Action> {
    let action = files(ui, settings, model);
    size(ui, settings, model);
    if !settings.has_text(model) {
        remark(ui, NO_TEXT);
        return action;
    }
    // While another text is cut, an error of the one before is out of date.
    if let (false, Some(Err(words))) = (cut.cutting, cut.calibration) {
        problem(ui, words);
    }
    preview(ui, cut);
    action
}

fn files(ui: &mut Ui, settings: &mut Settings, model: &Model) -> Option<Action> {
    let p = palette(ui);
    let mut action = None;
    ui.horizontal_wrapped(|ui| {
        if ui.button("Choose texts…").clicked() {
            action = Some(Action::Pick(Pick::Calibration));
        }
        if settings.files.is_empty() && model.origin == Origin::Shipped {
            quiet(ui, "or the text that comes with the shipped model");
        }
    });
    let mut gone = None;
    for (i, file) in settings.files.iter().enumerate() {
        ui.horizontal(|ui| {
            let name = file.file_name().map_or("?".into(), |n| n.to_string_lossy().into_owned());
            if ui.small_button("×").on_hover_text(format!("Leave out {name}")).clicked() {
                gone = Some(i);
            }
            ui.label(RichText::new(name).color(p.accent)).on_hover_text(file.display().to_string());
        });
    }
    // After the loop, which walks the list.
    gone.map(|i| settings.files.remove(i));
    if settings.files.iter().any(|file| has_rows(file)) {
        ui.horizontal(|ui| {
            let label = ui.label("Key of the text");
            ui.add(egui::TextEdit::singleline(&mut settings.text_key).desired_width(100.0)).labelled_by(label.id);
        });
    }
    action
}

/// Whether a file holds rows, which have keys.
#[cfg(not(target_arch = "wasm32"))]
fn has_rows(file: &Path) -> bool {
    slimgpt::text::has_rows(file)
}

/// A page reads no files.
#[cfg(target_arch = "wasm32")]
fn has_rows(_: &Path) -> bool {
    false
}

fn size(ui: &mut Ui, settings: &mut Settings, model: &Model) {
    let longest = model.checkpoint.config().max_positions;
    ui.horizontal_wrapped(|ui| {
        let label = ui.label("Windows");
        ui.add(DragValue::new(&mut settings.request.windows).range(1..=4096).speed(1.0)).labelled_by(label.id);
        let label = ui.label("of tokens");
        // A window has a token and one to predict at least.
        ui.add(DragValue::new(&mut settings.request.window_tokens).range(2..=longest).speed(4.0)).labelled_by(label.id);
        let label = ui.label("seed");
        ui.add(DragValue::new(&mut settings.request.seed)).labelled_by(label.id);
    });
    ui.add_enabled(
        model.checkpoint.config().bos_token.is_some(),
        egui::Checkbox::new(&mut settings.begins, "Each window begins with the begin token"),
    );
}

fn preview(ui: &mut Ui, cut: &Cut<'_>) {
    let p = palette(ui);
    if cut.cutting {
        ui.horizontal(|ui| {
            ui.spinner();
            quiet(ui, "Cutting windows…");
        });
    }
    let Some(Ok(calibration)) = cut.calibration else { return };
    let tokens: usize = calibration.windows.iter().map(Vec::len).sum();
    let title = format!("First of {} windows, {} tokens", calibration.windows.len(), count(tokens));
    egui::CollapsingHeader::new(title).id_salt("preview").show(ui, |ui| {
        ScrollArea::vertical().id_salt("windows").max_height(150.0).show(ui, |ui| {
            for text in &calibration.preview {
                ui.add(egui::Label::new(RichText::new(text).small().color(p.quiet)).wrap());
                ui.separator();
            }
        });
    });
}
