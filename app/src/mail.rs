//! What the work behind the window sends to it. The window is woken for every message.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use eframe::egui;
use slimgpt::device::Adapter;
use slimgpt::obs::trace::Trace;
use slimgpt::pipeline::Event;

use crate::control::Control;
#[cfg(not(target_arch = "wasm32"))]
use crate::findings::{Asked, Ended, HubNews, Lessons};
use crate::findings::{Calibration, Change, Heard, Key, Outcome, Wanted};
use crate::model::{Model, Origin};

/// What the work behind the window tells it. Work of which there may be newer before it ends brings back what it was
/// for, so that nothing is credited to a model, a text or a wish that came after it.
pub enum Message {
    /// The model of the Start screen is read.
    Opened(Origin, Result<Arc<Model>, String>),
    /// The folder of the Inspect screen is read.
    Inspected(PathBuf, Result<Arc<Model>, String>),
    /// The folder of the Compare screen is read.
    Comparable(PathBuf, Result<Arc<Model>, String>),
    /// The devices that this machine has.
    Devices(Result<Vec<Adapter>, String>),
    /// Calibration text is cut into windows.
    Calibrated(Key, Result<Calibration, String>),
    /// The pruning tells something, at a second since its beginning.
    Pruning(Box<Event>, f64),
    /// The pruning of this model is over.
    Pruned(Arc<Model>, Result<Outcome, String>),
    /// The search for sizes with this control tells something, at a second since its beginning.
    Searching(Control, Box<slimgpt::search::Event>, f64),
    /// The search with this control is over; without a plan it was stopped.
    Searched(Control, Result<Option<Box<slimgpt::search::SearchPlan>>, String>),
    /// How much the weights of a layer of this pruned model were changed.
    Changed(Arc<Model>, usize, Result<Change, String>),
    /// A file was written about this folder, or made of it.
    Exported(PathBuf, Result<PathBuf, String>),
    /// One of the two models that are compared under this control says something.
    Compared(Control, usize, Heard),
    /// A layer of this model, pruned step by step.
    Traced(Arc<Model>, Wanted, Result<Box<Trace>, String>),
    /// The folder of the Recover screen is read.
    #[cfg(not(target_arch = "wasm32"))]
    Recoverable(PathBuf, Result<Arc<Model>, String>),
    /// What the Recover screen would learn is read.
    #[cfg(not(target_arch = "wasm32"))]
    Lessons(Asked, Result<Lessons, String>),
    /// The recovery tells something, at a second since its beginning.
    #[cfg(not(target_arch = "wasm32"))]
    Recovering(Box<slimgpt::recover::Event>, f64),
    /// The recovery is over.
    #[cfg(not(target_arch = "wasm32"))]
    Recovered(Result<Ended, String>),
    /// Something is heard of the Hugging Face hub.
    #[cfg(not(target_arch = "wasm32"))]
    Hub(HubNews),
    /// What a dialog was closed with.
    Picked(Pick, Result<Vec<PathBuf>, String>),
}

/// What a dialog asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// A checkpoint to open.
    Model,
    /// The same, by one of its files, or a GGUF or an archive.
    ModelFile,
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
