//! `slimgpt recover`.

mod arguments;
mod data;
mod progress;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use pollster::block_on;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::eval::EvalEntry;
use slimgpt::format;
use slimgpt::pipeline::{FolderError, Limits};
use slimgpt::place::{Kind, Place};
use slimgpt::recover::{Event, Job, Record, plan};
use slimgpt::session::recover_to_folder;

use super::arguments::{self as shared, DeviceArgument};
use super::hub::{Given, Online};
use super::interrupt::Interrupt;
use super::peak::Watch;
use super::prune::{Figure, Measured, Text, told};
use super::typed::typed;
use super::{exit, out, parse, show, variables};

pub use arguments::Learning;
use data::Examples;
use progress::Progress;

const EXAMPLES: &str = "\
Examples:
  slimgpt recover ./slim --data alpaca_data_cleaned.json --out ./recovered
  slimgpt recover ./slim --data alpaca_data_cleaned.json --out ./recovered --paper --text wiki.test.raw
  slimgpt recover ./slim --data c4.jsonl --teacher ./Llama-2-7b-hf --out ./recovered
  slimgpt recover ./slim --data notes.txt --train all --steps 300 --lr 1e-4 --out ./recovered

Only one layer is on the device at a time where the model does not fit; `slimgpt plan ./slim --recover`
tells what it takes. Interrupted with Ctrl-C or killed, the same command goes on from its state, and the
result is the same to the last byte. OUT appears only when it is whole; it has the numbers of the step
with the least held-out loss, and the low-rank factors by themselves under OUT/adapter.

What is best depends on what the model is for: text of its own kind draws it to that text, and a teacher
(the dense model), which then counts half, keeps what it knew besides. With --teacher-share 1 it teaches
alone, on any text.";

#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Recover {
    /// Folder of the checkpoint to train: a pruned one, or any other; or a name on the hub (org/name)
    model: PathBuf,
    #[command(flatten)]
    examples: Examples,
    /// Folder to make
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Folder or name of a dense model that teaches: what it expects is learnt beside the text's own words
    #[arg(long, value_name = "DENSE")]
    teacher: Option<PathBuf>,
    #[command(flatten)]
    learning: Learning,
    #[command(flatten)]
    text: Text,
    /// Where to leave the low-rank factors too, as peft reads them; they are always under OUT/adapter
    #[arg(long, value_name = "DIR")]
    adapter_out: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgument,
    /// Memory that may be used where the work is done, such as 6GiB; by default what is known to be free
    #[arg(long, value_name = "BYTES", value_parser = parse::bytes, env = variables::MEMORY)]
    memory: Option<u64>,
    #[command(flatten)]
    online: Online,
    /// Print the events as JSON lines on standard output
    #[arg(long)]
    json: bool,
    /// Replace OUT if it is a result of this command
    #[arg(long)]
    overwrite: bool,
}

impl Recover {
    /// What may be a name on the hub.
    pub fn given(&mut self) -> Given<'_> {
        let texts = self.examples.files_mut().iter_mut().chain(self.text.files_mut()).collect();
        let models = [&mut self.model].into_iter().chain(&mut self.teacher).collect();
        Given { texts, events: self.json, ..Given::of(self.online, models, self.json) }
    }

    /// Runs the command; with --json its failure is the last line too.
    pub fn run(&self) -> Result<()> {
        exit::told_in_json(self.json, self.recover())
    }

    fn recover(&self) -> Result<()> {
        let (checkpoint, tokenizer) = shared::open(&self.model)?;
        let settings = self.learning.settings(self.examples.counted(), self.teacher.is_some(), checkpoint.config())?;
        let read = self.examples.files().iter().chain(self.text.files()).chain(&self.teacher);
        let reads: Vec<PathBuf> = [&self.model].into_iter().chain(read).cloned().collect();
        // What stands there may be this very run's, which only the run itself knows.
        Place::new(&self.out, Kind::Recovered, true).ask(&reads).map_err(FolderError::from)?;
        if let Some(adapter) = &self.adapter_out {
            exit::named("--adapter-out", Place::new(adapter, Kind::Adapter, self.overwrite).ask(&reads))?;
        }
        self.text.check(checkpoint.config())?;
        let teacher = self.teacher.as_deref().map(shared::open_weights).transpose()?;
        let taught_by = teacher.as_ref().map(Checkpoint::config);
        // What cannot work anywhere is refused before a device is opened or a text is read.
        plan(&settings, checkpoint.config(), taught_by, &Limits::default())?;
        let device = self.device.open_for_training()?;
        let limits = shared::limits(&device, &self.out, self.memory);
        let plan = plan(&settings, checkpoint.config(), taught_by, &limits)?;
        let data = self.examples.read(&checkpoint, &tokenizer, &settings)?;
        let sources: Vec<String> = self.examples.files().iter().map(|file| out::path(file)).collect();
        let interrupt = Interrupt::listen_saying("stopping; the state is kept");
        let measure = Measured {
            text: &self.text,
            tokenizer: &tokenizer,
            device: &device,
            key: self.examples.key(),
            json: self.json,
        };
        let before = measure.before("before", &checkpoint)?;
        let started = Instant::now();
        let clock = || started.elapsed().as_secs_f64();
        let watch = Watch::start(&device);
        let memory = || watch.look();
        let job = Job {
            checkpoint: &checkpoint,
            teacher: teacher.as_ref(),
            data: &data,
            sources: &sources,
            settings: &settings,
            plan: &plan,
            device: &device,
            clock: &clock,
            memory: &memory,
            typed: Some(&typed("recover")),
        };
        if !self.json {
            out::note(format_args!("on {}\n{}", device.name(), show::recovery_memory(&plan)));
        }
        let (mut progress, mut last) = (Progress::new(self.json, job.steps()), None);
        let record =
            block_on(recover_to_folder(&job, &self.out, self.adapter_out.as_deref(), self.overwrite, &mut |event| {
                match event {
                    // Told when the result is measured too: whoever reads it goes away.
                    Event::Finished { .. } => last = Some(event),
                    event => progress.show(&event),
                }
                interrupt.flow()
            }));
        // A bar that stays would stand within whatever is said next, be it an error.
        progress.pause();
        let record = record?;
        let after = measure.after("after", &self.out, EvalEntry::PPL_BEFORE, &before)?;
        last.iter().for_each(|event| progress.show(event));
        self.show(&record, before.iter().zip(&after))
    }

    fn show<'a>(&self, record: &Record, perplexities: impl Iterator<Item = (&'a Figure, &'a Figure)>) -> Result<()> {
        if self.json {
            return Ok(());
        }
        if let Some([before, after]) = record.held_out_change() {
            out::line(format_args!(
                "held-out loss {before:.4} → {after:.4} (step {} of {}; {} sequences)",
                record.kept,
                record.steps.len(),
                format::count(record.held_out_examples)
            ))?;
        }
        for (before, after) in perplexities {
            out::line(told(before, after))?;
        }
        Ok(out::line(format_args!("the recovered model is in {}", self.out.display()))?)
    }
}
