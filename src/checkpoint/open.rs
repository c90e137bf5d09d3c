//! An opened checkpoint: every tensor is checked by its header before anything is read.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::names::{self, Expected, in_layer};
use super::shard::{Bytes, Shard};
use super::{CheckpointError, Dtype, HostTensor, LayerWeights, OuterWeights, Projection, parse_config};
use crate::shape::{LayerShape, ModelConfig};

/// A checkpoint, dense or pruned by us.
pub struct Checkpoint {
    config: ModelConfig,
    raw_config: Value,
    shards: Vec<Shard>,
    shard_of: HashMap<String, usize>,
    folder: Option<PathBuf>,
    dtype: Dtype,
}

impl Checkpoint {
    /// Opens a Hugging Face folder.
    ///
    /// # Errors
    /// When a file is missing or damaged, or a tensor is not what config.json says.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open(folder: &Path) -> Result<Self, CheckpointError> {
        let raw = super::output::read_json(&folder.join("config.json"))?;
        Self::from_shards(raw, super::folder::shards(folder)?, Some(folder.to_owned()))
    }

    /// Opens a checkpoint of one safetensors file that is in memory.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn from_bytes(config_json: &[u8], safetensors: impl Into<Cow<'static, [u8]>>) -> Result<Self, CheckpointError> {
        let raw = serde_json::from_slice(config_json).map_err(|e| CheckpointError::Config(format!("not JSON: {e}")))?;
        let shard = Shard::open("model.safetensors".into(), Bytes::Held(safetensors.into()))?;
        Self::from_shards(raw, vec![shard], None)
    }

    fn from_shards(raw_config: Value, shards: Vec<Shard>, folder: Option<PathBuf>) -> Result<Self, CheckpointError> {
        let mut config = parse_config(&raw_config)?;
        let shard_of: HashMap<String, usize> =
            shards.iter().enumerate().flat_map(|(i, s)| s.names().map(move |n| (n.to_owned(), i))).collect();
        // Some folders say nothing of tying and leave the head out.
        config.tied_head |= raw_config["tie_word_embeddings"].is_null() && !shard_of.contains_key(names::HEAD);
        let missing = |tensor: &str| CheckpointError::MissingTensor { tensor: tensor.to_owned() };
        let first = shard_of.get(names::EMBEDDING).ok_or_else(|| missing(names::EMBEDDING))?;
        let dtype = shards[*first].dtype(names::EMBEDDING).unwrap_or(Dtype::F32);
        let opened = Self { config, raw_config, shards, shard_of, folder, dtype };
        opened.check()?;
        Ok(opened)
    }

    fn check(&self) -> Result<(), CheckpointError> {
        let layers = self.config.layers.iter().enumerate();
        let inside = layers.flat_map(|(i, &shape)| names::of_layer(&self.config, i, shape));
        let mut expected = HashSet::new();
        for tensor in names::outside(&self.config).into_iter().chain(inside) {
            let tensor = names::stored(&self.config, &tensor).tensor;
            self.shard(&tensor)?.check(&tensor)?;
            expected.insert(tensor.name);
        }
        let mut left: Vec<_> = self.shard_of.iter().filter(|(name, _)| !expected.contains(*name)).collect();
        left.sort();
        match left.into_iter().find(|(name, _)| !names::is_superfluous(&self.config, name)) {
            Some((tensor, &i)) => {
                Err(CheckpointError::UnknownTensor { file: self.shards[i].file.clone(), tensor: tensor.clone() })
            }
            None => Ok(()),
        }
    }

    /// The numbers of config.json.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// config.json as it stands.
    pub fn raw_config(&self) -> &Value {
        &self.raw_config
    }

    /// The element type of the embedding, taken as the checkpoint's.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The folder, when it is one.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Bytes of all tensors of layer `i` as stored.
    pub fn layer_bytes(&self, i: usize) -> usize {
        self.config.layer_parameters(self.config.layers[i]) * self.dtype.bytes()
    }

    /// The weights of layer `i`.
    ///
    /// # Errors
    /// When a weight is not finite.
    pub fn layer(&self, i: usize) -> Result<LayerWeights, CheckpointError> {
        let expected = names::of_layer(&self.config, i, self.config.layers[i]);
        collect_layer(i, &expected, |e| self.read(e))
    }

    /// The weights outside the layers.
    ///
    /// # Errors
    /// When a weight is not finite.
    pub fn outer(&self) -> Result<OuterWeights, CheckpointError> {
        let expected = names::outside(&self.config);
        let mut head = (!self.config.tied_head).then(|| self.read_of(&expected, names::HEAD)).transpose()?;
        if names::has_normed_head(&self.config) {
            head.iter_mut().for_each(HostTensor::norm_rows);
        }
        Ok(OuterWeights {
            embedding: self.read_of(&expected, names::EMBEDDING)?,
            final_norm: self.read_of(&expected, names::FINAL_NORM)?,
            head,
        })
    }

    fn read_of(&self, expected: &[Expected], name: &str) -> Result<HostTensor, CheckpointError> {
        let missing = || CheckpointError::MissingTensor { tensor: name.to_owned() };
        self.read(expected.iter().find(|e| e.name == name).ok_or_else(missing)?)
    }

    fn read(&self, tensor: &Expected) -> Result<HostTensor, CheckpointError> {
        let stored = names::stored(&self.config, tensor);
        self.shard(&stored.tensor)?.read_rows(&stored, tensor)
    }

    fn shard(&self, expected: &Expected) -> Result<&Shard, CheckpointError> {
        let at = self.shard_of.get(&expected.name);
        at.map(|&i| &self.shards[i]).ok_or_else(|| CheckpointError::MissingTensor { tensor: expected.name.clone() })
    }
}

/// Reads layer `i` of the sizes `shape` back from what [`layer_bytes`](super::layer_bytes) made of it.
///
/// # Errors
/// When the bytes are no such layer, or a weight is not finite.
pub fn layer_from_bytes(
    i: usize,
    bytes: Vec<u8>,
    config: &ModelConfig,
    shape: LayerShape,
) -> Result<LayerWeights, CheckpointError> {
    let shard = Shard::open(format!("stored layer {i}"), Bytes::Held(bytes.into()))?;
    collect_layer(i, &names::of_layer(config, i, shape), |e| shard.read(e))
}

fn collect_layer(
    i: usize,
    expected: &[Expected],
    read: impl Fn(&Expected) -> Result<HostTensor, CheckpointError>,
) -> Result<LayerWeights, CheckpointError> {
    let find = |part: &str| expected.iter().find(|e| e.name == in_layer(i, part));
    let tensor = |part: &str| match find(part) {
        Some(e) => read(e),
        None => Err(CheckpointError::MissingTensor { tensor: in_layer(i, part) }),
    };
    let optional = |part: &str| find(part).map(&read).transpose();
    let projection = |part: &str| -> Result<Projection, CheckpointError> {
        Ok(Projection { weight: tensor(&format!("{part}.weight"))?, bias: optional(&format!("{part}.bias"))? })
    };
    Ok(LayerWeights {
        input_norm: tensor("input_layernorm.weight")?,
        q: projection("self_attn.q_proj")?,
        k: projection("self_attn.k_proj")?,
        v: projection("self_attn.v_proj")?,
        o: projection("self_attn.o_proj")?,
        q_norm: optional("self_attn.q_norm.weight")?,
        k_norm: optional("self_attn.k_norm.weight")?,
        post_norm: tensor("post_attention_layernorm.weight")?,
        gate: projection("mlp.gate_proj")?,
        up: projection("mlp.up_proj")?,
        down: projection("mlp.down_proj")?,
    })
}
