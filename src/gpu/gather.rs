//! Gathers: diagonal blocks, groups of rows and columns, and diagonals, by index. Where one index
//! does, burn's `select` is as fast as ours; blocks with their own rows and columns are ours.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::buffer::Buffer;
use super::kernel::{kernel, launch_over};
use crate::device::panels::Panels;

kernel!(Gather = "gather", [64, 1, 1], {
    blocks: u32, rows: u32, columns: u32, width: u32, first: u32, height: u32,
}, |_| 64);

/// Column or row numbers on the device, `(blocks, n)`.
pub fn index(blocks: &[Vec<usize>], device: &Device) -> Tensor<2, Int> {
    let n = blocks.first().map_or(0, Vec::len);
    let flat: Vec<i32> = blocks.iter().flatten().map(|&i| i as i32).collect();
    Tensor::from_data(TensorData::new(flat, [blocks.len(), n]), device)
}

/// `out[b, i, j] = a[rows[b, i], columns[b, j]]`.
pub fn gather(a: &Panels, rows: &Tensor<2, Int>, columns: &Tensor<2, Int>) -> Tensor<3> {
    let [blocks, n_rows] = rows.dims();
    let [_, n_columns] = columns.dims();
    // Not zeroed: every row of `a` is bound once, and so every element written.
    let out = Buffer::write(Tensor::<3>::empty([blocks, n_rows, n_columns], &a.device()));
    let (rows, columns) = (Buffer::read_index(rows), Buffer::read_index(columns));
    for (first, block) in a.blocks() {
        let [height, width] = block.dims();
        let params = Gather {
            blocks: blocks as u32,
            rows: n_rows as u32,
            columns: n_columns as u32,
            width: width as u32,
            first: first as u32,
            height: height as u32,
        };
        launch_over([n_columns, n_rows, blocks], &[&Buffer::read(block), &rows, &columns, &out], params);
    }
    out.tensor()
}

/// The square blocks `a[g, g]` of a symmetric matrix, one for each row of `groups`.
pub fn diagonal_blocks(a: &Panels, groups: &Tensor<2, Int>) -> Tensor<3> {
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

/// The columns `a[:, columns]` of a matrix in blocks.
pub fn panel_columns(a: &Panels, columns: &[usize]) -> Panels {
    a.clone().map(|_, block| self::columns(&block, columns))
}

/// The rows `a[rows, :]` of a matrix in blocks, as many in a block as it has.
pub fn panel_rows(a: &Panels, rows: &[usize]) -> Panels {
    let blocks: Vec<&Tensor<2>> = a.blocks().map(|(_, block)| block).collect();
    // Neighbours in the list that lie in one block are taken together.
    let run = |run: &[usize]| {
        let place = run[0] / a.step();
        let within: Vec<usize> = run.iter().map(|row| row - place * a.step()).collect();
        self::rows(blocks[place], &within)
    };
    let picked = |rows: &[usize]| {
        let mut runs: Vec<Tensor<2>> =
            rows.chunk_by(|a_row, b_row| a_row / a.step() == b_row / a.step()).map(run).collect();
        if runs.len() == 1 { runs.remove(0) } else { Tensor::cat(runs, 0) }
    };
    Panels::stacked(rows.chunks(a.step()).map(picked).collect())
}

/// The diagonal of a square matrix, `(n)`.
pub fn diagonal(a: &Panels) -> Tensor<1> {
    let of = |(first, block): (usize, &Tensor<2>)| {
        let [rows, width] = block.dims();
        // (i, first + i) of a row-major block. Indices have 32 bits, which 8 GiB need.
        let places: Vec<usize> = (0..rows).map(|i| i * width + first + i).collect();
        block.clone().reshape([rows * width]).select(0, list(&places, &block.device()))
    };
    let mut parts: Vec<Tensor<1>> = a.blocks().map(of).collect();
    if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(parts, 0) }
}

fn list(numbers: &[usize], device: &Device) -> Tensor<1, Int> {
    let numbers: Vec<i32> = numbers.iter().map(|&i| i as i32).collect();
    let count = numbers.len();
    Tensor::from_data(TensorData::new(numbers, [count]), device)
}
