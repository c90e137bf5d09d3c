//! What the work behind the window finds out: plain data that messages carry and screens show.

use std::path::PathBuf;
use std::sync::Arc;

use slimgpt::pipeline::Report;
use slimgpt::shape::Site;
use slimgpt::text::Windows;

#[cfg(not(target_arch = "wasm32"))]
use crate::control::Control;

/// What decides the windows: while it stays the same they need not be cut again.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// The texts; none is the shipped text, for the shipped model.
    pub files: Vec<PathBuf>,
    /// The key of the text in JSON lines.
    pub text_key: String,
    /// How they are cut.
    pub which: Windows,
    /// The folder whose tokenizer cuts.
    pub model: Option<PathBuf>,
}

/// Calibration windows, ready to use.
#[derive(Clone)]
pub struct Calibration {
    /// Token ids, window by window.
    pub windows: Arc<Vec<Vec<u32>>>,
    /// The first windows as text.
    pub preview: Vec<String>,
}

/// What compensation did to a layer: ‖ŵ − w‖ / ‖w‖ of every unit that stays, with its index.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Change {
    /// Query heads, by their columns of o_proj.
    pub heads: Vec<(usize, f64)>,
    /// Channels, by their columns of down_proj.
    pub channels: Vec<(usize, f64)>,
}

/// What one of the two says.
pub enum Heard {
    /// More text, so many tokens so far, in so many seconds of its own.
    Text(String, usize, f64),
    /// It has nothing more to say, or cannot.
    Silent(Result<(), String>),
    /// Measuring: steps done, of so many.
    Measuring(usize, usize),
    /// Its perplexity, over so many predictions.
    Perplexity(Result<(f64, usize), String>),
}

/// Which layer is pruned step by step, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wanted {
    /// The layer, counted from 0.
    pub layer: usize,
    /// Which of its two linear layers.
    pub site: Site,
    /// How many heads or channels go.
    pub remove: usize,
    /// λ in units of the mean diagonal.
    pub damping: f64,
}

/// How a run ended.
pub enum Outcome {
    /// The folder is whole.
    Finished(Box<Report>),
    /// Stopped; so many layers of so many are stored.
    Stopped(usize, usize),
}

/// What decides what is learnt: while it stays the same the files need not be read again.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The model's folder.
    pub model: Option<PathBuf>,
    /// The files.
    pub files: Vec<PathBuf>,
    /// How they are cut, and what is held out.
    pub settings: slimgpt::recover::Settings,
}

/// What would be learnt, and the first of it as text.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Clone)]
pub struct Lessons {
    /// All of it.
    pub data: Arc<slimgpt::recover::Data>,
    /// Of the first examples, stretches of text and whether they are learnt.
    pub shown: Vec<Vec<(String, bool)>>,
}

/// What is heard of the Hugging Face hub.
#[cfg(not(target_arch = "wasm32"))]
pub enum HubNews {
    /// The models that its cache holds whole.
    Cached(Result<Vec<slimgpt::hub::Cached>, String>),
    /// How far the download with this control is.
    Arrived(Control, slimgpt::hub::Pace),
    /// What the download with this control waits for.
    HeldUp(Control, String),
    /// The download with this control is over: the model's folder; without one it was stopped.
    Ended(Control, Result<Option<PathBuf>, String>),
}

/// How a recovery ended.
#[cfg(not(target_arch = "wasm32"))]
pub enum Ended {
    /// The folder is whole.
    Finished(Box<slimgpt::recover::Record>),
    /// Stopped; so many steps of so many are done.
    Stopped(usize, usize),
}
