//! Arguments that several commands share, and what they mean for a checkpoint.

mod adapter;
mod calibration;
mod device;
mod pruning;
mod schedule;

use std::path::Path;

use anyhow::Result;
use slimgpt::checkpoint::{Checkpoint, read_config};
use slimgpt::format;
use slimgpt::hub::{is_whole, model_of_snapshot};
use slimgpt::shape::ModelConfig;
use slimgpt::text::Tokenizer;

use super::out;

pub use adapter::AdapterArgument;
pub use calibration::{Calibration, CalibrationSize, Cutting, window_length, window_length_of};
pub use device::{DeviceArgument, device_parser, told};
pub use pruning::{Knobs, Pruning};

/// Opens a folder and its tokenizer.
pub fn open(model: &Path) -> Result<(Checkpoint, Tokenizer)> {
    let (checkpoint, tokenizer) = slimgpt::session::open(model)?;
    opened(model, &checkpoint);
    let (tokens, embeddings) = (tokenizer.size(), checkpoint.config().vocab_size);
    if tokens > embeddings {
        let beyond = format!("the tokenizer has {tokens} tokens, but the model {embeddings} embeddings");
        tell(model, &[format!("{beyond}: texts with one of the others are refused")]);
    }
    Ok((checkpoint, tokenizer))
}

/// Opens a folder whose tokenizer is not needed.
pub fn open_weights(model: &Path) -> Result<Checkpoint> {
    let checkpoint = Checkpoint::open(model)?;
    opened(model, &checkpoint);
    Ok(checkpoint)
}

/// The sizes of a model, and its folder if its weights are there: of a name on the hub only config.json may have come.
pub fn open_sizes(model: &Path) -> Result<(ModelConfig, Option<Checkpoint>)> {
    if model_of_snapshot(model).is_none() || is_whole(model) {
        let checkpoint = open_weights(model)?;
        return Ok((checkpoint.config().clone(), Some(checkpoint)));
    }
    Ok((read_config(model)?, None))
}

/// Says what there is to know about a folder that was opened.
fn opened(model: &Path, checkpoint: &Checkpoint) {
    let (config, bytes) = (checkpoint.config(), format::bytes(checkpoint.bytes()));
    let layers = config.layers.len();
    out::detail(format_args!(
        "model: {}: {:?}, {layers} layers, {bytes} in {}",
        model.display(),
        config.family,
        checkpoint.dtype()
    ));
    tell(model, checkpoint.notes());
}

/// Says what was found to contradict itself and which was taken: silence would hide another model.
fn tell(model: &Path, notes: &[String]) {
    notes.iter().for_each(|note| out::note(format_args!("note: {}: {note}", model.display())));
}
