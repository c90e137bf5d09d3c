//! What may go, chosen by training: low-rank factors learn on the calibration text while heads and channels are
//! shut, and what they learn meanwhile stays in the weights.
//!
//! The methods differ in how they decide which gates are shut at a step; everything else is here.

mod compresso;
mod loraprune;
mod quota;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::step::Trainer;
use super::{Data, Event, Flow, Length, RecoverError, Settings, adapter};
use crate::checkpoint::{
    Adapter, Checkpoint, Dtype, HostTensor, ReadError, WriteError, decode_tensors, encode_tensors,
};
use crate::device::Device;
use crate::pipeline::{self, Limits, UnitScores};
use compresso::Compresso;
use loraprune::LoraPrune;

/// How training chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Choosing {
    /// By gradients of the factors (LoRAPrune).
    LoraGradients,
    /// By gates that are learnt with them (Compresso).
    Gates,
}

/// Steps of training: so many that a small model's gates settle, and a 7B model is done in an hour on one GPU.
const STEPS: usize = 200;
/// Tokens of a sequence.
const WINDOW: usize = 256;
/// The share of the steps before anything is shut, and again in which nothing more is (LoRAPrune's code).
const STILL: f64 = 0.1;
/// What a unit that goes scores: below all that stay.
const GOES: f32 = -1.0;

/// What training chose.
#[derive(Debug, PartialEq)]
pub struct Choice {
    /// Scores of all units, by layer; the lowest go.
    pub scores: Vec<UnitScores>,
    /// What the low-rank factors learnt, by their names in `peft`; none where nothing was trained.
    factors: Vec<(String, HostTensor)>,
}

/// What decides which gates are shut.
trait Chooser {
    /// Factors at heads and channels of every layer, for this step of so many.
    fn gates(&mut self, step: usize) -> Vec<[Vec<f32>; 2]>;
    /// Looks at the gradients of the step before the factors are updated.
    fn look(&mut self, step: usize, trainer: &Trainer<'_>) -> Result<(), RecoverError>;
    /// The scores after the last step.
    fn scores(&self) -> Vec<UnitScores>;
}

/// How it is trained: LoRA as both papers have it (rank 8, α 16, dropout 0.05, all projections), on plain text.
fn settings(most: usize) -> Settings {
    // Their 1e-4 and 5e-5 are for ten times as many steps.
    Settings { rate: 3e-4, length: Length::Steps(STEPS), batch: 16, window: WINDOW.min(most), ..Settings::default() }
}

/// Trains on the calibration windows and chooses what `plan` says is to go; `None` if it was stopped.
///
/// # Errors
/// When the windows are too short to learn from, a loss is no number, or the device fails.
pub async fn choose(
    checkpoint: &Checkpoint,
    plan: &pipeline::Plan,
    windows: &[Vec<u32>],
    how: Choosing,
    device: &Device,
    watch: &mut dyn FnMut(usize, usize) -> Flow,
) -> Result<Option<Choice>, RecoverError> {
    let settings = settings(checkpoint.config().max_positions);
    let data = Data::of_windows(windows, settings.window);
    if data.learnt.is_empty() {
        return Err(RecoverError::TooFew { examples: 0, held_out: 0 });
    }
    let placed = super::plan(&settings, checkpoint.config(), None, &Limits::of(device, None))?;
    let mut trainer = Trainer::new(checkpoint, None, &settings, &placed, device.tensor_device(), None)?;
    let head_dim = checkpoint.config().head_dim;
    let mut chooser: Box<dyn Chooser> = match how {
        Choosing::LoraGradients => Box::new(LoraPrune::new(&plan.layers, head_dim)),
        Choosing::Gates => Box::new(Compresso::new(&plan.layers)),
    };
    for step in 1..=STEPS {
        trainer.gates = chooser.gates(step);
        let mut within = |event: Event| match event {
            Event::Layer { done, total } => watch((step - 1) * total + done, STEPS * total),
            _ => Flow::Continue,
        };
        let Some(loss) = trainer.pull(&data.of_step(step - 1, &settings), step, &mut within).await? else {
            return Ok(None);
        };
        if !loss.is_finite() {
            return Err(RecoverError::NotFinite { step, loss, sequences: "of the calibration".into(), kept: 0 });
        }
        chooser.look(step, &trainer)?;
        trainer.update(loss, step, STEPS);
    }
    Ok(Some(Choice { scores: chooser.scores(), factors: adapter::named(&trainer.learnt) }))
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
