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
use crate::checkpoint::{
    Checkpoint, Dtype, HostTensor, LayerWeights, Projection, layer_bytes, outer_bytes, plain_config,
};
use crate::shape::{LayerShape, ModelConfig};

/// What was written, and what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The size of every layer.
    pub layer: LayerShape,
    /// Parameters of the model that was read.
    pub parameters_before: usize,
    /// Parameters of what was written, zeros included.
    pub parameters_after: usize,
}

/// The size that holds every layer.
pub fn common_layer(config: &ModelConfig) -> LayerShape {
    let most = |of: fn(&LayerShape) -> usize| config.layers.iter().map(of).max().unwrap_or(0);
    let kv_heads = most(|l| l.kv_heads);
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
) -> Result<Written, ExportError> {
    let (config, dtype) = (checkpoint.config(), checkpoint.dtype());
    let padded = padded_config(config);
    let written = plain_config(checkpoint.raw_config(), &padded, dtype).ok_or_else(|| cannot_hold(config))?;
    let mut folder = NewCheckpoint::begin(out, overwrite)?;
    folder.part(&outer_bytes(&checkpoint.outer()?, dtype)?)?;
    for (i, &shape) in config.layers.iter().enumerate() {
        let layer = pad(checkpoint.layer(i)?, shape, padded.layers[i], config.head_dim);
        folder.part(&layer_bytes(i, &layer, dtype)?)?;
        on_layer(i + 1, config.layers.len());
    }
    folder.write("config.json", format!("{written:#}\n").as_bytes())?;
    folder.finish(checkpoint.folder())?;
    Ok(Written {
        layer: common_layer(config),
        parameters_before: config.parameters(),
        parameters_after: padded.parameters(),
    })
}

/// Whether a plain class holds the padded model.
///
/// # Errors
/// With what stands in the way.
pub fn check(config: &ModelConfig) -> Result<(), ExportError> {
    let padded = padded_config(config);
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

fn pad(layer: LayerWeights, from: LayerShape, to: LayerShape, head_dim: usize) -> LayerWeights {
    let heads = places(from, to);
    let q_rows = spread(&heads, head_dim);
    let kv_rows: Vec<usize> = (0..from.kv_heads * head_dim).collect();
    let channels: Vec<usize> = (0..from.channels).collect();
    let [q_width, kv_width] = [to.heads, to.kv_heads].map(|n| n * head_dim);
    LayerWeights {
        q: outputs(layer.q, &q_rows, q_width),
        k: outputs(layer.k, &kv_rows, kv_width),
        v: outputs(layer.v, &kv_rows, kv_width),
        o: inputs(layer.o, &q_rows, q_width),
        gate: outputs(layer.gate, &channels, to.channels),
        up: outputs(layer.up, &channels, to.channels),
        down: inputs(layer.down, &channels, to.channels),
        ..layer
    }
}

/// Where each query head comes to stand: in its group, whose size is now another.
fn places(from: LayerShape, to: LayerShape) -> Vec<usize> {
    let (old, new) = (from.heads_per_group(), to.heads_per_group());
    (0..from.heads).map(|h| h / old * new + h % old).collect()
}

fn spread(units: &[usize], width: usize) -> Vec<usize> {
    units.iter().flat_map(|u| u * width..(u + 1) * width).collect()
}

/// A projection with its outputs at `places` of `width`, and zeros elsewhere.
fn outputs(projection: Projection, places: &[usize], width: usize) -> Projection {
    Projection {
        weight: rows_at(&projection.weight, places, width),
        bias: projection.bias.map(|b| rows_at(&b, places, width)),
    }
}

fn rows_at(tensor: &HostTensor, places: &[usize], count: usize) -> HostTensor {
    let width: usize = tensor.shape[1..].iter().product();
    let mut values = vec![0.0; count * width];
    for (row, &place) in tensor.values.chunks_exact(width).zip(places) {
        values[place * width..(place + 1) * width].copy_from_slice(row);
    }
    let mut shape = tensor.shape.clone();
    shape[0] = count;
    HostTensor { shape, values }
}

/// A projection that reads its inputs at `places` of `width`, and nothing elsewhere.
fn inputs(projection: Projection, places: &[usize], width: usize) -> Projection {
    let old = projection.weight;
    let mut values = vec![0.0; old.shape[0] * width];
    for (new, row) in values.chunks_exact_mut(width).zip(old.values.chunks_exact(old.shape[1])) {
        for (&place, &value) in places.iter().zip(row) {
            new[place] = value;
        }
    }
    Projection { weight: HostTensor { shape: vec![old.shape[0], width], values }, bias: projection.bias }
}
