//! The finished layers and what the source has besides them, put together as a folder that other
//! programs open.

use std::path::{Path, PathBuf};

use super::OutputFolder;
use crate::checkpoint::{self, Checkpoint, encode_outer};
use crate::disk;
use crate::export::huggingface;
use crate::pipeline::beside::{Source, beside};
use crate::pipeline::{FolderError, PipelineError, Report};

/// Embedding, last norm and output head, in the working folder.
pub(super) const OUTER: &str = "outer.safetensors";

/// Makes the folder `whole`, which nobody looks into before it has its name.
pub(super) fn assemble(
    out: &OutputFolder,
    checkpoint: &Checkpoint,
    report: &Report,
    whole: &Path,
) -> Result<(), PipelineError> {
    let outer = encode_outer(&checkpoint.outer()?, &out.types)?;
    // Not flushed one by one: the folder is flushed as a whole when it gets its name.
    let put = |name: &str, bytes: &[u8]| disk::put(&whole.join(name), bytes);
    disk::make_folder(whole)?;
    // In the working folder, to be joined like one more layer.
    disk::write(&out.work.folder().join(OUTER), &outer)?;
    checkpoint::assemble(&parts(out)?, whole, out.shard_bytes)?;
    for (name, text) in beside(checkpoint, report, source(checkpoint)) {
        put(&name, text.as_bytes())?;
    }
    if let Some(source) = checkpoint.folder() {
        huggingface::carry(source, whole)?;
    }
    put(Report::FILE, &report.to_json())?;
    Ok(())
}

/// What the folder tells of the model that was pruned.
fn source(checkpoint: &Checkpoint) -> Source {
    let folder = checkpoint.folder();
    Source {
        name: folder.map(|folder| huggingface::name(folder, checkpoint.raw_config())),
        tokenizer_has_code: folder.is_some_and(huggingface::tokenizer_has_code),
    }
}

/// The stored layers behind what stands outside of them. Layers of earlier sessions may not have been
/// looked at in this one.
fn parts(out: &OutputFolder) -> Result<Vec<PathBuf>, FolderError> {
    let layers = (0..out.plan.len()).map(|layer| out.whole_weights(layer));
    std::iter::once(Ok(out.work.folder().join(OUTER))).chain(layers).collect()
}
