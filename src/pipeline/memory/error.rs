//! What does not fit, in numbers, and what would make it fit.

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
    #[error("the device needs {} but may use {}: {parts}; {remedy}", readable(*.needed), readable(*.budget))]
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
    #[error("the host needs {} but may use {}: {parts}; {remedy}", readable(*.needed), readable(*.budget))]
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
        readable(*.needed), readable(*.budget)
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

/// "1.25 GiB".
pub(super) fn readable(bytes: u64) -> String {
    match bytes {
        b if b >= 1 << 30 => format!("{:.2} GiB", b as f64 / (1u64 << 30) as f64),
        b if b >= 1 << 20 => format!("{:.1} MiB", b as f64 / (1u64 << 20) as f64),
        b => format!("{:.1} KiB", b as f64 / 1024.0),
    }
}
