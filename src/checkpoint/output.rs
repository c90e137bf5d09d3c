//! Checkpoints out: a layer to bytes, and layers to shards.

use std::collections::HashMap;
#[cfg(not(target_arch = "wasm32"))]
use std::path::{Path, PathBuf};

use safetensors::tensor::TensorView;
#[cfg(not(target_arch = "wasm32"))]
use serde_json::{Value, json};

use super::names::{self, in_layer};
use super::{CheckpointError, Dtype, HostTensor, LayerWeights, OuterWeights, Projection};
#[cfg(not(target_arch = "wasm32"))]
use crate::disk::{self, DiskError};

/// The safetensors bytes of layer `i`, under the names Hugging Face gives its tensors.
///
/// # Errors
/// When a value does not fit `dtype`.
pub fn layer_bytes(i: usize, layer: &LayerWeights, dtype: Dtype) -> Result<Vec<u8>, CheckpointError> {
    let mut named = vec![
        (in_layer(i, "input_layernorm.weight"), &layer.input_norm),
        (in_layer(i, "post_attention_layernorm.weight"), &layer.post_norm),
    ];
    let projections = [
        ("self_attn.q_proj", &layer.q),
        ("self_attn.k_proj", &layer.k),
        ("self_attn.v_proj", &layer.v),
        ("self_attn.o_proj", &layer.o),
        ("mlp.gate_proj", &layer.gate),
        ("mlp.up_proj", &layer.up),
        ("mlp.down_proj", &layer.down),
    ];
    for (part, projection) in projections {
        named.push((in_layer(i, &format!("{part}.weight")), &projection.weight));
        named.extend(projection.bias.as_ref().map(|b| (in_layer(i, &format!("{part}.bias")), b)));
    }
    for (part, norm) in [("q_norm", &layer.q_norm), ("k_norm", &layer.k_norm)] {
        named.extend(norm.as_ref().map(|n| (in_layer(i, &format!("self_attn.{part}.weight")), n)));
    }
    tensor_bytes(&named, dtype)
}

/// The safetensors bytes of what stands outside the layers.
///
/// # Errors
/// When a value does not fit `dtype`.
pub fn outer_bytes(outer: &OuterWeights, dtype: Dtype) -> Result<Vec<u8>, CheckpointError> {
    let mut named =
        vec![(names::EMBEDDING.to_owned(), &outer.embedding), (names::FINAL_NORM.to_owned(), &outer.final_norm)];
    named.extend(outer.head.as_ref().map(|h| (names::HEAD.to_owned(), h)));
    tensor_bytes(&named, dtype)
}

/// The safetensors bytes of tensors under the names given.
///
/// # Errors
/// When a value does not fit `dtype`.
pub fn tensor_bytes(named: &[(String, &HostTensor)], dtype: Dtype) -> Result<Vec<u8>, CheckpointError> {
    let narrowed: Vec<Vec<u8>> = named.iter().map(|(n, t)| dtype.narrow(n, &t.values)).collect::<Result<_, _>>()?;
    let views = named.iter().zip(&narrowed).map(|((name, tensor), bytes)| {
        TensorView::new(dtype.stored(), tensor.shape.clone(), bytes).map(|view| (name.as_str(), view))
    });
    let damaged =
        |e: safetensors::SafeTensorError| CheckpointError::Damaged { file: "output".into(), reason: e.to_string() };
    let views: Vec<_> = views.collect::<Result<_, _>>().map_err(damaged)?;
    safetensors::serialize(views, metadata()).map_err(damaged)
}

/// transformers refuses files that do not say which framework they are for.
fn metadata() -> Option<HashMap<String, String>> {
    Some(HashMap::from([("format".to_owned(), "pt".to_owned())]))
}

/// Rounds a projection to what `dtype` can hold.
///
/// # Errors
/// When a value does not fit.
pub fn round_projection(name: &str, projection: &mut Projection, dtype: Dtype) -> Result<(), CheckpointError> {
    let tensors = std::iter::once(&mut projection.weight).chain(projection.bias.as_mut());
    for tensor in tensors {
        tensor.values = dtype.widen(&dtype.narrow(name, &tensor.values)?);
    }
    Ok(())
}

/// Rounds a whole layer to what `dtype` can hold, so that it can run as it will be saved.
///
/// # Errors
/// When a value does not fit.
pub fn round_layer(layer: &mut LayerWeights, dtype: Dtype) -> Result<(), CheckpointError> {
    let of_heads = layer.q_norm.iter_mut().chain(&mut layer.k_norm);
    for norm in [&mut layer.input_norm, &mut layer.post_norm].into_iter().chain(of_heads) {
        norm.values = dtype.widen(&dtype.narrow("norm", &norm.values)?);
    }
    let LayerWeights { q, k, v, o, gate, up, down, .. } = layer;
    let projections = [
        ("q_proj", q),
        ("k_proj", k),
        ("v_proj", v),
        ("o_proj", o),
        ("gate_proj", gate),
        ("up_proj", up),
        ("down_proj", down),
    ];
    projections.into_iter().try_for_each(|(name, p)| round_projection(name, p, dtype))
}

/// Reads a JSON file.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn read_json(path: &Path) -> Result<Value, CheckpointError> {
    let reason = |e: serde_json::Error| CheckpointError::NotJson { path: path.to_owned(), reason: e.to_string() };
    serde_json::from_slice(&disk::read(path)?).map_err(reason)
}

/// Joins whole safetensors files into the shards of a folder in the making: `model.safetensors`, or numbered
/// shards of at most `shard_bytes` with an index.
///
/// # Errors
/// When a part cannot be read or the folder cannot be written.
#[cfg(not(target_arch = "wasm32"))]
pub fn assemble(parts: &[PathBuf], folder: &Path, shard_bytes: usize) -> Result<(), CheckpointError> {
    let parts = parts.iter().map(|p| super::folder::map_shard(p)).collect::<Result<Vec<_>, _>>()?;
    let mut shards: Vec<Vec<(&str, TensorView<'_>)>> = vec![Vec::new()];
    let mut filled = 0;
    for part in &parts {
        let mut names: Vec<&str> = part.names().collect();
        names.sort_unstable();
        for name in names {
            let Some((dtype, shape, bytes)) = part.raw(name) else { continue };
            if filled + bytes.len() > shard_bytes && filled > 0 {
                shards.push(Vec::new());
                filled = 0;
            }
            filled += bytes.len();
            let view = TensorView::new(dtype, shape, bytes)
                .map_err(|e| CheckpointError::Damaged { file: part.file.clone(), reason: e.to_string() })?;
            shards.last_mut().into_iter().for_each(|s| s.push((name, view.clone())));
        }
    }
    write_shards(&shards, folder)
}

#[cfg(not(target_arch = "wasm32"))]
fn write_shards(shards: &[Vec<(&str, TensorView<'_>)>], folder: &Path) -> Result<(), CheckpointError> {
    let file_name = |i: usize| match shards.len() {
        1 => "model.safetensors".to_owned(),
        n => format!("model-{:05}-of-{n:05}.safetensors", i + 1),
    };
    let mut weight_map = serde_json::Map::new();
    let mut total = 0;
    for (i, shard) in shards.iter().enumerate() {
        let path = folder.join(file_name(i));
        let views = shard.iter().map(|(n, v)| (*n, v.clone()));
        disk::write_with(&path, |path| {
            safetensors::serialize_to_file(views, metadata(), path).map_err(|e| match e {
                safetensors::SafeTensorError::IoError(e) => DiskError::at("written", path)(e).into(),
                other => CheckpointError::Damaged { file: path.display().to_string(), reason: other.to_string() },
            })
        })?;
        total += shard.iter().map(|(_, v)| v.data().len()).sum::<usize>();
        weight_map.extend(shard.iter().map(|(name, _)| ((*name).to_owned(), json!(file_name(i)))));
    }
    if shards.len() > 1 {
        let index = json!({ "metadata": { "total_size": total }, "weight_map": weight_map });
        disk::put(&folder.join("model.safetensors.index.json"), format!("{index:#}\n").as_bytes())?;
    }
    Ok(())
}
