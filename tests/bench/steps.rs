//! A step of recovery beside a step of the whole model under autodiff, as `examples/train_tiny` makes it: the
//! shipped model, all weights, 16 windows of 128 tokens.
//!
//! ```text
//! cargo bench --bench steps                    on the CPU
//! cargo bench --bench steps -- llvmpipe        on another device
//! ```

use std::path::Path;
use std::time::Instant;

use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::activation::log_softmax;
use pollster::block_on;
use slimgpt::activations::Placement;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::{Device, DeviceChoice, Peak};
use slimgpt::model::{Decoder, token_tensor};
use slimgpt::pipeline::{Flow, Limits};
use slimgpt::recover::{Data, Event, Example, Job, Length, Settings, Train, plan, recover};

const WINDOWS: usize = 16;
/// Tokens that go through the model.
const TOKENS: usize = 128;
const STEPS: usize = 8;

fn windows(vocab: usize) -> Vec<Vec<u32>> {
    let token = |i: usize| ((i * 7919) % (vocab - 3) + 3) as u32;
    (0..WINDOWS).map(|w| (0..=TOKENS).map(|t| token(w * 1000 + t)).collect()).collect()
}

/// Seconds of each step over the whole model at once.
fn whole(checkpoint: &Checkpoint, device: &Device) -> Vec<f64> {
    let (config, on) = (checkpoint.config(), device.tensor_device().clone().autodiff());
    let mut model = Decoder::load(checkpoint, &on).expect("the shipped model");
    let mut optimizer = AdamWConfig::new().init();
    let windows = windows(config.vocab_size);
    let inputs: Vec<Vec<u32>> = windows.iter().map(|w| w[..TOKENS].to_vec()).collect();
    let targets: Vec<u32> = windows.iter().flat_map(|w| w[1..].iter().copied()).collect();
    let step = |_| {
        let started = Instant::now();
        let next = token_tensor(std::slice::from_ref(&targets), &on).reshape([WINDOWS * TOKENS, 1]);
        let logits = model.forward(token_tensor(&inputs, &on), config);
        let loss = log_softmax(logits, 1).gather(1, next).neg().mean();
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(1e-4, model.clone(), gradients);
        // What is lazy is computed before the clock is read.
        let _ = model.outer.norm.scale.val().into_data();
        started.elapsed().as_secs_f64()
    };
    (0..STEPS).map(step).collect()
}

/// Seconds of each step of a recovery.
fn layered(checkpoint: &Checkpoint, device: &Device, is_kept: bool) -> Vec<f64> {
    let (window, micro_batch) = (TOKENS + 1, Some(WINDOWS));
    let settings = Settings {
        train: Train::All,
        length: Length::Steps(STEPS + 1),
        batch: WINDOWS,
        micro_batch,
        window,
        hold_out: Some(0),
        dropout: 0.0,
        ..Settings::default()
    };
    let windows = windows(checkpoint.config().vocab_size).into_iter();
    let example = |tokens: Vec<u32>| Example { counts: vec![true; TOKENS], tokens, documents: Vec::new() };
    let data = Data { learnt: windows.map(example).collect(), ..Data::default() };
    let limits = Limits { is_gpu: device.is_gpu(), ..Limits::default() };
    let mut plan = plan(&settings, checkpoint.config(), None, &limits).expect("it fits");
    plan.inputs = (!is_kept).then_some(Placement::Device);
    let started = Instant::now();
    let clock = || started.elapsed().as_secs_f64();
    let job = Job {
        checkpoint,
        teacher: None,
        data: &data,
        sources: &[],
        settings: &settings,
        plan: &plan,
        device,
        clock: &clock,
        memory: &Peak::unknown,
        typed: None,
    };
    let (folder, mut ends) = (tempfile::tempdir().expect("a folder"), Vec::new());
    let done = block_on(recover(&job, &folder.path().join("out"), false, &mut |event| {
        if matches!(event, Event::Step(_)) {
            ends.push(clock());
        }
        Flow::Continue
    }));
    done.expect("it learns");
    // From the end of one to the end of the next; the first also opens and loads.
    ends.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

fn tell(what: &str, mut seconds: Vec<f64>) {
    seconds.sort_by(f64::total_cmp);
    println!("{what}: {:.3} s (least), {:.3} s (median)", seconds[0], seconds[seconds.len() / 2]);
}

fn main() {
    let name = std::env::args().skip(1).find(|a| !a.starts_with('-'));
    let choice = name.map_or(DeviceChoice::Cpu, DeviceChoice::Named);
    let device = block_on(Device::open(&choice)).expect("the device");
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/tiny_model");
    let checkpoint = Checkpoint::open(&model).expect("the shipped model");
    println!("{}: a step of {WINDOWS} x {TOKENS} tokens, all weights of the shipped model", device.name());
    tell("the whole model under autodiff", whole(&checkpoint, &device));
    tell("layer by layer, everything kept ", layered(&checkpoint, &device, true));
    // As where there is no room for what autodiff needs of all layers.
    tell("layer by layer, computed again  ", layered(&checkpoint, &device, false));
}
