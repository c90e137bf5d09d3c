//! What a result may replace, and checkpoint folders in the making.

use std::path::{Path, PathBuf};

use super::ExportError;
use super::huggingface;
use crate::checkpoint::{self, Dtype, HostTensor, encode_tensors};
use crate::disk::{self, NewFile, NewFolder};

/// Largest shard of a folder: what Hugging Face's own tools write.
const SHARD_BYTES: usize = 5_000_000_000;

/// Begins a file that will be `out`; a file there is replaced at the end, with `overwrite`.
pub(super) fn new_file(out: &Path, overwrite: bool) -> Result<NewFile, ExportError> {
    if out.is_dir() {
        return Err(ExportError::NotOurs { path: out.into(), what: "a file" });
    }
    if out.exists() && !overwrite {
        return Err(ExportError::Exists(out.into()));
    }
    Ok(NewFile::begin(out)?)
}

/// A checkpoint folder in the making.
pub(super) struct NewCheckpoint {
    folder: NewFolder,
    parts: Vec<PathBuf>,
}

impl NewCheckpoint {
    /// Begins a folder that will be `out`. A folder there is replaced at the end, with
    /// `overwrite`, if it is a checkpoint.
    pub fn begin(out: &Path, overwrite: bool) -> Result<Self, ExportError> {
        if out.exists() && !disk::is_empty(out) {
            // config.json marks a checkpoint; anything else may be somebody's work.
            if !out.join("config.json").is_file() {
                return Err(ExportError::NotOurs { path: out.into(), what: "a checkpoint folder" });
            }
            if !overwrite {
                return Err(ExportError::Exists(out.into()));
            }
        }
        Ok(Self { folder: NewFolder::begin(out)?, parts: vec![] })
    }

    /// Writes a file of the folder.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), ExportError> {
        Ok(disk::put(&self.folder.path().join(name), bytes)?)
    }

    /// Adds tensors to the weights.
    pub fn tensors(&mut self, named: &[(String, &HostTensor, Dtype)]) -> Result<(), ExportError> {
        self.part(&encode_tensors(named)?)
    }

    /// Adds the bytes of a safetensors file to the weights.
    pub fn part(&mut self, bytes: &[u8]) -> Result<(), ExportError> {
        let path = self.folder.scratch().join(format!("{:05}.safetensors", self.parts.len()));
        disk::put(&path, bytes)?;
        self.parts.push(path);
        Ok(())
    }

    /// Joins the weights, takes over what the source has besides them, and gives the folder its name.
    pub fn finish(self, source: Option<&Path>) -> Result<(), ExportError> {
        checkpoint::assemble(&self.parts, self.folder.path(), SHARD_BYTES)?;
        source.map_or(Ok(()), |source| huggingface::carry(source, self.folder.path()))?;
        // Both copies of the weights need not lie there while an older result is replaced.
        self.parts.iter().try_for_each(|part| disk::remove_file(part))?;
        Ok(self.folder.finish()?)
    }
}
