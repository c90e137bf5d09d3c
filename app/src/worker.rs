//! The thread that opens a checkpoint: a folder of many gigabytes on a slow disk takes a while,
//! and the window must not stand still for it.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};

use eframe::egui;
use slimgpt::checkpoint::Checkpoint;

use crate::model_panel::Summary;

/// What the worker has to say.
pub enum Event {
    /// The folder is a checkpoint.
    Opened(Summary),
    /// It is not, and why.
    Failed(String),
}

/// A folder being opened.
pub struct Worker {
    events: Receiver<Event>,
}

impl Worker {
    /// Starts; `ctx` is woken when there is something to show.
    pub fn open(folder: PathBuf, ctx: egui::Context) -> Self {
        let (sender, events) = channel();
        std::thread::spawn(move || {
            let event = match Checkpoint::open(&folder) {
                Ok(checkpoint) => Event::Opened(Summary::of(&checkpoint)),
                Err(reason) => Event::Failed(reason.to_string()),
            };
            // Nobody listens when another folder was dropped meanwhile.
            let _ = sender.send(event);
            ctx.request_repaint();
        });
        Self { events }
    }

    /// What has arrived since the last look.
    pub fn event(&self) -> Option<Event> {
        self.events.try_recv().ok()
    }
}
