//! A search from a request to a plan: what it may take of the memory, its map, and the sizes for its targets.

use std::path::Path;

use super::searching::{search_id, searched, searched_model};
use crate::activations::Placement;
use crate::allocate::Target;
use crate::checkpoint::Checkpoint;
use crate::device::Device;
use crate::disk;
use crate::pipeline::{Flow, Limits, Request, plan_beside};
use crate::search::{Bounds, Event, Search, SearchError, SearchPlan, check_target, search_bytes, sizes};

/// Tokens of a probe unless more are asked for: on 135 million parameters they rank sites as four times as many do.
const PROBE_TOKENS: usize = 2048;
/// Tokens of a window of the probe unless asked otherwise.
const PROBE_LENGTH: usize = 512;

/// Windows of a probe and tokens of each where nothing else is asked for, beside calibration windows of `length` tokens.
pub fn probe_size(length: usize) -> (usize, usize) {
    let length = PROBE_LENGTH.min(length);
    (probe_count(length), length)
}

/// Windows of so many tokens that a probe has where nothing else is asked for.
pub fn probe_count(length: usize) -> usize {
    PROBE_TOKENS.div_ceil(length.max(1))
}

/// What a search works with.
#[derive(Clone, Copy)]
pub struct SearchJob<'a> {
    /// The dense model.
    pub checkpoint: &'a Checkpoint,
    /// The pruning that it is for; whatever sizes are found, they are smaller than the model's.
    pub request: &'a Request,
    /// What curves are made of.
    pub calibration: &'a [Vec<u32>],
    /// What divergences are measured on.
    pub probe: &'a [Vec<u32>],
    /// What sizes must keep to.
    pub bounds: &'a Bounds,
    /// What the device and this machine can hold.
    pub limits: &'a Limits,
    /// Where it is computed.
    pub device: &'a Device,
    /// The file of what is known after each layer; whoever keeps the plan removes it.
    pub state: &'a Path,
    /// The file of a finished plan, whose map is taken if it is of the same search.
    pub earlier: &'a Path,
}

/// Searches, or takes a finished search up, and finds sizes for all targets.
///
/// # Errors
/// When the request cannot be carried out, no sizes meet a target, or as [`searched`].
pub async fn search_for(
    job: &SearchJob<'_>,
    targets: &[Target],
    on_event: &mut dyn FnMut(Event) -> Flow,
) -> Result<SearchPlan, SearchError> {
    let SearchJob { checkpoint, request, calibration, probe, device, .. } = *job;
    // A search has no folder whose disk could take activations, and works on one device.
    let limits = Limits { disk_bytes: None, ranks: 1, ..*job.limits };
    let probe_tokens = probe.iter().map(Vec::len).sum();
    let beside = search_bytes(checkpoint.config(), probe_tokens);
    let planned = plan_beside(request, checkpoint.config(), &limits, beside)?;
    // What is written counts, biases that the method adds included.
    let written = planned.biased_config(checkpoint.config());
    // Told now and not after the search.
    targets.iter().try_for_each(|&target| check_target(&written, job.bounds, target))?;
    let place = match planned.memory.activations {
        // Without a GPU the tensors are in host memory already.
        Placement::Host if !device.is_gpu() => Placement::Device,
        place => place,
    };
    let asked = Search {
        checkpoint,
        calibration,
        probe,
        options: request.options,
        channel_steps: request.channel_steps,
        channel_multiple: job.bounds.channel_multiple,
        whole_sites: job.bounds.whole_sites,
        batch_windows: planned.batch_windows,
        place,
        device,
    };
    let id = search_id(&asked)?;
    let map = match finished_search(job.earlier, &id) {
        Some(plan) => plan.map,
        None => searched(&asked, job.state, on_event).await?,
    };
    let found = targets.iter().map(|&target| sizes(&map, &written, job.bounds, target));
    Ok(SearchPlan {
        version: env!("CARGO_PKG_VERSION").into(),
        model: searched_model(checkpoint)?,
        id,
        source: checkpoint.folder().map(|folder| folder.display().to_string()),
        device: device.name().into(),
        calibration_tokens: calibration.iter().map(Vec::len).sum(),
        probe_tokens,
        targets: found.collect::<Result<_, _>>()?,
        rise: None,
        map,
    })
}

/// The plan in a file, if it is of the search with this id.
pub fn finished_search(file: &Path, id: &str) -> Option<SearchPlan> {
    let bytes = disk::read_within(file, disk::REPORT).ok()?;
    SearchPlan::parse(&String::from_utf8(bytes).ok()?).ok().filter(|plan| plan.id == id)
}
