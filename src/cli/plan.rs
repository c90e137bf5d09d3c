//! `slimgpt plan`: what would be done, without reading weights or text.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use pollster::block_on;
use slimgpt::device::{Device, DeviceChoice};
use slimgpt::format;
use slimgpt::hub::Need;
use slimgpt::pipeline::{Limits, Plan, plan};

use super::arguments::{self, CalibrationSize, Pruning, device_parser};
use super::exit::Usage;
use super::hub::{Given, Online};
use super::{out, show, variables};

mod recovery;
mod rounding;

use recovery::Recovery;

const EXAMPLES: &str = "\
Examples:
  slimgpt plan ./Llama-2-7b-hf --target 0.2
  slimgpt plan ./Llama-2-7b-hf --target-params 5.4B --schedule linear --json
  slimgpt plan ./SmolLM2-135M --target 0.2 --head-ratio 0 --keep-layers 0,29
  slimgpt plan ./SmolLM2-135M --shape kv_heads=2,channels=1024
  slimgpt plan ./Llama-2-7b-hf --target 0.2 --device gpu --memory 8GiB
  slimgpt plan ./slim --recover --memory 8GiB";

const UNSEARCHED: &str = "a plan reads no weights and no text, and a search needs both: `slimgpt search` makes a file of sizes, \
which --schedule FILE takes";

#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct PlanCommand {
    /// Folder of a Hugging Face checkpoint, or its name on the hub (org/name), of which only config.json is downloaded
    model: PathBuf,
    #[command(flatten)]
    pruning: Pruning,
    #[command(flatten)]
    size: CalibrationSize,
    /// Hold the memory against this device
    ///
    /// Without it, no device is touched and the memory is that of any GPU. See `slimgpt devices` for
    /// what can be typed here.
    #[arg(long, value_name = "DEVICE", value_parser = device_parser(), env = variables::DEVICE)]
    device: Option<DeviceChoice>,
    #[command(flatten)]
    recovery: Recovery,
    #[command(flatten)]
    online: Online,
    /// Print the plan as one JSON object
    #[arg(long)]
    json: bool,
}

impl PlanCommand {
    /// What may be a name on the hub. Weights are read by no plan, and so not downloaded for one.
    pub fn given(&mut self) -> Given<'_> {
        let models = [&mut self.model].into_iter().chain(self.recovery.teacher_mut()).collect();
        Given { online: self.online, need: Need::Config, models, texts: Vec::new(), json: self.json, events: false }
    }

    pub fn run(&self) -> Result<()> {
        let (config, checkpoint) = arguments::open_sizes(&self.model)?;
        if self.recovery.is_asked() {
            let limits = self.pruning.knobs.within(self.limits()?);
            return self.recovery.run(&config, self.size.seq_len, &limits, self.json);
        }
        if self.pruning.is_search() {
            return Err(Usage(UNSEARCHED.into()).into());
        }
        // The seed decides which units go, not how many.
        let request = self.pruning.request(&self.size, &config, checkpoint.as_ref(), 0)?;
        let limits = self.pruning.knobs.within(self.limits()?);
        let plan = plan(&request, &config, &limits)?;
        if self.json {
            return out::json(&plan);
        }
        out::line(layers(&plan))?;
        for line in rounding::lines(&plan) {
            out::line(line)?;
        }
        Ok(out::line(format_args!("{}\n{}", totals(&plan), memory_lines(&plan)))?)
    }

    fn limits(&self) -> Result<Limits> {
        match &self.device {
            // Without limits that are known nothing is refused for want of memory.
            None => Ok(Limits { is_gpu: true, ..Limits::default() }),
            // There is no --out; the disk of the working folder stands for its disk.
            Some(choice) => {
                let device = block_on(Device::open(choice))?;
                arguments::told(&device);
                Ok(Limits::of(&device, Some(Path::new("."))))
            }
        }
    }
}

fn layers(plan: &Plan) -> comfy_table::Table {
    let rows: Vec<Vec<String>> = plan
        .layers
        .iter()
        .enumerate()
        .map(|(i, l)| {
            vec![
                i.to_string(),
                l.ratio.to_string(),
                format::arrow(l.before.kv_heads, l.after.kv_heads),
                format::arrow(l.before.heads, l.after.heads),
                format::arrow(l.before.channels, l.after.channels),
                format::count(l.parameters_after),
            ]
        })
        .collect();
    show::table(&["layer", "ratio", "K/V heads", "query heads", "channels", "parameters"], &rows)
}

/// The parameters of the whole model, in one line.
pub fn totals(plan: &Plan) -> String {
    let gone = 1.0 - plan.parameters_after as f64 / plan.parameters_before as f64;
    format!(
        "{} → {} parameters: {} less, {} of the decoder layers",
        format::count(plan.parameters_before),
        format::count(plan.parameters_after),
        format::percent(gone),
        format::percent(plan.decoder_ratio()),
    )
}

/// The bytes that the work takes, where, and what for.
pub fn memory_lines(plan: &Plan) -> String {
    show::memory(&plan.memory.parts)
}
