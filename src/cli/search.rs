//! `slimgpt search`: sizes that are searched for.

mod climb;
mod progress;
mod rise;
mod rounds;
mod searching;
mod table;
mod tune;

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use slimgpt::allocate::Target;
use slimgpt::disk;
use slimgpt::place::{Kind, Place};

use super::arguments::{self, Calibration, DeviceArgument, Pruning};
use super::hub::{Given, Online};
use super::interrupt::Interrupt;
use super::{exit, out, parse};

pub use climb::{ClimbArgument, lines};
pub use rise::{RiseArgument, Within, told};
pub use rounds::RoundsArgument;
pub use searching::{Probe, Searching};
pub use tune::{TuneArgument, Tuned};

const EXAMPLES: &str = "\
Examples:
  slimgpt search ./SmolLM2-135M --targets 0.2,0.25,0.5 --calibration c4.jsonl --out plan.json
  slimgpt search ./SmolLM2-135M --target-bytes 200MB --uniform --calibration c4.jsonl --out one-shape.json
  slimgpt search ./SmolLM2-135M --target-time 0.8x --times times.json --calibration c4.jsonl --out fast.json
  slimgpt search ./SmolLM2-135M --max-perplexity-rise 10% --calibration c4.jsonl --out plan.json
  slimgpt search ./SmolLM2-135M --targets 0.25 --search-minutes 10 --calibration c4.jsonl --out climbed.json
  slimgpt prune ./SmolLM2-135M --schedule search --target 0.25 --calibration c4.jsonl --out ./slim

Each site of each layer is cut alone to several sizes, with the weights refitted, and the divergence of what the model
then expects from what it expected is measured on other windows of text (the probe). Sizes are those with the least sum
of divergences that meet the target. One search serves all targets; the file may be edited, and
`prune --schedule FILE --target 0.25` prunes by it.

With --target-time the sizes are those with which writing a token takes no longer, by a table that
`slimgpt bench MODEL --times FILE` has measured on the same device.

With --max-perplexity-rise candidates are pruned beside OUT (OUT.candidate-1 …), measured on held-out text, and removed;
the file has the smallest that stays within.

With --search-rounds 2 the first search finds sizes for half of what is to go; the model is pruned to them, and a second
search measures in it what the other half costs.

With --search-minutes 10 the sizes are where it begins: for ten minutes complete candidates, each two sites away from the
best so far, are pruned and judged by the divergence of the whole model.

Interrupted, the same command goes on after the last whole layer or candidate (OUT.partial).";

#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct SearchCommand {
    /// Folder of a Hugging Face checkpoint, or its name on the hub (org/name)
    model: PathBuf,
    /// Shares of the decoder layers' parameters to remove, with commas between
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        value_parser = parse::ratio,
        required_unless_present_any = ["target", "target_params", "target_bytes", "target_time", "max_perplexity_rise"],
        conflicts_with = "max_perplexity_rise"
    )]
    targets: Vec<f64>,
    /// File to make
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    pruning: Pruning,
    #[command(flatten)]
    calibration: Calibration,
    #[command(flatten)]
    probe: Probe,
    #[command(flatten)]
    rise: RiseArgument,
    #[command(flatten)]
    rounds: RoundsArgument,
    #[command(flatten)]
    climb: ClimbArgument,
    #[command(flatten)]
    device: DeviceArgument,
    #[command(flatten)]
    online: Online,
    /// Print the events as JSON lines on standard output
    #[arg(long)]
    json: bool,
    /// Replace OUT if it is a plan of this program
    #[arg(long)]
    overwrite: bool,
}

impl SearchCommand {
    /// What may be a name on the hub.
    pub fn given(&mut self) -> Given<'_> {
        let texts = self.calibration.files_mut().iter_mut().chain(self.probe.files_mut());
        let texts = texts.chain(self.rise.files_mut()).collect();
        let (online, models, json) = (self.online, vec![&mut self.model], self.json);
        Given { texts, events: json, ..Given::of(online, models, json) }
    }

    /// Runs the command; with --json its failure is the last line too.
    pub fn run(&self) -> Result<()> {
        exit::told_in_json(self.json, self.search())
    }

    fn search(&self) -> Result<()> {
        let (checkpoint, tokenizer) = arguments::open(&self.model)?;
        let mut targets: Vec<Target> = self.targets.iter().map(|&ratio| Target::Ratio(ratio)).collect();
        targets.extend(self.pruning.target(&checkpoint)?);
        // Of the sizes only what they must not go below is known yet, so any target stands for all; but one that is a time
        // needs more than the others.
        let first = targets.iter().find(|target| matches!(target, Target::Time(_))).or(targets.first()).copied();
        let (size, seed) = (&self.calibration.size, self.calibration.seed);
        let request = self.pruning.towards(first, size, checkpoint.config(), seed)?;
        let place = Place::new(&self.out, Kind::Search, self.overwrite);
        let texts = self.calibration.files().iter().chain(self.probe.files()).chain(self.rise.files());
        let texts = texts.chain(self.pruning.files());
        place.ask(&[&self.model].into_iter().chain(texts).cloned().collect::<Vec<_>>())?;
        let calibration = &self.calibration.or_usual(&checkpoint, self.online, self.json)?;
        let device = self.device.open()?;
        let limits = self.pruning.knobs.limits(&device, &self.out);
        let times = self.pruning.layer_times(checkpoint.config(), &device)?;
        let state = self.out.with_added_extension("partial");
        let search = Searching {
            command: "search",
            checkpoint: &checkpoint,
            tokenizer: &tokenizer,
            device: &device,
            request: &request,
            limits: &limits,
            pruning: &self.pruning,
            times: times.as_ref(),
            calibration,
            probe: &self.probe,
            rounds: self.rounds.more_than_one(),
            climb: &self.climb,
            state: &state,
            earlier: &self.out,
            interrupt: &Interrupt::listen(),
            json: self.json,
        };
        let plan = match self.rise.most() {
            None => search.for_targets(&targets)?,
            Some(most) => {
                let Within { plan, made } = search.within(&self.rise, most, &place, self.overwrite)?;
                // Only its sizes are asked for.
                made.iter().for_each(|folder| disk::discard(folder));
                plan
            }
        };
        place.may_go(&self.out)?;
        disk::write_json(&self.out, &plan)?;
        // Last: until the file is whole the state is all there is.
        disk::remove_file(&state)?;
        search.forget_rounds(&plan);
        if self.json {
            out::json_line(&serde_json::json!({ "event": "finished", "targets": plan.targets, "rise": plan.rise }))?;
            return Ok(());
        }
        out::line(table::map(&plan))?;
        out::line(table::targets(&plan))?;
        for line in lines(&plan).into_iter().chain(told(&plan)) {
            out::line(line)?;
        }
        let file = self.out.display();
        let typed = match plan.targets.first().map(|found| found.target) {
            Some(Target::Ratio(ratio)) => format!(" --target {ratio}"),
            Some(Target::Parameters(parameters)) => format!(" --target-params {parameters}"),
            Some(Target::Bytes { bytes, .. }) => format!(" --target-bytes {bytes}"),
            Some(Target::Time(time)) => format!(" --target-time {time}"),
            None => String::new(),
        };
        Ok(out::line(format_args!("the plan is in {file}; prune by it with --schedule {file}{typed}"))?)
    }
}
