//! The buttons of work that goes on: pause, go on, stop.

use eframe::egui::{Button, Ui};

use super::card::primary;
use crate::control::{Control, Wish};

/// Draws them side by side; returns what is wished. `stop` is the name of the button that ends the work, `kept` what
/// stays then.
pub fn wishes(ui: &mut Ui, control: &Control, stop: &str, kept: &str) -> Option<Wish> {
    let mut wish = None;
    let now = control.wish();
    let paused = now == Wish::Pause;
    // A stop is heard at the next event; until then there is nothing else to wish for.
    let stopping = now == Wish::Stop;
    if !paused && ui.add_enabled(!stopping, Button::new("Pause")).clicked() {
        wish = Some(Wish::Pause);
    }
    if paused && primary(ui, "Go on", true).clicked() {
        wish = Some(Wish::Run);
    }
    if ui.add_enabled(!stopping, Button::new(stop)).on_hover_text(kept).clicked() {
        wish = Some(Wish::Stop);
    }
    wish
}
