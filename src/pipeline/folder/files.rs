//! Files that are whole or not there: written under another name, flushed, renamed.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::FolderError;

/// The ending of a name that is still being written.
pub(super) const UNFINISHED: &str = ".unfinished";

/// The files of one folder.
pub(super) struct Files<'a> {
    folder: &'a Path,
}

impl<'a> Files<'a> {
    pub fn in_folder(folder: &'a Path) -> Self {
        Self { folder }
    }

    /// Writes a file that is whole as soon as it has its name.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        let unfinished = self.folder.join(format!("{name}{UNFINISHED}"));
        write_flushed(&unfinished, bytes).map_err(|e| FolderError::io("written", &unfinished, e))?;
        rename(&unfinished, &self.folder.join(name))?;
        sync_folder(Some(self.folder))
    }

    /// [`Self::write`] of a value as JSON.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), FolderError> {
        let json = serde_json::to_vec(value);
        let bytes = json.map_err(|e| FolderError::io("written", &self.folder.join(name), e.into()))?;
        self.write(name, &bytes)
    }

    /// A file's bytes.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, FolderError> {
        let path = self.folder.join(name);
        fs::read(&path).map_err(|e| FolderError::io("read", &path, e))
    }

    /// A file's value.
    pub fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<T, FolderError> {
        serde_json::from_slice(&self.read(name)?)
            .map_err(|_| FolderError::Damaged { path: self.folder.join(name), folder: self.folder.into() })
    }

    /// A file that no other process holds while it is open.
    pub fn lock(&self, name: &str) -> Result<File, FolderError> {
        let path = self.folder.join(name);
        let file = File::create(&path).map_err(|e| FolderError::io("written", &path, e))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(FolderError::Busy { path: self.folder.into() }),
            // Some network file systems have no locks; the run must not fail for that.
            Err(TryLockError::Error(_)) => Ok(file),
        }
    }

    /// Removes what an interrupted process was writing.
    pub fn clear_unfinished(&self) -> Result<(), FolderError> {
        let unfinished = names(self.folder)?.into_iter().filter(|n| n.ends_with(UNFINISHED));
        unfinished.into_iter().try_for_each(|name| remove_file(&self.folder.join(name)))
    }
}

fn write_flushed(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The names in a folder, sorted.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, FolderError> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let entries = entries.map_err(|e| FolderError::io("read", folder, e))?;
    let mut names: Vec<String> = entries.iter().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

/// Gives a file or folder another name; an empty folder at the new name gives way.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), FolderError> {
    if to.is_dir() {
        fs::remove_dir(to).map_err(|e| FolderError::io("replaced", to, e))?;
    }
    fs::rename(from, to).map_err(|e| FolderError::io("given its name", to, e))
}

/// Makes sure that the names in a folder are on the disk, where the system knows such a thing.
pub(super) fn sync_folder(folder: Option<&Path>) -> Result<(), FolderError> {
    #[cfg(unix)]
    if let Some(folder) = folder {
        let folder: PathBuf = if folder.as_os_str().is_empty() { ".".into() } else { folder.into() };
        let synced = File::open(&folder).and_then(|f| f.sync_all());
        synced.map_err(|e| FolderError::io("flushed", &folder, e))?;
    }
    #[cfg(not(unix))]
    let _: Option<PathBuf> = folder.map(Into::into);
    Ok(())
}

/// Removes a file; that it is gone already is no error.
pub(super) fn remove_file(path: &Path) -> Result<(), FolderError> {
    gone(fs::remove_file(path)).map_err(|e| FolderError::io("removed", path, e))
}

/// Removes a folder and what is in it; that it is gone already is no error.
pub(super) fn remove_folder(path: &Path) -> Result<(), FolderError> {
    gone(fs::remove_dir_all(path)).map_err(|e| FolderError::io("removed", path, e))
}

fn gone(removed: std::io::Result<()>) -> std::io::Result<()> {
    match removed {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
