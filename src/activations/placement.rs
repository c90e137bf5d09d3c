//! The memories that there are.

use serde::{Deserialize, Serialize};

/// The memory that bytes lie in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Placement {
    /// In the memory of the device that computes.
    Device,
    /// In the host's memory.
    Host,
    /// On disk, in the output's working folder.
    Disk,
}
