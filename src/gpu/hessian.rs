//! H += XᵀX and the symmetric, damped matrix made of it.

use burn::tensor::Tensor;
use burn::tensor::ops::PadMode;

use super::buffer::Buffer;
use super::kernel::{self, kernel, launch_over};
use crate::device::product::runs;

kernel!(HessianAccumulate = "hessian_accumulate", [256, 1, 1], {
    tokens: u32, features: u32, triangular: u32, first: u32, band: u32,
}, |p| (TILE * TILE) as u64 * u64::from(p.tokens));
kernel!(MirrorLower = "mirror_lower", [16, 16, 1], { n: u32, damping: f32 }, |_| 16 * 16);

/// Side of the square of H that one workgroup owns.
pub(super) const TILE: usize = 128;
/// Features that the kernel loads at once.
const QUAD: usize = 4;
/// Tokens that are summed before they are added to H: fewer read and write H more often.
const TOKENS_AT_ONCE: usize = 4096;

/// What is known of X besides its elements.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    General,
    /// Square, with zeros above the diagonal.
    LowerTriangular,
}

/// Adds XᵀX to the lower triangle of `sum` `(features, features)`, with `x` `(tokens, features)`.
pub fn accumulate(sum: Tensor<2>, x: &Tensor<2>) -> Tensor<2> {
    in_parts(sum, x, Form::General)
}

/// The lower triangle of JᵀJ for a lower triangular `j` `(n, n)`: a third of the work of
/// [`accumulate`], since nothing above the diagonal is read.
pub fn gram_of_lower(j: &Tensor<2>) -> Tensor<2> {
    in_parts(Tensor::zeros(j.dims(), &j.device()), j, Form::LowerTriangular)
}

fn in_parts(mut sum: Tensor<2>, x: &Tensor<2>, form: Form) -> Tensor<2> {
    let [tokens, features] = x.dims();
    for first in (0..tokens).step_by(TOKENS_AT_ONCE) {
        let end = tokens.min(first + TOKENS_AT_ONCE);
        // `first` tells the triangular form at which row of J this part begins.
        let x = in_quads(x.clone().slice([first..end, 0..features]));
        sum = added(sum, x, form, first, launches(end - first, features));
    }
    sum
}

fn added(
    sum: Tensor<2>,
    x: Tensor<2>,
    form: Form,
    first: usize,
    launches: impl Iterator<Item = ([usize; 3], usize)>,
) -> Tensor<2> {
    let [features, _] = sum.dims();
    let [tokens, _] = x.dims();
    let (x, sum) = (Buffer::read(&x), Buffer::write(sum));
    for (grid, band) in launches {
        let params = HessianAccumulate {
            tokens: tokens as u32,
            features: features as u32,
            triangular: u32::from(form == Form::LowerTriangular),
            first: first as u32,
            band: band as u32,
        };
        kernel::launch(grid, &[&x, &sum], params);
    }
    sum.tensor()
}

/// The grids that so many tokens are summed in, each with the rows of the folded triangle before it. Counted in
/// tiles: a workgroup owns one, which has more elements than it has invocations. Cut along H and not along the
/// tokens, so that no sum is taken in another order.
fn launches(tokens: usize, features: usize) -> impl Iterator<Item = ([usize; 3], usize)> {
    let [width, height, _] = folded_triangle(features.div_ceil(TILE));
    let of_a_row = (width * TILE * TILE) as u64 * tokens as u64;
    runs(height, of_a_row).map(move |rows| ([width, rows.len(), 1], rows.start))
}

/// A rectangle of as many workgroups as there are tiles on and below the diagonal of
/// `tiles` × `tiles`; `tile_of` in the kernel says which is which.
pub(super) fn folded_triangle(tiles: usize) -> [usize; 3] {
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

/// The full symmetric matrix of a lower triangle, plus `damping`·I `(n, n)`. Written over the triangle where nobody
/// else holds it.
pub fn mirrored(lower: Tensor<2>, damping: f32) -> Tensor<2> {
    let [n, _] = lower.dims();
    let a = Buffer::write(lower);
    launch_over([n, n, 1], &[&a], MirrorLower { n: n as u32, damping });
    a.tensor()
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;
    use pollster::block_on;

    use super::*;
    use crate::device::product::MOST_WORK;
    use crate::device::readback::floats;
    use crate::device::{Device, DeviceChoice};

    #[test]
    fn the_folded_grid_has_a_workgroup_for_each_tile_of_the_triangle() {
        for tiles in 1..50 {
            let [x, y, z] = folded_triangle(tiles);
            assert_eq!(x * y * z, tiles * (tiles + 1) / 2, "{tiles}");
        }
    }

    /// Channels and context of 7B, 13B and 70B models, and what fits one launch.
    #[test]
    fn launches_cover_the_grid_and_none_is_long() {
        for features in [1usize, 576, 4096, 8192, 11008, 13824, 14336, 28672] {
            let [width, height, _] = folded_triangle(features.div_ceil(TILE));
            let mut next = 0;
            for ([x, y, z], band) in launches(TOKENS_AT_ONCE, features) {
                assert_eq!((x, z, band), (width, 1, next), "{features} features");
                let params = HessianAccumulate {
                    tokens: TOKENS_AT_ONCE as u32,
                    features: features as u32,
                    triangular: 0,
                    first: 0,
                    band: band as u32,
                };
                assert!(kernel::work([x, y, z], &params) <= MOST_WORK, "{features} features: {y} rows");
                next += y;
            }
            assert_eq!(next, height, "{features} features");
        }
        assert_eq!((launches(4096, 4096).count(), launches(4096, 11008).count()), (1, 4));
    }

    #[test]
    fn the_sum_has_the_same_bits_in_however_many_launches() {
        let device = block_on(Device::open(&DeviceChoice::Named("llvmpipe".into()))).unwrap();
        // Five rows of tiles: three rows of the folded grid, the last of them only half in use.
        let (tokens, features) = (19, 5 * TILE - 4);
        let values: Vec<f32> = (0..tokens * features).map(|i| ((i * 7919) % 1013) as f32 / 1013.0 - 0.5).collect();
        let on = device.tensor_device();
        let x = Tensor::<2>::from_data(TensorData::new(values, [tokens, features]), on);
        let summed = |bands: Vec<([usize; 3], usize)>| {
            let zero = Tensor::zeros([features, features], on);
            block_on(floats(added(zero, x.clone(), Form::General, 0, bands.into_iter()))).unwrap()
        };
        let [width, height, _] = folded_triangle(features.div_ceil(TILE));
        let whole = summed(vec![([width, height, 1], 0)]);
        assert!(whole[features * features - 1] > 0.0);
        assert_eq!(summed((0..height).map(|row| ([width, 1, 1], row)).collect()), whole);
        assert_eq!(summed(vec![([width, 1, 1], 0), ([width, height - 1, 1], 1)]), whole);
    }
}
