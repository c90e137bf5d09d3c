//! A model pruned within a test: the job, and where its result goes.

use std::path::Path;

use pollster::block_on;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::{Device, Peak};
use slimgpt::obs::{CpuExecutor, WgpuExecutor};
use slimgpt::pipeline::{Flow, Job, LayerSink, Limits, MemorySink, Opened, OutputFolder, Plan, Report, Request};
use slimgpt::pipeline::{plan, prune};

/// A job that measures neither time nor memory.
pub fn job<'a>(checkpoint: &'a Checkpoint, windows: &'a [Vec<u32>], plan: &'a Plan, device: &'a Device) -> Job<'a> {
    Job { checkpoint, windows, plan, device, clock: &|| 0.0, memory: &Peak::unknown }
}

/// Carries a job out on its device.
pub fn carried_out<S: LayerSink>(job: &Job<'_>, sink: &mut S) -> Report {
    let mut go_on = |_| Flow::Continue;
    let report = match job.device.is_gpu() {
        true => block_on(prune(job, &WgpuExecutor::new(job.device.tensor_device()), sink, &mut go_on)),
        false => block_on(prune(job, &CpuExecutor::<f32>::new(), sink, &mut go_on)),
    };
    report.unwrap()
}

/// Carries a job out into a folder that is not there yet.
pub fn to_folder(job: &Job<'_>, out: &Path) -> Report {
    let Opened::Work(mut sink) = OutputFolder::open(out, job, false).unwrap() else { panic!("not opened") };
    carried_out(job, &mut sink)
}

/// Prunes on the CPU, and keeps the layers.
pub fn in_memory(checkpoint: &Checkpoint, windows: &[Vec<u32>], request: &Request) -> (Report, MemorySink) {
    let plan = plan(request, checkpoint.config(), &Limits::default()).unwrap();
    let mut sink = MemorySink::default();
    let report = carried_out(&job(checkpoint, windows, &plan, &Device::cpu()), &mut sink);
    (report, sink)
}
