//! The one error type of the library's outer functions.
//!
//! Each module has its own error enum that says where, which value and what to do; this enum only
//! gathers them, so that a caller may match on the module and a user reads the module's sentence.

/// Anything that can go wrong in the library.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A checkpoint could not be read or written.
    #[error(transparent)]
    Checkpoint(#[from] crate::checkpoint::CheckpointError),
    /// A tokenizer or a text could not be used.
    #[error(transparent)]
    Text(#[from] crate::text::TextError),
    /// A device could not be opened, or gave an answer that is not a number.
    #[error(transparent)]
    Device(#[from] crate::device::DeviceError),
    /// The device lost its work.
    #[error(transparent)]
    Readback(#[from] crate::device::readback::ReadbackError),
    /// What a model is measured on cannot be used, or a figure cannot be kept.
    #[error(transparent)]
    Eval(#[from] crate::eval::EvalError),
}
