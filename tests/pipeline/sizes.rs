//! Models that are only sizes: what a plan needs to know of one.

use slimgpt::shape::{LayerShape, ModelConfig};
use slimgpt::shipped;

/// The sizes of the stories260K model, or of one like it.
pub fn config(layers: usize, dense: LayerShape, hidden_size: usize) -> ModelConfig {
    // The shipped model has the vocabulary and all settings of that one.
    ModelConfig {
        hidden_size,
        head_dim: hidden_size / dense.heads,
        dense,
        layers: vec![dense; layers],
        ..shipped::config()
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
