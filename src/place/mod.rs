//! May something be put here? One answer for whatever the program writes.
//!
//! A place is refused if it is what the command reads, holds it, or lies inside of a model; and if
//! something stands there that this program did not make, whether or not it may be replaced. It is
//! asked before any work, and once more at the moment in which a result gets its name.

mod error;
mod keys;
mod kind;
mod reads;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

pub use error::PlaceError;
pub use kind::Kind;

use serde::Serialize;

use crate::disk::{self, Alone, DiskError, NewFile};

/// Where a result of some kind is to appear.
#[derive(Clone, Debug)]
pub struct Place {
    out: PathBuf,
    kind: Kind,
    overwrite: bool,
    is_mount_point: bool,
}

/// The working folder in a folder that cannot be exchanged for another.
const WORK_INSIDE: &str = "slimgpt.partial";

impl Place {
    /// A place at `out`, where an earlier result of the same `kind` gives way only with `overwrite`.
    pub fn new(out: &Path, kind: Kind, overwrite: bool) -> Self {
        let out = disk::real(out);
        let is_mount_point = disk::is_mount_point(&out);
        Self { out, kind, overwrite, is_mount_point }
    }

    /// Where the result appears: behind a link, if `out` is one.
    pub fn out(&self) -> &Path {
        &self.out
    }

    /// Where a result that is put together piece by piece is worked at: beside it, so that it gets its
    /// name by one rename, or inside of a mount point.
    ///
    /// # Errors
    /// When the path has no name of its own.
    pub fn working_folder(&self) -> Result<PathBuf, PlaceError> {
        if self.is_mount_point {
            return Ok(self.out.join(WORK_INSIDE));
        }
        let name = self.out.file_name().ok_or_else(|| PlaceError::NoName { path: self.out.clone() })?;
        let mut name = name.to_owned();
        name.push(".partial");
        Ok(self.out.with_file_name(name))
    }

    /// Whether the result is moved into the folder that is there, which cannot be exchanged for another.
    pub fn is_filled(&self) -> bool {
        self.is_mount_point
    }

    /// Whether a result may be put here while all of `reads` (models and files) are read, and whether
    /// it would replace something.
    ///
    /// # Errors
    /// With what would be lost.
    pub fn ask(&self, reads: &[PathBuf]) -> Result<bool, PlaceError> {
        self.keeps(reads)?;
        if self.is_mount_point && self.kind == Kind::Checkpoint {
            return Err(PlaceError::Mounted { path: self.out.clone() });
        }
        self.stands()
    }

    /// Whether something that may be replaced stands here.
    ///
    /// # Errors
    /// When what stands here is not to be replaced.
    pub fn stands(&self) -> Result<bool, PlaceError> {
        self.may_go(&self.out)
    }

    /// [`Self::stands`] of what has the place's name, or had it until now and lies `at` another.
    ///
    /// # Errors
    /// When it is not to be replaced.
    pub fn may_go(&self, at: &Path) -> Result<bool, PlaceError> {
        if at.symlink_metadata().is_err_and(|e| e.kind() == ErrorKind::NotFound) {
            return Ok(false);
        }
        let data = match std::fs::metadata(at) {
            // A link to nowhere is somebody's too.
            Err(e) if e.kind() == ErrorKind::NotFound => return Err(self.not_ours()),
            data => data.map_err(DiskError::at("looked at", &self.out))?,
        };
        let holds_something = match self.kind.is_folder() {
            true if data.is_dir() => self.folder_may_go(at)?,
            // A device or a pipe would be replaced by a file, and never be one again.
            false if data.is_file() => self.file_may_go(at, data.len())?,
            _ => return Err(self.not_ours()),
        };
        match holds_something && self.kind.is_kept() && !self.overwrite {
            true => Err(PlaceError::Exists { path: self.out.clone() }),
            // An empty file has the name, though it is no loss.
            false => Ok(holds_something || data.is_file()),
        }
    }

    /// Keeps other processes from making something here until what is returned is dropped.
    ///
    /// # Errors
    /// While another does, or when the disk refuses.
    pub fn alone(&self) -> Result<Alone, PlaceError> {
        disk::alone_at(&self.out)?.ok_or_else(|| PlaceError::Busy { path: self.out.clone() })
    }

    /// Writes a whole file here; a result that stands here is replaced as [`Self::stands`] allows.
    ///
    /// # Errors
    /// When it is not to be replaced, or the disk refuses.
    pub fn write(&self, bytes: &[u8]) -> Result<(), PlaceError> {
        let mut file = self.begin()?;
        file.write(bytes)?;
        self.finish(file)
    }

    /// [`Self::write`] of a value as JSON, on several lines.
    ///
    /// # Errors
    /// When the value is no JSON; those of [`Self::write`].
    pub fn write_json(&self, value: &impl Serialize) -> Result<(), PlaceError> {
        let json = serde_json::to_vec_pretty(value).map_err(|e| DiskError::at("written", &self.out)(e.into()))?;
        self.write(&json)
    }

    /// Begins a file that will stand here.
    ///
    /// # Errors
    /// When what stands here is not to be replaced, or the disk refuses.
    pub fn begin(&self) -> Result<NewFile, PlaceError> {
        self.stands()?;
        Ok(NewFile::begin(&self.out)?)
    }

    /// Gives a file that was begun for this place its name, if [`Self::stands`] still allows it.
    ///
    /// # Errors
    /// When something has come here that is not to be replaced, or the disk refuses.
    pub fn finish(&self, file: NewFile) -> Result<(), PlaceError> {
        file.finish_if(|| self.stands())
    }

    fn folder_may_go(&self, at: &Path) -> Result<bool, PlaceError> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(at).map_err(DiskError::at("read", &self.out))? {
            let entry = entry.map_err(DiskError::at("read", &self.out))?;
            entries.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
        }
        // The stranger that is named must not depend on the order of the file system.
        entries.sort();
        entries.retain(|(name, _)| !(disk::is_nobodys(name) || self.is_mount_point && name == WORK_INSIDE));
        // What others are added to loses nothing.
        if entries.is_empty() || !self.kind.is_replaced_whole() {
            return Ok(false);
        }
        if !self.kind.is_marked(at) {
            return Err(self.not_ours());
        }
        match entries.into_iter().find(|(name, path)| !kind::is_of_a_checkpoint(name, path)) {
            Some((name, _)) => Err(PlaceError::Stranger { path: self.out.clone(), name }),
            None => Ok(true),
        }
    }

    fn file_may_go(&self, at: &Path, bytes: u64) -> Result<bool, PlaceError> {
        match bytes == 0 || self.kind.is_marked(at) {
            true => Ok(bytes > 0),
            false => Err(self.not_ours()),
        }
    }

    fn not_ours(&self) -> PlaceError {
        PlaceError::NotOurs { path: self.out.clone(), what: self.kind.is_not() }
    }
}
