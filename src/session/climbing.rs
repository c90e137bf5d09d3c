//! Climbs from the sizes of a search, kept on the way in its file.

use serde_json::{Map, Value, json};

use super::search_job::{SearchJob, finished_search};
use super::search_state::SearchState;
use crate::allocate::Target;
use crate::device::caught_async;
use crate::eval::LayerTimes;
use crate::pipeline::{Fingerprint, Flow, Limits, windows_sha256};
use crate::search::{Climb, Climbed, Climbing, Effort, Event, Found, SearchError, SearchPlan, climb};

/// What a climb works with beside its search.
pub struct ClimbJob<'a> {
    /// The search whose sizes it begins with.
    pub search: &'a SearchJob<'a>,
    /// What the best is checked on in the end.
    pub held_out: &'a [Vec<u32>],
    /// Seed of what is chosen among moves that are worth the same.
    pub seed: u64,
    /// When it ends, for each target.
    pub effort: Effort,
    /// Seconds since any fixed moment.
    pub clock: &'a dyn Fn() -> f64,
}

/// Climbs from the sizes for each target of a search, one target after the other, and puts what is found in their place.
/// What was tried lies in the search's file of what is known, from which the same climb goes on.
///
/// # Errors
/// Those of [`climb`].
pub async fn climb_for(
    job: &ClimbJob<'_>,
    plan: &mut SearchPlan,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<(), SearchError> {
    let mut state = SearchState::known(job.search.state, &plan.id);
    state.map.clone_from(&plan.map);
    let finished = finished_search(job.search.earlier, &plan.id);
    for at in 0..plan.targets.len() {
        let found = &plan.targets[at];
        let id = id(job, &plan.id, found);
        let is_it = |earlier: &&Found| earlier.climb.as_ref().is_some_and(|climbed| is_same(climbed, &id, job.effort));
        let climbed = match finished.as_ref().and_then(|plan| plan.targets.iter().find(is_it)) {
            Some(earlier) => earlier.clone(),
            None => climbed(job, plan, found, &id, &mut state, on_event).await?,
        };
        plan.targets[at] = climbed;
    }
    Ok(())
}

/// Whether a finished climb is what would come of another with this id: as long, as many steps, or all there are.
fn is_same(climbed: &Climbed, id: &str, effort: Effort) -> bool {
    let is_as_long = climbed.effort == effort || (effort.seconds.is_none() && effort.steps == Some(climbed.steps));
    let is_all = climbed.exhausted && effort.steps.is_none_or(|steps| steps >= climbed.steps);
    climbed.id == id && (is_all || is_as_long)
}

/// What tells a climb from others: all that its candidates follow from.
fn id(job: &ClimbJob<'_>, search: &str, found: &Found) -> String {
    let mut entries = job.search.settings(search, found.target);
    entries.insert("start".into(), json!(found.layers));
    entries.insert("held_out".into(), json!(windows_sha256(job.held_out)));
    entries.insert("seed".into(), json!(job.seed));
    Fingerprint::new(entries).digest()
}

impl SearchJob<'_> {
    /// What sizes follow from that are found by pruning on the way, beside what they begin with.
    fn settings(&self, search: &str, target: Target) -> Map<String, Value> {
        let SearchJob { request, bounds, .. } = self;
        let mut entries = Map::new();
        entries.insert("search".into(), json!(search));
        // The same for all targets, which stand apart.
        let settings = (&request.options, request.channel_steps, request.dtype, request.propagate, request.measure);
        entries.insert("pruning".into(), json!(settings));
        entries.insert("keep_layers".into(), json!(bounds.keep_layers));
        entries.insert("channel_multiple".into(), json!(bounds.channel_multiple));
        entries.insert("times".into(), json!(bounds.times.as_ref().map(LayerTimes::measured)));
        entries.insert("whole_sites".into(), json!(bounds.whole_sites));
        entries.insert("target".into(), json!(target));
        entries
    }

    /// What tells sizes that were found in so many rounds from others.
    pub fn rounds_id(&self, search: &str, target: Target, count: usize) -> String {
        let mut entries = self.settings(search, target);
        entries.insert("rounds".into(), json!(count));
        Fingerprint::new(entries).digest()
    }
}

async fn climbed(
    job: &ClimbJob<'_>,
    plan: &SearchPlan,
    found: &Found,
    id: &str,
    state: &mut SearchState,
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<Found, SearchError> {
    let search = job.search;
    // More candidates than are asked for are another climb.
    let is_within = |known: &Climbing| job.effort.steps.is_none_or(|steps| known.steps <= steps);
    let known = state.climbs.get(id).cloned().filter(is_within);
    // A search has no folder whose disk could take activations, and works on one device.
    let limits = Limits { disk_bytes: None, ranks: 1, ..*search.limits };
    let asked = Climb {
        checkpoint: search.checkpoint,
        request: search.request,
        limits: &limits,
        calibration: search.calibration,
        probe: search.probe,
        held_out: job.held_out,
        map: &plan.map,
        bounds: search.bounds,
        id,
        seed: job.seed,
        effort: job.effort,
        clock: job.clock,
        device: search.device,
    };
    let mut keep = |now: &Climbing| {
        state.climbs.insert(id.to_owned(), now.clone());
        state.keep(search.state)
    };
    let work = async {
        with_executor!(search.device, executor => climb(&asked, &executor, found, known, &mut keep, on_event).await)
    };
    // Boxed: two executors' futures, each with a pruning inside, would lie on the caller's stack.
    caught_async(Box::pin(work)).await?
}
