//! Numbers of two bytes: the device makes of every pattern what the host makes of it, and of singles the same halves.

use burn::tensor::{Tensor, TensorData};
use half::{bf16, f16};
use pollster::block_on;
use slimgpt::device::Device;
use slimgpt::device::readback::floats;
use slimgpt::gpu::halves::{narrow, widen, words};
use slimgpt::quant::Half;

use crate::support::software_gpu;

/// A single by the crate that shares no code with the kernel.
fn single(half: Half, pattern: u16) -> f32 {
    match half {
        Half::F16 => f16::from_bits(pattern).to_f32(),
        Half::Bf16 => bf16::from_bits(pattern).to_f32(),
    }
}

/// Bit for bit, also the sign of a zero; of what is no number only that it is none.
#[track_caller]
fn check(half: Half, patterns: &[u16], got: Tensor<2>, what: &str) {
    let got = block_on(floats(got)).unwrap();
    assert_eq!(got.len(), patterns.len(), "{what}");
    for (got, &pattern) in got.into_iter().zip(patterns) {
        let want = single(half, pattern);
        let is_same = if want.is_nan() { got.is_nan() } else { got.to_bits() == want.to_bits() };
        assert!(is_same, "{what}, {half:?} {pattern:#06x}: {:#010x}, not {:#010x}", got.to_bits(), want.to_bits());
    }
}

/// Widened on the device.
fn widened(half: Half, bytes: &[u8], shape: [usize; 2], device: &Device) -> Tensor<2> {
    widen(half, &words(bytes, device.tensor_device()), shape)
}

fn bytes(patterns: &[u16]) -> Vec<u8> {
    patterns.iter().flat_map(|pattern| pattern.to_le_bytes()).collect()
}

#[test]
fn every_pattern_becomes_the_single_that_it_is() {
    let device = software_gpu();
    // Subnormal numbers, both zeros, infinities and all that are no numbers among them, in either half of a word.
    let all: Vec<u16> = (0..=u16::MAX).collect();
    let turned: Vec<u16> = all.iter().rev().copied().collect();
    for half in [Half::F16, Half::Bf16] {
        for patterns in [&all, &turned] {
            let got = widened(half, &bytes(patterns), [256, 256], &device);
            check(half, patterns, got, "all");
        }
    }
}

#[test]
fn a_matrix_of_any_size_may_begin_anywhere() {
    let device = software_gpu();
    // One number, odd ones, and around one workgroup of 64 words.
    for shape in [[1, 1], [1, 2], [3, 1], [7, 9], [1, 127], [2, 64], [1, 129], [43, 3]] {
        let count = shape.iter().product::<usize>();
        let patterns: Vec<u16> = (0..count + 3).map(|i| (i * 40_503 + 0x3c1) as u16).collect();
        let bytes = bytes(&patterns);
        for first in 0..3 {
            let own = &bytes[2 * first..2 * (first + count)];
            for half in [Half::F16, Half::Bf16] {
                let got = widened(half, own, shape, &device);
                check(half, &patterns[first..first + count], got, &format!("{shape:?} from {first}"));
            }
        }
    }
}

#[test]
fn more_than_a_row_of_workgroups_is_widened_to_the_last() {
    let device = software_gpu();
    // Two rows of invocations of 2²⁰ words, and a number in a third.
    let count = (1 << 22) + 1;
    let patterns: Vec<u16> = (0..count).map(|i| (i % 65_521) as u16).collect();
    let got = widened(Half::F16, &bytes(&patterns), [1, count], &device);
    check(Half::F16, &patterns, got, "large");
}

/// Narrows singles of this shape on the device.
#[track_caller]
fn check_narrowed(singles: &[f32], shape: [usize; 2], device: &Device) {
    let on = Tensor::<2>::from_data(TensorData::new(singles.to_vec(), shape), device.tensor_device());
    let got = block_on(narrow(&on).into_data_async()).unwrap().try_to_vec::<i32>().unwrap();
    let got: Vec<u16> = bytemuck::pod_collect_to_vec(&got);
    assert_eq!(got.len(), singles.len().next_multiple_of(2), "{shape:?}");
    for (&single, got) in singles.iter().zip(got) {
        let (want, got) = (f16::from_f32(single), f16::from_bits(got));
        let is_same = if want.is_nan() { got.is_nan() } else { got.to_bits() == want.to_bits() };
        assert!(is_same, "{single:e} ({:#010x}): {got:?}, not {want:?}", single.to_bits());
    }
}

#[test]
fn singles_are_narrowed_to_the_nearest_half() {
    let device = software_gpu();
    // Every half, what lies half-way to the next, and its neighbours on both sides.
    let around = |pattern: u16| {
        let (own, next) = (f16::from_bits(pattern).to_f32(), f16::from_bits(pattern.wrapping_add(1)).to_f32());
        let middle = own + (next - own) / 2.0;
        [own, middle, middle.next_up(), middle.next_down()]
    };
    let singles: Vec<f32> = (0..=u16::MAX).flat_map(around).collect();
    check_narrowed(&singles, [512, 512], &device);
    // From everywhere: tiny, huge, subnormal as singles, and none.
    let count = 1 << 18;
    let singles: Vec<f32> = (0..count).map(|i: u32| f32::from_bits(i.wrapping_mul(0x9e37_79b9))).collect();
    check_narrowed(&singles, [1 << 9, 1 << 9], &device);
    let ends =
        [0.0, -0.0, 65_504.0, 65_519.996, 65_520.0, 65_536.0, f32::MAX, f32::INFINITY, f32::NAN, 5.96e-8, 2.98e-8];
    check_narrowed(&ends, [1, 11], &device);
}

#[test]
fn any_number_of_singles_is_narrowed() {
    let device = software_gpu();
    for shape in [[1, 1], [1, 2], [3, 43], [2, 64], [1, 127], [1, (1 << 21) + 1]] {
        let count = shape.iter().product::<usize>();
        let singles: Vec<f32> = (0..count).map(|i| ((i * 7919) % 130_001) as f32 - 65_000.0).collect();
        check_narrowed(&singles, shape, &device);
    }
}
