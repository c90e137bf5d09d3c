//! A search for the sizes of a request, whichever command asks for it.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use pollster::block_on;
use slimgpt::allocate::Target;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::eval::LayerTimes;
use slimgpt::pipeline::{Limits, Request};
use slimgpt::search::{Bounds, SearchPlan};
use slimgpt::session::{SearchJob, finished_search, probe_count, probe_size, search_for};
use slimgpt::shipped;
use slimgpt::text::{Files, Sampling, Tokenizer};

use super::progress::Progress;
use crate::cli::arguments::{Calibration, Pruning, window_length};
use crate::cli::exit::Usage;
use crate::cli::interrupt::Interrupt;
use crate::cli::{out, parse, progress};

/// What divergences are measured on.
#[derive(Args, Clone, Default)]
pub struct Probe {
    /// Text that divergences are measured on; by default other windows of the calibration text
    #[arg(long, value_name = "FILE")]
    probe: Vec<PathBuf>,
    /// Windows of the probe; by default so many that there are 2048 tokens
    #[arg(long, value_name = "N", value_parser = parse::at_least_one, hide_short_help = true)]
    probe_windows: Option<usize>,
    /// Tokens of a window of the probe; by default 512, or the calibration's if they are shorter
    #[arg(long, value_name = "N", value_parser = parse::window_length, hide_short_help = true)]
    probe_len: Option<usize>,
}

/// How many windows, and tokens of each.
#[derive(Clone, Copy)]
pub struct Size {
    pub count: usize,
    pub length: usize,
}

/// Windows of files, or else of the calibration text such as serve nothing else.
pub struct Others<'a> {
    pub files: &'a [PathBuf],
    pub size: Size,
    /// What they are for, while they are read.
    pub label: &'static str,
    /// Which draw of the text it is: the calibration's was 0.
    pub draw: u64,
    /// Tokens from the beginning of the text that serve already, where windows are cut one after the other.
    pub used: usize,
}

impl Probe {
    /// The files that are read.
    pub fn files(&self) -> &[PathBuf] {
        &self.probe
    }

    /// The same, to put paths in the place of names.
    pub fn files_mut(&mut self) -> &mut [PathBuf] {
        &mut self.probe
    }
}

/// A search for the sizes of a request.
pub struct Searching<'a> {
    /// The command that searches.
    pub command: &'static str,
    pub checkpoint: &'a Checkpoint,
    pub tokenizer: &'a Tokenizer,
    pub device: &'a Device,
    pub request: &'a Request,
    pub limits: &'a Limits,
    pub pruning: &'a Pruning,
    /// What a token takes by sizes, if that was measured.
    pub times: Option<&'a LayerTimes>,
    pub calibration: &'a Calibration,
    pub probe: &'a Probe,
    /// Where it lies what is known so far.
    pub state: &'a Path,
    /// A finished search, which may be the same.
    pub earlier: &'a Path,
    pub interrupt: &'a Interrupt,
    pub json: bool,
}

impl Searching<'_> {
    /// Searches, and finds sizes for the target of what was typed.
    pub fn for_target(&self) -> Result<SearchPlan> {
        let target = self.pruning.target(self.checkpoint)?;
        let target = target.ok_or_else(|| {
            Usage(
                "a search needs --target, --target-params, --target-bytes, --target-time or --max-perplexity-rise"
                    .into(),
            )
        })?;
        self.for_targets(&[target])
    }

    /// Searches, and finds sizes for targets, of which there may be none.
    pub fn for_targets(&self, targets: &[Target]) -> Result<SearchPlan> {
        let calibration = self.calibration.windows(self.checkpoint, self.tokenizer, self.json)?;
        let (probe, bounds) = (self.probe_windows()?, self.bounds());
        let job = SearchJob {
            checkpoint: self.checkpoint,
            request: self.request,
            calibration: &calibration,
            probe: &probe,
            bounds: &bounds,
            limits: self.limits,
            device: self.device,
            state: self.state,
            earlier: self.earlier,
        };
        // Only now that there is something to tell: a search that is finished already has no progress.
        let mut progress = None;
        let plan = block_on(search_for(&job, targets, &mut |event| {
            progress.get_or_insert_with(|| Progress::new(self.json)).show(&event);
            self.interrupt.flow()
        }));
        progress.iter().for_each(Progress::pause);
        Ok(plan?)
    }

    /// What sizes must keep to.
    pub fn bounds(&self) -> Bounds {
        Bounds { times: self.times.cloned(), ..self.pruning.bounds() }
    }

    /// A finished search, if it is this one.
    pub fn known(&self, id: &str) -> Option<SearchPlan> {
        finished_search(self.earlier, id)
    }

    /// The size of the probe.
    pub fn probe_size(&self) -> Result<Size> {
        let config = self.checkpoint.config();
        let calibration = window_length(self.calibration.size.seq_len, config)?;
        let length = self.probe.probe_len.unwrap_or_else(|| probe_size(calibration).1).min(config.max_positions);
        Ok(Size { count: self.probe.probe_windows.unwrap_or_else(|| probe_count(length)), length })
    }

    /// Tokens of the calibration.
    pub fn calibration_tokens(&self) -> Result<usize> {
        let length = window_length(self.calibration.size.seq_len, self.checkpoint.config())?;
        Ok(self.calibration.size.samples * length)
    }

    /// Windows of the probe.
    pub fn probe_windows(&self) -> Result<Vec<Vec<u32>>> {
        let (size, used) = (self.probe_size()?, self.calibration_tokens()?);
        let windows =
            self.others(&Others { files: &self.probe.probe, size, label: "reading the probe", draw: 1, used })?;
        windows.ok_or_else(|| Usage("no text to probe with: give --probe FILE".into()).into())
    }

    /// Windows of other text; `None` where there is no text.
    pub fn others(&self, asked: &Others<'_>) -> Result<Option<Vec<Vec<u32>>>> {
        let Size { count, length } = asked.size;
        let own = !asked.files.is_empty();
        // Windows that are cut one after the other come behind those that serve already; another seed draws others.
        let passed = match self.calibration.cutting.sampling {
            Sampling::Sequential if !own => asked.used.div_ceil(length),
            _ => 0,
        };
        let seed = self.calibration.seed.wrapping_add(asked.draw);
        let which = self.calibration.cutting.windows(passed + count, length, seed);
        let paths = if own { asked.files } else { self.calibration.files() };
        let files = Files { paths, key: self.calibration.key(), documents: None };
        let mut counting = progress::counting(asked.label, self.json);
        let (checkpoint, tokenizer) = (self.checkpoint, self.tokenizer);
        let cut = slimgpt::session::windows(files, checkpoint, shipped::CALIBRATION, tokenizer, &which, &mut counting)?;
        Ok(cut.map(|cut| {
            out::notes(&cut.notes);
            cut.windows.into_iter().skip(passed).collect()
        }))
    }
}
