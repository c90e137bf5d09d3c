//! Models that are only sizes: what a plan needs to know of one.

use slimgpt::shape::{Family, LayerShape, ModelConfig, Rope};

/// The sizes of the stories260K model, or of one like it.
pub fn config(layers: usize, dense: LayerShape, hidden_size: usize) -> ModelConfig {
    ModelConfig {
        family: Family::Llama,
        vocab_size: 512,
        hidden_size,
        head_dim: hidden_size / dense.heads,
        dense,
        layers: vec![dense; layers],
        max_positions: 512,
        rms_norm_eps: 1e-5,
        rope: Rope { theta: 10000.0, scaling: None },
        qkv_bias: false,
        o_bias: false,
        mlp_bias: false,
        qk_norm: false,
        tied_head: true,
        bos_token: Some(1),
        eos_tokens: vec![2],
    }
}

pub fn stories() -> ModelConfig {
    config(5, LayerShape { heads: 8, kv_heads: 4, channels: 172 }, 64)
}

pub fn llama_7b() -> ModelConfig {
    let dense = LayerShape { heads: 32, kv_heads: 32, channels: 11008 };
    ModelConfig { vocab_size: 32000, tied_head: false, ..config(32, dense, 4096) }
}

/// Three key/value heads, so that one is a third of a layer's attention.
pub fn smollm2_135m() -> ModelConfig {
    let dense = LayerShape { heads: 9, kv_heads: 3, channels: 1536 };
    ModelConfig { vocab_size: 49152, ..config(30, dense, 576) }
}
