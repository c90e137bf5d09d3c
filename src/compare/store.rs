//! The folder of results: `NAME.json` for each finished cell, beside the folder it was pruned to, where
//! the name ends in a digest of everything that decides the cell. A row is used again only if how it
//! was measured is the same too.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{CompareError, Comparison, plot};
use crate::disk::{self, DiskError};
use crate::place::{Kind, Place, PlaceError};

/// What a model is, and what it is called.
#[derive(Clone, Copy)]
pub(super) struct Named<'a> {
    pub identity: &'a str,
    pub name: &'a str,
}

/// The folder of results, held by one process.
pub(super) struct Store {
    folder: PathBuf,
    reads: Vec<PathBuf>,
    _lock: File,
}

/// Results of one model, by what they were measured with.
#[derive(Serialize, Deserialize)]
struct Kept<T> {
    /// What the model is and was made of.
    identity: String,
    /// What it is called.
    model: String,
    /// By the identity of the measurement.
    result: BTreeMap<String, T>,
    /// Of identity and results: a figure that changed on the disk is measured again.
    #[serde(default)]
    sha256: String,
}

fn digest(identity: &str, result: &impl Serialize) -> String {
    // Numbers and texts always have a JSON form, and read back they have the same.
    format!("{:x}", Sha256::digest(serde_json::to_vec(&(identity, result)).unwrap_or_default()))
}

impl Store {
    /// Makes the folder if it is not there, and holds it for the comparison of a `model`. What will be
    /// written beside the cells is asked for beforehand, while all of `reads` is read: a comparison takes
    /// hours.
    pub fn open(folder: &Path, reads: &[PathBuf], model: Named<'_>) -> Result<Self, CompareError> {
        Place::new(folder, Kind::Results, true).ask(reads)?;
        for (name, kind) in SUMMARIES {
            Place::new(&folder.join(name), kind, true).ask(reads)?;
        }
        Place::new(&file(folder, DENSE), Kind::Row, true).ask(reads)?;
        disk::make_folder(folder)?;
        let lock = disk::lock(&folder.join(LOCK))?;
        let lock = lock.ok_or_else(|| PlaceError::Busy { path: folder.into() })?;
        let store = Self { folder: folder.into(), reads: reads.to_vec(), _lock: lock };
        match store.kept::<serde_json::Value>(DENSE) {
            // Its rows would stand beside those of another model as if they could be compared.
            Some(theirs) if theirs.identity != model.identity => {
                Err(CompareError::OtherModel { folder: folder.into(), theirs: theirs.model, ours: model.name.into() })
            }
            _ => Ok(store),
        }
    }

    /// Where a cell is pruned to. A name of its own for everything that decides the result, so that
    /// no comparison takes away what another has left.
    ///
    /// # Errors
    /// When something else stands there.
    pub fn place(&self, name: &str) -> Result<PathBuf, PlaceError> {
        let folder = self.folder.join(name);
        Place::new(&file(&self.folder, name), Kind::Row, true).ask(&self.reads)?;
        Place::new(&folder, Kind::Pruned, true).ask(&self.reads)?;
        Ok(folder)
    }

    /// What was kept under a name, if it is of this identity and was measured so. What cannot be read,
    /// or is not what was written, is not there.
    pub fn get<T: Serialize + DeserializeOwned>(&self, name: &str, identity: &str, measured: &str) -> Option<T> {
        self.whole::<T>(name, identity)?.remove(measured)
    }

    /// Keeps a result under a name, beside those that were measured otherwise.
    pub fn put<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        model: Named<'_>,
        measured: &str,
        result: T,
    ) -> Result<(), PlaceError> {
        let mut all = self.whole::<T>(name, model.identity).unwrap_or_default();
        all.insert(measured.into(), result);
        let (identity, sha256) = (model.identity.into(), digest(model.identity, &all));
        let kept = Kept { identity, model: model.name.into(), result: all, sha256 };
        Place::new(&file(&self.folder, name), Kind::Row, true).write_json(&kept)
    }

    /// Whether a finished cell still has its weights: who finished it was to keep them.
    pub fn is_kept(&self, name: &str) -> bool {
        self.kept::<serde_json::Value>(name).is_some() && has_weights(&self.folder.join(name))
    }

    /// All results of a model under a name, as they were written.
    fn whole<T: Serialize + DeserializeOwned>(&self, name: &str, identity: &str) -> Option<BTreeMap<String, T>> {
        let kept = self.kept::<T>(name).filter(|kept| kept.identity == identity)?;
        (kept.sha256 == digest(identity, &kept.result)).then_some(kept.result)
    }

    fn kept<T: DeserializeOwned>(&self, name: &str) -> Option<Kept<T>> {
        serde_json::from_slice(&disk::read(&file(&self.folder, name)).ok()?).ok()
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
