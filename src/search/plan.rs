//! What a search leaves: the map of costs, and sizes for the targets that were asked for. A file that people may edit.

use serde::{Deserialize, Serialize};

use super::allocate::allocate;
use super::budget::{Budget, Measure};
use super::climbed::Climbed;
use super::shapes::parameters;
use super::trial::Rise;
use super::uniform::uniform;
use super::{Bounds, Map, SearchError};
use crate::allocate::{Target, TimeBudget};
use crate::shape::{LayerShape, ModelConfig};

/// Sizes for one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// What was asked for.
    pub target: Target,
    /// The share of the decoder layers' parameters that goes.
    pub ratio: f64,
    /// Parameters of the whole model afterwards.
    pub parameters: usize,
    /// Σ of the sites' divergences, in nats a token: what would be reached if they added up.
    pub predicted_divergence: f64,
    /// Seconds that a token will take, where times were measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicted_seconds: Option<f64>,
    /// The layers afterwards.
    pub layers: Vec<LayerShape>,
    /// In how many rounds they were found, where not in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounds: Option<Rounds>,
    /// What complete candidates were judged at, where the sizes were climbed from those that the map says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub climb: Option<Climbed>,
}

/// A search that was repeated from where a part of the target had gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rounds {
    /// What tells them from others.
    pub id: String,
    /// How many there were.
    pub count: usize,
    /// The layers that they have found.
    pub layers: Vec<LayerShape>,
    /// Σ of what the rounds predicted, each from the model that it began with, in nats a token.
    pub predicted_divergence: f64,
}

/// A finished search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchPlan {
    /// The version that made it.
    pub version: String,
    /// What tells the model from others.
    pub model: String,
    /// What tells the search from others: another target of the same search needs no work.
    pub id: String,
    /// What it was called.
    pub source: Option<String>,
    /// Where it was computed.
    pub device: String,
    /// Tokens that the curves are made of, and those of the probe.
    pub calibration_tokens: usize,
    /// Tokens that divergences were measured on.
    pub probe_tokens: usize,
    /// One entry for each target.
    pub targets: Vec<Found>,
    /// What was pruned and measured, where the target was a rise of perplexity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rise: Option<Rise>,
    /// What cutting costs.
    pub map: Map,
}

impl SearchPlan {
    /// The file in a folder that was pruned by it.
    pub const FILE: &'static str = "slimgpt-search.json";

    /// Reads a file's text.
    ///
    /// # Errors
    /// When it is no plan.
    pub fn parse(text: &str) -> Result<Self, SearchError> {
        serde_json::from_str(text).map_err(|e| SearchError::File(format!("it is no plan of a search: {e}")))
    }

    /// The sizes for a target: the one that was searched for, or the only one where none is said.
    ///
    /// # Errors
    /// When there are none for it.
    pub fn found(&self, target: Option<Target>) -> Result<&Found, SearchError> {
        let is_it = |found: &&Found| target.is_none_or(|target| is_alike(target, found.target));
        let mut fitting = self.targets.iter().filter(is_it);
        let known = || self.targets.iter().map(|found| found.target.to_string()).collect::<Vec<_>>().join(", ");
        match (fitting.next(), fitting.next()) {
            (Some(found), None) => Ok(found),
            (None, _) => Err(SearchError::Target(format!("the plan has no sizes for this target; it has {}", known()))),
            (Some(_), Some(_)) => {
                Err(SearchError::Target(format!("the plan has sizes for several targets; say which: {}", known())))
            }
        }
    }
}

fn is_alike(a: Target, b: Target) -> bool {
    match (a, b) {
        // As typed: what differs by less is the same decimal number.
        (Target::Ratio(a), Target::Ratio(b)) => (a - b).abs() < 1e-9,
        (a, b) => a == b,
    }
}

/// Refuses a target that no sizes can be found for, whatever cutting costs: one that means nothing, or leaves nothing to
/// remove, or a time that nothing tells of.
///
/// # Errors
/// When it is one.
pub fn check_target(config: &ModelConfig, bounds: &Bounds, target: Target) -> Result<(), SearchError> {
    Budget::of(target, config, bounds.times.as_ref()).map(drop)
}

/// Sizes for a target within `bounds`, by the costs of the map.
///
/// # Errors
/// When the target means nothing, is a time that nothing tells of, or no sizes meet it.
pub fn sizes(map: &Map, config: &ModelConfig, bounds: &Bounds, target: Target) -> Result<Found, SearchError> {
    let budget = Budget::of(target, config, bounds.times.as_ref())?;
    let solve = if bounds.uniform { uniform } else { allocate };
    let (layers, predicted_divergence) = solve(map, &budget, bounds)?;
    if layers.iter().all(LayerShape::is_empty) {
        return Err(SearchError::NoLayers);
    }
    Ok(Found::new(target, config, bounds, layers, predicted_divergence))
}

/// What takes this share of all that a target asks for, in the same measure.
///
/// # Errors
/// Those of [`check_target`].
pub fn part_of(target: Target, config: &ModelConfig, bounds: &Bounds, share: f64) -> Result<Target, SearchError> {
    let budget = Budget::of(target, config, bounds.times.as_ref())?;
    let gone = share * budget.gone as f64;
    Ok(match (budget.measure, &bounds.times) {
        (Measure::Nanoseconds(_), Some(times)) => {
            Target::Time(TimeBudget::Milliseconds(1e3 * times.seconds(&config.layers) - gone / 1e6))
        }
        _ => Target::Parameters(config.parameters() - gone.round() as usize),
    })
}

impl Found {
    /// Sizes of the layers of `config`, with what they come to.
    pub fn new(
        target: Target,
        config: &ModelConfig,
        bounds: &Bounds,
        layers: Vec<LayerShape>,
        predicted_divergence: f64,
    ) -> Self {
        let decoder = config.decoder_parameters();
        let left: usize = layers.iter().map(|&shape| parameters(config, shape)).sum();
        let ratio = 1.0 - left as f64 / decoder as f64;
        let parameters = config.parameters() - decoder + left;
        let predicted_seconds = bounds.times.as_ref().map(|times| times.seconds(&layers));
        Self { target, ratio, parameters, predicted_divergence, predicted_seconds, layers, rounds: None, climb: None }
    }
}
