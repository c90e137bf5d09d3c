//! The desktop program of slimgpt: panels are plain structs that draw what they hold; whatever
//! takes time happens on a worker thread and arrives as an event.
//!
//! For now it opens a checkpoint folder (from the command line, or dropped on the window) and
//! shows what is in it.

pub mod model_panel;
mod worker;

use std::path::{Path, PathBuf};

use eframe::egui;
use model_panel::ModelPanel;
use worker::{Event, Worker};

/// The window.
#[derive(Default)]
pub struct App {
    /// A folder to open before anything was dropped.
    first: Option<PathBuf>,
    model: ModelPanel,
    worker: Option<Worker>,
}

impl App {
    /// The window on this folder, or an empty one.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { first: folder, ..Self::default() }
    }

    /// Opens a folder in the background; an earlier one that is still being opened is forgotten.
    fn open(&mut self, folder: &Path, ctx: &egui::Context) {
        self.model = ModelPanel::Opening(folder.to_path_buf());
        self.worker = Some(Worker::open(folder.to_path_buf(), ctx.clone()));
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &egui::Context, _: &mut eframe::Frame) {
        let dropped = ctx.input(|input| input.raw.dropped_files.first().map(|file| file.path().to_path_buf()));
        if let Some(path) = self.first.take().or(dropped) {
            self.open(&folder_of(path), ctx);
        }
        if let Some(event) = self.worker.as_ref().and_then(Worker::event) {
            self.model = match event {
                Event::Opened(summary) => ModelPanel::Open(summary),
                Event::Failed(reason) => ModelPanel::Failed(reason),
            };
            self.worker = None;
        }
    }

    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        egui::CentralPanel::default().show(ui, |ui| self.model.ui(ui));
    }
}

/// Of a folder the folder; of a file in it, such as `config.json`, the folder it is in.
fn folder_of(path: PathBuf) -> PathBuf {
    match path.parent() {
        Some(parent) if path.is_file() => parent.to_path_buf(),
        _ => path,
    }
}
