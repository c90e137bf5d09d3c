//! What newer families compute otherwise than LLaMA: fused projections, layers without positions, factors, norms
//! on both sides, caps, windows.

use super::*;

/// Changes to the small LLaMA, with more changes.
fn with(base: &Value, changes: Value) -> Value {
    let mut all = base.clone();
    all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    all
}

fn gemma2() -> Value {
    // Caps and a window so small that they show.
    json!({
        "model_type": "gemma2", "head_dim": 6, "query_pre_attn_scalar": 20, "num_hidden_layers": 3,
        "attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0, "sliding_window": 8,
        "hidden_activation": "gelu_pytorch_tanh", "rms_norm_eps": 1e-6,
    })
}

fn gemma3() -> Value {
    json!({
        "model_type": "gemma3_text", "head_dim": 6, "query_pre_attn_scalar": 20, "num_hidden_layers": 3,
        "sliding_window_pattern": 2, "sliding_window": 8, "rope_theta": 1e6, "rope_local_base_freq": 100.0,
        "hidden_activation": "gelu_pytorch_tanh", "rms_norm_eps": 1e-6,
    })
}

fn smollm3() -> Value {
    json!({ "model_type": "smollm3", "num_hidden_layers": 5, "rope_theta": 100.0 })
}

fn granite() -> Value {
    json!({
        "model_type": "granite", "embedding_multiplier": 12.0, "residual_multiplier": 0.25,
        "attention_multiplier": 0.7, "logits_scaling": 8.0,
    })
}

#[test]
fn the_fused_projections_of_phi3() {
    let phi3 = json!({ "model_type": "phi3", "tie_word_embeddings": false, "sliding_window": null });
    check(phi3.clone());
    // As many key/value heads as query heads, and heads wider than the residual stream.
    check(with(&phi3, json!({ "num_key_value_heads": null, "head_dim": 6 })));
    for dtype in [Dtype::F16, Dtype::BF16] {
        check_stored(phi3.clone(), dtype, &[9]);
    }
}

#[test]
fn heads_of_phi3_may_turn_in_part_and_stretched() {
    let half = json!({ "model_type": "phi3", "head_dim": 8, "partial_rotary_factor": 0.75 });
    check(half.clone());
    let list = json!({ "type": "longrope", "short_factor": [1.0, 1.5, 3.0], "long_factor": [9.0, 9.0, 9.0] });
    let long = with(&half, json!({ "rope_scaling": list, "original_max_position_embeddings": 40 }));
    check(long.clone());
    // Beyond its first context it is another model.
    assert_eq!(slimgpt::checkpoint::parse_config(&config(long)).unwrap().max_positions, 40);
    let list = json!({
        "rope_type": "longrope", "short_factor": [2.0, 4.0], "long_factor": [9.0, 9.0], "rope_theta": 500.0,
        "original_max_position_embeddings": 64, "partial_rotary_factor": 1.0,
    });
    check(json!({ "model_type": "phi3", "rope_theta": null, "rope_parameters": list }));
}

#[test]
fn layers_of_smollm3_without_positions() {
    check(smollm3());
    check(with(&smollm3(), json!({ "no_rope_layers": [0, 1, 1, 0, 1], "attention_bias": true, "mlp_bias": true })));
    check(with(&smollm3(), json!({ "no_rope_layer_interval": 2, "rope_theta": null })));
}

#[test]
fn norms_behind_and_over_all_heads_of_olmo2() {
    let olmo2 = json!({ "model_type": "olmo2", "tie_word_embeddings": false });
    check(olmo2.clone());
    check(with(&olmo2, json!({ "num_key_value_heads": null, "attention_bias": true, "head_dim": 6 })));
    // One head: the norm of all is the norm of each.
    check(with(&olmo2, json!({ "num_attention_heads": 1, "num_key_value_heads": 1 })));
}

#[test]
fn the_factors_of_granite() {
    check(granite());
    check(with(&granite(), json!({ "attention_bias": true, "mlp_bias": true, "tie_word_embeddings": false })));
    check(json!({ "model_type": "granite" }));
}

#[test]
fn norms_on_both_sides_caps_and_windows_of_gemma2() {
    check(gemma2());
    check(with(&gemma2(), json!({ "layer_types": ["full_attention", "sliding_attention", "sliding_attention"] })));
    check(with(&gemma2(), json!({ "attention_bias": true, "tie_word_embeddings": false })));
    // What is left out is capped, and what is null is not.
    let caps = ["attn_logit_softcapping", "final_logit_softcapping"];
    let mut silent = gemma2();
    silent.as_object_mut().unwrap().retain(|key, _| !caps.contains(&key.as_str()));
    check(silent);
    let mut uncapped = Model::llama(gemma2());
    caps.into_iter().for_each(|key| uncapped.config[key] = Value::Null);
    assert_eq!(uncapped.open().config().design.score_cap, None);
    check_model(&uncapped, &[2, 33]);
}

#[test]
fn windows_of_gemma3_have_positions_of_their_own() {
    check(gemma3());
    let kinds = json!({
        "full_attention": { "rope_type": "default", "rope_theta": 1e6 },
        "sliding_attention": { "rope_type": "default", "rope_theta": 100.0 },
    });
    let moved = with(
        &gemma3(),
        json!({
            "rope_theta": null, "rope_local_base_freq": null, "rope_parameters": kinds,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
        }),
    );
    check(moved.clone());
    // Two spellings of one model.
    let design = |changes| slimgpt::checkpoint::parse_config(&config(changes)).unwrap();
    assert_eq!(design(gemma3()), design(moved));
    check(with(&gemma3(), json!({ "final_logit_softcapping": 3.0 })));
}

#[test]
fn their_layers_may_differ_in_size() {
    let layer = |heads, kv_heads, channels| {
        json!({
            "num_attention_heads": heads, "num_key_value_heads": kv_heads, "intermediate_size": channels,
        })
    };
    let sizes = json!({ "0": layer(4, 2, 40), "1": layer(2, 1, 33), "02": layer(2, 2, 7) });
    let plain = ["phi3", "olmo2"].map(|name| json!({ "model_type": name }));
    for family in plain.into_iter().chain([smollm3(), granite(), gemma2(), gemma3()]) {
        let own = json!({
            "model_type": "slim_own", "slimgpt_family": family["model_type"], "head_dim": 4, "num_hidden_layers": 3,
            "per_layer_config": sizes,
        });
        check(with(&family, own));
    }
}

#[test]
fn what_was_seen_before_is_remembered_within_windows() {
    for changes in [gemma2(), gemma3(), smollm3(), granite(), json!({ "model_type": "olmo2" })] {
        check_remembered(&Model::llama(changes), &[vec![7, 1, 1, 13, 1]]);
    }
}

#[test]
fn perplexity_knows_factors_and_caps() {
    for changes in [gemma2(), gemma3(), granite()] {
        let model = Model::llama(changes);
        let oracle = Oracle::new(&model.config_json(), &model.safetensors());
        let windows: Vec<Vec<u32>> = (0..3).map(|i| tokens(19, 32, i)).collect();
        check_perplexity(&model.open(), &oracle, &windows);
    }
}
