//! H = Σ x xᵀ over calibration tokens: a raw sum and a count, damped once when it is used.

use burn::tensor::Tensor;

use super::{Executor, ObsError};

/// The sum over all tokens seen so far. Where the batches were cut does not matter.
pub struct Hessian<E: Executor> {
    sum: Option<E::Sum>,
    features: usize,
    tokens: usize,
}

/// What the diagonal says: how much to damp, and which inputs never fired.
pub(super) struct Damping {
    /// λ, absolute.
    pub lambda: f64,
    /// Inputs with H_jj = 0.
    pub dead: Vec<usize>,
}

impl<E: Executor> Hessian<E> {
    /// A sum of nothing, for a linear layer of `features` inputs.
    pub fn new(executor: &E, features: usize) -> Self {
        Self { sum: Some(executor.zero_sum(features)), features, tokens: 0 }
    }

    /// Adds the inputs `x` `(tokens, features)`.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn accumulate(&mut self, executor: &E, x: &Tensor<2>) -> Result<(), ObsError> {
        let sum = self.sum.take().ok_or(ObsError::NoTokens)?;
        self.sum = Some(executor.accumulate(sum, x).await?);
        self.tokens += x.dims()[0];
        Ok(())
    }

    /// Tokens seen.
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
            Some(sum) if self.tokens > 0 => Ok(sum),
            _ => Err(ObsError::NoTokens),
        }
    }

    /// λ = `fraction` · mean(diag H), and the dead inputs.
    pub(super) async fn damping(&self, executor: &E, fraction: f64) -> Result<Damping, ObsError> {
        let diagonal = executor.diagonal(self.sum()?).await?;
        if let Some((index, &value)) = diagonal.iter().enumerate().find(|(_, d)| !d.is_finite()) {
            return Err(ObsError::NotFinite { what: "the Hessian's diagonal element", index, value });
        }
        let mean = diagonal.iter().sum::<f64>() / diagonal.len() as f64;
        let dead = diagonal.iter().enumerate().filter(|&(_, &d)| d == 0.0).map(|(j, _)| j).collect();
        Ok(Damping { lambda: fraction * mean, dead })
    }
}
