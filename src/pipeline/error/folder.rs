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
        /// The output's path, as it was given.
        path: PathBuf,
    },
    /// The model itself stands there.
    #[error("{} is the folder of the model itself, which is still read", path.display())]
    IsSource {
        /// The output's path, which leads to the model's folder.
        path: PathBuf,
    },
    /// Something stands there that this program did not make.
    #[error("{} exists and was not made by slimgpt, so it is not touched", path.display())]
    NotOurs {
        /// The output's path, where it stands.
        path: PathBuf,
    },
    /// An earlier output stands there.
    #[error("{} is an earlier output", path.display())]
    Exists {
        /// The output's path, where the earlier one stands.
        path: PathBuf,
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
    /// Another process works there.
    #[error("another slimgpt is working in {}; wait for it", path.display())]
    Busy {
        /// The working folder, `OUT.partial`.
        path: PathBuf,
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
