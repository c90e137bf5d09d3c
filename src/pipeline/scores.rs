//! Scores of the units of a whole model, known before its first layer is pruned, and their form in a file.

use std::collections::BTreeMap;

use crate::checkpoint::{Dtype, HostTensor, ReadError, WriteError, decode_tensors, encode_tensors};
use crate::obs::HeadUnit;

/// Scores of what may go from a layer; the lowest go.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UnitScores {
    /// Of every query head.
    pub heads: Vec<f64>,
    /// Of every key/value head with its query heads.
    pub groups: Vec<f64>,
    /// Of every channel.
    pub channels: Vec<f64>,
}

impl UnitScores {
    /// Those of the units that go from attention.
    pub fn of_unit(&self, unit: HeadUnit) -> &[f64] {
        match unit {
            HeadUnit::KeyValue => &self.groups,
            HeadUnit::Query => &self.heads,
        }
    }

    /// As they come back from a file.
    #[must_use]
    pub fn rounded(&self) -> Self {
        let rounded = |values: &[f64]| values.iter().map(|&value| f64::from(value as f32)).collect();
        Self { heads: rounded(&self.heads), groups: rounded(&self.groups), channels: rounded(&self.channels) }
    }

    /// A file of the scores of all layers, with `more` tensors.
    ///
    /// # Errors
    /// When a number is not finite.
    pub fn encoded(layers: &[Self], more: &[(String, HostTensor)]) -> Result<Vec<u8>, WriteError> {
        let tensor = |values: &[f64]| HostTensor {
            shape: vec![values.len()],
            values: values.iter().map(|&value| value as f32).collect(),
        };
        let scores = layers.iter().enumerate().flat_map(|(layer, scores)| {
            let sites = [(HEADS, &scores.heads), (GROUPS, &scores.groups), (CHANNELS, &scores.channels)];
            sites.map(|(site, values)| (name(layer, site), tensor(values)))
        });
        let all: Vec<_> = scores.chain(more.iter().cloned()).collect();
        encode_tensors(&all.iter().map(|(name, tensor)| (name.clone(), tensor, Dtype::F32)).collect::<Vec<_>>())
    }

    /// The scores of so many layers from such a file, and what else is in it.
    ///
    /// # Errors
    /// When it is none, or of another model.
    pub fn decoded(bytes: Vec<u8>, layers: usize) -> Result<(Vec<Self>, BTreeMap<String, HostTensor>), ReadError> {
        let mut left: BTreeMap<String, HostTensor> = decode_tensors("what was chosen", bytes)?;
        let mut of = |layer: usize, site: &str| -> Result<Vec<f64>, ReadError> {
            let tensor = name(layer, site);
            let found = left.remove(&tensor).ok_or(ReadError::MissingTensor { tensor })?;
            Ok(found.values.into_iter().map(f64::from).collect())
        };
        let scores =
            (0..layers).map(|i| Ok(Self { heads: of(i, HEADS)?, groups: of(i, GROUPS)?, channels: of(i, CHANNELS)? }));
        let scores = scores.collect::<Result<_, ReadError>>()?;
        Ok((scores, left))
    }
}

const HEADS: &str = "heads";
const GROUPS: &str = "groups";
const CHANNELS: &str = "channels";

fn name(layer: usize, site: &str) -> String {
    format!("scores.{layer}.{site}")
}
