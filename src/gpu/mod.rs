//! One host file per shader (or per family that is always launched together): parameters,
//! bindings, dispatch. Knows linear algebra, no pruning.
//!
//! Kernels run on burn's own buffers through burn's own client, so nothing is copied between two
//! worlds and the order of launches is the order of burn's operations.

pub mod block_cholesky;
mod buffer;
pub mod cholesky;
pub mod dropout;
pub mod eliminate;
pub mod gather;
pub mod hessian;
mod kernel;
pub mod reduce;

use kernel::Params;
pub use kernel::{Field, Kernel};

/// Every kernel of the program, for tests that hold the texts to what the host believes of them.
pub static KERNELS: &[&Kernel] = &[
    hessian::HessianAccumulate::KERNEL,
    hessian::MirrorLower::KERNEL,
    block_cholesky::CholeskyBlock::KERNEL,
    block_cholesky::TriangularSolve::KERNEL,
    reduce::SumSquares::KERNEL,
    reduce::ColumnNorms::KERNEL,
    reduce::PivotScores::KERNEL,
    gather::Gather::KERNEL,
    dropout::DropoutMask::KERNEL,
    eliminate::PickColumn::KERNEL,
    eliminate::PivotRow::KERNEL,
    eliminate::PivotColumn::KERNEL,
    eliminate::BasisGram::KERNEL,
    eliminate::UpdateNorms::KERNEL,
];
