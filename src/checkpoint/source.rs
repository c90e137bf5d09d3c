//! What another process opens the same checkpoint by.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Checkpoint, ReadError};

/// A checkpoint as a place, and what tells it from another one there: on another machine the same path may be another
/// disk's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    place: PathBuf,
    adapter: Option<PathBuf>,
    config: Value,
    bytes: u64,
}

impl Source {
    /// Of a checkpoint; `None` of one that is in memory. An adapter that is in memory is no part of it.
    pub fn of(checkpoint: &Checkpoint) -> Option<Self> {
        // The other process may stand in another folder.
        let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Some(Self {
            place: whole(checkpoint.folder()?),
            adapter: checkpoint.adapter().map(whole),
            config: checkpoint.raw_config().clone(),
            bytes: checkpoint.bytes(),
        })
    }

    /// Opens it in this process.
    ///
    /// # Errors
    /// As [`Checkpoint::open`], and when another model is there.
    pub fn open(&self) -> Result<Checkpoint, ReadError> {
        let opened = Checkpoint::open(&self.place)?;
        if *opened.raw_config() != self.config || opened.bytes() != self.bytes {
            return Err(ReadError::OtherThere(self.place.clone()));
        }
        match &self.adapter {
            Some(folder) => opened.with_adapter(folder),
            None => Ok(opened),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_opened_elsewhere_is_the_same_or_refused() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/tiny_model");
        let opened = Checkpoint::open(&folder).unwrap();
        let source = Source::of(&opened).unwrap();
        let told: Source = serde_json::from_slice(&serde_json::to_vec(&source).unwrap()).unwrap();
        assert_eq!(told, source);
        assert_eq!(told.open().unwrap().layer(0).unwrap(), opened.layer(0).unwrap());
        let other = Source { bytes: source.bytes + 1, ..source.clone() };
        assert!(matches!(other.open(), Err(ReadError::OtherThere(place)) if place == source.place));
        let gone = Source { place: folder.join("gone"), ..source };
        assert!(matches!(gone.open(), Err(error) if error.to_string().contains("gone")));
    }
}
