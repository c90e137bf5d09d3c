//! The folder of results: `NAME.json` for each finished cell, beside the folder it was pruned to.
//! A row is used again only if everything that decides it is the same.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::CompareError;

/// The folder of results.
pub(super) struct Store {
    folder: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Kept<T> {
    /// What the result was made of.
    identity: String,
    result: T,
}

impl Store {
    /// Makes the folder if it is not there.
    pub fn open(folder: &Path) -> Result<Self, CompareError> {
        fs::create_dir_all(folder).map_err(|e| CompareError::io("made", folder, e))?;
        Ok(Self { folder: folder.into() })
    }

    /// Where a cell is pruned to.
    pub fn cell_folder(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What was kept under a name, if it is of this identity. What cannot be read is not there.
    pub fn get<T: DeserializeOwned>(&self, name: &str, identity: &str) -> Option<T> {
        let json = fs::read(self.file(name)).ok()?;
        let kept: Kept<T> = serde_json::from_slice(&json).ok()?;
        (kept.identity == identity).then_some(kept.result)
    }

    /// Keeps a result under a name, wholly or not at all.
    pub fn put<T: Serialize>(&self, name: &str, identity: &str, result: &T) -> Result<(), CompareError> {
        let path = self.file(name);
        let kept = Kept { identity: identity.to_owned(), result };
        let json = serde_json::to_vec_pretty(&kept).map_err(|e| CompareError::io("written", &path, e.into()))?;
        write_whole(&path, &json)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }
}

/// Writes a file under another name, flushes it, and gives it its name.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), CompareError> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let written = File::create(&unfinished).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&unfinished, path)).map_err(|e| CompareError::io("written", path, e))
}

/// Whether a pruned folder still has its weights.
pub(super) fn has_weights(folder: &Path) -> bool {
    weights(folder).is_ok_and(|files| !files.is_empty())
}

/// Removes the weights of a pruned folder; its report, figures and config stay.
pub(super) fn remove_weights(folder: &Path) -> Result<(), CompareError> {
    let files = weights(folder).map_err(|e| CompareError::io("read", folder, e))?;
    files.iter().try_for_each(|file| fs::remove_file(file).map_err(|e| CompareError::io("removed", file, e)))
}

fn weights(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
    let is_weight = |name: &str| name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json");
    let files = entries.into_iter().map(|e| e.path());
    Ok(files.filter(|f| f.file_name().is_some_and(|n| is_weight(&n.to_string_lossy()))).collect())
}
