//! Taking a pruned model elsewhere.

use eframe::egui::Ui;

use crate::model::Model;
use crate::screens::Action;
use crate::widgets::card::quiet;
use crate::widgets::trouble::problem;

/// Draws it.
pub fn ui(ui: &mut Ui, model: &Model, exported: Option<&Result<String, String>>) -> Option<Action> {
    quiet(ui, "The folder itself is a Hugging Face checkpoint in safetensors; every slimgpt command opens it.");
    match exported {
        Some(Ok(words)) => {
            quiet(ui, words.clone());
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
        if ui.button("Show the report file").clicked() {
            action = Some(Action::ShowFile(folder.join(slimgpt::pipeline::Report::FILE)));
        }
    });
    action
}
