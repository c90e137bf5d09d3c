//! The folder of results: `NAME.json` for each finished cell, beside the folder it was pruned to.
//! A row is used again only if everything that decides it is the same.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::disk::{self, DiskError};

/// The folder of results.
pub(super) struct Store {
    folder: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Identified<T> {
    /// What the result was made of.
    identity: String,
    result: T,
}

impl Store {
    /// Makes the folder if it is not there.
    pub fn open(folder: &Path) -> Result<Self, DiskError> {
        disk::make_folder(folder)?;
        Ok(Self { folder: folder.into() })
    }

    /// Where a cell is pruned to.
    pub fn cell_folder(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What was kept under a name, if it is of this identity. What cannot be read is not there.
    pub fn get<T: DeserializeOwned>(&self, name: &str, identity: &str) -> Option<T> {
        let json = disk::read(&self.file(name)).ok()?;
        let kept: Identified<T> = serde_json::from_slice(&json).ok()?;
        (kept.identity == identity).then_some(kept.result)
    }

    /// Keeps a result under a name, wholly or not at all.
    pub fn put<T: Serialize>(&self, name: &str, identity: &str, result: &T) -> Result<(), DiskError> {
        disk::write_json(&self.file(name), &Identified { identity: identity.to_owned(), result })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }
}

/// Whether a pruned folder still has its weights.
pub(super) fn has_weights(folder: &Path) -> bool {
    weights(folder).is_ok_and(|files| !files.is_empty())
}

/// Removes the weights of a pruned folder; its report, figures and config stay.
pub(super) fn remove_weights(folder: &Path) -> Result<(), DiskError> {
    weights(folder)?.iter().try_for_each(|name| disk::remove_file(&folder.join(name)))
}

fn weights(folder: &Path) -> Result<Vec<String>, DiskError> {
    let mut names = disk::names(folder)?;
    // An index without its shards would point at nothing.
    names.retain(|name| name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json"));
    Ok(names)
}
