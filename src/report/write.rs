//! The page of a pruned folder, in the folder.

use std::path::Path;

use super::{FILE, Folder, ReportError, page};
use crate::place::{Kind, Place};

/// Leaves the page of a pruned folder in the folder.
///
/// # Errors
/// When the folder is not one, or the disk refuses.
pub fn write_into(folder: &Path) -> Result<(), ReportError> {
    let page = page(&[Folder::open(folder)?], &[])?;
    Ok(Place::new(&folder.join(FILE), Kind::Page, true).write(page.as_bytes())?)
}
