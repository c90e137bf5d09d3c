//! Step by step: one pruning of one linear layer, cell by cell. A widget that stands alone: it
//! needs a `Ui` and nothing else; a host may hand it traces of other layers.

mod draw;
mod toy;

use std::sync::Arc;

use eframe::egui::{Key, Slider, Ui};
use slimgpt::obs::trace::Trace;
use slimgpt::shape::Site;

use crate::findings::Wanted;
use crate::model::Model;
use crate::theme::GAP;
use crate::widgets::card::{card, quiet};
use crate::widgets::trouble::problem;
use crate::work::layer::WIDEST;
pub use toy::Toy;

/// Seconds that a step is shown while playing.
const PACE: f64 = 1.6;

/// The widget: a trace, and the place in it that is shown.
pub struct Steps {
    /// The model whose layers can be looked at.
    pub model: Option<Arc<Model>>,
    /// Whether a trace is being made.
    pub tracing: bool,
    toy: Toy,
    /// What is looked at; nothing until the trace of a layer is there.
    shown: Option<Result<Box<Trace>, String>>,
    of_layer: Option<Wanted>,
    wanted: Wanted,
    source: Source,
    at: Position,
    playing_since: Option<f64>,
    /// The column under the pointer, lit in every matrix.
    lit: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Toy,
    Layer,
}

/// Where in the trace one is: a removal, and its phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The removal, counted from 0.
    pub step: usize,
    /// What is shown of it.
    pub phase: Phase,
}

/// What is shown of a removal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// The scores of what could go.
    #[default]
    Score,
    /// What goes, and what that adds to the others.
    Compensate,
}

impl Position {
    fn next(self, steps: usize) -> Self {
        match self.phase {
            Phase::Score => Self { phase: Phase::Compensate, ..self },
            Phase::Compensate if self.step + 1 < steps => Self { step: self.step + 1, phase: Phase::Score },
            Phase::Compensate => self,
        }
    }

    fn back(self) -> Self {
        match self.phase {
            Phase::Compensate => Self { phase: Phase::Score, ..self },
            Phase::Score if self.step > 0 => Self { step: self.step - 1, phase: Phase::Compensate },
            Phase::Score => self,
        }
    }
}

impl Default for Steps {
    fn default() -> Self {
        let toy = Toy::default();
        let wanted = Wanted { layer: 0, site: Site::Channels, remove: 6, damping: 0.01 };
        Self {
            model: None,
            tracing: false,
            shown: Some(toy.trace().map(Box::new)),
            toy,
            of_layer: None,
            wanted,
            source: Source::Toy,
            at: Position::default(),
            playing_since: None,
            lit: None,
        }
    }
}

impl Steps {
    /// Another model's layers can be looked at.
    pub fn open(&mut self, model: Arc<Model>) {
        (self.model, self.of_layer) = (Some(model), None);
        // The model may have fewer layers than the one before.
        self.wanted.layer = 0;
        // A model that is opened meanwhile must not leave a layer of the last one on the screen.
        if self.source == Source::Layer {
            self.show_toy();
        }
    }

    /// A trace that was asked for.
    pub fn traced(&mut self, of: &Arc<Model>, wanted: Wanted, trace: Result<Box<Trace>, String>) {
        self.tracing = false;
        // Another model may be open by now; and who went back to the toy does not want it any more.
        let is_open = self.model.as_ref().is_some_and(|model| Arc::ptr_eq(model, of));
        if is_open && self.of_layer == Some(wanted) {
            (self.shown, self.at, self.lit) = (Some(trace), Position::default(), None);
        }
    }

    /// The removal and the phase that are shown.
    pub fn position(&self) -> Position {
        self.at
    }

    /// Draws it; returns the layer that should be traced, if another one is wanted.
    pub fn ui(&mut self, ui: &mut Ui) -> Option<Wanted> {
        self.controls(ui);
        ui.add_space(GAP);
        match &self.shown {
            None => {}
            Some(Err(words)) => problem(ui, words),
            Some(Ok(trace)) => {
                let (at, count) = (self.at, trace.steps.len());
                self.lit = draw::ui(ui, trace, at, self.lit);
                self.keys(ui, count);
                self.play(ui, count);
            }
        }
        self.wanted()
    }

    fn controls(&mut self, ui: &mut Ui) {
        card(ui, "", |ui| {
            let count = self.shown.iter().flatten().next().map_or(0, |trace| trace.steps.len());
            self.choose(ui);
            match self.source {
                Source::Toy => self.sliders(ui),
                Source::Layer => self.layer(ui),
            }
            self.buttons(ui, count);
        });
    }

    fn choose(&mut self, ui: &mut Ui) {
        let before = self.source;
        ui.horizontal_wrapped(|ui| {
            ui.selectable_value(&mut self.source, Source::Toy, "8 × 8 toy");
            let usable = self.model.as_ref().is_some_and(|m| fits(m));
            ui.add_enabled_ui(usable, |ui| {
                ui.selectable_value(&mut self.source, Source::Layer, "A layer of the open model");
            });
            if self.model.is_none() {
                quiet(ui, "Open a model to look at its layers.");
            } else if !usable {
                quiet(
                    ui,
                    format!("The open model has layers wider than {WIDEST}; their cells could not be told apart."),
                );
            }
        });
        if before != self.source {
            match self.source {
                Source::Toy => self.show_toy(),
                // Until its trace is there the toy's would be taken for it.
                Source::Layer => (self.shown, self.of_layer) = (None, None),
            }
        }
    }

    fn show_toy(&mut self) {
        self.source = Source::Toy;
        (self.shown, self.at, self.of_layer) = (Some(self.toy.trace().map(Box::new)), Position::default(), None);
    }

    fn sliders(&mut self, ui: &mut Ui) {
        let before = self.toy;
        row(ui, 920.0, |ui| {
            ui.spacing_mut().slider_width = 112.0;
            ui.add(
                Slider::new(&mut self.toy.correlation, 0.0..=0.98).fixed_decimals(2).text("correlation of the inputs"),
            );
            ui.add(Slider::new(&mut self.toy.damping, 0.0001..=1.0).logarithmic(true).text("damping"));
            ui.add(Slider::new(&mut self.toy.remove, 1..=7).text("columns to remove"));
            if ui.button("Other numbers").clicked() {
                self.toy.seed += 1;
            }
        });
        if before != self.toy {
            self.shown = Some(self.toy.trace().map(Box::new));
            // With fewer removals the place may lie behind the end.
            self.at.step = self.at.step.min(self.toy.remove - 1);
        }
    }

    fn layer(&mut self, ui: &mut Ui) {
        let Some(model) = &self.model else { return };
        let config = model.checkpoint.config();
        row(ui, 780.0, |ui| {
            ui.spacing_mut().slider_width = 120.0;
            ui.add(Slider::new(&mut self.wanted.layer, 0..=config.layers.len() - 1).text("layer"));
            ui.selectable_value(&mut self.wanted.site, Site::Heads, "Heads (o_proj)");
            ui.selectable_value(&mut self.wanted.site, Site::Channels, "Channels (down_proj)");
            let shape = config.layers[self.wanted.layer];
            let most = match self.wanted.site {
                // One unit has to stay.
                Site::Heads => shape.kv_heads.saturating_sub(1).max(1),
                // A trace keeps W and H⁻¹ after every removal: 4 MiB each time in the widest layer.
                Site::Channels => 16.min(shape.channels - 1),
            };
            self.wanted.remove = self.wanted.remove.min(most);
            ui.add(Slider::new(&mut self.wanted.remove, 1..=most).text("to remove"));
            if self.tracing {
                ui.spinner();
            }
        });
    }

    fn buttons(&mut self, ui: &mut Ui, count: usize) {
        ui.horizontal_wrapped(|ui| {
            if ui.button("← Back").clicked() {
                self.step(Position::back);
            }
            if ui.button("Next →").clicked() {
                self.step(|at| at.next(count));
            }
            let playing = self.playing_since.is_some();
            if ui.button(if playing { "Halt" } else { "Play" }).clicked() {
                self.playing_since = (!playing).then(|| ui.input(|i| i.time));
                // Played from the end, it begins again.
                if !playing && self.at == self.at.next(count) {
                    self.at = Position::default();
                }
            }
            if ui.button("To the beginning").clicked() {
                self.step(|_| Position::default());
            }
            if count > 0 {
                quiet(ui, format!("Removal {} of {count}. The arrow keys step too.", self.at.step + 1));
            }
        });
    }

    fn step(&mut self, to: impl Fn(Position) -> Position) {
        // A step by hand ends the playing.
        (self.at, self.playing_since) = (to(self.at), None);
    }

    fn keys(&mut self, ui: &Ui, count: usize) {
        // A slider or a field that has the focus wants the arrows for itself.
        if ui.memory(|m| m.focused().is_some()) {
            return;
        }
        if ui.input(|i| i.key_pressed(Key::ArrowRight)) {
            self.step(|at| at.next(count));
        }
        if ui.input(|i| i.key_pressed(Key::ArrowLeft)) {
            self.step(Position::back);
        }
    }

    fn play(&mut self, ui: &Ui, count: usize) {
        let Some(since) = self.playing_since else { return };
        let now = ui.input(|i| i.time);
        if now - since >= PACE {
            let next = self.at.next(count);
            self.playing_since = (next != self.at).then_some(now);
            self.at = next;
        }
        // Nothing is drawn without a reason, and time alone is none.
        ui.ctx().request_repaint_after(std::time::Duration::from_millis(200));
    }

    fn wanted(&mut self) -> Option<Wanted> {
        let other = self.source == Source::Layer && self.of_layer != Some(self.wanted) && !self.tracing;
        other.then(|| {
            // Noted before the trace is there, so that it is not asked for in the next frame again.
            (self.of_layer, self.tracing) = (Some(self.wanted), true);
            self.wanted
        })
    }
}

/// Controls side by side, which takes `least` points; one below the other where there is less. A
/// slider does not know its width before it is drawn, so a row of them does not wrap by itself.
fn row(ui: &mut Ui, least: f32, controls: impl FnOnce(&mut Ui)) {
    match ui.available_width() < least {
        true => ui.vertical(controls),
        false => ui.horizontal_wrapped(controls),
    };
}

fn fits(model: &Model) -> bool {
    let config = model.checkpoint.config();
    let widest = config.layers.iter().map(|l| l.channels.max(l.heads * config.head_dim)).max();
    config.hidden_size <= WIDEST && widest.is_some_and(|w| w <= WIDEST) && model.tokenizer.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_of_another_model_is_not_shown_as_one_of_this() {
        let model = || Arc::new(Model::shipped_in_memory().unwrap());
        let trace = || Toy::default().trace().map(Box::new);
        let (old, new) = (model(), model());
        let mut steps = Steps::default();
        let choose = |steps: &mut Steps, model: &Arc<Model>| {
            steps.open(model.clone());
            (steps.source, steps.shown) = (Source::Layer, None);
            steps.wanted()
        };
        let wanted = choose(&mut steps, &old).expect("a trace is asked for");
        assert_eq!(choose(&mut steps, &new), None, "one at a time");
        steps.traced(&old, wanted, trace());
        assert!(steps.shown.is_none());
        let wanted = steps.wanted().expect("a trace of the new one is asked for");
        steps.traced(&new, wanted, trace());
        assert!(steps.shown.is_some());
    }

    #[test]
    fn forward_and_back_meet() {
        let mut at = Position::default();
        let mut seen = Vec::new();
        for _ in 0..6 {
            seen.push(at);
            at = at.next(3);
        }
        assert_eq!(at, at.next(3), "the end is the end");
        for expected in seen.iter().rev() {
            assert_eq!(at, *expected);
            at = at.back();
        }
        assert_eq!(at, Position::default());
    }
}
