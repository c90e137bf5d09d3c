//! Why a table of times cannot be used.

use crate::remedy::{Remedied, Remedy};

/// Why a table of times cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TimesError {
    /// A file that is no table.
    #[error("it is no table of times: {0}")]
    File(String),
    /// Times of another device tell nothing of this one.
    #[error("the times were measured on another device ({measured}) and not on this one ({here})")]
    OtherDevice {
        /// Where they were measured.
        measured: String,
        /// What they are to be used for.
        here: String,
    },
    /// Times of layers of other sizes.
    #[error("the times were measured of a model of other sizes")]
    OtherModel,
    /// A time is asked for, and nothing tells times.
    #[error("a time for a token needs times of this model's layers on this device")]
    Missing,
}

impl Remedied for TimesError {
    fn remedy(&self) -> Option<Remedy> {
        Some(Remedy::MeasureTimes)
    }
}
