//! H += XᵀX and the symmetric, damped matrix made of it.

use burn::tensor::Tensor;
use burn::tensor::ops::PadMode;

use super::buffer::Buffer;
use super::kernel::{self, kernel, launch_over};
use super::products;
use crate::device::multiplies_halves;
use crate::device::panels::Panels;
use crate::device::product::{in_steps, runs};

kernel!(HessianAccumulate = "hessian_accumulate", [256, 1, 1], {
    tokens: u32, features: u32, triangular: u32, first: u32, band: u32, origin: u32, side: u32, left: u32,
}, |p| (TILE * TILE) as u64 * u64::from(p.tokens));
kernel!(MirrorLower = "mirror_lower", [16, 16, 1], { rows: u32, width: u32, first: u32, damping: f32 }, |_| 16 * 16);

/// Side of the square of H that one workgroup owns.
pub(super) const TILE: usize = 128;
/// Features that the kernel loads at once.
const QUAD: usize = 4;
/// Tokens that are summed before they are added to H: fewer read and write H more often.
const TOKENS_AT_ONCE: usize = 4096;
/// The same of rows of a triangle. Fewer than a block of a large matrix has, so that blocks change no sum.
const ROWS_AT_ONCE: usize = 512;
/// Elements that are copied across the diagonal at once.
const MIRRORED_AT_ONCE: usize = 1 << 24;

/// What is known of X besides its elements.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    General,
    /// Square, with zeros above the diagonal.
    LowerTriangular,
}

/// Some rows of X `(tokens, whole quads)`, the first of them with its number.
struct Rows {
    x: Tensor<2>,
    first: usize,
    form: Form,
}

/// Workgroups of one launch, and the tiles that they own.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Grid {
    groups: [usize; 3],
    /// Rows of the whole grid before this one's.
    band: usize,
    /// Left of the block's square, where nothing is folded.
    left: bool,
}

/// Adds XᵀX to the lower triangle of `sum` `(features, features)`, with `x` `(tokens, features)`.
pub fn accumulate(sum: Panels, x: &Tensor<2>) -> Panels {
    if multiplies_halves(&x.device()) {
        return products::accumulate(sum, x);
    }
    let [tokens, features] = x.dims();
    in_steps(tokens, TOKENS_AT_ONCE).fold(sum, |sum, run| {
        let x = in_quads(x.clone().slice([run.clone(), 0..features]));
        added(sum, &Rows { x, first: run.start, form: Form::General })
    })
}

/// The lower triangle of JᵀJ for a lower triangular `j` `(n, n)`: a third of the work of
/// [`accumulate`], since nothing above the diagonal is read.
pub fn gram_of_lower(j: &Panels) -> Panels {
    let mut sum = Panels::zeros(j.dims(), &j.device());
    for (origin, block) in j.blocks() {
        let [rows, width] = block.dims();
        for run in in_steps(rows, ROWS_AT_ONCE) {
            let x = in_quads(block.clone().slice([run.clone(), 0..width]));
            sum = added(sum, &Rows { x, first: origin + run.start, form: Form::LowerTriangular });
        }
    }
    sum
}

fn added(sum: Panels, rows: &Rows) -> Panels {
    let [tokens, _] = rows.x.dims();
    sum.map(|origin, block| {
        let [height, _] = block.dims();
        let reached = match rows.form {
            Form::General => height,
            // Right of its diagonal a triangle adds nothing.
            Form::LowerTriangular => height.min((rows.first + tokens).saturating_sub(origin)),
        };
        launched(block, rows, [origin, reached], grids(tokens, origin, reached))
    })
}

/// Adds to the block of H from row `origin` on, in so many of its rows.
fn launched(
    block: Tensor<2>,
    rows: &Rows,
    [origin, reached]: [usize; 2],
    grids: impl Iterator<Item = Grid>,
) -> Tensor<2> {
    let ([tokens, _], [_, features]) = (rows.x.dims(), block.dims());
    let (x, sum) = (Buffer::read(&rows.x), Buffer::write(block));
    for Grid { groups, band, left } in grids {
        let params = HessianAccumulate {
            tokens: tokens as u32,
            features: features as u32,
            triangular: u32::from(rows.form == Form::LowerTriangular),
            first: rows.first as u32,
            band: band as u32,
            origin: origin as u32,
            side: reached.div_ceil(TILE) as u32,
            left: u32::from(left),
        };
        kernel::launch(groups, &[&x, &sum], params);
    }
    sum.tensor()
}

/// The grids that so many tokens are summed in. Counted in tiles: a workgroup owns one, which has more elements than
/// it has invocations. Cut along H and not along the tokens, so that no sum is taken in another order.
fn grids(tokens: usize, origin: usize, rows: usize) -> impl Iterator<Item = Grid> {
    let side = rows.div_ceil(TILE);
    [(true, [origin / TILE, side, 1]), (false, folded_triangle(side))].into_iter().flat_map(move |(left, whole)| {
        let [width, height, _] = whole;
        let of_a_row = (width * TILE * TILE) as u64 * tokens as u64;
        let cut = runs(if width == 0 { 0 } else { height }, of_a_row);
        cut.map(move |rows| Grid { groups: [width, rows.len(), 1], band: rows.start, left })
    })
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
pub fn mirrored(lower: Panels, damping: f32) -> Panels {
    let step = lower.step();
    let mut blocks = lower.map(|first, block| mirrored_square(block, first, damping)).into_blocks();
    for q in 1..blocks.len() {
        let (before, from) = blocks.split_at_mut(q);
        for (p, block) in before.iter_mut().enumerate() {
            block.inplace(|block| mirrored_across(block, &from[0], [p * step, q * step]));
        }
    }
    Panels::stacked(blocks)
}

/// What a block has on both sides of the diagonal.
fn mirrored_square(block: Tensor<2>, first: usize, damping: f32) -> Tensor<2> {
    let [rows, width] = block.dims();
    let a = Buffer::write(block);
    let params = MirrorLower { rows: rows as u32, width: width as u32, first: first as u32, damping };
    launch_over([rows, rows, 1], &[&a], params);
    a.tensor()
}

/// What a later block has below the diagonal, in the rows of this one. Both are told by their first row in the matrix.
fn mirrored_across(block: Tensor<2>, later: &Tensor<2>, [first, later_first]: [usize; 2]) -> Tensor<2> {
    let ([rows, _], [later_rows, _]) = (block.dims(), later.dims());
    in_steps(later_rows, (MIRRORED_AT_ONCE / rows).max(1)).fold(block, |block, run| {
        let part = later.clone().slice([run.clone(), first..first + rows]).transpose();
        block.slice_assign([0..rows, later_first + run.start..later_first + run.end], part)
    })
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;
    use bytemuck::Zeroable;
    use pollster::block_on;

    use super::*;
    use crate::device::panels::block_rows;
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
            // In one block, and in the blocks of a device that binds 2 GiB.
            for step in [features, block_rows([features; 2], Some(2 << 30))] {
                let mut tiles = 0;
                for rows in in_steps(features, step) {
                    let (mut next, side) = ([0; 2], rows.len().div_ceil(TILE));
                    for Grid { groups: [x, y, z], band, left } in grids(TOKENS_AT_ONCE, rows.start, rows.len()) {
                        assert_eq!((z, band), (1, next[usize::from(left)]), "{features} features");
                        let params = HessianAccumulate { tokens: TOKENS_AT_ONCE as u32, ..HessianAccumulate::zeroed() };
                        assert!(kernel::work([x, y, z], &params) <= MOST_WORK, "{features} features: {y} rows");
                        next[usize::from(left)] += y;
                        tiles += x * y;
                    }
                    let left = if rows.start > 0 { side } else { 0 };
                    assert_eq!(next, [side.div_ceil(2), left], "{features} features by {step}");
                }
                // All on and below the diagonal, each once.
                let side = features.div_ceil(TILE);
                assert_eq!(tiles, side * (side + 1) / 2, "{features} features by {step}");
            }
        }
        assert_eq!((grids(4096, 0, 4096).count(), grids(4096, 0, 11008).count()), (1, 4));
    }

    #[test]
    fn the_sum_has_the_same_bits_in_however_many_launches() {
        let device = block_on(Device::open(&DeviceChoice::Named("llvmpipe".into()))).unwrap();
        // Five rows of tiles: three rows of the folded grid, the last of them only half in use.
        let (tokens, features) = (19, 5 * TILE - 4);
        let values: Vec<f32> = (0..tokens * features).map(|i| ((i * 7919) % 1013) as f32 / 1013.0 - 0.5).collect();
        let on = device.tensor_device();
        let x = Tensor::<2>::from_data(TensorData::new(values, [tokens, features]), on);
        let rows = Rows { x, first: 0, form: Form::General };
        let summed = |bands: Vec<([usize; 3], usize)>| {
            let zero = Tensor::zeros([features, features], on);
            let grids = bands.into_iter().map(|(groups, band)| Grid { groups, band, left: false });
            block_on(floats(launched(zero, &rows, [0, features], grids))).unwrap()
        };
        let [width, height, _] = folded_triangle(features.div_ceil(TILE));
        let whole = summed(vec![([width, height, 1], 0)]);
        assert!(whole[features * features - 1] > 0.0);
        assert_eq!(summed((0..height).map(|row| ([width, 1, 1], row)).collect()), whole);
        assert_eq!(summed(vec![([width, 1, 1], 0), ([width, height - 1, 1], 1)]), whole);
    }
}
