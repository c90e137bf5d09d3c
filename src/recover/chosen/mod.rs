//! What may go, chosen by training: low-rank factors learn on the calibration text while heads and channels are
//! shut, and what they learn meanwhile stays in the weights.
//!
//! The methods differ in how they decide which gates are shut at a step; everything else is here.

mod choice;
mod compresso;
mod loraprune;
mod quota;
mod training;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::step::Trainer;
use super::{Length, RecoverError, Settings};
use crate::pipeline::UnitScores;

pub use choice::Choice;
pub use training::{Choosing, Lesson, Training};

/// Steps of training: so many that a small model's gates settle, and a 7B model is done in an hour on one GPU.
const STEPS: usize = 200;
/// Tokens of a sequence.
const WINDOW: usize = 256;
/// The share of the steps before anything is shut, and again in which nothing more is (LoRAPrune's code).
const STILL: f64 = 0.1;
/// What a unit that goes scores: below all that stay.
const GOES: f32 = -1.0;

/// What decides which gates are shut.
trait Chooser {
    /// Factors at heads and channels of every layer, for this step of so many.
    fn gates(&mut self, step: usize) -> Vec<[Vec<f32>; 2]>;
    /// Looks at the gradients of the step before the factors are updated.
    fn look(&mut self, step: usize, trainer: &Trainer<'_>) -> Result<(), RecoverError>;
    /// The scores after the last step.
    fn scores(&self) -> Vec<UnitScores>;
    /// What it knows between two steps.
    fn state(&self) -> serde_json::Value;
    /// Takes up such a state of the same model; whether it is one.
    fn restore(&mut self, state: serde_json::Value) -> bool;
}

/// The states of layers, one after the other.
fn states<S: Serialize>(layers: impl Iterator<Item = S>) -> serde_json::Value {
    // Numbers and lists of them always have a JSON form.
    serde_json::to_value(layers.collect::<Vec<_>>()).unwrap_or_default()
}

/// Gives every layer its state, if there is one that fits for each; whether there was.
fn restored<L, S: DeserializeOwned>(
    layers: &mut [L],
    states: serde_json::Value,
    fits: impl Fn(&L, &S) -> bool,
    give: impl Fn(&mut L, S),
) -> bool {
    let Ok(states) = serde_json::from_value::<Vec<S>>(states) else { return false };
    let do_fit = states.len() == layers.len() && layers.iter().zip(&states).all(|(layer, state)| fits(layer, state));
    if do_fit {
        layers.iter_mut().zip(states).for_each(|(layer, state)| give(layer, state));
    }
    do_fit
}

/// How it is trained: LoRA as both papers have it (rank 8, α 16, dropout 0.05, all projections), on plain text.
fn settings(most: usize) -> Settings {
    // Their 1e-4 and 5e-5 are for ten times as many steps.
    Settings { rate: 3e-4, length: Length::Steps(STEPS), batch: 16, window: WINDOW.min(most), ..Settings::default() }
}
