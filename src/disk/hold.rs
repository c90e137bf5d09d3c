//! Who is working: locks between processes, and names in the making that nobody holds any more.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;

use super::DiskError;
use super::place::{names, parent_of, remove_file, remove_folder};
use super::publish::put_back;

/// The ending of a name in the making.
pub const UNFINISHED: &str = ".unfinished";
/// Random letters that tell names in the making apart.
const LETTERS: usize = 6;

/// A file that no other process holds until it is dropped; `None` while another does. The file is
/// made where it is missing, never emptied, and never looked for behind a link.
///
/// # Errors
/// When it cannot be opened.
pub fn lock(path: &Path) -> Result<Option<File>, DiskError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, rustix::fs::OFlags::NOFOLLOW.bits() as i32);
    let file = options.open(path).map_err(DiskError::at("written", path))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Ok(None),
        // Some network file systems have no locks; work must not fail for that.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(file)),
    }
}

/// Removes from a folder what an interrupted process was writing. Whoever calls holds the folder's lock.
///
/// # Errors
/// When the disk refuses.
pub fn clear_unfinished(folder: &Path) -> Result<(), DiskError> {
    let unfinished = names(folder)?.into_iter().filter(|name| name.ends_with(UNFINISHED));
    unfinished.map(|name| folder.join(name)).try_for_each(|path| remove_file(&path))
}

/// Makes the file `path`, which must not exist, and holds it.
pub(super) fn new_held(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).open(path)?;
    // A file system without locks refuses; work must not fail for that.
    let _ = file.lock();
    // Between the two calls another process may have taken it for abandoned: then with another name.
    if path.exists() { Ok(file) } else { Err(ErrorKind::AlreadyExists.into()) }
}

/// Holds what stands at `path`, if nobody does and the system can say so.
pub(super) fn hold(path: &Path) -> Option<File> {
    let file = File::open(path).ok()?;
    file.try_lock().is_ok().then_some(file)
}

/// How the name of something in the making begins: as that of `out`.
pub(super) fn prefix_of(out: &Path) -> String {
    format!("{}.", out.file_name().unwrap_or_default().to_string_lossy())
}

/// Names in the making, each to be met only once.
pub(super) fn builder(prefix: &str) -> tempfile::Builder<'_, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).suffix(UNFINISHED).rand_bytes(LETTERS);
    builder
}

/// Removes what killed processes left of `out`. What cannot be removed is in nobody's way.
pub(super) fn clear_abandoned(out: &Path) {
    let (folder, prefix) = (parent_of(out), prefix_of(out));
    let of_out = |name: &String| {
        // Exactly the form that `builder` gives: a file of the user's that looks alike stays.
        let letters = name.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(UNFINISHED));
        letters.is_some_and(|l| l.len() == LETTERS && l.bytes().all(|b| b.is_ascii_alphanumeric()))
    };
    for path in names(folder).unwrap_or_default().iter().filter(|name| of_out(name)).map(|name| folder.join(name)) {
        let Some(_held) = hold(&path) else { continue };
        let _ = match path.is_dir() {
            // What had the name may have been put aside in here, and must not go with the rest.
            true => put_back(&path, out).and_then(|()| remove_folder(&path)),
            false => remove_file(&path),
        };
    }
}
