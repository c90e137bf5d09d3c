//! `slimgpt ppl`.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use pollster::block_on;
use serde_json::json;
use slimgpt::eval::perplexity;
use slimgpt::text::{Bos, Sampling, Windows, read_documents, windows};

use super::arguments::{self, DeviceArgument};
use super::{progress, show};

/// Arguments of `ppl`.
#[derive(Args)]
pub struct Ppl {
    /// Folder of a checkpoint, dense or pruned
    model: PathBuf,
    /// The text: .txt, .jsonl or .json
    #[arg(long, value_name = "FILE")]
    text: PathBuf,
    /// Key of the text in a .jsonl line
    #[arg(long, default_value = "text", value_name = "KEY")]
    text_key: String,
    /// Tokens of a window; by default 2048, or the model's context if that is shorter. Papers on
    /// structured pruning often use 128
    #[arg(long)]
    seq_len: Option<usize>,
    /// Windows from the beginning of the text; by default all
    #[arg(long)]
    windows: Option<usize>,
    /// Begin-of-sequence token at the head of each window, of the first, or nowhere
    #[arg(long, value_enum, default_value = "none")]
    bos: BosName,
    #[command(flatten)]
    device: DeviceArgument,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(ValueEnum, Clone, Copy)]
enum BosName {
    Each,
    First,
    None,
}

impl Ppl {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        let (checkpoint, tokenizer) = arguments::open(&self.model)?;
        let config = checkpoint.config();
        let which = Windows {
            count: self.windows,
            length: self.seq_len.unwrap_or(2048.min(config.max_positions)),
            sampling: Sampling::Sequential,
            bos: match self.bos {
                BosName::Each => Bos::Each,
                BosName::First => Bos::First,
                BosName::None => Bos::None,
            },
            seed: 0,
        };
        let documents = read_documents(&self.text, &self.text_key)?;
        let cut = windows(&tokenizer, &documents, config.bos_token, &which)?;
        let device = self.device.open()?;
        let found = block_on(perplexity(&checkpoint, &cut, &device, &mut progress::counting("perplexity", self.json)))?;
        if self.json {
            let object = json!({
                "perplexity": found.perplexity, "nll": found.nll, "tokens": found.tokens, "windows": found.windows,
                "seq_len": which.length, "device": device.name(),
            });
            println!("{object}");
        } else {
            println!("perplexity {:.4} over {} predictions in {} windows", found.perplexity, show::count(found.tokens), found.windows);
        }
        Ok(())
    }
}
