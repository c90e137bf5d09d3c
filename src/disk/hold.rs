//! Who is working: locks between processes, and names in the making that nobody holds any more.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::DiskError;
use super::place::{LETTERS, is_unfinished, names, parent_of, prefix_of, remove_file, remove_folder};
use super::publish::{REPLACED, put_back};

/// How often a lock that lost its name is looked for anew; some file systems have no lasting numbers of
/// files, and there nothing is found to be what it was.
const ATTEMPTS: usize = 1000;
/// In place of the random letters.
const ALONE: &str = "locked";
const _: () = assert!(ALONE.len() == LETTERS);

/// A file that no other process holds until it is dropped; `None` while another does. The file is
/// made where it is missing, never emptied, and never looked for behind a link.
///
/// # Errors
/// When it cannot be opened.
pub fn lock(path: &Path) -> Result<Option<File>, DiskError> {
    let mut file = open_lock(path)?;
    for _ in 0..ATTEMPTS {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(None),
            // Between the two calls whoever held it may have removed it: then it keeps nobody out.
            Ok(()) if !is_still(&file, path) => file = open_lock(path)?,
            // Some network file systems have no locks; work must not fail for that.
            Ok(()) | Err(TryLockError::Error(_)) => break,
        }
    }
    Ok(Some(file))
}

/// Does `work` while no other process does any under this lock, waiting for its turn. The file is gone
/// afterwards.
///
/// # Errors
/// Those of `work`, or when the file cannot be made.
pub fn in_turn<T, E: From<DiskError>>(path: &Path, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let mut held = open_lock(path)?;
    // Whoever had the turn before has removed the file: the next is that of the file now there.
    for _ in 0..ATTEMPTS {
        if held.lock().is_err() || is_still(&held, path) {
            break;
        }
        held = open_lock(path)?;
    }
    let done = work();
    // While it is held: whoever waits for it sees that it is gone. Windows removes it when it is closed.
    let _ = std::fs::remove_file(path);
    drop(held);
    done
}

fn open_lock(path: &Path) -> Result<File, DiskError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, rustix::fs::OFlags::NOFOLLOW.bits() as i32);
    options.open(path).map_err(DiskError::at("written", path))
}

/// Whether an open file still has its name.
#[cfg(unix)]
fn is_still(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let of = |data: &std::fs::Metadata| (data.dev(), data.ino());
    matches!((file.metadata(), path.symlink_metadata()), (Ok(a), Ok(b)) if of(&a) == of(&b))
}

/// Elsewhere a file that is open keeps its name.
#[cfg(not(unix))]
fn is_still(_: &File, _: &Path) -> bool {
    true
}

/// That no other process makes the same file or folder meanwhile.
pub struct Alone {
    path: PathBuf,
    _held: File,
}

/// Keeps others from making `out` until it is dropped; `None` while another process makes it.
///
/// # Errors
/// When the disk refuses.
pub fn alone_at(out: &Path) -> Result<Option<Alone>, DiskError> {
    // A name in the making: what a killed process leaves of it is cleared away like the rest.
    let path = parent_of(out).join(format!("{}{ALONE}", prefix_of(out)));
    Ok(lock(&path)?.map(|held| Alone { path, _held: held }))
}

impl Drop for Alone {
    fn drop(&mut self) {
        // While it is held, so that it is nobody else's. Windows removes it when it is closed.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Removes from a folder what an interrupted process was writing. Whoever calls holds the folder's lock.
///
/// # Errors
/// When the disk refuses.
pub fn clear_unfinished(folder: &Path) -> Result<(), DiskError> {
    let unfinished = names(folder)?.into_iter().filter(|name| is_unfinished(name));
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

/// Names in the making, each to be met only once.
pub(super) fn builder(prefix: &str) -> tempfile::Builder<'_, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).rand_bytes(LETTERS);
    builder
}

/// Removes an abandoned working folder, unless what had the name still lies in it.
fn if_nothing_is_aside(work: &Path) -> Result<(), DiskError> {
    if work.join(REPLACED).symlink_metadata().is_ok() { Ok(()) } else { remove_folder(work) }
}

/// Removes a folder that nobody is to find again, nor a part of it: it loses its name first, and what a
/// killed process leaves of it is cleared away by the next that works at `folder`. The caller holds it.
/// What cannot be removed is in nobody's way.
pub fn discard(folder: &Path) {
    clear_abandoned(folder);
    let aside = builder(&prefix_of(folder)).make_in(parent_of(folder), |aside| std::fs::rename(folder, aside));
    // Where an open folder cannot lose its name it is removed under it.
    let _ = match aside {
        Ok(aside) => {
            let aside = aside.into_temp_path().keep();
            aside.map_or(Ok(()), |aside| remove_folder(&aside))
        }
        Err(_) => remove_folder(folder),
    };
}

/// Removes what killed processes left of `out`. What cannot be removed is in nobody's way.
pub fn clear_abandoned(out: &Path) {
    let (folder, prefix) = (parent_of(out), prefix_of(out));
    let of_out =
        |name: &String| is_unfinished(name) && name.len() == prefix.len() + LETTERS && name.starts_with(&prefix);
    for path in names(folder).unwrap_or_default().iter().filter(|name| of_out(name)).map(|name| folder.join(name)) {
        let Some(_held) = hold(&path) else { continue };
        let _ = match path.is_dir() {
            // What had the name may have been put aside in here, and must not go with the rest.
            true => put_back(&path, out).and_then(|()| if_nothing_is_aside(&path)),
            false => remove_file(&path),
        };
    }
}
