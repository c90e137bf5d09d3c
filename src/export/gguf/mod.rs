//! One GGUF file: what llama.cpp and every program built on it opens.
//!
//! The layout is that of the GGUF specification, version 3: a header, keys with typed values, a
//! table of tensors, and their data, each at a multiple of 32 bytes. Weights are read one layer at
//! a time, so a model larger than memory can be written.

mod arch;
mod fallback;
mod file_type;
mod format;
mod mixture;
mod own;
mod tensors;
mod tokenizer;

use std::path::Path;

pub use fallback::Fallback;
pub use file_type::FileType;
pub use format::Value;
use format::{TensorInfo, padding};
use mixture::Mixture;
use tensors::{Entry, Source, Storage};
use tokenizer::Vocabulary;

use super::files::NewExport;
use super::{ExportError, huggingface};
use crate::checkpoint::{Checkpoint, Dtype, Types};
use crate::gguf::ALIGNMENT;
pub use crate::gguf::Arch;
use crate::names::Named;
use crate::place::Kind;
use crate::quant::quantise;
use crate::shape::ModelConfig;

/// How the file is to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// In what the matrices are stored; by default each in its own element type. Vectors are always
    /// f32, as llama.cpp wants them.
    pub dtype: Option<FileType>,
    /// Whether a file that stands there is replaced.
    pub overwrite: bool,
}

/// What the file that was written is and holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The architecture that llama.cpp will see.
    pub arch: Arch,
    /// In what its matrices are stored.
    pub dtype: FileType,
    /// Bytes of the file.
    pub bytes: u64,
    /// How many tensors it holds.
    pub tensors: usize,
}

/// Writes `checkpoint` as the GGUF file `out`, tokenizer included. `on_tensor` is told how many of
/// how many tensors are written.
///
/// # Errors
/// When no architecture of llama.cpp holds the model, when its tokenizer cannot be expressed, when
/// a value does not fit, or when the disk refuses; nothing stands at `out` then that did not before.
pub fn export(
    checkpoint: &Checkpoint,
    out: &Path,
    options: Options,
    on_tensor: &mut dyn FnMut(usize, usize),
) -> Result<Summary, ExportError> {
    let config = checkpoint.config();
    let arch = Arch::of(config)?;
    let types = checkpoint.types(options.dtype.and_then(FileType::dtype));
    let dtype = options.dtype.unwrap_or(FileType::of(types.bulk()));
    let folder = checkpoint.folder().ok_or(ExportError::NoFolder)?;
    let vocabulary = Vocabulary::read(folder, config)?;
    let entries = tensors::all(arch, config, &storage(arch, config, types, dtype));
    let infos = tensors::infos(&entries);
    let mut keys = arch.keys(config, dtype, &huggingface::name(folder, checkpoint.raw_config()));
    keys.extend(vocabulary.keys());

    // Only now, when neither architecture nor tokenizer was refused.
    let mut new = NewExport::begin(checkpoint, out, Kind::Gguf, options.overwrite)?;
    // Whole before any data: what a tensor takes follows from its shape and its type alone.
    let header = format::header(&keys, &infos);
    new.file.write(&header)?;
    let mut writer = Writer { file: &mut new.file, infos: &infos, written: 0, on_tensor };
    // In the order of the table, whose offsets are written already.
    writer.outer(checkpoint, &entries)?;
    writer.layers(checkpoint, &entries)?;
    new.finish()?;
    let bytes = header.len() as u64 + filled(&infos);
    Ok(Summary { arch, dtype, bytes, tensors: infos.len() })
}

fn storage(arch: Arch, config: &ModelConfig, types: Types, dtype: FileType) -> Storage {
    let mixture = dtype.is_mixture().then(|| Mixture::new(dtype, arch, config));
    Storage { types, mixture }
}

/// The matrices of a model that get other blocks than the `dtype` has for them, because their rows do not
/// divide into those.
///
/// # Errors
/// When no architecture of llama.cpp holds the model.
pub fn fallbacks(config: &ModelConfig, dtype: FileType) -> Result<Vec<Fallback>, ExportError> {
    let arch = Arch::of(config)?;
    // Whatever the types are: a mixture does not ask for them, and without one nothing is cut into blocks.
    let storage = storage(arch, config, Types::all(Dtype::F32), dtype);
    Ok(fallback::all(&tensors::all(arch, config, &storage)))
}

/// Bytes of a model's tensors in a file of this type, without the keys and the vocabulary before them.
///
/// # Errors
/// When no architecture of llama.cpp holds the model.
pub fn data_bytes(config: &ModelConfig, dtype: FileType) -> Result<u64, ExportError> {
    let arch = Arch::of(config)?;
    let types = Types::all(dtype.dtype().unwrap_or(Dtype::F32));
    let infos = tensors::infos(&tensors::all(arch, config, &storage(arch, config, types, dtype)));
    Ok(filled(&infos))
}

/// Bytes of tensors, each filled up to where the next may begin.
fn filled(infos: &[TensorInfo]) -> u64 {
    infos.iter().map(|info| info.bytes + padding(info.bytes)).sum()
}

/// Whether llama.cpp cuts text as the tokenizer of a folder does.
///
/// # Errors
/// With what stands in the way.
pub fn check_tokenizer(folder: &Path, config: &ModelConfig) -> Result<(), ExportError> {
    Vocabulary::read(folder, config).map(drop)
}

/// Writes the tensors in the order of the table.
struct Writer<'a> {
    file: &'a mut crate::disk::NewFile,
    infos: &'a [TensorInfo],
    written: usize,
    on_tensor: &'a mut dyn FnMut(usize, usize),
}

impl Writer<'_> {
    fn outer(&mut self, checkpoint: &Checkpoint, entries: &[Entry]) -> Result<(), ExportError> {
        let weights = checkpoint.outer()?;
        for entry in entries {
            if let Source::Outer(values) = &entry.source {
                self.tensor(&values(&weights))?;
            }
        }
        Ok(())
    }

    fn layers(&mut self, checkpoint: &Checkpoint, entries: &[Entry]) -> Result<(), ExportError> {
        for i in 0..checkpoint.config().layers.len() {
            let weights = checkpoint.layer(i)?;
            for entry in entries {
                if let Source::Layer(layer, values) = &entry.source
                    && *layer == i
                {
                    self.tensor(&values(&weights))?;
                }
            }
        }
        Ok(())
    }

    fn tensor(&mut self, values: &[f32]) -> Result<(), ExportError> {
        // The header, which is written, has them in this order.
        let info = &self.infos[self.written];
        self.file.write(&stored(info, values)?)?;
        self.file.write(&[0; ALIGNMENT as usize][..padding(info.bytes) as usize])?;
        self.written += 1;
        (self.on_tensor)(self.written, self.infos.len());
        Ok(())
    }
}

/// The data of a tensor.
fn stored(info: &TensorInfo, values: &[f32]) -> Result<Vec<u8>, ExportError> {
    match Dtype::all().iter().find(|&&dtype| info.kind == dtype.into()) {
        Some(dtype) => Ok(dtype.narrow(&info.name, values)?),
        None => {
            quantise(info.kind, values).map_err(|cause| ExportError::Quantised { tensor: info.name.clone(), cause })
        }
    }
}

/// Rows of matrices, by name, that llama.cpp's quantisers cannot cut into blocks of `block`: the
/// tensors keep more bits there. 256 is what k-quants want, 32 the older ones.
pub fn uneven_rows(config: &ModelConfig, block: usize) -> Vec<(String, usize)> {
    let rows = config.layers.iter().enumerate().flat_map(|(i, l)| {
        [
            (format!("blk.{i}.attn_output.weight"), l.heads * config.head_dim),
            (format!("blk.{i}.ffn_down.weight"), l.channels),
        ]
    });
    rows.filter(|(_, width)| !width.is_multiple_of(block)).collect()
}
