//! What can go wrong with one linear layer. The caller adds which layer it was.

use crate::gpu::GpuError;

/// Why a layer could not be pruned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObsError {
    /// The Hessian, or a diagonal block of its inverse, is not positive definite.
    /// More calibration tokens or more damping cure it.
    #[error(
        "{what} is not positive definite: pivot {pivot} is {value:e}; use more calibration tokens (--samples, --seq-len) or more damping (--damping, now {damping})"
    )]
    NotPositiveDefinite {
        /// "the Hessian" or the group whose block failed.
        what: String,
        /// Row at which the factorisation stopped.
        pivot: usize,
        /// The pivot, where the executor reports it; otherwise not a number.
        value: f64,
        /// λ in units of the mean diagonal.
        damping: f64,
    },
    /// An activation or a weight is not a finite number.
    #[error(
        "{what} {index} is {value}: the activations of this layer are not finite; check the checkpoint with `slimgpt inspect`, or run on --device cpu"
    )]
    NotFinite {
        /// Which quantity.
        what: &'static str,
        /// Its index.
        index: usize,
        /// The value.
        value: f64,
    },
    /// More groups were to go than there are.
    #[error("{remove} of {present} {unit} cannot go: at least one must stay")]
    NothingLeft {
        /// "heads", "channels"…
        unit: &'static str,
        /// How many were to go.
        remove: usize,
        /// How many there are.
        present: usize,
    },
    /// The Hessian was asked for before any token was seen.
    #[error("no calibration token reached this layer")]
    NoTokens,
    /// Inputs and weights do not fit together.
    #[error("the Hessian has {hessian} inputs but the weight has {weight}")]
    Shape {
        /// Inputs of the Hessian.
        hessian: usize,
        /// Columns of the weight.
        weight: usize,
    },
    /// The device failed.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// A tensor could not be read on the host.
    #[error("a tensor could not be read back: {0}")]
    Readback(String),
}
