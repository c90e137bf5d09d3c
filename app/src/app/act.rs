//! What messages change, and what wishes set going.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui;

use super::App;
use crate::control::{Control, Wish};
use crate::estimate::multiplications;
use crate::findings::{Calibration, Key, Outcome};
use crate::mail::{Message, Pick};
use crate::model::{Model, Origin};
use crate::screens::{Action, Screen};
use crate::unfinished::Unfinished;
use crate::work::prune::Order;
use crate::{platform, work};

impl App {
    /// Takes note of a message.
    pub(super) fn read(&mut self, message: Message, ctx: &egui::Context) {
        match message {
            Message::Opened(origin, opened) => self.opened(&origin, opened),
            Message::Inspected(folder, opened) => self.inspect.opened(&folder, opened),
            Message::Comparable(folder, opened) => self.compare.opened(&folder, opened),
            Message::Devices(Ok(adapters)) => self.plan.listed(adapters),
            Message::Devices(Err(words)) => {
                self.plan.listed(Vec::new());
                self.troubles.push(words);
            }
            Message::Calibrated(key, cut) => self.calibrated(key, cut),
            Message::Pruning(event, second) => self.run.note(&event, second),
            Message::Pruned(model, outcome) => self.pruned(&model, outcome),
            Message::Searching(of, event, second) => self.plan.searching.note(&of, &event, second),
            Message::Searched(of, found) => self.plan.searching.ended(&of, found),
            #[cfg(not(target_arch = "wasm32"))]
            Message::Recoverable(folder, opened) => self.recover.opened(&folder, opened),
            #[cfg(not(target_arch = "wasm32"))]
            Message::Lessons(asked, lessons) => self.recover.read(asked, lessons),
            #[cfg(not(target_arch = "wasm32"))]
            Message::Recovering(event, second) => self.recover.note(&event, second),
            #[cfg(not(target_arch = "wasm32"))]
            Message::Recovered(ended) => self.recover.ended(ended),
            #[cfg(not(target_arch = "wasm32"))]
            Message::Hub(news) => self.heard_of_hub(news),
            Message::Changed(model, layer, change) => self.inspect.changed(&model, layer, change),
            Message::Exported(folder, done) => self.exported(ctx, &folder, done),
            Message::Compared(of, side, heard) => self.compare.note(&of, side, heard),
            Message::Traced(model, wanted, trace) => self.steps.traced(&model, wanted, trace),
            Message::Picked(pick, Ok(paths)) => self.picked(pick, paths),
            Message::Picked(_, Err(words)) => self.troubles.push(words),
        }
    }

    fn exported(&mut self, ctx: &egui::Context, folder: &Path, done: Result<PathBuf, String>) {
        // Of all that is written only the report is there to be looked at.
        let page = done.iter().find(|file| file.extension().is_some_and(|e| e == "html"));
        page.into_iter().for_each(|file| show_file(ctx, file));
        if let Some(Err(words)) = self.inspect.wrote(folder, done) {
            self.troubles.push(format!("{}: {words}", folder.display()));
        }
    }

    fn opened(&mut self, origin: &Origin, opened: Result<Arc<Model>, String>) {
        // Another model may have been chosen since.
        if self.start.opening.take_if(|of| of == origin).is_none() {
            return;
        }
        let model = match opened {
            Ok(model) => model,
            Err(words) => {
                // Told where a folder can be chosen, wherever the wish came from.
                (self.start.failed, self.resuming) = (Some(words), None);
                self.saved.screen = Screen::Start;
                return;
            }
        };
        if let Origin::Folder(folder) = &model.origin {
            self.saved.opened(folder.clone());
        }
        self.start.model = Some(model.clone());
        self.compare.dense(model.clone());
        self.steps.open(model.clone());
        // What was pruned before can be looked at without being opened a second time.
        if model.report.is_some() {
            self.inspect.show(model.clone());
        }
        match &self.resuming {
            // A run goes on with the settings it was begun with: they are not fitted to the model again.
            Some(run) => {
                self.plan.settings = run.settings.clone();
                self.plan.take(model);
            }
            None => self.plan.open(model),
        }
        self.refresh_start();
    }

    fn calibrated(&mut self, key: Key, cut: Result<Calibration, String>) {
        // Windows of a model that was open before may still arrive.
        if self.plan.cutting.take_if(|of| *of == key).is_none() {
            return;
        }
        let failed = cut.as_ref().err().cloned();
        self.plan.calibration = Some((key, cut));
        // These may still be of another model than the one that is opened for an interrupted run.
        let resuming = if self.start.opening.is_none() { self.resuming.take() } else { None };
        match (resuming, failed) {
            (None, _) => {}
            // Windows of the settings before may come first; then those of the run are still to be cut.
            (Some(run), None) if self.plan.to_cut().is_none() => self.begin(run.out),
            (Some(run), None) => self.resuming = Some(run),
            (Some(_), Some(words)) => self.troubles.push(format!("The interrupted run cannot go on: {words}")),
        }
    }

    fn pruned(&mut self, model: &Model, outcome: Result<Outcome, String>) {
        if let Ok(Outcome::Finished(report)) = &outcome {
            self.saved.ended(&self.run.out);
            // What the device really did is the estimate of the next plan.
            let seconds: f64 = report.timing.layer_seconds.iter().sum();
            if seconds > 0.0 {
                let done = multiplications(&report.plan, model.checkpoint.config());
                // Over the seconds of the layers, which are all that the multiplications count.
                self.saved.measured(&report.device, done / seconds);
            }
            // At once, so that the result is there when somebody turns to Compare or Inspect. Who looks at another
            // result there goes on looking at it.
            if self.saved.screen != Screen::Compare && !self.compare.is_at_work() {
                self.open_comparable(self.run.out.clone());
            }
            if self.saved.screen != Screen::Inspect {
                self.open_inspected(self.run.out.clone());
            }
        }
        self.run.ended(outcome);
        self.keep = true;
        self.refresh_start();
    }

    /// Takes what a dialog was closed with, or what was dropped.
    pub(super) fn picked(&mut self, pick: Pick, paths: Vec<PathBuf>) {
        // A dialog that was closed without a choice sends nothing.
        let Some(first) = paths.first().cloned() else { return };
        match pick {
            Pick::Model | Pick::ModelFile => {
                self.saved.screen = Screen::Start;
                self.act(Action::Open(Origin::Folder(first)));
            }
            Pick::Calibration => self.plan.settings.files.extend(paths),
            Pick::Out => self.plan.settings.out = Some(self.in_folder(&first)),
            Pick::Inspect => self.act(Action::Inspect(first)),
            Pick::Evaluation => self.compare.judge_by(first),
            Pick::Compare => self.act(Action::CompareWith(first)),
            #[cfg(not(target_arch = "wasm32"))]
            Pick::Recover => self.act(Action::Recover(first)),
            #[cfg(not(target_arch = "wasm32"))]
            Pick::Lessons => self.recover.files.extend(paths),
            #[cfg(not(target_arch = "wasm32"))]
            Pick::Teacher => self.recover.teacher = Some(first),
            #[cfg(target_arch = "wasm32")]
            Pick::Recover | Pick::Lessons | Pick::Teacher => {}
        }
    }

    /// The suggested name inside of a folder that was chosen.
    fn in_folder(&self, folder: &Path) -> PathBuf {
        let ratio = self.plan.plan().map_or(self.plan.settings.ratio, |p| self.plan.settings.share(p));
        let suggested = self.plan.model.as_ref().map(|m| self.plan.settings.out(m, ratio));
        let name = suggested.as_ref().and_then(|p| p.file_name());
        name.map_or_else(|| folder.to_owned(), |n| folder.join(n))
    }

    /// Does what a screen wants.
    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Show(screen) => self.show(screen),
            Action::Open(origin) => self.open(origin),
            #[cfg(not(target_arch = "wasm32"))]
            Action::Download(name) => self.download(name),
            #[cfg(not(target_arch = "wasm32"))]
            Action::StopDownload => self.start.hub.stop(),
            Action::Pick(pick) => platform::pick(&self.mail, pick),
            Action::Begin => self.begin_planned(),
            Action::GoOnHere => self.go_on_here(),
            Action::GoOn(run) => self.go_on(*run),
            Action::Forget(out) => {
                self.saved.ended(&out);
                self.refresh_start();
            }
            Action::Search => self.search(),
            Action::SearchWish(wish) => self.plan.searching.control.set(wish),
            Action::Wish(wish) => self.run.control.set(wish),
            Action::Inspect(folder) => self.inspect_folder(folder),
            Action::Change(layer) => self.change(layer),
            Action::Report(folder) => {
                self.exporting(&folder);
                work::report::start(&self.mail, folder);
            }
            Action::Export(folder, form) => {
                self.exporting(&folder);
                work::export::start(&self.mail, folder, form);
            }
            Action::CompareWith(folder) => self.compare_with(folder),
            #[cfg(not(target_arch = "wasm32"))]
            Action::Recover(folder) => self.recover_folder(folder),
            #[cfg(not(target_arch = "wasm32"))]
            Action::BeginRecovery => self.begin_recovery(),
            #[cfg(not(target_arch = "wasm32"))]
            Action::RecoveryWish(wish) => self.recover.control.set(wish),
            #[cfg(not(target_arch = "wasm32"))]
            Action::CompareBoth(before, after) => {
                self.compare.dense(before);
                self.compare_with(after);
            }
            Action::Write => self.write(),
            Action::Silence => self.compare.control.set(Wish::Stop),
            Action::Measure => self.measure(),
        }
    }

    fn show(&mut self, screen: Screen) {
        self.saved.screen = screen;
        self.refresh_start();
    }

    fn open(&mut self, origin: Origin) {
        (self.start.opening, self.start.failed) = (Some(origin.clone()), None);
        // Who chooses another model does not wait for an interrupted run any more.
        self.resuming = None;
        self.saved.screen = Screen::Start;
        work::open::open(&self.mail, origin, self.places.clone());
    }

    fn begin_planned(&mut self) {
        let out = match (&self.plan.model, self.plan.plan()) {
            (Some(model), Some(plan)) => self.plan.settings.out(model, self.plan.settings.share(plan)),
            _ => return,
        };
        self.begin(out);
    }

    fn begin(&mut self, out: PathBuf) {
        let (Some(model), Some((_, Ok(calibration)))) = (self.plan.model.clone(), &self.plan.calibration) else {
            return;
        };
        if self.run.is_going() {
            return;
        }
        // A stop is for good, so every run has a control of its own.
        let control = Control::default();
        let settings = self.plan.settings.clone();
        let order = Order {
            windows: calibration.windows.clone(),
            files: settings.files.clone(),
            request: settings.request(&model),
            device: settings.place.choice(),
            out: out.clone(),
            overwrite: settings.overwrite,
            control: control.clone(),
            model: model.clone(),
        };
        // Noted before it starts: whatever happens then, the run is offered again.
        self.saved.began(Unfinished { model: model.origin.clone(), settings, out: out.clone() });
        self.run.begin(out, control);
        work::prune::start(&self.mail, order);
        self.keep = true;
        self.show(Screen::Run);
    }

    fn search(&mut self) {
        let (Some(model), Some((key, Ok(calibration)))) = (self.plan.model.clone(), &self.plan.calibration) else {
            return;
        };
        if self.plan.searching.is_going() {
            return;
        }
        // A stop is for good, so every search has a control of its own.
        let control = Control::default();
        let order = work::search::Order {
            windows: calibration.windows.clone(),
            key: key.clone(),
            request: self.plan.settings.searched(&model),
            bounds: self.plan.settings.bounds(),
            device: self.plan.settings.place.choice(),
            folder: self.places.data.clone(),
            control: control.clone(),
            model,
        };
        self.plan.searching.begin(control);
        work::search::start(&self.mail, order);
    }

    fn go_on_here(&mut self) {
        if let Some(run) = self.saved.unfinished.iter().find(|r| r.out == self.run.out).cloned() {
            self.go_on(run);
        }
    }

    /// Opens the model of an interrupted run; when its text is cut, the run begins.
    fn go_on(&mut self, run: Unfinished) {
        self.open(run.model.clone());
        // A run that replaces what is there has cleared its own way already.
        self.resuming = Some(run);
    }

    fn inspect_folder(&mut self, folder: PathBuf) {
        self.open_inspected(folder);
        self.show(Screen::Inspect);
    }

    fn open_inspected(&mut self, folder: PathBuf) {
        self.inspect.opening = Some(folder.clone());
        work::open::folder(&self.mail, folder, self.places.clone(), Message::Inspected);
    }

    fn exporting(&mut self, folder: &Path) {
        (self.inspect.exporting, self.inspect.exported) = (Some(folder.to_owned()), None);
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn recover_folder(&mut self, folder: PathBuf) {
        // While one goes on the screen is that one's: its model stays.
        if !self.recover.is_going() {
            self.recover.opening = Some(folder.clone());
            work::open::folder(&self.mail, folder, self.places.clone(), Message::Recoverable);
        }
        self.show(Screen::Recover);
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn begin_recovery(&mut self) {
        let screen = &self.recover;
        let (Some(model), Some(out), Some((_, Ok(lessons)))) = (screen.model.clone(), screen.out(), &screen.lessons)
        else {
            return;
        };
        if screen.is_going() || !screen.is_ready() {
            return;
        }
        // A stop is for good, so every recovery has a control of its own.
        let control = Control::default();
        let order = work::recover::Order {
            model,
            data: lessons.data.clone(),
            files: screen.files.clone(),
            teacher: screen.teacher.clone(),
            places: self.places.clone(),
            settings: screen.settings.clone(),
            device: self.plan.settings.place.choice(),
            out,
            overwrite: screen.overwrite,
            control: control.clone(),
        };
        self.recover.begin(control);
        work::recover::start(&self.mail, order);
    }

    fn change(&mut self, layer: usize) {
        let Some(model) = self.inspect.model.clone() else { return };
        if work::change::start(&self.mail, model, layer) {
            self.inspect.changing = Some(layer);
        }
    }

    fn compare_with(&mut self, folder: PathBuf) {
        self.open_comparable(folder);
        self.show(Screen::Compare);
    }

    fn open_comparable(&mut self, folder: PathBuf) {
        self.compare.opening = Some(folder.clone());
        work::open::folder(&self.mail, folder, self.places.clone(), Message::Comparable);
    }

    fn write(&mut self) {
        let device = self.plan.settings.place.choice();
        if let Some(models) = self.compare.models() {
            let writing = self.compare.begin(device);
            work::compare::write(&self.mail, models, &writing);
        }
    }

    fn measure(&mut self) {
        if let Some(models) = self.compare.models() {
            let (of, device) = (self.compare.measure(), self.plan.settings.place.choice());
            work::compare::measure(&self.mail, &of, models, self.compare.text.as_ref(), &device);
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn show_file(ctx: &egui::Context, file: &Path) {
    platform::show_file(ctx, file);
}

#[cfg(target_arch = "wasm32")]
fn show_file(_: &egui::Context, _: &Path) {}
