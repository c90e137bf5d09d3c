//! What the work behind the window sends to it. The window is woken for every message.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use eframe::egui;
use slimgpt::device::Adapter;
use slimgpt::obs::trace::Trace;
use slimgpt::pipeline::Event;

use crate::findings::{Calibration, Change, Heard, Key, Outcome};
use crate::model::Model;

/// What the work behind the window tells it.
pub enum Message {
    /// The folder of the Start screen is read.
    Opened(Result<Arc<Model>, String>),
    /// The folder of the Inspect screen is read.
    Inspected(Result<Arc<Model>, String>),
    /// The devices that this machine has.
    Devices(Vec<Adapter>),
    /// Calibration text is cut into windows.
    Calibrated(Key, Result<Calibration, String>),
    /// The pruning tells something, at a second since its beginning.
    Pruning(Box<Event>, f64),
    /// The pruning is over.
    Pruned(Result<Outcome, String>),
    /// The search for sizes tells something, at a second since its beginning.
    Searching(Box<slimgpt::search::Event>, f64),
    /// The search is over; without a plan it was stopped.
    Searched(Result<Option<Box<slimgpt::search::SearchPlan>>, String>),
    /// How much the weights of a layer were changed.
    Changed(usize, Result<Change, String>),
    /// A file was written.
    Exported(Result<std::path::PathBuf, String>),
    /// One of the two models of the Compare screen says something.
    Compared(usize, Heard),
    /// A layer of a model, pruned step by step.
    Traced(Result<Box<Trace>, String>),
    /// The folder of the Recover screen is read.
    #[cfg(not(target_arch = "wasm32"))]
    Recoverable(Result<Arc<Model>, String>),
    /// What the Recover screen would learn is read.
    #[cfg(not(target_arch = "wasm32"))]
    Lessons(Result<crate::findings::Lessons, String>),
    /// The recovery tells something, at a second since its beginning.
    #[cfg(not(target_arch = "wasm32"))]
    Recovering(Box<slimgpt::recover::Event>, f64),
    /// The recovery is over.
    #[cfg(not(target_arch = "wasm32"))]
    Recovered(Result<crate::findings::Ended, String>),
    /// What a dialog was closed with.
    Picked(Pick, Vec<std::path::PathBuf>),
    /// Work ended in a panic; nothing else will come of it.
    Panicked(String),
}

/// What a dialog asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// A checkpoint to open.
    Model,
    /// Texts to calibrate on.
    Calibration,
    /// Where the pruned model goes: the folder it is made in.
    Out,
    /// A folder to inspect.
    Inspect,
    /// A text to judge by.
    Evaluation,
    /// The pruned model to compare with.
    Compare,
    /// The model to recover.
    Recover,
    /// What it learns from.
    Lessons,
    /// The dense model that teaches.
    Teacher,
}

/// Where work puts its messages.
#[derive(Clone)]
pub struct Mail {
    sender: Sender<Message>,
    ctx: egui::Context,
}

impl Mail {
    /// A box and its one reader.
    pub fn new(ctx: egui::Context) -> (Self, Receiver<Message>) {
        let (sender, receiver) = channel();
        (Self { sender, ctx }, receiver)
    }

    /// Sends, and wakes the window.
    pub fn send(&self, message: Message) {
        // Nobody reads any more when the window is closed.
        let _ = self.sender.send(message);
        // After the message, or the window could wake and find none.
        self.ctx.request_repaint();
    }
}
