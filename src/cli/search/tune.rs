//! `--tune`: damping and calibration tokens are chosen by pruning with a few of them and measuring what comes of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, anyhow};
use clap::Args;
use serde_json::json;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::obs::Options;
use slimgpt::pipeline::{PipelineError, PlanError, Request, plan, windows_sha256};
use slimgpt::place::Place;
use slimgpt::search::{TuneTrial, Tuning};
use slimgpt::session::{SessionError, searched_model};
use slimgpt::{disk, format};

use super::searching::{HELD_OUT_TOKENS, Others, Searching, Size};
use crate::cli::exit::Usage;
use crate::cli::{out, parse, show};

/// Whether settings are tried, and on what.
#[derive(Args, Clone)]
pub struct TuneArgument {
    /// Choose damping and number of calibration windows by trying: seven prunings, of which the best becomes OUT
    ///
    /// Dampings from a tenth to ten times --damping, then half and a quarter of --samples with the best of them. Each model
    /// is measured on text that serves nothing else; the report has what came of each.
    #[arg(long, conflicts_with = "max_perplexity_rise", hide_short_help = true)]
    tune: bool,
    /// Text that tried settings are measured on, or dataset:org/name/file of the hub; by default windows of the calibration
    /// text that serve nothing else
    #[arg(long, value_name = "FILE", requires = "tune", hide_short_help = true)]
    tune_text: Vec<PathBuf>,
    /// Windows of the text that tried settings are measured on; by default so many that there are 16384 tokens
    #[arg(long, value_name = "N", requires = "tune", value_parser = parse::at_least_one, hide_short_help = true)]
    tune_windows: Option<usize>,
}

/// Parts of the calibration windows of which the first is taken that fits into memory.
const PARTS: [usize; 3] = [1, 2, 4];

impl TuneArgument {
    /// Whether settings are to be tried.
    pub fn is_asked(&self) -> bool {
        self.tune
    }

    /// The files that are read.
    pub fn files(&self) -> &[PathBuf] {
        &self.tune_text
    }

    /// The same, to put paths in the place of names.
    pub fn files_mut(&mut self) -> &mut [PathBuf] {
        &mut self.tune_text
    }
}

/// The best of the settings that were tried.
pub struct Tuned {
    pub tuning: Tuning,
    /// What was asked for, with these settings.
    pub request: Request,
    /// The calibration windows of that.
    pub windows: Vec<Vec<u32>>,
    /// The folder that was pruned with them; `None` where an earlier command has found them.
    pub made: Option<PathBuf>,
    /// Where it lies what is known so far; whoever keeps the tuning removes it.
    pub state: PathBuf,
}

impl Searching<'_> {
    /// Tries settings for `request`, in folders beside `place`. What is known after each lies beside it too, so that the
    /// same command goes on.
    pub fn tuned(&self, argument: &TuneArgument, request: &Request, place: &Place, overwrite: bool) -> Result<Tuned> {
        let request = &self.within_memory(request)?;
        let mut cuts = self.cuts(request.windows)?;
        // Windows that any trial is fitted to would praise the settings that fit most to them.
        let held_out = self.free_windows(argument, &cuts)?;
        let state = place.out().with_added_extension("tuning.partial");
        let mut tuning =
            self.begun(request, &held_out, &cuts[&request.windows], [&state, &place.out().join(Tuning::FILE)])?;
        if tuning.untried().is_some() {
            // What stands there is not this: refused now and not after all of it.
            place.stands()?;
            self.tell_what_comes(&tuning, &held_out);
        }
        let (started, known) = (Instant::now(), tuning.trials.len());
        let mut failed = None;
        while let Some((damping, windows)) = tuning.untried() {
            let folder = tried(place, tuning.trials.len());
            let earlier_best = tuning.best().cloned();
            let asked = with(request, damping, windows);
            let perplexity = match self.trial(&asked, &cuts[&windows], &folder, &held_out, overwrite) {
                Ok((perplexity, tokens)) => {
                    tuning.tokens = tokens;
                    Some(perplexity)
                }
                Err(error) if is_of_the_setting(&error) => {
                    out::note(format_args!("damping {damping}, {windows} windows: {error}"));
                    disk::discard(&folder.with_added_extension("partial"));
                    failed = Some(error);
                    None
                }
                Err(error) => return Err(error),
            };
            tuning.trials.push(TuneTrial { damping, windows, perplexity });
            // Before the folder that is worse goes: whoever goes on finds every trial, and at least the folder of the
            // best.
            disk::write_json(&state, &tuning)?;
            keep_best(&tuning, earlier_best.as_ref(), place);
            // Trials that were known from before took none of this time.
            let each = started.elapsed().as_secs_f64() / (tuning.trials.len() - known) as f64;
            self.tell_trial(&tuning, each)?;
        }
        let Some(best) = tuning.best() else {
            return Err(failed.unwrap_or_else(|| anyhow!("none of the dampings that were tried can be pruned with")));
        };
        let made = place_of(&tuning, best).map(|i| tried(place, i)).filter(|folder| folder.is_dir());
        let windows = cuts.remove(&best.windows).unwrap_or_default();
        Ok(Tuned { request: with(request, best.damping, best.windows), windows, made, state, tuning })
    }

    /// The calibration windows of all numbers of them that may be tried: fewer random windows may be others.
    fn cuts(&self, whole: usize) -> Result<BTreeMap<usize, Vec<Vec<u32>>>> {
        let counts = PARTS.into_iter().map(|part| whole / part).filter(|&count| count > 0);
        let cut = |count: usize| -> Result<(usize, Vec<Vec<u32>>)> {
            Ok((count, self.calibration.of(count).windows(self.checkpoint, self.tokenizer, self.json)?))
        };
        counts.map(cut).collect()
    }

    /// The request with as many of its windows as there is memory for: all, a half, or a quarter.
    fn within_memory(&self, request: &Request) -> Result<Request> {
        let mut refused = None;
        for part in PARTS {
            let asked = Request { windows: (request.windows / part).max(1), ..request.clone() };
            match plan(&asked, self.checkpoint.config(), self.limits) {
                Ok(_) => {
                    if asked.windows < request.windows {
                        out::note(format_args!(
                            "note: there is memory for {} of {} calibration windows",
                            asked.windows, request.windows
                        ));
                    }
                    return Ok(asked);
                }
                // Fewer windows may fit; the first refusal is of what was asked for.
                Err(error @ PlanError::Memory(_)) => refused = refused.or(Some(error)),
                Err(error) => return Err(error.into()),
            }
        }
        Err(refused.map_or_else(|| anyhow!("no calibration windows"), Into::into))
    }

    /// What an earlier command has found of the same, or nothing yet.
    fn begun(
        &self,
        request: &Request,
        held_out: &[Vec<u32>],
        calibration: &[Vec<u32>],
        files: [&PathBuf; 2],
    ) -> Result<Tuning> {
        let parts = [
            searched_model(self.checkpoint)?,
            windows_sha256(held_out),
            windows_sha256(calibration),
            // Numbers and names always have a JSON form.
            serde_json::to_string(request).unwrap_or_default(),
            self.device.name().to_owned(),
        ];
        let (damping, windows) = (request.options.damping, request.windows);
        let (version, id) = (env!("CARGO_PKG_VERSION").into(), parts.join(" "));
        let begun = Tuning { version, id, tokens: 0, damping, windows, trials: Vec::new() };
        // What was changed by hand is another.
        let is_same = |known: &Tuning| known.id == begun.id && (known.damping, known.windows) == (damping, windows);
        let known = files.into_iter().find_map(|file| {
            let bytes = disk::read_within(file, disk::SETTINGS).ok()?;
            serde_json::from_slice(&bytes).ok().filter(is_same)
        });
        Ok(known.unwrap_or(begun))
    }

    /// Windows that share no text with those of any trial's calibration, nor with those that sizes were found by.
    fn free_windows(&self, argument: &TuneArgument, cuts: &BTreeMap<usize, Vec<Vec<u32>>>) -> Result<Vec<Vec<u32>>> {
        let length = self.probe_size()?.length;
        let count = argument.tune_windows.unwrap_or(HELD_OUT_TOKENS.div_ceil(length));
        let searched_by = if self.pruning.is_search() { self.searched_by()? } else { Default::default() };
        let used: Vec<&[Vec<u32>]> = cuts.values().chain(&searched_by).map(Vec::as_slice).collect();
        let drawn = self.drawn(&Others {
            files: &argument.tune_text,
            size: Size { count, length },
            label: "reading the held-out text",
            draw: 4,
            used: &used,
        })?;
        let (mut free, overlapping) =
            drawn.ok_or_else(|| Usage("no text to measure on: give --tune-text FILE".into()))?;
        free.truncate(free.len() - overlapping);
        match free.len() {
            0 => Err(Usage(
                "whatever there is of the calibration text serves already: give --tune-text FILE, or fewer --samples"
                    .into(),
            )
            .into()),
            found => {
                if found < count {
                    out::note(format_args!("note: of {count} windows for tuning {found} share no text with others"));
                }
                Ok(free)
            }
        }
    }

    /// The perplexity of the model that is pruned so, and how many tokens were predicted.
    fn trial(
        &self,
        request: &Request,
        windows: &[Vec<u32>],
        folder: &Path,
        held_out: &[Vec<u32>],
        overwrite: bool,
    ) -> Result<(f64, usize)> {
        self.pruned(request, windows, folder, overwrite)?;
        let found = self.perplexity(&Checkpoint::open(folder)?, held_out)?;
        Ok((found.perplexity, found.tokens))
    }

    /// Says how much there is to do.
    fn tell_what_comes(&self, tuning: &Tuning, held_out: &[Vec<u32>]) {
        let (left, length) = (tuning.most() - tuning.trials.len(), held_out.first().map_or(0, Vec::len));
        out::note(format_args!(
            "tuning: {left} prunings, each of about the time of the pruning itself, measured on {} windows of {length} tokens; \
stopped, the same command goes on after the last of them",
            held_out.len()
        ));
    }

    /// Says what the last trial came to.
    fn tell_trial(&self, tuning: &Tuning, each: f64) -> Result<()> {
        let (Some(trial), done, most) = (tuning.trials.last(), tuning.trials.len(), tuning.most()) else {
            return Ok(());
        };
        let left = each * (most - done) as f64;
        if self.json {
            let event = json!({
                "event": "tuning", "done": done, "total": most, "damping": trial.damping, "windows": trial.windows,
                "perplexity": trial.perplexity, "seconds_left": left,
            });
            return Ok(out::json_line(&event)?);
        }
        let Some(perplexity) = trial.perplexity else { return Ok(()) };
        let ahead = if done < most { format!("  about {} left", format::seconds(left)) } else { String::new() };
        out::note(format_args!(
            "tuning {done}/{most}: damping {}, {} windows: perplexity {perplexity:.4}{ahead}",
            format::short(trial.damping),
            trial.windows
        ));
        Ok(())
    }
}

impl Tuned {
    /// What was tried, as a table, and what was taken.
    pub fn show(&self) -> Result<()> {
        let Some(best) = self.tuning.best() else { return Ok(()) };
        let row = |trial: &TuneTrial| {
            let mark = if trial == best { "taken" } else { "" };
            let perplexity = trial.perplexity.map_or_else(|| "–".into(), |perplexity| format!("{perplexity:.4}"));
            vec![format::short(trial.damping), trial.windows.to_string(), perplexity, mark.to_owned()]
        };
        let heading = ["damping", "windows", "held-out perplexity", ""];
        out::line(show::table(&heading, &self.tuning.trials.iter().map(row).collect::<Vec<_>>()))?;
        Ok(())
    }
}

fn with(request: &Request, damping: f64, windows: usize) -> Request {
    Request { windows, options: Options { damping, ..request.options }, ..request.clone() }
}

/// The folder of a trial.
fn tried(place: &Place, trial: usize) -> PathBuf {
    place.out().with_added_extension(format!("tuning-{}", trial + 1))
}

fn place_of(tuning: &Tuning, trial: &TuneTrial) -> Option<usize> {
    tuning.trials.iter().position(|other| other == trial)
}

/// Removes the folder of the last trial, or that of the best before it.
fn keep_best(tuning: &Tuning, before: Option<&TuneTrial>, place: &Place) {
    let last = tuning.trials.len().saturating_sub(1);
    let is_last_best = tuning.best().and_then(|best| place_of(tuning, best)) == Some(last);
    // The disk holds one tried model beside the best so far, and not seven.
    let worse = if is_last_best { before.and_then(|before| place_of(tuning, before)) } else { Some(last) };
    worse.into_iter().for_each(|trial| disk::discard(&tried(place, trial)));
}

/// Whether a pruning failed because of its setting, as one with too little damping may.
fn is_of_the_setting(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(SessionError::Pruning(
            error @ (PipelineError::Site { .. }
            | PipelineError::Rounding { .. }
            | PipelineError::NotFinite { .. }
            | PipelineError::Kept { .. })
        )) if !error.is_out_of_memory()
    )
}
