//! All steps of an elimination together: in blocks of rows, and how much is launched for them.

use super::*;
use crate::device::product::MOST_WORK;
use crate::device::readback::indices;
use crate::gpu::kernel::{launched, work};

/// A positive definite matrix that is no one's in particular.
fn state(rows: usize, columns: usize, device: &Device) -> Elimination {
    let given = Given::new((rows, columns, 0));
    let inverse = |i: usize| given.h_inv[i] / columns as f32 + if i.is_multiple_of(columns + 1) { 2.0 } else { 0.0 };
    let lower: Vec<f32> = (0..columns * columns).map(inverse).collect();
    let full = (0..columns * columns).map(|at| symmetric(&lower, columns, at / columns, at % columns) as f32);
    let tensor =
        |values: Vec<f32>, height: usize| Tensor::from_data(TensorData::new(values, [height, columns]), device);
    Elimination {
        w: tensor(given.w.clone(), rows),
        h_inv: tensor(full.collect(), columns).into(),
        alive: Tensor::ones([columns], device),
    }
}

#[test]
fn what_is_counted_is_what_is_launched() {
    let device = software();
    for (rows, columns, count) in [(3, 7, 1), (40, 300, 150), (9, 130, 128)] {
        let mut state = state(rows, columns, &device);
        let gram = {
            let before = launched().launches;
            hessian::accumulate(Panels::zeros([columns, columns], &device), &state.w);
            launched().launches - before
        };
        let before = launched();
        let removals = cheapest(&mut state, count);
        let (after, counted) = (launched(), counted(rows, columns, count));
        // M before, H⁻¹ made whole behind.
        assert_eq!(after.launches - before.launches, counted.launches + gram + 1);
        assert_eq!(after.bytes - before.bytes, counted.bytes);
        let mut order = block_on(indices(removals.order)).unwrap();
        order.sort_unstable();
        order.dedup();
        assert_eq!(order.len(), count, "each goes once");
    }
}

fn read_matrix(buffer: Buffer) -> Vec<f64> {
    block_on(doubles::<2>(buffer.tensor())).expect("the device answers")
}

/// A matrix in blocks of so many rows.
fn cut(matrix: &Tensor<2>, height: usize) -> Vec<Buffer> {
    let [rows, columns] = matrix.dims();
    let block = |first: usize| matrix.clone().slice([first..rows.min(first + height), 0..columns]);
    (0..rows).step_by(height).map(|first| Buffer::write(block(first))).collect()
}

/// What is told of `count` removals, W behind them, and the lower triangle of H⁻¹, with H⁻¹ in blocks of so many rows.
fn removed_in_blocks(rows: usize, columns: usize, count: usize, height: usize) -> [Vec<f64>; 3] {
    let device = software();
    let mut state = state(rows, columns, &device);
    let sizes = Sizes::new(rows, columns, height, count);
    let (gram, whole) =
        (hessian::accumulate(Panels::zeros([columns, columns], &device), &state.w), state.h_inv.clone().whole());
    let taken = Buffers::new(&mut state, &Sizes::new(rows, columns, columns, count), count);
    let buffers = Buffers { h_inv: cut(&whole, height), gram: cut(&gram.whole(), height), height, ..taken };
    sizes.steps(count).for_each(|step| buffers.launch(step));
    let lower = buffers.h_inv.into_iter().flat_map(read_matrix).enumerate();
    let lower = lower.filter(|(at, _)| at % columns <= at / columns).map(|(_, value)| value).collect();
    [read_matrix(buffers.chosen), read_matrix(buffers.w), lower]
}

#[test]
fn blocks_of_rows_change_no_bit() {
    for (rows, columns, count) in [(9, 130, 40), (40, 300, 150)] {
        let whole = removed_in_blocks(rows, columns, count, columns);
        assert_eq!(removed_in_blocks(rows, columns, count, TILE), whole, "{columns} columns");
        assert_eq!(removed_in_blocks(rows, columns, count, 2 * TILE), whole, "{columns} columns");
    }
}

/// Half of the channels of LLaMA-7B's 32 layers. Five launches a removal, each of which read W, were 881,000 launches and
/// 46 TB.
#[test]
fn seven_billion_parameters_take_a_launch_a_removal_and_six_terabytes() {
    let one = counted(4096, 11_008, 5504);
    let (launches, bytes) = (32 * one.launches, 32 * one.bytes);
    assert!((176_128..186_000).contains(&launches), "{launches} launches");
    assert!((3_000_000_000_000..6_000_000_000_000).contains(&bytes), "{bytes} bytes");
}

/// As [`cheapest`] launches them for layers of 7B, 13B and 70B models. Nothing runs.
#[test]
fn no_subtraction_takes_long_at_the_sizes_of_large_models() {
    for (rows, columns) in [(4096, 4096), (4096, 11_008), (5120, 13_824), (8192, 28_672)] {
        for step in Sizes::new(rows, columns, columns, BLOCK).flush(0, BLOCK as u32) {
            if let Step::Subtract(_, groups, params) = step {
                assert!(work(groups, &params) <= MOST_WORK, "{rows}x{columns}: {groups:?}");
            }
        }
    }
}
