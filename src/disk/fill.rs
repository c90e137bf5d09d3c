//! Filling a folder that cannot lose its name: a mount point, such as a container's volume.
//!
//! ```text
//! OUT/WORK/final/      what OUT will hold
//! OUT/WORK/replaced/   what OUT held, moved aside; without `arriving` it is put back
//! OUT/WORK/arriving/   what final was, once nothing else is left in OUT: goes on arriving
//! ```
//!
//! The one file by which others know the folder leaves first and arrives last: a folder without it is
//! none. A process killed at any moment leaves what [`settle`] makes whole, as it was or as it will be.

use std::fs;
use std::path::Path;

use super::DiskError;
use super::place::{flush, flush_names, is_nobodys, make_folder, names, remove_folder};
use super::publish::{FINAL, REPLACED};

/// In a working folder: what is on its way into the folder around it.
pub const ARRIVING: &str = "arriving";
/// By which others know a checkpoint's folder.
const MARK: &str = "config.json";

/// Whether a folder is one that cannot be given another's place.
pub fn is_mount_point(folder: &Path) -> bool {
    folder.is_dir() && is_mounted(folder)
}

/// Puts `work/final` into the folder `out` around `work`, in place of what is there, if `may_go` allows
/// that of `out`. `work` is held by the caller.
///
/// # Errors
/// Those of `may_go`, or when the disk refuses; [`settle`] then makes `out` whole again.
pub fn fill<E: From<DiskError>>(work: &Path, out: &Path, may_go: impl Fn(&Path) -> Result<(), E>) -> Result<(), E> {
    let (whole, replaced) = (work.join(FINAL), work.join(REPLACED));
    may_go(out)?;
    flush(&whole)?;
    make_folder(&replaced)?;
    let mut leaving = entries(out)?;
    leaving.sort_by_key(|name| name != MARK);
    for name in leaving.iter().filter(|name| !work.ends_with(name)) {
        rename(&out.join(name), &replaced.join(name))?;
    }
    flush_names(out)?;
    rename(&whole, &work.join(ARRIVING))?;
    Ok(settle(work, out)?)
}

/// Ends a [`fill`] that was cut short: `out` holds all that was to arrive, or again all that it held.
///
/// # Errors
/// When the disk refuses.
pub fn settle(work: &Path, out: &Path) -> Result<(), DiskError> {
    let (arriving, replaced) = (work.join(ARRIVING), work.join(REPLACED));
    let from = if arriving.is_dir() { &arriving } else { &replaced };
    if !from.is_dir() {
        return Ok(());
    }
    let mut names = entries(from)?;
    names.sort_by_key(|name| name == MARK);
    for name in &names {
        // The mark says that everything else is there, also after a power cut.
        if name == MARK {
            flush_names(out)?;
        }
        rename(&from.join(name), &out.join(name))?;
    }
    flush_names(out)?;
    // In this order: without `arriving`, what is aside would be put back.
    remove_folder(&replaced)?;
    remove_folder(&arriving)
}

fn entries(folder: &Path) -> Result<Vec<String>, DiskError> {
    Ok(names(folder)?.into_iter().filter(|name| !is_nobodys(name)).collect())
}

fn rename(from: &Path, to: &Path) -> Result<(), DiskError> {
    fs::rename(from, to).map_err(DiskError::at("given its name", to))
}

/// Asked of the system, because a folder may be mounted over another of the same disk.
#[cfg(target_os = "linux")]
fn is_mounted(folder: &Path) -> bool {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    let asked = statx(CWD, folder, AtFlags::empty(), StatxFlags::BASIC_STATS);
    match asked {
        Ok(found) if found.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT) => {
            found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)
        }
        _ => is_another_disk(folder),
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
fn is_mounted(folder: &Path) -> bool {
    is_another_disk(folder)
}

#[cfg(unix)]
fn is_another_disk(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let disk = |path: &Path| fs::metadata(path).ok().map(|data| data.dev());
    disk(folder) != disk(&folder.join(".."))
}

#[cfg(not(unix))]
fn is_mounted(_: &Path) -> bool {
    false
}
