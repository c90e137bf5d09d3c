//! What is kept between two starts.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::screens::Screen;
use crate::settings::Settings;
use crate::unfinished::Unfinished;

/// Recent models that are kept.
const RECENT: usize = 8;

/// The key in the storage.
pub const KEY: &str = "slimgpt";

/// Light, dark, or as the system has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Look {
    /// As the system has it.
    #[default]
    System,
    /// Light, whatever the system has.
    Light,
    /// Dark, whatever the system has.
    Dark,
}

/// Everything that is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
// What an older version kept lacks the newer fields.
#[serde(default)]
pub struct Saved {
    /// Light, dark, or as the system has it.
    pub look: Look,
    /// The screen that was shown.
    pub screen: Screen,
    /// Models that were opened, the last first.
    pub recent: Vec<PathBuf>,
    /// What was chosen on the Plan screen.
    pub settings: Settings,
    /// Runs that were not finished.
    pub unfinished: Vec<Unfinished>,
    /// Multiplications that a device did each second in earlier runs, by its name.
    pub rates: Vec<(String, f64)>,
    /// The prompt of the Compare screen.
    pub prompt: String,
}

impl Saved {
    /// Puts a folder at the head of the recent ones.
    pub fn opened(&mut self, folder: PathBuf) {
        self.recent.retain(|f| *f != folder);
        self.recent.insert(0, folder);
        self.recent.truncate(RECENT);
    }

    /// A run begins: if it is interrupted, it is offered again.
    pub fn began(&mut self, run: Unfinished) {
        // A run that goes on takes the place of itself.
        self.ended(&run.out.clone());
        self.unfinished.insert(0, run);
    }

    /// The run that makes `out` is finished or given up.
    pub fn ended(&mut self, out: &Path) {
        self.unfinished.retain(|r| r.out != *out);
    }

    /// What a device was found to do in a second.
    pub fn measured(&mut self, device: &str, rate: f64) {
        // The last run alone counts: it is nearest to what the device does now.
        self.rates.retain(|(name, _)| name != device);
        self.rates.push((device.into(), rate));
    }

    /// The rate of a device, if it ever ran.
    pub fn rate(&self, device: &str) -> Option<f64> {
        self.rates.iter().find(|(name, _)| name == device).map(|&(_, rate)| rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_recent_once_and_the_last_comes_first() {
        let mut saved = Saved::default();
        for folder in ["a", "b", "a"] {
            saved.opened(folder.into());
        }
        assert_eq!(saved.recent, [PathBuf::from("a"), PathBuf::from("b")]);
        (0..20).for_each(|i| saved.opened(i.to_string().into()));
        assert_eq!(saved.recent.len(), RECENT);
    }
}
