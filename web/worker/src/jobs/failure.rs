//! Why a job was not done, in words, and whether the next one can be.

use std::fmt::Display;

use slimgpt::checkpoint::ReadError;
use slimgpt::device::readback::ReadbackError;
use slimgpt::eval::EvalError;
use slimgpt::obs::ObsError;
use slimgpt::pipeline::{PipelineError, PlanError};
use slimgpt::text::TextError;

/// Why a job was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// For the reader.
    pub words: String,
    /// Whether the device is of no use any more.
    pub broken: bool,
}

impl Failure {
    /// What is asked cannot be done; anything else still can.
    pub fn refused(words: impl Display) -> Self {
        Self { words: words.to_string(), broken: false }
    }

    fn broken_if(broken: bool, words: impl Display) -> Self {
        Self { broken, ..Self::refused(words) }
    }
}

impl From<ReadbackError> for Failure {
    fn from(error: ReadbackError) -> Self {
        Self::broken_if(true, error)
    }
}

impl From<ObsError> for Failure {
    fn from(error: ObsError) -> Self {
        Self::broken_if(matches!(error, ObsError::Readback(_)), error)
    }
}

impl From<PipelineError> for Failure {
    fn from(error: PipelineError) -> Self {
        use PipelineError::{Device, Readback, Site};
        let broken = matches!(error, Readback { .. } | Device(_) | Site { cause: ObsError::Readback(_), .. });
        Self::broken_if(broken, error)
    }
}

impl From<EvalError> for Failure {
    fn from(error: EvalError) -> Self {
        Self::broken_if(matches!(error, EvalError::Readback(_) | EvalError::Room { .. }), error)
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        Self::refused(error)
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::refused(error)
    }
}

impl From<TextError> for Failure {
    fn from(error: TextError) -> Self {
        Self::refused(error)
    }
}
