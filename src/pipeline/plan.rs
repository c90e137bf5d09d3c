//! What will be done, layer by layer, known before any work: ratios, counts, parameters, bytes.

use serde::{Deserialize, Serialize};

use super::counts::{channels_removed, default_multiple, fewest_channels, head_units_removed, shape_after};
use super::memory::{self, Limits, MemoryPlan};
use super::{Propagate, Request, Schedule, Target, solve};
use crate::checkpoint::Dtype;
use crate::obs::schedule::{self, ScheduleError};
use crate::obs::{ChannelSteps, HeadUnit, Options};
use crate::shape::{Family, LayerShape, ModelConfig};

mod error;

pub use error::PlanError;

/// What one layer loses.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerPlan {
    /// The ratio its counts were rounded from.
    pub ratio: f64,
    /// Its sizes as it is.
    pub before: LayerShape,
    /// Its sizes afterwards.
    pub after: LayerShape,
    /// What goes from attention: K/V heads, or query heads of every K/V group.
    pub head_units_removed: usize,
    /// Parameters as it is.
    pub parameters_before: usize,
    /// Parameters afterwards.
    pub parameters_after: usize,
}

impl LayerPlan {
    /// Channels that go.
    pub fn channels_removed(&self) -> usize {
        self.before.channels - self.after.channels
    }
}

/// A checked request: everything that decides the result, and the bytes it takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The mean ratio that was asked for or solved for.
    pub ratio: f64,
    /// The ratios' origin.
    pub schedule: Schedule,
    /// The score and the damping.
    pub options: Options,
    /// The steps in which channels go.
    pub channel_steps: ChannelSteps,
    /// What goes from attention as one.
    pub head_unit: HeadUnit,
    /// Element type of the output; without it the source's.
    pub dtype: Option<Dtype>,
    /// Which activations a layer hands to the next.
    pub propagate: Propagate,
    /// Calibration windows.
    pub windows: usize,
    /// Tokens of one window.
    pub window_tokens: usize,
    /// Windows that run together. Part of what decides the last bits of the result.
    pub batch_windows: usize,
    /// Seed of the calibration windows.
    pub seed: u64,
    /// Parameters of the whole model as it is.
    pub parameters_before: usize,
    /// Parameters of the whole model afterwards.
    pub parameters_after: usize,
    /// The layers in order.
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

    /// `config` with the sizes and the biases that the layers will have.
    pub fn pruned_config(&self, config: &ModelConfig) -> ModelConfig {
        ModelConfig { layers: self.layers.iter().map(|l| l.after).collect(), ..self.biased_config(config) }
    }

    /// `config` with the biases that the layers will have.
    pub fn biased_config(&self, config: &ModelConfig) -> ModelConfig {
        biased(&self.options, config)
    }
}

/// Most calibration tokens: the bytes of their activations still count in 64 bits.
const MOST_TOKENS: usize = 1 << 31;

/// What `request` means for a model of the sizes `config` on a device with `limits`.
///
/// # Errors
/// When the request contradicts itself or the model, or needs more memory than there is.
pub fn plan(request: &Request, config: &ModelConfig, limits: &Limits) -> Result<Plan, PlanError> {
    check(request)?;
    refuse_biases(request, config)?;
    let (ratio, layers) = match request.target {
        Some(Target::Parameters(wanted)) => solved(request, config, wanted)?,
        Some(Target::Ratio(share)) if request.head_unit == HeadUnit::Query => {
            solved(request, config, parameters_without(share, config)?)?
        }
        Some(Target::Ratio(ratio)) => layers_at(request, config, Some(ratio))?,
        None => layers_at(request, config, None)?,
    };
    let memory = memory::plan(request, config, &layers, limits)?;
    Ok(Plan {
        ratio,
        schedule: request.schedule.clone(),
        options: request.options,
        channel_steps: request.channel_steps,
        head_unit: request.head_unit,
        dtype: request.dtype,
        propagate: request.propagate,
        windows: request.windows,
        window_tokens: request.window_tokens,
        batch_windows: memory.batch_windows,
        seed: request.seed,
        parameters_before: config.parameters(),
        parameters_after: total(config, &layers),
        layers,
        memory,
    })
}

/// A method that shifts biases needs one on every pruned projection; other programs know biases on
/// these only together with those on all others, which are then zero.
fn biased(options: &Options, config: &ModelConfig) -> ModelConfig {
    let adds = options.adds_bias();
    ModelConfig {
        qkv_bias: config.qkv_bias || adds,
        o_bias: config.o_bias || adds,
        mlp_bias: config.mlp_bias || adds,
        ..config.clone()
    }
}

fn refuse_biases(request: &Request, config: &ModelConfig) -> Result<(), PlanError> {
    match config.family {
        Family::Llama | Family::Baichuan => Ok(()),
        _ if !request.options.adds_bias() => Ok(()),
        family => Err(PlanError::NoBiases { family }),
    }
}

fn check(request: &Request) -> Result<(), PlanError> {
    let damping = request.options.damping;
    if !(damping.is_finite() && damping >= 0.0) {
        return Err(PlanError::Damping(damping));
    }
    let (windows, length) = (request.windows, request.window_tokens);
    if windows.checked_mul(length).is_none_or(|tokens| tokens > MOST_TOKENS) {
        return Err(PlanError::TooMuchText { windows, length, most: MOST_TOKENS });
    }
    match request.channel_multiple {
        Some(0) => Err(PlanError::ZeroMultiple),
        _ => Ok(()),
    }
}

/// What is left of the whole model when the decoder layers lose this share.
///
/// Where keys and values stay, a layer loses less than its ratio, so the ratio is solved for.
fn parameters_without(share: f64, config: &ModelConfig) -> Result<usize, PlanError> {
    match share > 0.0 && share < 1.0 {
        true => Ok(config.outer_parameters() + ((1.0 - share) * config.decoder_parameters() as f64).round() as usize),
        false => Err(ScheduleError::Target(share).into()),
    }
}

/// The mean ratio and the layers whose parameters come nearest to `wanted`.
fn solved(request: &Request, config: &ModelConfig, wanted: usize) -> Result<(f64, Vec<LayerPlan>), PlanError> {
    solve::nearest(
        wanted,
        config.parameters(),
        |(_, layers): &(f64, Vec<LayerPlan>)| total(config, layers),
        |ratio| layers_at(request, config, Some(ratio)),
    )
}

/// The mean ratio and the layers at a target ratio (`None`: the list as it stands).
fn layers_at(request: &Request, config: &ModelConfig, target: Option<f64>) -> Result<(f64, Vec<LayerPlan>), PlanError> {
    let ratios = ratios(request, config.layers.len(), target)?;
    let mean = ratios.iter().sum::<f64>() / ratios.len().max(1) as f64;
    let layers = ratios.iter().enumerate().map(|(i, &ratio)| layer_plan(request, config, i, ratio));
    Ok((target.unwrap_or(mean), layers.collect::<Result<_, _>>()?))
}

fn ratios(request: &Request, layers: usize, target: Option<f64>) -> Result<Vec<f64>, PlanError> {
    match (&request.schedule, target) {
        (Schedule::Shape(shape), Some(target)) => Ok(schedule::ratios(*shape, target, request.first_ratio, layers)?),
        (Schedule::Shape(_), None) => Err(PlanError::NoTarget),
        (Schedule::List(list), target) => listed(list, layers, target),
    }
}

/// The list itself, or scaled so that its mean is the target.
fn listed(list: &[f64], layers: usize, target: Option<f64>) -> Result<Vec<f64>, PlanError> {
    if list.len() != layers {
        return Err(PlanError::ListLength { given: list.len(), layers });
    }
    let mean = list.iter().sum::<f64>() / layers.max(1) as f64;
    let scale = match target {
        Some(t) if !(t > 0.0 && t < 1.0) => return Err(ScheduleError::Target(t).into()),
        // Scaling by almost one would only disturb ratios that were rounded for a reason.
        Some(t) if (t - mean).abs() > 1e-9 => t / mean,
        _ => 1.0,
    };
    let scaled = list.iter().map(|r| r * scale);
    scaled
        .enumerate()
        .map(|(layer, ratio)| match (0.0..1.0).contains(&ratio) {
            true => Ok(ratio),
            false => Err(PlanError::ListRatio { layer, ratio }),
        })
        .collect()
}

fn layer_plan(request: &Request, config: &ModelConfig, layer: usize, ratio: f64) -> Result<LayerPlan, PlanError> {
    let before = config.layers[layer];
    if request.head_unit == HeadUnit::Query && before.heads_per_group() == 1 {
        return Err(PlanError::NoGroups { layer });
    }
    let head_units_removed = head_units_removed(before, request.head_unit, ratio);
    let multiple = request.channel_multiple.unwrap_or_else(|| default_multiple(before.channels));
    let channels_removed = channels_removed(before.channels, multiple, ratio);
    let after = shape_after(before, request.head_unit, head_units_removed, channels_removed);
    refuse_empty(config, layer, ratio, before, after)?;
    Ok(LayerPlan {
        ratio,
        before,
        after,
        head_units_removed,
        parameters_before: config.layer_parameters(before),
        parameters_after: biased(&request.options, config).layer_parameters(after),
    })
}

fn refuse_empty(
    config: &ModelConfig,
    layer: usize,
    ratio: f64,
    before: LayerShape,
    after: LayerShape,
) -> Result<(), PlanError> {
    let least_channels = fewest_channels(config.dense.channels);
    let counts = [
        ("K/V heads", after.kv_heads, before.kv_heads, 1),
        ("query heads", after.heads, before.heads, 1),
        ("channels", after.channels, before.channels, least_channels),
    ];
    match counts.into_iter().find(|&(_, left, present, least)| left < present && left < least) {
        Some((what, left, present, least)) => Err(PlanError::Emptied { layer, ratio, what, left, present, least }),
        None => Ok(()),
    }
}

/// Parameters of the whole model with these layers.
fn total(config: &ModelConfig, layers: &[LayerPlan]) -> usize {
    config.outer_parameters() + layers.iter().map(|l| l.parameters_after).sum::<usize>()
}
