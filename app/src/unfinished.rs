//! Runs that were begun and not finished.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::Origin;
use crate::settings::Settings;

/// A run that was begun and not finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unfinished {
    /// Where its model comes from.
    pub model: Origin,
    /// The settings it was begun with.
    pub settings: Settings,
    /// The folder it was to make.
    pub out: PathBuf,
}

impl Unfinished {
    /// Whether layers of it lie on the disk.
    pub fn is_there(&self) -> bool {
        let Some(name) = self.out.file_name() else { return false };
        let mut name = name.to_owned();
        // The working folder of the library, and the file that tells its run from others.
        name.push(".partial");
        self.out.with_file_name(name).join("run.json").is_file()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_offered_only_while_its_layers_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("slim");
        let run = Unfinished { model: Origin::Shipped, settings: Settings::default(), out };
        assert!(!run.is_there());
        std::fs::create_dir(folder.path().join("slim.partial")).unwrap();
        std::fs::write(folder.path().join("slim.partial/run.json"), "{}").unwrap();
        assert!(run.is_there());
    }
}
