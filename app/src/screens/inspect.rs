//! Inspect: a pruned folder. What went from each layer and what it cost; for one layer its scores
//! in order, the cut, and how far the weights that stay were moved.

mod export;
mod layer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui::{RichText, ScrollArea, Ui};
use egui_extras::{Column, TableBuilder};
use slimgpt::pipeline::{LayerRecord, Method, Report};

use super::Action;
use crate::findings::Change;
use crate::mail::Pick;
use crate::model::Model;
use crate::progress::rows;
use crate::theme::{GAP, palette};
use crate::widgets::card::{card, columns, facts, primary, quiet, title};
use crate::widgets::map::{legend, map};
use crate::widgets::trouble::trouble;
use slimgpt::format::{arrow, bytes, count, percent, short};

/// The Inspect screen: one pruned folder.
#[derive(Default)]
pub struct Inspect {
    /// The folder that is shown.
    pub model: Option<Arc<Model>>,
    /// The folder that is being read.
    pub opening: Option<PathBuf>,
    /// Why it could not be read.
    pub failed: Option<String>,
    /// How the weights of a layer changed, once that was asked for.
    pub change: Option<(usize, Result<Change, String>)>,
    /// The layer whose change is being computed.
    pub changing: Option<usize>,
    /// What an export wrote, or why it could not.
    pub exported: Option<Result<PathBuf, String>>,
    /// The folder of which an export is being written.
    pub exporting: Option<PathBuf>,
    selected: usize,
}

impl Inspect {
    /// A folder was read, or could not be.
    pub fn opened(&mut self, folder: &Path, model: Result<Arc<Model>, String>) {
        // Another one may have been chosen since.
        if self.opening.take_if(|of| of.as_path() == folder).is_none() {
            return;
        }
        match model {
            Ok(model) => self.show(model),
            Err(words) => self.failed = Some(words),
        }
    }

    /// Another folder is shown.
    pub fn show(&mut self, model: Arc<Model>) {
        // Selection, change and export belong to the folder before.
        *self = Self { model: Some(model), ..Self::default() };
    }

    /// A layer of a folder was compared, or could not be.
    pub fn changed(&mut self, of: &Arc<Model>, layer: usize, change: Result<Change, String>) {
        let is_shown = self.model.as_ref().is_some_and(|shown| Arc::ptr_eq(shown, of));
        if is_shown && self.changing.take_if(|waited| *waited == layer).is_some() {
            self.change = Some((layer, change));
        }
    }

    /// An export of a folder was written, or could not be; what came of it where another folder is shown by now.
    pub fn wrote(&mut self, folder: &Path, done: Result<PathBuf, String>) -> Option<Result<PathBuf, String>> {
        if self.exporting.take_if(|of| of.as_path() == folder).is_none() {
            return Some(done);
        }
        self.exported = Some(done);
        None
    }

    /// Draws the screen; returns what is wanted.
    pub fn ui(&mut self, ui: &mut Ui) -> Option<Action> {
        title(ui, "Inspect", "A pruned model: what went from each layer, and what it cost.");
        let mut action = self.head(ui);
        if let Some(words) = &self.failed
            && trouble(ui, "This folder cannot be inspected", words)
        {
            self.failed = None;
        }
        let Some(model) = self.model.clone() else { return action };
        let Some(report) = &model.report else {
            card(ui, &model.name(), |ui| {
                facts(ui, "inspect-facts", model.facts());
                quiet(
                    ui,
                    "There is no slimgpt-report.json: this program did not prune it, so there is nothing to compare.",
                );
            });
            return action;
        };
        ui.add_space(GAP / 2.0);
        columns(ui, 420.0, 2, |i, ui| {
            action = match i {
                0 => self.left(ui, &model, report),
                _ => self.right(ui, &model, report),
            }
            .or(action.take());
        });
        action
    }

    fn head(&self, ui: &mut Ui) -> Option<Action> {
        let mut action = None;
        ui.horizontal(|ui| {
            if primary(ui, "Open a pruned folder…", true).clicked() {
                action = Some(Action::Pick(Pick::Inspect));
            }
            match (&self.opening, &self.model) {
                (Some(folder), _) => {
                    ui.spinner();
                    quiet(ui, format!("Reading {}", folder.display()));
                }
                (None, Some(model)) => {
                    quiet(ui, model.folder().map_or(String::new(), |f| f.display().to_string()));
                }
                (None, None) => {
                    quiet(ui, "or finish a run: its result can be inspected at once.");
                }
            }
        });
        action
    }

    fn left(&mut self, ui: &mut Ui, model: &Model, report: &Report) -> Option<Action> {
        card(ui, &model.name(), |ui| facts(ui, "report-facts", summary(report)));
        ui.add_space(GAP);
        card(ui, "What went", |ui| {
            ScrollArea::vertical().id_salt("inspect-map").max_height(330.0).show(ui, |ui| {
                if let Some(layer) = map(ui, &rows(report), Some(self.selected)) {
                    self.selected = layer;
                }
            });
            ui.add_space(4.0);
            legend(ui);
        });
        ui.add_space(GAP);
        card(ui, "Error by layer", |ui| table(ui, report));
        None
    }

    fn right(&mut self, ui: &mut Ui, model: &Model, report: &Report) -> Option<Action> {
        let record = report.layers.get(self.selected).or(report.layers.first())?;
        // Another layer may have been selected before the change arrived.
        let change = self.change.as_ref().filter(|(layer, _)| *layer == record.layer).map(|(_, c)| c);
        let mut action = layer::ui(ui, record, report, change, self.changing.is_some());
        ui.add_space(GAP);
        let exporting = self.exporting.is_some();
        action = card(ui, "Use it elsewhere", |ui| export::ui(ui, model, self.exported.as_ref(), exporting)).or(action);
        action
    }
}

fn summary(report: &Report) -> Vec<(&'static str, String)> {
    let gone = 1.0 - report.parameters_after as f64 / report.parameters_before as f64;
    vec![
        (
            "Parameters",
            format!("{} → {}, {} less", count(report.parameters_before), count(report.parameters_after), percent(gone)),
        ),
        ("Size", format!("{} → {} in {}", bytes(report.bytes_before), bytes(report.bytes_after), report.dtype)),
        ("Calibrated on", format!("{} tokens, seed {}", count(report.calibration_tokens), report.plan.request.seed)),
        ("Method", method(report)),
        ("Device", report.device.clone()),
        ("Pruned from", report.source.clone().unwrap_or_else(|| "a model in memory".into())),
    ]
}

fn method(report: &Report) -> String {
    let plan = &report.plan;
    let name = Method::of_plan(plan).map_or("settings of its own".into(), |m| m.to_string());
    format!("{name}, damping {}", plan.request.options.damping)
}

fn table(ui: &mut Ui, report: &Report) {
    let p = palette(ui);
    let heads = ["Layer", "Heads", "Channels", "Predicted", "Measured"];
    let column = Column::remainder().at_least(60.0).clip(true);
    ui.push_id("errors", |ui| {
        TableBuilder::new(ui)
            .striped(true)
            .columns(column, heads.len())
            .max_scroll_height(220.0)
            .header(20.0, |mut row| {
                for head in heads {
                    row.col(|ui| {
                        ui.label(RichText::new(head).small().color(p.quiet));
                    });
                }
            })
            .body(|body| {
                body.rows(22.0, report.layers.len(), |mut row| {
                    let cells = cells(&report.layers[row.index()]);
                    for text in cells {
                        row.col(|ui| {
                            ui.label(text);
                        });
                    }
                });
            });
    });
}

fn cells(record: &LayerRecord) -> [String; 5] {
    let LayerRecord { layer, before, after, heads, channels, .. } = record;
    [
        layer.to_string(),
        arrow(before.heads, after.heads),
        arrow(before.channels, after.channels),
        short(heads.predicted_loss + channels.predicted_loss),
        short(heads.measured_loss + channels.measured_loss),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> Arc<Model> {
        Arc::new(Model::shipped_in_memory().unwrap())
    }

    #[test]
    fn the_folder_that_was_chosen_last_is_shown_whichever_is_read_last() {
        let (first, second) = (model(), model());
        let mut screen = Inspect { opening: Some("second".into()), ..Inspect::default() };
        screen.opened(Path::new("first"), Ok(first.clone()));
        assert!(screen.model.is_none() && screen.opening.is_some());
        screen.opened(Path::new("second"), Ok(second.clone()));
        screen.opened(Path::new("first"), Err("it is no model".into()));
        assert!(screen.failed.is_none());
        assert!(screen.model.is_some_and(|shown| Arc::ptr_eq(&shown, &second)));
    }

    #[test]
    fn what_was_asked_of_another_folder_is_not_told_of_this_one() {
        let (old, new) = (model(), model());
        let mut screen = Inspect::default();
        screen.show(old.clone());
        (screen.changing, screen.exporting) = (Some(1), Some("old".into()));
        screen.show(new.clone());
        (screen.changing, screen.exporting) = (Some(1), Some("new".into()));
        screen.changed(&old, 1, Ok(Change::default()));
        assert!(screen.change.is_none() && screen.changing == Some(1));
        assert_eq!(screen.wrote(Path::new("old"), Ok("old.gguf".into())), Some(Ok("old.gguf".into())));
        assert!(screen.exporting.is_some() && screen.exported.is_none());
        screen.changed(&new, 1, Ok(Change::default()));
        assert!(screen.change.is_some() && screen.changing.is_none());
        assert_eq!(screen.wrote(Path::new("new"), Ok("new.gguf".into())), None);
        assert!(screen.exporting.is_none() && screen.exported == Some(Ok("new.gguf".into())));
    }
}
