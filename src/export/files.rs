//! Files and folders that appear under their final name only when they are whole: written beside
//! it, flushed, renamed. What is left unfinished is removed.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::ExportError;
use super::huggingface::COPIED;
use crate::checkpoint::{self, Dtype, HostTensor, encode_tensors};

/// Largest shard of a folder: what Hugging Face's own tools write.
const SHARD_BYTES: usize = 5_000_000_000;

/// `NAME.unfinished` beside `NAME`.
fn unfinished(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".unfinished");
    out.with_file_name(name)
}

/// A file that is being written.
pub(super) struct NewFile {
    out: PathBuf,
    path: PathBuf,
    writer: Option<BufWriter<File>>,
}

impl NewFile {
    /// Begins a file that will be `out`; a file there is replaced at the end, with `overwrite`.
    pub fn begin(out: &Path, overwrite: bool) -> Result<Self, ExportError> {
        if out.is_dir() {
            return Err(ExportError::NotOurs { path: out.into(), what: "a file" });
        }
        if out.exists() && !overwrite {
            return Err(ExportError::Exists(out.into()));
        }
        let path = unfinished(out);
        let file = File::create(&path).map_err(ExportError::io("written", &path))?;
        Ok(Self { out: out.into(), path, writer: Some(BufWriter::with_capacity(1 << 20, file)) })
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), ExportError> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        writer.write_all(bytes).map_err(ExportError::io("written", &self.path))
    }

    /// Flushes the file and gives it its name.
    pub fn finish(mut self) -> Result<(), ExportError> {
        if let Some(mut writer) = self.writer.take() {
            let flushed = writer.flush().and_then(|()| writer.get_ref().sync_all());
            flushed.map_err(ExportError::io("flushed", &self.path))?;
        }
        fs::rename(&self.path, &self.out).map_err(ExportError::io("given its name", &self.path))
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // After the rename there is nothing under this name, and that is no error.
        self.writer = None;
        let _ = fs::remove_file(&self.path);
    }
}

/// A checkpoint folder that is being written.
pub(super) struct NewFolder {
    out: PathBuf,
    path: PathBuf,
    parts: Vec<PathBuf>,
}

impl NewFolder {
    /// Begins a folder that will be `out`. A folder there is replaced at the end, with
    /// `overwrite`, if it is a checkpoint.
    pub fn begin(out: &Path, overwrite: bool) -> Result<Self, ExportError> {
        if out.exists() && !is_empty(out) {
            if !out.join("config.json").is_file() {
                return Err(ExportError::NotOurs { path: out.into(), what: "a checkpoint folder" });
            }
            if !overwrite {
                return Err(ExportError::Exists(out.into()));
            }
        }
        let path = unfinished(out);
        let _ = fs::remove_dir_all(&path);
        let parts = path.join("parts");
        fs::create_dir_all(&parts).map_err(ExportError::io("made", &parts))?;
        Ok(Self { out: out.into(), path, parts: vec![] })
    }

    /// Writes a file of the folder.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), ExportError> {
        let path = self.path.join(name);
        fs::write(&path, bytes).map_err(ExportError::io("written", &path))
    }

    /// Adds tensors to the weights.
    pub fn tensors(&mut self, named: &[(String, &HostTensor)], dtype: Dtype) -> Result<(), ExportError> {
        self.part(&encode_tensors(named, dtype)?)
    }

    /// Adds the bytes of a safetensors file to the weights.
    pub fn part(&mut self, bytes: &[u8]) -> Result<(), ExportError> {
        let path = self.path.join("parts").join(format!("{:05}.safetensors", self.parts.len()));
        fs::write(&path, bytes).map_err(ExportError::io("written", &path))?;
        self.parts.push(path);
        Ok(())
    }

    /// Joins the weights, takes over what the source has besides them, and gives the folder its name.
    pub fn finish(self, source: Option<&Path>) -> Result<(), ExportError> {
        checkpoint::assemble(&self.parts, &self.path, SHARD_BYTES)?;
        let parts = self.path.join("parts");
        fs::remove_dir_all(&parts).map_err(ExportError::io("removed", &parts))?;
        for name in COPIED {
            let from = source.map(|s| s.join(name)).filter(|f| f.is_file());
            if let Some(from) = from {
                fs::copy(&from, self.path.join(name)).map_err(ExportError::io("copied", &from))?;
            }
        }
        if self.out.exists() {
            fs::remove_dir_all(&self.out).map_err(ExportError::io("replaced", &self.out))?;
        }
        fs::rename(&self.path, &self.out).map_err(ExportError::io("given its name", &self.path))
    }
}

impl Drop for NewFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}
