//! What most people leave as it is.

use eframe::egui::{self, DragValue, Ui, vec2};
use slimgpt::allocate::{Allocation, Rounding};
use slimgpt::checkpoint::Dtype;
use slimgpt::names::Named;
use slimgpt::obs::{ChannelSteps, HeadUnit, Score, Selection};
use slimgpt::pipeline::Propagate;

use crate::model::Model;
use crate::settings::Settings;

/// Draws the folded list of knobs.
pub fn ui(ui: &mut Ui, settings: &mut Settings, model: &Model) {
    egui::CollapsingHeader::new("Advanced").show(ui, |ui| {
        egui::Grid::new("advanced").num_columns(2).spacing(vec2(18.0, 8.0)).show(ui, |ui| {
            unit(ui, settings, model);
            score(ui, &mut settings.request.options.selection);
            steps(ui, settings);
            number(ui, "Damping", &mut settings.request.options.damping);
            multiple(ui, settings);
            rounding(ui, &mut settings.request.allocation);
            stored_as(ui, settings);
            named(ui, "Fitted to", &mut settings.request.propagate, Propagate::all());
        });
        if ui
            .button("As in the paper")
            .on_hover_text("Grouped Cholesky, dynamic groups, any number of channels")
            .clicked()
        {
            settings.request = settings.request.clone().as_in_the_paper();
        }
    });
}

/// A row whose choices are called as they are everywhere.
fn named<T: Named>(ui: &mut Ui, name: &str, value: &mut T, of: &[T]) {
    let of: Vec<(T, String)> = of.iter().map(|&choice| (choice, words(choice))).collect();
    choose(ui, name, value, &of);
}

fn words(choice: impl Named) -> String {
    format!("{}: {}", choice.name(), choice.about())
}

/// A row: a name and a list to choose from.
fn choose<T: PartialEq + Copy>(ui: &mut Ui, name: &str, value: &mut T, of: &[(T, String)]) {
    let label = ui.label(name);
    let shown = of.iter().find(|(v, _)| v == value).map_or("", |(_, text)| text.as_str());
    // Its label stands in the column before, so the list has none of its own.
    let list = egui::ComboBox::from_id_salt(name).selected_text(shown).width(220.0).truncate().show_ui(ui, |ui| {
        for (v, text) in of {
            ui.selectable_value(value, *v, text.as_str());
        }
    });
    list.response.labelled_by(label.id);
    ui.end_row();
}

fn unit(ui: &mut Ui, settings: &mut Settings, model: &Model) {
    // Without groups, query heads cannot go by themselves.
    let grouped = model.checkpoint.config().dense.heads_per_group() > 1;
    let all = HeadUnit::all();
    let unit = &mut settings.request.allocation.head_unit;
    named(ui, "Heads go as", unit, if grouped { all } else { &all[..1] });
}

fn score(ui: &mut Ui, selection: &mut Selection) {
    let mut score = match selection {
        Selection::Elimination(score) => *score,
        // Rankings are there to be compared with; the window offers eliminations only.
        Selection::Ranking(_) => Score::default(),
    };
    named(ui, "Score", &mut score, Score::all());
    *selection = Selection::Elimination(score);
}

fn steps(ui: &mut Ui, settings: &mut Settings) {
    let offered =
        [ChannelSteps::OneByOne, ChannelSteps::PAPER, ChannelSteps::Dynamic { floor: 64 }, ChannelSteps::Fixed(128)];
    choose(ui, "Channels go", &mut settings.request.channel_steps, &offered.map(|steps| (steps, steps.to_string())));
}

fn rounding(ui: &mut Ui, allocation: &mut Allocation) {
    let mut rounding = allocation.rounding();
    named(ui, "Rounding", &mut rounding, Rounding::all());
    allocation.rounding = Some(rounding);
}

fn stored_as(ui: &mut Ui, settings: &mut Settings) {
    let types = Dtype::all().iter().map(|&dtype| (Some(dtype), dtype.name().to_owned()));
    let offered: Vec<(Option<Dtype>, String)> =
        std::iter::once((None, "the source's type".into())).chain(types).collect();
    choose(ui, "Stored as", &mut settings.request.dtype, &offered);
}

fn number(ui: &mut Ui, name: &str, value: &mut f64) {
    let label = ui.label(name);
    ui.add(DragValue::new(value).range(0.0..=10.0).speed(0.001).max_decimals(5)).labelled_by(label.id);
    ui.end_row();
}

fn multiple(ui: &mut Ui, settings: &mut Settings) {
    let label = ui.label("Channel multiple");
    ui.horizontal(|ui| {
        let mut own = settings.request.allocation.channel_multiple.is_some();
        if ui.checkbox(&mut own, "of my own").changed() {
            settings.request.allocation.channel_multiple = own.then_some(1);
        }
        if let Some(multiple) = &mut settings.request.allocation.channel_multiple {
            ui.add(DragValue::new(multiple).range(1..=1024)).labelled_by(label.id);
        }
    });
    ui.end_row();
}
