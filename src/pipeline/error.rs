//! What can go wrong while a plan is carried out, with the layer and the site where it did.
//! A cause is part of the sentence and so is not also the `source`, which would be told twice.

use crate::checkpoint::{ReadError, WriteError};
use crate::obs::ObsError;
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
    /// No calibration windows.
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
        /// Windows given.
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
        /// The window.
        window: usize,
        /// The token.
        token: u32,
        /// Rows of the embedding.
        vocabulary: usize,
    },
    /// The mathematics of a site failed.
    #[error("layer {layer}, {site} ({projection}): {cause}", projection = .site.projection())]
    Site {
        /// The layer.
        layer: usize,
        /// The site.
        site: Site,
        /// Why.
        cause: ObsError,
    },
    /// New weights do not fit the output's element type.
    #[error("layer {layer}: {cause}")]
    Rounding {
        /// The layer.
        layer: usize,
        /// Why.
        cause: WriteError,
    },
    /// Activations could not be read back.
    #[error("layer {layer}: activations could not be read from the device: {reason}")]
    Readback {
        /// The layer.
        layer: usize,
        /// The device's words.
        reason: String,
    },
    /// An activation is no number.
    #[error("layer {layer}: the squared error is {value}: activations or weights are not finite; check the checkpoint")]
    NotFinite {
        /// The layer.
        layer: usize,
        /// The value.
        value: f64,
    },
    /// The plan puts activations on a disk that the output does not have.
    #[error("the plan keeps the activations on disk, but the result goes to memory only; plan without room on a disk")]
    NoDisk,
    /// A layer was asked of a sink that does not have it.
    #[error("layer {layer} is not stored")]
    NotStored {
        /// The layer.
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
    /// The output folder.
    #[cfg(not(target_arch = "wasm32"))]
    #[error(transparent)]
    Folder(#[from] FolderError),
}

impl Remedied for PipelineError {
    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Site { cause, .. } => cause.remedy(),
            Self::Rounding { cause, .. } => cause.remedy(),
            Self::Readback { .. } => Some(Remedy::LessAtOnce),
            Self::NotFinite { .. } => Some(Remedy::Cpu),
            Self::Write(error) => error.remedy(),
            #[cfg(not(target_arch = "wasm32"))]
            Self::Folder(error) => error.remedy(),
            _ => None,
        }
    }
}
