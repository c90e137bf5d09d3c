//! Gathers: diagonal blocks, groups of rows and columns, and diagonals, by index. Where one index
//! does, burn's `select` is as fast as ours; blocks with their own rows and columns are ours.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::buffer::Buffer;
use super::kernel::{kernel, launch_over};

kernel!(Gather = "gather", [64, 1, 1], { blocks: u32, rows: u32, columns: u32, width: u32 }, |_| 64);

/// Column or row numbers on the device, `(blocks, n)`.
pub fn index(blocks: &[Vec<usize>], device: &Device) -> Tensor<2, Int> {
    let n = blocks.first().map_or(0, Vec::len);
    let flat: Vec<i32> = blocks.iter().flatten().map(|&i| i as i32).collect();
    Tensor::from_data(TensorData::new(flat, [blocks.len(), n]), device)
}

/// `out[b, i, j] = a[rows[b, i], columns[b, j]]`.
pub fn gather(a: &Tensor<2>, rows: &Tensor<2, Int>, columns: &Tensor<2, Int>) -> Tensor<3> {
    let [_, width] = a.dims();
    let [blocks, n_rows] = rows.dims();
    let [_, n_columns] = columns.dims();
    // Not zeroed: the kernel writes every element.
    let out = Buffer::write(Tensor::<3>::empty([blocks, n_rows, n_columns], &a.device()));
    let (a, rows, columns) = (Buffer::read(a), Buffer::read_index(rows), Buffer::read_index(columns));
    let params = Gather { blocks: blocks as u32, rows: n_rows as u32, columns: n_columns as u32, width: width as u32 };
    launch_over([n_columns, n_rows, blocks], &[&a, &rows, &columns, &out], params);
    out.tensor()
}

/// The square blocks `a[g, g]` of a symmetric matrix, one for each row of `groups`.
pub fn diagonal_blocks(a: &Tensor<2>, groups: &Tensor<2, Int>) -> Tensor<3> {
    // WebGPU refuses to bind one buffer twice when it may be written, and burn binds every buffer so.
    gather(a, groups, &groups.clone().add_scalar(0))
}

/// The columns `a[:, columns]`, `(rows, columns)`.
pub fn columns(a: &Tensor<2>, columns: &[usize]) -> Tensor<2> {
    a.clone().select(1, list(columns, &a.device()))
}

/// The rows `a[rows, :]`, `(rows, columns)`.
pub fn rows(a: &Tensor<2>, rows: &[usize]) -> Tensor<2> {
    a.clone().select(0, list(rows, &a.device()))
}

/// The diagonal of a square matrix, `(n)`.
pub fn diagonal(a: &Tensor<2>) -> Tensor<1> {
    let [n, _] = a.dims();
    // (i, i) of a row-major square. Indices have 32 bits, which suffices up to n = 46340.
    let steps: Vec<usize> = (0..n).map(|i| i * (n + 1)).collect();
    a.clone().reshape([n * n]).select(0, list(&steps, &a.device()))
}

fn list(numbers: &[usize], device: &Device) -> Tensor<1, Int> {
    let numbers: Vec<i32> = numbers.iter().map(|&i| i as i32).collect();
    let count = numbers.len();
    Tensor::from_data(TensorData::new(numbers, [count]), device)
}
