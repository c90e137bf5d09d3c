//! A folder for mlx-lm, in the form of OpenELM: its only family whose layers may differ in heads
//! and channels. It has no biases and no scaled positions; with them a model is refused.

use std::path::Path;

use serde_json::{Value, json};

use super::ExportError;
use super::files::NewCheckpoint;
use crate::checkpoint::{Checkpoint, Dtype, HostTensor, LayerWeights};
use crate::shape::ModelConfig;

/// Whether mlx-lm's OpenELM holds a model.
///
/// # Errors
/// With what the model has that OpenELM lacks.
pub fn check(config: &ModelConfig) -> Result<(), ExportError> {
    let has_bias = config.qkv_bias || config.o_bias || config.mlp_bias;
    let reason = match (has_bias, config.rope.scaling.is_some()) {
        (true, _) => "it has biases, and mlx-lm's OpenELM has none",
        (_, true) => "its rotary positions are scaled as LLaMA 3.1's, and mlx-lm's OpenELM has no scaling",
        _ => return Ok(()),
    };
    let remedy = "make it a plain model with `slimgpt export padded`, which mlx-lm opens as its own family";
    Err(ExportError::CannotHold { target: "an mlx-lm folder", reason: reason.into(), remedy })
}

/// Writes `checkpoint` to the folder `out`. `on_layer` is told how many of how many layers are written.
///
/// # Errors
/// When OpenELM does not hold the model, or the disk refuses; nothing stands at `out` then that did
/// not before.
pub fn export(
    checkpoint: &Checkpoint,
    out: &Path,
    overwrite: bool,
    on_layer: &mut dyn FnMut(usize, usize),
) -> Result<(), ExportError> {
    let (config, dtype) = (checkpoint.config(), checkpoint.dtype());
    check(config)?;
    let mut folder = NewCheckpoint::begin(out, overwrite)?;
    let outer = checkpoint.outer()?;
    let mut named = vec![
        ("transformer.token_embeddings.weight".to_owned(), &outer.embedding),
        ("transformer.norm.weight".to_owned(), &outer.final_norm),
    ];
    named.extend(outer.head.as_ref().map(|head| ("lm_head.weight".to_owned(), head)));
    folder.tensors(&named, dtype)?;
    for i in 0..config.layers.len() {
        let tensors = layer(i, checkpoint.layer(i)?);
        let named: Vec<_> = tensors.iter().map(|(name, tensor)| (name.clone(), tensor)).collect();
        folder.tensors(&named, dtype)?;
        on_layer(i + 1, config.layers.len());
    }
    folder.write("config.json", format!("{:#}\n", mlx_config(config, checkpoint.raw_config(), dtype)).as_bytes())?;
    folder.finish(checkpoint.folder())
}

/// The tensors of layer `i` under OpenELM's names: q, k, v in one matrix, gate and up in another.
fn layer(i: usize, layer: LayerWeights) -> Vec<(String, HostTensor)> {
    let mut named = vec![
        ("attn_norm", layer.input_norm),
        ("attn.qkv_proj", stacked([&layer.q.weight, &layer.k.weight, &layer.v.weight])),
        ("attn.out_proj", layer.o.weight),
        ("ffn_norm", layer.post_norm),
        ("ffn.proj_1", stacked([&layer.gate.weight, &layer.up.weight])),
        ("ffn.proj_2", layer.down.weight),
    ];
    named.extend(layer.q_norm.map(|norm| ("attn.q_norm", norm)));
    named.extend(layer.k_norm.map(|norm| ("attn.k_norm", norm)));
    let full = |part: &str| format!("transformer.layers.{i}.{part}.weight");
    named.into_iter().map(|(part, tensor)| (full(part), tensor)).collect()
}

/// Matrices of one width, one under the other.
fn stacked<const N: usize>(parts: [&HostTensor; N]) -> HostTensor {
    let rows = parts.iter().map(|p| p.shape[0]).sum();
    let values = parts.iter().flat_map(|p| p.values.iter().copied()).collect();
    HostTensor { shape: vec![rows, parts[0].shape[1]], values }
}

fn mlx_config(config: &ModelConfig, source: &Value, dtype: Dtype) -> Value {
    let of = |size: fn(&crate::shape::LayerShape) -> usize| config.layers.iter().map(size).collect::<Vec<_>>();
    // A channel count is divisor · round(multiplier · width / divisor); with 1 it is exact.
    let multipliers: Vec<f64> = config.layers.iter().map(|l| l.channels as f64 / config.hidden_size as f64).collect();
    json!({
        "model_type": "openelm",
        "head_dim": config.head_dim,
        "num_transformer_layers": config.layers.len(),
        "model_dim": config.hidden_size,
        "vocab_size": config.vocab_size,
        "ffn_dim_divisor": 1,
        "num_query_heads": of(|l| l.heads),
        "num_kv_heads": of(|l| l.kv_heads),
        "ffn_multipliers": multipliers,
        "ffn_with_glu": true,
        "normalize_qk_projections": config.qk_norm,
        "share_input_output_layers": config.tied_head,
        "rms_norm_eps": config.rms_norm_eps,
        "rope_freq_constant": config.rope.theta,
        "rope_max_length": config.max_positions,
        "max_context_length": config.max_positions,
        "torch_dtype": dtype.torch_name(),
        "bos_token_id": source["bos_token_id"],
        "eos_token_id": source["eos_token_id"],
    })
}
