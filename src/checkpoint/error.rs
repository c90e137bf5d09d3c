//! What can be wrong with a checkpoint that is read or written: where, which value, and what to do.

use std::path::PathBuf;

use crate::remedy::{Remedied, Remedy};

/// Why a checkpoint cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// A file is missing or unreadable.
    #[cfg(not(target_arch = "wasm32"))]
    #[error(transparent)]
    Disk(#[from] crate::disk::DiskError),
    /// A file that should be JSON is not.
    #[error("{}: not JSON: {reason}", .path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The parser's words.
        reason: String,
    },
    /// The folder holds no safetensors.
    #[error("{}: no model.safetensors and no model.safetensors.index.json; give the folder of a Hugging Face checkpoint", .0.display())]
    NoWeights(PathBuf),
    /// The folder holds only pickles, which can run code when read.
    #[error("{}: {file} is a pickle, which can run code when it is read; convert it first, for instance with transformers: AutoModelForCausalLM.from_pretrained(…).save_pretrained(…, safe_serialization=True)", .folder.display())]
    Pickle {
        /// The folder.
        folder: PathBuf,
        /// The pickle.
        file: String,
    },
    /// A safetensors file of a checkpoint is damaged.
    #[error("{file}: not a whole safetensors file ({reason}); download it again")]
    Damaged {
        /// The file.
        file: String,
        /// What the format's reader says.
        reason: String,
    },
    /// A layer that we stored ourselves is damaged.
    #[error(
        "layer {layer} as it was stored is not a whole safetensors file ({reason}); delete the unfinished output and begin again"
    )]
    StoredLayer {
        /// The layer.
        layer: usize,
        /// What the format's reader says.
        reason: String,
    },
    /// The index names a tensor or a file that is not there.
    #[error("model.safetensors.index.json: {0}")]
    Index(String),
    /// A tensor that would be left out of the computation.
    #[error("{file}: {tensor} is no part of the model that config.json describes; models with it are not supported")]
    UnknownTensor {
        /// The file.
        file: String,
        /// The tensor.
        tensor: String,
    },
    /// A tensor is missing.
    #[error("{tensor} is in none of the checkpoint's files; the config.json may belong to another model")]
    MissingTensor {
        /// The tensor.
        tensor: String,
    },
    /// A tensor has another shape than config.json says.
    #[error("{file}: {tensor} has shape {found:?}, but by config.json it should have {expected:?}")]
    Shape {
        /// The file.
        file: String,
        /// The tensor.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape it should have.
        expected: Vec<usize>,
    },
    /// A tensor's elements are not f32, f16 or bf16.
    #[error("{file}: {tensor} has elements of type {dtype}; f32, f16 and bf16 are read, quantised checkpoints are not")]
    Dtype {
        /// The file.
        file: String,
        /// The tensor.
        tensor: String,
        /// Its element type.
        dtype: String,
    },
    /// A weight is NaN or infinite.
    #[error("{tensor}: element {index} is {value}; the checkpoint is damaged or was trained to overflow")]
    NotFinite {
        /// The tensor.
        tensor: String,
        /// Row-major index.
        index: usize,
        /// The value.
        value: f32,
    },
    /// config.json is not JSON, or a key is missing or wrong.
    #[error("config.json: {0}")]
    Config(String),
    /// The model is of a family we do not know.
    #[error("config.json: model_type \"{found}\" is not known; known are {known}")]
    Family {
        /// What stands there.
        found: String,
        /// What we read.
        known: String,
    },
}

/// Why weights cannot be encoded or a checkpoint not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The disk refused.
    #[cfg(not(target_arch = "wasm32"))]
    #[error(transparent)]
    Disk(#[from] crate::disk::DiskError),
    /// A value does not fit the output's element type.
    #[error("{tensor}: {value} does not fit f16 (largest 65504)")]
    Overflow {
        /// The tensor.
        tensor: String,
        /// The value.
        value: f32,
    },
    /// The format has no place for the tensors as they are.
    #[error("the tensors cannot be written as safetensors: {0}")]
    Format(String),
    /// A part of the output that was written before is no longer whole.
    #[error("{}: what was stored of the output is damaged ({reason}); delete its folder and begin again", .path.display())]
    StoredPart {
        /// The file.
        path: PathBuf,
        /// What the format's reader says.
        reason: String,
    },
}

impl Remedied for WriteError {
    fn remedy(&self) -> Option<Remedy> {
        matches!(self, Self::Overflow { .. }).then_some(Remedy::WiderType)
    }
}
