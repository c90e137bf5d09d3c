//! A file that grows over several processes until it is whole, and links in a cache of such files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::DiskError;
use super::file::NewFile;
use super::given::open;
use super::place::{flush_names, make_folder, parent_of, remove_file};

/// Bytes that are read at once.
const BUFFER: usize = 1 << 16;

/// A file that keeps what it has when its process ends, under a name that says that it is not whole. Whoever
/// opens it holds a lock, so that nobody else writes to it.
pub struct Growing {
    path: PathBuf,
    file: File,
    len: u64,
}

impl Growing {
    /// Opens what there is of a file, or begins it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn open(path: &Path) -> Result<Self, DiskError> {
        // What lies there under this name and is no file is nothing that could grow.
        if path.symlink_metadata().is_ok_and(|data| !data.is_file()) {
            remove_file(path)?;
        }
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(path);
        let mut file = file.map_err(DiskError::at("written", path))?;
        let len = file.seek(SeekFrom::End(0)).map_err(DiskError::at("read", path))?;
        Ok(Self { path: path.into(), file, len })
    }

    /// Bytes that are there.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing is there yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Shows the bytes that are there, from the first.
    ///
    /// # Errors
    /// When they cannot be read, or `each` wants no more of them.
    pub fn read<E: From<DiskError>>(&mut self, each: &mut dyn FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        self.file.seek(SeekFrom::Start(0)).map_err(DiskError::at("read", &self.path))?;
        let shown = pieces(&mut self.file, &self.path, each);
        // Also where not all was shown: what is added belongs at the end.
        self.file.seek(SeekFrom::End(0)).map_err(DiskError::at("read", &self.path))?;
        shown
    }

    /// Adds bytes at the end. They are the system's at once: what a killed process had is there for the next.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.file.write_all(bytes).map_err(DiskError::at("written", &self.path))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Begins again with nothing.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn restart(&mut self) -> Result<(), DiskError> {
        let emptied = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        emptied.map_err(DiskError::at("written", &self.path))?;
        self.len = 0;
        Ok(())
    }

    /// Flushes the file, which is whole now, and gives it its name.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn finish(self, out: &Path) -> Result<(), DiskError> {
        self.file.sync_all().map_err(DiskError::at("flushed", &self.path))?;
        // Windows gives no name to a file that is open.
        drop(self.file);
        fs::rename(&self.path, out).map_err(DiskError::at("given its name", out))?;
        flush_names(parent_of(out))
    }
}

/// Makes `pointer` lead to the file `target`, which `relative` names as seen from the pointer's folder. Where
/// there are no links (or they are not wanted) the file itself goes there if it `is_new`, so that nobody else
/// can lead to it, or else a copy. A file that the pointer leads to already stays: another process may read it.
///
/// # Errors
/// When the disk refuses.
pub fn link(target: &Path, relative: &Path, pointer: &Path, linked: bool, is_new: bool) -> Result<(), DiskError> {
    make_folder(parent_of(pointer))?;
    if pointer.is_file() {
        return Ok(());
    }
    // Another process may make it at any moment: only a link whose file was removed is taken away.
    let is_made = || linked && (symbolic(relative, pointer).is_ok() || pointer.is_file());
    if is_made() {
        return Ok(());
    }
    if pointer.is_symlink() {
        remove_file(pointer)?;
        if is_made() {
            return Ok(());
        }
    }
    // What other processes see under the name is whole.
    match is_new {
        true => fs::rename(target, pointer).map_err(DiskError::at("given its name", pointer)),
        false => match copied(target, pointer) {
            // Whoever it was new for has moved it there meanwhile.
            Err(_) if pointer.is_file() => Ok(()),
            done => done,
        },
    }
}

fn copied(target: &Path, pointer: &Path) -> Result<(), DiskError> {
    let mut copy = NewFile::begin(pointer)?;
    pieces(&mut open(target)?, target, &mut |bytes| copy.write(bytes))?;
    copy.finish()
}

/// Shows the bytes of a file from where it stands to its end.
fn pieces<E: From<DiskError>>(
    file: &mut File,
    path: &Path,
    each: &mut dyn FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => each(&buffer[..n])?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(DiskError::at("read", path)(error).into()),
        }
    }
}

#[cfg(unix)]
fn symbolic(target: &Path, pointer: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, pointer)
}

/// Needs a right that most people do not have there.
#[cfg(windows)]
fn symbolic(target: &Path, pointer: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, pointer)
}

#[cfg(not(any(unix, windows)))]
fn symbolic(_: &Path, _: &Path) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}
