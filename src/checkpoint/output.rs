//! Checkpoints out: a layer to bytes, and layers to shards.

use std::borrow::{Borrow, Cow};
use std::collections::HashMap;
#[cfg(not(target_arch = "wasm32"))]
use std::path::{Path, PathBuf};

use safetensors::tensor::TensorView;
#[cfg(not(target_arch = "wasm32"))]
use serde_json::json;

use super::names::{self, in_layer};
#[cfg(not(target_arch = "wasm32"))]
use super::shard::{Bytes, Shard};
use super::{Dtype, HostTensor, LayerWeights, OuterWeights, Types, WriteError};
#[cfg(not(target_arch = "wasm32"))]
use crate::disk::{self, DiskError};
use crate::shape::{Family, Part, beginning_with};

/// The safetensors bytes of layer `i` of a model of this family, under the names Hugging Face gives its
/// tensors, and fused where those are.
///
/// # Errors
/// When a value does not fit its type.
pub fn encode_layer(i: usize, layer: &LayerWeights, family: Family, types: &Types) -> Result<Vec<u8>, WriteError> {
    encode(&layer_tensors(i, layer, family, types))
}

/// The safetensors bytes of what stands outside the layers.
///
/// # Errors
/// When a value does not fit its type.
pub fn encode_outer(outer: &OuterWeights, types: &Types) -> Result<Vec<u8>, WriteError> {
    encode(&outer_tensors(outer, types))
}

/// The safetensors bytes of a whole model: what a folder has as `model.safetensors`.
///
/// # Errors
/// When a value does not fit its type.
pub fn encode_model<'a>(
    layers: impl IntoIterator<Item = &'a LayerWeights>,
    outer: &'a OuterWeights,
    family: Family,
    types: &Types,
) -> Result<Vec<u8>, WriteError> {
    let layers = layers.into_iter().enumerate().flat_map(|(i, layer)| layer_tensors(i, layer, family, types));
    encode(&outer_tensors(outer, types).into_iter().chain(layers).collect::<Vec<_>>())
}

/// A tensor under its name, and the type it is stored in.
type Named<T> = (String, T, Dtype);

fn layer_tensors<'a>(
    i: usize,
    layer: &'a LayerWeights,
    family: Family,
    types: &Types,
) -> Vec<Named<Cow<'a, HostTensor>>> {
    let fused = family.written().fused();
    let beginning = |(part, tensor): (Part, &'a HostTensor)| {
        let parts = beginning_with(part, fused.iter().map(|fused| fused.projections));
        let dtype = types.widest(i, &parts)?;
        match &parts[..] {
            [_] => Some((in_layer(i, part), Cow::Borrowed(tensor), dtype)),
            _ => {
                let name = fused.iter().find(|fused| parts[0] == Part::Weight(fused.projections[0]))?.name;
                Some((in_layer(i, name), Cow::Owned(HostTensor::of_parts(&parts, layer)), dtype))
            }
        }
    };
    layer.iter().filter_map(beginning).collect()
}

fn outer_tensors<'a>(outer: &'a OuterWeights, types: &Types) -> Vec<Named<Cow<'a, HostTensor>>> {
    let mut named = vec![(names::EMBEDDING, &outer.embedding), (names::FINAL_NORM, &outer.final_norm)];
    named.extend(outer.head.as_ref().map(|h| (names::HEAD, h)));
    named.into_iter().map(|(name, tensor)| (name.to_owned(), Cow::Borrowed(tensor), types.named(name))).collect()
}

/// The safetensors bytes of tensors under the names given, each in its type.
///
/// # Errors
/// When a value does not fit its type.
pub fn encode_tensors(named: &[Named<&HostTensor>]) -> Result<Vec<u8>, WriteError> {
    encode(named)
}

fn encode<T: Borrow<HostTensor>>(named: &[Named<T>]) -> Result<Vec<u8>, WriteError> {
    let narrowed: Vec<Cow<'_, [u8]>> = named.iter().map(narrowed).collect::<Result<_, _>>()?;
    let views = named.iter().zip(&narrowed).map(|((name, tensor, dtype), bytes)| {
        let tensor: &HostTensor = tensor.borrow();
        TensorView::new(dtype.stored(), tensor.shape.clone(), bytes).map(|view| (name.as_str(), view))
    });
    let refused = |e: safetensors::SafeTensorError| WriteError::Format(e.to_string());
    let views: Vec<_> = views.collect::<Result<_, _>>().map_err(refused)?;
    safetensors::serialize(views, metadata()).map_err(refused)
}

/// The bytes of a tensor in its type.
fn narrowed<T: Borrow<HostTensor>>((name, tensor, dtype): &Named<T>) -> Result<Cow<'_, [u8]>, WriteError> {
    let tensor: &HostTensor = tensor.borrow();
    match dtype {
        // As they stand in memory: a copy would be as large as the layer.
        Dtype::F32 if cfg!(target_endian = "little") => Ok(Cow::Borrowed(bytemuck::cast_slice(&tensor.values))),
        _ => dtype.narrow(name, &tensor.values).map(Cow::Owned),
    }
}

/// transformers refuses files that do not say which framework they are for.
fn metadata() -> Option<HashMap<String, String>> {
    Some(HashMap::from([("format".to_owned(), "pt".to_owned())]))
}

/// Larger checkpoints are cut into shards of at most this size: what Hugging Face's own tools write.
#[cfg(not(target_arch = "wasm32"))]
pub const SHARD_BYTES: usize = 5_000_000_000;

/// Joins whole safetensors files into the shards of a folder: `model.safetensors`, or numbered
/// shards of at most `shard_bytes` with an index.
///
/// # Errors
/// When a part cannot be read or the folder cannot be written.
#[cfg(not(target_arch = "wasm32"))]
pub fn assemble(parts: &[PathBuf], folder: &Path, shard_bytes: usize) -> Result<(), WriteError> {
    let parts = parts.iter().map(|p| open_part(p)).collect::<Result<Vec<_>, _>>()?;
    let mut shards: Vec<Vec<(&str, TensorView<'_>)>> = vec![Vec::new()];
    let mut filled = 0;
    for part in &parts {
        let mut names: Vec<&str> = part.names().collect();
        // The format's reader gives them in a hash map's order, and equal runs must write equal files.
        names.sort_unstable();
        for name in names {
            let damaged = || WriteError::Format(format!("{}: {name} is of no type that is written", part.file));
            let (dtype, shape, bytes) = part.plain(name).ok_or_else(damaged)?;
            // A tensor larger than a shard gets one to itself.
            if filled + bytes.len() > shard_bytes && filled > 0 {
                shards.push(Vec::new());
                filled = 0;
            }
            filled += bytes.len();
            let view = TensorView::new(dtype.stored(), shape, bytes)
                .map_err(|e| WriteError::Format(format!("{}: {e}", part.file)))?;
            shards.last_mut().into_iter().for_each(|s| s.push((name, view.clone())));
        }
    }
    write_shards(&shards, folder)
}

#[cfg(not(target_arch = "wasm32"))]
fn open_part(path: &Path) -> Result<Shard, WriteError> {
    let damaged = |reason| WriteError::StoredPart { path: path.to_owned(), reason };
    let bytes = Bytes::map(path).map_err(DiskError::at("read", path))?;
    Shard::open(path.display().to_string(), bytes).map_err(damaged)
}

#[cfg(not(target_arch = "wasm32"))]
fn write_shards(shards: &[Vec<(&str, TensorView<'_>)>], folder: &Path) -> Result<(), WriteError> {
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
                other => WriteError::Format(format!("{}: {other}", path.display())),
            })
        })?;
        total += shard.iter().map(|(_, v)| v.data().len()).sum::<usize>();
        weight_map.extend(shard.iter().map(|(name, _)| ((*name).to_owned(), json!(file_name(i)))));
    }
    // A single file is found by its name and needs no index.
    if shards.len() > 1 {
        let index = json!({ "metadata": { "total_size": total }, "weight_map": weight_map });
        disk::put(&folder.join("model.safetensors.index.json"), format!("{index:#}\n").as_bytes())?;
    }
    Ok(())
}
