//! Taking a pruned model elsewhere.

use std::path::PathBuf;

use eframe::egui::Ui;

use crate::model::Model;
use crate::screens::Action;
use crate::widgets::card::quiet;
use crate::widgets::trouble::problem;

/// Draws it.
pub fn ui(ui: &mut Ui, model: &Model, exported: Option<&Result<PathBuf, String>>) -> Option<Action> {
    quiet(ui, "The folder itself is a Hugging Face checkpoint in safetensors; every slimgpt command opens it.");
    match exported {
        Some(Ok(file)) => {
            quiet(ui, format!("Wrote {}", file.display()));
        }
        Some(Err(words)) => problem(ui, words),
        None => {}
    }
    let mut action = None;
    ui.horizontal_wrapped(|ui| {
        let Some(folder) = model.folder() else { return };
        if ui.button("Compare with the dense model").clicked() {
            action = Some(Action::CompareWith(folder.into()));
        }
        if ui.button("Prune it further").clicked() {
            action = Some(Action::Open(crate::model::Origin::Folder(folder.into())));
        }
        let report = ui.button("Make the report page");
        if report.on_hover_text("A page with figures that any browser opens, beside the weights").clicked() {
            action = Some(Action::Report(folder.into()));
        }
    });
    action
}
