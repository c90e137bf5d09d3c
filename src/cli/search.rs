//! `slimgpt search`: sizes that are searched for.

mod progress;
mod table;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use pollster::block_on;
use slimgpt::activations::Placement;
use slimgpt::allocate::Target;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::disk;
use slimgpt::hub::Need;
use slimgpt::pipeline::{Limits, Request, plan};
use slimgpt::place::{Kind, Place};
use slimgpt::search::{Map, Search, SearchPlan, sizes};
use slimgpt::session::{search_id, searched, searched_model};
use slimgpt::shipped;
use slimgpt::text::{Files, Sampling, Tokenizer};

use super::arguments::{self, Calibration, DeviceArgument, Pruning, window_length};
use super::exit::Usage;
use super::hub::{Given, Online};
use super::interrupt::Interrupt;
use super::{exit, out, parse};
use progress::Progress;

const EXAMPLES: &str = "\
Examples:
  slimgpt search ./SmolLM2-135M --targets 0.2,0.25,0.5 --calibration c4.jsonl --out plan.json
  slimgpt prune ./SmolLM2-135M --schedule search --target 0.25 --calibration c4.jsonl --out ./slim

Each site of each layer is cut alone to several sizes, with the weights refitted, and the divergence of what the model
then expects from what it expected is measured on other windows of text (the probe). Sizes are those with the least sum
of divergences that meet the target. One search serves all targets; the file may be edited, and
`prune --schedule FILE --target 0.25` prunes by it.

Interrupted, the same command goes on after the last whole layer (OUT.partial).";

/// What divergences are measured on.
#[derive(Args, Clone, Default)]
pub struct Probe {
    /// Text that divergences are measured on; by default other windows of the calibration text
    #[arg(long, value_name = "FILE")]
    probe: Vec<PathBuf>,
    /// Windows of the probe; by default so many that there are 2048 tokens
    #[arg(long, value_name = "N", value_parser = parse::at_least_one)]
    probe_windows: Option<usize>,
    /// Tokens of a window of the probe; by default 512, or the calibration's if they are shorter
    #[arg(long, value_name = "N", value_parser = parse::window_length)]
    probe_len: Option<usize>,
}

/// Tokens of a probe unless more are asked for: on 135 million parameters they rank sites as four times as many do.
const PROBE_TOKENS: usize = 2048;
/// Tokens of a window of the probe unless asked otherwise.
const PROBE_LENGTH: usize = 512;

#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct SearchCommand {
    /// Folder of a Hugging Face checkpoint, or its name on the hub (org/name)
    model: PathBuf,
    /// Shares of the decoder layers' parameters to remove, with commas between
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = parse::ratio, required_unless_present_any = ["target", "target_params"])]
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

/// The texts of a search.
pub struct Probed<'a> {
    pub calibration: &'a Calibration,
    pub probe: &'a Probe,
}

impl Probed<'_> {
    /// The probe's windows, which are no windows of the calibration.
    fn windows(&self, checkpoint: &Checkpoint, tokenizer: &Tokenizer, hidden: bool) -> Result<Vec<Vec<u32>>> {
        let config = checkpoint.config();
        let calibration = window_length(self.calibration.size.seq_len, config)?;
        let length = self.probe.probe_len.unwrap_or_else(|| PROBE_LENGTH.min(calibration)).min(config.max_positions);
        let count = self.probe.probe_windows.unwrap_or_else(|| PROBE_TOKENS.div_ceil(length));
        let own = !self.probe.probe.is_empty();
        // Windows that are cut one after the other come behind the calibration's; another seed than its own draws others.
        let passed = match self.calibration.cutting.sampling {
            Sampling::Sequential if !own => (self.calibration.size.samples * calibration).div_ceil(length),
            _ => 0,
        };
        let which = self.calibration.cutting.windows(passed + count, length, self.calibration.seed.wrapping_add(1));
        let paths = if own { &self.probe.probe } else { self.calibration.files() };
        let files = Files { paths, key: self.calibration.key(), documents: None };
        let mut counting = super::progress::counting("reading the probe", hidden);
        let cut = slimgpt::session::windows(files, checkpoint, shipped::CALIBRATION, tokenizer, &which, &mut counting)?;
        let cut = cut.ok_or_else(|| Usage("no text to probe with: give --probe FILE".into()))?;
        out::notes(&cut.notes);
        Ok(cut.windows.into_iter().skip(passed).collect())
    }
}

/// A search for the sizes of a request.
pub struct Searching<'a> {
    pub checkpoint: &'a Checkpoint,
    pub request: &'a Request,
    pub limits: &'a Limits,
    /// Where it lies what is known so far.
    pub state: &'a Path,
    /// A finished search, which may be the same.
    pub earlier: &'a Path,
}

impl Searching<'_> {
    /// Searches, and finds sizes for the target of what was typed.
    pub fn run(
        &self,
        text: &Probed<'_>,
        tokenizer: &Tokenizer,
        device: &Device,
        pruning: &Pruning,
        interrupt: &Interrupt,
        json: bool,
    ) -> Result<SearchPlan> {
        let target = pruning.target().ok_or_else(|| Usage("a search needs --target or --target-params".into()))?;
        self.for_targets(text, tokenizer, device, pruning, &[target], interrupt, json)
    }

    #[allow(clippy::too_many_arguments, reason = "each is one thing that a search is made of")]
    fn for_targets(
        &self,
        text: &Probed<'_>,
        tokenizer: &Tokenizer,
        device: &Device,
        pruning: &Pruning,
        targets: &[Target],
        interrupt: &Interrupt,
        json: bool,
    ) -> Result<SearchPlan> {
        let config = self.checkpoint.config();
        // For the memory: whatever sizes are found, they are smaller than the model's.
        // A search has no folder whose disk could take activations.
        let planned = plan(self.request, config, &Limits { disk_bytes: None, ..*self.limits })?;
        let place = match planned.memory.activations {
            // Without a GPU the tensors are in host memory already.
            Placement::Host if !device.is_gpu() => Placement::Device,
            place => place,
        };
        let calibration = text.calibration.windows(self.checkpoint, tokenizer, json)?;
        let probe = text.windows(self.checkpoint, tokenizer, json)?;
        let (keep, channel_multiple) = pruning.bounds();
        let asked = Search {
            checkpoint: self.checkpoint,
            calibration: &calibration,
            probe: &probe,
            options: self.request.options,
            channel_steps: self.request.channel_steps,
            channel_multiple,
            batch_windows: planned.batch_windows,
            place,
            device,
        };
        let id = search_id(&asked)?;
        let map = match earlier(self.earlier, &id) {
            Some(map) => map,
            None => {
                let mut progress = Progress::new(json);
                let map = block_on(searched(&asked, self.state, &mut |event| {
                    progress.show(&event);
                    interrupt.flow()
                }));
                progress.pause();
                map?
            }
        };
        let found = targets.iter().map(|&target| sizes(&map, config, keep, channel_multiple, target));
        let found = found.collect::<Result<Vec<_>, _>>()?;
        Ok(SearchPlan {
            version: env!("CARGO_PKG_VERSION").into(),
            model: searched_model(self.checkpoint)?,
            id,
            source: self.checkpoint.folder().map(|folder| folder.display().to_string()),
            device: device.name().into(),
            calibration_tokens: calibration.iter().map(Vec::len).sum(),
            probe_tokens: probe.iter().map(Vec::len).sum(),
            targets: found,
            map,
        })
    }
}

/// The map of a finished search, if it is this one.
fn earlier(file: &Path, id: &str) -> Option<Map> {
    let text = disk::read_within(file, disk::REPORT).ok().and_then(|bytes| String::from_utf8(bytes).ok())?;
    SearchPlan::parse(&text).ok().filter(|plan| plan.id == id).map(|plan| plan.map)
}

impl SearchCommand {
    /// What may be a name on the hub.
    pub fn given(&mut self) -> Given<'_> {
        let texts = self.calibration.files_mut().iter_mut().chain(&mut self.probe.probe).collect();
        let (online, models, json) = (self.online, vec![&mut self.model], self.json);
        Given { online, need: Need::Whole, models, texts, json, events: json }
    }

    /// Runs the command; with --json its failure is the last line too.
    pub fn run(&self) -> Result<()> {
        exit::told_in_json(self.json, self.search())
    }

    fn search(&self) -> Result<()> {
        let (checkpoint, tokenizer) = arguments::open(&self.model)?;
        let mut targets: Vec<Target> = self.targets.iter().map(|&ratio| Target::Ratio(ratio)).collect();
        targets.extend(self.pruning.target());
        // Of the sizes only what they must not go below is known yet, so any target stands for all.
        let request =
            self.pruning.towards(targets[0], &self.calibration.size, checkpoint.config(), self.calibration.seed)?;
        let place = Place::new(&self.out, Kind::Search, self.overwrite);
        let reads = [&self.model].into_iter().chain(self.calibration.files()).chain(&self.probe.probe);
        place.ask(&reads.cloned().collect::<Vec<_>>())?;
        let calibration = &self.calibration.or_usual(&checkpoint, self.online, self.json)?;
        let device = self.device.open()?;
        let limits = self.pruning.knobs.within(Limits::of(&device, Some(&self.out)));
        let state = self.out.with_added_extension("partial");
        let text = Probed { calibration, probe: &self.probe };
        let search = Searching {
            checkpoint: &checkpoint,
            request: &request,
            limits: &limits,
            state: &state,
            earlier: &self.out,
        };
        let (pruning, interrupt) = (&self.pruning, Interrupt::listen());
        let plan = search.for_targets(&text, &tokenizer, &device, pruning, &targets, &interrupt, self.json)?;
        place.may_go(&self.out)?;
        disk::write_json(&self.out, &plan)?;
        disk::remove_file(&state)?;
        if self.json {
            out::json_line(&serde_json::json!({ "event": "finished", "targets": plan.targets }))?;
            return Ok(());
        }
        out::line(table::map(&plan))?;
        out::line(table::targets(&plan))?;
        let file = self.out.display();
        let typed = match targets[0] {
            Target::Ratio(ratio) => format!("--target {ratio}"),
            Target::Parameters(parameters) => format!("--target-params {parameters}"),
        };
        Ok(out::line(format_args!("the plan is in {file}; prune by it with --schedule {file} {typed}"))?)
    }
}
