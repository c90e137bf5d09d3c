//! What messages change, and what wishes set going.

use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui;

use super::App;
use crate::estimate::multiplications;
use crate::findings::{Calibration, Heard, Key, Outcome};
use crate::mail::{Message, Pick};
use crate::model::{Model, Origin};
use crate::screens::{Action, Screen};
use crate::unfinished::Unfinished;
use crate::work::control::Control;
use crate::work::prune::Order;
use crate::{platform, work};

impl App {
    /// Takes note of a message.
    pub(super) fn read(&mut self, message: Message, ctx: &egui::Context) {
        match message {
            Message::Opened(opened) => self.opened(opened),
            Message::Inspected(opened) => self.inspect.opened(opened),
            Message::Devices(adapters) => self.plan.listed(adapters),
            Message::Calibrated(key, cut) => self.calibrated(key, cut),
            Message::Pruning(event, second) => self.run.note(&event, second),
            Message::Pruned(outcome) => self.pruned(outcome),
            Message::Searching(event, second) => self.plan.searching.note(&event, second),
            Message::Searched(found) => self.plan.searching.ended(found),
            #[cfg(not(target_arch = "wasm32"))]
            Message::Recoverable(opened) => self.recover.opened(opened),
            #[cfg(not(target_arch = "wasm32"))]
            Message::Lessons(lessons) => self.recover.read(lessons),
            #[cfg(not(target_arch = "wasm32"))]
            Message::Recovering(event, second) => self.recover.note(&event, second),
            #[cfg(not(target_arch = "wasm32"))]
            Message::Recovered(ended) => self.recover.ended(ended),
            Message::Changed(layer, change) => {
                (self.inspect.change, self.inspect.changing) = (Some((layer, change)), None);
            }
            Message::Exported(done) => {
                // Of all that is written only the report is there to be looked at.
                let page = done.iter().find(|file| file.extension().is_some_and(|e| e == "html"));
                page.into_iter().for_each(|file| show_file(ctx, file));
                (self.inspect.exporting, self.inspect.exported) = (false, Some(done));
            }
            Message::Compared(side, heard) => self.compared(side, heard),
            Message::Traced(trace) => self.steps.traced(trace),
            Message::Picked(pick, paths) => self.picked(pick, paths),
            Message::Panicked(words) => self.panicked(words),
        }
    }

    fn opened(&mut self, opened: Result<Arc<Model>, String>) {
        self.start.opening = None;
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
            self.inspect.opened(Ok(model.clone()));
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
        self.plan.cutting = None;
        let failed = cut.as_ref().err().cloned();
        self.plan.calibration = Some((key, cut));
        match (self.resuming.take(), failed) {
            (None, _) => {}
            // Windows of the settings before may come first; then those of the run are still to be cut.
            (Some(run), None) if self.plan.to_cut().is_none() => self.begin(run.out),
            (Some(run), None) => self.resuming = Some(run),
            (Some(_), Some(words)) => self.troubles.push(format!("The interrupted run cannot go on: {words}")),
        }
    }

    fn pruned(&mut self, outcome: Result<Outcome, String>) {
        if let Ok(Outcome::Finished(report)) = &outcome {
            self.saved.ended(&self.run.out);
            // What the device really did is the estimate of the next plan.
            let seconds: f64 = report.timing.layer_seconds.iter().sum();
            if let Some(model) = self.start.model.as_ref().filter(|_| seconds > 0.0) {
                let done = multiplications(&report.plan, model.checkpoint.config());
                // Over the seconds of the layers, which are all that the multiplications count.
                self.saved.measured(&report.device, done / seconds);
            }
            self.compare.opening = true;
            // At once, so that the result is there when somebody turns to Compare or Inspect.
            work::compare::open(&self.mail, self.run.out.clone());
            // Who looks at another result there goes on looking at it.
            if self.saved.screen != Screen::Inspect {
                work::open::inspect(&self.mail, self.run.out.clone());
            }
        }
        self.run.ended(outcome);
        self.keep = true;
        self.refresh_start();
    }

    fn compared(&mut self, side: usize, heard: Heard) {
        self.compare.note(side, heard);
    }

    fn panicked(&mut self, words: String) {
        if self.run.is_going() {
            self.run.ended(Err(words.clone()));
        }
        if self.plan.searching.is_going() {
            self.plan.searching.ended(Err(words.clone()));
        }
        #[cfg(not(target_arch = "wasm32"))]
        if self.recover.is_going() {
            self.recover.ended(Err(words.clone()));
        }
        #[cfg(not(target_arch = "wasm32"))]
        {
            self.recover.reading = None;
        }
        // Which work failed is not known, so nothing waits any more.
        (self.start.opening, self.plan.cutting, self.compare.opening) = (None, None, false);
        self.refresh_start();
        self.troubles.push(format!("A part of the program failed: {words}. Finished layers of a run are kept."));
    }

    /// Takes what a dialog was closed with, or what was dropped.
    pub(super) fn picked(&mut self, pick: Pick, paths: Vec<PathBuf>) {
        // A dialog that was closed without a choice sends nothing.
        let Some(first) = paths.first().cloned() else { return };
        match pick {
            Pick::Model => {
                self.saved.screen = Screen::Start;
                self.act(Action::Open(Origin::Folder(first)));
            }
            Pick::Calibration => self.plan.settings.files.extend(paths),
            Pick::Out => self.plan.settings.out = Some(self.in_folder(&first)),
            Pick::Inspect => self.act(Action::Inspect(first)),
            Pick::Evaluation => self.compare.text = Some(first),
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
    fn in_folder(&self, folder: &std::path::Path) -> PathBuf {
        let ratio = self.plan.plan().map_or(self.plan.settings.ratio, |p| p.ratio);
        let suggested = self.plan.model.as_ref().map(|m| self.plan.settings.out(m, ratio));
        let name = suggested.as_ref().and_then(|p| p.file_name());
        name.map_or_else(|| folder.to_owned(), |n| folder.join(n))
    }

    /// Does what a screen wants.
    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Show(screen) => self.show(screen),
            Action::Open(origin) => self.open(origin),
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
            Action::Report(folder) => work::report::start(&self.mail, folder),
            Action::Export(folder, form) => {
                (self.inspect.exporting, self.inspect.exported) = (true, None);
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
            Action::Silence => self.compare.control.set(work::control::Wish::Stop),
            Action::Measure => self.measure(),
        }
    }

    fn show(&mut self, screen: Screen) {
        self.saved.screen = screen;
        self.refresh_start();
    }

    fn open(&mut self, origin: Origin) {
        let what = match &origin {
            Origin::Shipped => "the shipped model".into(),
            Origin::Folder(folder) => folder.display().to_string(),
        };
        (self.start.opening, self.start.failed) = (Some(what), None);
        self.saved.screen = Screen::Start;
        work::open::open(&self.mail, origin, self.data.clone());
    }

    fn begin_planned(&mut self) {
        let out = match (&self.plan.model, self.plan.plan()) {
            (Some(model), Some(plan)) => self.plan.settings.out(model, plan.ratio),
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
            folder: self.data.clone(),
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
        let origin = run.model.clone();
        // A run that replaces what is there has cleared its own way already.
        self.resuming = Some(run);
        self.open(origin);
    }

    fn inspect_folder(&mut self, folder: PathBuf) {
        self.inspect.opening = Some(folder.clone());
        work::open::inspect(&self.mail, folder);
        self.show(Screen::Inspect);
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn recover_folder(&mut self, folder: PathBuf) {
        // While one goes on the screen is that one's: its model stays.
        if !self.recover.is_going() {
            self.recover.opening = Some(folder.clone());
            work::recover::open(&self.mail, folder);
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
        if screen.is_going() {
            return;
        }
        // A stop is for good, so every recovery has a control of its own.
        let control = Control::default();
        let order = work::recover::Order {
            model,
            data: lessons.data.clone(),
            files: screen.files.clone(),
            teacher: screen.teacher.clone(),
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
        let Some(report) = &model.report else { return };
        let record = report.layers.iter().find(|l| l.layer == layer).cloned();
        if let (Some(record), Some(source)) = (record, report.source.clone()) {
            self.inspect.changing = Some(layer);
            work::change::start(&self.mail, model.clone(), record, source.into());
        }
    }

    fn compare_with(&mut self, folder: PathBuf) {
        self.compare.opening = true;
        work::compare::open(&self.mail, folder);
        self.show(Screen::Compare);
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
            self.compare.measure();
            work::compare::measure(&self.mail, models, self.compare.text.clone(), self.plan.settings.place.choice());
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn show_file(ctx: &egui::Context, file: &std::path::Path) {
    platform::show_file(ctx, file);
}

#[cfg(target_arch = "wasm32")]
fn show_file(_: &egui::Context, _: &std::path::Path) {}
