//! How llama.cpp keeps rotary positions: the order of rows, and LLaMA 3.1's scaling as a divisor for
//! each frequency.

use serde_json::{Value, json};

use crate::shape::{Rope, RopeScaling};

/// The old place of every new row where rotary pairs are put side by side: the halves of each head,
/// one element of each in turn. Row h·d + s·d/2 + j, half s of head h, becomes row h·d + 2j + s.
pub fn side_by_side(heads: usize, head_dim: usize) -> Vec<usize> {
    let half = head_dim / 2;
    (0..heads * head_dim)
        .map(|row| {
            let (head, within) = (row / head_dim, row % head_dim);
            head * head_dim + within % 2 * half + within / 2
        })
        .collect()
}

/// By what LLaMA 3.1 divides each rotary frequency: 1 where the wave is short, `factor` where it
/// is long, and between them so that the divided frequency passes evenly from one to the other.
pub fn frequency_divisors(rope: &Rope, head_dim: usize) -> Vec<f32> {
    // As llama.cpp's conversion has them (conversion/llama.py, `generate_extra_tensors`).
    let Some(scaling) = rope.scaling else { return vec![] };
    let context = scaling.original_max_positions as f64;
    let (low, high) = (scaling.low_freq_factor, scaling.high_freq_factor);
    let divisor = |j: usize| {
        // Turns within the original context: many where the wave is short.
        let turns = context / wavelength(rope.theta, j, head_dim);
        let smooth = ((turns - low) / (high - low)).clamp(0.0, 1.0);
        1.0 / ((1.0 - smooth) / scaling.factor + smooth)
    };
    (0..head_dim / 2).map(|j| divisor(j) as f32).collect()
}

/// Positions in which frequency j turns once.
fn wavelength(theta: f64, j: usize, head_dim: usize) -> f64 {
    2.0 * std::f64::consts::PI * theta.powf(2.0 * j as f64 / head_dim as f64)
}

/// The scaling of LLaMA 3.1 that gives these divisors, as config.json has it; null where they are all
/// one, `None` where no scaling gives them.
///
/// Divisors say three of its four numbers: with turns tⱼ in the original context,
/// smoothⱼ = (tⱼ − low) / (high − low), in which context, low and high may all be so many times as
/// large. So low is 1 here, as in every LLaMA, and the others follow.
pub fn scaling_of(divisors: &[f32], theta: f64) -> Option<Value> {
    let head_dim = 2 * divisors.len();
    let factor = f64::from(divisors.iter().copied().fold(1.0, f32::max));
    if divisors.iter().all(|&d| d == 1.0) {
        return Some(Value::Null);
    }
    let found = candidates(divisors, factor, theta, head_dim).into_iter().find(|&scaling| {
        let own = frequency_divisors(&Rope { theta, scaling: Some(scaling) }, head_dim);
        // Both are rounded to singles, after a few operations in which digits are lost.
        own.iter().zip(divisors).all(|(a, b)| (a - b).abs() <= 1e-5 * b)
    })?;
    let mut scaling = json!(found);
    scaling["rope_type"] = json!("llama3");
    Some(scaling)
}

/// `high_freq_factor` of every LLaMA that has one.
const USUAL_HIGH: f64 = 4.0;

/// Scalings that may give the divisors: with the factors that LLaMA has, else with those that the first
/// and the last of the mixed frequencies say.
fn candidates(divisors: &[f32], factor: f64, theta: f64, head_dim: usize) -> Vec<RopeScaling> {
    let of = |context: f64, high: f64| RopeScaling {
        factor,
        low_freq_factor: 1.0,
        high_freq_factor: high,
        original_max_positions: context.round().max(1.0) as usize,
    };
    // smoothⱼ by its wavelength, for the frequencies in between.
    let mixed = divisors.iter().enumerate().filter(|&(_, &d)| d > 1.0 && f64::from(d) < factor);
    let mixed: Vec<(f64, f64)> = mixed
        .map(|(j, &d)| ((1.0 / f64::from(d) - 1.0 / factor) / (1.0 - 1.0 / factor), wavelength(theta, j, head_dim)))
        .collect();
    match mixed[..] {
        // Nothing is in between: any scaling whose band lies in the gap. The first wave that is
        // divided turns at most once in its context, and the last that is kept at least `high` times.
        [] => {
            let Some(first) = divisors.iter().position(|&d| d > 1.0) else { return vec![] };
            let context = wavelength(theta, first, head_dim).floor();
            let before = first.checked_sub(1).map_or(f64::INFINITY, |j| context / wavelength(theta, j, head_dim));
            vec![of(context, before.min(USUAL_HIGH))]
        }
        // t = low + smooth (high − low), and t is context / wavelength.
        [(smooth, wave), .., (other, long)] => {
            let usual = of((1.0 + smooth * (USUAL_HIGH - 1.0)) * wave, USUAL_HIGH);
            // Two equations, linear in context and high − low.
            let band = (1.0 / wave - 1.0 / long) / (smooth / long - other / wave);
            let high = ((1.0 + band) * 1e3).round() / 1e3;
            vec![usual, of((1.0 + smooth * (high - 1.0)) * wave, high)]
        }
        [(smooth, wave)] => vec![of((1.0 + smooth * (USUAL_HIGH - 1.0)) * wave, USUAL_HIGH)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_become_pairs_within_each_head() {
        assert_eq!(side_by_side(2, 4), [0, 2, 1, 3, 4, 6, 5, 7]);
    }

    const LLAMA_3: RopeScaling =
        RopeScaling { factor: 8.0, low_freq_factor: 1.0, high_freq_factor: 4.0, original_max_positions: 8192 };

    #[test]
    fn short_waves_stay_and_long_ones_are_divided() {
        let divisors = frequency_divisors(&Rope { theta: 5e5, scaling: Some(LLAMA_3) }, 128);
        assert_eq!((divisors.len(), divisors[0], divisors[63]), (64, 1.0, 8.0));
        assert!(divisors.windows(2).all(|w| w[0] <= w[1]));
        assert!(divisors.iter().any(|&d| d > 1.0 && d < 8.0));
    }

    /// The scaling that is read back from the divisors of `scaling`.
    fn back(scaling: RopeScaling, theta: f64, head_dim: usize) -> Option<RopeScaling> {
        let divisors = frequency_divisors(&Rope { theta, scaling: Some(scaling) }, head_dim);
        let found = scaling_of(&divisors, theta)?;
        serde_json::from_value(found).unwrap()
    }

    #[test]
    fn divisors_say_which_scaling_they_are_of() {
        for head_dim in [64, 128] {
            assert_eq!(back(LLAMA_3, 5e5, head_dim), Some(LLAMA_3));
            let other = RopeScaling { factor: 32.0, high_freq_factor: 6.5, original_max_positions: 4096, ..LLAMA_3 };
            assert_eq!(back(other, 1e4, head_dim), Some(other));
        }
        // Twice as large throughout is the same scaling.
        let twice =
            RopeScaling { low_freq_factor: 2.0, high_freq_factor: 8.0, original_max_positions: 16_384, ..LLAMA_3 };
        assert_eq!(back(twice, 5e5, 128), Some(LLAMA_3));
    }

    #[test]
    fn with_few_frequencies_the_same_divisors_come_of_it() {
        for (head_dim, original_max_positions) in [(4, 32), (4, 64), (8, 64), (8, 100), (16, 3000), (2, 5)] {
            let scaling = RopeScaling { original_max_positions, ..LLAMA_3 };
            let want = frequency_divisors(&Rope { theta: 1e4, scaling: Some(scaling) }, head_dim);
            match scaling_of(&want, 1e4).unwrap() {
                Value::Null => assert!(want.iter().all(|&d| d == 1.0)),
                found => {
                    let scaling: RopeScaling = serde_json::from_value(found).unwrap();
                    let got = frequency_divisors(&Rope { theta: 1e4, scaling: Some(scaling) }, head_dim);
                    assert!(got.iter().zip(&want).all(|(a, b)| (a - b).abs() <= 1e-5 * b), "{got:?} {want:?}");
                }
            }
        }
    }

    #[test]
    fn divisors_of_another_kind_are_not_taken_for_it() {
        // Longrope's factors, which rise from the first frequency on.
        let rising: Vec<f32> = (0..32).map(|j| 1.05 + j as f32 * 0.7).collect();
        assert_eq!(scaling_of(&rising, 1e4), None);
        let falling: Vec<f32> = (0..32).map(|j| 8.0 - j as f32 * 0.2).collect();
        assert_eq!(scaling_of(&falling, 1e4), None);
        assert_eq!(scaling_of(&[1.0; 32], 1e4), Some(Value::Null));
        assert_eq!(scaling_of(&[f32::NAN, 2.0, 3.0], 1e4), None);
        assert_eq!(scaling_of(&[0.0; 8], 1e4), None);
    }
}
