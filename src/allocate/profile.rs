//! The ratios of the layers at a target, before anything is rounded.

use super::{AllocateError, Allocation, CurveError, LayerRatio, Schedule, curve};

/// The ratios of `layers` layers at a mean of `target`, or as the schedule has them.
///
/// # Errors
/// When there is nothing to take them from, or one of them is not in [0, 1).
pub(super) fn ratios(asked: &Allocation, layers: usize, target: Option<f64>) -> Result<Vec<LayerRatio>, AllocateError> {
    let base = match (&asked.schedule, target) {
        (Schedule::Curve(curve), Some(target)) => {
            let ratios = curve::ratios(*curve, target, asked.first_ratio, layers)?;
            ratios.into_iter().map(LayerRatio::both).collect()
        }
        (Schedule::Ratios(list), target) => listed(list, layers, target)?,
        _ => return Err(AllocateError::NoTarget),
    };
    // After the curve or the scaling, so that the other layers keep their proportions.
    let own = |(layer, ratio): (usize, LayerRatio)| match asked.keep_layers.contains(&layer) {
        true => LayerRatio::default(),
        false => LayerRatio {
            heads: asked.head_ratio.of(layer, ratio.heads),
            channels: asked.channel_ratio.of(layer, ratio.channels),
        },
    };
    // Ranges are checked at the end: a site's own ratio or factor may leave [0, 1) too.
    base.into_iter().enumerate().map(own).enumerate().map(in_range).collect()
}

fn in_range((layer, ratio): (usize, LayerRatio)) -> Result<LayerRatio, AllocateError> {
    match [ratio.heads, ratio.channels].into_iter().find(|r| !(0.0..1.0).contains(r)) {
        Some(ratio) => Err(AllocateError::ListRatio { layer, ratio }),
        None => Ok(ratio),
    }
}

/// The list itself, or scaled so that its mean is the target.
fn listed(list: &[LayerRatio], layers: usize, target: Option<f64>) -> Result<Vec<LayerRatio>, AllocateError> {
    if list.len() != layers {
        return Err(AllocateError::ListLength { given: list.len(), layers });
    }
    let mean = list.iter().map(|r| r.mean()).sum::<f64>() / layers.max(1) as f64;
    let scale = match target {
        Some(t) if !(t > 0.0 && t < 1.0) => return Err(CurveError::Target(t).into()),
        Some(_) if mean == 0.0 => return Err(AllocateError::EmptyList),
        // Scaling by almost one would only disturb ratios that were rounded for a reason.
        Some(t) if (t - mean).abs() > 1e-9 => t / mean,
        _ => 1.0,
    };
    Ok(list.iter().map(|r| r.scaled(scale)).collect())
}

/// The mean of all ratios.
pub(super) fn mean(ratios: &[LayerRatio]) -> f64 {
    ratios.iter().map(|r| r.mean()).sum::<f64>() / ratios.len().max(1) as f64
}
