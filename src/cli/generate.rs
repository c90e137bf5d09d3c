//! `slimgpt generate`.

mod arguments;
mod compare;
mod prompt;
mod writer;

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use slimgpt::device::Device;
use slimgpt::model::{Sampler, SamplerOptions};

use super::arguments::DeviceArgument;
use super::exit::{Interrupted, Usage};
use super::hub::{Given, Online};
use super::interrupt::Interrupt;
use super::{out, parse, progress};
use arguments::PromptArguments;
pub use prompt::Prompt;
use writer::Continuation;
pub use writer::{Limit, Writer};

const EXAMPLES: &str = "\
Examples:
  slimgpt generate ./slim --prompt \"Once upon a time\"
  slimgpt generate ./slim --prompt \"Once upon a time\" --max-tokens 200 --temperature 0.8 --top-p 0.9 --seed 1
  slimgpt generate ./slim-chat --chat --system \"Answer in one line.\" --prompt \"Why is the sky blue?\"
  cat article.txt | slimgpt generate ./slim --prompt-file - --stop \"\\n\\n\" --json
  slimgpt generate --compare ./dense ./slim --prompt \"Once upon a time\"

The options of the draw mean what they mean in transformers and are applied in its order:
repetition penalty, temperature, top-k, top-p. They matter only above --temperature 0, but for the
penalty. A --stop is taken as it is typed, with \\n, \\t and \\\\ read as line end, tab and backslash.";

#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Generate {
    /// Folder of a checkpoint, dense or pruned, a GGUF file, or a name on the hub (org/name)
    #[arg(required_unless_present = "compare")]
    model: Option<PathBuf>,
    /// Continue with two models and show both: DENSE and PRUNED, or PRUNED alone after MODEL
    #[arg(long, num_args = 1..=2, value_names = ["DENSE", "PRUNED"])]
    compare: Vec<PathBuf>,
    #[command(flatten)]
    prompt: PromptArguments,
    /// Tokens to add at most; less where the model ends the text or its context is full
    #[arg(long, default_value = "128", value_name = "N", value_parser = parse::at_least_one)]
    max_tokens: usize,
    #[command(flatten)]
    draw: Draw,
    /// Text before which to end; may be given several times
    #[arg(long, value_name = "TEXT", value_parser = unescaped)]
    stop: Vec<String>,
    #[command(flatten)]
    device: DeviceArgument,
    #[command(flatten)]
    online: Online,
    /// Print one JSON object: text, tokens, seconds, tokens per second, what it was stopped by
    #[arg(long)]
    json: bool,
}

/// How the next token is chosen.
#[derive(Args)]
struct Draw {
    /// 0 takes the likeliest token; higher values vary more
    #[arg(long, default_value = "0", value_name = "T", value_parser = parse::not_negative, allow_negative_numbers = true)]
    temperature: f64,
    /// Draw from the likeliest tokens that together have this probability
    #[arg(long, default_value = "1", value_name = "P", value_parser = parse::probability, allow_negative_numbers = true)]
    top_p: f64,
    /// Draw from so many of the likeliest tokens; by default from all
    #[arg(long, value_name = "K", value_parser = parse::at_least_one)]
    top_k: Option<usize>,
    /// Above 1, tokens that prompt and text already have become less likely
    #[arg(long, default_value = "1", value_name = "R", value_parser = parse::positive, allow_negative_numbers = true)]
    repetition_penalty: f64,
    /// Seed of the draws
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

impl Draw {
    fn sampler(&self) -> Sampler {
        let Self { temperature, top_p, top_k, repetition_penalty, seed } = *self;
        Sampler::with(SamplerOptions { temperature, top_k, top_p, repetition_penalty }, seed)
    }
}

impl Generate {
    /// What may be a name on the hub.
    pub fn given(&mut self) -> Given<'_> {
        // Of several that are compared none is the one that it would be added to.
        let adapter = self.model.is_some().then_some(self.prompt.adapter_mut());
        let models = self.model.iter_mut().chain(&mut self.compare).collect();
        let (online, json) = (self.online, self.json);
        Given { adapter, ..Given::of(online, models, json) }
    }

    pub fn run(&self) -> Result<()> {
        if !self.compare.is_empty() {
            return self.compare();
        }
        // clap asks for MODEL wherever there is no --compare.
        let Some(model) = &self.model else { return Ok(()) };
        let mut writer = self.prompt.open(model, &self.prompt.text()?)?;
        let device = self.device.open()?;
        let interrupt = Interrupt::listen_saying("stopping");
        writer.load(&device, &mut progress::counting("loading", self.json))?;
        if !self.json {
            out::piece(writer.prompt().shown())?;
        }
        // The callback can only say stop; why is told when the writing has ended.
        let mut printed = Ok(());
        let written = writer.write(&self.limit(), &mut self.draw.sampler(), &mut |text| {
            if !self.json {
                printed = out::piece(text);
            }
            printed.is_ok() && !interrupt.is_pressed()
        })?;
        printed?;
        self.show(&written, &device)?;
        interrupted(&interrupt)
    }

    fn limit(&self) -> Limit {
        Limit { tokens: self.max_tokens, stops: self.stop.clone() }
    }

    fn show(&self, written: &Continuation, device: &Device) -> Result<()> {
        if self.json {
            return out::json(&with_device(serde_json::to_value(written)?, device));
        }
        out::line("")?;
        // Standard output holds the text and nothing else.
        out::note(format_args!("{written}, on {}", device.name()));
        Ok(())
    }
}

/// A result with the name of the device it was computed on.
fn with_device(mut result: Value, device: &Device) -> Value {
    result["device"] = json!(device.name());
    result
}

/// Ctrl-C is no success, but all that was written has been shown.
fn interrupted(interrupt: &Interrupt) -> Result<()> {
    if interrupt.is_pressed() { Err(Interrupted.into()) } else { Ok(()) }
}

/// A stop as typed: shells have no short way of typing a line end.
fn unescaped(text: &str) -> Result<String, String> {
    let mut read = String::new();
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        let escaped = if c == '\\' { characters.next() } else { None };
        match (c, escaped) {
            ('\\', Some('n')) => read.push('\n'),
            ('\\', Some('t')) => read.push('\t'),
            ('\\', Some('\\')) => read.push('\\'),
            ('\\', other) => {
                return Err(format!("\\{} is not \\n, \\t or \\\\", other.map_or(String::new(), String::from)));
            }
            (c, _) => read.push(c),
        }
    }
    if read.is_empty() { Err("an empty stop would end every text at once".into()) } else { Ok(read) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_may_have_line_ends() {
        assert_eq!(unescaped("\\n\\nQ:\\t\\\\"), Ok("\n\nQ:\t\\".into()));
        assert_eq!(unescaped("Q: é"), Ok("Q: é".into()));
        assert!(unescaped("").is_err() && unescaped("\\x").is_err() && unescaped("a\\").is_err());
    }
}
