//! Bytes that measuring takes, counted before any work: one layer, what stands outside of the layers,
//! and what goes through them.

use std::fmt;

use crate::format;
use crate::model::{batch_bytes, embedding_bytes, largest_layer_bytes, logit_bytes};
use crate::shape::ModelConfig;

/// What measuring takes where it is computed, by what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs(Vec<(&'static str, u64)>);

impl Needs {
    /// With so many tokens in a batch, and so many bytes of hidden states between two layers.
    pub(super) fn new(config: &ModelConfig, batch_tokens: usize, hidden: usize) -> Self {
        let (embedding, head) = embedding_bytes(config);
        let all = [
            ("embedding", embedding),
            ("output head", head),
            ("logits", logit_bytes(config)),
            ("one layer's weights", largest_layer_bytes(config)),
            ("one batch", batch_bytes(config, batch_tokens as u64)),
            ("hidden states", hidden as u64),
        ];
        Self(all.into_iter().filter(|(_, bytes)| *bytes > 0).collect())
    }

    /// Bytes of all of them.
    pub fn total(&self) -> u64 {
        self.0.iter().map(|(_, bytes)| bytes).sum()
    }
}

/// "embedding 1.00 GiB + output head …".
impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.0.iter().map(|(what, bytes)| format!("{what} {}", format::bytes(*bytes)));
        f.write_str(&parts.collect::<Vec<_>>().join(" + "))
    }
}
