//! Recover: train a pruned model until it is as good as its size allows, and watch the losses.

mod curves;
mod learning;
mod lessons;
mod state;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui::{self, Ui};
use slimgpt::recover::{Event, HeldOut, Length, Record, Settings, StepRecord};

use super::Action;
use crate::control::Control;
use crate::findings::{Asked, Ended, Lessons};
use crate::mail::Pick;
use crate::model::Model;
use crate::theme::GAP;
use crate::widgets::card::{card, columns, facts, quiet, title};
use crate::widgets::trouble::problem;

/// The Recover screen: a model, what it learns from, and how that goes.
pub struct Recover {
    /// The model that learns.
    pub model: Option<Arc<Model>>,
    /// The folder that is being read.
    pub opening: Option<PathBuf>,
    /// What it learns from.
    pub files: Vec<PathBuf>,
    /// The dense model that teaches, if one does.
    pub teacher: Option<PathBuf>,
    /// What is asked for.
    pub settings: Settings,
    /// Whether an earlier result may be replaced.
    pub overwrite: bool,
    /// What would be learnt, with the files and the settings it was read for.
    pub lessons: Option<(Asked, Result<Lessons, String>)>,
    /// What is being read.
    pub reading: Option<Asked>,
    /// What goes on, or how it ended.
    pub phase: Phase,
    /// What the work looks at to pause or to stop.
    pub control: Control,
    failed: Option<String>,
    steps: Vec<StepRecord>,
    held_out: Vec<HeldOut>,
    all: usize,
    second: f64,
    first: Option<(usize, f64)>,
}

/// Where a recovery stands.
#[derive(Default)]
pub enum Phase {
    /// Nothing was begun since the start.
    #[default]
    Idle,
    /// It is going.
    Going,
    /// It was stopped; so many steps of so many are done.
    Stopped(usize, usize),
    /// It failed, for this reason.
    Failed(String),
    /// It is finished, with this record.
    Finished(Box<Record>),
}

impl Default for Recover {
    fn default() -> Self {
        Self {
            model: None,
            opening: None,
            files: Vec::new(),
            teacher: None,
            settings: Settings::default(),
            overwrite: false,
            lessons: None,
            reading: None,
            phase: Phase::Idle,
            control: Control::default(),
            failed: None,
            steps: Vec::new(),
            held_out: Vec::new(),
            all: 0,
            second: 0.0,
            first: None,
        }
    }
}

impl Recover {
    /// A folder was read, or could not be.
    pub fn opened(&mut self, folder: &Path, opened: Result<Arc<Model>, String>) {
        // Another one may have been chosen since.
        if self.opening.take_if(|of| of.as_path() == folder).is_none() {
            return;
        }
        match opened {
            Ok(model) => {
                let longest = model.checkpoint.config().max_positions;
                // Sequences beyond the model's context would be refused; two tokens are one to read and one to predict.
                self.settings.window = self.settings.window.clamp(2, longest.max(2));
                (self.model, self.failed, self.lessons) = (Some(model), None, None);
                // How it went was of another model, and so is the folder that came of it.
                self.phase = Phase::Idle;
                self.forget();
            }
            Err(words) => self.failed = Some(words),
        }
    }

    /// What is to be read now.
    pub fn to_read(&self) -> Option<Asked> {
        let asked = self.asked()?;
        let is_read = self.lessons.as_ref().is_some_and(|(of, _)| *of == asked);
        (!is_read && self.reading.is_none() && !self.is_going()).then_some(asked)
    }

    fn asked(&self) -> Option<Asked> {
        let model = self.model.as_ref().filter(|_| !self.files.is_empty())?;
        // Of the settings only those that decide what is cut and held out.
        let Settings { window, counted, hold_out, seed, .. } = self.settings.clone();
        let settings = Settings { window, counted, hold_out, seed, ..Settings::default() };
        Some(Asked { model: model.folder().map(PathBuf::from), files: self.files.clone(), settings })
    }

    /// The files were read, or could not be.
    pub fn read(&mut self, asked: Asked, lessons: Result<Lessons, String>) {
        if self.reading.take_if(|waited| *waited == asked).is_some() {
            self.lessons = Some((asked, lessons));
        }
    }

    /// Whether there is something to learn from, and it is what is asked for now.
    pub fn is_ready(&self) -> bool {
        let asked = self.asked();
        let is_read = matches!(&self.lessons, Some((of, Ok(_))) if asked.as_ref() == Some(of));
        is_read && self.reading.is_none() && self.opening.is_none()
    }

    /// Whether it is going.
    pub fn is_going(&self) -> bool {
        matches!(self.phase, Phase::Going)
    }

    /// The folder that is made: beside the model.
    pub fn out(&self) -> Option<PathBuf> {
        self.model.as_ref().filter(|model| model.folder().is_some()).map(|model| model.beside("recovered"))
    }

    /// It begins, with nothing of the one before.
    pub fn begin(&mut self, control: Control) {
        (self.phase, self.control) = (Phase::Going, control);
        (self.all, self.second) = (0, 0.0);
        self.forget();
    }

    /// Nothing was learnt yet.
    fn forget(&mut self) {
        (self.steps, self.held_out, self.first) = (Vec::new(), Vec::new(), None);
    }

    /// Takes note of an event.
    pub fn note(&mut self, event: &Event, second: f64) {
        self.second = second;
        match event {
            Event::Planned { steps, .. } => self.all = *steps,
            // Every step is done once more, and its loss has other last bits.
            Event::OutOfMemory { from_the_first_step: true, .. } => self.forget(),
            // What came after the state that is gone on from is done once more.
            Event::Resumed { done, .. } => {
                self.steps.retain(|step| step.step <= *done);
                self.held_out.retain(|look| look.step <= *done);
                self.first = None;
            }
            Event::Step(record) => {
                // The rate is counted from here: opening, reading and the first look are behind.
                self.first.get_or_insert((record.step, second));
                self.steps.push(*record);
            }
            Event::HeldOut(look) => self.held_out.push(*look),
            _ => {}
        }
    }

    /// It is over, in one way or another.
    pub fn ended(&mut self, ended: Result<Ended, String>) {
        self.phase = match ended {
            Ok(Ended::Finished(record)) => {
                // The record knows also the steps of earlier sessions.
                (self.steps, self.held_out) = (record.steps.clone(), record.held_out.clone());
                Phase::Finished(record)
            }
            Ok(Ended::Stopped(done, steps)) => Phase::Stopped(done, steps),
            Err(words) => Phase::Failed(words),
        };
    }

    /// Draws the screen; returns what is wanted.
    pub fn ui(&mut self, ui: &mut Ui) -> Option<Action> {
        title(ui, "Recover", "Train a pruned model on text of the kind it is for, or let the dense model teach it.");
        let mut action = None;
        columns(ui, 420.0, 2, |i, ui| match i {
            0 => {
                action = self.model_card(ui).or(action.take());
                ui.add_space(GAP);
                action = self.lessons_card(ui).or(action.take());
            }
            _ => {
                action = self.state_card(ui).or(action.take());
                ui.add_space(GAP);
                card(ui, "Loss over the steps", |ui| curves::ui(ui, &self.steps, &self.held_out));
            }
        });
        action
    }

    fn model_card(&mut self, ui: &mut Ui) -> Option<Action> {
        card(ui, "The model", |ui| {
            if let Some(words) = &self.failed {
                problem(ui, words);
            }
            match (&self.model, &self.opening) {
                (_, Some(folder)) => {
                    ui.spinner();
                    quiet(ui, format!("Reading {}", folder.display()));
                }
                (Some(model), None) => {
                    let out = self.out().map_or("nowhere".into(), |out| out.display().to_string());
                    facts(ui, "recover-model", [("Learns", model.name()), ("Becomes", out)]);
                }
                (None, None) => {
                    quiet(ui, "Choose the folder of a pruned model, or prune one first.");
                }
            }
            let mut action = None;
            ui.horizontal_wrapped(|ui| {
                if ui.add_enabled(!self.is_going(), egui::Button::new("Choose a model…")).clicked() {
                    action = Some(Action::Pick(Pick::Recover));
                }
                ui.checkbox(&mut self.overwrite, "Replace an earlier result");
            });
            action
        })
    }

    fn lessons_card(&mut self, ui: &mut Ui) -> Option<Action> {
        let can_change = !self.is_going();
        card(ui, "What it learns", |ui| {
            let action = lessons::ui(ui, &mut self.files, &mut self.teacher, can_change);
            ui.add_enabled_ui(can_change, |ui| learning::ui(ui, &mut self.settings, self.teacher.is_some()));
            if self.reading.is_some() {
                ui.horizontal(|ui| {
                    ui.spinner();
                    quiet(ui, "Reading…");
                });
            }
            // Without files nothing of them is left to be shown.
            if let Some((_, lessons)) = self.lessons.as_ref().filter(|_| !self.files.is_empty()) {
                lessons::preview(ui, lessons);
            }
            action
        })
    }

    /// Steps in all with the data as it is.
    pub fn planned_steps(&self) -> Option<usize> {
        let (_, lessons) = self.lessons.as_ref()?;
        let examples = lessons.as_ref().ok()?.data.learnt.len();
        Some(self.settings.length.steps(examples, self.settings.batch))
    }

    /// Sets how many steps it takes, for tests.
    pub fn set_steps(&mut self, steps: usize) {
        self.settings.length = Length::Steps(steps);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(step: usize) -> Event {
        Event::Step(StepRecord { step, loss: 3.0, gradient_norm: 1.0, rate: 1e-4 })
    }

    fn look(step: usize) -> Event {
        Event::HeldOut(HeldOut { step, loss: 3.0 })
    }

    /// The steps and the looks that are drawn.
    fn drawn(events: &[Event]) -> (Vec<usize>, Vec<usize>) {
        let mut screen = Recover::default();
        screen.begin(Control::default());
        events.iter().zip(1..).for_each(|(event, second)| screen.note(event, f64::from(second)));
        let steps = screen.steps.iter().map(|step| step.step);
        (steps.collect(), screen.held_out.iter().map(|look| look.step).collect())
    }

    #[test]
    fn the_curves_never_go_back() {
        let begun = [look(0), step(1), step(2), look(2), step(3)];
        let again = [Event::OutOfMemory { micro_batch: 1, from_the_first_step: true }, look(0), step(1)];
        assert_eq!(drawn(&[&begun[..], &again[..]].concat()), (vec![1], vec![0]));
        let gone_on = [
            Event::OutOfMemory { micro_batch: 2, from_the_first_step: false },
            Event::Resumed { done: 2, steps: 9 },
            step(3),
        ];
        assert_eq!(drawn(&[&begun[..], &gone_on[..]].concat()), (vec![1, 2, 3], vec![0, 2]));
    }

    #[test]
    fn the_rate_is_counted_anew_where_the_steps_are() {
        let mut screen = Recover::default();
        let events = [step(1), step(5), Event::OutOfMemory { micro_batch: 1, from_the_first_step: true }, step(1)];
        events.iter().zip(1..).for_each(|(event, second)| screen.note(event, f64::from(second)));
        assert_eq!(screen.first, Some((1, 4.0)));
    }

    #[test]
    fn lessons_of_another_question_are_neither_taken_nor_enough() {
        let asked = |file: &str| Asked { model: None, files: vec![file.into()], settings: Settings::default() };
        let mut screen = Recover { reading: Some(asked("new")), ..Recover::default() };
        screen.read(asked("old"), Err("it cannot be read".into()));
        assert!(screen.lessons.is_none() && screen.reading.is_some() && !screen.is_ready());
        screen.read(asked("new"), Err("it cannot be read".into()));
        assert!(screen.lessons.is_some() && screen.reading.is_none() && !screen.is_ready());
    }
}
