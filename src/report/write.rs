//! The page of a pruned folder, in the folder.

use std::path::Path;

use super::{FILE, Folder, ReportError, page};
use crate::disk;

/// Leaves the page of a pruned folder in the folder.
///
/// # Errors
/// When the folder is not one, or the disk refuses.
pub fn write_into(folder: &Path) -> Result<(), ReportError> {
    Ok(disk::write(&folder.join(FILE), page(&[Folder::open(folder)?], &[])?.as_bytes())?)
}
