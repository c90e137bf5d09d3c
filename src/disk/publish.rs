//! Giving a whole folder its name. What had the name loses it only to its successor.

use std::fs;
use std::io;
use std::path::Path;

use super::DiskError;
use super::place::{flush, flush_names, is_empty, parent_of, remove_folder};

/// In a working folder: what will have the name.
pub const FINAL: &str = "final";
/// In a working folder: what had the name, for the moment in which nothing has it.
pub const REPLACED: &str = "replaced";

/// Flushes `work/final` and gives it the name `out`. What stands there is removed when it has lost
/// the name. `work` is held by the caller, and on the file system of `out`.
///
/// # Errors
/// When the disk refuses; what stood there before still does.
pub fn publish(work: &Path, out: &Path) -> Result<(), DiskError> {
    let (whole, replaced) = (work.join(FINAL), work.join(REPLACED));
    put_back(work, out)?;
    flush(&whole)?;
    if exchange(&whole, out).is_err() {
        if out.symlink_metadata().is_ok() {
            rename(out, &replaced)?;
        }
        if let Err(refused) = rename(&whole, out) {
            put_back(work, out)?;
            return Err(refused);
        }
    }
    flush_names(parent_of(out))?;
    remove_folder(&whole)?;
    remove_folder(&replaced)
}

/// Ends a [`publish`] whose process died between two renames: what had the name `out` has it again,
/// unless its successor has it already.
///
/// # Errors
/// When the disk refuses.
pub fn put_back(work: &Path, out: &Path) -> Result<(), DiskError> {
    let replaced = work.join(REPLACED);
    match replaced.symlink_metadata() {
        Err(_) => Ok(()),
        Ok(_) if out.symlink_metadata().is_ok() && !is_empty(out) => remove_folder(&replaced),
        Ok(_) => rename(&replaced, out),
    }
}

/// Gives a folder another name; an empty folder at the new name gives way.
fn rename(from: &Path, to: &Path) -> Result<(), DiskError> {
    if is_empty(to) {
        fs::remove_dir(to).map_err(DiskError::at("replaced", to))?;
    }
    fs::rename(from, to).map_err(DiskError::at("given its name", to))
}

/// Exchanges two names at once, so that at no moment there is nothing at either.
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn exchange(a: &Path, b: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE)?)
}

/// Other systems cannot.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
