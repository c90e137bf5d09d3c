//! H += XᵀX and the symmetric, damped matrix made of it.

use burn::tensor::Tensor;
use burn::tensor::ops::PadMode;

use super::buffer::Buffer;
use super::kernel::{self, kernel, launch_over};

kernel!(HessianAccumulate = "hessian_accumulate", [256, 1, 1], { tokens: u32, features: u32, triangular: u32, first: u32 });
kernel!(MirrorLower = "mirror_lower", [16, 16, 1], { n: u32, damping: f32 });

/// Side of the square of H that one workgroup owns.
const TILE: usize = 128;
/// Features that the kernel loads at once.
const QUAD: usize = 4;
/// Tokens of one launch: keeps a submission short of the time after which Windows resets a GPU.
const TOKENS_PER_LAUNCH: usize = 4096;

/// What is known of X besides its elements.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    General,
    /// Square, with zeros above the diagonal.
    LowerTriangular,
}

/// Adds XᵀX to the lower triangle of `sum` `(features, features)`, with `x` `(tokens, features)`.
pub fn accumulate(sum: Tensor<2>, x: &Tensor<2>) -> Tensor<2> {
    in_launches(sum, x, Form::General)
}

/// The lower triangle of JᵀJ for a lower triangular `j` `(n, n)`: a third of the work of
/// [`accumulate`], since nothing above the diagonal is read.
pub fn gram_of_lower(j: &Tensor<2>) -> Tensor<2> {
    in_launches(Tensor::zeros(j.dims(), &j.device()), j, Form::LowerTriangular)
}

fn in_launches(mut sum: Tensor<2>, x: &Tensor<2>, form: Form) -> Tensor<2> {
    let [tokens, features] = x.dims();
    for first in (0..tokens).step_by(TOKENS_PER_LAUNCH) {
        let end = tokens.min(first + TOKENS_PER_LAUNCH);
        // `first` tells the triangular form at which row of J this launch begins.
        sum = launch(sum, in_quads(x.clone().slice([first..end, 0..features])), form, first);
    }
    sum
}

fn launch(sum: Tensor<2>, x: Tensor<2>, form: Form, first: usize) -> Tensor<2> {
    let [features, _] = sum.dims();
    let [tokens, _] = x.dims();
    let (x, sum) = (Buffer::read(&x), Buffer::write(sum));
    let params = HessianAccumulate {
        tokens: tokens as u32,
        features: features as u32,
        triangular: u32::from(form == Form::LowerTriangular),
        first: first as u32,
    };
    // Counted in tiles: a workgroup owns one, which has more elements than it has invocations.
    kernel::launch(folded_triangle(features.div_ceil(TILE)), &[&x, &sum], params);
    sum.tensor()
}

/// A rectangle of as many workgroups as there are tiles on and below the diagonal of
/// `tiles` × `tiles`; `tile_of` in the kernel says which is which.
fn folded_triangle(tiles: usize) -> [usize; 3] {
    [tiles + 1 - tiles % 2, tiles.div_ceil(2), 1]
}

/// Zeros after the last feature, up to a whole quad.
fn in_quads(x: Tensor<2>) -> Tensor<2> {
    let [_, features] = x.dims();
    match features.next_multiple_of(QUAD) - features {
        0 => x,
        missing => x.pad([(0, missing)], PadMode::Constant(0.0)),
    }
}

/// The full symmetric matrix of a lower triangle, plus `damping`·I. `(n, n)`.
pub fn mirrored(lower: &Tensor<2>, damping: f32) -> Tensor<2> {
    let [n, _] = lower.dims();
    // Not zeroed: the kernel writes every element.
    let (lower, out) = (Buffer::read(lower), Buffer::write(Tensor::<2>::empty([n, n], &lower.device())));
    launch_over([n, n, 1], &[&lower, &out], MirrorLower { n: n as u32, damping });
    out.tensor()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folded_grid_has_a_workgroup_for_each_tile_of_the_triangle() {
        for tiles in 1..50 {
            let [x, y, z] = folded_triangle(tiles);
            assert_eq!(x * y * z, tiles * (tiles + 1) / 2, "{tiles}");
        }
    }
}
