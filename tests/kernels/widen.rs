//! Numbers of two bytes: the device makes of every pattern what the host makes of it.

use burn::tensor::Tensor;
use half::{bf16, f16};
use pollster::block_on;
use slimgpt::device::readback::floats;
use slimgpt::gpu::widen::widen;
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
            let got = widen(half, &bytes(patterns), [256, 256], device.tensor_device());
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
                let got = widen(half, own, shape, device.tensor_device());
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
    let got = widen(Half::F16, &bytes(&patterns), [1, count], device.tensor_device());
    check(Half::F16, &patterns, got, "large");
}
