//! Rounds of a search: a part of the target goes, the model is pruned to that, and the next round measures in what is left
//! what the rest costs. Costs of sites that are cut alone in a dense model do not add up; in a model that is cut everywhere
//! already they are nearer to what they come to.
//!
//! Each round takes divergences from the model that it begins with. From the dense one the sizes were worse: there a site's
//! cost is the difference of two numbers that are larger than it, of which a small probe knows little.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use pollster::block_on;
use slimgpt::allocate::channel_step;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::disk;
use slimgpt::pipeline::Flow;
use slimgpt::search::{Bounds, Event, Found, Rounds, SearchPlan, part_of, sizes};
use slimgpt::session::{SearchJob, search_for};

use super::searching::Searching;
use crate::cli::out;
use crate::cli::parse;

/// In how many rounds sizes are searched for.
#[derive(Args, Clone, Default)]
pub struct RoundsArgument {
    /// Rounds of the search for each target: each begins with the model pruned by the one before
    ///
    /// Of two rounds the first finds sizes for half of what is to go; the model is pruned to them, and the second measures in
    /// that model what the other half costs. It takes one pruning and one search more, and finds better sizes. A climb
    /// knows only the counts of the first search, and cannot go on from them.
    #[arg(long, value_name = "N", value_parser = parse::at_least_one, conflicts_with_all = ["uniform", "whole_sites", "max_perplexity_rise", "search_minutes", "search_steps"], hide_short_help = true)]
    search_rounds: Option<usize>,
}

impl RoundsArgument {
    /// How many, if more than one.
    pub fn more_than_one(&self) -> Option<usize> {
        self.search_rounds.filter(|&count| count > 1)
    }
}

impl Searching<'_> {
    /// The plan with sizes that were found in rounds, if such were asked for.
    pub(super) fn in_rounds(
        &self,
        mut plan: SearchPlan,
        job: &SearchJob<'_>,
        on_event: &mut dyn FnMut(Event) -> Flow,
    ) -> Result<SearchPlan> {
        let Some(count) = self.rounds else { return Ok(plan) };
        let (finished, written) = (self.known(&plan.id), self.request.written_config(self.checkpoint.config()));
        for at in 0..plan.targets.len() {
            let target = plan.targets[at].target;
            let id = job.rounds_id(&plan.id, target, count);
            let earlier = finished.iter().flat_map(|plan| &plan.targets).filter_map(|found| found.rounds.clone());
            let rounds = match earlier.into_iter().find(|rounds| rounds.id == id) {
                Some(rounds) => rounds,
                None => {
                    let Found { layers, predicted_divergence, .. } = self.of_rounds(&plan, job, at, count, on_event)?;
                    Rounds { id, count, layers, predicted_divergence }
                }
            };
            let (layers, predicted) = (rounds.layers.clone(), rounds.predicted_divergence);
            plan.targets[at] =
                Found { rounds: Some(rounds), ..Found::new(target, &written, job.bounds, layers, predicted) };
        }
        Ok(plan)
    }

    /// Removes what rounds have left on the way to a plan.
    pub fn forget_rounds(&self, plan: &SearchPlan) {
        let rounds = 2..=self.rounds.unwrap_or(1);
        for (round, at) in rounds.flat_map(|round| (0..plan.targets.len()).map(move |at| (round, at))) {
            let folder = self.round_folder(at, round);
            if folder.is_dir() {
                disk::discard(&folder);
            }
            // Of a file that stays nothing is taken that is not of the same round.
            let _ = disk::remove_file(&folder.with_added_extension("partial"));
        }
    }

    fn of_rounds(
        &self,
        plan: &SearchPlan,
        job: &SearchJob<'_>,
        at: usize,
        count: usize,
        on_event: &mut dyn FnMut(Event) -> Flow,
    ) -> Result<Found> {
        let (config, target) = (self.checkpoint.config(), plan.targets[at].target);
        let written = self.request.written_config(config);
        // In absolute numbers, the last too: of a smaller model a share is another.
        let part = |round: usize| part_of(target, &written, job.bounds, round as f64 / count as f64);
        // Of a width that a round has left no larger steps are asked for than of the model's own.
        let steps = config.layers.iter().map(|layer| channel_step(layer.channels, job.bounds.channel_multiple));
        let step = steps.reduce(|a, b| channel_step(a, Some(b)));
        let bounds = Bounds { channel_multiple: step, ..job.bounds.clone() };
        let mut found = sizes(&plan.map, &written, job.bounds, part(1)?)?;
        for round in 2..=count {
            let folder = self.round_folder(at, round);
            out::note(format_args!(
                "{target}, round {round} of {count}: {} parameters are left for it",
                found.parameters
            ));
            let request = self.pruning.found(&self.calibration.size, config, self.calibration.seed, &found)?;
            self.pruned(&request, job.calibration, &folder, true)?;
            let cut = Checkpoint::open(&folder)?;
            let state = folder.with_added_extension("partial");
            let job = SearchJob { checkpoint: &cut, bounds: &bounds, state: &state, earlier: &state, ..*job };
            let plan = block_on(search_for(&job, &[part(round)?], on_event))?;
            // One target has one answer.
            let Some(next) = plan.targets.into_iter().next() else { break };
            let predicted = found.predicted_divergence + next.predicted_divergence;
            found = Found::new(target, &written, job.bounds, next.layers, predicted);
        }
        Ok(found)
    }

    /// Where the model lies that a round begins with.
    fn round_folder(&self, target: usize, round: usize) -> PathBuf {
        self.state.with_added_extension(format!("target-{}-round-{round}", target + 1))
    }
}
