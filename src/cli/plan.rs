//! `slimgpt plan`: what would be done, without reading weights or text.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use pollster::block_on;
use slimgpt::device::{Device, DeviceChoice};
use slimgpt::export::gguf::{self, FileType};
use slimgpt::format;
use slimgpt::hub::Need;
use slimgpt::pipeline::{Limits, Plan, plan};
use slimgpt::shape::{ModelConfig, places};

use super::arguments::{self, CalibrationSize, Pruning, device_parser};
use super::choice::choice;
use super::exit::Usage;
use super::hub::{Given, Online};
use super::{export, out, parse, show, variables};

mod recovery;
mod rounding;
mod sharing;

use recovery::Recovery;

const EXAMPLES: &str = "\
Examples:
  slimgpt plan ./Llama-2-7b-hf --target 0.2
  slimgpt plan ./Llama-2-7b-hf --target-params 5.4B --schedule linear --json
  slimgpt plan ./SmolLM2-135M --target 0.2 --head-ratio 0 --keep-layers 0,29
  slimgpt plan ./Llama-2-7b-hf --target 0.2 --channel-multiple 256 --gguf-dtype q4_k_m
  slimgpt plan ./SmolLM2-135M --shape kv_heads=2,channels=1024
  slimgpt plan ./Llama-2-7b-hf --target 0.2 --device gpu
  slimgpt plan ./Llama-2-70b-hf --target 0.5 --samples 256 --seq-len 2048 --memory 24GB
  slimgpt plan ./Llama-2-70b-hf --target 0.5 --memory 141GB --processes 8
  slimgpt plan ./slim --recover --memory 8GiB";

const UNSEARCHED: &str = "a plan reads no weights and no text, and a search needs both: `slimgpt search` makes a file of sizes, \
which --schedule FILE takes";

const OPEN: &str = "how much each layer loses follows from the calibration text, which a plan does not read; \
the report of `slimgpt prune` has it";

#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct PlanCommand {
    /// Folder of a Hugging Face checkpoint, or its name on the hub (org/name); config.json is enough, and all that is
    /// downloaded
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
    /// Say how large a GGUF file of this type will be, and which matrices cannot have its blocks
    #[arg(long, value_name = "TYPE", value_parser = choice::<FileType>())]
    gguf_dtype: Option<FileType>,
    /// Devices or processes that share the calibration windows: what that costs and saves
    ///
    /// The memory is then what each device, and this machine for all of them, needs. Seconds are those of
    /// the rates that are told with them.
    #[arg(long, value_name = "N", value_parser = parse::at_least_one, hide_short_help = true)]
    processes: Option<usize>,
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
        Given { need: Need::Config, ..Given::of(self.online, models, self.json) }
    }

    pub fn run(&self) -> Result<()> {
        let checkpoint = arguments::open_sizes(&self.model)?;
        if self.recovery.is_asked() {
            let limits = self.limits()?;
            return self.recovery.run(checkpoint.config(), self.size.seq_len, &limits, self.json);
        }
        if self.pruning.is_search() {
            return Err(Usage(UNSEARCHED.into()).into());
        }
        // The seed decides which units go, not how many.
        let request = self.pruning.request(&self.size, &checkpoint, 0)?;
        let limits = Limits { ranks: self.processes.unwrap_or(1), ..self.limits()? };
        let plan = plan(&request, checkpoint.config(), &limits)?;
        if plan.is_open() {
            return self.open(&plan, checkpoint.config());
        }
        if let Some(dtype) = self.gguf_dtype {
            let pruned = plan.pruned_config(checkpoint.config());
            let bytes = format::bytes(gguf::data_bytes(&pruned, dtype)?);
            out::note(format_args!("the weights take {bytes} in a GGUF file of type {dtype}"));
            export::hint_at_fallbacks(&pruned, dtype)?;
        }
        if self.json {
            return out::json(&plan);
        }
        out::line(layers(&plan))?;
        for line in rounding::lines(&plan) {
            out::line(line)?;
        }
        self.close(&plan, checkpoint.config())
    }

    /// What is told of every plan at its end.
    fn close(&self, plan: &Plan, config: &ModelConfig) -> Result<()> {
        out::line(format_args!("{}\n{}", totals(plan), memory_lines(plan)))?;
        sharing::lines(plan, config).into_iter().try_for_each(out::line)?;
        Ok(())
    }

    /// A plan whose layers' sizes are not known yet has none to show.
    fn open(&self, plan: &Plan, config: &ModelConfig) -> Result<()> {
        if self.json {
            // Sizes of layers would be a guess here.
            return out::json(&Plan { layers: Vec::new(), ..plan.clone() });
        }
        out::line(OPEN)?;
        self.close(plan, config)
    }

    fn limits(&self) -> Result<Limits> {
        match &self.device {
            // Without limits that are known nothing is refused for want of memory.
            None => Ok(self.pruning.knobs.within(Limits { is_gpu: true, ..Limits::default() })),
            // There is no --out; the disk of the working folder stands for its disk.
            Some(choice) => {
                let device = block_on(Device::open(choice))?;
                arguments::told(&device);
                Ok(self.pruning.knobs.limits(&device, Path::new(".")))
            }
        }
    }
}

fn layers(plan: &Plan) -> comfy_table::Table {
    let places = places(plan.layers.iter().map(|l| l.after));
    let rows: Vec<Vec<String>> = plan
        .layers
        .iter()
        .zip(places)
        .enumerate()
        .map(|(i, (l, place))| {
            vec![
                format::moved(i, place),
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
    // The target is met to a step of channels, and by which is not known before the text is read.
    let about = if plan.is_open() { "about " } else { "" };
    format!(
        "{} → {about}{} parameters: {} less, {} of the decoder layers",
        format::count(plan.parameters_before),
        format::count(plan.parameters_after),
        format::percent(gone),
        format::percent(plan.decoder_ratio()),
    )
}

/// The bytes that the work takes, where, and what for.
pub fn memory_lines(plan: &Plan) -> String {
    let memory = show::memory(&plan.memory.parts);
    match plan.ranks {
        1 => memory,
        ranks => format!("{ranks} share the windows; memory on the device is that of each\n{memory}"),
    }
}
