//! A GGUF file as a checkpoint: its keys as a config.json, its tensors under the names and in the order of
//! rows that the model is computed with.

mod config;

use std::collections::HashMap;

use serde_json::Value;

use super::config::parse_config;
use super::names::{EMBEDDING, FINAL_NORM, HEAD, in_layer};
use super::shard::{Bytes, Entry, Shard};
use super::{Element, ReadError};
use crate::gguf::{Arch, GgufError, Header, TensorInfo, key};
use crate::quant::dequantise;
use crate::shape::ModelConfig;

/// Most rotary frequencies: half of the widest head that is read.
const MOST_DIVISORS: usize = 1 << 16;

/// The config.json that the file `path` stands for, and its tensors, with those of the files beside it where the
/// model was split.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn open_path(path: &std::path::Path) -> Result<(Value, Vec<Shard>), ReadError> {
    let map = |path: &std::path::Path| -> Result<(String, Bytes), ReadError> {
        let bytes = Bytes::map(path).map_err(crate::disk::DiskError::at("read", path))?;
        Ok((path.display().to_string(), bytes))
    };
    open(map(path)?, || crate::gguf::parts(path).iter().skip(1).map(|path| map(path)).collect())
}

/// The config.json that a file with this name for messages stands for, and its tensors. `others` has the further
/// files of a model that was split.
pub(super) fn open(
    first: (String, Bytes),
    others: impl FnOnce() -> Result<Vec<(String, Bytes)>, ReadError>,
) -> Result<(Value, Vec<Shard>), ReadError> {
    let (header, files) = whole(first, others)?;
    let file = &files[0].0;
    let wrong = |reason: GgufError| refused(file, &reason);
    let arch = config::arch(&header).map_err(wrong)?;
    let divisors = divisors(&header, arch, &files).map_err(wrong)?;
    let raw = config::config(&header, arch, divisors.as_deref()).map_err(wrong)?;
    let config = parse_config(&raw).map_err(|error| match error {
        ReadError::Config(what) => {
            ReadError::Gguf { file: file.clone(), reason: format!("said as a config.json, {what}") }
        }
        other => other,
    })?;
    let entries = entries(&header, arch, &config, files.len()).map_err(wrong)?;
    let shards = files.into_iter().zip(entries).map(|((file, bytes), entries)| Shard::of(file, bytes, entries));
    Ok((raw, shards.collect()))
}

fn refused(file: &str, reason: &GgufError) -> ReadError {
    ReadError::Gguf { file: file.to_owned(), reason: reason.to_string() }
}

/// The header of a whole model, and all its files.
fn whole(
    first: (String, Bytes),
    others: impl FnOnce() -> Result<Vec<(String, Bytes)>, ReadError>,
) -> Result<(Header, Vec<(String, Bytes)>), ReadError> {
    let read = |(file, bytes): &(String, Bytes)| {
        Header::read(bytes.as_ref(), bytes.as_ref().len() as u64).map_err(|reason| refused(file, &reason))
    };
    let header = read(&first)?;
    let count = header.parts().map_err(|reason| refused(&first.0, &reason))?;
    let mut files = vec![first];
    if count == 1 {
        return Ok((header, files));
    }
    files.extend(others()?);
    // A file that is missing would be told as the first of its tensors.
    if files.len() as u64 != count {
        return Err(refused(&files[0].0, &GgufError::Split(count)));
    }
    let rest = files[1..].iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok((header.join(rest).map_err(|reason| refused(&files[0].0, &reason))?, files))
}

/// By what the rotary frequencies are divided, where the architecture divides any.
fn divisors(header: &Header, arch: Arch, files: &[(String, Bytes)]) -> Result<Option<Vec<f32>>, GgufError> {
    let Some(info) = header.tensor(key::tensor::DIVISORS).filter(|_| arch.pairs_lie_side_by_side()) else {
        return Ok(None);
    };
    // Before they are made numbers: a stranger's tensor may be of any size.
    match info.shape.iter().product::<usize>() <= MOST_DIVISORS {
        true => {
            let (_, bytes) = &files[info.part];
            Ok(Some(dequantise(info.kind, &bytes.as_ref()[info.begin..info.begin + info.bytes])))
        }
        false => Err(GgufError::tensor(&info.name, format!("has the sizes {:?}, not half of a head's", info.shape))),
    }
}

/// Where the model's tensors stand in each of `files` files, under the names by which they are read. What is no part
/// of the model keeps its name, by which it is refused.
fn entries(
    header: &Header,
    arch: Arch,
    config: &ModelConfig,
    files: usize,
) -> Result<Vec<Vec<(String, Entry)>>, GgufError> {
    let mut inside = inside(arch, config);
    let mut all = vec![Vec::new(); files];
    let read = header.tensors().iter().filter(|t| t.name != key::tensor::DIVISORS || !arch.pairs_lie_side_by_side());
    for info in read {
        let outer = match &*info.name {
            key::tensor::EMBEDDING => EMBEDDING,
            key::tensor::FINAL_NORM => FINAL_NORM,
            key::tensor::HEAD => HEAD,
            // A name that belongs nowhere is told with its file where all tensors are held to what is expected.
            own => own,
        };
        match inside.remove(&*info.name) {
            None => all[info.part].push((outer.to_owned(), entry(info, 0, info.shape[0], None))),
            Some(parts) => all[info.part].extend(within(info, &parts, config.head_dim)?),
        }
    }
    Ok(all)
}

/// A part of the model that stands in a tensor of the file.
struct Within {
    /// Its name.
    name: String,
    rows: usize,
    /// Whether its rows stand in another order.
    is_reordered: bool,
}

/// What stands in each tensor of the layers, by the tensor's name in the file.
fn inside(arch: Arch, config: &ModelConfig) -> HashMap<String, Vec<Within>> {
    let mut inside: HashMap<String, Vec<Within>> = HashMap::new();
    for (i, &layer) in config.layers.iter().enumerate() {
        for part in config.parts_of(layer) {
            let Some(tensor) = arch.tensor_in_layer(i, part) else { continue };
            let rows = part.shape(config, layer)[0];
            let within = Within { name: in_layer(i, part), rows, is_reordered: arch.reorders(part) };
            inside.entry(tensor).or_default().push(within);
        }
    }
    inside
}

/// The parts of a tensor, which lie under one another.
fn within(info: &TensorInfo, parts: &[Within], head_dim: usize) -> Result<Vec<(String, Entry)>, GgufError> {
    let wanted: usize = parts.iter().map(|part| part.rows).sum();
    if parts.len() > 1 && wanted != info.shape[0] {
        let reason = format!("has {} rows, but what is in it has {wanted} by the keys", info.shape[0]);
        return Err(GgufError::tensor(&info.name, reason));
    }
    let mut first = 0;
    let of = |part: &Within| {
        // A tensor of one part is of the size that it has, and is held to the keys where all are.
        let rows = if parts.len() > 1 { part.rows } else { info.shape[0] };
        let heads_of = part.is_reordered.then_some(head_dim);
        let entry = entry(info, first, rows, heads_of);
        first += rows;
        (part.name.clone(), entry)
    };
    Ok(parts.iter().map(of).collect())
}

/// `rows` rows of a tensor.
fn entry(info: &TensorInfo, first: usize, rows: usize, heads_of: Option<usize>) -> Entry {
    let in_row = info.bytes / info.shape[0];
    let begin = info.begin + first * in_row;
    // Of a vector in blocks, rows are no bytes.
    let end = if rows == info.shape[0] { info.begin + info.bytes } else { begin + rows * in_row };
    let shape = [&[rows], &info.shape[1..]].concat();
    Entry { shape, element: Element::of_blocks(info.kind), begin, end, heads_of }
}
