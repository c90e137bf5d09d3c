//! LoRAPrune's choice (arXiv 2305.18403): the gradient at a weight is guessed from those at its low-rank factors.
//!
//! One unit step of both factors would move the product B A by
//!
//! ```text
//! ∂W ≈ ∂B A + B ∂A − ∂B ∂A
//! ```
//!
//! and Σ |(W + s B A) ⊙ ∂W| over a unit's rows or columns is what it is worth, each projection's worths divided by their
//! norm, added up over the site's projections (the paper squares, the published code does not) and averaged over steps.

use serde::{Deserialize, Serialize};

use super::quota::{Quota, binary, share_gone};
use super::{Chooser, restored, states};
use crate::allocate::LayerPlan;
use crate::checkpoint::LayerWeights;
use crate::parallel;
use crate::pipeline::UnitScores;
use crate::recover::RecoverError;
use crate::recover::learnt::{Parameter, What};
use crate::recover::step::Trainer;
use crate::shape::Projection;

/// How much of the mean stays at every step.
const STAYS: f64 = 0.9;
/// Steps between two cuts, as published.
const EVERY: usize = 10;

/// The moving means, and what is shut now.
pub(super) struct LoraPrune {
    head_dim: usize,
    layers: Vec<Layer>,
}

struct Layer {
    quota: Quota,
    state: State,
}

/// By site, the units' moving means, and which are shut.
#[derive(Serialize, Deserialize)]
struct State {
    worth: [Vec<f64>; 2],
    shut: [Vec<bool>; 2],
}

impl LoraPrune {
    pub fn new(plans: &[LayerPlan], head_dim: usize) -> Self {
        let layer = |&plan: &LayerPlan| {
            let quota = Quota::new(plan);
            let [heads, channels] = quota.units();
            let (worth, shut) = ([vec![0.0; heads], vec![0.0; channels]], [vec![false; heads], vec![false; channels]]);
            Layer { quota, state: State { worth, shut } }
        };
        Self { head_dim, layers: plans.iter().map(layer).collect() }
    }
}

impl Chooser for LoraPrune {
    fn gates(&mut self, _: usize) -> Vec<[Vec<f32>; 2]> {
        self.layers.iter().map(|layer| layer.quota.gates(binary(&layer.state.shut))).collect()
    }

    fn look(&mut self, step: usize, trainer: &Trainer<'_>) -> Result<(), RecoverError> {
        for (i, layer) in self.layers.iter_mut().enumerate() {
            let now = worth(&trainer.checkpoint.layer(i)?, trainer, i, &layer.quota, self.head_dim);
            for (mean, now) in layer.state.worth.iter_mut().flatten().zip(now.iter().flatten()) {
                *mean = STAYS * *mean + (1.0 - STAYS) * now;
            }
            if step.is_multiple_of(EVERY) {
                let [heads, channels] = &layer.state.worth;
                layer.state.shut = layer.quota.shut([heads, channels], share_gone(step));
            }
        }
        Ok(())
    }

    fn scores(&self) -> Vec<UnitScores> {
        let of = |Layer { quota, state: State { worth: [heads, channels], shut } }: &Layer| {
            quota.scores([heads, channels], shut)
        };
        self.layers.iter().map(of).collect()
    }

    fn state(&self) -> serde_json::Value {
        states(self.layers.iter().map(|layer| &layer.state))
    }

    fn restore(&mut self, state: serde_json::Value) -> bool {
        let fits = |layer: &Layer, state: &State| {
            let units = |worth: &[Vec<f64>; 2], shut: &[Vec<bool>; 2]| {
                [worth[0].len(), worth[1].len(), shut[0].len(), shut[1].len()]
            };
            units(&layer.state.worth, &layer.state.shut) == units(&state.worth, &state.shut)
        };
        restored(&mut self.layers, state, fits, |layer, state| layer.state = state)
    }
}

/// What every unit of a layer is worth at this step.
fn worth(weights: &LayerWeights, trainer: &Trainer<'_>, layer: usize, quota: &Quota, head_dim: usize) -> [Vec<f64>; 2] {
    let [heads, channels] = quota.units();
    let mut sums = [vec![0.0; heads], vec![0.0; channels]];
    let learnt = &trainer.learnt.layers()[layer];
    let of = |what: What| learnt.iter().find(|parameter| parameter.what == what);
    for projection in Projection::ALL {
        let (Some(a), Some(b)) = (of(What::A(projection)), of(What::B(projection))) else { continue };
        let (site, width) = match projection {
            Projection::Q | Projection::O => (0, quota.heads_of_unit() * head_dim),
            // Keys and values go with their whole group only.
            Projection::K | Projection::V if sums[0].len() * head_dim == weights.weight(projection).shape[0] => {
                (0, head_dim)
            }
            Projection::K | Projection::V => continue,
            Projection::Gate | Projection::Up | Projection::Down => (1, 1),
        };
        let lines = lines(weights, projection, [a, b], trainer.settings.scale());
        let worths: Vec<f64> = lines.chunks(width).map(|unit| unit.iter().sum()).collect();
        // Without gradients nothing is worth anything, and there is nothing to divide by.
        let norm = worths.iter().map(|worth| worth * worth).sum::<f64>().sqrt() + 1e-8;
        sums[site].iter_mut().zip(worths).for_each(|(sum, worth)| *sum += worth / norm);
    }
    sums
}

/// Σ |(W + s B A) ⊙ ∂W| of every row, or of every column of what reads heads or channels.
fn lines(weights: &LayerWeights, projection: Projection, [a, b]: [&Parameter; 2], scale: f64) -> Vec<f64> {
    let weight = weights.weight(projection);
    let (columns, rank) = (weight.shape[1], a.shape[0]);
    let by_column = matches!(projection, Projection::O | Projection::Down);
    let (values_a, values_b) = (&a.moments.values, &b.moments.values);
    let row = |i: usize| -> Vec<f64> {
        let (mut moved, mut gradient) = (vec![0.0f64; columns], vec![0.0f64; columns]);
        for k in 0..rank {
            let (b, at_b) = (f64::from(values_b[i * rank + k]), f64::from(b.gradient[i * rank + k]));
            let of_k = k * columns..(k + 1) * columns;
            for (j, (&a, &at_a)) in values_a[of_k.clone()].iter().zip(&a.gradient[of_k]).enumerate() {
                let (a, at_a) = (f64::from(a), f64::from(at_a));
                moved[j] += b * a;
                gradient[j] += at_b * a + b * at_a - at_b * at_a;
            }
        }
        let row = weight.values[i * columns..(i + 1) * columns].iter().zip(moved).zip(gradient);
        let each = row.map(|((&w, moved), g)| ((f64::from(w) + scale * moved) * g).abs());
        if by_column { each.collect() } else { vec![each.sum()] }
    };
    let rows: Vec<Vec<f64>> = parallel::map(0..weight.values.len() / columns, row);
    if !by_column {
        return rows.into_iter().flatten().collect();
    }
    // In the rows' order, whichever core had them.
    rows.into_iter().fold(vec![0.0; columns], |mut sums, row| {
        sums.iter_mut().zip(row).for_each(|(sum, more)| *sum += more);
        sums
    })
}
