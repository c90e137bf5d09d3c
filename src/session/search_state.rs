//! What an unfinished search leaves in its file: the map so far, and how far climbs are.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::disk;
use crate::search::{Climbing, Map, SearchError};

/// What a search has found so far, and of what.
#[derive(Serialize, Deserialize)]
pub(super) struct SearchState {
    id: String,
    pub map: Map,
    /// By what tells a climb from others.
    #[serde(default)]
    pub climbs: BTreeMap<String, Climbing>,
}

impl SearchState {
    /// What the file has of the search with this id. One that cannot be read, or is of another search, is begun again.
    pub fn known(file: &Path, id: &str) -> Self {
        let known = disk::read_within(file, disk::REPORT).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let nothing = || Self { id: id.to_owned(), map: Map::default(), climbs: BTreeMap::new() };
        known.filter(|state: &Self| state.id == id).unwrap_or_else(nothing)
    }

    /// Writes it in place of what the file had.
    pub fn keep(&self, file: &Path) -> Result<(), SearchError> {
        Ok(disk::write_json(file, self)?)
    }
}
