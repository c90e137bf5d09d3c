//! One host file per shader (or per family that is always launched together): parameters,
//! bindings, dispatch. Knows linear algebra, no pruning.
//!
//! Kernels run on burn's own buffers through burn's own client, so nothing is copied between two
//! worlds and the order of launches is the order of burn's operations.

pub mod block_cholesky;
pub mod cholesky;
pub mod eliminate;
pub mod gather;
pub mod hessian;
mod kernel;
pub mod reduce;

pub use kernel::{GpuError, KERNELS, Kernel};
