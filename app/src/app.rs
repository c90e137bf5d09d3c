//! The window: screens in a rail, messages from the work behind it, and what a screen's wish sets
//! going.

mod act;
#[cfg(not(target_arch = "wasm32"))]
mod hub;
mod rail;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use eframe::egui::{self, CentralPanel, Frame, Margin, ScrollArea};
use slimgpt::checkpoint::ModelFile;
use slimgpt::device::Device;

use crate::control::Wish;
use crate::frames::Frames;
use crate::mail::{Mail, Message, Pick};
use crate::model::Origin;
use crate::places::Places;
use crate::saved::{self, Saved};
use crate::screens::compare::Compare;
use crate::screens::inspect::Inspect;
use crate::screens::plan::PlanScreen;
use crate::screens::run::Run;
use crate::screens::start::Start;
use crate::screens::{Action, Screen};
use crate::steps::Steps;
use crate::unfinished::Unfinished;
use crate::widgets::card::title;
use crate::widgets::trouble::trouble;
use crate::{platform, theme, work};

/// Mappable buffers would slow every transfer down, and experiments need a promise.
const NOT_ASKED_FOR: wgpu::Features =
    wgpu::Features::MAPPABLE_PRIMARY_BUFFERS.union(wgpu::Features::all_experimental_mask());

/// Wider content than this is hard to take in.
const WIDEST: f32 = 1560.0;

/// What a start is given.
#[derive(Default)]
pub struct Options {
    /// Where the program keeps what is its own, and the hub's cache.
    pub places: Places,
    /// A folder to open at once.
    pub open: Option<PathBuf>,
    /// What was kept, where it is not read from the storage.
    pub saved: Option<Saved>,
}

/// The window: its screens, what it keeps, and its way to the work behind it.
pub struct App {
    saved: Saved,
    places: Places,
    mail: Mail,
    inbox: Receiver<Message>,
    start: Start,
    plan: PlanScreen,
    run: Run,
    #[cfg(not(target_arch = "wasm32"))]
    recover: crate::screens::recover::Recover,
    inspect: Inspect,
    compare: Compare,
    steps: Steps,
    /// A run to go on with as soon as its model and its text are there.
    resuming: Option<Unfinished>,
    /// What belongs to no screen.
    troubles: Vec<String>,
    frames: Frames,
    /// Whether something should be kept at once.
    keep: bool,
    /// The device that draws, where it can compute too.
    shared: Option<Device>,
}

impl App {
    /// The window as it was left.
    pub fn new(cc: &eframe::CreationContext<'_>, options: Options) -> Self {
        theme::apply(&cc.egui_ctx);
        let stored = || cc.storage.and_then(|s| eframe::get_value(s, saved::KEY));
        let saved: Saved = options.saved.or_else(stored).unwrap_or_default();
        let shared = cc.wgpu_render_state.as_ref().and_then(share);
        let (mail, inbox) = Mail::new(cc.egui_ctx.clone());
        // Until the answer is there, the Plan screen plans for the CPU.
        work::open::devices(&mail);
        let mut app = Self {
            places: options.places,
            mail,
            inbox,
            start: Start::default(),
            plan: PlanScreen::new(saved.settings.clone()),
            run: Run::default(),
            #[cfg(not(target_arch = "wasm32"))]
            recover: crate::screens::recover::Recover::default(),
            inspect: Inspect::default(),
            compare: Compare::default(),
            steps: Steps::default(),
            resuming: None,
            troubles: Vec::new(),
            frames: Frames::from_environment(),
            keep: false,
            shared,
            saved,
        };
        app.restore(&cc.egui_ctx);
        #[cfg(not(target_arch = "wasm32"))]
        app.list_cached();
        if let Some(folder) = options.open {
            app.act(Action::Open(Origin::Folder(folder)));
        }
        app
    }

    fn restore(&mut self, ctx: &egui::Context) {
        rail::look(ctx, self.saved.look);
        // Without a kept prompt the one of the shipped model stays.
        if !self.saved.prompt.is_empty() {
            self.compare.prompt.clone_from(&self.saved.prompt);
        }
        self.refresh_start();
    }

    /// What the Start screen offers.
    fn refresh_start(&mut self) {
        self.start.recent.clone_from(&self.saved.recent);
        self.start.unfinished = match self.run.is_going() {
            // The run that goes on is among those that are kept, and is not interrupted.
            true => Vec::new(),
            false => self.saved.unfinished.iter().filter(|r| r.is_there()).cloned().collect(),
        };
        self.plan.rates.clone_from(&self.saved.rates);
        self.plan.busy = self.run.is_going();
    }

    /// What would be kept at this moment.
    pub fn saved(&self) -> Saved {
        // While the window is open these two live on their screens.
        let (settings, prompt) = (self.plan.settings.clone(), self.compare.prompt.clone());
        Saved { settings, prompt, ..self.saved.clone() }
    }

    /// The Run screen, for tests and measurements.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Whether something long goes on that is watched on this screen.
    pub fn is_at_work(&self, screen: Screen) -> bool {
        match screen {
            Screen::Plan => self.plan.searching.is_going(),
            Screen::Run => self.run.is_going(),
            #[cfg(not(target_arch = "wasm32"))]
            Screen::Recover => self.recover.is_going(),
            Screen::Compare => self.compare.is_at_work(),
            Screen::Start | Screen::Inspect | Screen::Steps => false,
        }
    }

    /// The Plan screen, for tests.
    pub fn plan(&self) -> &PlanScreen {
        &self.plan
    }

    /// The Recover screen, for tests.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn recover_mut(&mut self) -> &mut crate::screens::recover::Recover {
        &mut self.recover
    }

    /// Chooses the search among the schedules, for tests.
    pub fn search_for_sizes(&mut self) {
        self.plan.searching.is_chosen = true;
    }

    /// What is chosen on the Plan screen, for tests.
    pub fn settings_mut(&mut self) -> &mut crate::settings::Settings {
        &mut self.plan.settings
    }

    /// The device that draws the window, where it can compute too.
    pub fn shared_device(&self) -> Option<&Device> {
        self.shared.as_ref()
    }

    /// Whatever goes on ends, for nobody waits for it any more.
    fn end_all(&self) {
        self.run.control.set(Wish::Stop);
        self.plan.searching.control.set(Wish::Stop);
        self.compare.control.set(Wish::Stop);
        #[cfg(not(target_arch = "wasm32"))]
        {
            self.recover.control.set(Wish::Stop);
            self.start.hub.stop();
        }
    }

    fn screen(&mut self, ui: &mut egui::Ui) -> Option<Action> {
        match self.saved.screen {
            Screen::Start => self.start.ui(ui),
            Screen::Plan => self.plan.ui(ui),
            Screen::Run => self.run.ui(ui),
            #[cfg(not(target_arch = "wasm32"))]
            Screen::Recover => self.recover.ui(ui),
            Screen::Inspect => self.inspect.ui(ui),
            Screen::Compare => self.compare.ui(ui),
            Screen::Steps => {
                title(
                    ui,
                    Screen::Steps.name(),
                    "One linear layer, pruned cell by cell: the code that prunes whole models, watched.",
                );
                let wanted = self.steps.ui(ui);
                let model = self.steps.model.clone();
                if let (Some(wanted), Some(model)) = (wanted, model) {
                    work::layer::start(&self.mail, model, wanted);
                }
                None
            }
        }
    }

    fn troubles(&mut self, ui: &mut egui::Ui) {
        self.troubles.retain(|words| {
            let dismissed = trouble(ui, "Something went wrong", words);
            ui.add_space(theme::GAP);
            !dismissed
        });
    }

    /// A folder or a file that was dropped on the window.
    fn dropped(&mut self, ctx: &egui::Context) {
        let dropped = ctx.input(|i| i.raw.dropped_files.first().map(|f| f.path().to_path_buf()));
        let Some(path) = dropped else { return };
        // A drop has no question before it, so the screen says what the folder is for.
        let pick = match self.saved.screen {
            Screen::Inspect => Pick::Inspect,
            Screen::Compare => Pick::Compare,
            #[cfg(not(target_arch = "wasm32"))]
            Screen::Recover => Pick::Recover,
            Screen::Start | Screen::Plan | Screen::Run | Screen::Steps => Pick::Model,
        };
        self.picked(pick, vec![meant_by(&path)]);
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &egui::Context, frame: &mut eframe::Frame) {
        // Never waits: it is called for every frame.
        while let Ok(message) = self.inbox.try_recv() {
            self.read(message, ctx);
        }
        self.dropped(ctx);
        // Asked in every frame, rather than at every control, dialog and message that may change the text.
        if let (Some(key), Some(model)) = (self.plan.to_cut(), self.plan.model.clone()) {
            self.plan.cutting = Some(key.clone());
            work::calibrate::start(&self.mail, model, key);
        }
        #[cfg(not(target_arch = "wasm32"))]
        if let (Some(asked), Some(model)) = (self.recover.to_read(), self.recover.model.clone()) {
            self.recover.reading = Some(asked.clone());
            work::recover::read(&self.mail, model, asked);
        }
        // eframe saves only now and then; that a run was begun must outlive a crash.
        if std::mem::take(&mut self.keep)
            && let Some(storage) = frame.storage_mut()
        {
            eframe::set_value(storage, saved::KEY, &self.saved());
            storage.flush();
        }
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        if let Some(usage) = frame.info().cpu_usage {
            self.frames.note(ui.ctx(), usage, self.run.is_going());
        }
        let mut action = rail::ui(ui, self);
        let ground = Frame::new().fill(ui.visuals().panel_fill).inner_margin(Margin::symmetric(22, 18));
        CentralPanel::default().frame(ground).show(ui, |ui| {
            // By the screen's name, so that each keeps its own place.
            ScrollArea::vertical().id_salt(self.saved.screen.name()).auto_shrink(false).show(ui, |ui| {
                ui.set_max_width(ui.available_width().min(WIDEST));
                self.troubles(ui);
                action = self.screen(ui).or(action.take());
                ui.add_space(theme::GAP);
            });
        });
        if let Some(action) = action {
            self.act(action);
        }
    }

    fn save(&mut self, storage: &mut dyn eframe::Storage) {
        eframe::set_value(storage, saved::KEY, &self.saved());
    }

    fn on_exit(&mut self) {
        // Finished layers are on the disk; the next start offers to go on.
        self.end_all();
    }
}

/// The model that is meant by what was dropped: a file that stands for one, or else the folder that a file such as a
/// card lies in.
fn meant_by(path: &Path) -> PathBuf {
    path.parent().filter(|_| path.is_file() && ModelFile::of(path).is_none()).unwrap_or(path).to_owned()
}

/// The pruning kernels run on the device that draws the window, where it can compute. Where it
/// cannot be shared, opening a device gives one of its own.
fn share(state: &eframe::egui_wgpu::RenderState) -> Option<Device> {
    let backend = state.adapter.get_info().backend;
    let computes = !matches!(backend, wgpu::Backend::Gl | wgpu::Backend::Noop);
    let adopt = || Device::adopt(&state.instance, &state.adapter, &state.device, &state.queue);
    computes.then(adopt)?.ok()
}

/// Has the window drawn on a device that the pruning kernels can use: with all the adapter allows.
pub fn computing(setup: &mut eframe::egui_wgpu::WgpuSetup) {
    if let eframe::egui_wgpu::WgpuSetup::CreateNew(setup) = setup {
        setup.device_descriptor = Arc::new(|adapter| wgpu::DeviceDescriptor {
            label: Some("slimgpt"),
            // burn takes it for granted that the device has what the adapter has.
            required_features: adapter.features() - NOT_ASKED_FOR,
            // wgpu's defaults end at bindings of 128 MiB, and a Hessian of 7B's channels takes 462 MiB.
            required_limits: adapter.limits(),
            ..Default::default()
        });
    }
}

/// A clean end of a run that nobody waits for any more.
impl Drop for App {
    fn drop(&mut self) {
        self.end_all();
    }
}

/// Where the program keeps what is its own.
pub fn data_dir() -> Option<PathBuf> {
    platform::data_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_a_file_of_weights_or_the_folder_of_another() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["m.gguf", "M.SAFETENSORS", "m.zip", "config.json", "README.md"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let meant = |name: &str| meant_by(&folder.path().join(name));
        for own in ["m.gguf", "M.SAFETENSORS", "m.zip", "config.json", "no-such-folder"] {
            assert_eq!(meant(own), folder.path().join(own));
        }
        assert_eq!(meant("README.md"), folder.path());
        assert_eq!(meant_by(folder.path()), folder.path());
    }
}
