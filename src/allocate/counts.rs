//! From a share to whole numbers of heads and channels.
//!
//! Counts are rounded half to even, as Python's `round(n * r)` does in the published code.

use crate::obs::HeadUnit;
use crate::shape::LayerShape;

/// Fewer channels than this stay in no layer (unless the dense model has fewer): what loads the
/// result elsewhere works in blocks of 32.
const FEWEST_CHANNELS: usize = 32;

/// Fewer head units than this in a layer are coarse: one of them is more than a tenth of its
/// attention, and rounding each layer by itself would miss a target by whole per cents.
const FINE_UNITS: usize = 10;

/// The share that so many of so many are; nothing of nothing is no share.
pub(super) fn share(gone: usize, of: usize) -> f64 {
    if of == 0 { 0.0 } else { gone as f64 / of as f64 }
}

/// Whether so few units make rounding them matter. Of none there is nothing to round.
pub(super) fn is_coarse(units: usize) -> bool {
    (1..FINE_UNITS).contains(&units)
}

/// `round(n * ratio)`, half to even.
pub(super) fn round_share(n: usize, ratio: f64) -> usize {
    (n as f64 * ratio).round_ties_even() as usize
}

/// How many channels go, such that what stays is a multiple of `multiple` (or everything stays).
///
/// The remainder of the width by `multiple` goes first; the rest goes in whole multiples.
pub(super) fn channels_removed(channels: usize, multiple: usize, ratio: f64) -> usize {
    let remainder = channels % multiple;
    let multiples = (channels as f64 * ratio - remainder as f64) / multiple as f64;
    // At ratio 0 a small remainder would round to −0 multiples and go; nothing may go there.
    match multiples.round_ties_even() {
        m if m < 0.0 || ratio == 0.0 => 0,
        m => (remainder + m as usize * multiple).min(channels),
    }
}

/// The multiple for a width when none is asked for: gcd(channels, 32).
pub(super) fn default_multiple(channels: usize) -> usize {
    channel_step(channels, None)
}

/// How many channels may go together where kept ones are a multiple of `asked`, by default of 32: their gcd.
pub fn channel_step(channels: usize, asked: Option<usize>) -> usize {
    // Euclid's algorithm. The gcd divides the width, so no channel goes only to reach a multiple.
    let (mut a, mut b) = (channels, asked.unwrap_or(FEWEST_CHANNELS));
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

/// The fewest channels that may stay, by the width of the dense model.
pub(super) fn fewest_channels(dense: usize) -> usize {
    FEWEST_CHANNELS.min(dense)
}

/// Units of which a share goes.
pub(super) fn units_of(shape: LayerShape, unit: HeadUnit) -> usize {
    match unit {
        HeadUnit::KeyValue => shape.kv_heads,
        // Of one group, since every group loses as many.
        HeadUnit::Query => shape.heads_per_group(),
    }
}

/// The sizes of a layer after `units` units and `channels` channels went; zero K/V heads or query
/// heads mean that the layer would be empty.
pub(super) fn shape_after(shape: LayerShape, unit: HeadUnit, units: usize, channels: usize) -> LayerShape {
    let per_group = shape.heads_per_group();
    let channels = shape.channels.saturating_sub(channels);
    match unit {
        HeadUnit::KeyValue => {
            // More than there are leaves zero, which the caller refuses by layer.
            let kv_heads = shape.kv_heads.saturating_sub(units);
            LayerShape { heads: kv_heads * per_group, kv_heads, channels }
        }
        HeadUnit::Query => {
            // All groups alike: attention finds a query head's group by its place.
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
