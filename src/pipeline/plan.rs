//! What will be done, layer by layer, known before any work: counts, parameters, bytes.

use serde::{Deserialize, Serialize};

use super::memory::{self, Limits, MemoryPlan};
use super::{Request, UnitScores};
use crate::allocate::{AllocateError, Allocated, LayerPlan, Schedule, allocate, by_scores};
use crate::obs::{Brought, Selection};
use crate::shape::{Family, ModelConfig, Site};

mod error;

pub use error::PlanError;

/// A checked request: everything that decides the result, and the bytes it takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Every knob as it was asked for.
    pub request: Request,
    /// The mean ratio that was asked for or solved for.
    pub ratio: f64,
    /// Windows that run together. Part of what decides the last bits of the result.
    pub batch_windows: usize,
    /// Devices that share the windows. Part of what decides the last bits: sums are taken over one share after the
    /// other.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub ranks: usize,
    /// Parameters of the whole model as it is.
    pub parameters_before: usize,
    /// Parameters of the whole model afterwards.
    pub parameters_after: usize,
    /// The layers in order. Where their sizes follow from the text ([`Self::is_open`]) they lose alike until it is read.
    pub layers: Vec<LayerPlan>,
    /// Bytes, and where the activations lie. Decides nothing about the result.
    pub memory: MemoryPlan,
}

impl Plan {
    /// The share of the decoder layers' parameters that really goes, after rounding.
    pub fn decoder_ratio(&self) -> f64 {
        let sum = |of: fn(&LayerPlan) -> usize| self.layers.iter().map(of).sum::<usize>() as f64;
        1.0 - sum(|l| l.parameters_after) / sum(|l| l.parameters_before)
    }

    /// `config` with the sizes and the biases that the layers will have, without those that leave the model.
    pub fn pruned_config(&self, config: &ModelConfig) -> ModelConfig {
        self.biased_config(config).with_layers(self.layers.iter().map(|l| l.after))
    }

    /// Whether the layers' sizes follow from the text, and not from what was asked alone. As much goes in total.
    pub fn is_open(&self) -> bool {
        self.request.allocation.schedule == Schedule::Scores
    }

    /// The same with the sizes that follow from scores, if they do.
    ///
    /// # Errors
    /// When the scores are not those of such a model, or its layers cannot lose as much.
    pub(super) fn settled(&self, scores: &[UnitScores], config: &ModelConfig) -> Result<Self, AllocateError> {
        if !self.is_open() {
            return Ok(self.clone());
        }
        let asked = &self.request.allocation;
        let of = |layer: &UnitScores| [layer.of_unit(asked.head_unit).to_vec(), layer.channels.clone()];
        let scores: Vec<[Vec<f64>; 2]> = scores.iter().map(of).collect();
        let Allocated { ratio, layers } = by_scores(asked, config, &self.biased_config(config), &scores)?;
        Ok(Self { ratio, parameters_after: parameters(config, &layers), layers, ..self.clone() })
    }

    /// The same with less on the device: activations elsewhere first, which changes no bit of the result,
    /// then batches of half as many windows. `None` where both is done already.
    pub fn with_less_on_device(&self) -> Option<Self> {
        let elsewhere =
            self.memory.with_activations_off_device(self.ranks).map(|memory| Self { memory, ..self.clone() });
        elsewhere.or_else(|| self.with_smaller_batches())
    }

    /// The same in batches of half as many windows, which has other last bits; `None` where a batch is
    /// one window.
    pub fn with_smaller_batches(&self) -> Option<Self> {
        let batch_windows = Some(self.batch_windows / 2).filter(|&windows| windows > 0)?;
        let memory = MemoryPlan { batch_windows, ..self.memory.clone() };
        Some(Self { batch_windows, memory, ..self.clone() })
    }

    /// `config` with the biases that the layers will have.
    pub fn biased_config(&self, config: &ModelConfig) -> ModelConfig {
        self.request.written_config(config)
    }
}

/// What a plan of an earlier version has, and what a plan for one device leaves out.
fn one() -> usize {
    1
}

fn is_one(ranks: &usize) -> bool {
    *ranks == one()
}

/// Most calibration tokens: the bytes of their activations still count in 64 bits.
const MOST_TOKENS: usize = 1 << 31;

/// What `request` means for a model of the sizes `config` on a device with `limits`.
///
/// # Errors
/// When the request contradicts itself or the model, or needs more memory than there is.
pub fn plan(request: &Request, config: &ModelConfig, limits: &Limits) -> Result<Plan, PlanError> {
    plan_beside(request, config, limits, 0)
}

/// [`plan`] where the caller holds so many bytes more where the work is done.
///
/// # Errors
/// As [`plan`].
pub fn plan_beside(request: &Request, config: &ModelConfig, limits: &Limits, beside: u64) -> Result<Plan, PlanError> {
    check(request)?;
    refuse_biases(request, config)?;
    refuse_halves(request, config)?;
    if request.options.needs_draw() && !config.design.adds_plainly() {
        return Err(PlanError::NoDraw { family: config.family });
    }
    // With the biases that the method adds: the target is met by what is written.
    let written = request.written_config(config);
    let Allocated { ratio, layers } = allocate(&request.allocation, config, &written)?;
    refuse_heads(request, &layers, config)?;
    let memory = memory::plan(request, config, &layers, limits, beside)?;
    Ok(Plan {
        request: request.clone(),
        ratio,
        batch_windows: memory.batch_windows,
        ranks: limits.ranks.max(1),
        parameters_before: config.parameters(),
        parameters_after: parameters(config, &layers),
        layers,
        memory,
    })
}

/// Parameters of the whole model with these layers.
fn parameters(config: &ModelConfig, layers: &[LayerPlan]) -> usize {
    config.outer_parameters() + layers.iter().map(|l| l.parameters_after).sum::<usize>()
}

fn refuse_biases(request: &Request, config: &ModelConfig) -> Result<(), PlanError> {
    match config.family {
        // Both are written as LLaMA, whose configuration has a switch for biases everywhere.
        Family::Llama | Family::Baichuan => Ok(()),
        _ if !request.options.adds_bias() => Ok(()),
        family => Err(PlanError::NoBiases { family }),
    }
}

fn refuse_halves(request: &Request, config: &ModelConfig) -> Result<(), PlanError> {
    if !matches!(request.options.brought(), Some(Brought::LoraGradients | Brought::Gates)) {
        return Ok(());
    }
    for (layer, shape) in config.layers.iter().enumerate() {
        if let Some(site) = Site::ALL.into_iter().find(|&site| !shape.has(site)) {
            return Err(PlanError::Halved { layer, site });
        }
    }
    Ok(())
}

/// Refuses that heads go where all of them are normed together.
fn refuse_heads(request: &Request, layers: &[LayerPlan], config: &ModelConfig) -> Result<(), PlanError> {
    // Of an open plan nobody knows yet what goes.
    let is_open = request.allocation.schedule == Schedule::Scores;
    let loses = |layer: &LayerPlan| config.design.binds_heads && (is_open || layer.head_units_removed() > 0);
    let losing = layers.iter().position(loses);
    losing.map_or(Ok(()), |layer| Err(PlanError::BoundHeads { layer, family: config.family }))
}

fn check(request: &Request) -> Result<(), PlanError> {
    let damping = request.options.damping;
    // Zero is allowed: the published command for 20 % does not damp. NaN fails as well.
    if !(damping.is_finite() && damping >= 0.0) {
        return Err(PlanError::Damping(damping));
    }
    let residual = request.options.residual;
    if !(0.0..=1.0).contains(&residual) {
        return Err(PlanError::Residual(residual));
    }
    if request.options.swaps > 0 && matches!(request.options.selection, Selection::Ranking(_)) {
        return Err(PlanError::SwapsOfRanking);
    }
    let (windows, length) = (request.windows, request.window_tokens);
    if windows.checked_mul(length).is_none_or(|tokens| tokens > MOST_TOKENS) {
        return Err(PlanError::TooMuchText { windows, length, most: MOST_TOKENS });
    }
    Ok(())
}
