//! Where the program keeps what is its own, and where models lie that it shares with other programs.

use std::path::PathBuf;

/// Folders of this machine that the window knows without having been told.
#[derive(Clone, Default)]
pub struct Places {
    /// Where the program keeps what is its own; a page has no such folder.
    pub data: Option<PathBuf>,
    /// Which hub is asked and where its cache is, if not as the environment says.
    #[cfg(not(target_arch = "wasm32"))]
    pub hub: Option<slimgpt::hub::Settings>,
    /// Where archives are unpacked, if not where the command line does it too.
    pub unpacked: Option<PathBuf>,
}

#[cfg(not(target_arch = "wasm32"))]
impl Places {
    /// The hub and its cache.
    pub fn hub(&self) -> slimgpt::hub::Hub {
        slimgpt::hub::Hub::new(self.hub.clone().unwrap_or_else(slimgpt::hub::Settings::of_environment))
    }
}
