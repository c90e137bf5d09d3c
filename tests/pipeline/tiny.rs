//! A LLaMA of three layers with random weights, and a run over it.

use std::path::Path;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::tensor::TensorView;
use slimgpt::checkpoint::Checkpoint;
use slimgpt::device::Device;
use slimgpt::obs::CpuExecutor;
use slimgpt::pipeline::{
    Event, Flow, Job, LayerSink, Limits, PipelineError, Plan, Report, Request, Target, plan, prune,
};

pub const LAYERS: usize = 3;
const HIDDEN: usize = 16;
const VOCABULARY: usize = 32;
const CHANNELS: usize = 100;

/// config.json of 4 query heads of 4 dimensions on 2 K/V heads.
pub fn config_json(dtype: &str) -> String {
    serde_json::json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": HIDDEN,
        "intermediate_size": CHANNELS, "num_hidden_layers": LAYERS, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": VOCABULARY, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": true, "torch_dtype": dtype,
    })
    .to_string()
}

/// The model's only file, in f32.
pub fn weights() -> Vec<u8> {
    let mut tensors = vec![
        ("model.embed_tokens.weight".to_owned(), vec![VOCABULARY, HIDDEN]),
        ("model.norm.weight".to_owned(), vec![HIDDEN]),
    ];
    for i in 0..LAYERS {
        let parts: [(&str, Vec<usize>); 9] = [
            ("input_layernorm", vec![HIDDEN]),
            ("self_attn.q_proj", vec![16, HIDDEN]),
            ("self_attn.k_proj", vec![8, HIDDEN]),
            ("self_attn.v_proj", vec![8, HIDDEN]),
            ("self_attn.o_proj", vec![HIDDEN, 16]),
            ("post_attention_layernorm", vec![HIDDEN]),
            ("mlp.gate_proj", vec![CHANNELS, HIDDEN]),
            ("mlp.up_proj", vec![CHANNELS, HIDDEN]),
            ("mlp.down_proj", vec![HIDDEN, CHANNELS]),
        ];
        tensors.extend(parts.map(|(part, shape)| (format!("model.layers.{i}.{part}.weight"), shape)));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let values: Vec<Vec<u8>> = tensors.iter().map(|(_, shape)| random(&mut rng, shape)).collect();
    let views = tensors.iter().zip(&values).map(|((name, shape), bytes)| {
        (name.as_str(), TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}

/// Norms near one; matrices that keep the size of what goes through them.
fn random(rng: &mut ChaCha8Rng, shape: &[usize]) -> Vec<u8> {
    let count: usize = shape.iter().product();
    let (middle, spread) = if shape.len() == 1 { (1.0, 0.1) } else { (0.0, 1.7 / (shape[1] as f32).sqrt()) };
    (0..count).flat_map(|_| (middle + spread * rng.random_range(-1.0f32..1.0)).to_le_bytes()).collect()
}

pub fn in_memory() -> Checkpoint {
    Checkpoint::from_bytes(config_json("float32").as_bytes(), weights()).unwrap()
}

/// The model as a folder.
pub fn on_disk(folder: &Path) -> Checkpoint {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("config.json"), config_json("float32")).unwrap();
    std::fs::write(folder.join("model.safetensors"), weights()).unwrap();
    std::fs::write(folder.join("tokenizer_config.json"), "{}").unwrap();
    Checkpoint::open(folder).unwrap()
}

/// Eight windows of 24 tokens and a shorter one.
pub fn windows() -> Vec<Vec<u32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let mut window = |n| (0..n).map(|_| rng.random_range(0..VOCABULARY as u32)).collect();
    let mut windows: Vec<Vec<u32>> = (0..8).map(|_| window(24)).collect();
    windows.push(window(11));
    windows
}

pub fn request() -> Request {
    Request {
        target: Some(Target::Ratio(0.4)),
        windows: 9,
        window_tokens: 24,
        channel_multiple: Some(1),
        ..Request::default()
    }
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
    f(&Job { checkpoint, windows: &windows, plan, device: &device, clock: &clock })
}

pub fn go_on(_: Event) -> Flow {
    Flow::Continue
}
