//! Why a request cannot be done to a model: which number, and what speaks against it.

use crate::allocate::AllocateError;
use crate::pipeline::{MemoryError, Request};
use crate::remedy::{Remedied, Remedy};
use crate::shape::Family;

/// Why a request cannot be done to a model.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// No sizes of layers come of it.
    #[error(transparent)]
    Allocate(#[from] AllocateError),
    /// The damping is no fraction.
    #[error("the damping {0} is not a number of at least 0; 0.01 is usual")]
    Damping(f64),
    /// What layers are drawn to is no share.
    #[error("layers are drawn by {0} to the dense model; it is a number from 0 to 1")]
    Residual(f64),
    /// Swaps of what is not eliminated.
    #[error("units change places after they went one by one, and this method ranks all of them at once")]
    SwapsOfRanking,
    /// More text than can be counted in bytes.
    #[error(
        "{windows} calibration windows of {length} tokens are more than {most} tokens, more than any calibration needs; \
         256 windows are usual"
    )]
    TooMuchText {
        /// Calibration windows that were asked for.
        windows: usize,
        /// Tokens of each window.
        length: usize,
        /// Most tokens of all windows together.
        most: usize,
    },
    /// The family has no place for the biases that the method adds.
    #[error("the method flap adds a bias to every projection, which a {family:?} model has no place for")]
    NoBiases {
        /// The family whose layers have no such biases.
        family: Family,
    },
    /// It does not fit.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

impl Remedied for PlanError {
    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Allocate(error) => error.remedy(),
            Self::Damping(_) => Some(Remedy::UsualDamping),
            Self::TooMuchText { .. } => Some(Remedy::Windows(Request::default().windows as u64)),
            Self::Residual(_) | Self::SwapsOfRanking => None,
            Self::NoBiases { .. } => Some(Remedy::OtherMethod),
            Self::Memory(error) => error.remedy(),
        }
    }
}
