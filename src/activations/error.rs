//! Why activations are not where they should be.

use crate::device::readback::ReadbackError;

/// Why activations cannot be kept, or found again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// They could not be read back from the device.
    #[error(transparent)]
    Readback(#[from] ReadbackError),
    /// They are to be kept in half precision, and one is too large for it.
    #[error("an activation of {value} does not fit f16 (largest 65504)")]
    Overflow {
        /// The largest, or the first that does not fit.
        value: f32,
    },
    /// They were not kept, or were taken before.
    #[error("activations were asked for that are not kept")]
    Missing,
    /// They are to be on a disk that there is not.
    #[error("the plan keeps the activations on disk, but the result goes to memory only; plan without room on a disk")]
    NoDisk,
    /// The disk refused them.
    #[cfg(not(target_arch = "wasm32"))]
    #[error(transparent)]
    Disk(#[from] crate::disk::DiskError),
}
