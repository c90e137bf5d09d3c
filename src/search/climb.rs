//! Complete candidates, each two sites away from the best so far, that are pruned one layer after the other and judged by
//! the divergence of the whole.
//!
//! ```text
//! the start      all layers pruned; judged; its states kept before as many layers as there is room for
//! a candidate    a move (`moves`): layers from the first that it changes on pruned anew, from the states kept before it;
//!                judged by a few tokens, and by all if it is not worse there; better than the best it takes its place
//! the end        start and best on tokens that nothing was chosen by; where these disagree the start is kept
//! ```
//!
//! Candidates are fitted to the first of the calibration windows: on fewer tokens than the pruning, but in its way.

use super::asked::{Climb, Texts, fitted, texts};
use super::budget::Budget;
use super::candidate::{Candidates, Look, Outcome};
use super::climbed::{Climbed, Climbing, Judged};
use super::judge::Judge;
use super::moves::{Field, Worth};
use super::shifts::Move;
use super::{Event, Found, SearchError};
use crate::model::Head;
use crate::obs::Shared;
use crate::pipeline::{Flow, Plan};
use crate::shape::ModelConfig;

/// A candidate is judged by all tokens if on the first few it is at most by this part worse: a few tell little apart.
const TOLERANCE: f64 = 0.01;

/// Climbs from the sizes `start`; `known` is how far an earlier session was, and `keep` is given the same after every
/// candidate. The sizes that come back are never worse than the start on the tokens that candidates are judged by, nor on
/// the held-out ones.
///
/// # Errors
/// [`SearchError::ClimbStopped`] when `on_event` says so; [`SearchError::NoClimb`] where there can be none; otherwise when
/// something cannot be read or computed.
pub async fn climb<E: Shared>(
    asked: &Climb<'_>,
    executor: &E,
    start: &Found,
    known: Option<Climbing>,
    keep: &mut dyn FnMut(&Climbing) -> Result<(), SearchError>,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Found, SearchError> {
    let Texts { probe, held_out } = texts(asked)?;
    let config = asked.request.written_config(asked.checkpoint.config());
    let budget = Budget::of(start.target, &config, asked.bounds.times.as_ref())?;
    let field = Field::new(asked.map, &budget, asked.bounds, &start.layers);
    let (field, chosen) = field.ok_or(SearchError::NoClimb("from sizes that the map does not have"))?;
    let windows = fitted(asked.calibration, &config);
    let ground = Ground { asked, start, config: &config, field };
    let tokens =
        [windows, probe.as_slice(), held_out.as_slice()].map(|windows| windows.iter().map(Vec::len).sum::<usize>());
    // What was kept may have been changed by others.
    let known = known.filter(|state| ground.field.has(&state.chosen) && state.learnt.is_of(ground.field.count()));
    if let Some(state) = known.as_ref().filter(|state| ground.is_over(state) && state.is_checked()) {
        return Ok(ground.found(state, tokens));
    }
    let on = asked.device.tensor_device();
    let head = Head::load(&asked.checkpoint.outer()?, asked.checkpoint.config(), on);
    let judge = Judge::new(asked.checkpoint, &head, &probe, &held_out, on).await?;
    let seconds = known.as_ref().map_or(0.0, |state| state.seconds);
    let begin = (start.layers.as_slice(), seconds);
    let mut all = Candidates::new(asked, executor, (&config, windows), judge, begin, on_event)?;
    let mut state = match known {
        Some(state) => {
            if !ground.is_over(&state) {
                ground.rebuild(&mut all, &state).await?;
            }
            state
        }
        None => ground.begin(&mut all, chosen).await?,
    };
    keep(&state)?;
    while !ground.is_over(&state) {
        let event = match ground.next(&all, &mut state) {
            Some(next) => Some(ground.step(&mut all, &mut state, next).await?),
            None => {
                state.exhausted = true;
                None
            }
        };
        // Kept before it is told: who stops at that event loses nothing.
        keep(&state)?;
        event.map_or(Ok(()), |event| all.tell(event, state.steps))?;
    }
    if !state.is_checked() {
        ground.check(&mut all, &mut state).await?;
        keep(&state)?;
    }
    Ok(ground.found(&state, tokens))
}

/// A candidate before it is pruned.
struct Next {
    made: Move,
    worth: Worth,
    plan: Plan,
}

/// What does not change while it is climbed.
struct Ground<'a> {
    asked: &'a Climb<'a>,
    start: &'a Found,
    /// With the biases that the method adds.
    config: &'a ModelConfig,
    field: Field<'a>,
}

impl Ground<'_> {
    fn is_over(&self, state: &Climbing) -> bool {
        state.exhausted || self.asked.effort.is_over(state.steps, state.seconds)
    }

    /// Prunes and judges the sizes that it begins with.
    async fn begin<E: Shared>(
        &self,
        all: &mut Candidates<'_, '_, E>,
        chosen: Vec<usize>,
    ) -> Result<Climbing, SearchError> {
        let plan = all.plan(self.start.layers.clone())?;
        let look = Look { from: 0, most: f64::INFINITY, with_held_out: true, steps: 0 };
        let outcome = all.judged(&plan, &look).await?;
        all.take(outcome.before);
        let start = Judged { few: outcome.few, all: outcome.all.unwrap_or(outcome.few) };
        let held_out = outcome.held_out.unwrap_or(start.all);
        Ok(Climbing::begin(chosen, start, held_out, all.seconds()))
    }

    /// Prunes what an earlier session went on from, for its states.
    async fn rebuild<E: Shared>(&self, all: &mut Candidates<'_, '_, E>, state: &Climbing) -> Result<(), SearchError> {
        let plan = all.plan(self.field.sizes(&state.chosen))?;
        // It was judged before: only its states are wanted.
        let look = Look { from: 0, most: f64::NEG_INFINITY, with_held_out: false, steps: state.steps };
        let outcome = all.judged(&plan, &look).await?;
        all.take(outcome.before);
        Ok(())
    }

    /// What is tried next; none where no move is left.
    fn next<E: Shared>(&self, all: &Candidates<'_, '_, E>, state: &mut Climbing) -> Option<Next> {
        loop {
            let of = (self.asked.seed, state.steps);
            match self.field.propose(&state.chosen, &state.learnt, &state.tried, state.units, of) {
                Some((made, worth)) => match all.plan(self.field.sizes(&made.made(&state.chosen))) {
                    Ok(plan) => return Some(Next { made, worth, plan }),
                    // A pruning keeps some channels of every layer, of which the map knows nothing.
                    Err(_) => state.tried.push(made),
                },
                // Shorter moves may be left where all of this length were tried.
                None if state.units > 1 => state.units /= 2,
                None => return None,
            }
        }
    }

    /// Prunes and judges a candidate, and goes on from it if it is better.
    async fn step<E: Shared>(
        &self,
        all: &mut Candidates<'_, '_, E>,
        state: &mut Climbing,
        Next { made, worth, plan }: Next,
    ) -> Result<Event, SearchError> {
        let most = state.best.few * (1.0 + TOLERANCE);
        let look = Look { from: self.field.first_layer(&made), most, with_held_out: false, steps: state.steps };
        let Outcome { few, all: on_all, before, .. } = all.judged(&plan, &look).await?;
        let gained = on_all.map_or(state.best.few - few, |on_all| state.best.all - on_all);
        state.learnt.note(&made, &worth, gained);
        let better = on_all.filter(|&on_all| on_all < state.best.all);
        match better {
            Some(on_all) => {
                all.take(before);
                state.accept(&made, Judged { few, all: on_all });
            }
            None => state.reject(made),
        }
        state.steps += 1;
        state.seconds = all.seconds();
        Ok(Event::Candidate {
            steps: state.steps,
            accepted: better.is_some(),
            divergence: on_all.unwrap_or(few),
            tokens: all.tokens(on_all.is_some()),
            best: state.best.all,
        })
    }

    /// Prunes the best anew, for its divergence on the held-out tokens.
    async fn check<E: Shared>(&self, all: &mut Candidates<'_, '_, E>, state: &mut Climbing) -> Result<(), SearchError> {
        let plan = all.plan(self.field.sizes(&state.chosen))?;
        let look = Look { from: 0, most: f64::NEG_INFINITY, with_held_out: true, steps: state.steps };
        state.held_out_best = all.judged(&plan, &look).await?.held_out;
        Ok(())
    }

    /// The sizes that were found, by a climb of so many tokens: fitted to, judged by, held out.
    fn found(&self, state: &Climbing, [calibration_tokens, tokens, held_out_tokens]: [usize; 3]) -> Found {
        let climbed = Climbed {
            id: self.asked.id.to_owned(),
            seed: self.asked.seed,
            effort: self.asked.effort,
            steps: state.steps,
            accepted: state.accepted,
            exhausted: state.exhausted,
            calibration_tokens,
            tokens,
            start: state.start.all,
            reached: state.best.all,
            held_out_tokens,
            held_out_start: state.held_out_start,
            held_out_reached: state.held_out_best.unwrap_or(state.held_out_start),
        };
        let start = self.start;
        let (layers, predicted) = match climbed.keeps_start() {
            true => (start.layers.clone(), start.predicted_divergence),
            false => (self.field.sizes(&state.chosen), self.field.cost(&state.chosen)),
        };
        Found { climb: Some(climbed), ..Found::new(start.target, self.config, self.asked.bounds, layers, predicted) }
    }
}
