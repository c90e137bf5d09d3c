//! Layers filled up with zeros to the size of the largest: a plain model for programs that know
//! only those.
//!
//! A head whose columns of o_proj are zero adds nothing, whatever it computes; so does a channel
//! whose column of down_proj is zero. The padded model therefore computes what the pruned one
//! does. Heads are added to every key/value group alike, since query heads find their group by
//! their place.

use std::path::Path;

use super::ExportError;
use super::files::NewCheckpoint;
use crate::checkpoint::{Checkpoint, Dtype, HostTensor, LayerWeights, encode_layer, encode_outer, plain_config};
use crate::shape::{Axis, LayerShape, ModelConfig, Part, entries_of};

/// What was written, and what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The size of every layer.
    pub layer: LayerShape,
    /// Parameters of the model that was read.
    pub parameters_before: usize,
    /// Parameters of what was written, zeros included.
    pub parameters_after: usize,
    /// Bytes of the weights that were read.
    pub bytes_before: u64,
    /// Bytes of the weights that were written, zeros included.
    pub bytes_after: u64,
}

/// The size that holds every layer, and has both halves.
pub fn common_layer(config: &ModelConfig) -> LayerShape {
    // A half that no layer has is still built by every class: as narrow as it can be.
    let most = |of: fn(&LayerShape) -> usize| config.layers.iter().map(of).max().unwrap_or(0).max(1);
    let kv_heads = most(|l| l.kv_heads);
    // The most groups times the largest group, which may be more heads than any layer has.
    LayerShape { heads: kv_heads * most(|l| l.heads_per_group()), kv_heads, channels: most(|l| l.channels) }
}

/// The model as it will be: all layers of the common size.
fn padded_config(config: &ModelConfig) -> ModelConfig {
    ModelConfig { layers: vec![common_layer(config); config.layers.len()], ..config.clone() }
}

/// Writes `checkpoint` to the folder `out` with all layers of one size. `on_layer` is told how
/// many of how many layers are written.
///
/// # Errors
/// When no plain class holds the model, or the disk refuses; nothing stands at `out` then that did
/// not before.
pub fn export(
    checkpoint: &Checkpoint,
    out: &Path,
    overwrite: bool,
    on_layer: &mut dyn FnMut(usize, usize),
) -> Result<Summary, ExportError> {
    let (config, types) = (checkpoint.config(), checkpoint.types(None));
    let padded = padded_config(config);
    // Before anything is written.
    check(config)?;
    let written = plain_config(checkpoint.raw_config(), &padded, types.bulk()).ok_or_else(|| cannot_hold(config))?;
    let mut folder = NewCheckpoint::begin(checkpoint, out, overwrite)?;
    folder.part(&encode_outer(&checkpoint.outer()?, &types)?)?;
    for (i, &shape) in config.layers.iter().enumerate() {
        let layer = pad(&checkpoint.layer(i)?, shape, padded.layers[i], config);
        folder.part(&encode_layer(i, &layer, config.family, &types)?)?;
        on_layer(i + 1, config.layers.len());
    }
    folder.write("config.json", format!("{written:#}\n").as_bytes())?;
    folder.finish()?;
    Ok(Summary {
        layer: common_layer(config),
        parameters_before: config.parameters(),
        parameters_after: padded.parameters(),
        bytes_before: checkpoint.bytes(),
        bytes_after: types.bytes(&padded),
    })
}

/// Whether a plain class holds the padded model.
///
/// # Errors
/// With what stands in the way.
pub fn check(config: &ModelConfig) -> Result<(), ExportError> {
    let padded = padded_config(config);
    if config.design.binds_heads && config.layers.iter().any(|layer| layer.heads != padded.layers[0].heads) {
        // Heads of zeros would count in a norm over all heads.
        return Err(cannot_hold(config));
    }
    // Which class holds a model does not depend on its source's keys.
    plain_config(&serde_json::json!({}), &padded, Dtype::F32).map(drop).ok_or_else(|| cannot_hold(config))
}

fn cannot_hold(config: &ModelConfig) -> ExportError {
    let LayerShape { heads, kv_heads, .. } = common_layer(config);
    let scaled = if config.rope.scaling.is_some() { " and scaled positions" } else { "" };
    ExportError::CannotHold {
        target: "a plain folder",
        reason: format!(
            "even its widest layers have {heads} query heads on {kv_heads} key/value heads, which no plain class of transformers \
             has for {:?} with its biases{scaled}",
            config.family
        ),
        remedy: "use the pruned folder itself with trust_remote_code=True, or export it to GGUF",
    }
}

/// The layer with zeros on every axis that is longer in `to` than in `from`, and nothing but zeros in a half that it
/// lacks: a norm of zeros, too, adds nothing.
fn pad(layer: &LayerWeights, from: LayerShape, to: LayerShape, config: &ModelConfig) -> LayerWeights {
    let places = |axis| match axis {
        // Heads keep their place in their group; all else is filled up at the end.
        Axis::Heads => Some(entries_of(&places(from, to), config.head_dim)),
        Axis::KvHeads | Axis::Channels => Some((0..axis.entries(config, from)).collect()),
        Axis::Hidden | Axis::HeadDim => None,
    };
    let padded = |part: Part| {
        let Some(tensor) = layer.get(part) else { return HostTensor::zeros(part.shape(config, to)) };
        part.axes().iter().enumerate().fold(tensor.clone(), |tensor, (at, &axis)| match places(axis) {
            Some(places) => tensor.scatter(at, &places, axis.entries(config, to)),
            None => tensor,
        })
    };
    config.parts_of(to).map(|part| (part, padded(part))).collect()
}

/// Where each query head comes to stand: in its group, whose size is now another.
fn places(from: LayerShape, to: LayerShape) -> Vec<usize> {
    let (old, new) = (from.heads_per_group(), to.heads_per_group());
    // Without heads there is no group to divide by.
    (0..from.heads).map(|h| h / old * new + h % old).collect()
}
