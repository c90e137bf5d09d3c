//! What a model costs by its sizes alone: multiply-adds and bytes.
//!
//! For one token that attends to `context` tokens, itself included, with d the hidden size, and of
//! each layer q = heads · head_dim, k = kv_heads · head_dim and c channels:
//!
//! ```text
//! projections   Σ  d q + 2 d k + q d      q, k, v, o
//!               +  3 d c                  gate, up, down
//! attention     Σ  2 q context            scores, and the sum they weigh
//! head             vocab · d              logits
//! ```
//!
//! Norms, rotary positions, softmax and the embedding's look-up are left out: together they are
//! less than a thousandth. One multiply-add is two floating-point operations.

use serde::Serialize;

use crate::shape::ModelConfig;

/// The models run in single precision, whatever they are stored in.
const F32: u64 = 4;

/// Multiply-adds of one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MultiplyAdds {
    /// The linear layers of all decoder layers.
    pub projections: u64,
    /// Scores and weighted sums.
    pub attention: u64,
    /// The output head, vocab · d.
    pub head: u64,
}

impl MultiplyAdds {
    /// Multiply-adds of all parts together.
    pub fn total(&self) -> u64 {
        self.projections + self.attention + self.head
    }
}

/// Multiply-adds of a token that attends to `context` tokens, itself included.
pub fn multiply_adds(config: &ModelConfig, context: usize) -> MultiplyAdds {
    let d = config.hidden_size;
    let of_layers = |f: &dyn Fn(usize, usize, usize) -> usize| {
        let layers = config.layers.iter();
        layers.map(|l| f(l.heads * config.head_dim, l.kv_heads * config.head_dim, l.channels) as u64).sum()
    };
    MultiplyAdds {
        projections: of_layers(&|q, k, c| 2 * d * q + 2 * d * k + 3 * d * c),
        attention: of_layers(&|q, _, _| 2 * q * context),
        head: (config.vocab_size * d) as u64,
    }
}

/// Bytes of keys and values that each token of a text leaves while it is continued.
pub fn cache_bytes_per_token(config: &ModelConfig) -> u64 {
    // Twice: a key and a value.
    config.layers.iter().map(|l| 2 * (l.kv_heads * config.head_dim) as u64 * F32).sum()
}

/// Bytes of all weights where they are computed with.
pub fn weight_bytes(config: &ModelConfig) -> u64 {
    config.parameters() as u64 * F32
}
