//! What was chosen of a whole model before its first layer is pruned, and its form in a file.

use super::{WINDOW, settings};
use crate::checkpoint::{Adapter, Checkpoint, HostTensor, ReadError, WriteError};
use crate::pipeline::UnitScores;

/// What training chose.
#[derive(Debug, PartialEq)]
pub struct Choice {
    /// Scores of all units, by layer; the lowest go.
    pub scores: Vec<UnitScores>,
    /// What the low-rank factors learnt, by their names in `peft`; none where nothing was trained.
    pub(super) factors: Vec<(String, HostTensor)>,
}

impl Choice {
    /// Scores alone, of a model that stays as it is.
    pub fn of_scores(scores: Vec<UnitScores>) -> Self {
        Self { scores: scores.iter().map(UnitScores::rounded).collect(), factors: Vec::new() }
    }

    /// The model with what was learnt.
    ///
    /// # Errors
    /// When the factors are not those of such a model.
    pub fn tuned(&self, checkpoint: &Checkpoint) -> Result<Checkpoint, ReadError> {
        if self.factors.is_empty() {
            return Ok(checkpoint.clone());
        }
        let (factors, settings) = (self.factors.iter().cloned().collect(), settings(WINDOW));
        let adapter = Adapter::of(factors, settings.rank, settings.scale(), checkpoint.config());
        Ok(checkpoint.clone().with(adapter.map_err(ReadError::Config)?))
    }

    /// As a file of tensors.
    ///
    /// # Errors
    /// When a number is not finite.
    pub fn encoded(&self) -> Result<Vec<u8>, WriteError> {
        UnitScores::encoded(&self.scores, &self.factors)
    }

    /// From such a file, for a model of so many layers.
    ///
    /// # Errors
    /// When it is none, or of another model.
    pub fn decoded(bytes: Vec<u8>, layers: usize) -> Result<Self, ReadError> {
        let (scores, factors) = UnitScores::decoded(bytes, layers)?;
        Ok(Self { scores, factors: factors.into_iter().collect() })
    }
}
