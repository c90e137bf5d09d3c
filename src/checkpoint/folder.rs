//! A checkpoint's folder: its JSON files, and which files hold the weights: one, or those that an
//! index names.

use std::path::{Component, Path};

use serde_json::Value;

use super::ReadError;
use super::shard::{Bytes, Shard};
use crate::disk::{self, DiskError};
use crate::format::without_mark;

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Opens the safetensors files of a folder, and holds them to its index where it has one.
pub(super) fn shards(folder: &Path) -> Result<Vec<Shard>, ReadError> {
    let index = folder.join(INDEX);
    if index.exists() {
        return indexed(folder, &read_json(&index)?);
    }
    let single = folder.join(SINGLE);
    if single.exists() { Ok(vec![open_shard(&single)?]) } else { Err(no_weights(folder)) }
}

fn indexed(folder: &Path, index: &Value) -> Result<Vec<Shard>, ReadError> {
    let map = index["weight_map"].as_object().ok_or_else(|| wrong("\"weight_map\" is missing".into()))?;
    let mut files = Vec::new();
    for (tensor, file) in map {
        files.push(file_name(file).ok_or_else(|| {
            wrong(format!("weight_map puts {tensor} in {file}, which is not the name of a file in this folder"))
        })?);
    }
    // Each file once, in an order that does not depend on the tensors' names.
    files.sort_unstable();
    files.dedup();
    let shards = files.iter().map(|file| open_named(folder, file)).collect::<Result<Vec<_>, _>>()?;
    // Files and index may be of two downloads: told now, before anything is computed.
    for (tensor, file) in map {
        let shard = files.iter().position(|f| file == f).map(|i| &shards[i]);
        if !shard.is_some_and(|s| s.names().any(|name| name == tensor)) {
            return Err(wrong(format!("weight_map puts {tensor} in {file}, but it is not there; download both again")));
        }
    }
    Ok(shards)
}

/// A plain name: a path could lead out of the folder.
fn file_name(file: &Value) -> Option<&str> {
    let name = file.as_str()?;
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name).then_some(name)
}

fn open_named(folder: &Path, file: &str) -> Result<Shard, ReadError> {
    let path = folder.join(file);
    match path.exists() {
        true => open_shard(&path),
        false => Err(wrong(format!("weight_map names {file}, which is not in {}; download it", folder.display()))),
    }
}

fn wrong(what: String) -> ReadError {
    ReadError::Index(what)
}

fn no_weights(folder: &Path) -> ReadError {
    let names = disk::names(folder).unwrap_or_default();
    let pickle = names.into_iter().find(|n| [".bin", ".pt", ".pth", ".ckpt"].iter().any(|end| n.ends_with(end)));
    match pickle {
        Some(file) => ReadError::Pickle { folder: folder.to_owned(), file },
        None => ReadError::NoWeights(folder.to_owned()),
    }
}

fn open_shard(path: &Path) -> Result<Shard, ReadError> {
    let bytes = Bytes::map(path).map_err(DiskError::at("read", path))?;
    let file = path.display().to_string();
    Shard::open(file.clone(), bytes).map_err(|reason| ReadError::Damaged { file, reason })
}

/// Reads a JSON file.
pub(super) fn read_json(path: &Path) -> Result<Value, ReadError> {
    serde_json::from_slice(without_mark(&disk::read(path)?))
        .map_err(|e| ReadError::Json { path: path.to_owned(), reason: e.to_string() })
}
