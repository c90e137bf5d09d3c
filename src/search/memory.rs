//! Bytes that a search holds beside a pruning of the same model.

use crate::eval::expected_bytes;
use crate::model::{embedding_bytes, logit_bytes, widths};
use crate::shape::{ModelConfig, Site};

const F32: u64 = 4;
/// Hidden states of models with one site cut that go through the later layers together.
pub(super) const VARIANT_BYTES: usize = 1 << 30;
/// Stages of a site, at most: three shares of many units, or all counts of up to four.
const STAGES: u64 = 3;
/// Kinds of units.
const CUTS: u64 = 3;
/// Halves that a layer may lose as a whole, which are looked at beside the stages.
const HALVES: u64 = Site::ALL.len() as u64;
/// Hidden states of the probe that live at once: before the layer, behind it, and normed behind the last.
const STREAMS: u64 = 3;

/// What the search for the map of costs holds: the sum of a second site, weights at the stages of one, the probe's states
/// with and without cuts, and what the dense model expects.
pub fn search_bytes(config: &ModelConfig, probe_tokens: usize) -> u64 {
    let (d, q, c) = widths(config);
    let states = probe_tokens as u64 * d * F32;
    // Those of a kind of unit join what was nearly enough.
    let variants = ((CUTS * STAGES + HALVES) * states).min(VARIANT_BYTES as u64 + STAGES * states);
    let second_sum = q.min(c) * q.min(c) * F32;
    second_sum + STAGES * d * q.max(c) * F32 + STREAMS * states + variants + judging_bytes(config, probe_tokens)
}

/// What a climb holds but for the states that it keeps between layers.
pub(super) fn climb_bytes(config: &ModelConfig, judged_tokens: usize) -> u64 {
    let (d, ..) = widths(config);
    STREAMS * judged_tokens as u64 * d * F32 + judging_bytes(config, judged_tokens)
}

/// The head, logits, and the expectation of the dense model.
fn judging_bytes(config: &ModelConfig, tokens: usize) -> u64 {
    let (head, _) = embedding_bytes(config);
    head + logit_bytes(config) + expected_bytes(config, tokens)
}
