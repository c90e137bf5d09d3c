//! Blocks of the k-quants to values.

use super::scales::{read_pairs, read_sixteen};
use super::{FOUR, FOUR_OF_SIX, ONE, TWO, VALUES};
use crate::quant::plain::half;

pub(in crate::quant) fn read_q2_k(block: &[u8], values: &mut [f32]) {
    let mut codes = [0; VALUES];
    TWO.read(&block[16..80], 0, &mut codes);
    let (d, e) = (half(block, 80), half(block, 82));
    let groups = block[..16].iter().map(|byte| (d * f32::from(byte & 15), e * f32::from(byte >> 4)));
    above_minima(groups, &codes, values);
}

pub(in crate::quant) fn read_q3_k(block: &[u8], values: &mut [f32]) {
    let mut codes = [0; VALUES];
    TWO.read(&block[32..96], 0, &mut codes);
    ONE.read(&block[..32], 2, &mut codes);
    let d = half(block, 108);
    // Six bits without a sign: 32 stands for 0.
    let scales = read_sixteen(&block[96..108]).map(|scale| d * (f32::from(scale) - 32.0));
    around_zero(scales, 4.0, &codes, values);
}

pub(in crate::quant) fn read_q4_k(block: &[u8], values: &mut [f32]) {
    let mut codes = [0; VALUES];
    FOUR.read(&block[16..], 0, &mut codes);
    above_minima(pairs(block), &codes, values);
}

pub(in crate::quant) fn read_q5_k(block: &[u8], values: &mut [f32]) {
    let mut codes = [0; VALUES];
    FOUR.read(&block[48..], 0, &mut codes);
    ONE.read(&block[16..48], 4, &mut codes);
    above_minima(pairs(block), &codes, values);
}

pub(in crate::quant) fn read_q6_k(block: &[u8], values: &mut [f32]) {
    let mut codes = [0; VALUES];
    FOUR_OF_SIX.read(&block[..128], 0, &mut codes);
    TWO.read(&block[128..192], 4, &mut codes);
    let d = half(block, 208);
    let scales: [f32; 16] = std::array::from_fn(|i| d * f32::from(block[192 + i] as i8));
    around_zero(scales, 32.0, &codes, values);
}

/// Scale and minimum of each group of q4_k and q5_k.
fn pairs(block: &[u8]) -> impl ExactSizeIterator<Item = (f32, f32)> {
    let (d, e) = (half(block, 0), half(block, 2));
    read_pairs(&block[4..16]).into_iter().map(move |(scale, min)| (d * f32::from(scale), e * f32::from(min)))
}

/// Values of groups that have a scale and what is taken off.
fn above_minima(groups: impl ExactSizeIterator<Item = (f32, f32)>, codes: &[u8], values: &mut [f32]) {
    let size = VALUES / groups.len();
    let stretches = codes.chunks_exact(size).zip(values.chunks_exact_mut(size));
    for ((scale, min), (codes, values)) in groups.zip(stretches) {
        // Rounded twice, as by ggml: a fused multiplication has other bits.
        values.iter_mut().zip(codes).for_each(|(value, &code)| *value = scale * f32::from(code) - min);
    }
}

/// Values of groups of 16 that have a scale only; the code `zero` means 0.
fn around_zero(scales: [f32; 16], zero: f32, codes: &[u8], values: &mut [f32]) {
    let stretches = codes.chunks_exact(16).zip(values.chunks_exact_mut(16));
    for (scale, (codes, values)) in scales.into_iter().zip(stretches) {
        values.iter_mut().zip(codes).for_each(|(value, &code)| *value = scale * (f32::from(code) - zero));
    }
}
