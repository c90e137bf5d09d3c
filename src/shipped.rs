//! The model that comes with the program: made by `examples/train_tiny`, compiled in.

use crate::checkpoint::Checkpoint;
use crate::error::Error;
use crate::shape::{LayerShape, ModelConfig};
use crate::text::Tokenizer;

const CONFIG: &[u8] = include_bytes!("../examples/tiny_model/config.json");
const WEIGHTS: &[u8] = include_bytes!("../examples/tiny_model/model.safetensors");
const TOKENIZER: &[u8] = include_bytes!("../examples/tiny_model/tokenizer.json");
/// Text to calibrate it on.
pub const CALIBRATION: &str = include_str!("../examples/tiny_model/calibration.txt");
/// Text to judge it by; the two share no story.
pub const EVALUATION: &str = include_str!("../examples/tiny_model/eval.txt");
/// A beginning it knows how to go on with.
pub const PROMPT: &str = "One day Mia and Tom went to the park. Mia had a red ball. Tom had a blue kite. They swapped.";

/// Opens it in memory.
///
/// # Errors
/// Never, for the model that was tested.
pub fn open() -> Result<(Checkpoint, Tokenizer), Error> {
    let checkpoint = Checkpoint::from_bytes(CONFIG, WEIGHTS)?;
    let tokenizer = Tokenizer::from_bytes(TOKENIZER, checkpoint.config().vocab_size)?;
    Ok((checkpoint, tokenizer))
}

/// Its sizes, for whom the weights are too much. Said and not read: a page that only teaches would load the reader of
/// config.json, with every family and every sentence of what can be wrong, for what never changes.
pub fn config() -> ModelConfig {
    let dense = LayerShape { heads: 8, kv_heads: 4, channels: 352 };
    ModelConfig {
        vocab_size: 512,
        max_positions: 512,
        rms_norm_eps: 1e-5,
        bos_token: Some(1),
        eos_tokens: vec![2],
        ..ModelConfig::toy(128, dense, 6)
    }
}

/// Writes it as a folder. A file that is there already stays as it is: a new time would make it
/// another model to a run that was interrupted.
///
/// # Errors
/// When the disk refuses.
#[cfg(not(target_arch = "wasm32"))]
pub fn write(folder: &std::path::Path) -> Result<(), crate::disk::DiskError> {
    crate::disk::make_folder(folder)?;
    for (name, bytes) in [("config.json", CONFIG), ("model.safetensors", WEIGHTS), ("tokenizer.json", TOKENIZER)] {
        let file = folder.join(name);
        if !holds(&file, bytes) {
            crate::disk::write(&file, bytes)?;
        }
    }
    Ok(())
}

/// Whether a folder holds its weights.
#[cfg(not(target_arch = "wasm32"))]
pub fn is_in(folder: &std::path::Path) -> bool {
    holds(&folder.join("model.safetensors"), WEIGHTS)
}

#[cfg(not(target_arch = "wasm32"))]
fn holds(file: &std::path::Path, bytes: &[u8]) -> bool {
    std::fs::metadata(file).is_ok_and(|m| m.len() == bytes.len() as u64)
        && crate::disk::read_within(file, bytes.len() as u64).is_ok_and(|there| there == bytes)
}

#[cfg(test)]
mod tests {
    #[test]
    fn its_sizes_are_those_of_its_weights() {
        assert_eq!(super::config(), *super::open().unwrap().0.config());
    }
}
