//! GGUF files of families for which llama.cpp has an architecture of their own.

use gguf::GGUFMetadataValue as Found;
use serde_json::{Value, json};
use slimgpt::export::gguf::Arch;
use slimgpt::shape::{Norm, Part, Projection};

use crate::gguf::{turned, written};
use crate::support::assert_says;
use crate::{DIFFERENT, pruned};

/// A Gemma whose layers are of one size, as llama.cpp has it.
fn gemma(family: &str, layers: usize, changes: &Value) -> Value {
    let mut all = json!({ "query_pre_attn_scalar": 4, "sliding_window": 8, "tie_word_embeddings": true });
    all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    pruned(family, &vec![[2, 1, 20]; layers], &all)
}

#[test]
fn gemmas_have_whole_scales_and_norms_on_both_sides() {
    for (family, name, norms) in [("gemma2", Arch::Gemma2, false), ("gemma3_text", Arch::Gemma3, true)] {
        let (arch, file, model) = written(gemma(family, 3, &json!({})), None);
        assert_eq!(arch, name);
        assert_eq!(file.text("general.architecture"), name.name());
        let layer = model.layer(1).unwrap();
        let whole = |norm| {
            let mut scale = layer[Part::Norm(norm)].clone();
            scale.values.iter_mut().for_each(|value| *value += 1.0);
            scale
        };
        file.assert_is("blk.1.attn_norm.weight", &whole(Norm::Input));
        file.assert_is("blk.1.post_attention_norm.weight", &whole(Norm::PostAttention));
        file.assert_is("blk.1.ffn_norm.weight", &whole(Norm::PreFeedForward));
        file.assert_is("blk.1.post_ffw_norm.weight", &whole(Norm::PostFeedForward));
        // Not turned: its rotary pairs are half a head apart.
        file.assert_is("blk.1.attn_q.weight", layer.weight(Projection::Q));
        assert!(*file.key(&format!("{}.attention.sliding_window", name.name())) == Found::Uint32(8));
        if norms {
            file.assert_is("blk.1.attn_q_norm.weight", &whole(Norm::Query));
        } else {
            assert!(*file.key("gemma2.attn_logit_softcapping") == Found::Float32(50.0));
            assert!(*file.key("gemma2.final_logit_softcapping") == Found::Float32(30.0));
        }
    }
}

#[test]
fn what_llama_cpp_fixes_otherwise_is_refused_by_name() {
    let refused = |config: Value, words: &[&str]| {
        let config = slimgpt::checkpoint::parse_config(&config).unwrap();
        assert_says(Arch::of(&config), words);
    };
    let of = |changes: Value| gemma("gemma2", 3, &changes);
    refused(of(json!({ "tie_word_embeddings": false })), &["gemma2", "embedding as its head"]);
    refused(of(json!({ "query_pre_attn_scalar": 9 })), &["gemma2", "size of a head"]);
    refused(of(json!({ "attention_bias": true })), &["gemma2", "bias"]);
    let kinds = ["full_attention", "sliding_attention", "full_attention"];
    refused(of(json!({ "layer_types": kinds })), &["gemma2", "another order"]);
    refused(gemma("gemma3_text", 3, &json!({ "rope_local_base_freq": 5000.0 })), &["gemma3", "base 10000"]);
    refused(
        pruned("smollm3", &[[2, 1, 20]; 3], &json!({ "no_rope_layers": [0, 1, 1] })),
        &["smollm3", "another order"],
    );
    refused(pruned("olmo2", &[[4, 2, 20]; 3], &json!({})), &["olmo2", "head of its own"]);
    for family in ["smollm3", "olmo2", "granite", "gemma2", "gemma3_text"] {
        let five = [[4, 2, 40], [2, 1, 33], [2, 2, 7], [4, 2, 40], [4, 2, 40]];
        refused(pruned(family, &five, &json!({})), &["its layers differ", "export padded"]);
    }
}

#[test]
fn a_phi3_is_a_llama_to_llama_cpp() {
    let (arch, file, model) = written(pruned("phi3", &DIFFERENT, &json!({})), None);
    assert_eq!(arch, Arch::Deci);
    file.assert_is("blk.2.attn_k.weight", &turned(model.layer(2).unwrap().weight(Projection::K)));
    assert_eq!(written(pruned("phi3", &[[2, 1, 20]; 2], &json!({})), None).0, Arch::Llama);
}
