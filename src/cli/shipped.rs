//! The model that comes with the program: made by `examples/train_tiny`, compiled in.

use std::path::Path;

use anyhow::Result;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::text::Tokenizer;

const CONFIG: &[u8] = include_bytes!("../../examples/tiny_model/config.json");
const WEIGHTS: &[u8] = include_bytes!("../../examples/tiny_model/model.safetensors");
const TOKENIZER: &[u8] = include_bytes!("../../examples/tiny_model/tokenizer.json");
/// Text to calibrate it on.
pub const CALIBRATION: &str = include_str!("../../examples/tiny_model/calibration.txt");
/// Text to judge it by; the two share no story.
pub const EVALUATION: &str = include_str!("../../examples/tiny_model/eval.txt");

/// Opens it.
pub fn open() -> Result<(Checkpoint, Tokenizer)> {
    let checkpoint = Checkpoint::from_bytes(CONFIG, WEIGHTS)?;
    let tokenizer = Tokenizer::from_bytes(TOKENIZER, checkpoint.config().vocab_size)?;
    Ok((checkpoint, tokenizer))
}

/// Writes it as a folder.
pub fn write(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("config.json"), CONFIG)?;
    std::fs::write(folder.join("model.safetensors"), WEIGHTS)?;
    Ok(std::fs::write(folder.join("tokenizer.json"), TOKENIZER)?)
}

/// Whether a folder holds its weights.
pub fn is_shipped(folder: &Path) -> bool {
    let file = folder.join("model.safetensors");
    std::fs::metadata(&file).is_ok_and(|m| m.len() == WEIGHTS.len() as u64) && std::fs::read(&file).is_ok_and(|b| b == WEIGHTS)
}
