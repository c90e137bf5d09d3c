//! What is written for other programs, read back by readers that are not our writers.

mod blocks;
mod compat;
mod gguf;
mod halves;
mod huggingface;
mod mlx;
mod opened;
mod own;
mod padded;
mod quantised;
#[path = "../support/mod.rs"]
mod support;
mod tokenizer;

use std::path::Path;

use serde_json::{Value, json};
use slimgpt::checkpoint::Checkpoint;
use support::checkpoint::{Model, config};

/// config.json of a pruned model with 4 heads of 4 dimensions before, and layers of these query
/// heads, K/V heads and channels, with `changes`.
fn pruned(family: &str, layers: &[[usize; 3]], changes: &Value) -> Value {
    let own = layers.iter().enumerate().map(|(i, [heads, kv_heads, channels])| {
        let sizes =
            json!({ "num_attention_heads": heads, "num_key_value_heads": kv_heads, "intermediate_size": channels });
        (i.to_string(), sizes)
    });
    let mut all = json!({
        "model_type": "slim_llama", "slimgpt_family": family, "head_dim": 4, "num_hidden_layers": layers.len(),
        "per_layer_config": own.collect::<serde_json::Map<_, _>>(),
    });
    changes.as_object().into_iter().flatten().for_each(|(key, value)| all[key] = value.clone());
    config(all)
}

/// Three layers that differ in everything.
const DIFFERENT: [[usize; 3]; 3] = [[4, 2, 40], [2, 1, 33], [2, 2, 7]];

/// A folder with this config, random weights and a tokenizer for its 32 tokens.
fn folder(place: &Path, config: Value) -> Checkpoint {
    let model = Model::random(config, safetensors::Dtype::F32, 3);
    model.write(place);
    std::fs::write(place.join("tokenizer.json"), tokenizer::byte_level().to_string()).unwrap();
    Checkpoint::open(place).unwrap()
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn nothing(_: usize, _: usize) {}
