//! The rail on the left: screens, the open model, light and dark.

use eframe::egui::{
    self, Align, Button, Frame, Key, Layout, Margin, Modifiers, Panel, RichText, Stroke, ThemePreference, Ui, vec2,
};

use super::App;
use crate::saved::Look;
use crate::screens::{Action, Screen};
use crate::theme::palette;

const WIDTH: f32 = 172.0;

/// Draws it; returns the screen that was chosen.
pub(super) fn ui(ui: &mut Ui, app: &mut App) -> Option<Action> {
    let p = palette(ui);
    let frame = Frame::new().fill(p.card).inner_margin(Margin::symmetric(12, 16));
    let panel = Panel::left("rail").resizable(false).exact_size(WIDTH).frame(frame);
    let mut action = shortcut(ui);
    panel.show(ui, |ui| {
        ui.label(RichText::new("slimgpt").size(20.0).strong().color(p.accent));
        ui.add_space(12.0);
        ui.spacing_mut().item_spacing.y = 4.0;
        for &screen in Screen::ALL {
            if entry(ui, app, screen) {
                action = Some(Action::Show(screen));
            }
        }
        // From below: what is added first stands lowest.
        ui.with_layout(Layout::bottom_up(Align::Min), |ui| {
            looks(ui, app);
            ui.add_space(6.0);
            if let Some(model) = &app.start.model {
                ui.add(egui::Label::new(RichText::new(model.name()).small().strong()).truncate());
                ui.label(RichText::new("Open model").small().color(p.quiet));
            }
        });
    });
    action
}

fn entry(ui: &mut Ui, app: &App, screen: Screen) -> bool {
    let p = palette(ui);
    let chosen = app.saved.screen == screen;
    let name = RichText::new(screen.name());
    let name = if chosen { name.strong().color(p.accent) } else { name };
    let fill = if chosen { p.accent.gamma_multiply(0.16) } else { p.card };
    let width = ui.available_width();
    let button = Button::new((name, egui::Atom::grow())).fill(fill).stroke(Stroke::NONE).min_size(vec2(width, 34.0));
    let response = ui.add(button);
    if app.is_at_work(screen) {
        let dot = response.rect.right_center() - vec2(12.0, 0.0);
        ui.painter().circle_filled(dot, 4.0, p.accent);
        ui.ctx().request_repaint_after(std::time::Duration::from_millis(250));
    }
    response.clicked()
}

/// Ctrl and a digit.
fn shortcut(ui: &Ui) -> Option<Action> {
    let keys = [Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6, Key::Num7];
    let keys = &keys[..Screen::ALL.len()];
    // Consumed, so that no field sees the key. COMMAND is Ctrl, and Cmd on a Mac.
    let pressed = keys.iter().position(|&key| ui.input_mut(|i| i.consume_key(Modifiers::COMMAND, key)))?;
    Some(Action::Show(Screen::ALL[pressed]))
}

fn looks(ui: &mut Ui, app: &mut App) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 3.0;
        ui.spacing_mut().button_padding.x = 7.0;
        for (of, name) in [(Look::System, "Auto"), (Look::Light, "Light"), (Look::Dark, "Dark")] {
            if ui.selectable_label(app.saved.look == of, RichText::new(name).small()).clicked() {
                app.saved.look = of;
                look(ui.ctx(), of);
            }
        }
    });
}

/// Sets light or dark.
pub(super) fn look(ctx: &egui::Context, look: Look) {
    ctx.set_theme(match look {
        Look::System => ThemePreference::System,
        Look::Light => ThemePreference::Light,
        Look::Dark => ThemePreference::Dark,
    });
}
