//! How each family names its tensors. A new family (fused projections, extra norms) begins here.

use crate::shape::{LayerShape, ModelConfig};

/// A tensor a layer must have: its name and its shape.
pub(super) struct Expected {
    pub name: String,
    pub shape: Vec<usize>,
}

/// The embedding.
pub(super) const EMBEDDING: &str = "model.embed_tokens.weight";
/// The last norm.
pub(super) const FINAL_NORM: &str = "model.norm.weight";
/// The output head, where it is not the embedding.
pub(super) const HEAD: &str = "lm_head.weight";

/// The name of a part of layer `i`, for instance `self_attn.q_proj.weight`.
pub(super) fn in_layer(i: usize, part: &str) -> String {
    format!("model.layers.{i}.{part}")
}

/// Every tensor of layer `i`, with the shapes that `layer` implies.
pub(super) fn of_layer(config: &ModelConfig, i: usize, layer: LayerShape) -> Vec<Expected> {
    let (d, q) = (config.hidden_size, layer.heads * config.head_dim);
    let (kv, f) = (layer.kv_heads * config.head_dim, layer.channels);
    let mut parts = vec![
        ("input_layernorm.weight", vec![d]),
        ("self_attn.q_proj.weight", vec![q, d]),
        ("self_attn.k_proj.weight", vec![kv, d]),
        ("self_attn.v_proj.weight", vec![kv, d]),
        ("self_attn.o_proj.weight", vec![d, q]),
        ("post_attention_layernorm.weight", vec![d]),
        ("mlp.gate_proj.weight", vec![f, d]),
        ("mlp.up_proj.weight", vec![f, d]),
        ("mlp.down_proj.weight", vec![d, f]),
    ];
    if config.qkv_bias {
        parts.extend([
            ("self_attn.q_proj.bias", vec![q]),
            ("self_attn.k_proj.bias", vec![kv]),
            ("self_attn.v_proj.bias", vec![kv]),
        ]);
    }
    parts.into_iter().map(|(part, shape)| Expected { name: in_layer(i, part), shape }).collect()
}

/// Whether a tensor that nothing expects changes nothing: tables that are computed anew, and a
/// head beside an embedding that serves as one.
pub(super) fn is_superfluous(config: &ModelConfig, name: &str) -> bool {
    name.ends_with("rotary_emb.inv_freq") || (config.tied_head && name == HEAD)
}

/// Every tensor outside the layers.
pub(super) fn outside(config: &ModelConfig) -> Vec<Expected> {
    let (v, d) = (config.vocab_size, config.hidden_size);
    let mut all = vec![
        Expected { name: EMBEDDING.into(), shape: vec![v, d] },
        Expected { name: FINAL_NORM.into(), shape: vec![d] },
    ];
    if !config.tied_head {
        all.push(Expected { name: HEAD.into(), shape: vec![v, d] });
    }
    all
}
