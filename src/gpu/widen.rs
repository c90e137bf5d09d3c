//! Numbers of two bytes as singles, widened on the device: half as many bytes go to it.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::buffer::Buffer;
use super::kernel::{kernel, launch_over};
use crate::quant::Half;

kernel!(Widen = "widen", [64, 1, 1], { count: u32, stride: u32, is_bf16: u32 }, |_| 64 * 2 * 8);

/// Words in a row of invocations, which are within the 65,535 workgroups that there may be along an axis. As many rows
/// hold more than any device binds.
const STRIDE: usize = 1 << 20;

/// The matrix `(rows, width)` of which `bytes` has the elements, row by row and little-endian; bit for bit what the host
/// makes of them. There is at least one. The device is a wgpu device, and not under autodiff.
pub fn widen(half: Half, bytes: &[u8], shape: [usize; 2], device: &Device) -> Tensor<2> {
    let count = shape.iter().product::<usize>();
    debug_assert_eq!(bytes.len(), 2 * count, "{shape:?}");
    // Copied, because they may begin anywhere in a file; an odd number of them is filled up with zeros.
    let words: Vec<i32> = bytemuck::pod_collect_to_vec(bytes);
    let length = words.len();
    let extent @ [stride, ..] = extent(length);
    let halves = Tensor::<1, Int>::from_data(TensorData::new(words, [length]), device);
    let singles = Buffer::write(Tensor::<2>::empty(shape, device));
    let params = Widen { count: count as u32, stride: stride as u32, is_bf16: u32::from(half == Half::Bf16) };
    launch_over(extent, &[&Buffer::read_index(&halves), &singles], params);
    singles.tensor()
}

/// Invocations for so many words, in rows.
pub(super) fn extent(words: usize) -> [usize; 3] {
    let stride = words.min(STRIDE);
    [stride, words.div_ceil(stride), 1]
}
