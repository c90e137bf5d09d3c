//! What pruning and learning hold on a device is what was planned, and does not grow with the layers. A binary of its
//! own: the adapter's memory is that of all tests of a process together.

mod support;

use std::sync::Mutex;

use pollster::block_on;
use serde_json::json;
use slimgpt::activations::Placement;
use slimgpt::device::{Device, Peak};
use slimgpt::gradient::{Batch, HeadWanted, Keep, Loss, Pass};
use slimgpt::model::{Block, Head, SCORE_BYTES, logit_bytes};
use slimgpt::obs::{
    ChannelSteps, HeadCut, HeadLayout, HeadUnit, Hessian, Options, WgpuExecutor, prune_channels, prune_heads,
};
use slimgpt::pipeline::{Flow, Limits, MemoryPlan, Plan, Request};
use slimgpt::recover::{Data, Event, Job, Length, Settings, Train, plan, recover};
use slimgpt::session::{examples, prune_to_folder};
use slimgpt::text::Files;
use support::checkpoint::Model;
use support::pruned::{job, rounded_by_layer};
use support::{activations, matrix, random, shipped, software_gpu, tokens};

/// The adapter's memory is that of all tests of a process together, so one of them measures at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Bytes in use on the device; what is kept for reuse is not.
fn held(device: &Device) -> u64 {
    device.release_unused();
    device.bytes_held().expect("the adapter tells")
}

/// The most bytes in use between two layers, forward and back, with inputs on the host.
fn most(layers: usize) -> u64 {
    let sizes = json!({ "num_hidden_layers": layers, "hidden_size": 128, "intermediate_size": 512,
        "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 16 });
    let checkpoint = Model::llama(sizes).open();
    let (config, device) = (checkpoint.config(), software_gpu());
    let on = device.tensor_device();
    let held = || held(&device);
    let load = |i: usize| Block::load(i, &checkpoint.layer(i).unwrap(), config.layers[i], config, on);
    let batches: Vec<Batch> =
        (0..3).map(|b| Batch::whole((0..4).map(|row| tokens(64, 32, 4 * b + row)).collect())).collect();
    let before = held();
    let keep = Keep::Inputs(Placement::Host);
    let mut pass = Pass::new(config, &batches, on, keep, Placement::Host, &None).unwrap();
    let outer = checkpoint.outer().unwrap();
    block_on(pass.embed(&outer.embedding)).unwrap();
    let mut most = 0;
    for layer in 0..layers {
        block_on(pass.forward(layer, &load(layer))).unwrap();
        most = most.max(held());
    }
    block_on(pass.score(&Head::load(&outer, config, on), Loss::LABELS, None, HeadWanted::default())).unwrap();
    for layer in (0..layers).rev() {
        let back = block_on(pass.backward(layer, &load(layer))).unwrap();
        most = most.max(held());
        drop(back);
    }
    most - before
}

#[test]
fn layers_cost_the_device_nothing() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let (few, many) = (most(2), most(10));
    // A layer has 0.9 MB of weights and as much of inputs; eight more of either would show.
    assert!(many <= few + (1 << 20), "{few} bytes with 2 layers, {many} with 10");
    assert!(few > 0);
}

/// The most bytes in use at any event of a recovery of the shipped model, and those that were planned for when it is
/// looked at: between two layers, where there are neither scores nor logits, which are most of what is planned.
fn measured(settings: &Settings, bytes: Option<u64>) -> (u64, u64) {
    let device = software_gpu();
    let (checkpoint, tokenizer) = slimgpt::session::open(&shipped()).unwrap();
    let place = tempfile::tempdir().unwrap();
    let text = place.path().join("text.txt");
    std::fs::write(&text, &slimgpt::shipped::CALIBRATION[..20_000]).unwrap();
    let files = Files { paths: &[text], key: "text", documents: None };
    let source = examples(files, None, &shipped(), &checkpoint, &tokenizer).unwrap();
    let data = Data::read(&source, settings).unwrap();
    let limits = Limits { is_gpu: true, device_bytes: bytes, ..Limits::default() };
    let plan = plan(settings, checkpoint.config(), None, &limits).unwrap();
    let before = held(&device);
    let job = Job {
        checkpoint: &checkpoint,
        teacher: None,
        data: &data,
        sources: &[],
        settings,
        plan: &plan,
        device: &device,
        clock: &|| 0.0,
        memory: &Peak::unknown,
        typed: None,
    };
    let mut most = 0;
    let mut watch = |_: Event| {
        most = most.max(held(&device).saturating_sub(before));
        Flow::Continue
    };
    block_on(recover(&job, &place.path().join("out"), false, &mut watch)).unwrap();
    (most, plan.device_bytes - 4 * SCORE_BYTES as u64 - 2 * logit_bytes(checkpoint.config()))
}

#[test]
fn a_recovery_holds_no_more_than_was_planned() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let small = Settings { length: Length::Steps(1), batch: 8, window: 96, hold_out: Some(4), ..Settings::default() };
    let all = Settings { train: Train::All, dropout: 0.0, ..small.clone() };
    // Everything stays; only the inputs of the layers do; nothing does.
    let budgets = [8 << 30, 680 << 20, 664 << 20];
    for (settings, budgets) in [(&small, &budgets[..]), (&all, &budgets[2..])] {
        let mut planned = u64::MAX;
        for &budget in budgets {
            let (most, between) = measured(settings, Some(budget));
            assert!(most <= between, "{most} bytes were in use, and {between} planned within {budget}");
            assert!(most > 0 && between <= planned, "a smaller budget plans less");
            planned = between;
        }
    }
}

/// The most bytes in use at any event of a pruning with activations in this place.
fn pruned(place: Placement) -> (u64, MemoryPlan) {
    let sizes = json!({ "num_hidden_layers": 2, "hidden_size": 128, "intermediate_size": 256, "num_attention_heads": 8,
        "num_key_value_heads": 8, "head_dim": 16 });
    let (checkpoint, device) = (Model::llama(sizes).open(), software_gpu());
    let windows: Vec<Vec<u32>> = (0..96).map(|i| tokens(64, 32, i)).collect();
    let request = Request { allocation: rounded_by_layer(0.3), windows: 96, window_tokens: 64, ..Request::default() };
    let limits = Limits { is_gpu: true, ..Limits::default() };
    let planned = slimgpt::pipeline::plan(&request, checkpoint.config(), &limits).unwrap();
    // Batches so small that the activations outweigh them.
    let memory = MemoryPlan { activations: place, keep_inner: false, batch_windows: 4, ..planned.memory.clone() };
    let planned = Plan { memory: memory.clone(), batch_windows: 4, ..planned };
    let out = tempfile::tempdir().unwrap();
    let before = held(&device);
    let mut most = 0;
    let mut watch = |_: slimgpt::pipeline::Event| {
        most = most.max(held(&device).saturating_sub(before));
        Flow::Continue
    };
    let job = job(&checkpoint, &windows, &planned, &device);
    block_on(prune_to_folder(&job, &out.path().join("out"), false, &mut watch)).unwrap();
    (most, memory)
}

#[test]
fn activations_that_are_elsewhere_are_not_on_the_device() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let (on_device, memory) = pruned(Placement::Device);
    // Hidden states and contexts: 96 · 64 tokens of 128 + 128 numbers.
    let activations = 96 * 64 * (128 + 128) * 4;
    assert!(on_device > activations && on_device <= memory.device_bytes, "{on_device} of {memory:?}");
    for place in [Placement::Host, Placement::Disk] {
        let (elsewhere, _) = pruned(place);
        assert!(elsewhere + activations * 8 / 10 < on_device, "{place:?}: {elsewhere}, on the device {on_device}");
    }
}

/// Bytes that the allocator took while `work` ran, with what fell to it between two tensors.
fn taken(device: &Device, work: impl Fn()) -> u64 {
    // Kernels are tried out when a size is new, which takes memory once.
    work();
    let before = held(device);
    work();
    device.bytes_held().expect("the adapter tells") - before
}

#[test]
fn solving_takes_three_matrices_of_the_size_of_h() {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let device = software_gpu();
    let executor = WgpuExecutor::new(device.tensor_device());
    // Large enough that pages, of which the allocator takes whole ones, count less than a matrix.
    let (out, n, count) = (192, 2048, 3072);
    let mut hessian = Hessian::new(&executor, n);
    block_on(hessian.accumulate(&executor, &matrix(&activations(count, n, 3), [count, n], &device))).unwrap();
    let weight = matrix(&random(out * n, 4), [out, n], &device);
    let (square, wide) = ((n * n * 4) as u64, (out * n * 4) as u64);
    // What a block of removals keeps aside.
    let pairs = (3 * 128 * n * 4) as u64;
    // The sum and W are there already.
    let planned = 3 * square + 4 * wide + pairs - square - wide;
    let options = Options::default();
    for (what, steps) in [("one by one", ChannelSteps::OneByOne), ("in groups", ChannelSteps::Dynamic { floor: 64 })] {
        let taken = taken(&device, || {
            drop(block_on(prune_channels(&executor, &weight, &hessian, n / 16, steps, &options)).unwrap());
        });
        assert!(taken <= planned * 115 / 100, "{what}: {taken} bytes, {planned} planned");
    }
    let layout = HeadLayout { heads: 16, kv_heads: 16, head_dim: n / 16 };
    let taken = taken(&device, || {
        drop(
            block_on(prune_heads(&executor, &weight, &hessian, layout, HeadCut::of(HeadUnit::KeyValue, 4), &options))
                .unwrap(),
        );
    });
    assert!(taken <= planned * 115 / 100, "heads: {taken} bytes, {planned} planned");
}
