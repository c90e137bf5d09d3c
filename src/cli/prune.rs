//! `slimgpt prune`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use pollster::block_on;
use slimgpt::device::Device;
use slimgpt::obs::{CpuExecutor, WgpuExecutor};
use slimgpt::pipeline::{
    Event, Flow, Job, LayerSink, Limits, Opened, OutputFolder, PipelineError, Report, Request, plan, prune,
};

use super::arguments::{self, Calibration, DeviceArgument, Pruning};
use super::interrupt::Interrupt;
use super::progress::Progress;
use super::{plan as plan_command, show};

const EXAMPLES: &str = "\
Examples:
  slimgpt prune ./Llama-2-7b-hf --out ./slim --target 0.2 --calibration c4.jsonl
  slimgpt prune ./Llama-2-7b-hf --out ./slim --target-params 5.4B --calibration a.txt --calibration b.txt
  slimgpt prune ./model --out ./slim --target 0.5 --paper --calibration c4.jsonl --device cpu

Interrupted with Ctrl-C or killed, the same command goes on after the last whole layer, and the
result is the same to the last byte. OUT appears only when it is whole.";

/// Arguments of `prune`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Prune {
    /// Folder of a Hugging Face checkpoint (LLaMA, Mistral, Qwen2), dense or pruned
    model: PathBuf,
    /// Folder to make
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    pruning: Pruning,
    #[command(flatten)]
    calibration: Calibration,
    #[command(flatten)]
    device: DeviceArgument,
    /// Print the events as JSON lines on standard output
    #[arg(long)]
    json: bool,
    /// Replace OUT if it is a result of this program
    #[arg(long)]
    overwrite: bool,
}

impl Prune {
    /// Runs the command.
    pub fn run(&self) -> Result<()> {
        let (checkpoint, tokenizer) = arguments::open(&self.model)?;
        let size = &self.calibration.size;
        let request = self.pruning.request(size.samples, size.length(checkpoint.config()), self.calibration.seed);
        // What cannot work is refused before a device is opened or a text is read.
        let anywhere = Request { memory: None, ..request.clone() };
        plan(&anywhere, checkpoint.config(), &Limits::default())?;
        let device = self.device.open()?;
        let plan = plan(&request, checkpoint.config(), &arguments::limits(&device))?;
        let windows = self.calibration.windows(&checkpoint, &tokenizer)?;
        if !self.json {
            eprintln!("{}", plan_command::memory_lines(&plan));
        }
        let started = Instant::now();
        let clock = || started.elapsed().as_secs_f64();
        let job = Job { checkpoint: &checkpoint, windows: &windows, plan: &plan, device: &device, clock: &clock };
        let interrupt = Interrupt::listen();
        let mut progress = Progress::new(self.json, &plan);
        let mut observe = |event: Event| {
            progress.show(&event);
            interrupt.flow()
        };
        let report = to_folder(&job, &self.out, self.overwrite, &mut observe)?;
        if !self.json {
            println!("{}", summary(&report, &self.out, &device));
        }
        Ok(())
    }
}

/// Prunes into a folder, on whichever executor goes with the device.
pub fn to_folder(job: &Job<'_>, out: &Path, overwrite: bool, observe: &mut dyn FnMut(Event) -> Flow) -> Result<Report> {
    match OutputFolder::open(out, job, overwrite)? {
        Opened::Finished(report) => Ok(*report),
        Opened::Work(mut folder) => Ok(execute(job, &mut folder, observe)?),
    }
}

fn execute(
    job: &Job<'_>,
    sink: &mut impl LayerSink,
    observe: &mut dyn FnMut(Event) -> Flow,
) -> Result<Report, PipelineError> {
    match job.device.is_gpu() {
        true => block_on(prune(job, &WgpuExecutor::new(job.device.tensor_device()), sink, observe)),
        false => block_on(prune(job, &CpuExecutor::<f32>::new(), sink, observe)),
    }
}

fn summary(report: &Report, out: &Path, device: &Device) -> String {
    let gone = 1.0 - report.parameters_after as f64 / report.parameters_before as f64;
    format!(
        "{}: {} of {} parameters ({} less), {} of {}, {} calibration tokens, {:.1} s on {}",
        out.display(),
        show::count(report.parameters_after),
        show::count(report.parameters_before),
        show::percent(gone),
        show::bytes(report.bytes_after),
        show::bytes(report.bytes_before),
        show::count(report.calibration_tokens),
        report.timing.layer_seconds.iter().sum::<f64>(),
        device.name(),
    )
}
