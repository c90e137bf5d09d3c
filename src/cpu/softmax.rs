//! Softmax by rows in the widest vectors that the processor has.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

/// Partial results of a row, so many that they fill the widest vectors: a single one would wait for itself.
const LANES: usize = 16;

/// Turns every row of `width` scores into its softmax over what it sees, and what it does not see into zeros.
pub(super) fn rows(scores: &mut [f32], width: usize, seen: &[Range<usize>]) {
    Arch::new().dispatch(Rows { scores, width, seen });
}

struct Rows<'a> {
    scores: &'a mut [f32],
    width: usize,
    seen: &'a [Range<usize>],
}

impl WithSimd for Rows<'_> {
    type Output = ();

    // Inlined with all that it calls, or it would be compiled for the oldest processor there is.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (row, seen) in self.scores.chunks_exact_mut(self.width).zip(self.seen) {
            row[..seen.start].fill(0.0);
            row[seen.end..].fill(0.0);
            softmax(&mut row[seen.clone()]);
        }
    }
}

#[inline(always)]
fn softmax(row: &mut [f32]) {
    // A comparison with NaN is false: it is left out here, and spoils the sum below, as it must.
    let greatest = folded(row, f32::NEG_INFINITY, |a, b| if b > a { b } else { a });
    for score in row.iter_mut() {
        *score = exp(*score - greatest);
    }
    let sum = folded(row, 0.0, |a, b| a + b);
    let share = 1.0 / sum;
    for weight in row.iter_mut() {
        *weight *= share;
    }
}

#[inline(always)]
fn folded(row: &[f32], start: f32, f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [start; LANES];
    let whole = row.chunks_exact(LANES);
    let rest = whole.remainder();
    for some in whole {
        for (lane, &value) in lanes.iter_mut().zip(some) {
            *lane = f(*lane, value);
        }
    }
    for (lane, &value) in lanes.iter_mut().zip(rest) {
        *lane = f(*lane, value);
    }
    lanes.into_iter().fold(start, f)
}

/// e^x for x ≤ 0, to two units in the last place; below −87, where it is no longer a normal number, e^−87.
///
/// With n the whole number nearest to x / ln 2 and r = x − n ln 2, |r| ≤ ln 2 / 2, it is 2ⁿ e^r, and e^r a
/// polynomial (S. Moshier's Cephes, `expf`).
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Added to a small number it leaves its nearest whole number in the last bits.
    const ROUNDS: f32 = 12_582_912.0; // 1.5 · 2²³
    /// ln 2 in two parts, the first of so few bits that its product with n is exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    // By comparison, because the library's `max` would make a number of NaN.
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUNDS;
    let n = shifted - ROUNDS;
    let r = x - n * LN_2[0] - n * LN_2[1];
    let mut of_r = 1.987_569_1e-4;
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        of_r = of_r * r + coefficient;
    }
    // The last bits of `shifted` become the exponent of 2ⁿ; all above them are pushed out.
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0f32.to_bits()));
    (of_r * r * r + r + 1.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_that_of_double_precision_to_two_units_in_the_last_place() {
        let worst = (0..=870_000).map(|i| {
            let x = -(i as f32) * 1e-4;
            let exact = f64::from(x).exp();
            ((f64::from(exp(x)) - exact) / exact).abs()
        });
        let worst = worst.fold(0.0, f64::max);
        assert!(worst < 2.0 * f64::from(f32::EPSILON), "{worst}");
        assert_eq!((exp(0.0), exp(-1e9), exp(f32::NEG_INFINITY)), (1.0, exp(-87.0), exp(-87.0)));
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn a_row_is_shared_out_among_what_it_sees() {
        for width in [1, 2, 15, 16, 17, 33, 100] {
            for (from, to) in [(0, width), (width / 2, width), (width - 1, width), (0, 1)] {
                let scores: Vec<f32> = (0..width).map(|i| ((i * 37) % 11) as f32 - 5.0).collect();
                let mut found = scores.clone();
                rows(&mut found, width, std::slice::from_ref(&(from..to)));
                let sum: f64 = scores[from..to].iter().map(|&s| f64::from(s).exp()).sum();
                for (i, (&found, &score)) in found.iter().zip(&scores).enumerate() {
                    let expected = if (from..to).contains(&i) { f64::from(score).exp() / sum } else { 0.0 };
                    assert!((f64::from(found) - expected).abs() < 1e-6 * expected.max(1e-3), "{width} {i}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_a_number_spoils_its_row_and_no_other() {
        for bad in [f32::NAN, f32::INFINITY] {
            let mut scores = [1.0, bad, 0.0, 1.0, 2.0, 3.0];
            rows(&mut scores, 3, &[0..3, 0..3]);
            assert!(scores[..3].iter().any(|p| p.is_nan()) && scores[3..].iter().all(|p| p.is_finite()), "{scores:?}");
        }
    }
}
