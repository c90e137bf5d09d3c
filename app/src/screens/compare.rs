//! Compare: the dense model and the pruned one go on with the same prompt, side by side, and are
//! judged on the same text.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui::{self, DragValue, RichText, ScrollArea, Ui};
use slimgpt::shipped;

use super::{Action, Screen};
use crate::control::{Control, Wish};
use crate::findings::Heard;
use crate::mail::Pick;
use crate::model::Model;
use crate::theme::{GAP, palette};
use crate::widgets::card::{card, columns, figure, primary, quiet, title};
use crate::widgets::trouble::{problem, trouble};
use crate::work::compare::Writing;
use slimgpt::format::{bytes, count};

/// One of the two.
#[derive(Default)]
pub struct Side {
    /// The model, once its folder is read.
    pub model: Option<Arc<Model>>,
    text: String,
    tokens: usize,
    seconds: f64,
    writing: bool,
    measuring: Option<(usize, usize)>,
    perplexity: Option<Result<(f64, usize), String>>,
    failed: Option<String>,
}

/// The Compare screen: two models, a prompt and a text.
pub struct Compare {
    /// The dense model first, then the pruned one.
    pub sides: [Side; 2],
    /// The beginning that both go on with.
    pub prompt: String,
    /// The text to judge by; without it the one that comes with the program.
    pub text: Option<PathBuf>,
    /// To stop the writing. What both are at now is told by it from what they were at before.
    pub control: Control,
    /// The folder of the pruned model that is being read.
    pub opening: Option<PathBuf>,
    failed: Option<String>,
    tokens: usize,
    temperature: f64,
}

impl Default for Compare {
    fn default() -> Self {
        Self {
            sides: Default::default(),
            prompt: shipped::PROMPT.into(),
            text: None,
            control: Control::default(),
            opening: None,
            failed: None,
            tokens: 96,
            // The likeliest tokens, so that the two texts differ by the weights alone.
            temperature: 0.0,
        }
    }
}

impl Compare {
    /// The dense model is another one.
    pub fn dense(&mut self, model: Arc<Model>) {
        self.replace(0, model);
    }

    /// The folder of the pruned model was read, or could not be.
    pub fn opened(&mut self, folder: &Path, model: Result<Arc<Model>, String>) {
        // Another one may have been chosen since.
        if self.opening.take_if(|of| of.as_path() == folder).is_none() {
            return;
        }
        match model {
            Ok(model) => self.replace(1, model),
            Err(words) => self.failed = Some(words),
        }
    }

    fn replace(&mut self, side: usize, model: Arc<Model>) {
        self.hush();
        // What was written and measured before was another model's.
        self.sides[side] = Side { model: Some(model), ..Side::default() };
    }

    /// Another text is judged by.
    pub fn judge_by(&mut self, text: PathBuf) {
        self.text = Some(text);
        if self.sides.iter().any(|side| side.measuring.is_some()) {
            self.hush();
        }
        // What was measured before was on another text.
        self.sides.iter_mut().for_each(|side| side.perplexity = None);
    }

    /// What both are at compares nothing any more, and nobody waits for it.
    fn hush(&mut self) {
        self.control.set(Wish::Stop);
        self.control = Control::default();
        self.sides.iter_mut().for_each(|side| (side.writing, side.measuring) = (false, None));
    }

    /// Takes note of what a side says.
    pub fn note(&mut self, of: &Control, side: usize, heard: Heard) {
        // What is left of an earlier comparison may still arrive.
        if *of == self.control {
            self.sides[side].note(heard);
        }
    }

    /// Whether something is written or measured.
    pub fn is_at_work(&self) -> bool {
        self.sides.iter().any(|side| side.writing || side.measuring.is_some())
    }

    /// Both models, if both are there.
    pub fn models(&self) -> Option<[Arc<Model>; 2]> {
        Some([self.sides[0].model.clone()?, self.sides[1].model.clone()?])
    }

    /// What both are to write, from now on.
    pub fn begin(&mut self, device: slimgpt::device::DeviceChoice) -> Writing {
        // A stop is for good, so every writing has a control of its own.
        self.control = Control::default();
        self.sides.iter_mut().for_each(Side::begin);
        let (prompt, tokens, temperature) = (self.prompt.clone(), self.tokens, self.temperature);
        Writing { prompt, tokens, temperature, device, control: self.control.clone() }
    }

    /// Both are being measured, from now on.
    pub fn measure(&mut self) -> Control {
        self.control = Control::default();
        for side in &mut self.sides {
            // Nothing of one step, until the first true count arrives.
            (side.perplexity, side.measuring) = (None, Some((0, 1)));
        }
        self.control.clone()
    }

    /// Draws the screen; returns what is wanted.
    pub fn ui(&mut self, ui: &mut Ui) -> Option<Action> {
        title(
            ui,
            "Compare",
            "The same prompt and the same text for both models. They take turns, so the times are their own.",
        );
        if let Some(words) = &self.failed
            && trouble(ui, "The pruned model cannot be used", words)
        {
            self.failed = None;
        }
        let mut action = card(ui, "", |ui| self.prompt(ui));
        ui.add_space(GAP);
        columns(ui, 340.0, 2, |i, ui| {
            let name = if i == 0 { "Dense" } else { "Pruned" };
            let opening = self.opening.is_some() && i == 1;
            action = card(ui, name, |ui| self.sides[i].ui(ui, i, opening)).or(action.take());
        });
        action
    }

    fn prompt(&mut self, ui: &mut Ui) -> Option<Action> {
        let mut action = None;
        let label = ui.label("Prompt");
        ui.add(egui::TextEdit::multiline(&mut self.prompt).desired_rows(2).desired_width(f32::INFINITY))
            .labelled_by(label.id);
        let writing = self.sides.iter().any(|s| s.writing);
        let measuring = self.sides.iter().any(|s| s.measuring.is_some());
        let ready = self.models().is_some() && !measuring;
        ui.horizontal_wrapped(|ui| {
            if writing && ui.button("Be silent").clicked() {
                action = Some(Action::Silence);
            }
            if !writing && primary(ui, "Go on with it", ready).clicked() {
                action = Some(Action::Write);
            }
            let label = ui.label("tokens");
            ui.add(DragValue::new(&mut self.tokens).range(1..=4096)).labelled_by(label.id);
            let label = ui.label("temperature");
            ui.add(DragValue::new(&mut self.temperature).range(0.0..=2.0).speed(0.02)).labelled_by(label.id);
            ui.separator();
            if ui.add_enabled(ready && !writing, egui::Button::new("Measure perplexity")).clicked() {
                action = Some(Action::Measure);
            }
            if ui.button("Choose a text…").clicked() {
                action = Some(Action::Pick(Pick::Evaluation));
            }
            let name = self.text.as_ref().and_then(|f| f.file_name()).map(|n| n.to_string_lossy().into_owned());
            quiet(ui, name.map_or("on the text that comes with the program".into(), |n| format!("on {n}")));
        });
        action
    }
}

impl Side {
    fn begin(&mut self) {
        (self.text, self.tokens, self.seconds, self.writing, self.failed) = (String::new(), 0, 0.0, true, None);
    }

    fn note(&mut self, heard: Heard) {
        match heard {
            Heard::Text(text, tokens, seconds) => (self.text, self.tokens, self.seconds) = (text, tokens, seconds),
            Heard::Silent(result) => (self.writing, self.failed) = (false, result.err()),
            Heard::Measuring(done, total) => self.measuring = Some((done, total)),
            Heard::Perplexity(found) => (self.measuring, self.perplexity) = (None, Some(found)),
        }
    }

    fn ui(&self, ui: &mut Ui, index: usize, opening: bool) -> Option<Action> {
        let p = palette(ui);
        let action = self.who(ui, index, opening);
        quiet(ui, self.words());
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 34.0;
            let rate =
                if self.seconds > 0.0 { format!("{:.0}", self.tokens as f64 / self.seconds) } else { "-".into() };
            figure(ui, &rate, "tokens a second");
            let (value, what) = self.judged();
            figure(ui, &value, &what);
        });
        self.failed.iter().for_each(|words| problem(ui, words));
        if let Some(Err(words)) = &self.perplexity {
            problem(ui, words);
        }
        // Each side scrolls by itself.
        ScrollArea::vertical().id_salt(("said", index)).max_height(340.0).min_scrolled_height(180.0).show(ui, |ui| {
            ui.set_min_size(egui::vec2(ui.available_width(), 150.0));
            let text = if self.text.is_empty() { "What it makes of the prompt appears here." } else { &self.text };
            let ink = if self.text.is_empty() { p.quiet } else { ui.visuals().text_color() };
            ui.add(egui::Label::new(RichText::new(text).color(ink)).wrap().selectable(true));
        });
        action
    }

    /// The model, and the way to another one.
    fn who(&self, ui: &mut Ui, index: usize, opening: bool) -> Option<Action> {
        ui.horizontal(|ui| {
            let mut action = None;
            if index == 1 && ui.button("Choose a folder…").clicked() {
                action = Some(Action::Pick(Pick::Compare));
            } else if index == 0 && ui.button("Choose a model…").clicked() {
                action = Some(Action::Show(Screen::Start));
            }
            if opening {
                ui.spinner();
            }
            let name = self.model.as_ref().map_or("None yet".into(), |m| m.name());
            ui.add(egui::Label::new(name).truncate());
            action
        })
        .inner
    }

    fn words(&self) -> String {
        let Some(model) = &self.model else { return "Parameters and size are shown here.".into() };
        let size = model.checkpoint.config().parameters();
        let stored = model.checkpoint.bytes();
        format!("{} parameters, {}", count(size), bytes(stored))
    }

    fn judged(&self) -> (String, String) {
        match (&self.measuring, &self.perplexity) {
            (Some((done, total)), _) => {
                (format!("{:.0} %", 100.0 * *done as f64 / (*total).max(1) as f64), "measuring perplexity".into())
            }
            (None, Some(Ok((perplexity, tokens)))) => {
                (format!("{perplexity:.3}"), format!("perplexity over {} tokens", count(*tokens)))
            }
            _ => ("-".into(), "perplexity".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use slimgpt::device::DeviceChoice;

    use super::*;

    fn model() -> Arc<Model> {
        Arc::new(Model::shipped_in_memory().unwrap())
    }

    fn both() -> Compare {
        let mut compare = Compare { opening: Some("pruned".into()), ..Compare::default() };
        compare.dense(model());
        compare.opened(Path::new("pruned"), Ok(model()));
        compare
    }

    #[test]
    fn a_folder_that_was_chosen_earlier_and_arrives_later_is_not_taken() {
        let mut compare = Compare { opening: Some("second".into()), ..Compare::default() };
        let (first, second) = (model(), model());
        compare.opened(Path::new("first"), Ok(first.clone()));
        assert!(compare.sides[1].model.is_none() && compare.opening.is_some());
        compare.opened(Path::new("second"), Ok(second.clone()));
        compare.opened(Path::new("first"), Ok(first));
        assert!(compare.sides[1].model.as_ref().is_some_and(|shown| Arc::ptr_eq(shown, &second)));
    }

    #[test]
    fn what_a_replaced_model_writes_is_not_credited_to_the_new_one() {
        let mut compare = both();
        let writing = compare.begin(DeviceChoice::Cpu);
        compare.note(&writing.control, 0, Heard::Text("once".into(), 1, 0.5));
        assert_eq!(compare.sides[0].text, "once");
        compare.dense(model());
        assert!(writing.control.wish() == Wish::Stop && !compare.is_at_work());
        for heard in [Heard::Text("once upon".into(), 2, 1.0), Heard::Silent(Err("it was stopped".into()))] {
            compare.note(&writing.control, 0, heard);
        }
        assert!(compare.sides[0].text.is_empty() && compare.sides[0].failed.is_none());
    }

    #[test]
    fn a_perplexity_is_of_the_text_that_is_named_beside_it() {
        let mut compare = both();
        let of = compare.measure();
        compare.note(&of, 0, Heard::Perplexity(Ok((3.0, 10))));
        compare.judge_by("other.txt".into());
        compare.note(&of, 1, Heard::Perplexity(Ok((4.0, 10))));
        assert!(compare.sides.iter().all(|side| side.perplexity.is_none() && side.measuring.is_none()));
    }
}
