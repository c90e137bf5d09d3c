//! Why there are no gradients.

use crate::activations::CacheError;
use crate::device::readback::ReadbackError;

/// Why there are no gradients.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GradientError {
    /// The sequences cannot be learnt from.
    #[error("{0}")]
    Batch(String),
    /// The model caps its scores or logits, whose gradients by hand know no cap.
    #[error(
        "a {0:?} caps its scores or logits, and gradients of capped ones are not computed: it is pruned without them"
    )]
    Capped(crate::shape::Family),
    /// Layers are asked for in another order than they can be computed in.
    #[error("layer {layer} was asked for where layer {next} comes next")]
    Order {
        /// The layer that was asked for.
        layer: usize,
        /// The one whose turn it is.
        next: usize,
    },
    /// Whoever was told of the progress said stop.
    #[error("stopped")]
    Stopped,
    /// A checkpoint could not be read.
    #[error(transparent)]
    Checkpoint(#[from] crate::checkpoint::ReadError),
    /// Activations could not be kept or found again.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The device lost its work.
    #[error(transparent)]
    Readback(#[from] ReadbackError),
}
