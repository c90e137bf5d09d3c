//! What lesson 7 prunes: the first layer alone, or all by a curve.

use slimgpt::allocate::{Allocation, Curve, Rounding, Schedule, Target, allocate};
use slimgpt::shipped;
use slimgpt_worker::protocol::Prune;

use super::State;
use crate::lessons::tiny;

/// The share that goes from the decoder layers, whatever the curve.
pub const TARGET: f64 = 0.3;
/// What goes from the first layer in the paper's figure 2.
pub const FIRST: [f64; 3] = [0.25, 0.5, 0.75];
/// The curves of the paper's figure 4 that are compared; the reader's comes after them.
pub const CURVES: [Curve; 3] = [Curve::Log, Curve::Linear, Curve::Uniform];

/// The first layer loses this share, the others nothing.
pub fn of_first(ratio: f64) -> Prune {
    let ratios: Vec<f64> = (0..tiny::LAYERS).map(|layer| if layer == 0 { ratio } else { 0.0 }).collect();
    // Without a target: one would scale the ratios, and here they are meant as they stand.
    tiny::prune(Allocation { schedule: Schedule::even(&ratios), ..one_size(None) })
}

/// All layers lose [`TARGET`] together, by one of [`CURVES`].
pub fn of_curve(curve: Curve) -> Prune {
    tiny::prune(Allocation { schedule: Schedule::Curve(curve), ..one_size(Some(TARGET)) })
}

/// The same size by the reader's profile, which is scaled to it.
pub fn of_profile(profile: &[f64]) -> Prune {
    tiny::prune(Allocation { schedule: Schedule::even(profile), ..one_size(Some(TARGET)) })
}

/// Rounded so that all have one size: by model and to single channels.
fn one_size(target: Option<f64>) -> Allocation {
    Allocation {
        target: target.map(Target::Ratio),
        rounding: Some(Rounding::Model),
        channel_multiple: Some(1),
        ..Allocation::default()
    }
}

/// What the chosen curve asks for.
pub fn chosen(state: &State) -> Prune {
    CURVES.get(state.curve).map_or_else(|| of_profile(&state.profile()), |&curve| of_curve(curve))
}

/// The share of each layer's parameters that goes.
///
/// # Errors
/// When a layer would lose everything.
pub fn shares(asked: &Prune) -> Result<Vec<f64>, String> {
    let config = shipped::config();
    let found = allocate(&asked.request.allocation, &config, &config).map_err(|e| e.to_string())?;
    Ok(found.layers.iter().map(|l| 1.0 - l.parameters_after as f64 / l.parameters_before as f64).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_curves_have_one_size() {
        let config = shipped::config();
        assert_eq!(config.layers.len(), tiny::LAYERS);
        let size = |asked: Prune| {
            let found = allocate(&asked.request.allocation, &config, &config).unwrap();
            found.layers.iter().map(|l| l.parameters_after).sum::<usize>()
        };
        let mut all = CURVES.map(|curve| size(of_curve(curve))).to_vec();
        all.push(size(of_profile(&[0.1, 0.9, 0.2, 0.5, 0.4, 0.3])));
        let (least, most) = (all.iter().min().unwrap(), all.iter().max().unwrap());
        // A channel is three columns of the hidden size.
        assert!(most - least <= 3 * config.hidden_size, "{all:?}");
    }

    #[test]
    fn only_the_first_layer_loses_something_in_the_first_figure() {
        let found = shares(&of_first(0.5)).unwrap();
        assert!(found[0] > 0.4 && found[1..].iter().all(|&share| share == 0.0), "{found:?}");
    }
}
