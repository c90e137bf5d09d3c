//! Blocks of 32 values: codes with one scale, and a minimum in those whose name ends with 1.
//!
//! | kind | bytes in their order | value of code q |
//! |---|---|---|
//! | q8_0 | d, 32 codes with a sign | q·d |
//! | q4_0 | d, 16 with two codes each | (q − 8)·d |
//! | q4_1 | d, m, 16 with two codes each | q·d + m |
//! | q5_0 | d, 4 with the fifth bits, 16 | (q − 16)·d |
//! | q5_1 | d, m, 4 with the fifth bits, 16 | q·d + m |

use super::plain::{half, largest, put_half};
use super::plane::Plane;

const VALUES: usize = 32;
/// The lowest four bits.
const LOW: Plane = Plane { bits: 4, span: 16 };
/// The fifth bit: those of 32 codes are one number of 32 bits.
const FIFTH: Plane = Plane { bits: 1, span: 1 };

pub(super) fn read_q8_0(block: &[u8], values: &mut [f32]) {
    let d = half(block, 0);
    values.iter_mut().zip(&block[2..]).for_each(|(value, &code)| *value = f32::from(code as i8) * d);
}

pub(super) fn read_q4_0(block: &[u8], values: &mut [f32]) {
    let d = half(block, 0);
    let codes = four_bits(&block[2..]);
    values.iter_mut().zip(codes).for_each(|(value, code)| *value = (f32::from(code) - 8.0) * d);
}

pub(super) fn read_q4_1(block: &[u8], values: &mut [f32]) {
    let (d, m) = (half(block, 0), half(block, 2));
    let codes = four_bits(&block[4..]);
    values.iter_mut().zip(codes).for_each(|(value, code)| *value = f32::from(code) * d + m);
}

pub(super) fn read_q5_0(block: &[u8], values: &mut [f32]) {
    let d = half(block, 0);
    let codes = five_bits(&block[2..]);
    values.iter_mut().zip(codes).for_each(|(value, code)| *value = (f32::from(code) - 16.0) * d);
}

pub(super) fn read_q5_1(block: &[u8], values: &mut [f32]) {
    let (d, m) = (half(block, 0), half(block, 2));
    let codes = five_bits(&block[4..]);
    values.iter_mut().zip(codes).for_each(|(value, code)| *value = f32::from(code) * d + m);
}

fn four_bits(bytes: &[u8]) -> [u8; VALUES] {
    let mut codes = [0; VALUES];
    LOW.read(bytes, 0, &mut codes);
    codes
}

fn five_bits(bytes: &[u8]) -> [u8; VALUES] {
    let (fifth, low) = bytes.split_at(4);
    let mut codes = four_bits(low);
    FIFTH.read(fifth, 4, &mut codes);
    codes
}

/// The largest magnitude becomes 127; halves are rounded away from zero.
pub(super) fn write_q8_0(values: &[f32], block: &mut [u8]) -> bool {
    let d = largest(values).abs() / 127.0;
    // One division for the block, as in ggml: to divide each value would round some of them otherwise.
    let inverse = inverse(d);
    block[2..].iter_mut().zip(values).for_each(|(code, value)| *code = (value * inverse).round() as i8 as u8);
    put_half(block, 0, d).1
}

pub(super) fn write_q4_0(values: &[f32], block: &mut [u8]) -> bool {
    let (d, codes) = with_sign(values, 8);
    LOW.write(&codes, 0, &mut block[2..]);
    put_half(block, 0, d).1
}

pub(super) fn write_q4_1(values: &[f32], block: &mut [u8]) -> bool {
    let (d, m, codes) = from_minimum(values, 15);
    LOW.write(&codes, 0, &mut block[4..]);
    // Not `&&`: the second is stored even where the first does not fit.
    put_half(block, 0, d).1 & put_half(block, 2, m).1
}

pub(super) fn write_q5_0(values: &[f32], block: &mut [u8]) -> bool {
    let (d, codes) = with_sign(values, 16);
    put_five_bits(&codes, &mut block[2..]);
    put_half(block, 0, d).1
}

pub(super) fn write_q5_1(values: &[f32], block: &mut [u8]) -> bool {
    let (d, m, codes) = from_minimum(values, 31);
    put_five_bits(&codes, &mut block[4..]);
    put_half(block, 0, d).1 & put_half(block, 2, m).1
}

fn put_five_bits(codes: &[u8], bytes: &mut [u8]) {
    let (fifth, low) = bytes.split_at_mut(4);
    FIFTH.write(codes, 4, fifth);
    LOW.write(codes, 0, low);
}

/// Scale and codes 0 to 2·`zero` − 1, of which `zero` means 0: the value farthest from it becomes
/// code 0, because there is one more of them on that side.
fn with_sign(values: &[f32], zero: u8) -> (f32, [u8; VALUES]) {
    // Of the other sign, so that code 0, which is `zero` steps below, stands for the largest.
    let d = largest(values) / -f32::from(zero);
    let inverse = inverse(d);
    // What is cut off is never negative, so that adding a half before rounds.
    let code = |value: f32| ((value * inverse + (f32::from(zero) + 0.5)) as u8).min(2 * zero - 1);
    (d, std::array::from_fn(|i| code(values[i])))
}

/// Scale, minimum and codes 0 to `most` of the steps from it.
fn from_minimum(values: &[f32], most: u8) -> (f32, f32, [u8; VALUES]) {
    let (min, max) = range(values);
    let d = (max - min) / f32::from(most);
    let inverse = inverse(d);
    let code = |value: f32| (((value - min) * inverse + 0.5) as u8).min(most);
    (d, min, std::array::from_fn(|i| code(values[i])))
}

/// The least and the largest value; of zeros with both signs the first.
fn range(values: &[f32]) -> (f32, f32) {
    let wider = |(min, max), &v| (if v < min { v } else { min }, if v > max { v } else { max });
    values.iter().fold((f32::MAX, f32::MIN), wider)
}

/// 1/d, and 0 where all values are alike.
fn inverse(d: f32) -> f32 {
    if d == 0.0 { 0.0 } else { 1.0 / d }
}
