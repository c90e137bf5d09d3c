//! The one error type of the library's outer functions.
//!
//! Each module has its own error enum that says where, which value and what to do; this enum only
//! gathers them, so that a caller may match on the module and a user reads the module's sentence.

use crate::remedy::{Remedied, Remedy};

/// Anything that can go wrong in the library.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A checkpoint could not be read.
    #[error(transparent)]
    Read(#[from] crate::checkpoint::ReadError),
    /// A checkpoint could not be written.
    #[error(transparent)]
    Write(#[from] crate::checkpoint::WriteError),
    /// A tokenizer or a text could not be used.
    #[error(transparent)]
    Text(#[from] crate::text::TextError),
    /// A device could not be opened, or gave an answer that is not a number.
    #[error(transparent)]
    Device(#[from] crate::device::DeviceError),
    /// The device lost its work.
    #[error(transparent)]
    Readback(#[from] crate::device::readback::ReadbackError),
}

impl Remedied for Error {
    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Read(_) => None,
            Self::Write(error) => error.remedy(),
            Self::Text(error) => error.remedy(),
            Self::Device(error) => error.remedy(),
            Self::Readback(error) => error.remedy(),
        }
    }
}
