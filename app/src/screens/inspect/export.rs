//! Taking a pruned model elsewhere: which programs open it, and the forms it can be written in.

use std::path::{Path, PathBuf};

use eframe::egui::{Button, Ui};

use crate::model::Model;
use crate::screens::Action;
use crate::widgets::card::quiet;
use crate::widgets::trouble::problem;
use crate::work::export::Form;

/// Draws the ways on from a pruned folder; returns the one that was taken.
pub fn ui(ui: &mut Ui, model: &Model, exported: Option<&Result<PathBuf, String>>, exporting: bool) -> Option<Action> {
    let folder = model.folder()?;
    let action = ways_on(ui, folder, exporting);
    let export = forms(ui, folder, exporting);
    match exported {
        Some(Ok(file)) => {
            quiet(ui, format!("Wrote {}", file.display()));
        }
        Some(Err(words)) => problem(ui, words),
        None => {}
    }
    programs(ui, model);
    action.or(export)
}

fn ways_on(ui: &mut Ui, folder: &Path, exporting: bool) -> Option<Action> {
    let mut action = None;
    ui.horizontal_wrapped(|ui| {
        let report = ui.add_enabled(!exporting, Button::new("Make the report page"));
        if report.on_hover_text("A page with figures that any browser opens, beside the weights").clicked() {
            action = Some(Action::Report(folder.into()));
        }
        if ui.button("Compare with the dense model").clicked() {
            action = Some(Action::CompareWith(folder.into()));
        }
        if ui.button("Prune it further").clicked() {
            action = Some(Action::Open(crate::model::Origin::Folder(folder.into())));
        }
    });
    action
}

fn forms(ui: &mut Ui, folder: &Path, exporting: bool) -> Option<Action> {
    let mut action = None;
    ui.horizontal_wrapped(|ui| {
        ui.label("Write as");
        for form in Form::ALL {
            let button = ui.add_enabled(!exporting, Button::new(form.name()));
            if button.on_hover_text(form.out(folder).display().to_string()).clicked() {
                action = Some(Action::Export(folder.into(), form));
            }
        }
        if exporting {
            ui.spinner();
        }
    });
    action
}

/// Which program opens the model how.
#[cfg(not(target_arch = "wasm32"))]
fn programs(ui: &mut Ui, model: &Model) {
    use eframe::egui::{CollapsingHeader, Grid, Label, RichText, vec2};
    use slimgpt::export::compat::Opens;

    let p = crate::theme::palette(ui);
    CollapsingHeader::new("Opens in").default_open(true).show(ui, |ui| {
        Grid::new("opens-in").num_columns(2).spacing(vec2(18.0, 5.0)).min_row_height(18.0).show(ui, |ui| {
            for client in &model.clients {
                let (ink, words) = match client.opens {
                    Opens::Folder | Opens::Export => (p.accent, client.how.clone()),
                    Opens::Untried => (p.quiet, format!("{} (not tried)", client.how)),
                    Opens::No => (p.quiet, format!("no: {}", client.why_not)),
                };
                ui.label(RichText::new(client.program).small().strong());
                ui.add(Label::new(RichText::new(words).small().color(ink)).wrap());
                ui.end_row();
            }
        });
    });
}

#[cfg(target_arch = "wasm32")]
fn programs(_: &mut Ui, _: &Model) {}
