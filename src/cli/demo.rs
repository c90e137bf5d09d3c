//! `slimgpt demo`: the shipped model, dense and pruned, side by side.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use pollster::block_on;
use slimgpt::allocate::Target;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::eval::perplexity;
use slimgpt::format;
use slimgpt::model::Sampler;
use slimgpt::pipeline::{Job, Limits, Request, plan};
use slimgpt::session::prune_to_folder;
use slimgpt::shipped;
use slimgpt::text::{Bos, Sampling, Tokenizer, Windows, windows};

use super::arguments::{self, DeviceArgument};
use super::generate::{Limit, Prompt, Writer};
use super::interrupt::Interrupt;
use super::peak::Watch;
use super::progress::Progress;
use super::{out, show};

/// Targets that are shown.
const TARGETS: [f64; 2] = [0.2, 0.5];
const CALIBRATION_WINDOWS: usize = 128;
const EVALUATION_WINDOWS: usize = 64;
const WINDOW_TOKENS: usize = 256;
const CONTINUED_TOKENS: usize = 48;

const EXAMPLES: &str = "\
Examples:
  slimgpt demo
  slimgpt demo --device cpu";

#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Demo {
    #[command(flatten)]
    device: DeviceArgument,
}

/// One line of the table, with the text that goes with it.
struct Shown {
    name: String,
    parameters: usize,
    bytes: usize,
    perplexity: f64,
    seconds: Option<f64>,
    text: String,
}

impl Demo {
    pub fn run(&self) -> Result<()> {
        let device = self.device.open()?;
        let folder = tempfile::tempdir()?;
        let dense = folder.path().join("dense");
        // Pruning goes through a folder, as it does for any other model.
        shipped::write(&dense)?;
        let (checkpoint, tokenizer) = shipped::open()?;
        let parameters = format::count(checkpoint.config().parameters());
        out::line(format_args!("The shipped model: a LLaMA with {parameters} parameters, trained on small stories."))?;
        let interrupt = Interrupt::listen();
        let mut shown = vec![measured("dense", checkpoint, tokenizer, &device, None)?];
        for target in TARGETS {
            shown.push(pruned(&dense, &device, target, &interrupt)?);
        }
        print(&shown, &device)
    }
}

fn pruned(dense: &Path, device: &Device, target: f64, interrupt: &Interrupt) -> Result<Shown> {
    let name = format!("{:.0} % pruned", 100.0 * target);
    let (checkpoint, tokenizer) = arguments::open(dense)?;
    let request =
        Request { windows: CALIBRATION_WINDOWS, window_tokens: WINDOW_TOKENS, ..Request::to(Target::Ratio(target)) };
    let plan = plan(&request, checkpoint.config(), &Limits::of(device, None))?;
    let windows = cut(&tokenizer, shipped::CALIBRATION, CALIBRATION_WINDOWS, &checkpoint)?;
    let started = Instant::now();
    let clock = || started.elapsed().as_secs_f64();
    let watch = Watch::start(device);
    let memory = || watch.look();
    let (checkpoint, windows, plan) = (&checkpoint, &windows, &plan);
    let job = Job { checkpoint, windows, plan, scores: None, device, clock: &clock, memory: &memory, typed: None };
    let mut progress = Progress::new(false, plan);
    // Beside the dense one, in the folder that goes when the demo ends.
    let out = dense.with_file_name(&name);
    out::note(format_args!("{name}:"));
    block_on(prune_to_folder(&job, &out, false, &mut |event| {
        progress.show(&event);
        interrupt.flow()
    }))?;
    let seconds = started.elapsed().as_secs_f64();
    measured(&name, Checkpoint::open(&out)?, tokenizer, device, Some(seconds))
}

fn measured(
    name: &str,
    checkpoint: Checkpoint,
    tokenizer: Tokenizer,
    device: &Device,
    seconds: Option<f64>,
) -> Result<Shown> {
    let windows = cut(&tokenizer, shipped::EVALUATION, EVALUATION_WINDOWS, &checkpoint)?;
    let found = block_on(perplexity(&checkpoint, &windows, device, &mut |_, _| {}))?;
    let (parameters, element_bytes) = (checkpoint.config().parameters(), checkpoint.dtype().bytes());
    let text = continuation(checkpoint, tokenizer, device)?;
    Ok(Shown {
        name: name.into(),
        parameters,
        bytes: parameters * element_bytes,
        perplexity: found.perplexity,
        seconds,
        text,
    })
}

fn continuation(checkpoint: Checkpoint, tokenizer: Tokenizer, device: &Device) -> Result<String> {
    let prompt = Prompt::continuing(shipped::PROMPT, checkpoint.config().bos_token, &tokenizer)?;
    let mut writer = Writer::new("demo".into(), checkpoint, tokenizer, prompt);
    // At temperature 0, so that every run of the demo shows the same texts.
    writer.load(device, &mut |_, _| {})?;
    let limit = Limit { tokens: CONTINUED_TOKENS, stops: vec![] };
    Ok(writer.write(&limit, &mut Sampler::new(0.0, 0), &mut |_| true)?.text)
}

fn cut(tokenizer: &Tokenizer, text: &str, count: usize, checkpoint: &Checkpoint) -> Result<Vec<Vec<u32>>> {
    let which =
        // The shipped model was trained on windows that begin with the token.
        Windows { count: Some(count), length: WINDOW_TOKENS, sampling: Sampling::Sequential, bos: Bos::Each, seed: 0 };
    Ok(windows(tokenizer, &[text.to_owned()], checkpoint.config().bos_token, &which)?)
}

fn print(shown: &[Shown], device: &Device) -> Result<()> {
    let rows: Vec<Vec<String>> = shown
        .iter()
        .map(|s| {
            vec![
                s.name.clone(),
                format::count(s.parameters),
                format::bytes(s.bytes as u64),
                format!("{:.3}", s.perplexity),
                s.seconds.map_or_else(|| "-".into(), |t| format!("{t:.1}")),
            ]
        })
        .collect();
    out::line(show::table(&["model", "parameters", "bytes", "perplexity", "seconds"], &rows))?;
    out::line(format_args!(
        "Perplexity over {EVALUATION_WINDOWS} windows of {WINDOW_TOKENS} tokens that calibration did not see, on {}.\n\n\"{}\" is continued by",
        device.name(),
        shipped::PROMPT
    ))?;
    for s in shown {
        out::line(format_args!("\n  {}:\n    {}", s.name, first_paragraph(&s.text)))?;
    }
    Ok(())
}

/// The first paragraph that says something.
fn first_paragraph(text: &str) -> &str {
    match text.trim_start().split("\n\n").next().unwrap_or_default().trim_end() {
        "" => "(the text ends here)",
        paragraph => paragraph,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_continuation_that_begins_with_an_empty_line_is_shown_all_the_same() {
        assert_eq!(first_paragraph("\n\n Once.\n\nTwice."), "Once.");
        assert_eq!(first_paragraph(" \n"), "(the text ends here)");
    }
}
