//! How much each layer loses: the Incremental Pruning Ratio and the other curves.
//!
//! rᵢ = r₀ + (r_{L−1} − r₀)·s(i) with s(i) = log(i+1)/log L (SlimGPT, Eq. 6), i/(L−1), or 0.
//! L is the model's own number of layers. r_{L−1} is solved for: the mean of the ratios is the target.

use serde::{Deserialize, Serialize};

/// The first layer's share of the target when nothing else is said: 0.0625 at 20 %, the paper's pair.
const FIRST_SHARE: f64 = 0.3125;

/// How the ratio goes from the first layer to the last.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::EnumMessage,
    strum::VariantArray,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Curve {
    /// s(i) = log(i+1) / log L.
    #[default]
    #[strum(message = "rising with the logarithm of the depth, as in the paper")]
    Log,
    /// s(i) = i / (L−1).
    #[strum(message = "rising in equal steps")]
    Linear,
    /// s(i) = 0: every layer loses the target.
    #[strum(message = "the same ratio in every layer")]
    Uniform,
    /// [`Self::Log`] from the last layer to the first.
    #[strum(message = "falling with the logarithm of the depth")]
    LogDecrease,
    /// [`Self::Linear`] from the last layer to the first.
    #[strum(message = "falling in equal steps")]
    LinearDecrease,
}

/// Why no ratios come of a target.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CurveError {
    /// The target is not in (0, 1).
    #[error("the target {0} is not a ratio between 0 and 1 (both excluded); 0.2 removes a fifth of the decoder layers")]
    Target(f64),
    /// r₀ is not in [0, 1).
    #[error("the first ratio {0} is not in [0, 1)")]
    First(f64),
    /// Some layer would have to lose everything, or to grow.
    #[error(
        "with first ratio {first} and target {target} layer {layer} would need the ratio {ratio:.3}; choose a first ratio nearer to the target, or another curve"
    )]
    OutOfRange {
        /// r₀: the first layer's ratio, of a decreasing curve the last layer's.
        first: f64,
        /// The mean that the ratios were to have.
        target: f64,
        /// The first layer whose ratio is outside [0, 1).
        layer: usize,
        /// The ratio it would need.
        ratio: f64,
    },
}

impl Curve {
    /// s(i) in [0, 1] for each of `layers` layers, before any reversal.
    fn rise(self, layers: usize) -> Vec<f64> {
        // A single layer has i = 0, and its divisor must not be 0 too.
        let last = layers.saturating_sub(1).max(1) as f64;
        (0..layers)
            .map(|i| match self {
                Self::Uniform => 0.0,
                Self::Linear | Self::LinearDecrease => i as f64 / last,
                // log 1 = 0 would divide by zero.
                Self::Log | Self::LogDecrease if layers < 2 => 0.0,
                Self::Log | Self::LogDecrease => ((i + 1) as f64).ln() / (layers as f64).ln(),
            })
            .collect()
    }

    /// Whether the last layer loses least.
    pub fn decreases(self) -> bool {
        matches!(self, Self::LogDecrease | Self::LinearDecrease)
    }
}

/// The ratio of each layer, such that their mean is `target`. `first` is r₀ (of a decreasing curve
/// the ratio of the last layer); without it the paper's share of the target.
///
/// # Errors
/// When the target or a ratio leaves its range.
pub fn ratios(curve: Curve, target: f64, first: Option<f64>, layers: usize) -> Result<Vec<f64>, CurveError> {
    // Written so that NaN is refused too.
    if !(target > 0.0 && target < 1.0) {
        return Err(CurveError::Target(target));
    }
    let rise = curve.rise(layers);
    let mean = rise.iter().sum::<f64>() / layers.max(1) as f64;
    // A flat curve has no slope to solve for, and r₀ is the target.
    if mean == 0.0 {
        return Ok(vec![target; layers]);
    }
    let first = first.unwrap_or_else(|| default_first(target, mean));
    if !(0.0..1.0).contains(&first) {
        return Err(CurveError::First(first));
    }
    // mean(r₀ + slope · s) = target; r_{L−1} is r₀ + slope, since s ends at 1.
    let slope = (target - first) / mean;
    let mut ratios: Vec<f64> = rise.iter().map(|s| first + slope * s).collect();
    // After solving, so that a curve and its reverse have the same ratios.
    if curve.decreases() {
        ratios.reverse();
    }
    // Clamping a ratio would miss the target without a word.
    match ratios.iter().enumerate().find(|(_, r)| !(0.0..1.0).contains(*r)) {
        Some((layer, &ratio)) => Err(CurveError::OutOfRange { first, target, layer, ratio }),
        None => Ok(ratios),
    }
}

/// The paper's share, raised where it would drive the steepest layer past nine tenths.
fn default_first(target: f64, mean_rise: f64) -> f64 {
    const STEEPEST: f64 = 0.9;
    let share = FIRST_SHARE * target;
    // From there on no rising curve stays below the limit: every layer loses the target.
    if mean_rise >= 1.0 || target >= STEEPEST {
        return target;
    }
    // r_{L−1} = r₀ + (target − r₀) / mean ≤ STEEPEST, solved for r₀.
    share.max((target - STEEPEST * mean_rise) / (1.0 - mean_rise))
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::names::Named;

    #[test]
    fn the_mean_is_the_target() {
        for curve in Curve::all().iter().copied() {
            for target in [0.05, 0.2, 0.5, 0.7, 0.95] {
                for layers in [1, 2, 5, 32, 80] {
                    let r = ratios(curve, target, None, layers).unwrap();
                    let mean = r.iter().sum::<f64>() / layers as f64;
                    assert!((mean - target).abs() < 1e-12, "{curve:?} {target} {layers}: {mean}");
                }
            }
        }
    }

    #[test]
    fn the_papers_pair_at_a_fifth() {
        let r = ratios(Curve::Log, 0.2004, Some(0.0625), 32).unwrap();
        assert!((r[31] - 0.25).abs() < 1e-3, "{}", r[31]);
    }

    #[test]
    fn a_decreasing_schedule_is_the_rising_one_reversed() {
        let mut r = ratios(Curve::Log, 0.3, None, 7).unwrap();
        r.reverse();
        assert_eq!(r, ratios(Curve::LogDecrease, 0.3, None, 7).unwrap());
    }

    #[test]
    fn a_name_is_the_same_in_files_and_at_the_command_line() {
        for &curve in Curve::all() {
            assert_eq!(serde_json::to_value(curve).unwrap(), curve.name());
        }
    }

    #[test]
    fn bad_numbers_are_refused() {
        assert_eq!(ratios(Curve::Log, 1.0, None, 4), Err(CurveError::Target(1.0)));
        assert!(matches!(ratios(Curve::Log, f64::NAN, None, 4), Err(CurveError::Target(_))));
        assert_eq!(ratios(Curve::Log, 0.2, Some(-0.1), 4), Err(CurveError::First(-0.1)));
        assert!(matches!(ratios(Curve::Log, 0.8, Some(0.0), 4), Err(CurveError::OutOfRange { .. })));
    }
}
