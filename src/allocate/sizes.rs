//! The model that an allocation is for, counted in parameters.

use super::layer::Layer;
use super::{AllocateError, Allocation, CurveError, LayerPlan, Target};
use crate::shape::ModelConfig;

/// A model as it is, and with the biases that it is written with.
pub(super) struct Sizes<'a> {
    pub config: &'a ModelConfig,
    pub written: &'a ModelConfig,
}

impl Sizes<'_> {
    /// Every layer with what can go from it.
    ///
    /// # Errors
    /// When query heads are to go where every K/V head has only one.
    pub fn layers(&self, asked: &Allocation) -> Result<Vec<Layer>, AllocateError> {
        let layer = |i| Layer::new(i, self.config, self.written, asked.head_unit, asked.channel_multiple);
        (0..self.config.layers.len()).map(layer).collect()
    }

    /// Parameters outside the decoder layers.
    pub fn outer(&self) -> usize {
        self.config.outer_parameters()
    }

    /// Parameters of the model as it is.
    pub fn total_before(&self) -> usize {
        self.config.parameters()
    }

    /// Parameters of the model with these layers.
    pub fn total(&self, layers: &[LayerPlan]) -> usize {
        self.outer() + layers.iter().map(|l| l.parameters_after).sum::<usize>()
    }

    /// Parameters of the whole model that a target asks for.
    ///
    /// # Errors
    /// When a ratio is not between 0 and 1, or time is asked for, of which parameters tell nothing.
    pub fn wanted(&self, target: Target) -> Result<usize, AllocateError> {
        match target {
            Target::Parameters(wanted) | Target::Bytes { parameters: wanted, .. } => Ok(wanted),
            Target::Ratio(share) if share > 0.0 && share < 1.0 => {
                // Of the decoder layers: the paper's 20 % is the mean over them, not of all parameters.
                Ok(self.outer() + ((1.0 - share) * self.config.decoder_parameters() as f64).round() as usize)
            }
            Target::Ratio(share) => Err(CurveError::Target(share).into()),
            Target::Time(time) => Err(AllocateError::TimeOfRatios(time)),
        }
    }

    /// Refuses layers that miss `wanted` by more than a step, because nothing more can go.
    ///
    /// # Errors
    /// When they do.
    pub fn refuse_too_many(
        &self,
        wanted: usize,
        layers: &[LayerPlan],
        ratio: f64,
        step: usize,
    ) -> Result<(), AllocateError> {
        // Rounding misses by a step at most; by more only where every layer is at its limit.
        let smallest = self.total(layers);
        match smallest > wanted + step {
            true => Err(AllocateError::TargetTooSmall { wanted, smallest, ratio }),
            false => Ok(()),
        }
    }
}
