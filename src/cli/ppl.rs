//! `slimgpt ppl`.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::{Args, ValueEnum};
use pollster::block_on;
use serde_json::json;
use slimgpt::eval::perplexity;
use slimgpt::text::{Bos, Sampling, Windows, read_documents, windows};

use super::arguments::{self, DeviceArgument};
use super::{out, parse, progress, show};

const EXAMPLES: &str = "\
Examples:
  slimgpt ppl ./slim --text wikitext-2-raw-test.txt
  slimgpt ppl ./slim --text wikitext-2-raw-test.txt --seq-len 128 --json
  slimgpt ppl ./slim --text stories.jsonl --text-key story --windows 64 --bos each

The text is encoded whole, without special tokens, and cut into windows that do not overlap; the
rest that fills no window is left out. The perplexity is exp(Σ −log p / predictions) over all
predictions of all windows. Numbers compare only at the same window length and --bos.";

/// Arguments of `ppl`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
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
    #[arg(long, value_name = "N", value_parser = parse::window_length)]
    seq_len: Option<usize>,
    /// Windows from the beginning of the text; by default all
    #[arg(long, value_name = "N", value_parser = parse::at_least_one)]
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
            length: arguments::window_length(self.seq_len, config)?,
            sampling: Sampling::Sequential,
            bos: self.bos(),
            seed: 0,
        };
        let documents = read_documents(&self.text, &self.text_key)?;
        let cut = windows(&tokenizer, &documents, config.bos_token, &which)?;
        let device = self.device.open()?;
        let started = Instant::now();
        let found = block_on(perplexity(&checkpoint, &cut, &device, &mut progress::counting("perplexity", self.json)))?;
        let seconds = started.elapsed().as_secs_f64();
        if self.json {
            return out::json(&json!({
                "perplexity": found.perplexity, "tokens": found.tokens, "windows": found.windows, "nll": found.nll,
                "seq_len": which.length, "bos": which.bos, "text": self.text, "device": device.name(), "seconds": seconds,
            }));
        }
        let line = format_args!(
            "perplexity {:.4}  ({} predictions in {} windows of {} tokens, begin-of-sequence token {}, {seconds:.1} s on {})",
            found.perplexity,
            show::count(found.tokens),
            found.windows,
            which.length,
            self.protocol(),
            device.name(),
        );
        Ok(out::line(line)?)
    }

    fn bos(&self) -> Bos {
        match self.bos {
            BosName::Each => Bos::Each,
            BosName::First => Bos::First,
            BosName::None => Bos::None,
        }
    }

    fn protocol(&self) -> &'static str {
        match self.bos {
            BosName::Each => "in each",
            BosName::First => "in the first",
            BosName::None => "in none",
        }
    }
}
