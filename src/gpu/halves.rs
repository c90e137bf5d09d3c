//! Numbers of two bytes as singles and back, on the device: half as many bytes go to it and lie there.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::buffer::Buffer;
use super::kernel::{kernel, launch_over};
use crate::quant::Half;

kernel!(Widen = "widen", [64, 1, 1], { count: u32, stride: u32, is_bf16: u32 }, |_| 64 * 2 * 8);
kernel!(Narrow = "narrow", [64, 1, 1], { count: u32, stride: u32 }, |_| 64 * 2 * 16);

/// Words in a row of invocations, which are within the 65,535 workgroups that there may be along an axis. As many rows
/// hold more than any device binds.
const STRIDE: usize = 1 << 20;

/// Numbers on the device, two in a word `(⌈count / 2⌉)`, of their bytes row by row and little-endian.
pub fn words(bytes: &[u8], device: &Device) -> Tensor<1, Int> {
    // Copied, because they may begin anywhere in a file; an odd number of them is filled up with zeros.
    let words: Vec<i32> = bytemuck::pod_collect_to_vec(bytes);
    let length = words.len();
    Tensor::from_data(TensorData::new(words, [length]), device)
}

/// The singles of `shape` of which `halves` has the numbers, two in a word; bit for bit what the host makes of them.
/// There is at least one. The device is a wgpu device, and not under autodiff.
pub fn widen<const D: usize>(half: Half, halves: &Tensor<1, Int>, shape: [usize; D]) -> Tensor<D> {
    let count: usize = shape.iter().product();
    let ([length], device) = (halves.dims(), halves.device());
    debug_assert_eq!(length, count.div_ceil(2), "{shape:?}");
    let extent @ [stride, ..] = extent(length);
    let singles = Buffer::write(Tensor::<D>::empty(shape, &device));
    let params = Widen { count: count as u32, stride: stride as u32, is_bf16: u32::from(half == Half::Bf16) };
    launch_over(extent, &[&Buffer::read_index(halves), &singles], params);
    singles.tensor()
}

/// The nearest numbers in half precision, ties to even, two in a word `(⌈count / 2⌉)`; what is too large is infinite.
/// There is at least one. The device is a wgpu device, and not under autodiff.
pub fn narrow<const D: usize>(singles: &Tensor<D>) -> Tensor<1, Int> {
    let count: usize = singles.dims().iter().product();
    let extent @ [stride, ..] = extent(count.div_ceil(2));
    let halves = Tensor::<1, Int>::empty([count.div_ceil(2)], &singles.device());
    // Nobody else holds it yet, so that it is written where it lies.
    let params = Narrow { count: count as u32, stride: stride as u32 };
    launch_over(extent, &[&Buffer::read(singles), &Buffer::read_index(&halves)], params);
    halves
}

/// Invocations for so many words, in rows.
pub(super) fn extent(words: usize) -> [usize; 3] {
    let stride = words.min(STRIDE);
    [stride, words.div_ceil(stride), 1]
}
