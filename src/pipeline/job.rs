//! What a run works with.

use super::{Plan, Typed, UnitScores};
use crate::checkpoint::{Checkpoint, Types};
use crate::device::{Device, Peak};

/// The model, the text, the plan, and what the library has not of its own: device, clock, memory.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The model to prune, read layer by layer.
    pub checkpoint: &'a Checkpoint,
    /// The tokens of each calibration window; lengths may differ.
    pub windows: &'a [Vec<u32>],
    /// The checked request, made for this very model.
    pub plan: &'a Plan,
    /// Scores of every layer's units, where the selection or the sizes follow from such and the caller has them.
    pub scores: Option<&'a [UnitScores]>,
    /// Where the activations are computed.
    pub device: &'a Device,
    /// Seconds since any fixed moment; the library has no clock of its own.
    pub clock: &'a dyn Fn() -> f64,
    /// The most memory seen in use so far, asked after every event; [`Peak::unknown`] measures nothing.
    pub memory: &'a dyn Fn() -> Peak,
    /// What was typed to start the run, for its report.
    pub typed: Option<&'a Typed>,
}

impl Job<'_> {
    /// What each tensor of the output is stored in: as asked, else in its own type.
    pub fn types(&self) -> Types {
        self.checkpoint.types(self.plan.request.dtype)
    }
}
