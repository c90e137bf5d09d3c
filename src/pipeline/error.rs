//! What can go wrong while a plan is carried out, with the layer and the site where it did.
//! A cause is part of the sentence and so is not also the `source`, which would be told twice.

use crate::activations::CacheError;
use crate::allocate::AllocateError;
use crate::checkpoint::{ReadError, WriteError};
use crate::device::readback::ReadbackError;
use crate::obs::ObsError;
use crate::ranks::RanksError;
use crate::remedy::{Remedied, Remedy};
use crate::shape::Site;

#[cfg(not(target_arch = "wasm32"))]
mod folder;
#[cfg(not(target_arch = "wasm32"))]
pub use folder::FolderError;

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// The observer said stop. Not a fault: the same run goes on from the stored layers.
    #[error("stopped with {finished} of {layers} layers finished; the same command goes on from there")]
    Stopped {
        /// Layers that are stored.
        finished: usize,
        /// Layers of the model.
        layers: usize,
    },
    /// There is no calibration window, or one of them is empty.
    #[error("there is no calibration text: not one window was given")]
    NoWindows,
    /// The windows are not those that the plan was made for.
    #[error(
        "the plan is for {planned} windows of {planned_tokens} tokens, but {given} were given, the longest of {given_tokens}; plan again"
    )]
    Windows {
        /// Windows of the plan.
        planned: usize,
        /// Tokens of a window of the plan.
        planned_tokens: usize,
        /// Calibration windows that were given.
        given: usize,
        /// Tokens of the longest.
        given_tokens: usize,
    },
    /// The plan is for another model.
    #[error("the plan is for {planned} layers but the checkpoint has {layers}; plan again")]
    OtherModel {
        /// Layers of the plan.
        planned: usize,
        /// Layers of the checkpoint.
        layers: usize,
    },
    /// A token that the embedding has no row for.
    #[error(
        "calibration window {window} has token {token}, but the vocabulary has {vocabulary}; is this the model's own tokenizer?"
    )]
    Token {
        /// Index of the window, from 0.
        window: usize,
        /// The token's number, which is not below the vocabulary.
        token: u32,
        /// Rows of the embedding.
        vocabulary: usize,
    },
    /// The mathematics of a site failed.
    #[error("layer {layer}, {site} ({projection}): {cause}", projection = .site.projection())]
    Site {
        /// Index of the layer, from 0.
        layer: usize,
        /// Which of the layer's two prunable projections.
        site: Site,
        /// What the mathematics of the site refused.
        cause: ObsError,
    },
    /// New weights do not fit the output's element type.
    #[error("layer {layer}: {cause}")]
    Rounding {
        /// Index of the layer, from 0.
        layer: usize,
        /// Which part of the layer does not fit, and why.
        cause: WriteError,
    },
    /// Activations could not be read back.
    #[error("layer {layer}: {cause}")]
    Readback {
        /// Index of the layer, from 0.
        layer: usize,
        /// What became of the work.
        cause: ReadbackError,
    },
    /// The device refused work that no layer was told of yet.
    #[error(transparent)]
    Device(#[from] ReadbackError),
    /// An activation is no number.
    #[error("layer {layer}: the squared error is {value}: activations or weights are not finite; check the checkpoint")]
    NotFinite {
        /// Index of the layer, from 0.
        layer: usize,
        /// The squared error of one batch: infinite, or not a number.
        value: f64,
    },
    /// The sizes that follow from scores cannot be.
    #[error(transparent)]
    Allocate(#[from] AllocateError),
    /// The gradients that a selection needs could not be computed.
    #[error("gradients for the scores: {0}")]
    Gradients(String),
    /// Several devices share the work, and another one ended or is out of step.
    #[error(transparent)]
    Ranks(#[from] RanksError),
    /// One of several devices that share the work failed, which ended all.
    #[error("device {rank} of those that share the work ({device}): {cause}")]
    Rank {
        /// Its place among them, from 0.
        rank: usize,
        /// Its name.
        device: String,
        /// What went wrong there.
        cause: Box<PipelineError>,
    },
    /// Activations do not fit the numbers in which they are to be kept.
    #[error("layer {layer}: {cause}")]
    Kept {
        /// Index of the layer, from 0.
        layer: usize,
        /// Which activation does not fit.
        cause: CacheError,
    },
    /// Activations are not where they should be.
    #[error(transparent)]
    Cache(CacheError),
    /// A layer was asked of a sink that does not have it.
    #[error("layer {layer} is not stored")]
    NotStored {
        /// Index of the layer, from 0.
        layer: usize,
    },
    /// The checkpoint, or a layer that was stored, could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The output could not be encoded or written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The disk refused something in the working folder.
    #[cfg(not(target_arch = "wasm32"))]
    #[error(transparent)]
    Disk(#[from] crate::disk::DiskError),
    /// The output folder cannot be used.
    #[cfg(not(target_arch = "wasm32"))]
    #[error(transparent)]
    Folder(#[from] FolderError),
}

impl From<CacheError> for PipelineError {
    fn from(error: CacheError) -> Self {
        match error {
            CacheError::Readback(cause) => Self::Device(cause),
            #[cfg(not(target_arch = "wasm32"))]
            CacheError::Disk(error) => Self::Disk(error),
            error @ (CacheError::NoDisk | CacheError::Missing | CacheError::Overflow { .. }) => Self::Cache(error),
        }
    }
}

impl PipelineError {
    /// What became of activations that were to be kept while `layer` was worked on.
    pub(super) fn at(layer: usize) -> impl Fn(CacheError) -> Self {
        move |error| match error {
            CacheError::Readback(cause) => Self::Readback { layer, cause },
            cause @ CacheError::Overflow { .. } => Self::Kept { layer, cause },
            error => error.into(),
        }
    }

    /// Whether the device had no room for what was to be computed.
    pub fn is_out_of_memory(&self) -> bool {
        let cause = match self {
            Self::Readback { cause, .. }
            | Self::Device(cause)
            | Self::Site { cause: ObsError::Readback(cause), .. } => cause,
            Self::Rank { cause, .. } => return cause.is_out_of_memory(),
            _ => return false,
        };
        *cause == ReadbackError::OutOfMemory
    }

    /// Whether nothing went wrong here: another rank failed, which has its own error.
    pub fn is_of_another_rank(&self) -> bool {
        let cause = match self {
            Self::Ranks(cause) | Self::Site { cause: ObsError::Ranks(cause), .. } => cause,
            _ => return false,
        };
        *cause == RanksError::Ended
    }
}

impl Remedied for PipelineError {
    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Site { cause, .. } => cause.remedy(),
            Self::Allocate(error) => error.remedy(),
            // Layers before this one may be finished, in the type that is too narrow.
            Self::Rounding { cause, .. } => cause.remedy().map(|_| Remedy::WiderTypeAfresh),
            Self::Readback { cause, .. } | Self::Device(cause) => cause.remedy(),
            Self::Kept { .. } => Some(Remedy::WiderActivations),
            Self::NotFinite { .. } => Some(Remedy::Cpu),
            Self::Rank { cause, .. } => cause.remedy(),
            Self::Write(error) => error.remedy(),
            #[cfg(not(target_arch = "wasm32"))]
            Self::Folder(error) => error.remedy(),
            _ => None,
        }
    }
}
