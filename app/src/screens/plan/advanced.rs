//! What most people leave as it is.

use eframe::egui::{self, DragValue, Ui, vec2};
use slimgpt::checkpoint::Dtype;
use slimgpt::obs::{ChannelSteps, HeadUnit, Score};
use slimgpt::pipeline::Propagate;

use crate::model::Model;
use crate::settings::Settings;

/// Draws it.
pub fn ui(ui: &mut Ui, settings: &mut Settings, model: &Model) {
    egui::CollapsingHeader::new("Advanced").show(ui, |ui| {
        egui::Grid::new("advanced").num_columns(2).spacing(vec2(18.0, 8.0)).show(ui, |ui| {
            unit(ui, settings, model);
            choice(
                ui,
                "Score",
                &mut settings.score,
                &[
                    (Score::Exact, "Exact"),
                    (Score::GroupedCholesky, "Grouped Cholesky (the paper's)"),
                    (Score::Diagonal, "Diagonal"),
                ],
            );
            steps(ui, settings);
            number(ui, "Damping", &mut settings.damping);
            multiple(ui, settings);
            choice(
                ui,
                "Stored as",
                &mut settings.dtype,
                &[
                    (None, "The source's type"),
                    (Some(Dtype::F32), "f32"),
                    (Some(Dtype::F16), "f16"),
                    (Some(Dtype::Bf16), "bf16"),
                ],
            );
            choice(
                ui,
                "Fitted to",
                &mut settings.propagate,
                &[(Propagate::Pruned, "The pruned layers before"), (Propagate::Dense, "The dense layers before")],
            );
        });
        if ui
            .button("As in the paper")
            .on_hover_text("Grouped Cholesky, dynamic groups, any number of channels")
            .clicked()
        {
            settings.score = Score::GroupedCholesky;
            settings.steps = ChannelSteps::Dynamic { floor: 8 };
            settings.multiple = Some(1);
        }
    });
}

/// A row: a name and a list to choose from.
fn choice<T: PartialEq + Copy>(ui: &mut Ui, name: &str, value: &mut T, of: &[(T, &str)]) {
    let label = ui.label(name);
    let shown = of.iter().find(|(v, _)| v == value).map_or("", |(_, text)| text);
    let list = egui::ComboBox::from_id_salt(name).selected_text(shown).width(220.0).show_ui(ui, |ui| {
        for (v, text) in of {
            ui.selectable_value(value, *v, *text);
        }
    });
    list.response.labelled_by(label.id);
    ui.end_row();
}

fn unit(ui: &mut Ui, settings: &mut Settings, model: &Model) {
    let grouped = model.checkpoint.config().dense.heads_per_group() > 1;
    let all =
        [(HeadUnit::KeyValue, "K/V groups with their query heads"), (HeadUnit::Query, "Query heads of every group")];
    choice(ui, "Heads go as", &mut settings.unit, if grouped { &all } else { &all[..1] });
}

fn steps(ui: &mut Ui, settings: &mut Settings) {
    choice(
        ui,
        "Channels go",
        &mut settings.steps,
        &[
            (ChannelSteps::OneByOne, "One by one"),
            (ChannelSteps::Dynamic { floor: 8 }, "In shrinking groups, at least 8"),
            (ChannelSteps::Dynamic { floor: 64 }, "In shrinking groups, at least 64"),
            (ChannelSteps::Fixed(128), "128 at a time"),
        ],
    );
}

fn number(ui: &mut Ui, name: &str, value: &mut f64) {
    let label = ui.label(name);
    ui.add(DragValue::new(value).range(0.0..=10.0).speed(0.001).max_decimals(5)).labelled_by(label.id);
    ui.end_row();
}

fn multiple(ui: &mut Ui, settings: &mut Settings) {
    let label = ui.label("Channel multiple");
    ui.horizontal(|ui| {
        let mut own = settings.multiple.is_some();
        if ui.checkbox(&mut own, "of my own").changed() {
            settings.multiple = own.then_some(1);
        }
        if let Some(multiple) = &mut settings.multiple {
            ui.add(DragValue::new(multiple).range(1..=1024)).labelled_by(label.id);
        }
    });
    ui.end_row();
}
