//! Cards, lines of facts, buttons: the few shapes that every screen is made of.

use eframe::egui::{self, Align, Button, Frame, Layout, Margin, Response, RichText, Stroke, Ui, vec2};

use crate::theme::palette;

/// A titled card as wide as the room.
pub fn card<R>(ui: &mut Ui, title: &str, contents: impl FnOnce(&mut Ui) -> R) -> R {
    let p = palette(ui);
    let frame =
        Frame::new().fill(p.card).stroke(Stroke::new(1.0, p.line)).corner_radius(10).inner_margin(Margin::same(16));
    let inner = frame.show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        if !title.is_empty() {
            ui.label(RichText::new(title).size(16.0).strong());
            ui.add_space(2.0);
        }
        contents(ui)
    });
    inner.inner
}

/// The title of a screen, and a sentence about it.
pub fn title(ui: &mut Ui, name: &str, about: &str) {
    ui.label(RichText::new(name).heading().strong());
    ui.add(egui::Label::new(RichText::new(about).color(palette(ui).quiet)).wrap());
    ui.add_space(4.0);
}

/// Names and values in two columns.
pub fn facts<'a>(ui: &mut Ui, id: &str, facts: impl IntoIterator<Item = (&'a str, String)>) {
    egui::Grid::new(id).num_columns(2).spacing(vec2(18.0, 7.0)).min_col_width(92.0).min_row_height(20.0).show(
        ui,
        |ui| {
            for (name, value) in facts {
                ui.label(RichText::new(name).color(palette(ui).quiet));
                ui.add(egui::Label::new(value).wrap());
                ui.end_row();
            }
        },
    );
}

/// The one button of a screen that goes on.
pub fn primary(ui: &mut Ui, text: &str, enabled: bool) -> Response {
    let p = palette(ui);
    let button = Button::new(RichText::new(text).color(p.on_accent).strong()).fill(p.accent).min_size(vec2(0.0, 32.0));
    ui.add_enabled(enabled, button)
}

/// Quiet text that wraps.
pub fn quiet(ui: &mut Ui, text: impl Into<String>) -> Response {
    ui.add(egui::Label::new(RichText::new(text.into()).color(palette(ui).quiet)).wrap())
}

/// A number that matters, large, above what it is.
pub fn figure(ui: &mut Ui, value: &str, what: &str) {
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        ui.label(RichText::new(value).size(20.0).strong());
        ui.label(RichText::new(what).small().color(palette(ui).quiet));
    });
}

/// Columns of equal width with a gap between them; one below the other where there is no room.
pub fn columns(ui: &mut Ui, least: f32, count: usize, mut column: impl FnMut(usize, &mut Ui)) {
    let gap = crate::theme::GAP;
    if ui.available_width() < least * count as f32 + gap {
        (0..count).for_each(|i| {
            column(i, ui);
            ui.add_space(gap / 2.0);
        });
        return;
    }
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.x = gap;
        ui.columns(count, |columns| {
            for (i, ui) in columns.iter_mut().enumerate() {
                // The gap is for between the columns; inside of them the theme's distance holds.
                ui.spacing_mut().item_spacing.x = 9.0;
                // Columns of egui stretch every button to their width.
                ui.with_layout(Layout::top_down(Align::Min), |ui| column(i, ui));
            }
        });
    });
}
