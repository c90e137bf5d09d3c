//! What went wrong, in a panel that can be read and copied; and what is only to be known or still to
//! be chosen, which is no trouble and has no colour of one.

use eframe::egui::{Frame, Label, Margin, RichText, Stroke, Ui};

use crate::theme::palette;

/// Shows a message; returns whether it was put away.
pub fn trouble(ui: &mut Ui, title: &str, words: &str) -> bool {
    let p = palette(ui);
    let frame = Frame::new()
        .fill(p.error_ground)
        .stroke(Stroke::new(1.0, p.error))
        .corner_radius(10)
        .inner_margin(Margin::same(14));
    let shown = frame.show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        ui.label(RichText::new(title).strong().color(p.error));
        ui.add(Label::new(sentence(words)).wrap().selectable(true));
        ui.horizontal(|ui| {
            if ui.button("Copy message").clicked() {
                ui.ctx().copy_text(format!("{title}\n{words}"));
            }
            ui.button("Dismiss").clicked()
        })
        .inner
    });
    shown.inner
}

/// A problem where it arises, without buttons.
pub fn problem(ui: &mut Ui, words: &str) {
    let p = palette(ui);
    let frame = Frame::new().fill(p.error_ground).corner_radius(6).inner_margin(Margin::symmetric(10, 7));
    frame.show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        ui.add(Label::new(RichText::new(sentence(words)).color(p.error)).wrap().selectable(true));
    });
}

/// What is still missing, or worth knowing: nothing is wrong.
pub fn remark(ui: &mut Ui, words: &str) {
    let p = palette(ui);
    let frame = Frame::new().fill(p.ground).corner_radius(6).inner_margin(Margin::symmetric(10, 7));
    frame.show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        ui.add(Label::new(sentence(words)).wrap().selectable(true));
    });
}

/// With a capital and a full stop, as a person would write it.
pub fn sentence(words: &str) -> String {
    let text = words.trim();
    let mut letters = text.chars();
    // A path keeps its first letter.
    let first = letters.next().map_or(String::new(), |c| match text.starts_with(['/', '.', '~']) {
        true => c.to_string(),
        false => c.to_uppercase().collect(),
    });
    let end = if text.ends_with(['.', '!', '?', '"']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_a_sentence() {
        assert_eq!(sentence("use fewer windows"), "Use fewer windows.");
        assert_eq!(sentence("/tmp/x is no model"), "/tmp/x is no model.");
        assert_eq!(sentence("damping NaN is wrong."), "Damping NaN is wrong.");
    }
}
