//! Families with parts that LLaMA lacks, from their checkpoint to the folder that comes out and
//! back in again: norms on heads, biases everywhere, fused projections.

use safetensors::Dtype;
use serde_json::{Value, json};
use slimgpt::checkpoint::{Checkpoint, output_config};
use slimgpt::device::Device;
use slimgpt::pipeline::{Report, Request};
use slimgpt::shape::{Family, Norm, Part, Projection};

use crate::qwen2::{assert_runs_as_its_files_say, pruned};
use crate::support::checkpoint::{Model, config};
use crate::support::pruned::rounded_by_layer;
use crate::tiny::request;

/// Eight query heads on four K/V heads, with `changes`.
fn model(changes: Value) -> Model {
    let mut sizes = json!({
        "hidden_size": 32, "intermediate_size": 96, "num_attention_heads": 8, "num_key_value_heads": 4,
        "num_hidden_layers": 3, "tie_word_embeddings": false,
    });
    sizes.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    Model::random(config(sizes), Dtype::F32, 11)
}

/// Prunes a third of a family's model; the folder must compute what its files say.
fn round_trip(changes: Value) -> (Checkpoint, Checkpoint, Report) {
    let place = tempfile::tempdir().unwrap();
    let (dense, out) = (model(changes).open(), place.path().join("out"));
    let third = Request { allocation: rounded_by_layer(0.3), ..request() };
    let report = pruned(&dense, &third, &Device::cpu(), &out);
    assert_runs_as_its_files_say(&out, &Device::cpu());
    let small = Checkpoint::open(&out).unwrap();
    assert_eq!(small.config().parameters(), report.parameters_after);
    assert!(small.config().layers.iter().any(|l| l.heads < 8) && !small.config().is_uniform());
    (dense, small, report)
}

#[test]
fn the_norms_of_qwen3_stay_whole() {
    let (dense, small, _) = round_trip(json!({ "model_type": "qwen3", "head_dim": 6, "attention_bias": true }));
    assert_eq!((small.config().family, small.config().qk_norm), (Family::Qwen3, true));
    for i in 0..3 {
        let (dense, small) = (dense.layer(i).unwrap(), small.layer(i).unwrap());
        for part in [Part::Norm(Norm::Query), Part::Norm(Norm::Key), Part::Bias(Projection::O)] {
            assert_eq!(dense[part], small[part]);
        }
    }
}

#[test]
fn biases_of_gate_and_up_go_with_their_channels() {
    let (dense, small, report) = round_trip(json!({ "attention_bias": true, "mlp_bias": true }));
    assert!(small.config().qkv_bias && small.config().o_bias && small.config().mlp_bias);
    for (i, record) in report.layers.iter().enumerate() {
        let (dense, small) = (dense.layer(i).unwrap(), small.layer(i).unwrap());
        for part in [Projection::Gate, Projection::Up].map(Part::Bias) {
            assert_eq!(dense[part].select(0, &record.kept_channels), small[part]);
        }
        for part in [Projection::O, Projection::Down].map(Part::Bias) {
            assert_eq!(dense[part], small[part]);
        }
    }
}

#[test]
fn baichuan_comes_out_as_a_llama() {
    let (dense, small, _) = round_trip(json!({ "model_type": "baichuan", "num_key_value_heads": null }));
    assert_eq!((dense.config().family, small.config().family), (Family::Baichuan, Family::Llama));
    assert_eq!(dense.outer().unwrap(), small.outer().unwrap());
    // Its own class would not find the split projections, even where nothing went.
    let whole = output_config(dense.raw_config(), dense.config(), dense.dtype());
    assert_ne!(whole["model_type"], "baichuan");
    assert_eq!(slimgpt::checkpoint::parse_config(&whole).unwrap().family, Family::Llama);
}
