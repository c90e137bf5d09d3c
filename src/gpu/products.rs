//! Products in half precision on the matrix units of a card, with sums in single precision.
//!
//! Rows of both factors are scaled by powers of two, so that nothing overflows and what is small keeps its digits. A
//! Hessian needs more digits: it is summed of numbers that are split in two halves each, (h + l)(h + l)ᵀ without l lᵀ,
//! which is below the last digit of single precision.

use burn::tensor::{Device as TensorDevice, Tensor};

use super::buffer::Buffer;
use super::kernel::{self, kernel, launch_over};
use crate::device::SPLIT_AT_ONCE;
use crate::device::panels::Panels;
use crate::device::product::{in_steps, runs};

kernel!(RowLargest = "row_largest", [64, 1, 1], { width: u32, first: u32 }, |p| u64::from(p.width));
kernel!(ColumnLargest = "column_largest", [32, 8, 1], { rows: u32, width: u32 }, |p| 32 * u64::from(p.rows));
kernel!(ToHalf = "to_half", [64, 4, 1], { rows: u32, width: u32, words: u32, first: u32 }, |_| 64 * 4);
kernel!(SplitColumns = "split_columns", [32, 8, 1], { tokens: u32, features: u32, words: u32 }, |_| (SIDE * SIDE) as u64);
kernel!(MultiplyHalf = "multiply_half", [256, 1, 1], {
    rows: u32, columns: u32, inner: u32, parts: u32, band: u32, origin: u32, height: u32, gram: u32,
}, |p| (TILE * TILE) as u64 * u64::from(p.inner) * u64::from(p.parts));

/// Side of the square of a product that one workgroup owns.
const TILE: usize = 128;
/// Numbers of a row that are multiplied at once: rows are filled up with zeros to a multiple of it.
const STEP: usize = 32;
/// Side of the square that is transposed at once.
pub(super) const SIDE: usize = 32;
/// Rows that one launch looks at: WebGPU has no more workgroups in a line.
pub(super) const ROWS_AT_ONCE: usize = 65535;
/// Products of two numbers that are halves of their own: h hᵀ, h lᵀ and l hᵀ.
const PRODUCTS_OF_SPLIT: u32 = 3;

/// A matrix in half precision, two numbers a word.
pub(super) struct Halves {
    pub words: Buffer,
    /// What takes the scaling of each row back.
    pub scales: Buffer,
    rows: usize,
    /// Numbers of a row, the last of which may be zeros.
    inner: usize,
}

impl Halves {
    fn empty(rows: usize, inner: usize, of_each: usize, on: &TensorDevice) -> Self {
        Self { words: room(of_each * rows * inner / 2, on), scales: room(rows, on), rows, inner }
    }

    /// The rows of `x` `(rows, width)`, each scaled by itself.
    fn rows(x: &Tensor<2>) -> Self {
        let [_, width] = x.dims();
        Self::scaled(x, &row_largest(x), width.next_multiple_of(STEP))
    }

    /// The rows of `x` `(rows, width)`, all scaled alike and filled up to `inner` numbers.
    pub fn alike(x: &Tensor<2>, inner: usize) -> Self {
        let [rows, _] = x.dims();
        Self::scaled(x, &row_largest(x).max().expand([rows]), inner)
    }

    /// The rows of `x` `(rows, width)`, scaled to hold the largest magnitude that is told for each.
    fn scaled(x: &Tensor<2>, largest: &Tensor<1>, inner: usize) -> Self {
        let [rows, width] = x.dims();
        let made = Self::empty(rows, inner, 1, &x.device());
        let (x, largest) = (Buffer::read(x), Buffer::read(largest));
        let words = inner / 2;
        let params = ToHalf { rows: rows as u32, width: width as u32, words: words as u32, first: 0 };
        for run in in_steps(rows, ROWS_AT_ONCE) {
            let params = ToHalf { first: run.start as u32, ..params };
            launch_over([words, run.len(), 1], &[&x, &largest, &made.words, &made.scales], params);
        }
        made
    }

    /// The columns of `x` `(tokens, features)` as rows, scaled to hold the `largest` magnitude of each, and behind all of
    /// them what is left of each.
    fn split_columns(x: &Tensor<2>, largest: &Tensor<1>) -> Self {
        let [tokens, features] = x.dims();
        let made = Self::empty(features, tokens.next_multiple_of(STEP), 2, &x.device());
        let (x, largest) = (Buffer::read(x), Buffer::read(largest));
        let params = SplitColumns { tokens: tokens as u32, features: features as u32, words: (made.inner / 2) as u32 };
        let groups = [made.inner.div_ceil(SIDE), features.div_ceil(SIDE), 1];
        kernel::launch(groups, &[&x, &largest, &made.words, &made.scales], params);
        made
    }
}

/// The largest magnitude of every row of `x`.
fn row_largest(x: &Tensor<2>) -> Tensor<1> {
    let [rows, width] = x.dims();
    let (largest, x) = (room(rows, &x.device()), Buffer::read(x));
    for run in in_steps(rows, ROWS_AT_ONCE) {
        let params = RowLargest { width: width as u32, first: run.start as u32 };
        kernel::launch([run.len(), 1, 1], &[&x, &largest], params);
    }
    largest.tensor()
}

/// The largest magnitude of every column of `x`.
fn column_largest(x: &Tensor<2>) -> Tensor<1> {
    let [rows, width] = x.dims();
    let (largest, x) = (room(width, &x.device()), Buffer::read(x));
    // One line of workgroups, each of which goes through all rows.
    launch_over([width, 1, 1], &[&x, &largest], ColumnLargest { rows: rows as u32, width: width as u32 });
    largest.tensor()
}

/// Room for so many words of 32 bits, in which nothing is written yet.
fn room(words: usize, on: &TensorDevice) -> Buffer {
    Buffer::write(Tensor::<1>::empty([words], on))
}

/// x Wᵀ `(n, rows)` for `x` `(n, width)` and `weight` `(rows, width)`.
pub fn times_transposed(x: &Tensor<2>, weight: &Panels) -> Tensor<2> {
    let halves = Halves::rows(x);
    weight.beside_each(halves.rows, |block| product(&halves, block))
}

fn product(x: &Halves, block: &Tensor<2>) -> Tensor<2> {
    let [columns, _] = block.dims();
    let params = MultiplyHalf {
        rows: x.rows as u32,
        columns: columns as u32,
        inner: x.inner as u32,
        parts: 1,
        band: 0,
        origin: 0,
        height: x.rows as u32,
        gram: 0,
    };
    launched(Tensor::empty([x.rows, columns], &block.device()), [x, &Halves::rows(block)], params)
}

/// Adds XᵀX to the lower triangle of `sum` `(features, features)`, with `x` `(tokens, features)`.
pub fn accumulate(sum: Panels, x: &Tensor<2>) -> Panels {
    let [tokens, features] = x.dims();
    in_steps(tokens, SPLIT_AT_ONCE).fold(sum, |sum, run| {
        let x = x.clone().slice([run, 0..features]);
        let largest = column_largest(&x);
        // Twice, because no kernel binds a buffer twice.
        let both = [(); 2].map(|()| Halves::split_columns(&x, &largest));
        sum.map(|origin, block| {
            let params = MultiplyHalf {
                rows: features as u32,
                columns: features as u32,
                inner: both[0].inner as u32,
                parts: PRODUCTS_OF_SPLIT,
                band: 0,
                origin: origin as u32,
                height: block.dims()[0] as u32,
                gram: 1,
            };
            launched(block, [&both[0], &both[1]], params)
        })
    })
}

/// The product in launches of as many rows of tiles as end in time.
fn launched(c: Tensor<2>, [a, b]: [&Halves; 2], params: MultiplyHalf) -> Tensor<2> {
    let c = Buffer::write(c);
    let [across, down] = [params.columns, params.height].map(|side| (side as usize).div_ceil(TILE));
    let of_a_row = kernel::work([across, 1, 1], &params);
    for rows in runs(down, of_a_row) {
        let params = MultiplyHalf { band: rows.start as u32, ..params };
        kernel::launch([across, rows.len(), 1], &[&a.words, &b.words, &a.scales, &b.scales, &c], params);
    }
    c.tensor()
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;
    use half::f16;
    use pollster::block_on;

    use super::*;
    use crate::device::readback::floats;
    use crate::device::{Device, DeviceChoice};

    /// Rows of very different magnitudes, among them zeros, what half precision does not hold, and the largest singles.
    fn numbers(count: usize, largest: f32) -> Vec<f32> {
        (0..count).map(|i| ((i * 7919 + 13) % 2017) as f32 / 2017.0 * largest - largest / 3.0).collect()
    }

    fn tensor(values: Vec<f32>, shape: [usize; 2]) -> Tensor<2> {
        let device = block_on(Device::open(&DeviceChoice::Named("llvmpipe".into()))).unwrap();
        Tensor::from_data(TensorData::new(values, shape), device.tensor_device())
    }

    /// The numbers `(parts · rows, inner)` that the halves stand for, and how far apart halves are at the largest of a row.
    fn unpacked(halves: Halves) -> (Vec<f64>, Vec<f64>) {
        let Halves { words, scales, rows, inner } = halves;
        let scales = block_on(floats(scales.tensor::<1>())).unwrap();
        let words = block_on(floats(words.tensor::<1>())).unwrap();
        let both = |word: f32| {
            [word.to_bits() as u16, (word.to_bits() >> 16) as u16].map(|bits| f16::from_bits(bits).to_f64())
        };
        let scaled = |(at, half): (usize, f64)| half * f64::from(scales[at / inner % rows]);
        let all: Vec<f64> = words.into_iter().flat_map(both).enumerate().map(scaled).collect();
        // Halves below 2¹⁵ are 2⁴ apart.
        (all, scales.into_iter().map(|scale| f64::from(scale) * 16.0).collect())
    }

    #[test]
    fn rows_are_rounded_to_halves_whatever_their_magnitude() {
        for (rows, width) in [(1, 1), (3, 31), (5, 32), (9, 130)] {
            let sizes = [1.0, 1e-30, 3e38, 0.0, 1e5];
            let values: Vec<f32> = (0..rows).flat_map(|row| numbers(width, sizes[row % 5])).collect();
            let halves = Halves::rows(&tensor(values.clone(), [rows, width]));
            let inner = halves.inner;
            let (got, apart) = unpacked(halves);
            for row in 0..rows {
                for column in 0..inner {
                    let want = if column < width { f64::from(values[row * width + column]) } else { 0.0 };
                    let off = (got[row * inner + column] - want).abs();
                    assert!(
                        off <= (want.abs() * 2f64.powi(-10)).max(apart[row] * 2f64.powi(-28)),
                        "{row} {column}: {off:e}"
                    );
                }
            }
        }
    }

    #[test]
    fn columns_are_split_in_what_halves_hold_and_what_is_left() {
        for (tokens, features) in [(1, 1), (31, 5), (33, 40), (70, 64)] {
            let sizes = [1.0, 1e-20, 2e7, 0.0];
            let values: Vec<f32> = numbers(tokens * features, 1.0);
            let values: Vec<f32> = values.iter().enumerate().map(|(i, v)| v * sizes[i % features % 4]).collect();
            let x = tensor(values.clone(), [tokens, features]);
            let halves = Halves::split_columns(&x, &column_largest(&x));
            let inner = halves.inner;
            let (got, apart) = unpacked(halves);
            for feature in 0..features {
                for token in 0..inner {
                    let want = if token < tokens { f64::from(values[token * features + feature]) } else { 0.0 };
                    let [near, left] = [0, features].map(|part| got[(part + feature) * inner + token]);
                    let off = (near + left - want).abs();
                    assert!(
                        off <= (want.abs() * 2f64.powi(-20)).max(apart[feature] * 2f64.powi(-28)),
                        "{feature} {token}: {off:e}"
                    );
                    assert!((near - want).abs() <= (want.abs() * 2f64.powi(-10)).max(apart[feature] * 2f64.powi(-28)));
                }
            }
        }
    }
}
