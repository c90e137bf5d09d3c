//! Recover: train a pruned model until it is as good as its size allows, and watch the losses.

mod curves;
mod learning;
mod lessons;

use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui::{self, ProgressBar, Ui};
use slimgpt::format::{seconds, whole_seconds};
use slimgpt::recover::{Event, HeldOut, Length, Record, Settings, StepRecord};

use super::Action;
use crate::findings::{Ended, Lessons};
use crate::mail::Pick;
use crate::model::Model;
use crate::theme::{GAP, palette};
use crate::widgets::card::{card, columns, facts, figure, primary, quiet, title};
use crate::widgets::trouble::{problem, trouble};
use crate::work::control::{Control, Wish};

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

/// What decides what is learnt: while it stays the same the files need not be read again.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The model's folder.
    pub model: Option<PathBuf>,
    /// The files.
    pub files: Vec<PathBuf>,
    /// How they are cut, and what is held out.
    pub settings: Settings,
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
    pub fn opened(&mut self, opened: Result<Arc<Model>, String>) {
        self.opening = None;
        match opened {
            Ok(model) => {
                let longest = model.checkpoint.config().max_positions;
                // Sequences beyond the model's context would be refused; two tokens are one to read and one to predict.
                self.settings.window = self.settings.window.clamp(2, longest.max(2));
                (self.model, self.failed, self.lessons) = (Some(model), None, None);
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
    pub fn read(&mut self, lessons: Result<Lessons, String>) {
        if let Some(asked) = self.reading.take() {
            self.lessons = Some((asked, lessons));
        }
    }

    /// Whether it is going.
    pub fn is_going(&self) -> bool {
        matches!(self.phase, Phase::Going)
    }

    /// The folder that is made: beside the model.
    pub fn out(&self) -> Option<PathBuf> {
        let folder = self.model.as_ref()?.folder()?;
        let name = folder.file_name()?.to_string_lossy().into_owned();
        Some(folder.with_file_name(format!("{name}-recovered")))
    }

    /// It begins, with nothing of the one before.
    pub fn begin(&mut self, control: Control) {
        (self.phase, self.control) = (Phase::Going, control);
        (self.steps, self.held_out) = (Vec::new(), Vec::new());
        (self.all, self.second, self.first) = (0, 0.0, None);
    }

    /// Takes note of an event.
    pub fn note(&mut self, event: &Event, second: f64) {
        self.second = second;
        match event {
            Event::Planned { steps, .. } => self.all = *steps,
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
            if let Some((_, lessons)) = &self.lessons {
                lessons::preview(ui, lessons);
            }
            action
        })
    }

    fn state_card(&mut self, ui: &mut Ui) -> Option<Action> {
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
        let ready = self.lessons.as_ref().is_some_and(|(_, lessons)| lessons.is_ok());
        if !ready {
            quiet(ui, "It needs a model and something to learn from.");
        }
        primary(ui, text, ready && self.model.is_some()).clicked().then_some(Action::BeginRecovery)
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
        self.buttons(ui, paused)
    }

    /// Seconds left at the mean rate of this session.
    fn left(&self, done: usize) -> Option<f64> {
        let (first, began) = self.first.filter(|(first, _)| done > *first)?;
        Some((self.second - began) / (done - first) as f64 * self.all.saturating_sub(done) as f64)
    }

    fn buttons(&self, ui: &mut Ui, paused: bool) -> Option<Action> {
        let mut wish = None;
        ui.horizontal_wrapped(|ui| {
            // A stop is heard at the next event; until then there is nothing else to wish for.
            let stopping = self.control.wish() == Wish::Stop;
            if !paused && ui.add_enabled(!stopping, egui::Button::new("Pause")).clicked() {
                wish = Some(Wish::Pause);
            }
            if paused && primary(ui, "Go on", true).clicked() {
                wish = Some(Wish::Run);
            }
            let stop = ui.add_enabled(!stopping, egui::Button::new("Stop"));
            if stop.on_hover_text("The state is kept; it can be gone on with").clicked() {
                wish = Some(Wish::Stop);
            }
        });
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
