//! Compresso's choice (arXiv 2310.05015): gates that are drawn around what is learnt of them, so that 0 and 1 are likely
//! and there is a gradient nevertheless (the hard-concrete distribution, arXiv 1712.01312):
//!
//! ```text
//! z = clamp(s (ζ − γ) + γ)   with s = σ((log u − log(1 − u) + a) / β), u uniform
//! P(z ≠ 0) = σ(a − β log(−γ/ζ))
//! ```
//!
//! a is learnt against the loss and λ₁ (r − τ) + λ₂ (r − τ)², where r is the expected share that goes, τ the share
//! that is to go by then, and both λ are learnt the other way round (CoFi, arXiv 2204.00408). Each site of each layer
//! has its own budget, because its plan has.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::quota::{Quota, binary, share_gone};
use super::{Chooser, STEPS, STILL, restored, states};
use crate::allocate::LayerPlan;
use crate::pipeline::UnitScores;
use crate::recover::RecoverError;
use crate::recover::adam::Moments;
use crate::recover::step::Trainer;

const BETA: f64 = 2.0 / 3.0;
const GAMMA: f64 = -0.1;
const ZETA: f64 = 1.1;
/// a before the first step: nine in ten gates are drawn open.
const OPEN: f32 = 2.2;
/// Learning rate of the gates and of λ: a must cross several units within so few steps.
const RATE: f64 = 0.1;

/// What is learnt of the gates.
pub(super) struct Compresso {
    layers: Vec<Layer>,
}

struct Layer {
    quota: Quota,
    sites: [Gated; 2],
    shut: Option<[Vec<bool>; 2]>,
}

/// The gates of one site.
#[derive(Clone, Serialize, Deserialize)]
struct Gated {
    a: Moments,
    /// λ₁ and λ₂.
    lambda: Moments,
    /// As they were drawn in the step that is going on: s, and z.
    #[serde(skip)]
    drawn: Vec<[f64; 2]>,
}

/// What is known of a layer between two steps.
#[derive(Serialize, Deserialize)]
struct State {
    sites: [Gated; 2],
    shut: Option<[Vec<bool>; 2]>,
}

impl Compresso {
    pub fn new(plans: &[LayerPlan]) -> Self {
        let layer = |&plan: &LayerPlan| {
            let quota = Quota::new(plan);
            let sites = quota.units().map(Gated::new);
            Layer { quota, sites, shut: None }
        };
        Self { layers: plans.iter().map(layer).collect() }
    }
}

impl Gated {
    fn new(units: usize) -> Self {
        Self { a: Moments::new(vec![OPEN; units]), lambda: Moments::new(vec![0.0; 2]), drawn: Vec::new() }
    }

    /// Whether these are the gates of so many units.
    fn is_of(&self, units: usize) -> bool {
        let lengths = |moments: &Moments| [&moments.values, &moments.mean, &moments.square].map(Vec::len);
        lengths(&self.a) == [units; 3] && lengths(&self.lambda) == [2; 3]
    }

    fn draw(&mut self, random: &mut ChaCha8Rng) -> Vec<f32> {
        let drawn = self.a.values.iter().map(|&a| {
            // Away from the ends, where the logarithm is infinite.
            let u: f64 = random.random_range(1e-6..1.0 - 1e-6);
            let s = sigmoid(((u / (1.0 - u)).ln() + f64::from(a)) / BETA);
            [s, (s * (ZETA - GAMMA) + GAMMA).clamp(0.0, 1.0)]
        });
        self.drawn = drawn.collect();
        self.drawn.iter().map(|&[_, z]| z as f32).collect()
    }

    /// P(z ≠ 0) of every gate.
    fn open(&self) -> Vec<f64> {
        self.a.values.iter().map(|&a| sigmoid(f64::from(a) - BETA * (-GAMMA / ZETA).ln())).collect()
    }

    /// One step against the loss's gradients at the gates, and towards the share that is to go.
    fn step(&mut self, at_gates: &[f64], share: f64, step: usize) {
        let open = self.open();
        let n = open.len() as f64;
        let over = 1.0 - open.iter().sum::<f64>() / n - share;
        let lambda: Vec<f64> = self.lambda.values.iter().map(|&l| f64::from(l)).collect();
        let pull = lambda[0] + 2.0 * lambda[1] * over;
        let at_a = self.drawn.iter().zip(at_gates).zip(&open).map(|((&[s, z], &at_z), &p)| {
            // Where z is clamped, the draw tells nothing of a.
            let of_loss = if z > 0.0 && z < 1.0 { at_z * (ZETA - GAMMA) * s * (1.0 - s) / BETA } else { 0.0 };
            (of_loss - pull * p * (1.0 - p) / n) as f32
        });
        let at_a: Vec<f32> = at_a.collect();
        self.a.step(&at_a, step, RATE);
        // Against their own gradients: they grow while the budget is missed.
        self.lambda.step(&[-over as f32, -(over * over) as f32], step, RATE);
    }

    fn scores(&self) -> Vec<f64> {
        self.a.values.iter().map(|&a| sigmoid(f64::from(a))).collect()
    }
}

impl Chooser for Compresso {
    fn gates(&mut self, step: usize) -> Vec<[Vec<f32>; 2]> {
        let mut random = ChaCha8Rng::seed_from_u64(step as u64);
        let is_decided = step as f64 > (1.0 - STILL) * STEPS as f64;
        let of = |layer: &mut Layer| {
            if is_decided && layer.shut.is_none() {
                let [heads, channels] = layer.sites.each_ref().map(Gated::scores);
                layer.shut = Some(layer.quota.shut([&heads, &channels], 1.0));
            }
            let gates = match &layer.shut {
                Some(shut) => binary(shut),
                None => layer.sites.each_mut().map(|site| site.draw(&mut random)),
            };
            layer.quota.gates(gates)
        };
        self.layers.iter_mut().map(of).collect()
    }

    fn look(&mut self, step: usize, trainer: &Trainer<'_>) -> Result<(), RecoverError> {
        for (layer, at_gates) in self.layers.iter_mut().zip(&trainer.at_gates) {
            if layer.shut.is_some() {
                continue;
            }
            let per_unit = [layer.quota.heads_of_unit(), 1];
            let shares = layer.quota.shares();
            for (i, site) in layer.sites.iter_mut().enumerate() {
                let of_unit = |gates: &[f32]| gates.iter().map(|&g| f64::from(g)).sum::<f64>();
                let at_units: Vec<f64> = at_gates[i].chunks(per_unit[i]).map(of_unit).collect();
                site.step(&at_units, shares[i] * share_gone(step), step);
            }
        }
        Ok(())
    }

    fn scores(&self) -> Vec<UnitScores> {
        let of = |layer: &Layer| {
            let [heads, channels] = layer.sites.each_ref().map(Gated::scores);
            let shut = layer.shut.clone().unwrap_or_else(|| layer.quota.shut([&heads, &channels], 1.0));
            layer.quota.scores([&heads, &channels], &shut)
        };
        self.layers.iter().map(of).collect()
    }

    fn state(&self) -> serde_json::Value {
        states(self.layers.iter().map(|layer| State { sites: layer.sites.clone(), shut: layer.shut.clone() }))
    }

    fn restore(&mut self, state: serde_json::Value) -> bool {
        let fits = |layer: &Layer, state: &State| {
            let units = layer.quota.units();
            let of_sites = state.sites.iter().zip(units).all(|(site, units)| site.is_of(units));
            of_sites && state.shut.iter().flatten().zip(units).all(|(shut, units)| shut.len() == units)
        };
        restored(&mut self.layers, state, fits, |layer, State { sites, shut }| {
            (layer.sites, layer.shut) = (sites, shut);
        })
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The gradient by hand is that of the loss g · z(a) for the same draw.
    #[test]
    fn gates_follow_the_loss_through_the_draw() {
        let mut site = Gated::new(40);
        let z_of = |a: f32| {
            let mut site = Gated::new(40);
            site.a.values.fill(a);
            site.draw(&mut ChaCha8Rng::seed_from_u64(7)).iter().map(|&z| f64::from(z)).collect::<Vec<f64>>()
        };
        site.draw(&mut ChaCha8Rng::seed_from_u64(7));
        let (above, below) = (z_of(OPEN + 1e-2), z_of(OPEN - 1e-2));
        let mut compared = 0;
        for (i, &[s, z]) in site.drawn.iter().enumerate() {
            let by_hand = if z > 0.0 && z < 1.0 { (ZETA - GAMMA) * s * (1.0 - s) / BETA } else { 0.0 };
            if [above[i], below[i]].iter().all(|&z| z > 0.0 && z < 1.0) {
                assert!(((above[i] - below[i]) / 2e-2 - by_hand).abs() < 1e-3, "gate {i}");
                compared += 1;
            }
        }
        assert!(compared > 5, "some gates are drawn between 0 and 1");
    }

    /// Without a loss the budget alone decides how many are open.
    #[test]
    fn the_budget_is_met() {
        let mut site = Gated::new(64);
        for step in 1..=STEPS {
            site.draw(&mut ChaCha8Rng::seed_from_u64(step as u64));
            site.step(&[0.0; 64], 0.5 * share_gone(step), step);
        }
        let open = site.open().iter().sum::<f64>() / 64.0;
        assert!((open - 0.5).abs() < 0.1, "{open} of the gates are expected to be open");
    }
}
