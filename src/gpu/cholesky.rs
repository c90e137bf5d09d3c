//! Cholesky of a large symmetric positive definite matrix, and its inverse from the factor.
//!
//! The matrix is split in two until a block fits one workgroup. With A = [A₁₁ ·; A₂₁ A₂₂] and
//! J = L⁻¹ carried along:
//!
//! ```text
//! L₂₁ = A₂₁ J₁₁ᵀ      L₂₂ = chol(A₂₂ − L₂₁ L₂₁ᵀ)      J₂₁ = −J₂₂ L₂₁ J₁₁      A⁻¹ = Jᵀ J
//! ```
//!
//! Nearly all the work is in the products, and burn's matmul does those; the recursion copies
//! O(n²) elements a level. The last product is symmetric and J triangular, so our rank-k update does
//! a sixth of it.

use burn::tensor::Tensor;

use super::block_cholesky::{self, BadPivot, Failures, bad_pivots};
use super::hessian;
use crate::device::panels::Panels;
use crate::device::product::product;
use crate::device::readback::ReadbackError;

/// Rows of a block that one workgroup factors.
const BASE: usize = 64;

/// L⁻¹ of A = L Lᵀ, `(n, n)` lower triangular, with what became of every diagonal block.
pub struct InverseFactor {
    /// L⁻¹ `(n, n)`, zero above the diagonal.
    pub j: Panels,
    failures: Vec<(usize, Failures)>,
}

/// Factors `a` `(n, n)`, symmetric.
pub fn inverse_factor(a: Panels) -> InverseFactor {
    let mut failures = Vec::new();
    let j = in_panels(a, 0, &mut failures);
    InverseFactor { j, failures }
}

/// As [`recurse`], of a matrix in blocks: [`split`] is always where one ends, so that halves are blocks too.
fn in_panels(a: Panels, offset: usize, failures: &mut Vec<(usize, Failures)>) -> Panels {
    let a = match a.single() {
        Ok(a) => return recurse(a, offset, failures).into(),
        Err(a) => a,
    };
    let [n, _] = a.dims();
    let half = split(n);
    let (upper, lower) = a.split_at(half);
    let a11 = upper.columns(0..half);
    drop(upper);
    let (a21, a22) = (lower.columns(0..half), lower.columns(half..n));
    drop(lower);
    let j11 = in_panels(a11, offset, failures);
    let l21 = a21.map(|_, a21| j11.times_transposed(a21));
    let schur = a22.map(|first, a22| {
        let rows = l21.rows(first..first + a22.dims()[0]);
        a22 - l21.times_transposed(rows)
    });
    let below = in_panels(schur, offset + half, failures).map(|_, j22| {
        let j21 = j11.left_times(l21.left_times(j22.clone())).neg();
        Tensor::cat(vec![j21, j22], 1)
    });
    let above = j11.map(|_, j11| {
        let upper = Tensor::zeros([j11.dims()[0], n - half], &j11.device());
        Tensor::cat(vec![j11, upper], 1)
    });
    Panels::stacked(above.into_blocks().into_iter().chain(below.into_blocks()).collect())
}

fn recurse(a: Tensor<2>, offset: usize, failures: &mut Vec<(usize, Failures)>) -> Tensor<2> {
    let [n, _] = a.dims();
    if n <= BASE {
        // A larger block would be factored column by column in one workgroup while the others wait.
        return base(a, offset, failures);
    }
    let half = split(n);
    let j11 = recurse(a.clone().slice([0..half, 0..half]), offset, failures);
    // L₂₁ L₁₁ᵀ = A₂₁. With J₁₁ carried along this is a product, not a large triangular solve.
    let l21 = product(a.clone().slice([half..n, 0..half]), j11.clone().transpose());
    let schur = a.slice([half..n, half..n]) - product(l21.clone(), l21.clone().transpose());
    let j22 = recurse(schur, offset + half, failures);
    // From the lower left block of L J = I: L₂₁ J₁₁ + L₂₂ J₂₁ = 0.
    let j21 = product(product(j22.clone(), l21), j11.clone()).neg();
    // Products take J as a full matrix, so what is above its diagonal must be there and zero.
    let upper = Tensor::zeros([half, n - half], &j11.device());
    Tensor::cat(vec![Tensor::cat(vec![j11, upper], 1), Tensor::cat(vec![j21, j22], 1)], 0)
}

/// The first half is the largest power of two of whole blocks, so that most products are square
/// and of aligned size.
fn split(n: usize) -> usize {
    BASE * n.div_ceil(BASE).next_power_of_two() / 2
}

fn base(a: Tensor<2>, offset: usize, failures: &mut Vec<(usize, Failures)>) -> Tensor<2> {
    let [n, _] = a.dims();
    let device = a.device();
    let (l, failed) = block_cholesky::factor(a.unsqueeze());
    failures.push((offset, failed));
    block_cholesky::solve(&l, Tensor::<2>::eye(n, &device).unsqueeze()).squeeze_dim(0)
}

impl InverseFactor {
    /// The first pivot that is not positive, if there is one; nothing computed from here on means
    /// anything then.
    ///
    /// # Errors
    /// When the device lost the work.
    pub async fn bad_pivot(&self) -> Result<Option<BadPivot>, ReadbackError> {
        // One readback for all blocks, after everything is launched.
        let all = Tensor::cat(self.failures.iter().map(|(_, f)| f.clone()).collect(), 0);
        let blocks = self.failures.iter().zip(bad_pivots(all).await?);
        let in_matrix = |((offset, _), bad): (&(usize, Failures), Option<BadPivot>)| {
            bad.map(|bad| BadPivot { index: offset + bad.index, ..bad })
        };
        // The blocks stand in the order of their rows: a failure spoils all that come after it.
        Ok(blocks.into_iter().find_map(in_matrix))
    }

    /// A⁻¹ = Jᵀ J, symmetric to the last bit.
    pub fn inverse(self) -> Panels {
        let gram = hessian::gram_of_lower(&self.j);
        // Given back before the triangle is mirrored, which needs no memory of its own then.
        drop(self);
        hessian::mirrored(gram, 0.0)
    }
}
