//! Folders that are whole under their name, or not there.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::DiskError;
use super::hold::{builder, clear_abandoned, hold};
use super::place::{parent_of, prefix_of};
use super::publish::{FINAL, publish};

/// A folder in the making. Dropped before it is finished it leaves nothing behind.
pub struct NewFolder {
    out: PathBuf,
    work: TempDir,
    path: PathBuf,
    _held: Option<File>,
}

impl NewFolder {
    /// Begins a folder that will be `out`; a folder there stays until [`Self::finish`].
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn begin(out: &Path) -> Result<Self, DiskError> {
        clear_abandoned(out);
        loop {
            let work = builder(&prefix_of(out)).tempdir_in(parent_of(out)).map_err(DiskError::at("made", out))?;
            // While it is held, others who clear away what was abandoned pass it over.
            let held = hold(work.path());
            let path = work.path().join(FINAL);
            match fs::create_dir(&path) {
                // Before it was held another process took it for abandoned.
                Err(_) if !work.path().is_dir() => {}
                Err(e) => return Err(DiskError::at("made", &path)(e)),
                Ok(()) => return Ok(Self { out: out.into(), work, path, _held: held }),
            }
        }
    }

    /// What will be `out`; its files are written with [`super::put`].
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Room for what is not needed in the end.
    pub fn scratch(&self) -> &Path {
        self.work.path()
    }

    /// Flushes the folder and gives it its name, if `may_go` allows of what stands there, at the place
    /// where it lies, that it is replaced.
    ///
    /// # Errors
    /// Those of `may_go`, or when the disk refuses; what stood there before still does.
    pub fn finish<E: From<DiskError>>(self, may_go: impl Fn(&Path) -> Result<(), E>) -> Result<(), E> {
        publish(self.work.path(), &self.out, may_go)
    }
}
