//! Batched Cholesky of small blocks and the triangular solves that go with it.

use burn::tensor::Tensor;

use super::kernel::{self, Buffer, CHOLESKY_BLOCK, TRIANGULAR_SOLVE};

/// Largest block: one invocation owns one row.
pub const MAX_BLOCK: usize = 256;

/// What became of each block: `(blocks, 2)` of pivot index (−1 when all is well) and its value.
pub type Failures = Tensor<2>;

/// The lower Cholesky factors of a batch `(blocks, n, n)` of symmetric positive definite blocks,
/// n ≤ [`MAX_BLOCK`]; the strict upper triangles are zero.
pub fn factor(a: Tensor<3>) -> (Tensor<3>, Failures) {
    let [blocks, n, _] = a.dims();
    debug_assert!(n <= MAX_BLOCK, "a block of {n} rows does not fit one workgroup");
    let failures = Buffer::write(Tensor::<2>::empty([blocks, 2], &a.device()));
    let a = Buffer::write(a);
    kernel::launch(&CHOLESKY_BLOCK, [blocks, 1, 1], &[&a, &failures], &[blocks as u32, n as u32]);
    (a.tensor(), failures.tensor())
}

/// L_b⁻¹ B_b for factors `(blocks, n, n)` and right-hand sides `(blocks, n, columns)`.
pub fn solve(l: &Tensor<3>, b: Tensor<3>) -> Tensor<3> {
    let [blocks, n, columns] = b.dims();
    let (l, b) = (Buffer::read(l), Buffer::write(b));
    kernel::launch(
        &TRIANGULAR_SOLVE,
        [columns.div_ceil(64), blocks, 1],
        &[&l, &b],
        &[blocks as u32, n as u32, columns as u32],
    );
    b.tensor()
}
