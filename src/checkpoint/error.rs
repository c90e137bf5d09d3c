//! What can be wrong with a checkpoint that is read or written: where, which value, and what to do.

use std::path::PathBuf;

use crate::format::few;
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
        /// The file that should be JSON.
        path: PathBuf,
        /// What the parser objects to, with line and column.
        reason: String,
    },
    /// An adapter cannot be added to the model.
    #[cfg(not(target_arch = "wasm32"))]
    #[error("the adapter in {} does not fit: {reason}", .folder.display())]
    Adapter {
        /// The adapter's folder.
        folder: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// A process that shares the work has another model in the same place.
    #[cfg(not(target_arch = "wasm32"))]
    #[error(
        "{}: another model is there than where the work began; put it, or a copy of it, where all machines see it under this \
         path",
        .0.display()
    )]
    OtherThere(PathBuf),
    /// A file of weights was given, and nothing beside it says what model they are of.
    #[cfg(not(target_arch = "wasm32"))]
    #[error("{}: there is no config.json beside it, which says what model its weights are of; get it from where the file is from", .0.display())]
    NoConfig(PathBuf),
    /// A file of weights was given, and its folder holds others that are not of its set.
    #[cfg(not(target_arch = "wasm32"))]
    #[error(
        "{}: beside it are weights that are no part of its model ({}); put it with its config.json and tokenizer.json into \
         a folder of their own, and give that",
        .file.display(), few(.others)
    )]
    OneOfSeveral {
        /// The file.
        file: PathBuf,
        /// All files of weights in its folder.
        others: Vec<String>,
    },
    /// An archive holds no model that can be unpacked.
    #[cfg(not(target_arch = "wasm32"))]
    #[error("{}: {reason}", .file.display())]
    Packed {
        /// The archive.
        file: PathBuf,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// The folder holds no safetensors.
    #[error("{}: no model.safetensors and no model.safetensors.index.json; give the folder of a Hugging Face checkpoint", .0.display())]
    NoWeights(PathBuf),
    /// The folder holds only pickles, which can run code when read.
    #[error("{}: {file} is a pickle, which can run code when it is read; convert it first, for instance with transformers: AutoModelForCausalLM.from_pretrained(…).save_pretrained(…, safe_serialization=True)", .folder.display())]
    Pickle {
        /// The folder, which holds no safetensors.
        folder: PathBuf,
        /// Name of the first pickle in it.
        file: String,
    },
    /// A safetensors file of a checkpoint is damaged.
    #[error("{file}: not a whole safetensors file ({reason}); download it again")]
    Damaged {
        /// The damaged file, as messages name it.
        file: String,
        /// What the format's reader says.
        reason: String,
    },
    /// A GGUF file cannot be read as a model.
    #[error("{file}: {reason}")]
    Gguf {
        /// The file, as messages name it.
        file: String,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// A layer that we stored ourselves is damaged.
    #[error(
        "layer {layer} as it was stored is not a whole safetensors file ({reason}); delete the unfinished output and begin again"
    )]
    StoredLayer {
        /// Index of the layer, counted from 0.
        layer: usize,
        /// What the format's reader says.
        reason: String,
    },
    /// The index names a tensor or a file that is not there.
    #[error("model.safetensors.index.json: {0}")]
    Index(String),
    /// The index names a file that is not there.
    #[error(
        "model.safetensors.index.json: weight_map names {file}, which is not in {}, and the files that are there do \
         not hold the whole model; download it",
        .folder.display()
    )]
    NotThere {
        /// Name of the file.
        file: String,
        /// Where it should be.
        folder: PathBuf,
    },
    /// Two files have a tensor, each its own.
    #[error("{tensor} is in {first} and, with other values, in {second}; keep the files of one download")]
    Twice {
        /// Its name in both.
        tensor: String,
        /// One of the files.
        first: String,
        /// The other.
        second: String,
    },
    /// Several tensors are refused: what is wrong with the first, and which they are.
    #[error("{first} ({} tensors are refused: {})", .tensors.len(), few(.tensors))]
    Several {
        /// What is wrong with the first.
        first: Box<ReadError>,
        /// The names of all, in the model's order; those that are no part of it come last.
        tensors: Vec<String>,
    },
    /// A tensor that would be left out of the computation.
    #[error("{file}: {tensor} is no part of the model that config.json describes; models with it are not supported")]
    UnknownTensor {
        /// The file that holds it.
        file: String,
        /// Its name in the file.
        tensor: String,
    },
    /// A tensor is missing.
    #[error("{tensor} is in none of the checkpoint's files; the config.json may belong to another model")]
    MissingTensor {
        /// Its name, as the files should have it.
        tensor: String,
    },
    /// A tensor has another shape than config.json says.
    #[error("{file}: {tensor} has shape {found:?}, but by config.json it should have {expected:?}")]
    Shape {
        /// The file that holds it.
        file: String,
        /// Its name in the file.
        tensor: String,
        /// Its sizes in the file, outermost first.
        found: Vec<usize>,
        /// The sizes by config.json, outermost first.
        expected: Vec<usize>,
    },
    /// A tensor's elements are not f32, f16 or bf16.
    #[error("{file}: {tensor} has elements of type {dtype}; f32, f16 and bf16 are read, quantised checkpoints are not")]
    Dtype {
        /// The file that holds it.
        file: String,
        /// Its name in the file.
        tensor: String,
        /// Its element type, as safetensors names it.
        dtype: String,
    },
    /// The checkpoint is quantised, by its config.json and by its tensors.
    #[error("the checkpoint is quantised; prune the original and quantise the result ({0})")]
    Quantised(String),
    /// A weight is NaN or infinite.
    #[error("{tensor}: element {index} is {value}; the checkpoint is damaged or was trained to overflow")]
    NotFinite {
        /// Its name in the file.
        tensor: String,
        /// The first such element, counted row-major within the tensor.
        index: usize,
        /// NaN or an infinity.
        value: f32,
    },
    /// config.json is not JSON, or a key is missing or wrong.
    #[error("config.json: {0}")]
    Config(String),
    /// The model is a mixture of experts.
    #[error(
        "config.json: \"{0}\" is a mixture of experts: every token goes to a few of them, so each has its own share of a \
         text and needs sums of its own, and which one a token goes to changes with what is removed; only dense models \
         are pruned"
    )]
    Experts(String),
    /// The model is made of several, of which one reads text.
    #[error("config.json: \"{0}\" is a model of text and images; save its text model by itself and give that")]
    Parts(String),
    /// The model is of a family we do not know.
    #[error("config.json: model_type \"{found}\" is not known; known are {known}")]
    Family {
        /// The `model_type` that stands there.
        found: String,
        /// The `model_type`s that are read.
        known: String,
    },
}

/// Why weights cannot be encoded or a checkpoint not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The disk refused to be written or read.
    #[cfg(not(target_arch = "wasm32"))]
    #[error(transparent)]
    Disk(#[from] crate::disk::DiskError),
    /// A value does not fit the output's element type.
    #[error("{tensor}: {value} does not fit {range}")]
    Overflow {
        /// Its name in the output.
        tensor: String,
        /// The first value that is too large.
        value: f32,
        /// The element type, and its largest number.
        range: &'static str,
    },
    /// The format has no place for the tensors as they are.
    #[error("the tensors cannot be written as safetensors: {0}")]
    Format(String),
    /// A part of the output that was written before is no longer whole.
    #[error("{}: what was stored of the output is damaged ({reason}); delete its folder and begin again", .path.display())]
    StoredPart {
        /// The damaged file, in the unfinished output.
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
