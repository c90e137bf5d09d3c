//! Values to blocks of the k-quants: the scales of the groups are searched for, rounded to codes
//! themselves, and only then are the values rounded with what the scales have become.

use super::scales::{write_pairs, write_sixteen};
use super::search::{Affine, Search, by_turns, linear, nearest};
use super::{FOUR, FOUR_OF_SIX, ONE, TWO, VALUES};
use crate::quant::plain::{largest, put_half};

const Q2_K: Search = Search { most: 3.0, first: -0.5, grids: 16, coarse: true };
const Q4_K: Search = Search { most: 15.0, first: -1.0, grids: 21, coarse: false };
const Q5_K: Search = Search { most: 31.0, first: -0.5, grids: 16, coarse: false };

pub(in crate::quant) fn write_q2_k(values: &[f32], block: &mut [u8]) -> bool {
    let Some((groups, codes)) = above_minima::<16>(values, &Q2_K, 15.0, &mut block[80..]) else { return false };
    block.iter_mut().zip(groups).for_each(|(byte, (scale, min))| *byte = scale | min << 4);
    TWO.write(&codes, 0, &mut block[16..80]);
    true
}

pub(in crate::quant) fn write_q3_k(values: &[f32], block: &mut [u8]) -> bool {
    let fit = |x: &[f32]| by_turns(x, 4.0);
    let Some((scales, codes)) = around_zero(values, fit, 32.0, 4.0, &mut block[108..]) else { return false };
    write_sixteen(&scales.map(|scale| (scale + 32) as u8), &mut block[96..108]);
    TWO.write(&codes, 0, &mut block[32..96]);
    ONE.write(&codes, 2, &mut block[..32]);
    true
}

pub(in crate::quant) fn write_q4_k(values: &[f32], block: &mut [u8]) -> bool {
    let Some((groups, codes)) = above_minima(values, &Q4_K, 63.0, &mut block[..4]) else { return false };
    write_pairs(&groups, &mut block[4..16]);
    FOUR.write(&codes, 0, &mut block[16..]);
    true
}

pub(in crate::quant) fn write_q5_k(values: &[f32], block: &mut [u8]) -> bool {
    let Some((groups, codes)) = above_minima(values, &Q5_K, 63.0, &mut block[..4]) else { return false };
    write_pairs(&groups, &mut block[4..16]);
    ONE.write(&codes, 4, &mut block[16..48]);
    FOUR.write(&codes, 0, &mut block[48..]);
    true
}

pub(in crate::quant) fn write_q6_k(values: &[f32], block: &mut [u8]) -> bool {
    let fit = |x: &[f32]| linear(x, 32.0);
    let Some((scales, codes)) = around_zero(values, fit, 128.0, 32.0, &mut block[208..]) else { return false };
    FOUR_OF_SIX.write(&codes, 0, &mut block[..128]);
    TWO.write(&codes, 4, &mut block[128..192]);
    block[192..208].iter_mut().zip(scales).for_each(|(byte, scale)| *byte = scale as u8);
    true
}

/// Codes of scale and minimum of N groups, and codes of all values.
type AboveMinima<const N: usize> = ([(u8, u8); N], [u8; VALUES]);

/// Codes of scale and minimum of the N groups, 0 to `levels`, and of the values. Their two common
/// scales go to `halves`; `None` where one of them would be infinite.
fn above_minima<const N: usize>(
    values: &[f32],
    search: &Search,
    levels: f32,
    halves: &mut [u8],
) -> Option<AboveMinima<N>> {
    let size = VALUES / N;
    let fits: [Affine; N] = std::array::from_fn(|i| search.affine(&values[i * size..][..size]));
    let greatest = |of: fn(&Affine) -> f32| fits.iter().map(of).fold(0.0, f32::max);
    let (scale, min) = (greatest(|fit| fit.scale), greatest(|fit| fit.min));
    let inverse = |most: f32| if most > 0.0 { levels / most } else { 0.0 };
    let level = |value: f32| nearest(value).clamp(0.0, levels) as u8;
    let groups = fits.map(|fit| (level(inverse(scale) * fit.scale), level(inverse(min) * fit.min)));
    let ((d, d_fits), (e, e_fits)) = (put_half(halves, 0, scale / levels), put_half(halves, 2, min / levels));
    let mut codes = [0; VALUES];
    for (i, (scale, min)) in groups.into_iter().enumerate() {
        let (scale, min) = (d * f32::from(scale), e * f32::from(min));
        if scale != 0.0 {
            let code = |x: f32| nearest((x + min) / scale).clamp(0.0, search.most) as u8;
            put(&values[i * size..][..size], code, &mut codes[i * size..]);
        }
    }
    (d_fits && e_fits).then_some((groups, codes))
}

/// Codes −`levels` to `levels` − 1 of the scales of the 16 groups, which `fit` finds, and codes 0 to
/// 2·`half` − 1 of the values. Their common scale goes to `halves`; `None` where it would be infinite.
fn around_zero(
    values: &[f32],
    fit: impl Fn(&[f32]) -> f32,
    levels: f32,
    half: f32,
    halves: &mut [u8],
) -> Option<([i16; 16], [u8; VALUES])> {
    let scales: [f32; 16] = std::array::from_fn(|i| fit(&values[i * 16..][..16]));
    // The sums of a search overflow before the scale would.
    if scales.iter().any(|scale| !scale.is_finite()) {
        return None;
    }
    // The scale farthest from zero gets the code that is farthest from it, of which there is one.
    let extreme = largest(&scales);
    let inverse = if extreme == 0.0 { 0.0 } else { -levels / extreme };
    let groups = scales.map(|scale| nearest(inverse * scale).clamp(-levels, levels - 1.0) as i16);
    let (d, fits) = put_half(halves, 0, if inverse == 0.0 { 0.0 } else { 1.0 / inverse });
    let mut codes = [half as u8; VALUES];
    for (i, group) in groups.into_iter().enumerate() {
        let scale = d * f32::from(group);
        if scale != 0.0 {
            let code = |x: f32| (nearest(x / scale).clamp(-half, half - 1.0) + half) as u8;
            put(&values[i * 16..][..16], code, &mut codes[i * 16..]);
        }
    }
    fits.then_some((groups, codes))
}

fn put(values: &[f32], code: impl Fn(f32) -> u8, codes: &mut [u8]) {
    codes.iter_mut().zip(values).for_each(|(slot, &value)| *slot = code(value));
}
