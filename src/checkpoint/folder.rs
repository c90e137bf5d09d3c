//! A checkpoint's folder: its JSON files, and which files hold the weights. As in transformers,
//! `model.safetensors` goes before an index; where an index names files that are not there, those
//! that are there serve if they hold the whole model. What was chosen among several is noted.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use serde_json::Value;

use super::names::{self, EMBEDDING, HEAD};
use super::shard::{Bytes, Shard};
use super::{HostTensor, ReadError, parse_config};
use crate::disk::{self, DiskError};
use crate::format::{few, without_mark};
use crate::shape::ModelConfig;

/// The file of a model's sizes, which makes a folder a model's.
pub(super) const CONFIG: &str = "config.json";
pub(super) const SINGLE: &str = "model.safetensors";
pub(super) const INDEX: &str = "model.safetensors.index.json";

/// The files that hold the weights.
pub(super) struct Files {
    pub shards: Vec<Shard>,
    /// Why these, where there were others.
    pub note: Option<String>,
}

/// Opens the safetensors files of a folder, and holds them to its index where it has one.
pub(super) fn files(folder: &Path, config: &ModelConfig) -> Result<Files, ReadError> {
    let (single, index) = (folder.join(SINGLE), folder.join(INDEX));
    match (single.exists(), index.exists()) {
        (true, false) => Ok(Files { shards: vec![open_shard(&single)?], note: None }),
        (true, true) => single_or_indexed(folder, &read_json(&index)?, config),
        (false, true) => indexed_or_others(folder, &read_json(&index)?, config),
        (false, false) => {
            let found = others(folder, config).ok_or_else(|| no_weights(folder))?;
            let note = format!("there is neither {SINGLE} nor an index: the weights are taken from {}", listed(&found));
            Ok(Files { shards: found, note: Some(note) })
        }
    }
}

fn single_or_indexed(folder: &Path, index: &Value, config: &ModelConfig) -> Result<Files, ReadError> {
    let single = vec![open_shard(&folder.join(SINGLE))?];
    if is_whole(&single, config) {
        let note =
            format!("{SINGLE} holds the whole model and is taken, as transformers takes it; {INDEX} is not used");
        return Ok(Files { shards: single, note: Some(note) });
    }
    let note = format!("{SINGLE} lacks tensors of this model: the files that {INDEX} names are taken");
    Ok(Files { shards: indexed(folder, index)?, note: Some(note) })
}

fn indexed_or_others(folder: &Path, index: &Value, config: &ModelConfig) -> Result<Files, ReadError> {
    let indexed = indexed(folder, index);
    // An index that contradicts files which are there is of another download than they are.
    let Err(ReadError::NotThere { .. }) = indexed else { return Ok(Files { shards: indexed?, note: None }) };
    match others(folder, config) {
        None => Ok(Files { shards: indexed?, note: None }),
        Some(found) => {
            let note = format!(
                "{INDEX} names files that are not there, but these hold the whole model and are taken: {}",
                listed(&found)
            );
            Ok(Files { shards: found, note: Some(note) })
        }
    }
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
        // The index has names as they stand in the files, which some tools shorten.
        if !shard.is_some_and(|s| s.has(tensor) || s.has(&names::completed(tensor))) {
            return Err(wrong(format!("weight_map puts {tensor} in {file}, but it is not there; download both again")));
        }
    }
    Ok(shards)
}

/// The files of one set, or of all sets together, that hold the whole model by themselves; `None`
/// where there are none, or several sets that do.
fn others(folder: &Path, config: &ModelConfig) -> Option<Vec<Shard>> {
    let mut sets: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in disk::names(folder).ok()?.into_iter().filter(|name| name.ends_with(".safetensors")) {
        sets.entry(set_of(&name)).or_default().push(name);
    }
    let open = |names: &Vec<String>| {
        // A file that cannot be read belongs to no set.
        let shards = names.iter().map(|name| open_shard(&folder.join(name))).collect::<Result<Vec<_>, _>>().ok()?;
        (is_whole(&shards, config) && holds_each_once(&shards)).then_some(shards)
    };
    let mut whole: Vec<_> = sets.values().filter_map(open).collect();
    match whole.len() {
        0 => open(&sets.into_values().flatten().collect()),
        1 => whole.pop(),
        _ => None,
    }
}

/// What the names of shards that belong together have in common: `a-00001-of-00002.safetensors` is
/// of the set `a-of-00002`.
pub(super) fn set_of(name: &str) -> String {
    let stem = name.trim_end_matches(".safetensors");
    let numbered = stem.rsplit_once("-of-").and_then(|(before, total)| Some((before.rsplit_once('-')?.0, total)));
    numbered.map_or_else(|| stem.to_owned(), |(name, total)| format!("{name}-of-{total}"))
}

/// Whether the files have every tensor that config.json asks for, head and embedding in one where
/// they may be tied.
fn is_whole(shards: &[Shard], config: &ModelConfig) -> bool {
    let has = |name: &str| shards.iter().any(|shard| shard.has(name));
    let mut inside = names::all(config).filter(|tensor| tensor.name != HEAD && tensor.name != EMBEDDING);
    (has(EMBEDDING) || has(HEAD)) && inside.all(|tensor| has(&tensor.name))
}

fn holds_each_once(shards: &[Shard]) -> bool {
    let mut names: Vec<&str> = shards.iter().flat_map(Shard::names).collect();
    names.sort_unstable();
    names.windows(2).all(|two| two[0] != two[1])
}

fn listed(shards: &[Shard]) -> String {
    let name = |shard: &Shard| Path::new(&shard.file).file_name().unwrap_or_default().to_string_lossy().into_owned();
    few(&shards.iter().map(name).collect::<Vec<_>>())
}

/// Whether an index, if it is there, names a file.
pub(super) fn is_named_by(index: &Path, file: &str) -> bool {
    let index = read_json(index).unwrap_or_default();
    index["weight_map"].as_object().is_some_and(|map| map.values().any(|named| named == file))
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
        false => Err(ReadError::NotThere { file: file.into(), folder: folder.into() }),
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

/// Every tensor of a safetensors file by its name, in singles.
///
/// # Errors
/// When the file cannot be read or is none, or an element is not finite.
pub(super) fn tensors(path: &Path) -> Result<BTreeMap<String, HostTensor>, ReadError> {
    open_shard(path)?.all()
}

fn open_shard(path: &Path) -> Result<Shard, ReadError> {
    let bytes = Bytes::map(path).map_err(DiskError::at("read", path))?;
    let file = path.display().to_string();
    Shard::open(file.clone(), bytes).map_err(|reason| ReadError::Damaged { file, reason })
}

/// The sizes of the model in a folder, by its config.json alone: its weights need not be there.
///
/// # Errors
/// When config.json cannot be read, or is of a model that is not supported.
pub fn read_config(folder: &Path) -> Result<ModelConfig, ReadError> {
    parse_config(&read_json(&folder.join(CONFIG))?)
}

/// Reads a JSON file.
pub(super) fn read_json(path: &Path) -> Result<Value, ReadError> {
    json_of(path, &disk::read(path)?)
}

/// The JSON in the bytes of the file `path`.
pub(super) fn json_of(path: &Path, bytes: &[u8]) -> Result<Value, ReadError> {
    serde_json::from_slice(without_mark(bytes))
        .map_err(|e| ReadError::Json { path: path.to_owned(), reason: e.to_string() })
}
