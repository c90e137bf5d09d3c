//! What does not fit, in numbers, and what would.

use crate::format;
use crate::remedy::{Remedied, Remedy};

/// Why it does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemoryError {
    /// A matrix is larger than a kernel can bind.
    #[error(
        "{what} takes {bytes} bytes in one piece, but the device binds at most {limit} (its storage-binding limit)"
    )]
    Binding {
        /// Which matrix it is of which layer, in words.
        what: String,
        /// Bytes that it takes in one piece.
        bytes: u64,
        /// The device's limit in bytes.
        limit: u64,
    },
    /// One window's activations are larger than a kernel can bind.
    #[error(
        "one window of {tokens} tokens takes {bytes} bytes in one piece, but the device binds at most {limit} (its storage-binding limit); \
         {fitting} tokens would fit"
    )]
    Window {
        /// Tokens of a window.
        tokens: usize,
        /// Its bytes at the widest place.
        bytes: u64,
        /// The device's limit in bytes.
        limit: u64,
        /// Tokens of the longest window that would fit.
        fitting: u64,
    },
    /// The device's budget is too small.
    #[error("the device needs {} but may use {}: {parts}", format::bytes(*.needed), format::bytes(*.budget))]
    Device {
        /// Bytes needed on the device at the worst moment.
        needed: u64,
        /// Bytes of the device that may be used.
        budget: u64,
        /// The lines of the plan.
        parts: String,
    },
    /// The host's budget is too small.
    #[error("the host needs {} but may use {}: {parts}; {would_fit}", format::bytes(*.needed), format::bytes(*.budget))]
    Host {
        /// Bytes needed on the host at the worst moment.
        needed: u64,
        /// Bytes of the host that may be used.
        budget: u64,
        /// The lines of the plan.
        parts: String,
        /// What would fit instead.
        would_fit: WouldFit,
    },
    /// The disk has too little room for what memory cannot hold.
    #[error(
        "the activations do not fit the memory and take {} on the output's disk, which has room for {}; {would_fit}",
        format::bytes(*.needed), format::bytes(*.budget)
    )]
    Disk {
        /// Bytes of the activations that would go to disk.
        needed: u64,
        /// Bytes that are free on the output's disk.
        budget: u64,
        /// What would fit instead.
        would_fit: WouldFit,
    },
}

/// What would fit where a plan does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WouldFit {
    /// So many calibration windows.
    Windows(u64),
    /// Not even one calibration window.
    NoWindow {
        /// Tokens of a window.
        tokens: usize,
        /// Bytes of its activations.
        bytes: u64,
    },
    /// Nothing: what is needed without any activations is too much already.
    Nothing {
        /// Bytes of everything but the activations.
        fixed: u64,
    },
}

impl std::fmt::Display for WouldFit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::Windows(windows) => write!(f, "{windows} calibration windows would fit"),
            Self::NoWindow { tokens, bytes } => {
                write!(f, "one window of {tokens} tokens takes {}", format::bytes(bytes))
            }
            Self::Nothing { fixed } => {
                write!(f, "even without activations it needs {}: use a machine with more memory", format::bytes(fixed))
            }
        }
    }
}

impl Remedied for MemoryError {
    fn remedy(&self) -> Option<Remedy> {
        match *self {
            Self::Binding { .. } => Some(Remedy::Cpu),
            Self::Window { fitting, .. } => Some(Remedy::WindowTokens(fitting)),
            Self::Device { needed, .. } => Some(Remedy::AllowMemory(needed)),
            Self::Host { would_fit, .. } | Self::Disk { would_fit, .. } => match would_fit {
                WouldFit::Windows(windows) => Some(Remedy::Windows(windows)),
                WouldFit::NoWindow { .. } | WouldFit::Nothing { .. } => None,
            },
        }
    }
}
