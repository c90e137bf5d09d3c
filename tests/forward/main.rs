//! The forward pass of every kind of model we read, on the CPU and on a GPU, held to an f64 one
//! that shares no code with it.

mod halves;
#[path = "../support/mod.rs"]
mod support;

mod families;
mod stored;

use burn::tensor::Tensor;
use pollster::block_on;
use safetensors::Dtype;
use serde_json::{Value, json};
use slimgpt::checkpoint::{Checkpoint, output_config};
use slimgpt::device::Device;
use slimgpt::eval::perplexity;
use slimgpt::model::{Decoder, KvCache, token_tensor};
use support::checkpoint::{Model, Stored, config};
use support::oracle::Oracle;
use support::{software_gpu, tokens};

fn devices() -> [Device; 2] {
    [Device::cpu(), software_gpu()]
}

fn host(logits: Tensor<2>) -> Vec<f64> {
    let values = block_on(logits.into_data_async()).unwrap().try_to_vec::<f32>().unwrap();
    values.into_iter().map(f64::from).collect()
}

/// Fails unless every logit is within the oracle's tolerance.
#[track_caller]
fn assert_near(got: &[f64], want: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    let worst = got.iter().zip(want).map(|(g, w)| (g - w).abs()).fold(0.0, |m: f64, e| if e <= m { m } else { e });
    assert!(worst <= tolerance, "{what}: {worst:e} > {tolerance:e}");
}

/// Runs a model with these changes to the small LLaMA, stored as `dtype`, on sequences of these lengths.
#[track_caller]
fn check_stored(changes: Value, dtype: Dtype, lengths: &[usize]) {
    check_model(&Model::random(config(changes), dtype, 3), lengths);
}

/// Runs a model on sequences of these lengths.
#[track_caller]
fn check_model(model: &Model, lengths: &[usize]) {
    let (checkpoint, oracle) = (model.open(), Oracle::new(&model.config_json(), &model.safetensors()));
    for device in devices() {
        let decoder = Decoder::load(&checkpoint, device.tensor_device()).unwrap();
        for &length in lengths {
            let window = tokens(length, checkpoint.config().vocab_size, length as u64);
            let want = oracle.logits(&window);
            let ids = token_tensor(&[window], device.tensor_device());
            let got = host(decoder.forward(ids, checkpoint.config()));
            assert_near(&got, &want, oracle.tolerance(length, &want), &format!("{}, {length} tokens", device.name()));
        }
    }
}

#[track_caller]
fn check(changes: Value) {
    check_stored(changes, Dtype::F32, &[1, 2, 33]);
}

#[test]
fn one_key_value_head_for_each_query_head() {
    check(json!({ "num_key_value_heads": 4 }));
    check(json!({ "num_key_value_heads": null }));
}

#[test]
fn grouped_and_single_key_value_heads() {
    check(json!({}));
    check(json!({ "num_key_value_heads": 1 }));
}

#[test]
fn every_element_type_is_widened() {
    for dtype in [Dtype::F16, Dtype::BF16] {
        check_stored(json!({}), dtype, &[17]);
    }
}

#[test]
fn a_head_of_its_own() {
    check(json!({ "tie_word_embeddings": false }));
}

/// A model whose config.json ties the head, with the head that `change` makes of the embedding.
fn with_head(change: impl Fn(f32) -> f32) -> Model {
    let mut model = Model::llama(json!({}));
    let embedding = model.tensor("embed_tokens.weight");
    let (shape, values) = (embedding.shape.clone(), embedding.values.iter().map(|&v| change(v)).collect());
    model.tensors.push(Stored { name: "lm_head.weight".into(), shape, values });
    model
}

#[test]
fn a_head_that_is_stored_is_used_whatever_the_flag_says() {
    let model = with_head(|v| 1.25 * v + 0.1);
    let (checkpoint, oracle) = (model.open(), Oracle::new(&model.config_json(), &model.safetensors()));
    assert!(!checkpoint.config().tied_head);
    assert!(checkpoint.notes()[0].contains("lm_head.weight is there and differs"), "{:?}", checkpoint.notes());
    let decoder = Decoder::load(&checkpoint, Device::cpu().tensor_device()).unwrap();
    let window = tokens(9, checkpoint.config().vocab_size, 9);
    let want = oracle.logits(&window);
    let got = host(decoder.forward(token_tensor(&[window], Device::cpu().tensor_device()), checkpoint.config()));
    assert_near(&got, &want, oracle.tolerance(9, &want), "the head of the file");
    // What is written says what is so, also where nothing goes.
    let written = output_config(checkpoint.raw_config(), checkpoint.config(), checkpoint.dtype());
    assert_eq!(written["tie_word_embeddings"], false);
}

#[test]
fn a_tied_head_may_be_stored_twice_or_alone() {
    let (plain, twice) = (Model::llama(json!({})).open(), with_head(|v| v).open());
    assert!(twice.config().tied_head && twice.notes().is_empty());
    let mut alone = Model::llama(json!({}));
    alone.tensor("embed_tokens.weight").name = "lm_head.weight".into();
    let alone = alone.open();
    for other in [&twice, &alone] {
        assert_eq!(other.outer().unwrap(), plain.outer().unwrap());
    }
    // A folder that says nothing of tying and has no head ties, and what is written of it says so.
    let mut silent = Model::llama(json!({}));
    silent.config.as_object_mut().unwrap().shift_remove("tie_word_embeddings");
    let silent = silent.open();
    let written = output_config(silent.raw_config(), silent.config(), silent.dtype());
    assert_eq!((silent.config().tied_head, &written["tie_word_embeddings"]), (true, &json!(true)));
    assert!(silent.notes()[0].contains("the embedding is taken as the head"), "{:?}", silent.notes());
    // An embedding that is missing beside a head of its own cannot be guessed.
    let mut headless = Model::llama(json!({ "tie_word_embeddings": false }));
    headless.tensors.retain(|t| !t.name.ends_with("embed_tokens.weight"));
    let refused = Checkpoint::from_bytes(&headless.config_json(), headless.safetensors()).map(drop).unwrap_err();
    assert!(refused.to_string().contains("model.embed_tokens.weight"), "{refused}");
}

#[test]
fn biases_of_qwen2() {
    let qwen2 = json!({
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "rope_theta": 1e6, "rms_norm_eps": 1e-6,
        "use_sliding_window": false, "sliding_window": 8,
    });
    check(qwen2);
}

#[test]
fn biases_of_every_projection() {
    check(json!({ "attention_bias": true }));
    check(json!({ "mlp_bias": true }));
    check(json!({ "attention_bias": true, "mlp_bias": true }));
}

#[test]
fn norms_on_the_heads_of_qwen3() {
    let qwen3 = json!({ "model_type": "qwen3", "head_dim": 6, "rope_theta": 1e6, "tie_word_embeddings": false });
    check(qwen3.clone());
    let mut biased = qwen3;
    biased["attention_bias"] = json!(true);
    check(biased);
}

#[test]
fn the_fused_projections_of_baichuan() {
    let baichuan = json!({ "model_type": "baichuan", "num_key_value_heads": null, "tie_word_embeddings": false });
    check(baichuan.clone());
    for dtype in [Dtype::F16, Dtype::BF16] {
        check_stored(baichuan.clone(), dtype, &[9]);
    }
    // Of this vocabulary is Baichuan2, whose head counts by direction.
    let mut second = baichuan;
    second["vocab_size"] = json!(125_696);
    second["num_hidden_layers"] = json!(1);
    check_stored(second, Dtype::F32, &[3]);
}

#[test]
fn mistral_with_heads_wider_than_the_residual_stream() {
    let mistral = json!({
        "architectures": ["MistralForCausalLM"], "model_type": "mistral", "head_dim": 6, "sliding_window": null,
        "rope_theta": 1e6, "tie_word_embeddings": false,
    });
    check(mistral);
}

#[test]
fn positions_of_llama_3() {
    let scaling = json!({
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    });
    let heads = json!({ "head_dim": 16, "rope_theta": 500000.0 });
    let with = |key: &str, value: Value| {
        let mut changes = heads.clone();
        changes[key] = value;
        changes
    };
    check(with("rope_scaling", scaling.clone()));
    // transformers 5 keeps everything about rotation in one place.
    let mut parameters = scaling;
    parameters["rope_theta"] = json!(500000.0);
    let mut changes = with("rope_parameters", parameters);
    changes["rope_theta"] = Value::Null;
    check(changes);
}

#[test]
fn layers_of_different_sizes() {
    let layer = |heads, kv_heads, channels| {
        json!({
            "num_attention_heads": heads, "num_key_value_heads": kv_heads, "intermediate_size": channels,
        })
    };
    let pruned = |family: &str, biased| {
        json!({
            "model_type": "slim_llama", "slimgpt_family": family, "attention_bias": biased, "head_dim": 4,
            "num_hidden_layers": 3,
            "per_layer_config": { "0": layer(4, 2, 40), "1": layer(2, 1, 33), "2": layer(2, 2, 7) },
        })
    };
    check(pruned("llama", false));
    check(pruned("llama", true));
    check(pruned("qwen2", true));
    check(pruned("qwen3", false));
}

/// Long enough that attention goes by several chunks: of queries where a group is large, of K/V
/// heads where there are many.
#[test]
fn several_chunks_of_attention() {
    for (heads, kv_heads, length) in [(32, 2, 1100), (32, 16, 800)] {
        let changes = json!({
            "num_attention_heads": heads, "num_key_value_heads": kv_heads, "head_dim": 4, "num_hidden_layers": 1,
            "max_position_embeddings": 2048,
        });
        check_stored(changes, Dtype::F32, &[length]);
    }
}

#[test]
fn what_was_seen_before_is_remembered() {
    let model = Model::llama(json!({ "model_type": "qwen2" }));
    check_remembered(&model, &[vec![1; 23], vec![7, 1, 1, 13, 1], vec![23]]);
}

/// Fails unless tokens that are fed piece by piece, in these lengths, have the oracle's logits of all that was fed.
#[track_caller]
fn check_remembered(model: &Model, in_pieces: &[Vec<usize>]) {
    let (checkpoint, oracle) = (model.open(), Oracle::new(&model.config_json(), &model.safetensors()));
    let window = tokens(23, 32, 5);
    let want = oracle.logits(&window);
    let tolerance = oracle.tolerance(window.len(), &want);
    for device in devices() {
        let decoder = Decoder::load(&checkpoint, device.tensor_device()).unwrap();
        for pieces in in_pieces {
            let (mut cache, mut fed) = (KvCache::default(), 0);
            for piece in pieces {
                let ids = token_tensor(&[window[fed..fed + piece].to_vec()], device.tensor_device());
                let got = host(decoder.forward_cached(ids, checkpoint.config(), &mut cache));
                fed += piece;
                let last = &want[(fed - 1) * 32..fed * 32];
                assert_near(&got, last, tolerance, &format!("{}, {pieces:?}, token {fed}", device.name()));
            }
        }
    }
}

/// Fails unless Σ −log p is the oracle's, within f32's resolution of each of the losses.
#[track_caller]
fn check_perplexity(checkpoint: &Checkpoint, oracle: &Oracle, windows: &[Vec<u32>]) {
    let want: f64 = windows.iter().map(|w| oracle.nll(w)).sum();
    for device in devices() {
        let found = block_on(perplexity(checkpoint, windows, &device, &mut |_, _| {})).unwrap();
        assert_eq!(found.tokens, windows.iter().map(|w| w.len() - 1).sum::<usize>());
        let largest = oracle.logits(&windows[0]);
        let tolerance = found.tokens as f64 * 2.0 * oracle.tolerance(windows[0].len(), &largest);
        assert!((found.nll - want).abs() <= tolerance, "{}: {} {want} ± {tolerance:e}", device.name(), found.nll);
        assert!((found.perplexity - (found.nll / found.tokens as f64).exp()).abs() <= 1e-9 * found.perplexity);
    }
}

#[test]
fn perplexity_is_the_mean_of_what_the_oracle_loses() {
    let model = Model::llama(json!({ "tie_word_embeddings": false }));
    let oracle = Oracle::new(&model.config_json(), &model.safetensors());
    // More windows than run together, and the shortest there are.
    for (count, length) in [(11, 19), (3, 2)] {
        let windows: Vec<Vec<u32>> = (0..count).map(|i| tokens(length, 32, i)).collect();
        check_perplexity(&model.open(), &oracle, &windows);
    }
}

#[test]
fn stories260k_computes_as_the_oracle_does() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/models/stories260K");
    if !folder.is_dir() {
        return;
    }
    let (checkpoint, oracle) = (Checkpoint::open(&folder).unwrap(), Oracle::open(&folder));
    let window = tokens(200, checkpoint.config().vocab_size, 1);
    let want = oracle.logits(&window);
    for device in devices() {
        let decoder = Decoder::load(&checkpoint, device.tensor_device()).unwrap();
        let ids = token_tensor(std::slice::from_ref(&window), device.tensor_device());
        let got = host(decoder.forward(ids, checkpoint.config()));
        assert_near(&got, &want, oracle.tolerance(window.len(), &want), device.name());
    }
    check_perplexity(&checkpoint, &oracle, &[tokens(64, 512, 2), tokens(64, 512, 3)]);
}
