//! `slimgpt bench`: what models cost, one beside the other.

mod times;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use pollster::block_on;
use serde::Serialize;
use serde_json::json;
use slimgpt::beside;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::{Device, Peak};
use slimgpt::eval::cost::{MultiplyAdds, cache_bytes_per_token, multiply_adds, weight_bytes};
use slimgpt::eval::{Speed, Timed, TokenTimed, speed};
use slimgpt::format;
use slimgpt::model::{Decoder, fits};

use super::arguments::{self, DeviceArgument};
use super::exit::Interrupted;
use super::hub::{Given, Online, model_called};
use super::interrupt::Interrupt;
use super::peak::Watch;
use super::{out, parse, progress, show};

use times::TimesFile;

const EXAMPLES: &str = "\
Examples:
  slimgpt bench ./Llama-2-7b-hf ./slim                  dense beside pruned
  slimgpt bench ./slim --new-tokens 128 --repeats 5 --json
  slimgpt bench ./SmolLM2-135M --times times.json       a table for `slimgpt search --target-time`

Latency is the time to write --new-tokens after a single token, greedily and one by one, whatever the
model would end at; mean ± standard deviation over --repeats, after one repeat as warm-up. Decode
tokens/s are those tokens over that mean. Prefill is a prompt of --prompt-tokens read at once.
Everything runs in single precision, one text at a time, one model after the other.

Multiply-adds are those of one token that attends to --prompt-tokens tokens: of each layer
2 d q + 2 d k + 3 d c for the projections and 2 q · tokens for attention, then vocabulary · d for the
logits, with hidden size d, q = heads · head_dim, k = K/V heads · head_dim and c channels.

Memory is the most that was seen in use, from before a model is loaded until it is measured: of the
process on the host, weights read from files included, and of the allocator on the device.

With --times, what a token takes is measured with all layers of a smaller shape, for some numbers of heads and of
channels, and nothing else. It is written behind --prompt-tokens others (up to 32 of --new-tokens are timed, twice);
reading a prompt is another matter, whose time goes about with the parameters. The weights are random: only sizes count.
The table holds for models of these sizes on this device.";

#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Bench {
    /// Folders of checkpoints, dense or pruned, or names on the hub (org/name); ratios are to the first
    #[arg(required = true, value_name = "MODEL")]
    models: Vec<PathBuf>,
    /// Tokens of the prompt whose reading is timed
    #[arg(long, default_value = "512", value_name = "N", value_parser = parse::at_least_one)]
    prompt_tokens: usize,
    /// Tokens whose writing is timed
    #[arg(long, default_value = "512", value_name = "N", value_parser = parse::at_least_one)]
    new_tokens: usize,
    /// Times that both are timed
    #[arg(long, default_value = "50", value_name = "N", value_parser = parse::at_least_one)]
    repeats: usize,
    /// Measure instead what a token takes with smaller layers, for `slimgpt search --target-time`, and write it here
    #[arg(long, value_name = "FILE")]
    times: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgument,
    #[command(flatten)]
    online: Online,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What a model costs.
#[derive(Serialize)]
struct Cost {
    model: String,
    parameters: usize,
    decoder_parameters: usize,
    bytes_on_disk: u64,
    weight_bytes: u64,
    cache_bytes_per_token: u64,
    multiply_adds: MultiplyAdds,
    multiply_adds_total: u64,
    prefill_tokens_per_second: f64,
    decode_tokens_per_second: f64,
    speed: Speed,
    peak: Peak,
}

impl Bench {
    /// What may be a name on the hub.
    pub fn given(&mut self) -> Given<'_> {
        let models = self.models.iter_mut().collect();
        let (online, json) = (self.online, self.json);
        Given::of(online, models, json)
    }

    pub fn run(&self) -> Result<()> {
        if let Some(file) = &self.times {
            return self.times(file);
        }
        // All folders are opened first, so that a wrong one is told before the others are measured.
        let checkpoints = self.models.iter().map(|m| arguments::open_weights(m)).collect::<Result<Vec<_>>>()?;
        let timed = self.timed(&checkpoints);
        let device = self.device.open()?;
        let interrupt = Interrupt::listen_saying("stopping; what was not measured to its end is left out");
        let mut costs = Vec::new();
        for (model, checkpoint) in self.models.iter().zip(checkpoints) {
            if !self.json {
                out::note(format_args!("{}:", model_called(model)));
            }
            match self.measured(&checkpoint, timed, &device, &interrupt)? {
                Some((speed, peak)) => costs.push(Cost::new(model, &checkpoint, speed, peak)?),
                // What was measured before Ctrl-C is still shown.
                None => break,
            }
        }
        self.show(&costs, timed, &device)?;
        if interrupt.is_pressed() { Err(Interrupted.into()) } else { Ok(()) }
    }

    fn times(&self, file: &Path) -> Result<()> {
        let times = TimesFile::ask(file, &self.models)?;
        let checkpoint = arguments::open_sizes(&self.models[0])?;
        let timed = TokenTimed { context: self.prompt_tokens, tokens: self.new_tokens };
        times.run(&checkpoint, timed, &self.device.open()?, self.json)
    }

    /// What is asked for, shortened to the shortest context, so that all models do the same.
    fn timed(&self, checkpoints: &[Checkpoint]) -> Timed {
        let Self { prompt_tokens, new_tokens, repeats, .. } = *self;
        let asked = Timed { prompt_tokens, new_tokens, repeats };
        let room = checkpoints.iter().map(|c| c.config().max_positions).min().unwrap_or(usize::MAX);
        let timed = asked.within(room);
        if timed != asked {
            let Timed { prompt_tokens, new_tokens, .. } = timed;
            out::note(format_args!(
                "note: a context has only {room} tokens, so all models read {prompt_tokens} tokens and write {new_tokens}"
            ));
        }
        timed
    }

    /// Loads a model, measures it, and lets it go; `None` when interrupted.
    fn measured(
        &self,
        checkpoint: &Checkpoint,
        timed: Timed,
        device: &Device,
        interrupt: &Interrupt,
    ) -> Result<Option<(Speed, Peak)>> {
        // Before loading, because the peak includes what reading the weights takes.
        let watch = Watch::start(device);
        fits(checkpoint.config(), device)?;
        let decoder =
            Decoder::load_telling(checkpoint, device.tensor_device(), &mut progress::counting("loading", self.json))?;
        let started = Instant::now();
        // Seconds from any moment will do: `speed` takes differences.
        let clock = || started.elapsed().as_secs_f64();
        let mut bar = progress::counting("tokens", self.json);
        let mut on_step = |done, steps| {
            bar(done, steps);
            !interrupt.is_pressed()
        };
        let found = block_on(speed(&decoder, checkpoint.config(), timed, &clock, &mut on_step))?;
        Ok(found.map(|speed| (speed, watch.look())))
    }

    fn show(&self, costs: &[Cost], timed: Timed, device: &Device) -> Result<()> {
        if self.json {
            return out::json(&json!({ "device": device.name(), "timed": timed, "models": costs }));
        }
        let Some(first) = costs.first() else { return Ok(()) };
        let names = costs.iter().map(|cost| cost.model.as_str());
        let header: Vec<&str> = std::iter::once("").chain(names).collect();
        let rows: Vec<Vec<String>> = LINES
            .iter()
            .map(|(name, value, shown)| {
                let cells = costs.iter().map(|cost| cell(value(cost), value(first), shown, costs.len() > 1));
                std::iter::once((*name).to_owned()).chain(cells).collect()
            })
            .chain([latencies(costs)])
            .collect();
        out::line(show::table(&header, &rows))?;
        let Timed { prompt_tokens, new_tokens, repeats } = timed;
        Ok(out::line(format_args!(
            "{prompt_tokens} tokens read, {new_tokens} written, {repeats} times, on {}; multiply-adds with {prompt_tokens} tokens of context",
            device.name()
        ))?)
    }
}

impl Cost {
    fn new(model: &Path, checkpoint: &Checkpoint, speed: Speed, peak: Peak) -> Result<Self> {
        let config = checkpoint.config();
        let multiply_adds = multiply_adds(config, speed.timed.prompt_tokens);
        Ok(Self {
            model: model_called(model),
            parameters: config.parameters(),
            decoder_parameters: config.decoder_parameters(),
            bytes_on_disk: bytes_on_disk(model)?,
            weight_bytes: weight_bytes(config),
            cache_bytes_per_token: cache_bytes_per_token(config),
            multiply_adds,
            multiply_adds_total: multiply_adds.total(),
            prefill_tokens_per_second: speed.prefill_rate(),
            decode_tokens_per_second: speed.decode_rate(),
            speed,
            peak,
        })
    }
}

/// A line of the table: its name, its number, and how the number is written.
type Line = (&'static str, fn(&Cost) -> Option<f64>, fn(f64) -> String);

// As functions, because each is asked of every model and of the first, for the ratio.
// Counts go through f64, which is exact up to 2⁵³.
const LINES: &[Line] = &[
    ("parameters", |c| Some(c.parameters as f64), |n| format::count(n as usize)),
    ("of the decoder layers", |c| Some(c.decoder_parameters as f64), |n| format::count(n as usize)),
    ("bytes on disk", |c| Some(c.bytes_on_disk as f64), bytes),
    ("weights as computed with", |c| Some(c.weight_bytes as f64), bytes),
    ("cache for each token", |c| Some(c.cache_bytes_per_token as f64), bytes),
    ("multiply-adds of a token", |c| Some(c.multiply_adds_total as f64), |n| format::count(n as usize)),
    ("peak on the host", |c| c.peak.host_bytes.map(|b| b as f64), bytes),
    ("peak on the device", |c| c.peak.device_bytes.map(|b| b as f64), bytes),
    ("prefill tokens/s", |c| Some(c.prefill_tokens_per_second), |n| format!("{n:.1}")),
    ("decode tokens/s", |c| Some(c.decode_tokens_per_second), |n| format!("{n:.1}")),
];

fn bytes(n: f64) -> String {
    format::bytes(n as u64)
}

/// A number, with its ratio to that of the first model where there are several.
fn cell(value: Option<f64>, first: Option<f64>, shown: &fn(f64) -> String, several: bool) -> String {
    match (value, first) {
        // A single model would only be compared with itself.
        (Some(value), Some(first)) if several && first > 0.0 => format!("{} ({:.2}×)", shown(value), value / first),
        (Some(value), _) => shown(value),
        (None, _) => "-".into(),
    }
}

/// The line of latencies, which have a deviation.
fn latencies(costs: &[Cost]) -> Vec<String> {
    let cells = costs.iter().map(|c| {
        let latency = &c.speed.latency;
        format!("{:.3} ± {:.3} s", latency.mean, latency.standard_deviation)
    });
    std::iter::once("latency".to_owned()).chain(cells).collect()
}

/// All files that hold weights.
fn bytes_on_disk(model: &Path) -> Result<u64> {
    // A folder of a download cache holds links; what they lead to counts.
    let sizes = beside::weights(model)?.into_iter().map(|file| Ok(std::fs::metadata(file)?.len()));
    sizes.sum::<Result<u64>>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_its_ratio_to_the_first() {
        let shown: fn(f64) -> String = |n| format!("{n}");
        assert_eq!(cell(Some(3.0), Some(4.0), &shown, true), "3 (0.75×)");
        assert_eq!(cell(Some(3.0), Some(3.0), &shown, false), "3");
        assert_eq!(cell(None, None, &shown, true), "-");
    }
}
