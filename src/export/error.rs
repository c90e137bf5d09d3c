//! Why a model cannot be written in a form, and what to do instead.

use std::path::PathBuf;

use crate::checkpoint::{ReadError, WriteError};
use crate::disk::DiskError;
use crate::place::PlaceError;
use crate::quant::QuantError;
use crate::remedy::{Remedied, Remedy};
use crate::text::TextError;

/// Why an export was refused or failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The target has no place for something the model has.
    #[error("{target} cannot hold this model: {reason}; {remedy}")]
    CannotHold {
        /// The form that was asked for.
        target: &'static str,
        /// What the model has that the target lacks.
        reason: String,
        /// What to do instead.
        remedy: &'static str,
    },
    /// The tokenizer cannot be said in the target's words.
    #[error("{}: {reason}, which GGUF cannot express", path.display())]
    Tokenizer {
        /// Path of the tokenizer.json.
        path: PathBuf,
        /// What it has that GGUF lacks.
        reason: String,
    },
    /// The settings of the tokenizer cannot be read.
    #[error(transparent)]
    Settings(TextError),
    /// The values of a tensor cannot be stored in blocks.
    #[error("{tensor}: {cause}")]
    Quantised {
        /// Its name in the file.
        tensor: String,
        /// What is wrong with them.
        cause: QuantError,
    },
    /// The result may not be put there.
    #[error("{0}")]
    Place(#[from] PlaceError),
    /// The model was not opened from a folder.
    #[error("the model has no folder, and so no tokenizer; save it to a folder first")]
    NoFolder,
    /// The disk refused something; the cause names the path.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The checkpoint could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A value does not fit, or the weights could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl Remedied for ExportError {
    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Place(error) => error.remedy(),
            Self::Write(error) => error.remedy(),
            // Blocks have scales of half precision.
            Self::Quantised { cause: QuantError::TooLarge { .. }, .. } => Some(Remedy::WiderType),
            _ => None,
        }
    }
}
