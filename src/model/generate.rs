//! Continuing a text, one token at a time.

use std::collections::BTreeSet;

use super::{Decoder, KvCache, Sampler, token_tensor};
use crate::device::readback::{ReadbackError, floats};
use crate::shape::ModelConfig;

/// Why a text is not continued further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The model chose an end-of-sequence token.
    EndOfText,
    /// As many tokens were added as were asked for.
    MaxTokens,
    /// The model's context is full.
    Context,
    /// Who took the tokens wanted no more.
    Caller,
}

/// Continues `prompt` by at most `max_tokens`, until an end-of-sequence token or the end of the
/// model's context; each token is handed to `on_token`, which may stop by returning false.
///
/// # Errors
/// When the device fails.
pub async fn generate(
    decoder: &Decoder,
    config: &ModelConfig,
    prompt: &[u32],
    max_tokens: usize,
    sampler: &mut Sampler,
    on_token: &mut dyn FnMut(u32) -> bool,
) -> Result<Stop, ReadbackError> {
    let device = decoder.outer.embedding.val().device();
    let mut cache = KvCache::default();
    let mut next = prompt.to_vec();
    // The prompt's tokens too: transformers' penalty is for all that the model has before it.
    let mut seen: BTreeSet<u32> = prompt.iter().copied().collect();
    // Prompt and answer share the positions.
    let room = config.max_positions.saturating_sub(prompt.len());
    for _ in 0..max_tokens.min(room) {
        // At first the whole prompt, then one token at a time: the cache has the others.
        let logits = decoder.forward_cached(token_tensor(&[next], &device), config, &mut cache);
        let token = sampler.choose(floats(logits).await?, &seen);
        if config.eos_tokens.contains(&token) {
            // Not handed on: it ends the text and is no part of it.
            return Ok(Stop::EndOfText);
        }
        if !on_token(token) {
            return Ok(Stop::Caller);
        }
        seen.insert(token);
        next = vec![token];
    }
    Ok(if room < max_tokens { Stop::Context } else { Stop::MaxTokens })
}
