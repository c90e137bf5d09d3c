//! `slimgpt prune`.

mod file;
mod measured;
mod timed;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use pollster::block_on;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::disk;
use slimgpt::eval::EvalEntry;
use slimgpt::export::gguf::{self, FileType};
use slimgpt::pipeline::{Event, FolderError, Job, Limits, Report, plan};
use slimgpt::place::{Kind, Place};
use slimgpt::search::{SearchPlan, Tuning};
use slimgpt::session::{Pruned, move_to_folder, prune_to_folder};

use super::arguments::{self, AdapterArgument, Calibration, DevicesArgument, Pruning};
use super::choice::choice;
use super::exit::Usage;
use super::hub::{Given, Online};
use super::interrupt::Interrupt;
use super::peak::Watch;
use super::progress::Progress;
use super::search::{self, ClimbArgument, Probe, RiseArgument, RoundsArgument, Searching, TuneArgument, Tuned, Within};
use super::typed::typed;
use super::{exit, export, out, plan as plan_command, summary};

use file::GgufFile;
pub use measured::{Figure, Measured, Text, told};
use timed::Timing;

const EXAMPLES: &str = "\
Examples:
  slimgpt prune ./Llama-2-7b-hf --out ./slim --target 0.2 --calibration c4.jsonl
  slimgpt prune ./Llama-2-7b-hf --out ./slim --target-params 5.4B --calibration a.txt --calibration b.txt
  slimgpt prune ./Llama-2-7b-hf --out slim.gguf --gguf-dtype q4_k_m --target 0.2 --calibration c4.jsonl
  slimgpt prune ./model --out ./slim --target 0.5 --paper --calibration c4.jsonl --device cpu
  slimgpt prune ./model --out ./slim --target 0.2 --calibration c4.jsonl --text wiki.test.raw
  slimgpt prune ./model --out ./slim --target-bytes 3GB --calibration c4.jsonl
  slimgpt prune ./model --out ./slim --target 0.5 --calibration c4.jsonl --device gpu:0 --device gpu:1
  slimgpt prune ./model --out ./slim --schedule search --max-perplexity-rise 5% --calibration c4.jsonl
  slimgpt prune ./model --out ./slim --schedule search --target 0.25 --search-minutes 10 --calibration c4.jsonl
  slimgpt prune ./model --out ./slim --schedule search --target-time 0.8x --times times.json --calibration c4.jsonl
  slimgpt prune ./model --out ./slim --target 0.2 --tune --calibration c4.jsonl

Interrupted with Ctrl-C or killed, the same command goes on after the last whole layer, and the
result is the same to the last byte. OUT appears only when it is whole; until then the finished
layers lie in OUT.partial. An OUT that ends with .gguf is one file for llama.cpp and what is built on it,
with the page about it beside it; --text then measures what is written into the file, before it is
cut into blocks.

With --schedule search --max-perplexity-rise 5% candidates are pruned beside OUT (OUT.candidate-1 …) and measured on
held-out text; the smallest that stays within the rise becomes OUT.

With --tune seven models are pruned beside OUT (OUT.tuning-1 …), each with another damping or fewer calibration windows,
and measured on text that serves nothing else; the best becomes OUT. Interrupted, the same command goes on after the last
that was measured.

With --times the time of a token is told as the table predicts it and as it is measured in OUT.

Several devices share the calibration windows. The result is that of as many devices, the same on every run; whatever
ends one ends all, and the same command with as many devices goes on after the last whole layer. A program that was built
with MPI (cargo install --path . --features mpi) does so on several machines too: mpirun -n 16 slimgpt prune … is one run.

With --text the perplexity of the model is measured before its first layer and that of OUT at the
end, as `slimgpt ppl` measures them; both stay in OUT (slimgpt-eval.json and the page).

With --json every line of standard output is one event with its \"seconds\"; the last is \"finished\",
\"stopped\" (exit code 130: the same command goes on) or \"failed\".";

const UNCLIMBED: &str =
    "--search-minutes and --search-steps go on from sizes that are searched for: give --schedule search";

/// Why a flag makes no sense beside sizes that nobody searches for.
fn unsearched(flag: &str) -> Usage {
    Usage(format!("{flag} needs sizes that are searched for: give --schedule search"))
}

#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Prune {
    /// Folder of a Hugging Face checkpoint (LLaMA, Mistral, Qwen, Phi-3, SmolLM3, Granite, OLMo 2, Gemma 2 and 3,
    /// Baichuan 7B), dense or pruned, a GGUF file of one, or its name on the hub (org/name)
    model: PathBuf,
    #[command(flatten)]
    adapter: AdapterArgument,
    /// Folder to make, or a GGUF file
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// What the matrices of a GGUF file are stored in; by default the element types of the folder
    #[arg(long, value_name = "TYPE", value_parser = choice::<FileType>())]
    gguf_dtype: Option<FileType>,
    #[command(flatten)]
    pruning: Pruning,
    #[command(flatten)]
    calibration: Calibration,
    #[command(flatten)]
    rise: RiseArgument,
    #[command(flatten)]
    rounds: RoundsArgument,
    #[command(flatten)]
    climb: ClimbArgument,
    #[command(flatten)]
    tune: TuneArgument,
    #[command(flatten)]
    text: Text,
    #[command(flatten)]
    device: DevicesArgument,
    #[command(flatten)]
    online: Online,
    /// Print the events as JSON lines on standard output
    #[arg(long)]
    json: bool,
    /// Replace OUT if it is a result of this program
    #[arg(long)]
    overwrite: bool,
}

impl Prune {
    /// What may be a name on the hub.
    pub fn given(&mut self) -> Given<'_> {
        let texts = self.calibration.files_mut().iter_mut().chain(self.text.files_mut());
        let texts = texts.chain(self.rise.files_mut()).chain(self.tune.files_mut()).collect();
        let (online, models, json) = (self.online, vec![&mut self.model], self.json);
        Given { texts, events: json, adapter: Some(self.adapter.folder_mut()), ..Given::of(online, models, json) }
    }

    /// Runs the command; with --json its failure is the last line too.
    pub fn run(&self) -> Result<()> {
        exit::told_in_json(self.json, self.prune())
    }

    fn prune(&self) -> Result<()> {
        let (checkpoint, tokenizer) = arguments::open(&self.model)?;
        let checkpoint = self.adapter.on(checkpoint)?;
        let (size, seed) = (&self.calibration.size, self.calibration.seed);
        let asked = match self.rise.most() {
            None => self.pruning.request(size, &checkpoint, seed)?,
            Some(_) if self.pruning.is_search() => self.pruning.towards(None, size, checkpoint.config(), seed)?,
            Some(_) => return Err(unsearched("--max-perplexity-rise").into()),
        };
        if self.climb.effort().is_any() && !self.pruning.is_search() {
            return Err(Usage(UNCLIMBED.into()).into());
        }
        if self.rounds.more_than_one().is_some() && !self.pruning.is_search() {
            return Err(unsearched("--search-rounds").into());
        }
        let texts = self.calibration.files().iter().chain(self.text.files()).chain(self.rise.files());
        let texts = texts.chain(self.tune.files()).chain(self.pruning.files());
        let reads = [&self.model].into_iter().chain(texts).chain(self.adapter.files());
        let reads: Vec<PathBuf> = reads.cloned().collect();
        let file = GgufFile::asked(&self.out, self.gguf_dtype, self.overwrite)?;
        file.as_ref().map_or(Ok(()), |file| file.ask(&reads))?;
        let folder = &file.as_ref().map_or_else(|| self.out.clone(), GgufFile::folder);
        // An earlier result may be this very run's, which only the run itself knows.
        let place = Place::new(folder, Kind::Pruned, true);
        place.ask(&reads).map_err(FolderError::from)?;
        // What cannot work anywhere is refused before a device is opened or a text is read.
        self.text.check(checkpoint.config())?;
        plan(&asked, checkpoint.config(), &Limits::default())?;
        let calibration = &self.calibration.or_usual(&checkpoint, self.online, self.json)?;
        let device = self.device.open()?;
        let limits = self.pruning.knobs.limits(&device, folder);
        file.as_ref().map_or(Ok(()), GgufFile::begin)?;
        let interrupt = Interrupt::listen();
        let times = self.pruning.layer_times(checkpoint.config(), &device)?;
        let (state, earlier) = (folder.with_added_extension("search.partial"), folder.join(SearchPlan::FILE));
        let place = Place::new(folder, Kind::Pruned, self.overwrite);
        let search = Searching {
            command: "prune",
            checkpoint: &checkpoint,
            tokenizer: &tokenizer,
            device: &device,
            request: &asked,
            limits: &limits,
            pruning: &self.pruning,
            times: times.as_ref(),
            calibration,
            probe: &Probe::default(),
            rounds: self.rounds.more_than_one(),
            climb: &self.climb,
            state: &state,
            earlier: &earlier,
            interrupt: &interrupt,
            json: self.json,
        };
        let (mut request, mut searched, mut made) = (asked.clone(), None, None);
        if self.pruning.is_search() {
            // What stands there is refused now and not after the search, unless it may be this very run's.
            if !earlier.is_file() {
                place.stands().map_err(FolderError::from)?;
            }
            let found = match self.rise.most() {
                None => Within { plan: search.for_target()?, made: None },
                Some(most) => search.within(&self.rise, most, &place, self.overwrite)?,
            };
            request = self.pruning.found(size, checkpoint.config(), seed, found.plan.found(None)?)?;
            made = found.made;
            searched = Some(found.plan);
        }
        let mut tuned = None;
        if self.tune.is_asked() {
            let found = search.tuned(&self.tune, &request, &place, self.overwrite)?;
            request.clone_from(&found.request);
            made.clone_from(&found.made);
            tuned = Some(found);
        }
        let plan = plan(&request, checkpoint.config(), &limits)?;
        file.as_ref().map_or(Ok(()), |file| file.check(&plan, &checkpoint))?;
        let windows = match &tuned {
            Some(tuned) => tuned.windows.clone(),
            None => calibration.windows(&checkpoint, &tokenizer, self.json)?,
        };
        let measure = Measured {
            text: &self.text,
            tokenizer: &tokenizer,
            device: &device,
            key: calibration.key(),
            json: self.json,
        };
        let dense = measure.before("dense", &checkpoint)?;
        // Seconds count from here: cutting the text and measuring are no part of the pruning.
        let started = Instant::now();
        let clock = || started.elapsed().as_secs_f64();
        let watch = Watch::start(&device);
        let memory = || watch.look();
        let mut typed = typed("prune");
        // A text that was taken because none was typed is told like one that was.
        if self.calibration.files().is_empty() {
            let files = calibration.files().iter().map(|file| out::path(file)).collect();
            typed.settings.insert("calibration".into(), files);
        }
        let job = Job {
            checkpoint: &checkpoint,
            windows: &windows,
            plan: &plan,
            scores: None,
            device: &device,
            clock: &clock,
            memory: &memory,
            typed: Some(&typed),
        };
        self.announce(&job);
        export::hint_at_links(&self.model);
        let (mut progress, mut last) = (Progress::new(self.json, &plan), None);
        let mut on_event = |event| {
            match event {
                // Told when the result is measured too: whoever reads it goes away.
                Event::Finished { .. } => last = Some(event),
                event => progress.show(&event),
            }
            interrupt.flow()
        };
        let pruned = match &made {
            None => block_on(prune_to_folder(&job, folder, self.overwrite, &mut on_event)),
            // The candidate that was chosen among those that were pruned.
            Some(made) => block_on(move_to_folder(made, &job, folder, self.overwrite, &mut on_event)),
        };
        // The bar is cleared before an error or the table is printed.
        progress.pause();
        let Pruned { report, was_finished } = pruned?;
        if was_finished {
            out::note(format_args!("{} is finished already: nothing is left to prune", folder.display()));
        }
        if let Some(plan) = &searched {
            disk::write_json(&folder.join(SearchPlan::FILE), plan)?;
            search.forget_rounds(plan);
        }
        if let Some(tuned) = &tuned {
            disk::write_json(&folder.join(Tuning::FILE), &tuned.tuning)?;
        }
        if searched.is_some() || tuned.is_some() {
            // Again, now that the page can tell why it was cut there, and so.
            slimgpt::report::write_into(folder)?;
            [Some(&state), tuned.as_ref().map(|tuned| &tuned.state)]
                .into_iter()
                .flatten()
                .try_for_each(|state| disk::remove_file(state))?;
            // Where it could not be moved it was pruned again.
            made.iter().filter(|made| made.is_dir()).for_each(|made| disk::discard(made));
        }
        let pruned = measure.after("pruned", folder, EvalEntry::DENSE_PPL, &dense)?;
        if let Some(times) = &times {
            let timing = Timing { times, device: &device, interrupt: &interrupt, json: self.json };
            timing.run(checkpoint.config(), folder)?;
        }
        let written = file.as_ref().map(|file| file.write(self.json)).transpose()?;
        last.iter().for_each(|event| progress.show(event));
        if self.json {
            return Ok(());
        }
        show(&report, dense.iter().zip(&pruned))?;
        if let Some(plan) = &searched {
            for line in search::lines(plan).into_iter().chain(search::told(plan)) {
                out::line(line)?;
            }
        }
        tuned.as_ref().map_or(Ok(()), Tuned::show)?;
        match file.zip(written) {
            Some((file, written)) => file.show(&written),
            None => self.show_folder(),
        }
    }

    fn announce(&self, job: &Job<'_>) {
        if let Some(Err(error)) = job.checkpoint.folder().map(|f| gguf::check_tokenizer(f, job.checkpoint.config())) {
            out::note(format_args!("note: no GGUF can be made of the result: {error}"));
        }
        if !self.json {
            out::note(format_args!(
                "{}\non {}\n{}",
                plan_command::totals(job.plan),
                job.device.name(),
                plan_command::memory_lines(job.plan)
            ));
        }
    }

    fn show_folder(&self) -> Result<()> {
        let page = self.out.join(slimgpt::report::FILE);
        out::line(format_args!(
            "the pruned model is in {}; what went is shown by {}",
            self.out.display(),
            page.display()
        ))?;
        export::hint_at_widths(Checkpoint::open(&self.out)?.config());
        Ok(())
    }
}

fn show<'a>(report: &Report, perplexities: impl Iterator<Item = (&'a Figure, &'a Figure)>) -> Result<()> {
    out::line(summary::layers(report))?;
    out::line(summary::totals(report))?;
    for (dense, pruned) in perplexities {
        out::line(told(dense, pruned))?;
    }
    Ok(())
}
