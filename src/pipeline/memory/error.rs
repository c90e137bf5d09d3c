//! What does not fit, in numbers, and what would make it fit.

use crate::format::bytes;

/// Why it does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemoryError {
    /// A matrix is larger than a kernel can bind.
    #[error(
        "layer {layer}: {what} takes {bytes} bytes in one piece, but the device binds at most {limit} (its storage-binding limit); use --device cpu"
    )]
    Binding {
        /// The layer with the largest.
        layer: usize,
        /// Which matrix.
        what: String,
        /// Its bytes.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// One window's activations are larger than a kernel can bind.
    #[error(
        "one window of {tokens} tokens takes {bytes} bytes in one piece, but the device binds at most {limit} (its storage-binding limit); use --seq-len {fitting} or --device cpu"
    )]
    Window {
        /// Tokens of a window.
        tokens: usize,
        /// Its bytes at the widest place.
        bytes: u64,
        /// The limit.
        limit: u64,
        /// The longest window that would fit.
        fitting: u64,
    },
    /// The device's budget is too small.
    #[error("the device needs {} but may use {}: {parts}; {remedy}", bytes(*.needed), bytes(*.budget))]
    Device {
        /// Bytes needed.
        needed: u64,
        /// Bytes allowed.
        budget: u64,
        /// The lines of the plan.
        parts: String,
        /// What would make it fit.
        remedy: String,
    },
    /// The host's budget is too small.
    #[error("the host needs {} but may use {}: {parts}; {remedy}", bytes(*.needed), bytes(*.budget))]
    Host {
        /// Bytes needed.
        needed: u64,
        /// Bytes allowed.
        budget: u64,
        /// The lines of the plan.
        parts: String,
        /// What would make it fit.
        remedy: String,
    },
    /// The disk has too little room for what memory cannot hold.
    #[error(
        "the activations do not fit the memory and take {} on the output's disk, which has room for {}; free some space, or {remedy}",
        bytes(*.needed), bytes(*.budget)
    )]
    Disk {
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        budget: u64,
        /// What would make it fit.
        remedy: String,
    },
}
