//! `slimgpt generate`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use pollster::block_on;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::model::{Decoder, Sampler, generate};
use slimgpt::text::Tokenizer;

use super::arguments::{self, DeviceArgument};
use super::exit::Usage;
use super::{out, parse};

const EXAMPLES: &str = "\
Examples:
  slimgpt generate ./slim --prompt \"Once upon a time\"
  slimgpt generate ./slim --prompt \"Once upon a time\" --max-tokens 200 --temperature 0.8 --seed 1";

/// Arguments of `generate`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Generate {
    /// Folder of a checkpoint, dense or pruned
    model: PathBuf,
    /// The beginning of the text
    #[arg(long, value_name = "TEXT")]
    prompt: String,
    /// Tokens to add at most; less where the model ends the text or its context is full
    #[arg(long, default_value = "128", value_name = "N", value_parser = parse::at_least_one)]
    max_tokens: usize,
    /// 0 takes the likeliest token; higher values vary more
    #[arg(long, default_value = "0", value_name = "T", value_parser = parse::not_negative, allow_negative_numbers = true)]
    temperature: f64,
    /// Seed of the draws
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    device: DeviceArgument,
}

impl Generate {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        let (checkpoint, tokenizer) = arguments::open(&self.model)?;
        let own = tokenizer.encode(&self.prompt)?;
        let prompt = Prompt { begin: begin(&self.model, &checkpoint), own: &own };
        prompt.check(&checkpoint)?;
        let device = self.device.open()?;
        let mut sampler = Sampler::new(self.temperature, self.seed);
        out::piece(&self.prompt)?;
        let mut printed = Ok(());
        continued(&checkpoint, &tokenizer, &device, &prompt, self.max_tokens, &mut sampler, &mut |text| {
            printed = out::piece(text);
            printed.is_ok()
        })?;
        printed?;
        Ok(out::line("")?)
    }
}

/// What is continued.
pub struct Prompt<'a> {
    /// Begin-of-sequence token, for a model that was trained with one.
    pub begin: Option<u32>,
    /// The text's tokens.
    pub own: &'a [u32],
}

impl Prompt<'_> {
    fn tokens(&self) -> Vec<u32> {
        self.begin.into_iter().chain(self.own.iter().copied()).collect()
    }

    fn check(&self, checkpoint: &Checkpoint) -> Result<()> {
        let (tokens, room) = (self.tokens().len(), checkpoint.config().max_positions);
        match tokens {
            0 => {
                Err(Usage("--prompt is empty, and the model has no begin-of-sequence token to begin with".into())
                    .into())
            }
            n if n >= room => {
                Err(Usage(format!("--prompt has {n} tokens, and the model's context of {room} has no room for more"))
                    .into())
            }
            _ => Ok(()),
        }
    }
}

/// The begin-of-sequence token, unless the tokenizer's settings say that the model wants none (as
/// Qwen2's do).
fn begin(folder: &Path, checkpoint: &Checkpoint) -> Option<u32> {
    let settings = std::fs::read(folder.join("tokenizer_config.json")).ok();
    let settings: Option<serde_json::Value> = settings.and_then(|json| serde_json::from_slice(&json).ok());
    let unwanted = settings.is_some_and(|s| s["add_bos_token"] == false);
    checkpoint.config().bos_token.filter(|_| !unwanted)
}

/// Continues a prompt and hands over the text as it grows, until `on_text` says false.
pub fn continued(
    checkpoint: &Checkpoint,
    tokenizer: &Tokenizer,
    device: &Device,
    prompt: &Prompt<'_>,
    max_tokens: usize,
    sampler: &mut Sampler,
    on_text: &mut dyn FnMut(&str) -> bool,
) -> Result<()> {
    let decoder = Decoder::load(checkpoint, device.tensor_device())?;
    let mut all = prompt.own.to_vec();
    let mut shown = tokenizer.decode(&all)?.len();
    let mut broken = Ok(());
    block_on(generate(&decoder, checkpoint.config(), &prompt.tokens(), max_tokens, sampler, &mut |token| {
        all.push(token);
        let text = match tokenizer.decode(&all) {
            Ok(text) => text,
            Err(error) => {
                broken = Err(error);
                return false;
            }
        };
        // Half a character is shown when its other half has come.
        match text.get(shown..).filter(|new| !new.ends_with('\u{fffd}')) {
            None => true,
            Some(new) => {
                shown = text.len();
                on_text(new)
            }
        }
    }))?;
    Ok(broken?)
}
