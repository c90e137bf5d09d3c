//! Layers without attention or without a feed-forward part: as if what takes that half back to the residual stream were
//! zero. A layer that has neither is not there.

use serde_json::{Value, json};
use slimgpt::model::{Decoder, KvCache, token_tensor};
use slimgpt::shape::Site::{self, Channels, Heads};

use super::*;
use crate::support::assert_says;

/// Three layers of a family.
fn model(changes: &Value) -> Model {
    let mut all = changes.clone();
    all["num_hidden_layers"] = json!(3);
    Model::random(config(all), Dtype::F32, 3)
}

/// Fails unless the model computes what the oracle does, all tokens at once and one after the other.
#[track_caller]
fn check_as(model: &Model, oracle: &Oracle, what: &str) {
    let checkpoint = model.open();
    let window = tokens(19, 32, 5);
    let want = oracle.logits(&window);
    let tolerance = oracle.tolerance(window.len(), &want);
    for device in devices() {
        let on = device.tensor_device();
        let decoder = Decoder::load(&checkpoint, on).unwrap();
        let got = host(decoder.forward(token_tensor(std::slice::from_ref(&window), on), checkpoint.config()));
        assert_near(&got, &want, tolerance, &format!("{what}, {}", device.name()));
        let (mut cache, mut fed) = (KvCache::default(), 0);
        for piece in [7, 1, 1, 10] {
            let ids = token_tensor(&[window[fed..fed + piece].to_vec()], on);
            let got = host(decoder.forward_cached(ids, checkpoint.config(), &mut cache));
            fed += piece;
            assert_near(&got, &want[(fed - 1) * 32..fed * 32], tolerance, &format!("{what}, token {fed}"));
        }
    }
}

#[test]
fn a_half_that_is_not_there_is_one_whose_output_is_zero() {
    let families = [
        json!({ "tie_word_embeddings": false }),
        json!({ "model_type": "qwen2" }),
        json!({ "model_type": "qwen3", "head_dim": 6, "tie_word_embeddings": false }),
        json!({ "model_type": "mistral", "head_dim": 6 }),
    ];
    let halves: [&[(usize, Site)]; 5] = [
        &[(1, Heads)],
        &[(1, Channels)],
        // The first layer, whose keys and values a cache is measured by elsewhere, and the last.
        &[(0, Heads), (2, Channels)],
        &[(0, Channels), (2, Heads)],
        &[(0, Heads), (1, Heads), (2, Heads)],
    ];
    for family in families {
        for halves in halves {
            let silenced = model(&family).silenced(halves);
            let oracle = Oracle::new(&silenced.config_json(), &silenced.safetensors());
            let half = model(&family).without(halves);
            check_as(&half, &oracle, &format!("{family} {halves:?}"));
            // Nothing of it is counted, not even the norm.
            let [silenced, half] = [silenced.open(), half.open()];
            let gone = silenced.config().parameters() - half.config().parameters();
            let lost = |&(layer, site): &(usize, Site)| {
                let shape = silenced.config().layers[layer];
                silenced.config().layer_parameters(shape) - silenced.config().layer_parameters(shape.without(site))
            };
            assert_eq!(gone, halves.iter().map(lost).sum::<usize>());
            assert_eq!(half.bytes() as usize, 4 * half.config().parameters());
        }
    }
}

#[test]
fn a_layer_that_has_left_is_one_whose_halves_both_add_nothing() {
    for layer in 0..3 {
        let silenced = model(&json!({})).silenced(&[(layer, Heads), (layer, Channels)]);
        let oracle = Oracle::new(&silenced.config_json(), &silenced.safetensors());
        check_as(&model(&json!({})).without_layer(layer), &oracle, &format!("without layer {layer}"));
    }
}

#[test]
fn tensors_of_a_half_that_is_not_there_may_only_be_empty() {
    let halves = [(1, Heads)];
    let mut half = model(&json!({})).without(&halves);
    for (part, shape) in [("q_proj", [0, 16]), ("o_proj", [16, 0])] {
        let name = format!("model.layers.1.self_attn.{part}.weight");
        half.tensors.push(Stored { name, shape: shape.to_vec(), values: Vec::new() });
    }
    let silenced = model(&json!({})).silenced(&halves);
    check_as(&half, &Oracle::new(&silenced.config_json(), &silenced.safetensors()), "empty tensors");
    let mut half = model(&json!({})).without(&halves);
    let name = "model.layers.1.self_attn.o_proj.weight".to_owned();
    half.tensors.push(Stored { name, shape: vec![16, 16], values: vec![0.0; 256] });
    let opened = Checkpoint::from_bytes(&half.config_json(), half.safetensors());
    assert_says(opened.map(drop), &["model.layers.1.self_attn.o_proj.weight"]);
    // And where config.json says that there is attention, it is missed.
    let mut half = model(&json!({})).without(&halves);
    half.config["per_layer_config"]["1"]["num_attention_heads"] = json!(4);
    half.config["per_layer_config"]["1"]["num_key_value_heads"] = json!(2);
    let opened = Checkpoint::from_bytes(&half.config_json(), half.safetensors());
    assert_says(opened.map(drop), &["model.layers.1.", "input_layernorm"]);
}
