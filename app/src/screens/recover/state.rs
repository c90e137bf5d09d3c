//! How it goes: the way to begin, the steps and what is left of them, and the way on.

use eframe::egui::{self, ProgressBar, Ui};
use slimgpt::format::{seconds, whole_seconds};
use slimgpt::recover::Record;

use super::{Phase, Recover};
use crate::control::Wish;
use crate::screens::Action;
use crate::theme::{GAP, palette};
use crate::widgets::card::{card, figure, primary, quiet};
use crate::widgets::trouble::trouble;
use crate::widgets::wishes::wishes;

impl Recover {
    pub(super) fn state_card(&mut self, ui: &mut Ui) -> Option<Action> {
        match &self.phase {
            Phase::Idle => card(ui, "Nothing is learnt yet", |ui| self.begin_button(ui, "Start learning")),
            Phase::Stopped(done, steps) => card(ui, "Stopped", |ui| {
                quiet(ui, format!("{done} of {steps} steps are done and kept. It goes on from there."));
                self.begin_button(ui, "Go on")
            }),
            Phase::Failed(words) => {
                trouble(ui, "The recovery failed", words);
                ui.add_space(GAP);
                card(ui, "", |ui| self.begin_button(ui, "Try again"))
            }
            Phase::Going => card(ui, "", |ui| self.going(ui)),
            Phase::Finished(record) => card(ui, "Finished", |ui| self.finished(ui, record)),
        }
    }

    fn begin_button(&self, ui: &mut Ui, text: &str) -> Option<Action> {
        let ready = self.is_ready();
        if self.asked().is_none() {
            quiet(ui, "It needs a model and something to learn from.");
        } else if !ready {
            quiet(ui, "What it learns from is not ready yet.");
        }
        primary(ui, text, ready).clicked().then_some(Action::BeginRecovery)
    }

    fn going(&self, ui: &mut Ui) -> Option<Action> {
        let p = palette(ui);
        let paused = self.control.wish() == Wish::Pause;
        let done = self.steps.last().map_or(0, |step| step.step);
        ui.label(match (paused, self.all) {
            (true, _) => format!("Paused after step {done} of {}", self.all),
            (false, 0) => "Opening the device and the output folder".to_owned(),
            (false, all) => format!("Step {} of {all}", done + 1),
        });
        let share = done as f32 / self.all.max(1) as f32;
        let bar = ui.add(ProgressBar::new(share).fill(p.accent).desired_height(12.0));
        bar.widget_info(|| {
            let words = format!("{:.0} percent done", 100.0 * share);
            egui::WidgetInfo::labeled(egui::accesskit::Role::ProgressIndicator, true, words)
        });
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 34.0;
            let loss = self.steps.last().map_or("-".into(), |step| format!("{:.4}", step.loss));
            figure(ui, &loss, "loss");
            figure(ui, &self.left(done).map_or("-".into(), seconds), "left");
            figure(ui, &whole_seconds(self.second), "since the beginning");
        });
        self.buttons(ui)
    }

    /// Seconds left at the mean rate of this session.
    fn left(&self, done: usize) -> Option<f64> {
        let (first, began) = self.first.filter(|(first, _)| done > *first)?;
        Some((self.second - began) / (done - first) as f64 * self.all.saturating_sub(done) as f64)
    }

    fn buttons(&self, ui: &mut Ui) -> Option<Action> {
        let kept = "The state is kept; it can be gone on with";
        let wish = ui.horizontal_wrapped(|ui| wishes(ui, &self.control, "Stop", kept)).inner;
        wish.map(Action::RecoveryWish)
    }

    fn finished(&self, ui: &mut Ui, record: &Record) -> Option<Action> {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 34.0;
            if let Some([before, after]) = record.held_out_change() {
                figure(ui, &format!("{before:.4} → {after:.4}"), "held-out loss");
            }
            figure(ui, &record.kept.to_string(), "the step that was kept");
            figure(ui, &seconds(record.timing.session_seconds), "for the steps");
        });
        let out = self.out()?;
        quiet(ui, out.display().to_string());
        let mut action = None;
        ui.horizontal_wrapped(|ui| {
            if primary(ui, "Read what both write", true).clicked() {
                action = self.model.clone().map(|before| Action::CompareBoth(before, out.clone()));
            }
            if ui.button("Inspect the result").clicked() {
                action = Some(Action::Inspect(out.clone()));
            }
        });
        action.or(self.begin_button(ui, "Once more"))
    }
}
