//! The bytes that are planned.

use slimgpt::activations::Placement;
use slimgpt::checkpoint::parse_config;
use slimgpt::recover::{RecoveryPlan, Train};
use slimgpt::shape::ModelConfig;

use super::*;
use crate::support::assert_says;

/// LLaMA-7B with so many layers.
fn llama(layers: usize) -> ModelConfig {
    parse_config(&serde_json::json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "intermediate_size": 11008,
        "num_hidden_layers": layers, "num_attention_heads": 32, "vocab_size": 32000, "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-6, "tie_word_embeddings": false,
    }))
    .unwrap()
}

fn on_gpu(config: &ModelConfig, bytes: Option<u64>) -> Result<RecoveryPlan, RecoverError> {
    let limits = Limits { is_gpu: true, device_bytes: bytes, host_bytes: Some(64 << 30), ..Limits::default() };
    plan(&Settings::default(), config, None, &limits)
}

#[test]
fn seven_billion_parameters_are_recovered_on_eight_gibibytes() {
    let plan = on_gpu(&llama(32), Some(8 << 30)).unwrap();
    assert!(plan.device_bytes <= 8 << 30, "{}", plan.device_bytes);
    assert_eq!((plan.crossings, plan.inputs, plan.is_resident), (2, Some(Placement::Host), false));
    // With the inputs off the device, layers cost it nothing.
    let twice = on_gpu(&llama(64), Some(8 << 30)).unwrap();
    assert_eq!(twice.device_bytes, plan.device_bytes);
}

/// With fewer sequences together a layer forward and back takes less, so they are fewer where that makes it fit.
#[test]
fn a_small_card_takes_fewer_sequences_together() {
    let (roomy, small) = (on_gpu(&llama(32), Some(8 << 30)).unwrap(), on_gpu(&llama(32), Some(3 << 30)).unwrap());
    assert!(small.micro_batch < roomy.micro_batch && small.device_bytes <= 3 << 30, "{small:?}");
    let asked = Settings { micro_batch: Some(16), ..Settings::default() };
    let limits = Limits { is_gpu: true, device_bytes: Some(3 << 30), ..Limits::default() };
    assert_says(plan(&asked, &llama(32), None, &limits), &["on the device"]);
}

/// 2.18 GB of embedding go in blocks, unless they are learnt.
#[test]
fn a_large_vocabulary_is_refused_only_where_it_is_learnt() {
    let config = ModelConfig { vocab_size: 152_064, hidden_size: 3584, ..llama(2) };
    let limits = Limits { is_gpu: true, max_binding_bytes: Some((2 << 30) - 1), ..Limits::default() };
    assert!(plan(&Settings::default(), &config, None, &limits).is_ok());
    let all = Settings { train: Train::All, ..Settings::default() };
    assert_says(plan(&all, &config, None, &limits), &["the gradient of the output head takes 2179989504 bytes"]);
    let few = Limits { max_binding_bytes: Some(100 << 20), ..limits };
    assert!(plan(&Settings::default(), &config, None, &few).is_ok());
    let small = ModelConfig { vocab_size: 1000, ..config };
    assert_says(plan(&all, &small, None, &few), &["the gradient of mlp.gate_proj.weight of layer 0"]);
}

#[test]
fn what_fits_stays() {
    let small = Subject::open(&shipped());
    let fits = on_gpu(small.checkpoint.config(), Some(8 << 30)).unwrap();
    assert_eq!((fits.crossings, fits.inputs), (0, None));
    let roomy = on_gpu(&llama(32), Some(60 << 30)).unwrap();
    assert_eq!((roomy.crossings, roomy.inputs), (0, Some(Placement::Device)));
}

#[test]
fn what_cannot_fit_or_means_nothing_is_refused() {
    assert_says(on_gpu(&llama(32), Some(1 << 30)), &["on the device", "1.00 GiB may be used", "one layer"]);
    let limits = Limits { host_bytes: Some(20 << 30), ..Limits::default() };
    let all = Settings { train: Train::All, ..Settings::default() };
    assert_says(plan(&all, &llama(32), None, &limits), &["in the host's memory", "what is learnt"]);
    let refused = |settings: Settings, word: &str| {
        assert_says(plan(&settings, &llama(2), None, &Limits::default()), &[word]);
    };
    let usual = Settings::default;
    refused(Settings { window: 4096, ..usual() }, "context of 2048");
    refused(Settings { rank: 0, ..usual() }, "rank is 0");
    refused(Settings { dropout: 1.0, ..usual() }, "dropout is 1");
    refused(Settings { rate: f64::NAN, ..usual() }, "learning rate is NaN");
    refused(Settings { temperature: 0.0, ..usual() }, "temperature is 0");
    let mut other = llama(2);
    other.vocab_size = 1000;
    assert_says(plan(&usual(), &llama(2), Some(&other), &Limits::default()), &["1000", "32000", "tokenizer"]);
}

/// Before any work, of the model that learns and of its teacher.
#[test]
fn models_whose_gradients_are_not_computed_are_refused_by_name() {
    let capped = parse_config(&serde_json::json!({
        "model_type": "gemma2", "hidden_size": 512, "intermediate_size": 1024, "num_hidden_layers": 2,
        "num_attention_heads": 4, "vocab_size": 32000, "max_position_embeddings": 2048,
    }))
    .unwrap();
    let words = ["Gemma2", "caps its scores or logits"];
    assert_says(on_gpu(&capped, None), &words);
    assert_says(plan(&Settings::default(), &llama(2), Some(&capped), &Limits::default()), &words);
}
