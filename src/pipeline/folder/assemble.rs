//! The finished layers and what the source has besides them, put together as a folder that other
//! programs open.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::files::{Files, names, sync_folder};
use super::{FolderError, OutputFolder, weights_name};
use crate::checkpoint::{self, Checkpoint, encode_outer, output_config};
use crate::export::huggingface::{self, COPIED, Card};
use crate::pipeline::{PipelineError, Report};
use crate::shape::ModelConfig;

/// Embedding, last norm and output head, in the working folder.
pub(super) const OUTER: &str = "outer.safetensors";

/// Makes the folder `whole` and flushes everything in it to the disk.
pub(super) fn assemble(
    out: &OutputFolder,
    checkpoint: &Checkpoint,
    report: &Report,
    whole: &Path,
) -> Result<(), PipelineError> {
    fs::create_dir(whole).map_err(|e| FolderError::io("made", whole, e))?;
    out.files().write(OUTER, &encode_outer(&checkpoint.outer()?, out.dtype)?)?;
    checkpoint::assemble(&parts(out), whole, out.shard_bytes)?;
    let files = Files::in_folder(whole);
    let pruned = report.pruned_config(checkpoint.config());
    let config = output_config(checkpoint.raw_config(), &pruned, out.dtype);
    files.write("config.json", format!("{config:#}\n").as_bytes())?;
    for (name, text) in huggingface::python_files(&pruned) {
        files.write(name, text.as_bytes())?;
    }
    files.write(Card::FILE, card(report, &pruned).to_markdown().as_bytes())?;
    if let Some(source) = checkpoint.folder() {
        copy(source, &files)?;
    }
    files.write(Report::FILE, &report.to_json())?;
    flush(whole)?;
    Ok(())
}

/// What the model card tells of a run.
fn card<'a>(report: &'a Report, pruned: &'a ModelConfig) -> Card<'a> {
    Card {
        source: report.source.as_deref(),
        config: pruned,
        version: &report.version,
        parameters: [report.parameters_before, report.parameters_after],
        bytes: [report.bytes_before, report.bytes_after],
        decoder_ratio: report.plan.decoder_ratio(),
        calibration_tokens: report.calibration_tokens,
        before: report.layers.iter().map(|l| l.before).collect(),
        errors: report.layers.iter().map(|l| l.heads.measured_loss + l.channels.measured_loss).collect(),
    }
}

/// The stored layers behind what stands outside of them.
fn parts(out: &OutputFolder) -> Vec<PathBuf> {
    let layers = (0..out.config.layers.len()).map(weights_name);
    std::iter::once(OUTER.to_owned()).chain(layers).map(|name| out.partial.join(name)).collect()
}

fn copy(source: &Path, files: &Files<'_>) -> Result<(), FolderError> {
    let there = Files::in_folder(source);
    let present = COPIED.iter().filter(|name| source.join(name).is_file());
    present.into_iter().try_for_each(|name| files.write(name, &there.read(name)?))
}

/// Shards were written by the format's own library, which does not flush them.
fn flush(whole: &Path) -> Result<(), FolderError> {
    for name in names(whole)? {
        let path = whole.join(name);
        // Windows flushes only what is open for writing.
        let file = File::options().append(true).open(&path);
        file.and_then(|f| f.sync_all()).map_err(|e| FolderError::io("flushed", &path, e))?;
    }
    sync_folder(Some(whole))
}
