//! The data and the teacher, and what of the first examples is learnt: prompts grey, responses marked.

use std::path::PathBuf;

use eframe::egui::text::LayoutJob;
use eframe::egui::{self, RichText, ScrollArea, TextFormat, Ui};
use slimgpt::format::count;

use crate::findings::Lessons;
use crate::mail::Pick;
use crate::screens::Action;
use crate::theme::palette;
use crate::widgets::card::quiet;
use crate::widgets::trouble::{problem, remark};

/// Draws the files and the teacher.
pub fn ui(ui: &mut Ui, files: &mut Vec<PathBuf>, teacher: &mut Option<PathBuf>, can_change: bool) -> Option<Action> {
    let mut action = None;
    ui.horizontal_wrapped(|ui| {
        if ui.add_enabled(can_change, egui::Button::new("Choose data…")).clicked() {
            action = Some(Action::Pick(Pick::Lessons));
        }
        if ui.add_enabled(can_change, egui::Button::new("Choose a teacher…")).clicked() {
            action = Some(Action::Pick(Pick::Teacher));
        }
    });
    let mut gone = None;
    for (i, file) in files.iter().enumerate() {
        if named(ui, file, can_change) {
            gone = Some(i);
        }
    }
    // After the loop, which walks the list.
    gone.map(|i| files.remove(i));
    if teacher.as_ref().is_some_and(|folder| named(ui, folder, can_change)) {
        *teacher = None;
    }
    if files.is_empty() {
        remark(ui, "Rows of instruction and output, rows of messages, or plain text");
    }
    action
}

/// A file with a button that leaves it out.
fn named(ui: &mut Ui, path: &std::path::Path, can_change: bool) -> bool {
    let name = path.file_name().map_or("?".into(), |name| name.to_string_lossy().into_owned());
    ui.horizontal(|ui| {
        let leave = ui.add_enabled(can_change, egui::Button::new("×").small());
        ui.label(RichText::new(&name).color(palette(ui).accent)).on_hover_text(path.display().to_string());
        leave.on_hover_text(format!("Leave out {name}")).clicked()
    })
    .inner
}

/// Draws how much there is, and the first of it.
pub fn preview(ui: &mut Ui, lessons: &Result<Lessons, String>) {
    let lessons = match lessons {
        Ok(lessons) => lessons,
        Err(words) => return problem(ui, words),
    };
    let data = &lessons.data;
    quiet(
        ui,
        format!(
            "{} sequences to learn from with {} tokens that count, {} held out",
            count(data.learnt.len()),
            count(data.counted()),
            count(data.held_out.len())
        ),
    );
    data.notes.iter().for_each(|note| remark(ui, note));
    ScrollArea::vertical().id_salt("lessons").max_height(190.0).show(ui, |ui| {
        for example in &lessons.shown {
            marked(ui, example);
            ui.separator();
        }
    });
}

fn marked(ui: &mut Ui, example: &[(String, bool)]) {
    let p = palette(ui);
    let font = egui::TextStyle::Small.resolve(ui.style());
    let mut job = LayoutJob::default();
    for (text, is_learnt) in example {
        let mut format = TextFormat::simple(font.clone(), if *is_learnt { p.accent } else { p.quiet });
        if *is_learnt {
            // A line too, for whoever does not see the colour.
            format.underline = egui::Stroke::new(1.0, p.accent);
        }
        job.append(text, 0.0, format);
    }
    let words: String = example.iter().filter(|(_, is_learnt)| *is_learnt).map(|(text, _)| text.as_str()).collect();
    let label = ui.add(egui::Label::new(job).wrap());
    label.widget_info(|| egui::WidgetInfo::labeled(egui::accesskit::Role::Label, true, format!("is learnt: {words}")));
}
