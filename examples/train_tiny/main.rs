//! Makes the model that ships with the repository: stories, a tokenizer, and a LLaMA trained on
//! them with burn's autodiff. Run again with the same folder, it goes on where it stopped.
//!
//! ```text
//! cargo run --release --example train_tiny -- --out examples/tiny_model --state /tmp/train_tiny --steps 2500
//! ```

mod folder;
mod stories;
mod tokenizer;
mod train;
mod words;

use std::path::PathBuf;

use clap::Parser;
use slimgpt::device::DeviceChoice;

/// Train the tiny model.
#[derive(Parser)]
pub struct Arguments {
    /// Where the checkpoint goes.
    #[arg(long)]
    out: PathBuf,
    /// Where the state between runs is kept.
    #[arg(long)]
    state: PathBuf,
    /// Steps in all.
    #[arg(long, default_value_t = 2500)]
    steps: usize,
    /// Windows of a step.
    #[arg(long, default_value_t = 16)]
    batch: usize,
    /// Tokens of a window.
    #[arg(long, default_value_t = 128)]
    length: usize,
    /// Highest learning rate.
    #[arg(long, default_value_t = 3e-3)]
    rate: f64,
    /// auto, gpu, cpu, or an adapter's name.
    #[arg(long, default_value = "cpu")]
    device: DeviceChoice,
}

fn main() -> anyhow::Result<()> {
    train::run(&Arguments::parse())
}
