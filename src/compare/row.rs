//! What became of a cell.

use serde::{Deserialize, Serialize};

use super::Cell;
use crate::pipeline::Report;

/// A cell with what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellResult {
    /// The choices that were tried.
    #[serde(flatten)]
    pub cell: Cell,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What became of a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was pruned and measured.
    Measured(Figures),
    /// It cannot be done, in the words of the error.
    Refused(String),
}

/// What was measured of a pruned model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Parameters that are left, embeddings included.
    pub parameters: usize,
    /// The share of the decoder layers' parameters that went.
    pub decoder_ratio: f64,
    /// Perplexity by the comparison's protocol.
    pub perplexity: f64,
    /// Σ ‖X(W − Ŵ)ᵀ‖² over all sites and calibration tokens, as measured.
    pub error: f64,
    /// The same as the mathematics predicts it.
    pub predicted_error: f64,
    /// The measured error as a share of Σ ‖XWᵀ‖².
    pub relative_error: f64,
    /// Seconds it took to prune.
    pub seconds: f64,
}

/// What was measured of the model as it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dense {
    /// Parameters of the whole model, embeddings included.
    pub parameters: usize,
    /// Perplexity by the comparison's protocol.
    pub perplexity: f64,
}

impl Figures {
    /// Of a finished run and its perplexity.
    pub fn new(report: &Report, perplexity: f64) -> Self {
        let sites = || report.layers.iter().flat_map(|l| [&l.heads, &l.channels]);
        // One quotient of sums: a site counts by what it computes, not as one of so many.
        let error: f64 = sites().map(|s| s.measured_loss).sum();
        let signal: f64 = sites().map(|s| s.signal).sum();
        Self {
            parameters: report.parameters_after,
            decoder_ratio: report.plan.decoder_ratio(),
            perplexity,
            error,
            predicted_error: sites().map(|s| s.predicted_loss).sum(),
            relative_error: if signal > 0.0 { error / signal } else { 0.0 },
            seconds: report.timing.layer_seconds.iter().sum(),
        }
    }
}

impl CellResult {
    /// The figures, where there are some.
    pub fn figures(&self) -> Option<&Figures> {
        match &self.outcome {
            Outcome::Measured(figures) => Some(figures),
            Outcome::Refused(_) => None,
        }
    }
}
