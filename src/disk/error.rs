//! What the disk refused, and what helps.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The disk refused something. Whatever stood there before still does.
#[derive(Debug, thiserror::Error)]
#[error("{} could not be {action}: {cause}{}", path.display(), remedy(action, cause.kind()))]
pub struct DiskError {
    /// What was to be done: "read", "written", "made", "given its name"…
    pub action: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// The system's words. They are part of the sentence, and so not also the `source`.
    pub cause: io::Error,
}

impl DiskError {
    /// Adds to the system's words that `path` was to be `action`.
    pub fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self { action, path: path.into(), cause }
    }
}

fn remedy(action: &str, kind: ErrorKind) -> &'static str {
    // Who only wants to read is not helped by a place that can be written.
    let reading = ["read", "looked at"].contains(&action);
    match kind {
        ErrorKind::NotFound | ErrorKind::NotADirectory => "; check the path",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "; free some space there and try again: what is finished stays finished"
        }
        ErrorKind::PermissionDenied if reading => "; change its permissions",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "; choose a place that can be written, or change its permissions, and try again"
        }
        _ => "",
    }
}
