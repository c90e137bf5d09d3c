//! config.json: keys that are missing, wrong or absurd, and features that are not supported.

use serde_json::{Value, json};
use slimgpt::checkpoint::{Checkpoint, ReadError, parse_config};

use crate::support::assert_says;
use crate::support::checkpoint::{Model, config};

#[track_caller]
fn refused(changes: Value, words: &[&str]) {
    assert_says(parse_config(&config(changes)), words);
}

fn change(key: &str, value: impl Into<Value>) -> Value {
    Value::Object(serde_json::Map::from_iter([(key.to_owned(), value.into())]))
}

const SIZES: [&str; 5] = ["hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size"];

#[test]
fn what_is_not_json_is_named() {
    assert_says(Checkpoint::from_bytes(b"{", Model::llama(json!({})).safetensors()), &["config.json", "not JSON"]);
}

#[test]
fn an_unknown_family_is_answered_with_those_there_are() {
    for (model_type, name) in [(json!("gpt_neox"), "gpt_neox"), (Value::Null, "(missing)")] {
        let refused = parse_config(&config(change("model_type", model_type))).unwrap_err();
        let ReadError::Family { found, known } = refused else { panic!("{refused}") };
        assert_eq!(found, name);
        assert!(known.starts_with("llama, mistral, qwen2, qwen3, baichuan"), "{known}");
    }
}

#[test]
fn a_missing_size_is_named() {
    for key in SIZES {
        refused(change(key, Value::Null), &["config.json", key, "missing"]);
    }
}

#[test]
fn a_size_is_a_positive_whole_number() {
    let others = ["num_key_value_heads", "head_dim", "max_position_embeddings"];
    for key in SIZES.into_iter().chain(others) {
        for wrong in [json!(0), json!(-4), json!(2.5), json!("4")] {
            refused(change(key, wrong.clone()), &["config.json", key, &wrong.to_string(), "not a positive whole"]);
        }
    }
}

#[test]
fn an_absurd_size_is_refused_before_anything_is_multiplied() {
    for key in SIZES {
        for absurd in [u64::MAX, 1 << 62, 1 << 33] {
            refused(change(key, absurd), &["config.json", key, &absurd.to_string(), "more than any model has"]);
        }
    }
    let wide = json!({ "num_attention_heads": 1 << 10, "num_key_value_heads": 1 << 10, "head_dim": 1 << 20 });
    refused(wide, &["1024 heads of 1048576 dimensions", "more than any model has"]);
    let layer = json!({ "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": u64::MAX });
    let changes = json!({ "model_type": "slim_llama", "per_layer_config": { "1": layer } });
    refused(changes, &["layer 1", &u64::MAX.to_string()]);
}

#[test]
fn sizes_that_do_not_fit_each_other_are_named() {
    refused(change("num_key_value_heads", 3), &["4 heads", "3 key/value heads"]);
    refused(change("head_dim", 5), &["head_dim 5 is odd"]);
    refused(change("model_type", "baichuan"), &["baichuan", "2 for 4 of 4 dimensions"]);
    refused(change("hidden_size", 2), &["\"hidden_size\" 2", "\"num_attention_heads\" 4"]);
}

#[test]
fn numbers_have_their_ranges() {
    refused(change("rms_norm_eps", -1.0), &["rms_norm_eps", "-1"]);
    refused(change("rope_theta", 0), &["rope_theta", "0"]);
    refused(change("rope_theta", "large"), &["rope_theta", "large"]);
}

#[test]
fn what_is_not_supported_is_refused() {
    refused(change("hidden_act", "gelu"), &["hidden_act", "gelu", "silu"]);
    refused(json!({ "model_type": "baichuan", "max_position_embeddings": null }), &["13B", "ALiBi", "7B"]);
    refused(change("partial_rotary_factor", 0.5), &["partial_rotary_factor", "0.5"]);
    refused(change("rope_scaling", json!({ "rope_type": "yarn", "factor": 4.0 })), &["yarn", "llama3"]);
    refused(change("rope_scaling", json!({ "rope_type": "llama3", "factor": 4.0 })), &["rope_scaling", "missing"]);
    let scaling = json!({
        "rope_type": "llama3", "factor": 0.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    });
    refused(change("rope_scaling", scaling), &["rope_scaling", "factor"]);
}

#[test]
fn a_sliding_window_bounds_the_context() {
    let context = |changes| parse_config(&config(changes)).unwrap().max_positions;
    assert_eq!(context(json!({ "model_type": "mistral", "sliding_window": 48 })), 48);
    assert_eq!(context(json!({ "model_type": "mistral", "sliding_window": null })), 64);
    assert_eq!(context(json!({ "model_type": "mistral", "sliding_window": 4096 })), 64);
    assert_eq!(context(json!({ "model_type": "qwen2", "sliding_window": 8, "use_sliding_window": false })), 64);
    assert_eq!(context(json!({ "model_type": "qwen2", "sliding_window": 8, "use_sliding_window": true })), 8);
    refused(json!({ "model_type": "mistral", "sliding_window": -1 }), &["sliding_window", "-1"]);
}

#[test]
fn the_layers_of_a_pruned_model_are_those_it_has() {
    let layer = json!({ "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 8 });
    let with = |layers: Value| json!({ "model_type": "slim_llama", "per_layer_config": layers });
    refused(with(json!({ "7": layer })), &["layer 7", "2 layers"]);
    refused(with(json!({ "0": { "num_attention_heads": 2 } })), &["layer 0", "missing"]);
    let empty = json!({ "num_attention_heads": 2, "num_key_value_heads": 0, "intermediate_size": 8 });
    refused(with(json!({ "1": empty })), &["layer 1", "zero"]);
    let sizes = |heads: usize, kv_heads: usize, channels: usize| json!({ "num_attention_heads": heads, "num_key_value_heads": kv_heads, "intermediate_size": channels });
    refused(with(json!({ "0": sizes(0, 2, 8) })), &["layer 0", "zero", "together"]);
    refused(with(json!({ "1": sizes(0, 0, 0) })), &["layer 1", "zero", "not both"]);
    // Only in a folder that this program made.
    let plain = json!({ "per_layer_config": { "1": sizes(0, 0, 8) } });
    refused(plain, &["layer 1", "zero", "slim_llama"]);
    let half = parse_config(&config(with(json!({ "0": sizes(2, 1, 0), "1": sizes(0, 0, 8) })))).unwrap();
    assert_eq!(half.layers.iter().map(|l| (l.heads, l.channels)).collect::<Vec<_>>(), [(2, 0), (0, 8)]);
}

#[test]
fn the_base_of_the_positions_stands_where_transformers_5_looks_for_it() {
    let rope = |changes: Value| parse_config(&config(changes)).unwrap().rope;
    let theta = |changes| rope(changes).theta;
    assert_eq!(theta(json!({ "rope_theta": null })), 1e4);
    assert_eq!(theta(json!({ "rope_theta": 500000 })), 5e5);
    // A tool of version 4 leaves its default at the top beside the numbers of version 5.
    assert_eq!(theta(json!({ "rope_parameters": { "rope_type": "default", "rope_theta": 5e5 } })), 5e5);
    assert_eq!(theta(json!({ "rope_theta": null, "rope_scaling": { "type": "default", "rope_theta": 5e5 } })), 5e5);
    assert_eq!(
        theta(json!({ "rope_theta": 7e5, "rope_scaling": {}, "rope_parameters": { "rope_type": "default" } })),
        7e5
    );
    let both = json!({ "rope_type": "default", "rope_theta": 5e5 });
    assert_eq!(theta(json!({ "rope_scaling": both, "rope_parameters": both })), 5e5);
    let other = json!({ "rope_type": "default", "rope_theta": 6e5 });
    refused(
        json!({ "rope_scaling": both, "rope_parameters": other }),
        &["rope_theta", "500000", "600000", "keep the one"],
    );
    let llama3 = json!({ "rope_type": "llama3", "factor": 8.0 });
    refused(json!({ "rope_scaling": both, "rope_parameters": llama3 }), &["rope_type", "default", "llama3"]);
    let layered = json!({ "full_attention": { "rope_type": "default", "rope_theta": 1e6 } });
    refused(change("rope_parameters", layered), &["rope_parameters", "full_attention"]);
    refused(change("rope_parameters", json!({ "partial_rotary_factor": 0.5 })), &["partial_rotary_factor", "0.5"]);
    refused(json!({ "rope_theta": "large", "rope_parameters": both }), &["rope_theta", "large"]);
}

#[test]
fn the_first_context_may_be_a_float_and_may_stand_at_the_top() {
    let scaled = |first: Value, top: Value| {
        let scaling = json!({
            "rope_type": "llama3", "factor": 8, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": first,
        });
        parse_config(&config(json!({ "rope_scaling": scaling, "original_max_position_embeddings": top })))
    };
    let first = |first, top| scaled(first, top).unwrap().rope.scaling.unwrap().original_max_positions;
    assert_eq!(first(json!(64), Value::Null), 64);
    assert_eq!(first(json!(64.0), Value::Null), 64);
    assert_eq!(first(Value::Null, json!(64)), 64);
    // transformers gives the top the priority.
    assert_eq!(first(json!(32), json!(64.0)), 64);
    // Without either it is the context that the model has now.
    assert_eq!(first(Value::Null, Value::Null), 64);
    for wrong in [json!(64.5), json!(0), json!(-1), json!("64"), json!(1e300)] {
        assert_says(scaled(wrong.clone(), Value::Null), &["original_max_position_embeddings", &wrong.to_string()]);
    }
}

#[test]
fn a_padding_token_without_an_embedding_is_told() {
    let opened = Model::llama(json!({ "pad_token_id": 32 })).open();
    assert!(opened.notes()[0].contains("pad_token_id 32") && opened.notes()[0].contains("transformers"));
    for fine in [json!(31), json!(-1), json!(null)] {
        assert_eq!(Model::llama(json!({ "pad_token_id": fine })).open().notes(), [] as [&str; 0]);
    }
}

#[test]
fn mixtures_of_experts_are_refused_with_the_reason() {
    for (name, key) in
        [("mixtral", "num_local_experts"), ("qwen3_moe", "num_experts"), ("deepseek_v3", "n_routed_experts")]
    {
        let mut changes = change(key, 8);
        changes["model_type"] = json!(name);
        refused(changes, &[name, "mixture of experts", "only dense models"]);
    }
    refused(json!({ "model_type": "gemma3", "text_config": {} }), &["gemma3", "text and images"]);
}

#[test]
fn what_layers_are_must_be_said_of_each() {
    let of = |name: &str, key: &str, value: Value| {
        let mut changes = change(key, value);
        changes["model_type"] = json!(name);
        changes["head_dim"] = json!(4);
        changes
    };
    for wrong in [json!([1]), json!("1"), json!(3)] {
        refused(of("smollm3", "no_rope_layers", wrong), &["no_rope_layers", "2 layers"]);
    }
    refused(of("smollm3", "no_rope_layers", json!([1, 2])), &["no_rope_layers", "2", "neither 0 nor 1"]);
    refused(of("gemma2", "layer_types", json!(["full_attention"])), &["layer_types", "2 layers"]);
    refused(of("gemma2", "layer_types", json!(["full_attention", "chunked"])), &["chunked", "sliding_attention"]);
    refused(of("gemma2", "hidden_activation", json!("relu")), &["relu", "gelu_pytorch_tanh"]);
    refused(of("gemma2", "query_pre_attn_scalar", json!(0)), &["query_pre_attn_scalar", "0"]);
    refused(of("gemma2", "sliding_window", json!(-8)), &["sliding_window", "-8"]);
    refused(of("gemma2", "final_logit_softcapping", json!(-1)), &["final_logit_softcapping", "-1"]);
    refused(of("gemma2", "use_bidirectional_attention", json!(true)), &["use_bidirectional_attention"]);
    refused(of("gemma3_text", "attn_logit_softcapping", json!(50.0)), &["attn_logit_softcapping"]);
    refused(of("granite", "logits_scaling", json!(0)), &["logits_scaling", "0"]);
    refused(of("phi3", "partial_rotary_factor", json!(0.75)), &["partial_rotary_factor 0.75", "pairs"]);
    refused(of("phi3", "partial_rotary_factor", json!(1.5)), &["partial_rotary_factor", "1.5"]);
    let longer = |factors: Value| {
        let mut changes = of("phi3", "original_max_position_embeddings", json!(32));
        changes["rope_scaling"] = json!({ "type": "longrope", "short_factor": factors });
        changes
    };
    assert!(parse_config(&config(longer(json!([1.0, 2.0])))).is_ok());
    for wrong in [json!([1.0]), json!([1.0, 0.0]), json!("1"), json!([1.0, 2.0, 3.0])] {
        refused(longer(wrong), &["short_factor", "2 positive numbers"]);
    }
    refused(
        of("phi3", "rope_scaling", json!({ "type": "longrope" })),
        &["original_max_position_embeddings", "missing"],
    );
    refused(of("phi3", "rope_scaling", json!({ "type": "yarn" })), &["yarn", "longrope"]);
}

#[test]
fn what_a_family_leaves_out_has_its_own_default() {
    let of = |name: &str| {
        let mut said = config(json!({ "model_type": name, "rms_norm_eps": null, "rope_theta": null }));
        said.as_object_mut().unwrap().shift_remove("tie_word_embeddings");
        parse_config(&said).unwrap()
    };
    assert_eq!((of("phi3").rms_norm_eps, of("phi3").tied_head), (1e-5, false));
    assert_eq!((of("smollm3").rope.theta, of("smollm3").tied_head), (2e6, true));
    let gemma = of("gemma2");
    assert_eq!((gemma.head_dim, gemma.tied_head, gemma.design.window), (256, true, Some(4096)));
    assert_eq!((gemma.design.score_cap, gemma.design.logit_cap), (Some(50.0), Some(30.0)));
    let gemma = of("gemma3_text");
    assert_eq!((gemma.rope.theta, gemma.design.window_rope.map(|rope| rope.theta)), (1e6, Some(1e4)));
    // Every layer of Phi-3 slides, so within the window nothing does.
    let windowed = config(json!({ "model_type": "phi3", "sliding_window": 16 }));
    assert_eq!((parse_config(&windowed).unwrap().max_positions, of("granite").design.is_plain()), (16, false));
}
