//! Listing, reading and removing, with the path in every error.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::DiskError;
use super::given::open;

/// Between the name that something in the making will have and the letters that make it one of its own.
const UNFINISHED: &str = ".unfinished.";
/// Random letters that tell names in the making apart.
pub(super) const LETTERS: usize = 6;

/// The names in a folder, sorted.
///
/// # Errors
/// When the folder cannot be read.
pub fn names(folder: &Path) -> Result<Vec<String>, DiskError> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(DiskError::at("read", folder))?;
    let mut names: Vec<String> = entries.iter().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    // The order of `read_dir` differs from system to system.
    names.sort();
    Ok(names)
}

/// Whether a folder is there and holds nothing that could be lost.
pub fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// Whether nobody misses something of this name: systems leave it in folders, and killed processes.
pub fn is_nobodys(name: &str) -> bool {
    [".DS_Store", "Thumbs.db", "desktop.ini", "lost+found"].contains(&name) || is_unfinished(name)
}

/// Whether a name has exactly the form of one in the making: a file of the user's that looks alike stays.
pub fn is_unfinished(name: &str) -> bool {
    let letters = name.rsplit_once(UNFINISHED).map(|(_, letters)| letters);
    letters.is_some_and(|l| l.len() == LETTERS && l.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// How the name of something in the making begins that will be `out`.
pub(super) fn prefix_of(out: &Path) -> String {
    format!("{}{UNFINISHED}", out.file_name().unwrap_or_default().to_string_lossy())
}

/// Where a folder really is that a link leads to; any other path as it is, without `.` and `/` at its
/// end. So a link stays when the folder behind it is replaced.
pub fn real(path: &Path) -> PathBuf {
    let plain: PathBuf = path.components().collect();
    let is_link = plain.symlink_metadata().is_ok_and(|data| data.is_symlink());
    let behind = plain.canonicalize().ok().filter(|real| is_link && real.is_dir());
    behind.unwrap_or(plain)
}

/// Makes a folder and those around it, where they are not there yet.
///
/// # Errors
/// When the disk refuses.
pub fn make_folder(path: &Path) -> Result<(), DiskError> {
    fs::create_dir_all(path).map_err(DiskError::at("made", path))
}

/// Writes a file where nobody looks yet: into a folder in the making, which is flushed when it gets
/// its name, or where it need not survive the process.
///
/// # Errors
/// When the disk refuses.
pub fn put(path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    fs::write(path, bytes).map_err(DiskError::at("written", path))
}

/// [`put`] of another file's bytes. Its permissions are not taken over: caches are often read-only.
///
/// # Errors
/// When it cannot be read, or the disk refuses.
pub fn copy(from: &Path, to: &Path) -> Result<(), DiskError> {
    // Not `fs::copy`, which takes permissions over; and not held in memory as a whole.
    let mut read = open(from)?;
    let mut written = File::create(to).map_err(DiskError::at("written", to))?;
    io::copy(&mut read, &mut written).map(drop).map_err(DiskError::at("written", to))
}

/// Removes a file; that it is gone already is no error.
///
/// # Errors
/// When the disk refuses.
pub fn remove_file(path: &Path) -> Result<(), DiskError> {
    gone(fs::remove_file(path)).map_err(DiskError::at("removed", path))
}

/// Removes a folder and what is in it; that it is gone already is no error.
///
/// # Errors
/// When the disk refuses.
pub fn remove_folder(path: &Path) -> Result<(), DiskError> {
    gone(fs::remove_dir_all(path)).map_err(DiskError::at("removed", path))
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// The folder that `path` is or will be in.
pub(super) fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes sure that the files in a folder and in those it holds, and then their names, are on the disk.
pub(super) fn flush(folder: &Path) -> Result<(), DiskError> {
    for path in names(folder)?.iter().map(|name| folder.join(name)) {
        if path.is_dir() {
            flush(&path)?;
            continue;
        }
        // Windows flushes only what is open for writing.
        let file = File::options().read(true).append(cfg!(windows)).open(&path);
        file.and_then(|f| f.sync_all()).map_err(DiskError::at("flushed", &path))?;
    }
    flush_names(folder)
}

/// Makes sure that the names in a folder are on the disk, where the system knows such a thing.
pub(super) fn flush_names(folder: &Path) -> Result<(), DiskError> {
    // Windows does not open a folder as if it were a file.
    if cfg!(not(unix)) {
        return Ok(());
    }
    match File::open(folder).and_then(|f| f.sync_all()) {
        // Some file systems flush no folders, and some folders may be written but not opened.
        Err(e)
            if [ErrorKind::InvalidInput, ErrorKind::Unsupported, ErrorKind::PermissionDenied].contains(&e.kind()) =>
        {
            Ok(())
        }
        flushed => flushed.map_err(DiskError::at("flushed", folder)),
    }
}
