//! Files that are whole under their name, or not there.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tempfile::TempPath;

use super::DiskError;
use super::hold::{builder, clear_abandoned, new_held};
use super::place::{flush_names, parent_of, prefix_of};

/// Bytes that are gathered before they are handed to the system.
const BUFFER: usize = 1 << 20;

/// A file in the making. Dropped before it is finished it leaves nothing behind.
pub struct NewFile {
    out: PathBuf,
    unfinished: TempPath,
    writer: BufWriter<File>,
}

impl NewFile {
    /// Begins a file that will be `out`; a file there stays until [`Self::finish`].
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn begin(out: &Path) -> Result<Self, DiskError> {
        clear_abandoned(out);
        let made = builder(&prefix_of(out)).make_in(parent_of(out), new_held);
        let (file, unfinished) = made.map_err(DiskError::at("written", out))?.into_parts();
        Ok(Self { out: out.into(), unfinished, writer: BufWriter::with_capacity(BUFFER, file) })
    }

    /// Adds bytes at the end.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.writer.write_all(bytes).map_err(DiskError::at("written", &self.out))
    }

    /// Flushes the file and gives it its name.
    ///
    /// # Errors
    /// When the disk refuses; what stood there before still does.
    pub fn finish(self) -> Result<(), DiskError> {
        self.finish_if(|| Ok(true))
    }

    /// [`Self::finish`], if `stands` allows what it would replace. It is asked when the bytes are on the
    /// disk, and says whether something stands there.
    ///
    /// # Errors
    /// Those of `stands`, or when the disk refuses; what stood there before still does.
    pub fn finish_if<E: From<DiskError>>(self, stands: impl FnOnce() -> Result<bool, E>) -> Result<(), E> {
        let Self { out, unfinished, mut writer } = self;
        // Bytes first: after a power cut the name must not stand for an empty file.
        let flushed = writer.flush().and_then(|()| writer.get_ref().sync_all());
        flushed.map_err(DiskError::at("flushed", &out))?;
        let named = match stands()? {
            true => named(unfinished, &out),
            false => named_anew(unfinished, &out),
        };
        named.map_err(DiskError::at("given its name", &out))?;
        Ok(flush_names(parent_of(&out))?)
    }
}

/// Gives a file a name that another file may have.
fn named(unfinished: TempPath, out: &Path) -> io::Result<()> {
    fs::rename(&unfinished, out)?;
    // Nothing is left under the name in the making.
    let _ = unfinished.keep();
    Ok(())
}

/// Gives a file a name that nothing has; what took it meanwhile keeps it.
fn named_anew(unfinished: TempPath, out: &Path) -> io::Result<()> {
    match unfinished.persist_noclobber(out) {
        // Not every file system can refuse to replace.
        Err(e) if e.error.kind() != ErrorKind::AlreadyExists && out.symlink_metadata().is_err() => named(e.path, out),
        named => Ok(named?),
    }
}

/// Writes a whole file; one that is there is replaced.
///
/// # Errors
/// When the disk refuses; what stood there before still does.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let mut file = NewFile::begin(path)?;
    file.write(bytes)?;
    file.finish()
}

/// [`write`] of a value as JSON, on several lines.
///
/// # Errors
/// When the value is no JSON, or the disk refuses; what stood there before still does.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), DiskError> {
    let json = serde_json::to_vec_pretty(value).map_err(|e| DiskError::at("written", path)(e.into()))?;
    write(path, &json)
}

/// Has a library write a file into a folder in the making. Libraries that know only temporary files
/// leave them to their owner; here everybody may read what they may read of other new files, where the
/// file system knows such a thing.
///
/// # Errors
/// Those of `write`, or when the disk refuses.
pub fn write_with<E: From<DiskError>>(path: &Path, write: impl FnOnce(&Path) -> Result<(), E>) -> Result<(), E> {
    let permissions = |file: std::io::Result<fs::Metadata>| file.map(|m| m.permissions());
    let refused = || DiskError::at("written", path);
    // What the system gives a file that is simply made here, by its umask and the folder's own rules.
    let usual = permissions(File::create(path).and_then(|f| f.metadata())).map_err(refused())?;
    write(path)?;
    if permissions(fs::metadata(path)).map_err(refused())? != usual {
        // Refused where a file system knows no permissions: the bytes are there, and no work is lost for it.
        let _ = fs::set_permissions(path, usual);
    }
    Ok(())
}
