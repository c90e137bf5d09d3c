//! One GGUF file: what llama.cpp and every program built on it opens.
//!
//! The layout is that of the GGUF specification, version 3: a header, keys with typed values, a
//! table of tensors, and their data, each at a multiple of 32 bytes. Weights are read one layer at
//! a time, so a model larger than memory can be written.

mod arch;
mod format;
mod tensors;
mod tokenizer;

use std::path::Path;

pub use format::{ElementType, Value};
use format::{TensorInfo, padding};
use tensors::Entry;
use tokenizer::Vocabulary;

use super::files::NewExport;
use super::{ExportError, huggingface};
use crate::checkpoint::{Checkpoint, Dtype};
use crate::gguf::ALIGNMENT;
pub use crate::gguf::Arch;
use crate::place::Kind;
use crate::shape::ModelConfig;

/// How the file is to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Element type of the matrices; by default each has its own. Vectors are always f32, as
    /// llama.cpp wants them.
    pub dtype: Option<Dtype>,
    /// Whether a file that stands there is replaced.
    pub overwrite: bool,
}

/// What the file that was written is and holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The architecture that llama.cpp will see.
    pub arch: Arch,
    /// Element type of most matrices.
    pub dtype: Dtype,
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
    let types = checkpoint.types(options.dtype);
    let dtype = types.bulk();
    let folder = checkpoint.folder().ok_or(ExportError::NoFolder)?;
    let vocabulary = Vocabulary::read(folder, config)?;
    let entries = tensors::all(arch, config, &types);
    let infos = tensors::infos(&entries);
    let mut keys = arch.keys(config, dtype, &huggingface::name(folder, checkpoint.raw_config()));
    keys.extend(vocabulary.keys());

    // Only now, when neither architecture nor tokenizer was refused.
    let mut new = NewExport::begin(checkpoint, out, Kind::Gguf, options.overwrite)?;
    let header = format::header(&keys, &infos);
    new.file.write(&header)?;
    let mut writer = Writer { file: &mut new.file, infos: &infos, written: 0, on_tensor };
    // In the order of the table, whose offsets are written already.
    writer.outer(checkpoint, &entries)?;
    writer.layers(checkpoint, &entries)?;
    new.finish()?;
    let data: u64 = infos.iter().map(|i| i.bytes() + padding(i.bytes())).sum();
    Ok(Summary { arch, dtype, bytes: header.len() as u64 + data, tensors: infos.len() })
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
            if let Entry::Outer { values, .. } = entry {
                self.tensor(&values(&weights))?;
            }
        }
        Ok(())
    }

    fn layers(&mut self, checkpoint: &Checkpoint, entries: &[Entry]) -> Result<(), ExportError> {
        for i in 0..checkpoint.config().layers.len() {
            let weights = checkpoint.layer(i)?;
            for entry in entries {
                if let Entry::Layer { layer, values, .. } = entry
                    && *layer == i
                {
                    self.tensor(&values(&weights))?;
                }
            }
        }
        Ok(())
    }

    fn tensor(&mut self, values: &[f32]) -> Result<(), ExportError> {
        let info = &self.infos[self.written];
        self.file.write(&info.element.dtype().narrow(&info.name, values)?)?;
        self.file.write(&[0; ALIGNMENT as usize][..padding(info.bytes()) as usize])?;
        self.written += 1;
        (self.on_tensor)(self.written, self.infos.len());
        Ok(())
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
