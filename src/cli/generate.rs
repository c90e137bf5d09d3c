//! `slimgpt generate`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use pollster::block_on;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::model::{Decoder, Sampler, generate};
use slimgpt::text::Tokenizer;

use super::arguments::{self, DeviceArgument};

/// Arguments of `generate`.
#[derive(Args)]
pub struct Generate {
    /// Folder of a checkpoint, dense or pruned
    model: PathBuf,
    /// The beginning of the text
    #[arg(long, value_name = "TEXT")]
    prompt: String,
    /// Tokens to add at most
    #[arg(long, default_value_t = 64)]
    max_tokens: usize,
    /// 0 takes the likeliest token; higher values vary more
    #[arg(long, default_value_t = 0.0)]
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
        let device = self.device.open()?;
        let mut sampler = Sampler::new(self.temperature, self.seed);
        print!("{}", self.prompt);
        let mut out = std::io::stdout();
        continued(&checkpoint, &tokenizer, &device, &self.prompt, self.max_tokens, &mut sampler, &mut |text| {
            print!("{text}");
            // A closed pipe is found again at the next print.
            let _ = out.flush();
        })?;
        println!();
        Ok(())
    }
}

/// Continues a prompt and hands over the text as it grows.
pub fn continued(
    checkpoint: &Checkpoint,
    tokenizer: &Tokenizer,
    device: &Device,
    prompt: &str,
    max_tokens: usize,
    sampler: &mut Sampler,
    on_text: &mut dyn FnMut(&str),
) -> Result<()> {
    let config = checkpoint.config();
    let decoder = Decoder::load(checkpoint, device.tensor_device())?;
    let own = tokenizer.encode(prompt)?;
    let tokens: Vec<u32> = config.bos_token.into_iter().chain(own.iter().copied()).collect();
    let mut all = own;
    let mut shown = tokenizer.decode(&all)?.len();
    block_on(generate(&decoder, config, &tokens, max_tokens, sampler, &mut |token| {
        all.push(token);
        let Ok(text) = tokenizer.decode(&all) else { return false };
        // Half a character is shown when its other half has come.
        if let Some(new) = text.get(shown..).filter(|n| !n.ends_with('\u{fffd}')) {
            on_text(new);
            shown = text.len();
        }
        true
    }))?;
    Ok(())
}
