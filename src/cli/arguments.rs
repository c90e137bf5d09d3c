//! Arguments that several commands share, and what they mean for a checkpoint.

mod calibration;
mod device;
mod pruning;

use std::path::Path;

use anyhow::Result;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::text::Tokenizer;

pub use calibration::{Calibration, CalibrationSize, Cutting, window_length};
pub use device::DeviceArgument;
pub use pruning::{Knobs, Pruning};

/// Opens a folder and its tokenizer.
pub fn open(model: &Path) -> Result<(Checkpoint, Tokenizer)> {
    Ok(slimgpt::session::open(model)?)
}
