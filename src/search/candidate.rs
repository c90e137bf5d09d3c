//! Complete candidates: pruned one layer after the other from the first that differs from the best so far, and judged.

use super::asked::Climb;
use super::judge::Judge;
use super::kept::{Before, Kept};
use super::memory::climb_bytes;
use super::{Event, SearchError};
use crate::activations::Placement;
use crate::allocate::{Allocation, Schedule};
use crate::device::Peak;
use crate::model::Block;
use crate::obs::Shared;
use crate::pipeline::{self, Flow, Job, PipelineError, Plan, PlanError, Request, Walk, plan_beside};
use crate::shape::{LayerShape, ModelConfig};

/// How a candidate is looked at.
pub(super) struct Look {
    /// The first layer that differs from what the climb goes on from.
    pub from: usize,
    /// Beyond this on the first few tokens, the others are not looked at.
    pub most: f64,
    pub with_held_out: bool,
    /// Candidates before it.
    pub steps: usize,
}

/// What came of a candidate, in nats a token.
pub(super) struct Outcome {
    pub few: f64,
    /// `None` where the first few tokens were enough.
    pub all: Option<f64>,
    pub held_out: Option<f64>,
    /// Its states, for those that begin behind it.
    pub before: Vec<(usize, Before)>,
}

/// What prunes and judges candidates.
pub(super) struct Candidates<'a, 'e, E> {
    asked: &'a Climb<'a>,
    executor: &'a E,
    /// With the biases that the method adds.
    config: &'a ModelConfig,
    /// What candidates are fitted to.
    windows: &'a [Vec<u32>],
    judge: Judge<'a>,
    kept: Kept,
    /// What the clock said when no second of this climb was over.
    begun: f64,
    on_event: &'e mut dyn FnMut(Event) -> Flow,
}

impl<'a, 'e, E: Shared> Candidates<'a, 'e, E> {
    /// With room for as many states as there is memory beside a pruning to the sizes `start`. `seconds` are over already.
    pub fn new(
        asked: &'a Climb<'a>,
        executor: &'a E,
        (config, windows): (&'a ModelConfig, &'a [Vec<u32>]),
        judge: Judge<'a>,
        (start, seconds): (&[LayerShape], f64),
        on_event: &'e mut dyn FnMut(Event) -> Flow,
    ) -> Result<Self, SearchError> {
        let layers = config.layers.len();
        let streams = 1 + usize::from(asked.request.options.needs_draw());
        let tokens = streams * windows.iter().map(Vec::len).sum::<usize>() + judge.tokens()[1];
        let each = (tokens * config.hidden_size * size_of::<f32>()) as u64;
        let begun = (asked.clock)() - seconds;
        let kept = Kept::new(layers, each, None);
        let mut all = Self { asked, executor, config, windows, judge, kept, begun, on_event };
        let taken = all.plan(start.to_vec())?.memory.host_bytes;
        // Half of what is left: others work here too.
        let room = asked.limits.host_bytes.map(|bytes| bytes.saturating_sub(taken) / 2);
        all.kept = Kept::new(layers, each, room);
        Ok(all)
    }

    /// What it takes to prune to these sizes.
    pub fn plan(&self, layers: Vec<LayerShape>) -> Result<Plan, PlanError> {
        let request = self.asked.request;
        let (schedule, whole_sites) = (Schedule::Shapes(layers), self.asked.bounds.whole_sites);
        let allocation = Allocation { target: None, schedule, whole_sites, ..request.allocation.clone() };
        let window_tokens = self.windows.iter().map(Vec::len).max().unwrap_or(0);
        let request = Request { allocation, windows: self.windows.len(), window_tokens, ..request.clone() };
        let [_, judged, held_out] = self.judge.tokens();
        let beside = climb_bytes(self.config, judged + held_out);
        plan_beside(&request, self.asked.checkpoint.config(), self.asked.limits, beside)
    }

    /// Prunes from the last states that are kept before the first layer that differs, and judges the whole.
    pub async fn judged(&mut self, plan: &Plan, look: &Look) -> Result<Outcome, SearchError> {
        let Self { asked, executor, config, windows, judge, kept, begun, on_event } = self;
        let (on, steps) = (asked.device.tensor_device(), look.steps);
        // A GPU's memory is the pruning's; the CPU's is the host's already.
        let place = if asked.device.is_gpu() { Placement::Host } else { Placement::Device };
        let (first, behind) = kept.last(look.from);
        let mut states = match behind {
            Some(behind) => behind.judged()?,
            None => judge.embedded(),
        };
        // Held-out states are kept nowhere: they go along from the first layer.
        states.truncate(judge.parts() + usize::from(look.with_held_out));
        // Seconds and bytes stand in a report, and a candidate leaves none.
        let (clock, memory) = (|| 0.0, Peak::unknown);
        let job = Job {
            checkpoint: asked.checkpoint,
            windows,
            plan,
            scores: None,
            device: asked.device,
            clock: &clock,
            memory: &memory,
            typed: None,
        };
        let mut tell = |event: pipeline::Event| match event {
            pipeline::Event::Batch { .. } => {
                let share = asked.effort.share(steps, (asked.clock)() - *begun);
                on_event(Event::Climbing { steps, share })
            }
            _ => Flow::Continue,
        };
        let failed = |error: PipelineError| match error {
            PipelineError::Stopped { .. } => SearchError::ClimbStopped { steps },
            error => error.into(),
        };
        let walk = Walk::begin(&job, *executor, &mut tell, behind.map(|behind| &behind.calibration)).await;
        let mut walk = walk.map_err(failed)?;
        let mut before = Vec::new();
        for layer in first..config.layers.len() {
            if layer > look.from && kept.wants(layer) {
                let calibration = walk.between(place).await.map_err(failed)?;
                before.push((layer, Before::new(calibration, &states[..judge.parts()], place, on).await?));
            }
            let finished = walk.prune(layer).await.map_err(failed)?;
            let block = Block::load(layer, &finished.weights, finished.record.after, config, on);
            judge.forward(&block, &mut states).await?;
        }
        let few = judge.few(&states).await?;
        let all = if few <= look.most { Some(judge.all(few, &states).await?) } else { None };
        let held_out = if look.with_held_out { Some(judge.held_out(&states).await?) } else { None };
        Ok(Outcome { few, all, held_out, before })
    }

    /// Has those that follow begin behind the layers of this one.
    pub fn take(&mut self, before: Vec<(usize, Before)>) {
        self.kept.take(before);
    }

    /// Tokens that a candidate is judged by: the first few, or all.
    pub fn tokens(&self, all: bool) -> usize {
        self.judge.tokens()[usize::from(all)]
    }

    /// Seconds of this climb that are over, in all sessions together.
    pub fn seconds(&self) -> f64 {
        (self.asked.clock)() - self.begun
    }

    /// Tells the observer, and stops when it says so.
    pub fn tell(&mut self, event: Event, steps: usize) -> Result<(), SearchError> {
        match (self.on_event)(event) {
            Flow::Continue => Ok(()),
            Flow::Stop => Err(SearchError::ClimbStopped { steps }),
        }
    }
}
