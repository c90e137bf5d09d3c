//! One linear layer with what its calibration inputs say: what selection and reconstruction share.

use burn::tensor::Tensor;

use super::hessian::{Damping, InputMoments};
use super::{Executor, Hessian, ObsError, Options};

/// A layer whose inputs are known.
pub(super) struct LinearSite<'a, E: Executor> {
    pub executor: &'a E,
    /// W `(out, features)`, before anything went.
    pub weight: &'a Tensor<2>,
    pub sum: &'a E::Sum,
    pub inputs: InputMoments,
    pub damping: Damping,
    pub options: &'a Options,
    /// Σ g xᵀ `(out, features)` of what the outputs are to be drawn to, times α.
    pub draw: Option<Tensor<2>>,
}

impl<'a, E: Executor> LinearSite<'a, E> {
    /// Holds the inputs against the weight.
    pub async fn new(
        executor: &'a E,
        weight: &'a Tensor<2>,
        hessian: &'a Hessian<E>,
        options: &'a Options,
    ) -> Result<Self, ObsError> {
        let [_, columns] = weight.dims();
        if columns != hessian.features() {
            return Err(ObsError::Shape { hessian: hessian.features(), weight: columns });
        }
        let inputs = hessian.moments(executor).await?;
        let damping = inputs.damping(options.damping);
        let draw =
            hessian.drawn().filter(|_| options.needs_draw()).map(|draw| draw.clone().mul_scalar(options.residual));
        Ok(Self { executor, weight, sum: hessian.sum()?, inputs, damping, options, draw })
    }

    /// W and H⁻¹, ready for elimination or refit.
    pub async fn factor(&self) -> Result<E::Problem, ObsError> {
        let Damping { lambda, dead } = &self.damping;
        self.executor.factor(self.sum, self.weight, *lambda, dead).await
    }

    /// ‖XWᵀ‖²_F over the calibration tokens: what a loss is to be held against.
    pub async fn signal(&self) -> Result<f64, ObsError> {
        // W in the place of a difference: tr(W H Wᵀ) = ‖XWᵀ‖².
        self.executor.squared_error(self.sum, self.weight, &self.damping.dead).await
    }
}
