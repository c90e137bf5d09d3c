//! H = Σ x xᵀ over calibration tokens: a raw sum and a count, damped once when it is used. On
//! request Σ x beside it, for what needs the inputs' means.

use burn::tensor::Tensor;

use super::{Executor, ObsError};
use crate::device::product::product;
use crate::device::readback::floats;

/// The sum over all tokens seen so far. Where the batches were cut does not matter.
pub struct Hessian<E: Executor> {
    sum: Option<E::Sum>,
    /// Σ x, where it was asked for.
    column_sums: Option<Vec<f64>>,
    /// Σ g xᵀ `(out, features)` of what the outputs are to be drawn to, where it was told.
    draw: Option<Tensor<2>>,
    features: usize,
    tokens: usize,
}

/// What the diagonal says: how much to damp, and which inputs never fired.
pub(super) struct Damping {
    /// λ as it is added to H's diagonal: not a share of the mean.
    pub lambda: f64,
    /// Inputs with H_jj = 0.
    pub dead: Vec<usize>,
}

/// First and second moments of each input over the tokens.
pub(super) struct InputMoments {
    /// Σ x_j²: the diagonal of H.
    pub squares: Vec<f64>,
    /// mean x_j; zero where the sums were not asked for.
    pub means: Vec<f64>,
    /// T: tokens that were summed.
    pub tokens: f64,
}

impl InputMoments {
    /// The sample variance of input j. Rounding may bring it below zero, where it cannot be.
    pub fn variance(&self, j: usize) -> f64 {
        let about_mean = self.squares[j] - self.tokens * self.means[j].powi(2);
        // Divided by T − 1, and by one where a single token has no variance.
        (about_mean / (self.tokens - 1.0).max(1.0)).max(0.0)
    }

    /// λ = `fraction` · mean(diag H), and the dead inputs.
    pub fn damping(&self, fraction: f64) -> Damping {
        // A share of the mean, as in the published code, so that it fits inputs of any magnitude.
        let mean = self.squares.iter().sum::<f64>() / self.squares.len() as f64;
        // A sum of squares is exactly zero where no token fired the input.
        let dead = self.squares.iter().enumerate().filter(|&(_, &d)| d == 0.0).map(|(j, _)| j).collect();
        Damping { lambda: fraction * mean, dead }
    }
}

impl<E: Executor> Hessian<E> {
    /// A sum of nothing, for a linear layer of `features` inputs.
    pub fn new(executor: &E, features: usize) -> Self {
        Self { sum: Some(executor.zero_sum(features)), column_sums: None, draw: None, features, tokens: 0 }
    }

    /// A sum of nothing that also sums the inputs themselves.
    pub fn with_means(executor: &E, features: usize) -> Self {
        Self { column_sums: Some(vec![0.0; features]), ..Self::new(executor, features) }
    }

    /// Adds the inputs `x` `(tokens, features)`.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn accumulate(&mut self, executor: &E, x: &Tensor<2>) -> Result<(), ObsError> {
        // Taken, so that the executor is its only holder and can add in place.
        let sum = self.sum.take().ok_or(ObsError::NoTokens)?;
        self.sum = Some(executor.accumulate(sum, x).await?);
        if let Some(sums) = &mut self.column_sums {
            // Each batch is summed on the device, and the batches in f64.
            let batch = floats(x.clone().sum_dim(0)).await?;
            sums.iter_mut().zip(batch).for_each(|(sum, new)| *sum += f64::from(new));
        }
        self.tokens += x.dims()[0];
        Ok(())
    }

    /// Tells that for the inputs `x` `(tokens, features)`, which were added, the outputs of the layer are to move by up to
    /// `gap` `(tokens, out)`.
    pub fn draw(&mut self, gap: &Tensor<2>, x: &Tensor<2>) {
        let more = product(gap.clone().transpose(), x.clone());
        self.draw = Some(match self.draw.take() {
            Some(sum) => sum + more,
            None => more,
        });
    }

    /// Σ g xᵀ, if it was told.
    pub(super) fn drawn(&self) -> Option<&Tensor<2>> {
        self.draw.as_ref()
    }

    /// Tokens summed so far, over all batches.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Inputs of the layer.
    pub fn features(&self) -> usize {
        self.features
    }

    /// The sum, once there is something in it.
    pub(super) fn sum(&self) -> Result<&E::Sum, ObsError> {
        match &self.sum {
            // Over no token H is zero, λ with it, and every input would be taken for dead.
            Some(sum) if self.tokens > 0 => Ok(sum),
            _ => Err(ObsError::NoTokens),
        }
    }

    /// The moments of the inputs, each a finite number.
    pub(super) async fn moments(&self, executor: &E) -> Result<InputMoments, ObsError> {
        // Before λ is taken: one element that is not finite would spoil every score through the mean.
        let squares = executor.diagonal(self.sum()?).await?;
        if let Some((index, &value)) = squares.iter().enumerate().find(|(_, d)| !d.is_finite()) {
            return Err(ObsError::NotFinite { what: "the Hessian's diagonal element", index, value });
        }
        let tokens = self.tokens as f64;
        let means = match &self.column_sums {
            Some(sums) => sums.iter().map(|sum| sum / tokens).collect(),
            None => vec![0.0; self.features],
        };
        Ok(InputMoments { squares, means, tokens })
    }
}
