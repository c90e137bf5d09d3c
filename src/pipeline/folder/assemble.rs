//! The finished layers and what the source has besides them, put together as a folder that other
//! programs open.

use std::path::{Path, PathBuf};

use super::OutputFolder;
use crate::checkpoint::{self, Checkpoint, encode_outer, output_config};
use crate::disk;
use crate::export::huggingface::{self, Card};
use crate::pipeline::{FolderError, PipelineError, Report};
use crate::shape::ModelConfig;

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
    disk::write(&out.partial.join(OUTER), &outer)?;
    checkpoint::assemble(&parts(out)?, whole, out.shard_bytes)?;
    let pruned = report.pruned_config(checkpoint.config());
    // From the source's own JSON, so that keys we do not read are kept.
    let config = output_config(checkpoint.raw_config(), &pruned, out.types.bulk());
    put("config.json", format!("{config:#}\n").as_bytes())?;
    for (name, text) in huggingface::python_files(&pruned) {
        put(name, text.as_bytes())?;
    }
    put(Card::FILE, card(report, &pruned, checkpoint).to_markdown().as_bytes())?;
    if let Some(source) = checkpoint.folder() {
        huggingface::carry(source, whole)?;
    }
    put(Report::FILE, &report.to_json())?;
    Ok(())
}

/// What the model card tells of a run.
fn card<'a>(report: &'a Report, pruned: &'a ModelConfig, checkpoint: &Checkpoint) -> Card<'a> {
    let source = checkpoint.folder();
    Card {
        source: source.map(|folder| huggingface::name(folder, checkpoint.raw_config())),
        config: pruned,
        tokenizer_has_code: source.is_some_and(huggingface::tokenizer_has_code),
        version: &report.version,
        parameters: [report.parameters_before, report.parameters_after],
        bytes: [report.bytes_before, report.bytes_after],
        decoder_ratio: report.plan.decoder_ratio(),
        calibration_tokens: report.calibration_tokens,
        before: report.layers.iter().map(|l| l.before).collect(),
        errors: report.layers.iter().map(|l| l.heads.measured_loss + l.channels.measured_loss).collect(),
    }
}

/// The stored layers behind what stands outside of them. Layers of earlier sessions may not have been
/// looked at in this one.
fn parts(out: &OutputFolder) -> Result<Vec<PathBuf>, FolderError> {
    let layers = (0..out.plan.len()).map(|layer| out.whole_weights(layer));
    std::iter::once(Ok(out.partial.join(OUTER))).chain(layers).collect()
}
