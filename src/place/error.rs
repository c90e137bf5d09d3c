//! Why something may not be put in a place. Nothing that stands there is touched by any of it.

use std::path::PathBuf;

use crate::disk::DiskError;
use crate::remedy::{Remedied, Remedy};

/// Why something may not be put in a place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// The path ends in `..` or is the root.
    #[error("{} has no name of its own", path.display())]
    NoName {
        /// The output's path, as it was given.
        path: PathBuf,
    },
    /// What the command reads stands there.
    #[error("{} is {}", path.display(), if *model { "the folder of the model itself, which is still read" } else { "read by this very command" })]
    IsRead {
        /// The output's path.
        path: PathBuf,
        /// Whether it is a model's folder.
        model: bool,
    },
    /// What the command reads is in the folder that would be replaced.
    #[error("{} holds {}, which is still read", path.display(), read.display())]
    HoldsRead {
        /// The output's path.
        path: PathBuf,
        /// What lies in it.
        read: PathBuf,
    },
    /// The folder would be made inside of a model.
    #[error("{} is inside of the model {}", path.display(), model.display())]
    InModel {
        /// The output's path.
        path: PathBuf,
        /// The model's folder.
        model: PathBuf,
    },
    /// Something stands there that this program did not make.
    #[error("{} exists and {what}, so it is not touched", path.display())]
    NotOurs {
        /// The output's path, where it stands.
        path: PathBuf,
        /// What it is not.
        what: &'static str,
    },
    /// A folder of ours has something in it that this program did not put there.
    #[error("{} holds \"{name}\", which slimgpt did not put there, so it is not replaced", path.display())]
    Stranger {
        /// The output's path.
        path: PathBuf,
        /// Name of the first entry that is not ours.
        name: String,
    },
    /// Another disk begins there, and the result would have to take its place.
    #[error("{} is a mount point, which cannot be exchanged for a new folder; a folder inside of it can", path.display())]
    Mounted {
        /// The output's path.
        path: PathBuf,
    },
    /// An earlier output stands there.
    #[error("{} exists: it is an earlier output", path.display())]
    Exists {
        /// The output's path, where the earlier one stands.
        path: PathBuf,
    },
    /// Another process works there.
    #[error("another slimgpt is working at {}; wait for it", path.display())]
    Busy {
        /// The output's path, or the working folder.
        path: PathBuf,
    },
    /// The disk refused something; the cause names the path.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Remedied for PlaceError {
    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Exists { .. } => Some(Remedy::Replace),
            Self::Disk(_) => None,
            _ => Some(Remedy::OtherPlace),
        }
    }
}
