//! The folder of results: `NAME.json` for each finished cell, beside the folder it was pruned to.
//! A row is used again only if everything that decides it is the same.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{CompareError, Comparison, plot};
use crate::disk::{self, DiskError};
use crate::place::{Kind, Place, PlaceError};

/// The folder of results, held by one process.
pub(super) struct Store {
    folder: PathBuf,
    _lock: File,
}

#[derive(Serialize, Deserialize)]
struct Identified<T> {
    /// What the result was made of.
    identity: String,
    result: T,
    /// Of the two: a figure that changed on the disk is measured again.
    #[serde(default)]
    sha256: String,
}

fn digest(identity: &str, result: &impl Serialize) -> String {
    // Numbers and texts always have a JSON form, and read back they have the same.
    format!("{:x}", Sha256::digest(serde_json::to_vec(&(identity, result)).unwrap_or_default()))
}

impl Store {
    /// Makes the folder if it is not there, and holds it. Whatever will be written is asked for
    /// beforehand, while all of `reads` is read: a comparison takes hours.
    pub fn open(folder: &Path, reads: &[PathBuf], cells: &[String]) -> Result<Self, CompareError> {
        Place::new(folder, Kind::Results, true).ask(reads)?;
        for (name, kind) in SUMMARIES {
            Place::new(&folder.join(name), kind, true).ask(reads)?;
        }
        for name in cells.iter().map(String::as_str).chain([DENSE]) {
            Place::new(&file(folder, name), Kind::Row, true).ask(reads)?;
            Place::new(&folder.join(name), Kind::Pruned, true).ask(reads)?;
        }
        disk::make_folder(folder)?;
        let lock = disk::lock(&folder.join(LOCK))?;
        let lock = lock.ok_or_else(|| CompareError::Busy { folder: folder.into() })?;
        Ok(Self { folder: folder.into(), _lock: lock })
    }

    /// Where a cell is pruned to.
    pub fn cell_folder(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What was kept under a name, if it is of this identity. What cannot be read, or is not what was written,
    /// is not there.
    pub fn get<T: DeserializeOwned + Serialize>(&self, name: &str, identity: &str) -> Option<T> {
        let json = disk::read(&file(&self.folder, name)).ok()?;
        let kept: Identified<T> = serde_json::from_slice(&json).ok()?;
        let is_whole = kept.sha256 == digest(identity, &kept.result);
        (kept.identity == identity && is_whole).then_some(kept.result)
    }

    /// Keeps a result under a name, wholly or not at all.
    pub fn put<T: Serialize>(&self, name: &str, identity: &str, result: &T) -> Result<(), PlaceError> {
        let place = Place::new(&file(&self.folder, name), Kind::Row, true);
        let sha256 = digest(identity, result);
        place.write_json(&Identified { identity: identity.to_owned(), result, sha256 })
    }

    /// Writes `compare.json`, `compare.csv` and `compare.svg`.
    pub fn summarise(&self, comparison: &Comparison) -> Result<(), PlaceError> {
        let [json, table, figure] = SUMMARIES.map(|(name, kind)| Place::new(&self.folder.join(name), kind, true));
        json.write_json(comparison)?;
        table.write(comparison.to_csv().as_bytes())?;
        figure.write(plot(comparison).standalone().as_bytes())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // While it is held, so that nobody takes the name of a file that goes.
        let _ = disk::remove_file(&self.folder.join(LOCK));
    }
}

/// The name of the dense model's row.
pub(super) const DENSE: &str = "dense";
/// Held while a process works in the folder.
const LOCK: &str = "compare.lock";
/// What tells of all cells together.
const SUMMARIES: [(&str, Kind); 3] =
    [("compare.json", Kind::Comparison), ("compare.csv", Kind::Table), ("compare.svg", Kind::Figure)];

fn file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.json"))
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
