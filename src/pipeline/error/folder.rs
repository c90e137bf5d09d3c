//! What can go wrong with the output folder. Nothing that is already written is lost by any of it.

use std::path::PathBuf;

use crate::disk::DiskError;
use crate::remedy::{Remedied, Remedy};

/// Why the output folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// The path ends in `..` or is the root.
    #[error("{} has no name of its own", path.display())]
    NoName {
        /// The path.
        path: PathBuf,
    },
    /// The model itself stands there.
    #[error("{} is the folder of the model itself, which is still read", path.display())]
    IsSource {
        /// The path.
        path: PathBuf,
    },
    /// Something stands there that this program did not make.
    #[error("{} exists and was not made by slimgpt, so it is not touched", path.display())]
    NotOurs {
        /// The path.
        path: PathBuf,
    },
    /// An earlier output stands there.
    #[error("{} is an earlier output", path.display())]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// The working folder has something in it that this program did not put there.
    #[error("{} holds \"{name}\", which slimgpt did not put there", path.display())]
    Stranger {
        /// The working folder.
        path: PathBuf,
        /// The file.
        name: String,
    },
    /// The working folder belongs to another run.
    #[error(
        "{} belongs to an interrupted run with other settings (different: {})", path.display(), .differences.join(", ")
    )]
    OtherRun {
        /// The working folder.
        path: PathBuf,
        /// What is not the same.
        differences: Vec<String>,
    },
    /// Another process works there.
    #[error("another slimgpt is working in {}; wait for it", path.display())]
    Busy {
        /// The working folder.
        path: PathBuf,
    },
    /// A stored file is not what was written.
    #[error("{} is damaged; delete {} and run the same command again", path.display(), folder.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The working folder.
        folder: PathBuf,
    },
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Remedied for FolderError {
    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Exists { .. } => Some(Remedy::Replace),
            Self::OtherRun { .. } => Some(Remedy::StartAfresh),
            Self::Damaged { .. } | Self::Disk(_) => None,
            _ => Some(Remedy::OtherPlace),
        }
    }
}
