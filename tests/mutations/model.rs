//! config.json, the header of a safetensors file, an index, and generation_config.json.

use std::borrow::Cow;

use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};
use slimgpt::checkpoint::{Checkpoint, encode_layer, encode_outer, generation_ends, output_config, parse_config};
use slimgpt::export::compat::clients;
use slimgpt::pipeline::{Limits, Request, plan};

use crate::support::checkpoint::Model;
use crate::support::pruned::rounded_by_layer;
use crate::{Format, Outcome};

/// What a header's length takes.
const LENGTH: usize = 8;

fn models() -> Vec<Model> {
    let rope = json!({ "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32, "rope_theta": 10000.0 });
    let long = json!({ "type": "longrope", "short_factor": [1.0, 2.0], "long_factor": [2.0, 4.0] });
    let own = json!({ "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 33 });
    let changes = [
        json!({}),
        json!({ "tie_word_embeddings": false, "rope_scaling": rope, "eos_token_id": [2, 3] }),
        json!({ "model_type": "qwen3", "head_dim": 4, "sliding_window": null, "use_sliding_window": false }),
        json!({ "model_type": "slim_llama", "per_layer_config": { "1": own }, "attention_bias": true }),
        json!({ "model_type": "gemma2", "head_dim": 4, "query_pre_attn_scalar": 4, "sliding_window": 8,
            "layer_types": ["sliding_attention", "full_attention"], "final_logit_softcapping": 30.0 }),
        json!({ "model_type": "phi3", "head_dim": 8, "partial_rotary_factor": 0.5, "rope_scaling": long,
            "original_max_position_embeddings": 32 }),
    ];
    changes.map(Model::llama).into()
}

pub fn formats() -> Vec<Format> {
    vec![config(), sizes(), header(), weights(), index(), generation()]
}

/// config.json over weights that are as they should be.
fn config() -> Format {
    let models = models();
    let files: Vec<(Vec<u8>, usize)> = models.iter().enumerate().map(|(i, m)| (m.config_json(), i)).collect();
    let weights: Vec<Vec<u8>> = models.iter().map(Model::safetensors).collect();
    Format {
        name: "config.json",
        share: 20,
        seeds: files.into_iter().map(|(json, _)| json).collect(),
        is_json: true,
        parts: &[],
        read: Box::new(move |json| {
            // Whichever weights it is that fit.
            let opened = weights.iter().find_map(|w| Checkpoint::from_bytes(json, w.clone()).ok());
            opened.map_or(Outcome::Refused, |opened| written_again(&opened))
        }),
    }
}

/// config.json by itself: what is planned from its sizes alone.
fn sizes() -> Format {
    Format {
        name: "config.json without weights",
        share: 8,
        seeds: models().iter().map(Model::config_json).collect(),
        is_json: true,
        parts: &[],
        read: Box::new(|json| {
            let Some(config) = serde_json::from_slice(json).ok().and_then(|json| parse_config(&json).ok()) else {
                return Outcome::Refused;
            };
            let request = Request { allocation: rounded_by_layer(0.3), ..Request::default() };
            let _ = plan(&request, &config, &Limits::default());
            let _ = (clients(&config, None), config.parameters());
            Outcome::Used
        }),
    }
}

/// The header before the weights.
fn header() -> Format {
    let models = models();
    let configs: Vec<Vec<u8>> = models.iter().map(Model::config_json).collect();
    let split = |model: &Model| {
        let file = model.safetensors();
        let length = usize::from_le_bytes(file[..LENGTH].try_into().unwrap());
        (file[LENGTH..LENGTH + length].to_vec(), file[LENGTH + length..].to_vec())
    };
    let files: Vec<(Vec<u8>, Vec<u8>)> = models.iter().map(split).collect();
    let seeds = files.iter().map(|(header, _)| header.clone()).collect();
    Format {
        name: "safetensors header",
        share: 20,
        seeds,
        is_json: true,
        parts: &[],
        read: Box::new(move |header| {
            let whole = |data: &[u8]| [&(header.len() as u64).to_le_bytes()[..], header, data].concat();
            let opened =
                configs.iter().zip(&files).find_map(|(c, (_, data))| Checkpoint::from_bytes(c, whole(data)).ok());
            opened.map_or(Outcome::Refused, |opened| written_again(&opened))
        }),
    }
}

/// The bytes of a whole file, weights and all.
fn weights() -> Format {
    let models = models();
    let configs: Vec<Vec<u8>> = models.iter().map(Model::config_json).collect();
    Format {
        name: "model.safetensors",
        share: 8,
        seeds: models
            .iter()
            .map(|m| m.mixed(|name| if name.ends_with("norm.weight") { Dtype::F32 } else { Dtype::BF16 }))
            .collect(),
        is_json: false,
        parts: &[],
        read: Box::new(move |file| {
            let opened = configs.iter().find_map(|c| Checkpoint::from_bytes(c, file.to_vec()).ok());
            opened.map_or(Outcome::Refused, |opened| written_again(&opened))
        }),
    }
}

/// An index over two shards.
fn index() -> Format {
    let model = Model::llama(json!({}));
    let names: Vec<&str> = model.tensors.iter().map(|t| t.name.as_str()).collect();
    let file = |name: &str| {
        if name.contains("layers.1") { "model-00002-of-00002.safetensors" } else { "model-00001-of-00002.safetensors" }
    };
    let map: serde_json::Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), json!(file(name)))).collect();
    let index = json!({ "metadata": { "total_size": 1 }, "weight_map": map });
    let want = written(&model.open()).unwrap().1;
    Format {
        name: "model.safetensors.index.json",
        share: 4,
        seeds: vec![index.to_string().into_bytes()],
        is_json: true,
        parts: &[],
        read: Box::new(move |json| {
            let folder = tempfile::tempdir().unwrap();
            let at = |name: &str| folder.path().join(name);
            std::fs::write(at("config.json"), model.config_json()).unwrap();
            for shard in ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"] {
                let own = model.tensors.iter().filter(|t| file(&t.name) == shard);
                let own: Vec<_> = own
                    .map(|t| crate::support::checkpoint::Stored {
                        name: t.name.clone(),
                        shape: t.shape.clone(),
                        values: t.values.clone(),
                    })
                    .collect();
                std::fs::write(at(shard), crate::support::checkpoint::file(&own, Dtype::F32)).unwrap();
            }
            std::fs::write(at("model.safetensors.index.json"), json).unwrap();
            match Checkpoint::open(folder.path()) {
                Err(_) => Outcome::Refused,
                Ok(opened) if written(&opened).as_ref().map(|w| &w.1) == Ok(&want) => Outcome::Used,
                Ok(_) => Outcome::Wrong("the shards open with other numbers".into()),
            }
        }),
    }
}

fn generation() -> Format {
    Format {
        name: "generation_config.json",
        share: 3,
        seeds: vec![
            json!({ "bos_token_id": 1, "eos_token_id": [2, 128001], "temperature": 0.6 }).to_string().into_bytes(),
        ],
        is_json: true,
        parts: &[],
        read: Box::new(|json| {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("generation_config.json"), json).unwrap();
            generation_ends(folder.path()).map_or(Outcome::Refused, |_| Outcome::Used)
        }),
    }
}

/// The config.json and the one file that a checkpoint is written as, with its element types; an error is a weight that
/// is no number.
fn written(checkpoint: &Checkpoint) -> Result<(Vec<u8>, Vec<u8>), String> {
    let types = checkpoint.types(None);
    let told = |e: &dyn std::fmt::Display| e.to_string();
    let mut files = vec![encode_outer(&checkpoint.outer().map_err(|e| told(&e))?, &types).map_err(|e| told(&e))?];
    for i in 0..checkpoint.config().layers.len() {
        let layer = checkpoint.layer(i).map_err(|e| told(&e))?;
        files.push(encode_layer(i, &layer, checkpoint.config().family, &types).map_err(|e| told(&e))?);
    }
    let opened: Vec<SafeTensors<'_>> = files.iter().map(|file| SafeTensors::deserialize(file).unwrap()).collect();
    let mut tensors: Vec<_> = opened.iter().flat_map(SafeTensors::tensors).collect();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let config = output_config(checkpoint.raw_config(), checkpoint.config(), checkpoint.dtype());
    Ok((config.to_string().into_bytes(), safetensors::serialize(tensors, None).unwrap()))
}

/// Whether what is written of a checkpoint opens with the same numbers.
pub fn written_again(checkpoint: &Checkpoint) -> Outcome {
    let Ok((config, weights)) = written(checkpoint) else { return Outcome::Refused };
    let again = match Checkpoint::from_bytes(&config, Cow::Owned(weights.clone())) {
        Ok(again) => again,
        Err(error) => return Outcome::Wrong(format!("what is written does not open: {error}")),
    };
    let mut config = again.config().clone();
    // A Baichuan is written as the LLaMA that it computes.
    config.family = checkpoint.config().family;
    if config != *checkpoint.config() {
        return Outcome::Wrong(format!("what is written opens as\n{config:?}\nand was\n{:?}", checkpoint.config()));
    }
    match written(&again).is_ok_and(|(_, twice)| twice == weights) {
        true => Outcome::Used,
        false => Outcome::Wrong("what is written opens with other weights".into()),
    }
}
