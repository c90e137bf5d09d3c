//! Activations on disk: files that need not survive the process, so they are neither flushed nor
//! renamed. A run that goes on computes them anew.

use std::path::PathBuf;

use crate::disk::{make_folder, put, read};
use crate::pipeline::{PipelineError, Spill};

/// A folder of activations, made when the first arrive.
pub(super) struct FolderSpill {
    folder: PathBuf,
}

impl FolderSpill {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }
}

impl Spill for FolderSpill {
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), PipelineError> {
        // At every write: a folder made beforehand would stand there in runs that never spill.
        make_folder(&self.folder)?;
        Ok(put(&self.folder.join(name), bytes)?)
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, PipelineError> {
        Ok(read(&self.folder.join(name))?)
    }
}
