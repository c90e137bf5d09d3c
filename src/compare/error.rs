//! Why a comparison ended early. Finished cells stay finished.

use std::path::PathBuf;

use crate::disk::DiskError;
use crate::eval::EvalError;
use crate::pipeline::{FolderError, PipelineError};
use crate::place::PlaceError;
use crate::remedy::{Remedied, Remedy};

/// Why a comparison ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// The observer said stop. Not a fault: the same command goes on.
    #[error("stopped with {finished} of {cells} cells finished; the same command goes on from there")]
    Stopped {
        /// Cells with a row.
        finished: usize,
        /// Cells of the grid.
        cells: usize,
    },
    /// Pruning failed in a way that other cells would fail too.
    #[error("{cell}: {cause}")]
    Pruning {
        /// The cell's name, which is that of its folder.
        cell: String,
        /// What the pipeline said.
        cause: Box<PipelineError>,
    },
    /// A model could not be measured.
    #[error("{cell}: measuring: {cause}")]
    Measuring {
        /// The cell's name, or "dense".
        cell: String,
        /// What the evaluation said.
        cause: Box<EvalError>,
    },
    /// A pruned model could not be trained.
    #[cfg(feature = "gradients")]
    #[error("{cell}: recovering: {cause}")]
    Recovering {
        /// The cell's name.
        cell: String,
        /// What the recovery said.
        cause: Box<crate::session::RecoverySessionError>,
    },
    /// Results may not be put where they are to be.
    #[error("{0}")]
    Place(#[from] PlaceError),
    /// The folder has results of another model.
    #[error(
        "{} holds a comparison of another model, {theirs}; results of {ours} would stand beside it as if they compared",
        folder.display()
    )]
    OtherModel {
        /// The folder of results.
        folder: PathBuf,
        /// What the other model is called.
        theirs: String,
        /// What this one is called.
        ours: String,
    },
    /// The folder of results, or what stands in it, cannot be used.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The folder of a cell cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The figures of a cell could not be kept in its folder.
    #[error(transparent)]
    Evaluation(#[from] EvalError),
    /// A page could not be made.
    #[error(transparent)]
    Report(#[from] crate::report::ReportError),
}

impl CompareError {
    /// Whether the work within a cell ended because the observer said so.
    pub(super) fn is_stop(&self) -> bool {
        match self {
            Self::Pruning { cause, .. } => matches!(**cause, PipelineError::Stopped { .. }),
            #[cfg(feature = "gradients")]
            Self::Recovering { cause, .. } => {
                use crate::recover::RecoverError;
                use crate::session::RecoverySessionError;
                matches!(**cause, RecoverySessionError::Recovery(RecoverError::Stopped { .. }))
            }
            _ => false,
        }
    }
}

impl Remedied for CompareError {
    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Pruning { cause, .. } => cause.remedy(),
            Self::Measuring { cause, .. } => cause.remedy(),
            Self::Folder(error) => error.remedy(),
            Self::Place(error) => error.remedy(),
            Self::OtherModel { .. } => Some(Remedy::OtherPlace),
            Self::Evaluation(error) => error.remedy(),
            _ => None,
        }
    }
}
