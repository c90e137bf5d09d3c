//! Why a request cannot be done to a model: which number, and what speaks against it.

use crate::allocate::AllocateError;
use crate::pipeline::{MemoryError, Request};
use crate::remedy::{Remedied, Remedy};
use crate::shape::{Family, Site};

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
    /// The method has a gate at every site, and not every layer has both.
    #[error(
        "the method chooses by training every layer's heads and channels, and layer {layer} has no {}", site.half()
    )]
    Halved {
        /// Index of the layer, from 0.
        layer: usize,
        /// Which half it lacks.
        site: Site,
    },
    /// What is drawn to the dense model is the residual stream, to which the family adds something else.
    #[error(
        "layers are drawn to the dense model by what o_proj and down_proj add, and a {family:?} norms or multiplies that \
         first"
    )]
    NoDraw {
        /// The family that does so.
        family: Family,
    },
    /// Heads are to go of a model that norms all heads together.
    #[error(
        "layer {layer} would lose heads, and a {family:?} norms the queries of all its heads together, and the keys: without \
         one the others would compute otherwise, so only its channels are pruned"
    )]
    BoundHeads {
        /// The first layer that would lose any.
        layer: usize,
        /// The family that does so.
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
            Self::NoBiases { .. } | Self::Halved { .. } | Self::NoDraw { .. } => Some(Remedy::OtherMethod),
            Self::BoundHeads { .. } => Some(Remedy::KeepHeads),
            Self::Memory(error) => error.remedy(),
        }
    }
}
