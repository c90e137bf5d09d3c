//! Losses that are measured on a sample of the windows, and the batches of which only what is kept is computed.

use serde_json::json;
use slimgpt::allocate::{Allocation, Curve, Schedule};
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::pipeline::{Limits, Measure, MemorySink, Plan, Report, Request, plan};
use slimgpt::shape::{LayerShape, Site};

use crate::support::checkpoint::Model;
use crate::support::pruned::{carried_out, job, rounded_by_layer};
use crate::support::{software_gpu, tokens};

const WINDOWS: usize = 1000;
const LENGTH: usize = 100;

fn model() -> Checkpoint {
    Model::llama(json!({ "num_hidden_layers": 2, "intermediate_size": 104 })).open()
}

fn planned(checkpoint: &Checkpoint, measure: Measure) -> Plan {
    let sizes = Request { windows: WINDOWS, window_tokens: LENGTH, ..Request::default() };
    // Every site loses half, the fewest heads that can go.
    let allocation = Allocation { schedule: Schedule::Curve(Curve::Uniform), ..rounded_by_layer(0.5) };
    let request = Request { allocation, measure, ..sizes };
    plan(&request, checkpoint.config(), &Limits::default()).unwrap()
}

fn windows() -> Vec<Vec<u32>> {
    (0..WINDOWS).map(|i| tokens(LENGTH, 32, i as u64)).collect()
}

fn run(checkpoint: &Checkpoint, plan: &Plan, device: &Device, sink: &mut MemorySink) -> Report {
    carried_out(&job(checkpoint, &windows(), plan, device), sink)
}

#[test]
fn a_sample_of_the_windows_tells_the_loss_and_how_far_it_may_be_off() {
    let (checkpoint, device) = (model(), Device::cpu());
    let [all, sample] = [Measure::All, Measure::Sample]
        .map(|measure| run(&checkpoint, &planned(&checkpoint, measure), &device, &mut MemorySink::default()));
    for (whole, part) in all.layers.iter().zip(&sample.layers) {
        for (whole, part) in [(&whole.heads, &part.heads), (&whole.channels, &part.channels)] {
            assert!(whole.signal > 0.0, "nothing went");
            assert_eq!((whole.measured_error, &whole.removed), (0.0, &part.removed));
            let off = (part.measured_loss - whole.measured_loss).abs();
            assert!(part.measured_error > 0.0 && off <= 5.0 * part.measured_error, "{part:?} for {whole:?}");
            // Two thirds of the windows know the loss well.
            assert!(part.measured_error < 0.05 * part.measured_loss, "{part:?}");
        }
    }
}

/// Stops a run behind its first layer, and goes on with room for what is computed twice.
fn goes_on_to_the_same_bits(checkpoint: &Checkpoint, plan: &Plan, device: &Device) {
    let (mut whole, mut stopped) = (MemorySink::default(), MemorySink::default());
    let report = run(checkpoint, plan, device, &mut whole);
    stopped.layers = whole.layers[..1].to_vec();
    let mut roomy = plan.clone();
    roomy.memory.keep_inner = !plan.memory.keep_inner;
    let resumed = run(checkpoint, &roomy, device, &mut stopped);
    assert_eq!(resumed.layers, report.layers, "{}", device.name());
    assert_eq!(stopped.layers[1].weights, whole.layers[1].weights, "{}", device.name());
}

#[test]
fn a_run_on_a_sample_goes_on_to_the_same_bits() {
    let checkpoint = model();
    for device in [Device::cpu(), software_gpu()] {
        goes_on_to_the_same_bits(&checkpoint, &planned(&checkpoint, Measure::Sample), &device);
    }
}

#[test]
fn so_it_does_behind_norms_of_what_a_half_adds_and_behind_a_half_that_has_gone() {
    // As many channels as the other model has: half of them must leave as many as may stay.
    let changes =
        json!({ "model_type": "gemma2", "head_dim": 4, "query_pre_attn_scalar": 20, "intermediate_size": 104 });
    let gemma = Model::llama(changes).open();
    goes_on_to_the_same_bits(&gemma, &planned(&gemma, Measure::Sample), &Device::cpu());
    let llama = model();
    let dense = llama.config().dense;
    let schedule = Schedule::Shapes(vec![dense.without(Site::Channels), LayerShape { channels: 40, ..dense }]);
    let allocation = Allocation { schedule, whole_sites: true, ..Allocation::default() };
    let request = Request { allocation, ..planned(&llama, Measure::Sample).request };
    let halved = plan(&request, llama.config(), &Limits::default()).unwrap();
    goes_on_to_the_same_bits(&llama, &halved, &Device::cpu());
}
