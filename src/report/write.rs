//! Pages on disk: whole under their name, or not there.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use super::{FILE, Folder, ReportError, page};

/// Writes a page under another name, flushes it, and gives it its name.
///
/// # Errors
/// When the disk refuses.
pub fn write(path: &Path, page: &str) -> Result<(), ReportError> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let written = File::create(&unfinished).and_then(|mut file| {
        file.write_all(page.as_bytes())?;
        file.sync_all()
    });
    written
        .and_then(|()| fs::rename(&unfinished, path))
        .map_err(|e| ReportError::Unwritable { file: path.into(), reason: e.to_string() })
}

/// Leaves the page of a pruned folder in the folder.
///
/// # Errors
/// When the folder is not one, or the disk refuses.
pub fn write_into(folder: &Path) -> Result<(), ReportError> {
    write(&folder.join(FILE), &page(&[Folder::open(folder)?], &[])?)
}
