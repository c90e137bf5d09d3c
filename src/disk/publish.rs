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
/// the name, if `may_go` allows it of the place where it lies: it is asked before anything moves, and
/// again of what really had the name. `work` is held by the caller, and on the file system of `out`.
///
/// # Errors
/// Those of `may_go`, or when the disk refuses; what stood there before still does.
pub fn publish<E: From<DiskError>>(work: &Path, out: &Path, may_go: impl Fn(&Path) -> Result<(), E>) -> Result<(), E> {
    let (whole, replaced) = (work.join(FINAL), work.join(REPLACED));
    // A process that died in here before may have left nothing at `out`.
    put_back(work, out)?;
    flush(&whole)?;
    may_go(out)?;
    // It also fails where nothing stands at `out`: then one rename is enough.
    if exchange(&whole, out).is_ok() {
        // Somebody may have put it there between the question and the exchange.
        if let Err(refused) = may_go(&whole) {
            exchange(&whole, out).map_err(|e| DiskError::at("given its name back", out)(e))?;
            return Err(refused);
        }
    } else {
        // Not `exists`, which follows links: a link to nowhere has the name too.
        if out.symlink_metadata().is_ok() {
            rename(out, &replaced)?;
        }
        if let Err(refused) = may_go(&replaced).and_then(|()| Ok(rename(&whole, out)?)) {
            rename_back(&replaced, out)?;
            return Err(refused);
        }
    }
    // The new name is safe on the disk before anything of the old is removed.
    flush_names(parent_of(out))?;
    // After an exchange this is what `out` was; after two renames it is gone already.
    remove_folder(&whole)?;
    Ok(remove_folder(&replaced)?)
}

/// Ends a [`publish`] whose process died between two renames: what had the name `out` has it again,
/// unless its successor has it already.
///
/// # Errors
/// When the disk refuses.
pub fn put_back(work: &Path, out: &Path) -> Result<(), DiskError> {
    let replaced = work.join(REPLACED);
    if replaced.symlink_metadata().is_err() {
        return Ok(());
    }
    let taken = out.symlink_metadata().is_ok() && !is_empty(out);
    match (taken, work.join(FINAL).is_dir()) {
        // The process died after the second rename: `out` is whole and new.
        (true, false) => remove_folder(&replaced),
        // It died before, and somebody else has taken the name since: both stay.
        (true, true) => Ok(()),
        (false, _) => rename(&replaced, out),
    }
}

/// Undoes the first of two renames, if there was one.
fn rename_back(replaced: &Path, out: &Path) -> Result<(), DiskError> {
    if replaced.symlink_metadata().is_ok() { rename(replaced, out) } else { Ok(()) }
}

/// Gives a folder another name on its disk; an empty folder at the new name gives way.
///
/// # Errors
/// When the disk refuses, or the name is on another.
pub fn rename(from: &Path, to: &Path) -> Result<(), DiskError> {
    // Not every system renames a folder over another, even an empty one.
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

/// Other systems cannot, so there are two renames.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
