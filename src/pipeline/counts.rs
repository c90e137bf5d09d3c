//! From a layer's ratio to whole heads and channels.
//!
//! Counts are rounded half to even, as Python's `round(n * r)` does in the published code.

use crate::obs::HeadUnit;
use crate::shape::LayerShape;

/// Fewer channels than this stay in no layer (unless the dense model has fewer): what loads the
/// result elsewhere works in blocks of 32.
const FEWEST_CHANNELS: usize = 32;

/// `round(n * ratio)`, half to even.
pub(super) fn round_share(n: usize, ratio: f64) -> usize {
    (n as f64 * ratio).round_ties_even() as usize
}

/// How many units go from a layer: K/V heads, or query heads of every K/V group.
pub(super) fn head_units_removed(shape: LayerShape, unit: HeadUnit, ratio: f64) -> usize {
    match unit {
        HeadUnit::KeyValue => round_share(shape.kv_heads, ratio),
        HeadUnit::Query => round_share(shape.heads_per_group(), ratio),
    }
}

/// How many channels go, such that what stays is a multiple of `multiple` (or everything stays).
///
/// The remainder of the width by `multiple` goes first; the rest goes in whole multiples.
pub(super) fn channels_removed(channels: usize, multiple: usize, ratio: f64) -> usize {
    let remainder = channels % multiple;
    let multiples = (channels as f64 * ratio - remainder as f64) / multiple as f64;
    match multiples.round_ties_even() {
        m if m < 0.0 || ratio == 0.0 => 0,
        m => (remainder + m as usize * multiple).min(channels),
    }
}

/// The multiple for a width when none is asked for: gcd(channels, 32).
pub(super) fn default_multiple(channels: usize) -> usize {
    let (mut a, mut b) = (channels, FEWEST_CHANNELS);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

/// The fewest channels that may stay, by the width of the dense model.
pub(super) fn fewest_channels(dense: usize) -> usize {
    FEWEST_CHANNELS.min(dense)
}

/// The sizes of a layer after `units` heads or groups and `channels` channels went; zero K/V heads
/// or query heads mean that the layer would be empty.
pub(super) fn shape_after(shape: LayerShape, unit: HeadUnit, units: usize, channels: usize) -> LayerShape {
    let per_group = shape.heads_per_group();
    let channels = shape.channels - channels;
    match unit {
        HeadUnit::KeyValue => {
            let kv_heads = shape.kv_heads.saturating_sub(units);
            LayerShape { heads: kv_heads * per_group, kv_heads, channels }
        }
        HeadUnit::Query => {
            let heads = shape.kv_heads * per_group.saturating_sub(units);
            LayerShape { heads, kv_heads: shape.kv_heads, channels }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_to_the_even_neighbour() {
        assert_eq!([0.5, 1.5, 2.5].map(|x| round_share(10, x / 10.0)), [0, 2, 2]);
    }

    #[test]
    fn the_default_multiple_divides_the_width_and_32() {
        assert_eq!([11008, 172, 688, 33, 5].map(default_multiple), [32, 4, 16, 1, 1]);
    }

    #[test]
    fn what_stays_is_a_multiple() {
        assert_eq!(channels_removed(172, 1, 0.0625), 11);
        assert_eq!(channels_removed(172, 4, 0.0625), 12);
        for (channels, multiple) in [(172, 32), (100, 7), (64, 64), (11008, 32)] {
            for step in 1..100 {
                let kept = channels - channels_removed(channels, multiple, f64::from(step) / 100.0);
                assert!(kept == channels || kept.is_multiple_of(multiple), "{channels} {multiple} {step}: {kept}");
            }
        }
    }

    #[test]
    fn nothing_goes_at_ratio_zero() {
        assert_eq!(channels_removed(172, 32, 0.0), 0);
    }
}
