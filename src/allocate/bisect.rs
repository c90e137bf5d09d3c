//! Solving for the ratio that leaves a wanted number of parameters.
//!
//! The number left falls with the ratio in steps, because heads and channels are whole. Bisection
//! finds the step that crosses the wanted number; the nearer of its two sides is taken.

use super::{AllocateError, CurveError};

/// Halvings of (0, 1): beyond this an f64 ratio no longer changes a count.
const HALVINGS: usize = 50;

/// Calls `attempt` with ratios in (0, 1) and returns the attempt whose parameters are nearest to
/// `wanted`; of two equally near the smaller model.
///
/// An attempt that fails is taken to ask for too much, unless a layer would have to grow. `dense`
/// is what stands at ratio 0.
///
/// # Errors
/// When `wanted` is not below `dense`, or below the smallest model that can be made.
pub(super) fn nearest<T>(
    wanted: usize,
    dense: usize,
    parameters: impl Fn(&T) -> usize,
    attempt: impl Fn(f64) -> Result<T, AllocateError>,
) -> Result<T, AllocateError> {
    if wanted >= dense {
        return Err(AllocateError::TargetTooLarge { wanted, dense });
    }
    let (mut low, mut high) = (0.0, 1.0);
    // The bracket: the last model found on either side of the wanted number.
    let (mut larger, mut smaller) = (None, None);
    for _ in 0..HALVINGS {
        let ratio = (low + high) / 2.0;
        match attempt(ratio) {
            Ok(found) if parameters(&found) > wanted => {
                low = ratio;
                larger = Some(found);
            }
            Ok(found) => {
                high = ratio;
                smaller = Some(found);
            }
            Err(error) if asks_too_little(&error) => low = ratio,
            Err(_) => high = ratio,
        }
    }
    match (larger, smaller) {
        (Some(l), Some(s)) if parameters(&l) - wanted < wanted - parameters(&s) => Ok(l),
        (_, Some(s)) => Ok(s),
        (Some(l), None) => Err(AllocateError::TargetTooSmall { wanted, smallest: parameters(&l), ratio: low }),
        // No ratio makes a model; an attempt's own error says why.
        (None, None) => attempt(high),
    }
}

/// With a given first ratio, a small target would make the last layers grow.
fn asks_too_little(error: &AllocateError) -> bool {
    matches!(error, AllocateError::Curve(CurveError::OutOfRange { ratio, .. }) if *ratio < 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1000 parameters in steps of 100; nothing below 300 can be made.
    fn stepped(ratio: f64) -> Result<usize, AllocateError> {
        let left = 1000 - 100 * (ratio * 10.0) as usize;
        if left < 300 { Err(AllocateError::NoTarget) } else { Ok(left) }
    }

    fn check(wanted: usize, found: Option<usize>) {
        assert_eq!(nearest(wanted, 1000, |&p| p, stepped).ok(), found, "{wanted}");
    }

    #[test]
    fn the_nearest_step_is_taken() {
        check(600, Some(600));
        check(630, Some(600));
        check(670, Some(700));
        check(650, Some(600));
        check(999, Some(1000));
    }

    #[test]
    fn what_cannot_be_reached_is_an_error() {
        check(1000, None);
        check(250, None);
        check(300, Some(300));
    }
}
