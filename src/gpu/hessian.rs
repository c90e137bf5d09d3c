//! H += XᵀX and the symmetric, damped matrix made of it.

use burn::tensor::Tensor;

use super::kernel::{self, Buffer, HESSIAN_ACCUMULATE, MIRROR_LOWER};

/// Side of the square of H that one workgroup owns.
const TILE: usize = 64;
/// Tokens of one launch: keeps a submission short of the time after which Windows resets a GPU.
const TOKENS_PER_LAUNCH: usize = 4096;

/// Adds XᵀX to the lower triangle of `sum` `(features, features)`, with `x` `(tokens, features)`.
pub fn accumulate(sum: Tensor<2>, x: &Tensor<2>) -> Tensor<2> {
    let [tokens, features] = x.dims();
    let mut sum = sum;
    for start in (0..tokens).step_by(TOKENS_PER_LAUNCH) {
        let end = tokens.min(start + TOKENS_PER_LAUNCH);
        sum = launch(sum, &x.clone().slice([start..end, 0..features]));
    }
    sum
}

fn launch(sum: Tensor<2>, x: &Tensor<2>) -> Tensor<2> {
    let [tokens, features] = x.dims();
    let tiles = features.div_ceil(TILE);
    let (x, sum) = (Buffer::read(x), Buffer::write(sum));
    kernel::launch(&HESSIAN_ACCUMULATE, [tiles, tiles, 1], &[&x, &sum], &[tokens as u32, features as u32]);
    sum.tensor()
}

/// The full symmetric matrix of a lower triangle, plus `damping`·I. `(n, n)`.
pub fn mirrored(lower: &Tensor<2>, damping: f32) -> Tensor<2> {
    let [n, _] = lower.dims();
    let (lower, out) = (Buffer::read(lower), Buffer::write(Tensor::<2>::empty([n, n], &lower.device())));
    let groups = n.div_ceil(16);
    kernel::launch(&MIRROR_LOWER, [groups, groups, 1], &[&lower, &out], &[n as u32, damping.to_bits()]);
    out.tensor()
}
