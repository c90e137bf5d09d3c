//! Batched Cholesky of small blocks and the triangular solves that go with it.

use burn::tensor::Tensor;

use super::buffer::Buffer;
use super::kernel::{kernel, launch, launch_over};
use crate::device::readback::{ReadbackError, floats};

/// Largest block: one invocation owns one row, and WebGPU promises 256 to a workgroup.
pub const MAX_BLOCK: usize = 256;

kernel!(CholeskyBlock = "cholesky_block", [256, 1, 1], { blocks: u32, n: u32 }, |p| u64::from(p.n).pow(3));
kernel!(TriangularSolve = "triangular_solve", [64, 1, 1], { blocks: u32, n: u32, columns: u32 }, |p| 64 * u64::from(p.n).pow(2));

/// What became of each block: `(blocks, 2)` of pivot index (−1 when all is well) and its value.
pub type Failures = Tensor<2>;

/// A pivot that is not positive: there a factorisation stopped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BadPivot {
    /// Its row within the matrix, counted from 0.
    pub index: usize,
    /// What was left of the diagonal.
    pub value: f32,
}

/// The lower Cholesky factors of a batch `(blocks, n, n)` of symmetric positive definite blocks,
/// n ≤ [`MAX_BLOCK`]; the strict upper triangles are zero.
pub fn factor(a: Tensor<3>) -> (Tensor<3>, Failures) {
    let [blocks, n, _] = a.dims();
    debug_assert!(n <= MAX_BLOCK, "a block of {n} rows does not fit one workgroup");
    // Not zeroed: the kernel writes both numbers of every block.
    let failures = Buffer::write(Tensor::<2>::empty([blocks, 2], &a.device()));
    let a = Buffer::write(a);
    launch([blocks, 1, 1], &[&a, &failures], CholeskyBlock { blocks: blocks as u32, n: n as u32 });
    (a.tensor(), failures.tensor())
}

/// The pivot that stopped each block, if one did.
///
/// # Errors
/// When the device lost the work.
pub async fn bad_pivots(failures: Failures) -> Result<Vec<Option<BadPivot>>, ReadbackError> {
    let read = floats(failures).await?;
    // The index is a float because it shares a tensor with the value; floats count exactly to 2²⁴.
    let of_block = |f: &[f32]| (f[0] >= 0.0).then(|| BadPivot { index: f[0] as usize, value: f[1] });
    Ok(read.chunks(2).map(of_block).collect())
}

/// L_b⁻¹ B_b for factors `(blocks, n, n)` and right-hand sides `(blocks, n, columns)`.
pub fn solve(l: &Tensor<3>, b: Tensor<3>) -> Tensor<3> {
    let [blocks, n, columns] = b.dims();
    let (l, b) = (Buffer::read(l), Buffer::write(b));
    let params = TriangularSolve { blocks: blocks as u32, n: n as u32, columns: columns as u32 };
    launch_over([columns, blocks, 1], &[&l, &b], params);
    b.tensor()
}
