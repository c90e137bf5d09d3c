//! Activations on disk: files that need not survive the process, so they are neither flushed nor
//! renamed. A run that goes on computes them anew.

use super::CacheError;
#[cfg(not(target_arch = "wasm32"))]
use crate::disk::{make_folder, put, read};

/// Keeps bytes by name as long as a run lasts. Several devices that share one use different names.
pub trait Spill: Send + Sync {
    /// Keeps bytes in place of those that had the name.
    ///
    /// # Errors
    /// When they cannot be written.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), CacheError>;

    /// The bytes of a name.
    ///
    /// # Errors
    /// When they cannot be read.
    fn read(&self, name: &str) -> Result<Vec<u8>, CacheError>;

    /// The folder by which another process keeps bytes beside these, if there is one.
    #[cfg(not(target_arch = "wasm32"))]
    fn folder(&self) -> Option<&std::path::Path> {
        None
    }
}

/// A folder of activations, made when the first arrive.
#[cfg(not(target_arch = "wasm32"))]
pub struct FolderSpill {
    folder: std::path::PathBuf,
}

#[cfg(not(target_arch = "wasm32"))]
impl FolderSpill {
    /// Room in `folder`, which need not be there yet.
    pub fn new(folder: std::path::PathBuf) -> Self {
        Self { folder }
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Spill for FolderSpill {
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), CacheError> {
        // At every write: a folder made beforehand would stand there in runs that never spill.
        make_folder(&self.folder)?;
        Ok(put(&self.folder.join(name), bytes)?)
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, CacheError> {
        Ok(read(&self.folder.join(name))?)
    }

    fn folder(&self) -> Option<&std::path::Path> {
        Some(&self.folder)
    }
}
