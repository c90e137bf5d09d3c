//! A folder for mlx-lm, in the form of OpenELM: its only family whose layers may differ in heads
//! and channels. It has no biases and no scaled positions; with them a model is refused.

use std::path::Path;

use serde_json::{Value, json};

use super::ExportError;
use super::files::NewCheckpoint;
use crate::checkpoint::{Checkpoint, Dtype, HostTensor, LayerWeights, Types};
use crate::shape::{ModelConfig, Norm, Part, Projection, beginning_with};

const TARGET: &str = "an mlx-lm folder";
const REMEDY: &str = "make it a plain model with `slimgpt export padded`, which mlx-lm opens as its own family";

/// Whether mlx-lm's OpenELM holds a model.
///
/// # Errors
/// With what the model has that OpenELM lacks.
pub fn check(config: &ModelConfig) -> Result<(), ExportError> {
    if !config.design.is_plain() {
        return Err(ExportError::CannotHold {
            target: TARGET,
            reason: format!("mlx-lm's OpenELM does not compute what a {:?} does", config.family),
            remedy: REMEDY,
        });
    }
    let missing = config.parts().find(|&part| name(part).is_none());
    let reason = match (missing, config.rope.scaling.is_some()) {
        _ if !config.has_whole_layers() => {
            "some of its layers have no attention or no feed-forward part, and mlx-lm's OpenELM builds both".into()
        }
        (Some(Part::Bias(_)), _) => "it has biases, and mlx-lm's OpenELM has none".into(),
        (Some(part), _) => format!("it has {part}, and mlx-lm's OpenELM has no place for it"),
        (_, true) => "its rotary positions are scaled as LLaMA 3.1's, and mlx-lm's OpenELM has no scaling".into(),
        _ => return Ok(()),
    };
    Err(ExportError::CannotHold { target: TARGET, reason, remedy: REMEDY })
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
    let (config, types) = (checkpoint.config(), checkpoint.types(None));
    // Before anything is written.
    check(config)?;
    let mut folder = NewCheckpoint::begin(checkpoint, out, overwrite)?;
    let outer = checkpoint.outer()?;
    let mut named = vec![
        ("transformer.token_embeddings.weight".to_owned(), &outer.embedding, types.embedding()),
        ("transformer.norm.weight".to_owned(), &outer.final_norm, types.final_norm()),
    ];
    named.extend(outer.head.as_ref().map(|head| ("lm_head.weight".to_owned(), head, types.head())));
    folder.tensors(&named)?;
    for i in 0..config.layers.len() {
        let tensors = layer(i, config, &checkpoint.layer(i)?, &types);
        let named: Vec<_> = tensors.iter().map(|(name, tensor, dtype)| (name.clone(), tensor, *dtype)).collect();
        folder.tensors(&named)?;
        on_layer(i + 1, config.layers.len());
    }
    folder.write(
        "config.json",
        format!("{:#}\n", mlx_config(config, checkpoint.raw_config(), types.bulk())).as_bytes(),
    )?;
    folder.finish()
}

/// OpenELM's name of a part, or of the matrix that it is fused into; `None` where it has no place
/// for it.
fn name(part: Part) -> Option<&'static str> {
    Some(match part {
        Part::Norm(Norm::Input) => "attn_norm",
        Part::Weight(Projection::Q | Projection::K | Projection::V) => "attn.qkv_proj",
        Part::Norm(Norm::Query) => "attn.q_norm",
        Part::Norm(Norm::Key) => "attn.k_norm",
        Part::Weight(Projection::O) => "attn.out_proj",
        Part::Norm(Norm::PostAttention) => "ffn_norm",
        Part::Weight(Projection::Gate | Projection::Up) => "ffn.proj_1",
        Part::Weight(Projection::Down) => "ffn.proj_2",
        _ => return None,
    })
}

/// The tensors of layer `i` under OpenELM's names.
fn layer(i: usize, config: &ModelConfig, layer: &LayerWeights, types: &Types) -> Vec<(String, HostTensor, Dtype)> {
    let tensor = |part| {
        let parts = beginning_with(part, [Projection::QKV, Projection::GATE_UP]);
        let name = format!("transformer.layers.{i}.{}.weight", name(*parts.first()?)?);
        // One tensor has one type: the widest, or what was stored more exactly would be rounded.
        Some((name, HostTensor::of_parts(&parts, layer), types.widest(i, &parts)?))
    };
    config.parts().filter_map(tensor).collect()
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
