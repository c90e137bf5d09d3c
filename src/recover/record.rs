//! `slimgpt-recovery.json`: what was learnt from what, and how the losses went.

use serde::{Deserialize, Serialize};

use super::{RecoveryPlan, Settings};
use crate::pipeline::Timing;

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Counted from 1.
    pub step: usize,
    /// Mean −log p (or divergence from the teacher) of the tokens that count.
    pub loss: f64,
    /// Norm of the gradient before it was shortened.
    pub gradient_norm: f64,
    /// The learning rate.
    pub rate: f64,
}

/// One look at the held-out sequences.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldOut {
    /// Steps done before it.
    pub step: usize,
    /// Mean loss of their tokens that count.
    pub loss: f64,
}

/// Everything about a recovery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The program's version.
    pub version: String,
    /// What tells this run from others.
    pub run_id: String,
    /// The folder that was trained.
    pub source: Option<String>,
    /// The dense model that taught it, if one did.
    pub teacher: Option<String>,
    /// The device that computed.
    pub device: String,
    /// What was asked for.
    pub settings: Settings,
    /// What the data was.
    pub data: Vec<String>,
    /// SHA-256 of its tokens.
    pub data_sha256: String,
    /// Sequences that were learnt from.
    pub examples: usize,
    /// Sequences that were held out.
    pub held_out_examples: usize,
    /// Tokens that count in them, once through.
    pub tokens: usize,
    /// Numbers that were learnt.
    pub parameters: usize,
    /// Where everything lay.
    pub plan: RecoveryPlan,
    /// The step whose numbers were kept: the one of least held-out loss.
    pub kept: usize,
    /// Every step.
    pub steps: Vec<StepRecord>,
    /// Every look at the held-out sequences.
    pub held_out: Vec<HeldOut>,
    /// Seconds and bytes of the session that finished it; all the rest is the same for equal runs.
    pub timing: Timing,
}

impl Record {
    /// The file's name in the output folder.
    pub const FILE: &'static str = "slimgpt-recovery.json";

    /// The held-out loss before the first step, and of what was kept.
    pub fn held_out_change(&self) -> Option<[f64; 2]> {
        let of = |step| self.held_out.iter().find(|look| look.step == step).map(|look| look.loss);
        Some([of(0)?, of(self.kept)?])
    }
}
