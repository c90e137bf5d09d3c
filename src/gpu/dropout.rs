//! Masks for dropout, made where they are used: a step of a 7B model needs gigabytes of them.

use burn::tensor::{Device, Tensor};

use super::buffer::Buffer;
use super::kernel::{kernel, launch_over};

kernel!(DropoutMask = "dropout_mask", [64, 4, 1], { rows: u32, columns: u32, seed: u32, threshold: u32, kept: f32 }, |_| 64 * 4 * 8);

/// `(rows, columns)` of 0 where the hash of seed and place lies below the threshold, else `kept`. The device is a wgpu
/// device, and not under autodiff.
pub fn mask([rows, columns]: [usize; 2], seed: u32, threshold: u32, kept: f32, device: &Device) -> Tensor<2> {
    let out = Buffer::write(Tensor::<2>::empty([rows, columns], device));
    let params = DropoutMask { rows: rows as u32, columns: columns as u32, seed, threshold, kept };
    launch_over([columns, rows, 1], &[&out], params);
    out.tensor()
}
