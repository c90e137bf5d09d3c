//! What is learnt, how fast and for how long.

use eframe::egui::{self, ComboBox, DragValue, Ui};
use slimgpt::names::Named;
use slimgpt::recover::{Counted, Length, Settings, Train};

/// Draws the settings.
pub fn ui(ui: &mut Ui, settings: &mut Settings, has_teacher: bool) {
    // Without a teacher its share must be none, or that part of the loss would be missing.
    settings.teacher = match has_teacher {
        // A teacher that was just chosen.
        true if settings.teacher == 0.0 => Settings::TEACHER_SHARE,
        true => settings.teacher,
        false => 0.0,
    };
    ui.horizontal_wrapped(|ui| {
        let label = ui.label("Learn");
        let chosen = ComboBox::from_id_salt("train").selected_text(settings.train.name()).show_ui(ui, |ui| {
            for &train in Train::all() {
                ui.selectable_value(&mut settings.train, train, train.name()).on_hover_text(train.about());
            }
        });
        chosen.response.labelled_by(label.id);
        if settings.train == Train::Lora {
            let label = ui.label("rank");
            ui.add(DragValue::new(&mut settings.rank).range(1..=256)).labelled_by(label.id);
        }
        let mut all = settings.counted == Counted::All;
        ui.checkbox(&mut all, "from prompts too");
        settings.counted = if all { Counted::All } else { Counted::Response };
    });
    ui.horizontal_wrapped(|ui| {
        let label = ui.label("Rate");
        ui.add(DragValue::new(&mut settings.rate).range(1e-7..=1.0).speed(1e-5).max_decimals(7)).labelled_by(label.id);
        length(ui, &mut settings.length);
        let label = ui.label("of");
        ui.add(DragValue::new(&mut settings.batch).range(1..=4096)).labelled_by(label.id);
        let label = ui.label("sequences of");
        ui.add(DragValue::new(&mut settings.window).range(2..=1 << 20)).labelled_by(label.id);
        ui.label("tokens");
    });
    if has_teacher {
        ui.horizontal_wrapped(|ui| {
            let label = ui.label("The teacher counts");
            ui.add(egui::Slider::new(&mut settings.teacher, 0.05..=1.0)).labelled_by(label.id);
        });
    }
}

fn length(ui: &mut Ui, length: &mut Length) {
    let mut by_steps = matches!(length, Length::Steps(_));
    ui.checkbox(&mut by_steps, "by steps");
    match (by_steps, &mut *length) {
        (true, Length::Steps(steps)) => {
            let label = ui.label("steps");
            ui.add(DragValue::new(steps).range(1..=1_000_000)).labelled_by(label.id);
        }
        (false, Length::Epochs(epochs)) => {
            let label = ui.label("epochs");
            ui.add(DragValue::new(epochs).range(0.01..=100.0).speed(0.05)).labelled_by(label.id);
        }
        (true, other) => *other = Length::Steps(300),
        (false, other) => *other = Length::Epochs(1.0),
    }
}
