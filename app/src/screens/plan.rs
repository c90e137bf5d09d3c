//! Plan: how much goes, from which layers, on which device, fitted to which text. The plan is made
//! anew at every change, and what is wrong with it is said here.

mod advanced;
mod curve;
mod memory;
mod search;
mod target;
mod text;

use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui::{self, Ui};
use slimgpt::allocate::Schedule;
use slimgpt::device::{Adapter, gpus, room};
use slimgpt::pipeline::{Limits, Plan};

use super::{Action, Screen};
use crate::control::Wish;
use crate::findings::{Calibration, Key};
use crate::mail::Pick;
use crate::model::Model;
use crate::remedy::told;
use crate::settings::{DeviceSetting, Settings};
use crate::theme::GAP;
use crate::widgets::card::{card, columns, primary, quiet, title};
use crate::widgets::trouble::problem;
use crate::work::calibrate::which;
use search::Searching;
use slimgpt::format::{bytes, count, percent};

/// The Plan screen: settings, and the plan that follows from them.
#[derive(Default)]
pub struct PlanScreen {
    /// The model that is open.
    pub model: Option<Arc<Model>>,
    /// What is chosen, kept between two starts.
    pub settings: Settings,
    /// Adapters of this machine; `None` until they are listed.
    pub adapters: Option<Vec<Adapter>>,
    /// Calibration windows, and what they were cut by.
    pub calibration: Option<(Key, Result<Calibration, String>)>,
    /// What is being cut at the moment.
    pub cutting: Option<Key>,
    /// Whether a run is going, so that no second one can begin.
    pub busy: bool,
    /// Rates of earlier runs by device.
    pub rates: Vec<(String, f64)>,
    /// The search for sizes.
    pub searching: Searching,
    plan: Option<(Settings, Result<Plan, String>)>,
    host_bytes: Option<u64>,
    disk_bytes: Option<u64>,
}

impl PlanScreen {
    /// The screen as it was left, without a model.
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// Another model is open.
    pub fn open(&mut self, model: Arc<Model>) {
        self.settings.for_model(&model);
        self.take(model);
    }

    /// The same, with settings that are already right for it.
    pub fn take(&mut self, model: Arc<Model>) {
        (self.model, self.plan, self.calibration, self.cutting) = (Some(model), None, None, None);
        // Nobody waits for the sizes of another model.
        self.searching.control.set(Wish::Stop);
        self.searching = Searching::default();
        self.host_bytes = room::host_bytes();
        // Only the disk counts, and the suggested folder is on the same one at any ratio.
        self.disk_bytes = self.model.as_ref().and_then(|m| room::disk_bytes(&self.settings.out(m, 0.0)));
    }

    /// Draws the screen; returns what is wanted.
    pub fn ui(&mut self, ui: &mut Ui) -> Option<Action> {
        title(ui, "Plan", "How much goes, where from, and what it takes. Nothing is changed yet.");
        let Some(model) = self.model.clone() else { return no_model(ui) };
        let mut action = None;
        columns(ui, 420.0, 2, |i, ui| {
            action = match i {
                0 => self.left(ui, &model),
                _ => self.right(ui, &model),
            }
            .or(action.take());
        });
        action
    }

    fn left(&mut self, ui: &mut Ui, model: &Model) -> Option<Action> {
        card(ui, "Target", |ui| target::ui(ui, &mut self.settings, model));
        ui.add_space(GAP);
        card(ui, "Device", |ui| self.device(ui));
        ui.add_space(GAP);
        let state =
            text::Cut { calibration: self.calibration.as_ref().map(|(_, c)| c), cutting: self.cutting.is_some() };
        let action = card(ui, "Calibration text", |ui| text::ui(ui, &mut self.settings, model, &state));
        ui.add_space(GAP);
        card(ui, "", |ui| advanced::ui(ui, &mut self.settings, model));
        action
    }

    fn right(&mut self, ui: &mut Ui, model: &Model) -> Option<Action> {
        self.replan(model);
        // A copy, because drawing the plan may change the settings it was made of.
        let planned = self.plan.as_ref().map(|(_, plan)| plan.clone());
        match planned {
            Some(Ok(plan)) => self.planned(ui, model, &plan),
            Some(Err(words)) => {
                card(ui, "This cannot be done", |ui| problem(ui, &words));
                None
            }
            None => None,
        }
    }

    fn planned(&mut self, ui: &mut Ui, model: &Model, plan: &Plan) -> Option<Action> {
        let action = card(ui, "Result", |ui| self.begin(ui, model, plan));
        ui.add_space(GAP);
        let ready = self.is_ready(model);
        let (settings, searching) = (&mut self.settings, &mut self.searching);
        let wanted =
            card(ui, "Layers", |ui| curve::ui(ui, settings, searching, plan, model.checkpoint.config(), ready));
        ui.add_space(GAP);
        let rate = self.device_name().and_then(|name| self.rates.iter().find(|(n, _)| *n == name)).map(|&(_, r)| r);
        card(ui, "Memory and time", |ui| memory::ui(ui, plan, model.checkpoint.config(), rate));
        action.or(wanted)
    }

    fn begin(&mut self, ui: &mut Ui, model: &Model, plan: &Plan) -> Option<Action> {
        let config = model.checkpoint.config();
        let gone = 1.0 - plan.parameters_after as f64 / plan.parameters_before as f64;
        let size = plan.parameters_after * self.settings.dtype(model).bytes();
        ui.label(format!(
            "{} → {} parameters: {} less, {} of the decoder layers; {} afterwards.",
            count(config.parameters()),
            count(plan.parameters_after),
            percent(gone),
            percent(plan.decoder_ratio()),
            bytes(size as u64),
        ));
        let mut action = self.output(ui, model, plan);
        let ready = self.is_ready(model);
        ui.horizontal_wrapped(|ui| {
            if primary(ui, "Prune", ready && !self.busy).clicked() {
                action = Some(Action::Begin);
            }
            if self.busy {
                quiet(ui, "A run is going on already.");
            } else if !self.settings.has_text(model) {
                quiet(ui, "A calibration text is still to be chosen.");
            } else if !ready {
                quiet(ui, "The calibration text is not ready yet.");
            }
        });
        action
    }

    /// Whether there are windows, and they are those that are asked for now.
    fn is_ready(&self, model: &Model) -> bool {
        let is_cut = matches!(&self.calibration, Some((_, Ok(_))));
        is_cut && self.settings.has_text(model) && self.cutting.is_none() && self.to_cut().is_none()
    }

    fn output(&mut self, ui: &mut Ui, model: &Model, plan: &Plan) -> Option<Action> {
        let mut action = None;
        let mut path = self.settings.out(model, self.settings.share(plan)).display().to_string();
        let label = ui.label("Folder to make");
        let field = egui::TextEdit::singleline(&mut path).desired_width(f32::INFINITY).font(egui::TextStyle::Small);
        if ui.add(field).labelled_by(label.id).changed() {
            // An empty field brings the suggestion back.
            self.settings.out = (!path.trim().is_empty()).then(|| PathBuf::from(path.trim()));
        }
        ui.horizontal(|ui| {
            if ui.button("Choose…").clicked() {
                action = Some(Action::Pick(Pick::Out));
            }
            ui.checkbox(&mut self.settings.overwrite, "Replace what is there")
                .on_hover_text("Only a result of this program is ever replaced");
        });
        action
    }

    fn device(&mut self, ui: &mut Ui) {
        let automatic = match self.device_name() {
            Some(name) => format!("Automatic ({name})"),
            None => "Automatic".into(),
        };
        let adapters = self.adapters.clone().unwrap_or_default();
        let place = &mut self.settings.place;
        let shown = match place {
            DeviceSetting::Auto => automatic.clone(),
            DeviceSetting::Cpu => "CPU".into(),
            DeviceSetting::Gpu(name) => name.clone(),
        };
        egui::ComboBox::from_label("computes").selected_text(shown).width(240.0).truncate().show_ui(ui, |ui| {
            ui.selectable_value(place, DeviceSetting::Auto, automatic);
            for adapter in &adapters {
                let text = format!("{} ({}, {})", adapter.name, adapter.kind, adapter.backend);
                ui.selectable_value(place, DeviceSetting::Gpu(adapter.name.clone()), text);
            }
            ui.selectable_value(place, DeviceSetting::Cpu, "CPU");
        });
        quiet(ui, device_words(place, self.adapters.as_deref(), self.host_bytes));
    }

    /// The name of the device that will compute, once that is known.
    pub fn device_name(&self) -> Option<String> {
        match &self.settings.place {
            DeviceSetting::Cpu => Some("cpu".into()),
            DeviceSetting::Gpu(name) => Some(name.clone()),
            DeviceSetting::Auto => {
                let best = gpus(self.adapters.as_deref()?);
                Some(best.first().map_or("cpu".into(), |a| a.name.clone()))
            }
        }
    }

    /// The plan, if there is one.
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref().and_then(|(_, plan)| plan.as_ref().ok())
    }

    /// Plans anew when something changed.
    fn replan(&mut self, model: &Model) {
        let (target, bounds) = (self.settings.target(model), self.settings.bounds());
        let found = self.searching.shapes(target, bounds, model.checkpoint.config());
        match found {
            Some(Ok(layers)) => {
                let schedule = Schedule::Shapes(layers.clone());
                self.settings.request.allocation.schedule = schedule;
            }
            Some(Err(words)) => {
                self.plan = Some((self.settings.clone(), Err(words.clone())));
                return;
            }
            None => {}
        }
        // Asked in every frame, while settings change rarely.
        if self.plan.as_ref().is_some_and(|(settings, _)| *settings == self.settings) {
            return;
        }
        let (request, config) = (self.settings.request(model), model.checkpoint.config());
        let plan = slimgpt::pipeline::plan(&request, config, &self.limits()).map_err(told);
        self.plan = Some((self.settings.clone(), plan));
    }

    fn limits(&self) -> Limits {
        // Until the devices are listed; then `listed` has the plan made anew.
        let name = self.device_name().unwrap_or_else(|| "cpu".into());
        // No adapter has the CPU's name.
        let adapter = self.adapters.iter().flatten().find(|a| a.name == name);
        Limits {
            is_gpu: adapter.is_some(),
            // The window computes in f32, which its trainings need and its runs are told apart by.
            multiplies_halves: false,
            max_binding_bytes: adapter.map(|a| a.max_binding_bytes.min(a.max_buffer_bytes)),
            device_bytes: adapter.and_then(Adapter::usable_bytes),
            host_bytes: self.host_bytes,
            disk_bytes: self.disk_bytes,
            ranks: 1,
            ranks_here: 1,
        }
    }

    /// What has to be cut, if that is not done or being done.
    pub fn to_cut(&self) -> Option<Key> {
        let model = self.model.as_ref()?;
        let s = &self.settings;
        // No text is no mistake: it is still to be chosen.
        if !s.has_text(model) {
            return None;
        }
        let key = Key {
            files: s.files.clone(),
            text_key: s.text_key.clone(),
            which: which(s.request.windows, s.request.window_tokens, s.request.seed, s.begins),
            model: model.folder().map(PathBuf::from),
        };
        // One cut at a time: when it is there, what is needed by then is asked for again.
        let known = self.calibration.as_ref().is_some_and(|(k, _)| *k == key) || self.cutting.is_some();
        (!known).then_some(key)
    }

    /// Devices are listed: what did not fit may fit now.
    pub fn listed(&mut self, adapters: Vec<Adapter>) {
        (self.adapters, self.plan) = (Some(adapters), None);
    }
}

fn device_words(place: &DeviceSetting, adapters: Option<&[Adapter]>, host: Option<u64>) -> String {
    let memory = host.map_or(String::new(), |b| format!(" {} of memory are free.", bytes(b)));
    match (place, adapters) {
        (_, None) => "Looking for devices…".into(),
        (DeviceSetting::Cpu, _) => format!("The CPU executor.{memory}"),
        (DeviceSetting::Auto, Some(list)) if gpus(list).is_empty() => {
            format!("No hardware GPU with a driver was found, so the CPU computes.{memory}")
        }
        (DeviceSetting::Auto, Some(_)) => format!("The best hardware GPU.{memory}"),
        (DeviceSetting::Gpu(name), Some(list)) => match list.iter().find(|a| a.name == *name) {
            Some(a) if a.is_software() => format!(
                "A software adapter: it computes on the CPU, slowly. One buffer holds at most {}.",
                bytes(a.max_binding_bytes)
            ),
            Some(a) => format!("{}; one buffer holds at most {}.", a.driver, bytes(a.max_binding_bytes)),
            None => "This device is not there any more; choose another.".into(),
        },
    }
}

fn no_model(ui: &mut Ui) -> Option<Action> {
    card(ui, "No model yet", |ui| {
        quiet(ui, "Open a model first.");
        primary(ui, "Choose a model", true).clicked().then_some(Action::Show(Screen::Start))
    })
}
