//! What can be wrong with what a model is measured on: where, which value, and what to do.

/// Why a measurement cannot be made or kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// A file is missing, unreadable, damaged, or cannot be written.
    #[error("{file}: {reason}")]
    File {
        /// The file.
        file: String,
        /// What is wrong with it, and the remedy.
        reason: String,
    },
}
