//! An opened checkpoint: every tensor is checked by its header before anything is read.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::head::Head;
use super::names::{self, Expected, Stored};
use super::shard::{Bytes, Shard};
use super::{Dtype, Element, HostTensor, LayerWeights, OuterWeights, ReadError, TypeShare, Types, parse_config};
use crate::format::{small_percent, without_mark};
use crate::shape::{LayerShape, ModelConfig};

/// A checkpoint, dense or pruned by us.
#[derive(Clone)]
pub struct Checkpoint {
    config: ModelConfig,
    raw_config: Value,
    // Shared by clones, which read the same files.
    shards: Arc<[Shard]>,
    shard_of: HashMap<String, usize>,
    place: Option<PathBuf>,
    types: Types,
    notes: Vec<String>,
    #[cfg(not(target_arch = "wasm32"))]
    adapters: Vec<Arc<super::Adapter>>,
}

impl Checkpoint {
    /// Opens a Hugging Face folder, or a GGUF file.
    ///
    /// # Errors
    /// When a file is missing or damaged, or a tensor is not what config.json, or the file's keys, say.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open(model: &Path) -> Result<Self, ReadError> {
        if crate::beside::is_file(model) { Self::open_file(model) } else { Self::open_folder(model) }
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn open_file(file: &Path) -> Result<Self, ReadError> {
        let (raw, shards) = super::gguf::open_path(file)?;
        Self::from_shards(raw, shards, Some(file.to_owned()))
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn open_folder(folder: &Path) -> Result<Self, ReadError> {
        let raw = super::folder::read_json(&folder.join(super::folder::CONFIG))?;
        let super::folder::Files { shards, note } = super::folder::files(folder, &parse_config(&raw)?)?;
        let mut opened = Self::from_shards(raw, shards, Some(folder.to_owned()))?;
        opened.notes.extend(note);
        Ok(opened)
    }

    /// A model of which there is config.json alone, for whoever needs no more than its sizes: every tensor that is
    /// asked of it is missing.
    ///
    /// # Errors
    /// When config.json is missing, or of no model that is known.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn without_weights(folder: &Path) -> Result<Self, ReadError> {
        let raw_config = super::folder::read_json(&folder.join(super::folder::CONFIG))?;
        let config = parse_config(&raw_config)?;
        Ok(Self {
            config,
            raw_config,
            shards: Arc::new([]),
            shard_of: HashMap::new(),
            place: Some(folder.to_owned()),
            types: Types::all(Dtype::F32),
            notes: vec!["its weights are not there: the sizes are those of config.json".into()],
            adapters: Vec::new(),
        })
    }

    /// Whether there are weights, and not only their sizes.
    pub fn has_weights(&self) -> bool {
        !self.shards.is_empty()
    }

    /// The same with the adapter in `folder` added to what is read.
    ///
    /// # Errors
    /// When the adapter cannot be read, or is for another model.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn with_adapter(self, folder: &Path) -> Result<Self, ReadError> {
        let adapter = super::Adapter::open(folder, &self.config)?;
        Ok(self.with(adapter))
    }

    /// The same with one more adapter added to what is read.
    #[cfg(not(target_arch = "wasm32"))]
    #[must_use]
    pub fn with(mut self, adapter: super::Adapter) -> Self {
        self.adapters.push(Arc::new(adapter));
        self
    }

    /// The folder of the adapter that is added to what is read, if there is one.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn adapter(&self) -> Option<&Path> {
        self.adapters.iter().find_map(|adapter| adapter.folder())
    }

    /// Opens a checkpoint of one safetensors file that is in memory.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn from_bytes(config_json: &[u8], safetensors: impl Into<Cow<'static, [u8]>>) -> Result<Self, ReadError> {
        let raw = serde_json::from_slice(without_mark(config_json))
            .map_err(|e| ReadError::Config(format!("not JSON: {e}")))?;
        let file = "model.safetensors";
        let shard = Shard::open(file.into(), Bytes::Held(safetensors.into()))
            .map_err(|reason| ReadError::Damaged { file: file.into(), reason })?;
        Self::from_shards(raw, vec![shard], None)
    }

    /// Opens a GGUF file that is in memory.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn from_gguf(bytes: impl Into<Cow<'static, [u8]>>) -> Result<Self, ReadError> {
        let (raw, shards) = super::gguf::open(("model.gguf".into(), Bytes::Held(bytes.into())), || Ok(Vec::new()))?;
        Self::from_shards(raw, shards, None)
    }

    fn from_shards(raw_config: Value, mut shards: Vec<Shard>, place: Option<PathBuf>) -> Result<Self, ReadError> {
        let mut config = parse_config(&raw_config)?;
        let Head { tied, note } = Head::find(&raw_config, &mut shards);
        // What is stored decides, not config.json's flag.
        config.tied_head = tied;
        let shard_of = shard_of(&shards)?;
        let left_over = is_quantised(&raw_config).then(|| {
            "config.json has a quantization_config, but the weights are plain: they are read as they are".to_owned()
        });
        let notes = note.into_iter().chain(left_over).chain(pad_beyond(&raw_config, &config)).collect();
        let types = Types::all(Dtype::F32);
        let mut opened = Self {
            config,
            raw_config,
            shards: shards.into(),
            shard_of,
            place,
            types,
            notes,
            #[cfg(not(target_arch = "wasm32"))]
            adapters: Vec::new(),
        };
        opened.check().map_err(|error| opened.refusal(error))?;
        // Only now is every tensor known to be there, in a type that is read.
        opened.types = opened.stored_types();
        Ok(opened)
    }

    fn check(&self) -> Result<(), ReadError> {
        let mut expected = HashSet::new();
        let mut refused: Vec<(String, ReadError)> = Vec::new();
        for tensor in names::all(&self.config) {
            let wrong = self.shard(&tensor).and_then(|shard| shard.check(&tensor)).err();
            refused.extend(wrong.map(|wrong| (tensor.name.clone(), wrong)));
            expected.insert(tensor.name);
        }
        let mut left: Vec<_> = self.shard_of.iter().filter(|(name, _)| !expected.contains(*name)).collect();
        // A hash map's order differs from run to run; the tensor that is told must not.
        left.sort();
        // A tensor without elements says nothing: other programs write such for a half that a layer lacks.
        let unknown = left
            .into_iter()
            .filter(|&(name, &i)| !names::is_superfluous(&self.config, name) && !self.shards[i].is_empty(name));
        refused.extend(unknown.map(|(name, &i)| {
            let (file, tensor) = (self.shards[i].file.clone(), name.clone());
            (name.clone(), ReadError::UnknownTensor { file, tensor })
        }));
        all_refused(refused)
    }

    /// Tensors that are not as expected, where config.json says that they are quantised.
    fn refusal(&self, error: ReadError) -> ReadError {
        if is_quantised(&self.raw_config) { ReadError::Quantised(error.to_string()) } else { error }
    }

    /// The numbers of config.json.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// config.json as it stands.
    pub fn raw_config(&self) -> &Value {
        &self.raw_config
    }

    /// The element type of most of the weights, taken as the checkpoint's; of quantised ones f16.
    pub fn dtype(&self) -> Dtype {
        self.types.bulk()
    }

    /// The element type in which each tensor is written: as `asked` for all, else its own; f16 where it is
    /// quantised.
    pub fn types(&self, asked: Option<Dtype>) -> Types {
        asked.map_or_else(|| self.types.clone(), Types::all)
    }

    /// Whether something is added to what is stored; on a page nothing is.
    pub(super) fn is_added_to(&self) -> bool {
        #[cfg(not(target_arch = "wasm32"))]
        {
            !self.adapters.is_empty()
        }
        #[cfg(target_arch = "wasm32")]
        {
            false
        }
    }

    fn stored_types(&self) -> Types {
        let outer = [names::embedding(&self.config), names::final_norm(&self.config)];
        let outer = outer.into_iter().chain(names::head(&self.config)).map(|own| (own.name.clone(), Stored::from(own)));
        let inside = (0..self.config.layers.len()).flat_map(move |i| {
            let named = move |part| (names::in_layer(i, part), names::stored(&self.config, i, part));
            self.config.parts_of(self.config.layers[i]).map(named)
        });
        let tensors = outer.chain(inside).map(|(name, stored): (String, Stored)| {
            let dtype = self.element(&stored.tensor).map_or(Dtype::F32, Element::written_as);
            (name, dtype, stored.shape.iter().product())
        });
        Types::of_tensors(&tensors.collect::<Vec<_>>())
    }

    /// How a tensor is stored that was found.
    pub(super) fn element(&self, tensor: &Expected) -> Option<Element> {
        self.shard(tensor).ok().and_then(|shard| shard.element(&tensor.name))
    }

    /// Bytes of what is stored of a tensor.
    fn stored_bytes(&self, stored: &Stored) -> usize {
        let element = self.element(&stored.tensor);
        element.and_then(|element| element.bytes_of(stored.shape.iter().product())).unwrap_or_default()
    }

    /// Bytes of all tensors as stored.
    pub fn bytes(&self) -> u64 {
        names::all(&self.config).map(|tensor| self.stored_bytes(&tensor.into()) as u64).sum()
    }

    /// How much of the model is stored in which type, most elements first.
    pub fn stored_in(&self) -> Vec<TypeShare> {
        let mut shares: Vec<TypeShare> = Vec::new();
        for tensor in names::all(&self.config) {
            let Some(element) = self.element(&tensor) else { continue };
            let (name, elements) = (element.to_string(), tensor.shape.iter().product::<usize>());
            let bytes = element.bytes_of(elements).unwrap_or_default() as u64;
            match shares.iter_mut().find(|share| share.name == name) {
                None => shares.push(TypeShare { name, tensors: 1, elements, bytes }),
                Some(share) => {
                    (share.tensors, share.elements, share.bytes) =
                        (share.tensors + 1, share.elements + elements, share.bytes + bytes);
                }
            }
        }
        shares.sort_by(|a, b| b.elements.cmp(&a.elements).then_with(|| a.name.cmp(&b.name)));
        shares
    }

    /// In which types a quantised model is stored, in words; `None` where it is not quantised.
    pub fn quantisation(&self) -> Option<String> {
        let is_quantised = |tensor| matches!(self.element(&tensor), Some(Element::Blocks(_)));
        if !names::all(&self.config).any(is_quantised) {
            return None;
        }
        let shares = self.stored_in();
        let all: usize = shares.iter().map(|share| share.elements).sum();
        let of = |share: &TypeShare| format!("{} ({})", share.name, small_percent(share.elements as f64 / all as f64));
        Some(shares.iter().map(of).collect::<Vec<_>>().join(", "))
    }

    /// What a person should know of how the folder was read, a sentence each: where its files
    /// contradict each other, and which was taken.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The folder that it was opened from, or the GGUF file; [`crate::beside`] reads from either.
    pub fn folder(&self) -> Option<&Path> {
        self.place.as_deref()
    }

    /// Bytes of all tensors of layer `i` as stored.
    pub fn layer_bytes(&self, i: usize) -> usize {
        let parts = self.config.parts_of(self.config.layers[i]);
        parts.map(|part| self.stored_bytes(&names::stored(&self.config, i, part))).sum()
    }

    /// The weights of layer `i`.
    ///
    /// # Errors
    /// When a weight is not finite.
    pub fn layer(&self, i: usize) -> Result<LayerWeights, ReadError> {
        let read = |part| Ok((part, self.read(names::stored(&self.config, i, part))?));
        let weights = self.config.parts_of(self.config.layers[i]).map(read).collect::<Result<_, ReadError>>()?;
        #[cfg(not(target_arch = "wasm32"))]
        let weights = self.adapters.iter().fold(weights, |weights, adapter| adapter.merged(i, weights));
        Ok(weights)
    }

    /// The weights outside the layers.
    ///
    /// # Errors
    /// When a weight is not finite.
    pub fn outer(&self) -> Result<OuterWeights, ReadError> {
        let mut head = names::head(&self.config).map(|head| self.read(head)).transpose()?;
        if names::has_normed_head(&self.config) {
            // Once, on read: written so, it computes the same in LLaMA's class, which norms nothing.
            head.iter_mut().for_each(HostTensor::norm_rows);
        }
        Ok(OuterWeights {
            embedding: self.read(names::embedding(&self.config))?,
            final_norm: self.read(names::final_norm(&self.config))?,
            head,
        })
    }

    pub(super) fn read(&self, wanted: impl Into<Stored>) -> Result<HostTensor, ReadError> {
        let wanted = wanted.into();
        self.shard(&wanted.tensor)?.read(&wanted)
    }

    pub(super) fn shard(&self, expected: &Expected) -> Result<&Shard, ReadError> {
        let at = self.shard_of.get(&expected.name);
        at.map(|&i| &self.shards[i]).ok_or_else(|| ReadError::MissingTensor { tensor: expected.name.clone() })
    }
}

/// One error for all tensors that are refused: the first says why, of the others only the names are said.
fn all_refused(refused: Vec<(String, ReadError)>) -> Result<(), ReadError> {
    let (tensors, mut errors): (Vec<String>, Vec<ReadError>) = refused.into_iter().unzip();
    match errors.len() {
        0 => Ok(()),
        1 => Err(errors.remove(0)),
        _ => Err(ReadError::Several { first: Box::new(errors.remove(0)), tensors }),
    }
}

/// Whether config.json says that the weights are quantised; it may be left over from a tool.
fn is_quantised(config: &Value) -> bool {
    config["quantization_config"].is_object()
}

/// A padding token without an embedding: it is not needed here, but others look it up when they open a model.
fn pad_beyond(raw: &Value, config: &ModelConfig) -> Option<String> {
    let pad = raw["pad_token_id"].as_u64().filter(|&pad| pad >= config.vocab_size as u64)?;
    Some(format!(
        "config.json has pad_token_id {pad}, but there are {} embeddings: transformers does not open that; give it a \
         token that there is, or null",
        config.vocab_size
    ))
}

/// Which file has each tensor.
fn shard_of(shards: &[Shard]) -> Result<HashMap<String, usize>, ReadError> {
    let mut found: HashMap<String, usize> = HashMap::new();
    for (i, shard) in shards.iter().enumerate() {
        for name in shard.names() {
            let first = found.insert(name.to_owned(), i).map(|first| &shards[first]);
            if let Some(first) = first.filter(|first| !first.is_same(name, shard, name)) {
                let (first, second) = (first.file.clone(), shard.file.clone());
                return Err(ReadError::Twice { tensor: name.into(), first, second });
            }
        }
    }
    Ok(found)
}

/// Reads layer `i` of the sizes `shape` back from what [`encode_layer`](super::encode_layer) made of it.
///
/// # Errors
/// When the bytes are no such layer, or a weight is not finite.
pub fn decode_layer(
    i: usize,
    bytes: Vec<u8>,
    config: &ModelConfig,
    shape: LayerShape,
) -> Result<LayerWeights, ReadError> {
    let shard = Shard::open(format!("stored layer {i}"), Bytes::Held(bytes.into()))
        .map_err(|reason| ReadError::StoredLayer { layer: i, reason })?;
    let read = |part| Ok((part, shard.read(&names::written(config, i, part, shape))?));
    config.parts_of(shape).map(read).collect()
}

/// Reads the tensors back that [`encode_tensors`](super::encode_tensors) made a file of; `what` they are is for messages.
///
/// # Errors
/// When the bytes are no such file, or a number is not finite.
pub fn decode_tensors(what: &str, bytes: Vec<u8>) -> Result<std::collections::BTreeMap<String, HostTensor>, ReadError> {
    let shard = Shard::open(what.into(), Bytes::Held(bytes.into()))
        .map_err(|reason| ReadError::Damaged { file: what.into(), reason })?;
    shard.all()
}
