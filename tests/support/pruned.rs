//! A model pruned within a test: the job, and where its result goes.

use std::path::Path;

use pollster::block_on;
use slimgpt::allocate::{Allocation, Rounding, Target};
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::{Device, Peak};
use slimgpt::pipeline::{Flow, Job, LayerSink, Limits, MemorySink, Plan, Report, Request, plan};
use slimgpt::session::{execute, prune_to_folder};

/// A job that measures neither time nor memory.
pub fn job<'a>(checkpoint: &'a Checkpoint, windows: &'a [Vec<u32>], plan: &'a Plan, device: &'a Device) -> Job<'a> {
    Job { checkpoint, windows, plan, scores: None, device, clock: &|| 0.0, memory: &Peak::unknown, typed: None }
}

/// Carries a job out on its device.
pub fn carried_out<S: LayerSink>(job: &Job<'_>, sink: &mut S) -> Report {
    block_on(execute(job, sink, &mut |_| Flow::Continue)).unwrap()
}

/// Carries a job out into a folder that is not there yet.
pub fn to_folder(job: &Job<'_>, out: &Path) -> Report {
    block_on(prune_to_folder(job, out, false, &mut |_| Flow::Continue)).unwrap().report
}

/// What becomes of any number of channels when the layers lose so much, each layer rounded by
/// itself: the request that published figures are made with.
pub fn rounded_by_layer(target: f64) -> Allocation {
    let target = Some(Target::Ratio(target));
    Allocation { target, channel_multiple: Some(1), rounding: Some(Rounding::Layer), ..Allocation::default() }
}

/// Prunes on the CPU, and keeps the layers.
pub fn in_memory(checkpoint: &Checkpoint, windows: &[Vec<u32>], request: &Request) -> (Report, MemorySink) {
    let plan = plan(request, checkpoint.config(), &Limits::default()).unwrap();
    let mut sink = MemorySink::default();
    let report = carried_out(&job(checkpoint, windows, &plan, &Device::cpu()), &mut sink);
    (report, sink)
}
