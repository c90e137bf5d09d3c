//! A rise of perplexity as the budget: candidates are pruned and measured until the smallest within it is known.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use pollster::block_on;
use serde_json::json;
use slimgpt::allocate::Target;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::eval::{Perplexity, perplexity};
use slimgpt::pipeline::{Event, Job, Request, plan, windows_sha256};
use slimgpt::place::Place;
use slimgpt::search::{Found, Rise, SearchError, SearchPlan, Trial, candidate};
use slimgpt::session::prune_to_folder;
use slimgpt::{disk, format};

use super::searching::{HELD_OUT_TOKENS, Others, Searching, Size};
use crate::cli::exit::Usage;
use crate::cli::peak::Watch;
use crate::cli::progress::{Progress, counting};
use crate::cli::typed::typed;
use crate::cli::{out, parse};

/// How much perplexity may rise, and on what.
#[derive(Args, Clone)]
pub struct RiseArgument {
    /// Find the smallest model whose perplexity on held-out text rises by at most so much, such as 5%
    ///
    /// Up to three candidates are pruned and measured: the first by what the search predicts, the others by what was
    /// measured.
    #[arg(long, value_name = "RISE", value_parser = parse::rise, conflicts_with_all = ["target", "target_params", "target_bytes", "target_time"])]
    max_perplexity_rise: Option<f64>,
    /// Text that the rise is measured on, or dataset:org/name/file of the hub; by default windows of the calibration text
    /// that serve nothing else
    #[arg(long, value_name = "FILE", requires = "max_perplexity_rise", hide_short_help = true)]
    rise_text: Vec<PathBuf>,
    /// Windows of the text that the rise is measured on; by default so many that there are 16384 tokens
    #[arg(long, value_name = "N", requires = "max_perplexity_rise", value_parser = parse::at_least_one, hide_short_help = true)]
    rise_windows: Option<usize>,
}

impl RiseArgument {
    /// By how much perplexity may rise, if that was said.
    pub fn most(&self) -> Option<f64> {
        self.max_perplexity_rise
    }

    /// The files that are read.
    pub fn files(&self) -> &[PathBuf] {
        &self.rise_text
    }

    /// The same, to put paths in the place of names.
    pub fn files_mut(&mut self) -> &mut [PathBuf] {
        &mut self.rise_text
    }
}

/// The smallest candidate within a rise.
pub struct Within {
    pub plan: SearchPlan,
    /// Its folder; `None` where an earlier search has found it.
    pub made: Option<PathBuf>,
}

impl Searching<'_> {
    /// Searches, and prunes candidates into folders beside `place` until it is known which is the smallest within the rise.
    pub fn within(&self, argument: &RiseArgument, most: f64, place: &Place, overwrite: bool) -> Result<Within> {
        let mut plan = self.for_targets(&[])?;
        let windows = self.calibration.windows(self.checkpoint, self.tokenizer, self.json)?;
        let held_out = self.held_out(argument, &windows)?;
        // Numbers and names always have a JSON form.
        let request = serde_json::to_string(self.request).unwrap_or_default();
        let bounds = self.bounds();
        // The request knows all bounds but this one, which decides the sizes too.
        let shapes = if bounds.uniform { "one shape" } else { "a shape for each layer" };
        let id = format!("{} {shapes} {request}", windows_sha256(&held_out));
        let is_same = |rise: &Rise| rise.id == id && rise.most.total_cmp(&most).is_eq();
        if let Some(plan) = self.known(&plan.id).filter(|known| known.rise.as_ref().is_some_and(is_same)) {
            return Ok(Within { plan, made: None });
        }
        // What stands there is not this: refused now and not after the candidates.
        place.stands()?;
        let dense = self.perplexity(self.checkpoint, &held_out)?;
        let mut rise = Rise { id, most, tokens: dense.tokens, dense: dense.perplexity, trials: Vec::new() };
        let written = self.request.written_config(self.checkpoint.config());
        let mut made = Vec::new();
        while let Some(found) = candidate(&plan.map, &written, &bounds, &rise)? {
            let folder = place.out().with_added_extension(format!("candidate-{}", made.len() + 1));
            self.prune(&found, &windows, &folder, overwrite)?;
            let perplexity = self.perplexity(&Checkpoint::open(&folder)?, &held_out)?.perplexity;
            let (parameters, predicted_divergence) = (found.parameters, found.predicted_divergence);
            rise.trials.push(Trial { parameters, predicted_divergence, perplexity });
            self.tell(&rise, &found)?;
            made.push((found, folder));
        }
        let best = rise.best();
        let chosen = best.map(|best| made.swap_remove(best));
        // Not before: a command that was interrupted finds whole candidates and does not prune them again.
        made.iter().for_each(|(_, folder)| disk::discard(folder));
        let (found, folder) = chosen.ok_or_else(|| none_within(&rise))?;
        // What is known now, so that the sizes are found by it in the file.
        plan.targets = vec![Found { target: Target::Parameters(found.parameters), ..found }];
        plan.rise = Some(rise);
        Ok(Within { plan, made: Some(folder) })
    }

    fn held_out(&self, argument: &RiseArgument, calibration: &[Vec<u32>]) -> Result<Vec<Vec<u32>>> {
        let length = self.probe_size()?.length;
        let count = argument.rise_windows.unwrap_or(HELD_OUT_TOKENS.div_ceil(length));
        let windows = self.others(&Others {
            files: &argument.rise_text,
            size: Size { count, length },
            label: "reading the held-out text",
            draw: 2,
            used: &[calibration, &self.probe_windows(calibration)?],
        })?;
        windows.ok_or_else(|| Usage("no text to measure the rise on: give --rise-text FILE".into()).into())
    }

    pub(super) fn perplexity(&self, model: &Checkpoint, windows: &[Vec<u32>]) -> Result<Perplexity> {
        let mut counting = counting("perplexity", self.json);
        Ok(block_on(perplexity(model, windows, self.device, &mut counting))?)
    }

    fn prune(&self, found: &Found, windows: &[Vec<u32>], folder: &Path, overwrite: bool) -> Result<()> {
        let config = self.checkpoint.config();
        let request = self.pruning.found(&self.calibration.size, config, self.calibration.seed, found)?;
        self.pruned(&request, windows, folder, overwrite)
    }

    /// Prunes into a folder of a candidate.
    pub(super) fn pruned(&self, request: &Request, windows: &[Vec<u32>], folder: &Path, overwrite: bool) -> Result<()> {
        let plan = plan(request, self.checkpoint.config(), self.limits)?;
        let started = Instant::now();
        let clock = || started.elapsed().as_secs_f64();
        let watch = Watch::start(self.device);
        let memory = || watch.look();
        let job = Job {
            checkpoint: self.checkpoint,
            windows,
            plan: &plan,
            scores: None,
            device: self.device,
            clock: &clock,
            memory: &memory,
            typed: Some(&typed(self.command)),
        };
        let mut progress = Progress::new(self.json, &plan);
        let pruned = block_on(prune_to_folder(&job, folder, overwrite, &mut |event| {
            // The end of a candidate is not that of the command.
            if !matches!(event, Event::Finished { .. }) {
                progress.show(&event);
            }
            self.interrupt.flow()
        }));
        progress.pause();
        pruned?;
        Ok(())
    }

    /// Says what the last candidate came to.
    fn tell(&self, rise: &Rise, found: &Found) -> Result<()> {
        let Some(trial) = rise.trials.last() else { return Ok(()) };
        let risen = rise.of(trial);
        if self.json {
            let event = json!({
                "event": "candidate", "parameters": trial.parameters, "ratio": found.ratio, "rise": risen,
                "predicted_divergence": trial.predicted_divergence, "perplexity": trial.perplexity, "dense": rise.dense,
            });
            return Ok(out::json_line(&event)?);
        }
        out::note(format_args!(
            "candidate {}: {} less of the decoder layers, {} parameters: perplexity {}",
            rise.trials.len(),
            format::percent(found.ratio),
            format::count(trial.parameters),
            change(rise, trial)
        ));
        Ok(())
    }
}

fn none_within(rise: &Rise) -> SearchError {
    // The largest is the nearest to the dense model, so that none rises by less.
    let largest = rise.trials.iter().max_by_key(|trial| trial.parameters);
    let (parameters, least) = largest.map_or((0, 0.0), |trial| (trial.parameters, rise.of(trial)));
    SearchError::NoneWithin { most: 100.0 * rise.most, parameters, least: 100.0 * least }
}

/// "20.1234 → 21.0000, 4.4 % more".
fn change(rise: &Rise, trial: &Trial) -> String {
    let risen = rise.of(trial);
    let word = if risen < 0.0 { "less" } else { "more" };
    format!("{:.4} → {:.4}, {} {word}", rise.dense, trial.perplexity, format::percent(risen.abs()))
}

/// What was found, in a line.
pub fn told(plan: &SearchPlan) -> Option<String> {
    let rise = plan.rise.as_ref()?;
    let trial = rise.trials.get(rise.best()?)?;
    Some(format!(
        "of {} candidates the smallest within a rise of {}: {} parameters, perplexity on held-out text {} ({} predictions)",
        rise.trials.len(),
        format::percent(rise.most),
        format::count(trial.parameters),
        change(rise, trial),
        format::count(rise.tokens)
    ))
}
