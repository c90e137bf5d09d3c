//! Families with parts that LLaMA lacks, from their checkpoint to the folder that comes out and
//! back in again: norms on heads, biases everywhere, fused projections.

use safetensors::Dtype;
use serde_json::{Value, json};
use slimgpt::allocate::{Allocation, SiteRatio};
use slimgpt::checkpoint::{Checkpoint, output_config};
use slimgpt::device::Device;
use slimgpt::pipeline::{Report, Request};
use slimgpt::shape::{Family, Norm, Part, Projection};

use crate::qwen2::{assert_runs_as_its_files_say, pruned};
use crate::support::checkpoint::{Model, config};
use crate::support::pruned::rounded_by_layer;
use crate::tiny::request;

/// Eight query heads on four K/V heads, with `changes`.
pub fn model(changes: Value) -> Model {
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

#[test]
fn phi3_comes_out_fused() {
    let (dense, small, report) = round_trip(json!({ "model_type": "phi3", "num_key_value_heads": 4 }));
    assert_eq!((small.config().family, small.raw_config()["model_type"].as_str()), (Family::Phi3, Some("slim_phi3")));
    assert_eq!(small.bytes(), 4 * small.config().parameters() as u64);
    for (i, record) in report.layers.iter().enumerate() {
        let (dense, small) = (dense.layer(i).unwrap(), small.layer(i).unwrap());
        for part in [Projection::Gate, Projection::Up].map(Part::Weight) {
            assert_eq!(dense[part].select(0, &record.kept_channels), small[part]);
        }
        let rows = slimgpt::shape::entries_of(&record.kept_kv_heads, 4);
        assert_eq!(dense[Part::Weight(Projection::V)].select(0, &rows), small[Part::Weight(Projection::V)]);
    }
}

#[test]
fn layers_without_positions_factors_caps_and_windows_are_kept() {
    let gemma = json!({ "head_dim": 6, "query_pre_attn_scalar": 20, "sliding_window": 8 });
    let of = |name: &str, changes: Value| {
        let mut all = json!({ "model_type": name });
        all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        all
    };
    let granite = json!({
        "embedding_multiplier": 12.0, "residual_multiplier": 0.25, "attention_multiplier": 0.7, "logits_scaling": 8.0,
    });
    for changes in [
        of("smollm3", json!({ "no_rope_layers": [1, 0, 1] })),
        of("granite", granite),
        of("gemma2", gemma.clone()),
        of("gemma3_text", gemma),
    ] {
        let (dense, small, _) = round_trip(changes);
        let design = &dense.config().design;
        assert!(!design.is_plain() && small.config().design == *design, "{:?}", dense.config().family);
        assert_eq!(small.config().family, dense.config().family);
        for i in 0..3 {
            let (dense, small) = (dense.layer(i).unwrap(), small.layer(i).unwrap());
            let norms = dense.iter().filter(|(part, _)| matches!(part, Part::Norm(_)));
            norms.for_each(|(part, tensor)| assert_eq!(*tensor, small[part], "{part}"));
        }
    }
}

#[test]
fn an_olmo2_keeps_its_heads_and_loses_channels() {
    let dense = model(json!({ "model_type": "olmo2" })).open();
    let third = Request { allocation: rounded_by_layer(0.3), ..request() };
    // All queries are normed together, so without a head the others would compute otherwise.
    let refused = slimgpt::pipeline::plan(&third, dense.config(), &slimgpt::pipeline::Limits::default());
    crate::support::assert_says(refused, &["Olmo2", "only its channels"]);
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    let allocation = Allocation { head_ratio: SiteRatio::Factor(0.0), ..third.allocation.clone() };
    let report = pruned(&dense, &Request { allocation, ..third }, &Device::cpu(), &out);
    assert_runs_as_its_files_say(&out, &Device::cpu());
    let small = Checkpoint::open(&out).unwrap();
    assert_eq!(small.config().parameters(), report.parameters_after);
    assert!(small.config().layers.iter().all(|l| l.heads == 8) && small.config().layers[2].channels < 96);
    for site in report.layers.iter().map(|l| &l.channels) {
        let off = (site.predicted_loss - site.measured_loss).abs();
        assert!(off <= 1e-3 * site.measured_loss, "{} {}", site.predicted_loss, site.measured_loss);
    }
}

#[test]
fn nothing_is_drawn_to_a_dense_model_behind_norms_and_factors() {
    let mut drawn = request();
    drawn.options.residual = 0.5;
    let plan = |changes| {
        slimgpt::pipeline::plan(&drawn, model(changes).open().config(), &slimgpt::pipeline::Limits::default())
    };
    assert!(plan(json!({ "model_type": "smollm3" })).is_ok());
    for (name, family) in [("gemma2", "Gemma2"), ("granite", "Granite")] {
        let changes = json!({ "model_type": name, "head_dim": 4, "residual_multiplier": 0.5 });
        crate::support::assert_says(plan(changes), &[family, "norms or multiplies"]);
    }
}
