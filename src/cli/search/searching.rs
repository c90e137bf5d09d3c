//! A search for the sizes of a request, whichever command asks for it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use pollster::block_on;
use slimgpt::allocate::Target;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::eval::LayerTimes;
use slimgpt::pipeline::{Flow, Limits, Request};
use slimgpt::search::{Bounds, Event, SearchPlan};
use slimgpt::session::{ClimbJob, SearchJob, climb_for, finished_search, probe_count, probe_size, search_for};
use slimgpt::shipped;
use slimgpt::text::{Bos, Cut, Files, Sampling, TextError, Tokenizer, apart};

use super::climb::ClimbArgument;
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

/// Held-out tokens that complete models are compared on unless asked otherwise: all see the same, so that their perplexities
/// differ by the pruning and hardly by the text.
pub const HELD_OUT_TOKENS: usize = 16_384;

/// How many windows, and tokens of each.
#[derive(Clone, Copy)]
pub struct Size {
    pub count: usize,
    pub length: usize,
}

/// Windows of files, or else of the calibration text.
pub struct Others<'a> {
    pub files: &'a [PathBuf],
    pub size: Size,
    /// What they are for, while they are read.
    pub label: &'static str,
    /// Which draw of the text it is: the calibration's was 0.
    pub draw: u64,
    /// Windows of the calibration text that serve already.
    pub used: &'a [&'a [Vec<u32>]],
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
    /// Rounds of the search for each target, if more than one.
    pub rounds: Option<usize>,
    pub climb: &'a ClimbArgument,
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

    /// Searches, and finds sizes for targets, of which there may be none; climbs from them if that was asked for.
    pub fn for_targets(&self, targets: &[Target]) -> Result<SearchPlan> {
        let calibration = self.calibration.windows(self.checkpoint, self.tokenizer, self.json)?;
        let (probe, bounds) = (self.probe_windows(&calibration)?, self.bounds());
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
        let mut on_event = |event: Event| {
            progress.get_or_insert_with(|| Progress::new(self.json)).show(&event);
            self.interrupt.flow()
        };
        let found = block_on(search_for(&job, targets, &mut on_event)).map_err(anyhow::Error::from);
        let found = found.and_then(|plan| self.in_rounds(plan, &job, &mut on_event));
        let found = found.and_then(|plan| self.climbed(plan, &job, &mut on_event));
        progress.iter().for_each(Progress::pause);
        found
    }

    /// The plan with what a climb from its sizes has found, if one was asked for.
    fn climbed(
        &self,
        mut plan: SearchPlan,
        search: &SearchJob<'_>,
        on_event: &mut dyn FnMut(Event) -> Flow,
    ) -> Result<SearchPlan> {
        let effort = self.climb.effort();
        if !effort.is_any() || plan.targets.is_empty() {
            return Ok(plan);
        }
        let held_out = self.climb_windows(search.calibration, search.probe)?;
        let started = Instant::now();
        let clock = || started.elapsed().as_secs_f64();
        let job = ClimbJob { search, held_out: &held_out, seed: self.calibration.seed, effort, clock: &clock };
        block_on(climb_for(&job, &mut plan, on_event))?;
        Ok(plan)
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

    /// The windows that divergences are measured on, beside those of the calibration.
    pub fn probe_windows(&self, calibration: &[Vec<u32>]) -> Result<Vec<Vec<u32>>> {
        let windows = self.others(&Others {
            files: &self.probe.probe,
            size: self.probe_size()?,
            label: "reading the probe",
            // Whoever draws windows has a number of its own, or they would be the same: 0 is the calibration.
            draw: 1,
            used: &[calibration],
        })?;
        windows.ok_or_else(|| Usage("no text to probe with: give --probe FILE".into()).into())
    }

    /// The windows that a climb is checked on, beside those that its candidates are fitted to and judged by.
    fn climb_windows(&self, calibration: &[Vec<u32>], probe: &[Vec<u32>]) -> Result<Vec<Vec<u32>>> {
        let windows = self.others(&Others {
            files: &[],
            size: self.probe_size()?,
            label: "reading the held-out text",
            draw: 3,
            used: &[calibration, probe],
        })?;
        // Without a calibration text there was no search.
        Ok(windows.unwrap_or_default())
    }

    /// All windows that sizes are found by: those of the calibration and the probe, and of a climb.
    pub fn searched_by(&self) -> Result<[Vec<Vec<u32>>; 3]> {
        let calibration = self.calibration.windows(self.checkpoint, self.tokenizer, self.json)?;
        let probe = self.probe_windows(&calibration)?;
        let held_out = match self.climb.effort().is_any() {
            true => self.climb_windows(&calibration, &probe)?,
            false => Vec::new(),
        };
        Ok([calibration, probe, held_out])
    }

    /// Windows of other text, as [`Self::drawn`]; where they are too few that overlap none, that is said.
    pub fn others(&self, asked: &Others<'_>) -> Result<Option<Vec<Vec<u32>>>> {
        let Some((windows, overlapping)) = self.drawn(asked)? else { return Ok(None) };
        if overlapping > 0 {
            out::note(format_args!(
                "note: {}: {overlapping} of {} windows share text with windows that serve already, on which a model \
                 looks better than it is; a longer text has others",
                asked.label,
                windows.len()
            ));
        }
        Ok(Some(windows))
    }

    /// Windows of other text, such as overlap none that serve already as far as there are, and how many do, which come
    /// last; `None` where there is no text.
    pub fn drawn(&self, asked: &Others<'_>) -> Result<Option<(Vec<Vec<u32>>, usize)>> {
        let Size { count, length } = asked.size;
        let begin = usize::from(self.calibration.cutting.bos == Bos::Each);
        let is_own = asked.files.is_empty();
        if self.calibration.cutting.sampling == Sampling::Sequential {
            // One after the other, they come behind those that serve already. Fewer of these are the first of more, and
            // count once.
            let used: HashSet<&[u32]> =
                asked.used.iter().flat_map(|windows| windows.iter()).map(Vec::as_slice).collect();
            let tokens: usize = used.iter().map(|window| window.len().saturating_sub(begin)).sum();
            let passed = if is_own { tokens.div_ceil(length - begin) } else { 0 };
            let Some(Cut { windows, notes }) = self.cut(asked, passed + count)? else { return Ok(None) };
            out::notes(&notes);
            let windows = windows.into_iter().skip(passed).collect();
            return Ok(Some(if is_own { (windows, 0) } else { apart(windows, asked.used, begin, count) }));
        }
        let mut best: Option<(Cut, usize)> = None;
        // A few to spare, many to spare; and as many as are wanted, where the text has no room for more.
        for drawn in [count + count / 4 + 4, 8 * count + 32, count] {
            if drawn == count && best.is_some() {
                break;
            }
            let Cut { windows, notes } = match self.cut(asked, drawn) {
                Ok(Some(cut)) => cut,
                Ok(None) => return Ok(None),
                Err(TextError::TooShort { .. } | TextError::TooOften { .. }) if drawn > count => continue,
                Err(error) => return Err(error.into()),
            };
            let (windows, overlapping) = apart(windows, asked.used, begin, count);
            if best.as_ref().is_none_or(|(_, fewest)| overlapping < *fewest) {
                best = Some((Cut { windows, notes }, overlapping));
            }
            if overlapping == 0 {
                break;
            }
        }
        Ok(best.map(|(Cut { windows, notes }, overlapping)| {
            // What there is to say of the calibration text is said already.
            if !is_own {
                out::notes(&notes);
            }
            (windows, overlapping)
        }))
    }

    /// So many windows.
    fn cut(&self, asked: &Others<'_>, count: usize) -> Result<Option<Cut>, TextError> {
        // Another seed draws others.
        let seed = self.calibration.seed.wrapping_add(asked.draw);
        let which = self.calibration.cutting.windows(count, asked.size.length, seed);
        let paths = if asked.files.is_empty() { self.calibration.files() } else { asked.files };
        let files = Files { paths, key: self.calibration.key(), documents: None };
        let mut counting = progress::counting(asked.label, self.json);
        let (checkpoint, tokenizer) = (self.checkpoint, self.tokenizer);
        slimgpt::session::windows(files, checkpoint, shipped::CALIBRATION, tokenizer, &which, &mut counting)
    }
}
