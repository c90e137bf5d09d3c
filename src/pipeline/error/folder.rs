//! What can go wrong with the output folder. Nothing that is already written is lost by any of it.

use std::path::PathBuf;

use crate::disk::DiskError;
use crate::format::bytes;
use crate::place::PlaceError;
use crate::remedy::{Remedied, Remedy};

/// Why the output folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// The output may not be put there.
    #[error("{0}")]
    Place(#[source] PlaceError),
    /// Something came to the output's place while the run went on, and is not to be replaced.
    #[error("{cause}; the pruned model is whole and kept in {}: make room for it, and the same command puts it there", path.display())]
    Taken {
        /// The working folder, `OUT.partial`.
        path: PathBuf,
        /// What stands at the output's place.
        cause: PlaceError,
    },
    /// The working folder has something in it that this program did not put there.
    #[error("{} holds \"{name}\", which slimgpt did not put there", path.display())]
    Stranger {
        /// The working folder, `OUT.partial`.
        path: PathBuf,
        /// Name of the first file that is not ours.
        name: String,
    },
    /// The working folder belongs to another run.
    #[error(
        "{} belongs to an interrupted run with other settings (different: {})", path.display(), .differences.join(", ")
    )]
    OtherRun {
        /// The working folder, `OUT.partial`.
        path: PathBuf,
        /// What is not the same.
        differences: Vec<String>,
    },
    /// The disk has too little room for what will stand there at once.
    #[error(
        "{} needs {} more at its worst moment, when the finished layers and the folder made of them stand side by side, but its disk has {}", path.display(), bytes(*needed), bytes(*free)
    )]
    Room {
        /// The working folder, `OUT.partial`.
        path: PathBuf,
        /// Bytes that are still to be written there.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// A stored file is not what was written.
    #[error("{} is damaged; delete {} and run the same command again", path.display(), folder.display())]
    Damaged {
        /// The file that is not as it was written.
        path: PathBuf,
        /// The working folder that it is in.
        folder: PathBuf,
    },
    /// The disk refused something; the cause names the path.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl From<PlaceError> for FolderError {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::Disk(error) => error.into(),
            error => Self::Place(error),
        }
    }
}

impl Remedied for FolderError {
    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Place(error) => error.remedy(),
            Self::OtherRun { .. } => Some(Remedy::StartAfresh),
            Self::Damaged { .. } | Self::Taken { .. } | Self::Disk(_) => None,
            _ => Some(Remedy::OtherPlace),
        }
    }
}
