//! Arguments that several commands share, and what they mean for a checkpoint.

mod adapter;
mod calibration;
mod device;
mod pruning;
mod schedule;
mod target;

use std::path::Path;

use anyhow::Result;
use slimgpt::beside;
use slimgpt::checkpoint::{Checkpoint, ReadError};
use slimgpt::format;
use slimgpt::hub::model_of_snapshot;
use slimgpt::text::Tokenizer;

use super::exit::Usage;
use super::out;

pub use adapter::AdapterArgument;
pub use calibration::{Calibration, CalibrationSize, Cutting, window_length, window_length_of};
pub use device::{DeviceArgument, DevicesArgument, device_parser, limits, told};
pub use pruning::{Knobs, Pruning};

/// Opens a folder, or a GGUF file, and its tokenizer.
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

/// Opens a folder, or a GGUF file, whose tokenizer is not needed.
pub fn open_weights(model: &Path) -> Result<Checkpoint> {
    let checkpoint = Checkpoint::open(model)?;
    opened(model, &checkpoint);
    Ok(checkpoint)
}

/// Opens a folder of which only the sizes are needed: its weights need not be there.
pub fn open_sizes(model: &Path) -> Result<Checkpoint> {
    match Checkpoint::open(model) {
        // Weights that are there and damaged are told: sizes alone are for where none can be read.
        Err(ReadError::NoWeights(_) | ReadError::NotThere { .. } | ReadError::Pickle { .. }) => {
            let sizes = Checkpoint::without_weights(model)?;
            tell(model, sizes.notes());
            Ok(sizes)
        }
        checkpoint => {
            let checkpoint = checkpoint?;
            opened(model, &checkpoint);
            Ok(checkpoint)
        }
    }
}

/// Says what there is to know about a folder that was opened.
fn opened(model: &Path, checkpoint: &Checkpoint) {
    let (config, bytes) = (checkpoint.config(), format::bytes(checkpoint.bytes()));
    let layers = config.layers.len();
    out::detail(format_args!(
        "model: {}: {:?}, {layers} layers, {bytes} in {}",
        model.display(),
        config.family,
        types(checkpoint)
    ));
    tell(model, checkpoint.notes());
}

/// In which types a model is stored: that of most weights, or of a quantised one all.
pub fn types(checkpoint: &Checkpoint) -> String {
    checkpoint.quantisation().unwrap_or_else(|| checkpoint.dtype().to_string())
}

/// Refuses to keep figures in a model's folder where the model is a file, or the folder is not one's own.
pub fn check_save(model: &Path, save: bool) -> Result<()> {
    let shown = model.display();
    // A link to a snapshot is one too.
    let real = model.canonicalize();
    let cached = real.as_deref().ok().and_then(model_of_snapshot);
    let what = match cached {
        _ if !save => return Ok(()),
        Some(name) => format!(
            "--save keeps figures in the model's folder, and that of {name} is the cache, which other programs share; \
             copy it and give the copy (cp -rL {shown} ./{})",
            name.rsplit('/').next().unwrap_or(&name)
        ),
        None if beside::is_file(model) => format!("--save keeps figures in the model's folder, and {shown} is a file"),
        None => return Ok(()),
    };
    Err(Usage(what).into())
}

/// Says what was found to contradict itself and which was taken: silence would hide another model.
fn tell(model: &Path, notes: &[String]) {
    notes.iter().for_each(|note| out::note(format_args!("note: {}: {note}", model.display())));
}
