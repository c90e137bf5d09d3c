//! Bytes of the parts of a model where it is computed, in single precision.

use super::attention::SCORE_BYTES;
use super::outer::LOGIT_BYTES;
use crate::device::SPLIT_AT_ONCE;
use crate::shape::{LayerShape, ModelConfig};

const F32: u64 = 4;

/// Hidden width, and the widest attention context and feed-forward of any layer.
pub fn widths(config: &ModelConfig) -> (u64, u64, u64) {
    // Layers of a model that was pruned before differ.
    let widest = |of: fn(&LayerShape) -> usize| config.layers.iter().map(of).max().unwrap_or(0) as u64;
    (config.hidden_size as u64, widest(|l| l.heads) * config.head_dim as u64, widest(|l| l.channels))
}

/// The weights of the largest layer.
pub fn largest_layer_bytes(config: &ModelConfig) -> u64 {
    config.layers.iter().map(|&l| config.layer_parameters(l)).max().unwrap_or(0) as u64 * F32
}

/// What goes through a layer together with so many tokens, the scores of its attention among it.
pub fn batch_bytes(config: &ModelConfig, tokens: u64) -> u64 {
    let (d, q, c) = widths(config);
    // Scores twice: before and after the softmax.
    tokens * (3 * c + 4 * d + 4 * q) * F32 + 2 * SCORE_BYTES as u64
}

/// What a product in half precision takes beside its factors: their halves, or, where H is summed, tokens in two halves
/// each, of which a kernel reads two copies.
pub fn halves_bytes(config: &ModelConfig, tokens: u64) -> u64 {
    const HALF: u64 = 2;
    let (d, q, c) = widths(config);
    let widest = q.max(c);
    (HALF * (tokens * widest.max(d) + d * widest)).max(4 * HALF * SPLIT_AT_ONCE as u64 * widest)
}

/// The embedding, and the output head where it is another matrix.
pub fn embedding_bytes(config: &ModelConfig) -> (u64, u64) {
    let one = config.vocab_size as u64 * config.hidden_size as u64 * F32;
    (one, if config.tied_head { 0 } else { one })
}

/// What the output head computes at once: logits, and twice as much for their logarithms.
pub fn logit_bytes(config: &ModelConfig) -> u64 {
    // One token is never cut, however large the vocabulary.
    3 * (LOGIT_BYTES as u64).max(config.vocab_size as u64 * F32)
}
