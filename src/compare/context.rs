//! What a comparison works with, and what it tells.

use std::path::Path;

use super::{Cell, CellResult, Protocol};
use crate::checkpoint::Checkpoint;
use crate::device::{Device, Peak};
use crate::eval::Timed;
use crate::eval::tasks::{Placed, Question, Task};
use crate::pipeline::{self, Flow, Limits, Request, Typed};
use crate::text::TextError;

/// What all cells share.
pub struct GridContext<'a> {
    /// The dense model, from which every cell is pruned.
    pub checkpoint: &'a Checkpoint,
    /// What it is called.
    pub model: &'a str,
    /// Where it is computed.
    pub device: &'a Device,
    /// What the device and the machine can hold.
    pub limits: Limits,
    /// Everything that the cells do not say.
    pub base: Request,
    /// The text that every model is measured on.
    pub evaluation: Evaluation,
    /// How every row is trained afterwards, if it is.
    #[cfg(feature = "gradients")]
    pub recovery: Option<Recovery<'a>>,
    /// Cuts a cell's calibration windows.
    pub calibrate: &'a Calibrate<'a>,
    /// Where results and pruned folders lie.
    pub out: &'a Path,
    /// Whether the pruned weights stay when they are measured.
    pub keep_weights: bool,
    /// Seconds since any fixed moment.
    pub clock: &'a dyn Fn() -> f64,
    /// The most memory seen in use so far.
    pub memory: &'a dyn Fn() -> Peak,
    /// What was typed to start the comparison.
    pub typed: Option<&'a Typed>,
}

/// How every row is trained.
#[cfg(feature = "gradients")]
pub struct Recovery<'a> {
    /// What it learns from, cut by the dense model's tokenizer, which is that of every row.
    pub data: &'a crate::recover::Data,
    /// What the data is called.
    pub sources: &'a [String],
    /// How it learns.
    pub settings: &'a crate::recover::Settings,
    /// Whether the dense model teaches.
    pub is_taught: bool,
}

#[cfg(feature = "gradients")]
impl Recovery<'_> {
    /// What decides a result besides the pruned model.
    pub(super) fn identity(&self) -> String {
        // Numbers and strings always have a JSON form.
        let settings = serde_json::to_string(self.settings).unwrap_or_default();
        format!(", recovered on {} by {settings}{}", self.data.sha256(), if self.is_taught { ", taught" } else { "" })
    }
}

/// Cuts the calibration windows of a cell.
pub type Calibrate<'a> = dyn Fn(&Cell) -> Result<Vec<Vec<u32>>, TextError> + 'a;

/// What every model is measured on.
pub struct Evaluation {
    /// Token ids, window by window; at least two in each.
    pub windows: Vec<Vec<u32>>,
    /// Where they come from.
    pub protocol: Protocol,
    /// Tasks with choices, if some are asked for.
    pub tasks: Vec<TaskSet>,
    /// How latency is measured, if it is asked for.
    pub timed: Option<Timed>,
}

/// A task with choices, encoded.
pub struct TaskSet {
    /// `None` for MMLU, which is not scored like the seven.
    pub task: Option<&'static Task>,
    /// Task, data and protocol in words.
    pub what: String,
    /// What will be asked.
    pub questions: Vec<Placed<Question>>,
}

/// What a comparison tells its observer.
pub enum Event<'a> {
    /// A cell begins; `None` is the dense model.
    Started {
        /// Its place among the cells.
        index: usize,
        /// What will be pruned and measured.
        cell: Option<&'a Cell>,
    },
    /// The pipeline told something.
    Pruning(&'a pipeline::Event),
    /// The recovery told something.
    #[cfg(feature = "gradients")]
    Recovering(&'a crate::recover::Event),
    /// A model is being measured.
    Measuring {
        /// Steps that are done.
        done: usize,
        /// Steps of the whole measurement.
        total: usize,
    },
    /// A cell has its row.
    Finished {
        /// Its place among the cells.
        index: usize,
        /// What became of the cell.
        row: &'a CellResult,
        /// Whether it was there already.
        reused: bool,
    },
}

pub(super) type OnEvent<'a> = &'a mut dyn FnMut(Event<'_>) -> Flow;
