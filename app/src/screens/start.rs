//! Start: choose a model; what it is, in facts and plain words; runs that wait to be gone on with.

#[cfg(not(target_arch = "wasm32"))]
mod hub;

use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui::{self, RichText, ScrollArea, Ui};

use super::{Action, Screen};
use crate::mail::Pick;
use crate::model::{Model, Origin, called};
use crate::theme::{GAP, palette};
use crate::unfinished::Unfinished;
use crate::widgets::card::{card, columns, facts, primary, quiet, title};
use crate::widgets::trouble::{problem, remark, trouble};
use slimgpt::format::percent;

/// The Start screen: the open model, and the ways to another.
#[derive(Default)]
pub struct Start {
    /// The model that is open.
    pub model: Option<Arc<Model>>,
    /// What is being read.
    pub opening: Option<Origin>,
    /// Why it could not be read.
    pub failed: Option<String>,
    /// Folders that were opened before.
    pub recent: Vec<PathBuf>,
    /// Runs that were not finished and whose layers are there.
    pub unfinished: Vec<Unfinished>,
    /// Models of the Hugging Face hub.
    #[cfg(not(target_arch = "wasm32"))]
    pub hub: hub::HubCard,
    path: String,
}

impl Start {
    /// Draws the screen; returns what is wanted.
    pub fn ui(&mut self, ui: &mut Ui) -> Option<Action> {
        let mut action = None;
        title(
            ui,
            "Start",
            "Choose the model that is to become smaller: a Hugging Face folder with config.json and safetensors, a GGUF \
             file, a zip of such a folder, or low-rank factors (LoRA) of a model that is here.",
        );
        if let Some(words) = &self.failed
            && trouble(ui, "This folder cannot be used", words)
        {
            self.failed = None;
        }
        for run in &self.unfinished {
            action = interrupted(ui, run).or(action);
        }
        columns(ui, 380.0, 2, |i, ui| {
            action = match i {
                0 => self.choose(ui),
                _ => self.chosen(ui),
            }
            .or(action.take());
        });
        action
    }

    fn choose(&mut self, ui: &mut Ui) -> Option<Action> {
        let mut action = None;
        card(ui, "Open a model", |ui| {
            ui.horizontal_wrapped(|ui| {
                if primary(ui, "Open folder…", true).clicked() {
                    action = Some(Action::Pick(Pick::Model));
                }
                if ui
                    .button("Open file…")
                    .on_hover_text("A GGUF, a file of weights or factors, or a zip of a folder")
                    .clicked()
                {
                    action = Some(Action::Pick(Pick::ModelFile));
                }
                if ui.button("Shipped model").on_hover_text("A small LLaMA that comes with the program").clicked() {
                    action = Some(Action::Open(Origin::Shipped));
                }
            });
            ui.add_space(2.0);
            action = self.typed(ui).or(action.take());
            quiet(ui, "A folder or a file can also be dropped on the window.");
        });
        ui.add_space(GAP);
        #[cfg(not(target_arch = "wasm32"))]
        {
            action = self.hub.ui(ui).or(action.take());
            ui.add_space(GAP);
        }
        action.or(self.recent(ui))
    }

    fn typed(&mut self, ui: &mut Ui) -> Option<Action> {
        let label = ui.label(RichText::new("Path of a folder or a file").color(palette(ui).quiet));
        ui.horizontal(|ui| {
            // The button beside the field needs 84 points.
            let width = (ui.available_width() - 84.0).max(80.0);
            let field = ui.add(egui::TextEdit::singleline(&mut self.path).desired_width(width)).labelled_by(label.id);
            // A field of one line gives up the focus at Enter.
            let entered = field.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
            let opened = ui.add_enabled(!self.path.trim().is_empty(), egui::Button::new("Open")).clicked();
            let path = self.path.trim();
            (!path.is_empty() && (opened || entered)).then(|| Action::Open(Origin::Folder(path.into())))
        })
        .inner
    }

    fn recent(&self, ui: &mut Ui) -> Option<Action> {
        let mut action = None;
        card(ui, "Recent", |ui| {
            if self.recent.is_empty() {
                quiet(ui, "Folders that you open appear here.");
            }
            ScrollArea::vertical().id_salt("recent").max_height(220.0).show(ui, |ui| {
                for folder in &self.recent {
                    let text = RichText::new(called(folder));
                    let button = egui::Button::new(text).truncate().min_size(egui::vec2(ui.available_width(), 28.0));
                    if ui.add(button).on_hover_text(folder.display().to_string()).clicked() {
                        action = Some(Action::Open(Origin::Folder(folder.clone())));
                    }
                }
            });
        });
        action
    }

    fn chosen(&self, ui: &mut Ui) -> Option<Action> {
        let mut action = None;
        if let Some(what) = &self.opening {
            card(ui, "Reading", |ui| {
                ui.horizontal(|ui| {
                    ui.spinner();
                    ui.label(match what {
                        Origin::Shipped => "the shipped model".to_owned(),
                        Origin::Folder(folder) => folder.display().to_string(),
                    });
                });
            });
            return None;
        }
        let Some(model) = &self.model else {
            card(ui, "No model yet", |ui| {
                quiet(
                    ui,
                    "What the folder is will be shown here: family, layers, heads, widths, parameters and bytes.",
                );
            });
            return None;
        };
        card(ui, &model.name(), |ui| {
            facts(ui, "model-facts", model.facts());
            if let Some(folder) = model.folder() {
                ui.add(
                    egui::Label::new(RichText::new(folder.display().to_string()).small().color(palette(ui).quiet))
                        .wrap(),
                );
            }
            model.problem().iter().for_each(|words| problem(ui, words));
            model.checkpoint.notes().iter().for_each(|words| remark(ui, words));
            if model.is_pruned() {
                quiet(ui, "This model was pruned before. It can be looked at, and pruned further.");
            }
            ui.add_space(6.0);
            ui.horizontal_wrapped(|ui| {
                if primary(ui, "Plan the pruning", model.tokenizer.is_ok()).clicked() {
                    action = Some(Action::Show(Screen::Plan));
                }
                let folder = model.folder().filter(|_| model.report.is_some());
                if let Some(folder) = folder
                    && ui.button("Inspect").clicked()
                {
                    action = Some(Action::Inspect(folder.into()));
                }
            });
        });
        action
    }
}

fn interrupted(ui: &mut Ui, run: &Unfinished) -> Option<Action> {
    let mut action = None;
    card(ui, "A run is waiting", |ui| {
        let name = run.out.file_name().map_or("a folder".into(), |n| n.to_string_lossy().into_owned());
        quiet(
            ui,
            format!(
                "{name}, {} of the layers, was interrupted. Its finished layers are kept.",
                percent(run.settings.ratio)
            ),
        );
        ui.horizontal(|ui| {
            if primary(ui, "Go on", true).clicked() {
                action = Some(Action::GoOn(Box::new(run.clone())));
            }
            if ui.button("Forget it").on_hover_text("The finished layers stay on the disk").clicked() {
                action = Some(Action::Forget(run.out.clone()));
            }
        });
    });
    ui.add_space(GAP);
    action
}
