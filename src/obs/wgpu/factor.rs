//! Cholesky factors of what should have one: H + λI, its part that stays, blocks of its inverse.

use burn::tensor::Tensor;

use crate::device::panels::Panels;
use crate::gpu::block_cholesky::BadPivot;
use crate::gpu::cholesky::{InverseFactor, inverse_factor};
use crate::gpu::eliminate::Elimination;
use crate::gpu::gather;
use crate::obs::{FactoredMatrix, ObsError};

/// L⁻¹ of `a`; `what` names it if it has none.
pub(super) async fn factored(a: Panels, what: impl FnOnce() -> FactoredMatrix) -> Result<InverseFactor, ObsError> {
    let factor = inverse_factor(a);
    match factor.bad_pivot().await? {
        Some(bad) => Err(not_positive(what(), bad)),
        None => Ok(factor),
    }
}

/// L⁻¹ of [H⁻¹]_gg, of any size.
pub(super) async fn block_factor(state: &Elimination, columns: &[usize]) -> Result<InverseFactor, ObsError> {
    let index = gather::index(&[columns.to_vec()], &state.h_inv.device());
    let block: Tensor<2> = gather::diagonal_blocks(&state.h_inv, &index).squeeze_dim(0);
    factored(block.into(), || FactoredMatrix::inverse_block(columns)).await
}

/// What is told of a matrix whose factorisation stopped.
pub(super) fn not_positive(matrix: FactoredMatrix, bad: BadPivot) -> ObsError {
    ObsError::not_positive(matrix, bad.index, Some(bad.value.into()))
}
