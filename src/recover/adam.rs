//! AdamW (arXiv 1711.05101) on the host: a parameter with its two moments.

use serde::{Deserialize, Serialize};

// The three are Adam's own defaults (arXiv 1412.6980, Algorithm 1), which transformers keeps.
/// Decay of the mean of the gradients.
const BETA_1: f64 = 0.9;
/// Decay of the mean of their squares.
const BETA_2: f64 = 0.999;
/// Keeps a step finite where gradients vanish.
const EPSILON: f64 = 1e-8;

/// Numbers that are learnt, and the moments of their gradients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// The numbers themselves.
    pub values: Vec<f32>,
    /// Mean of the gradients.
    pub mean: Vec<f32>,
    /// Mean of their squares.
    pub square: Vec<f32>,
}

impl Moments {
    /// Numbers before the first step.
    pub fn new(values: Vec<f32>) -> Self {
        let zeros = vec![0.0; values.len()];
        Self { mean: zeros.clone(), square: zeros, values }
    }

    /// One step against the gradient; `step` counts from 1. Nothing decays: a recovery is short, and draws
    /// the model to its data, not to zero.
    pub fn step(&mut self, gradient: &[f32], step: usize, rate: f64) {
        // Both begin at zero, and the squares grow slower: uncorrected, the first step is 0.1 / √0.001 = 3.2 rates.
        let (bias_1, bias_2) = (1.0 - BETA_1.powi(step as i32), 1.0 - BETA_2.powi(step as i32));
        let moments = self.mean.iter_mut().zip(&mut self.square);
        for ((value, (mean, square)), &gradient) in self.values.iter_mut().zip(moments).zip(gradient) {
            // In f64 in between: every number is rounded once a step.
            let g = f64::from(gradient);
            let m = BETA_1 * f64::from(*mean) + (1.0 - BETA_1) * g;
            let v = BETA_2 * f64::from(*square) + (1.0 - BETA_2) * g * g;
            (*mean, *square) = (m as f32, v as f32);
            let moved = rate * (m / bias_1) / ((v / bias_2).sqrt() + EPSILON);
            *value = (f64::from(*value) - moved) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::module::{Module, Param};
    use burn::optim::{AdamWConfig, GradientsParams};
    use burn::tensor::{Device, Tensor};

    use super::*;

    /// burn's, with other code and on its own tensors, makes the same steps.
    #[test]
    fn it_steps_as_burn_does() {
        #[derive(Module, Debug)]
        struct One {
            values: Param<Tensor<1>>,
        }
        let start = [0.5f32, -2.0, 0.0, 3.0];
        let slopes = [0.1f32, -3.0, 1e-6, 0.0];
        let device = Device::flex().autodiff();
        let mut theirs = One { values: Param::from_tensor(Tensor::from_floats(start, &device)) };
        let mut optimizer = AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(0.0).init();
        let mut ours = Moments::new(start.to_vec());
        for step in 1..=20 {
            let rate = 0.01 / step as f64;
            let factors: Vec<f32> = slopes.iter().map(|s| s * (step as f32 * 0.7).cos()).collect();
            let loss = (theirs.values.val() * Tensor::<1>::from_floats(&factors[..], &device)).sum();
            let gradients = GradientsParams::from_grads(loss.backward(), &theirs);
            theirs = optimizer.step(rate, theirs, gradients);
            ours.step(&factors, step, rate);
        }
        let theirs = theirs.values.val().inner().into_data().try_to_vec::<f32>().unwrap();
        for (a, b) in ours.values.iter().zip(theirs) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }
}
