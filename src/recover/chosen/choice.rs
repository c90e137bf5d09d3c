//! What was chosen of a whole model before its first layer is pruned, and its form in a file.

use std::collections::BTreeMap;

use super::{WINDOW, settings};
use crate::checkpoint::{
    Adapter, Checkpoint, Dtype, HostTensor, ReadError, WriteError, decode_tensors, encode_tensors,
};
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
        // As they come back from a file.
        let rounded = |values: &Vec<f64>| values.iter().map(|&value| f64::from(value as f32)).collect();
        let scores = scores.iter().map(|layer| UnitScores {
            heads: rounded(&layer.heads),
            groups: rounded(&layer.groups),
            channels: rounded(&layer.channels),
        });
        Self { scores: scores.collect(), factors: Vec::new() }
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
        let of = |values: &[f64]| HostTensor {
            shape: vec![values.len()],
            values: values.iter().map(|&value| value as f32).collect(),
        };
        let scores = self.scores.iter().enumerate().flat_map(|(layer, scores)| {
            let sites = [(HEADS, &scores.heads), (GROUPS, &scores.groups), (CHANNELS, &scores.channels)];
            sites.map(|(site, values)| (score_name(layer, site), of(values)))
        });
        let all: Vec<_> = scores.chain(self.factors.iter().cloned()).collect();
        encode_tensors(&all.iter().map(|(name, tensor)| (name.clone(), tensor, Dtype::F32)).collect::<Vec<_>>())
    }

    /// From such a file, for a model of so many layers.
    ///
    /// # Errors
    /// When it is none, or of another model.
    pub fn decoded(bytes: Vec<u8>, layers: usize) -> Result<Self, ReadError> {
        let mut left: BTreeMap<String, HostTensor> = decode_tensors("what was chosen", bytes)?;
        let mut of = |layer: usize, site: &str| -> Result<Vec<f64>, ReadError> {
            let tensor = score_name(layer, site);
            let found = left.remove(&tensor).ok_or(ReadError::MissingTensor { tensor })?;
            Ok(found.values.into_iter().map(f64::from).collect())
        };
        let scores = (0..layers)
            .map(|i| Ok(UnitScores { heads: of(i, HEADS)?, groups: of(i, GROUPS)?, channels: of(i, CHANNELS)? }));
        let scores = scores.collect::<Result<_, ReadError>>()?;
        Ok(Self { scores, factors: left.into_iter().collect() })
    }
}

const HEADS: &str = "heads";
const GROUPS: &str = "groups";
const CHANNELS: &str = "channels";

fn score_name(layer: usize, site: &str) -> String {
    format!("scores.{layer}.{site}")
}
