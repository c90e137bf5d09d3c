//! Activations on disk: files that need not survive the process, so they are neither flushed nor
//! renamed. A run that goes on computes them anew.

use std::fs;
use std::path::{Path, PathBuf};

use super::FolderError;
use crate::pipeline::{PipelineError, Spill};

/// A folder of activations, made when the first arrive.
pub(super) struct FolderSpill {
    folder: PathBuf,
}

impl FolderSpill {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Spill for FolderSpill {
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), PipelineError> {
        fs::create_dir_all(&self.folder).map_err(|e| FolderError::io("made", &self.folder, e))?;
        let refused = |e| FolderError::io("written", &self.path(name), e);
        Ok(fs::write(self.path(name), bytes).map_err(refused)?)
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, PipelineError> {
        let path: &Path = &self.path(name);
        Ok(fs::read(path).map_err(|e| FolderError::io("read", path, e))?)
    }
}
