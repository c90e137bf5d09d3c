//! A LLaMA of three layers with random weights, and a run over it.

use std::path::Path;

use serde_json::json;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::{Device, Peak};
use slimgpt::obs::CpuExecutor;
use slimgpt::pipeline::{Event, Flow, Job, LayerSink, Limits, PipelineError, Plan, Report, Request, plan, prune};

use crate::support::checkpoint::Model;
use crate::support::pruned::rounded_by_layer;
use crate::support::tokens;

pub const LAYERS: usize = 3;
const VOCABULARY: usize = 32;

/// 4 query heads of 4 dimensions on 2 K/V heads, and 100 channels.
pub fn model() -> Model {
    Model::llama(json!({ "num_hidden_layers": LAYERS, "intermediate_size": 100 }))
}

pub fn in_memory() -> Checkpoint {
    model().open()
}

/// The model as a folder.
pub fn on_disk(folder: &Path) -> Checkpoint {
    model().write(folder);
    std::fs::write(folder.join("tokenizer_config.json"), "{}").unwrap();
    Checkpoint::open(folder).unwrap()
}

/// Eight windows of 24 tokens and a shorter one.
pub fn windows() -> Vec<Vec<u32>> {
    let mut windows: Vec<Vec<u32>> = (0..8).map(|i| tokens(24, VOCABULARY, i)).collect();
    windows.push(tokens(11, VOCABULARY, 8));
    windows
}

pub fn request() -> Request {
    Request { allocation: rounded_by_layer(0.4), windows: 9, window_tokens: 24, ..Request::default() }
}

/// A plan that cuts the windows into several batches.
pub fn planned(checkpoint: &Checkpoint, request: &Request) -> Plan {
    let plan = plan(request, checkpoint.config(), &Limits::default()).unwrap();
    Plan { batch_windows: 3, ..plan }
}

/// Runs with everything on the CPU.
pub fn run<S: LayerSink>(
    checkpoint: &Checkpoint,
    plan: &Plan,
    sink: &mut S,
    mut on_event: impl FnMut(Event) -> Flow,
) -> Result<Report, PipelineError> {
    with_job(checkpoint, plan, |job| pollster::block_on(prune(job, &CpuExecutor::<f32>::new(), sink, &mut on_event)))
}

/// Calls `f` with the parts of a run on the CPU.
pub fn with_job<T>(checkpoint: &Checkpoint, plan: &Plan, f: impl FnOnce(&Job<'_>) -> T) -> T {
    let (windows, device) = (windows(), Device::cpu());
    let ticks = std::cell::Cell::new(0.0);
    let clock = || {
        ticks.set(ticks.get() + 1.0);
        ticks.get()
    };
    f(&Job {
        checkpoint,
        windows: &windows,
        plan,
        scores: None,
        device: &device,
        clock: &clock,
        memory: &Peak::unknown,
        typed: None,
    })
}

pub fn go_on(_: Event) -> Flow {
    Flow::Continue
}
