//! How each family names its tensors. A new family (fused projections, extra norms) begins here.

use crate::shape::{Family, LayerShape, ModelConfig};

/// A tensor a layer must have: its name and its shape.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expected {
    pub name: String,
    pub shape: Vec<usize>,
}

/// Where a tensor's rows stand in the files: alone under its own name, or within a fused one.
#[derive(Debug, PartialEq)]
pub(super) struct Stored {
    pub tensor: Expected,
    pub first_row: usize,
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

/// Every tensor of layer `i` as the program knows it and writes it, with the shapes that `layer` implies.
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
    let optional = [
        (config.qkv_bias, "self_attn.q_proj.bias", q),
        (config.qkv_bias, "self_attn.k_proj.bias", kv),
        (config.qkv_bias, "self_attn.v_proj.bias", kv),
        (config.o_bias, "self_attn.o_proj.bias", d),
        (config.qk_norm, "self_attn.q_norm.weight", config.head_dim),
        (config.qk_norm, "self_attn.k_norm.weight", config.head_dim),
        (config.mlp_bias, "mlp.gate_proj.bias", f),
        (config.mlp_bias, "mlp.up_proj.bias", f),
        (config.mlp_bias, "mlp.down_proj.bias", d),
    ];
    parts.extend(optional.into_iter().filter(|o| o.0).map(|(_, part, width)| (part, vec![width])));
    parts.into_iter().map(|(part, shape)| Expected { name: in_layer(i, part), shape }).collect()
}

/// Where the source of `config` keeps a tensor. Baichuan's files have q, k and v of a layer under
/// one another in `W_pack`.
pub(super) fn stored(config: &ModelConfig, tensor: &Expected) -> Stored {
    let fused = |at: usize, part: &str| {
        let layer = tensor.name.strip_suffix(part).filter(|_| config.family == Family::Baichuan)?;
        let d = config.hidden_size;
        let name = format!("{layer}self_attn.W_pack.weight");
        Some(Stored { tensor: Expected { name, shape: vec![3 * d, d] }, first_row: at * d })
    };
    let parts = ["self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight"];
    let found = parts.iter().enumerate().find_map(|(at, part)| fused(at, part));
    found.unwrap_or_else(|| Stored { tensor: tensor.clone(), first_row: 0 })
}

/// Whether the rows of the output head count only by their direction: Baichuan2, which is told
/// from Baichuan by its vocabulary alone, divides each by its length whenever it runs.
pub(super) fn has_normed_head(config: &ModelConfig) -> bool {
    const BAICHUAN2_VOCABULARY: usize = 125_696;
    config.family == Family::Baichuan && config.vocab_size == BAICHUAN2_VOCABULARY
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
