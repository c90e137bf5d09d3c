//! SentencePiece's kind of BPE: "▁" for spaces, bytes for what no token covers.
//!
//! llama.cpp joins the two neighbours whose joined token has the highest score, the leftmost of
//! equals. A tokenizer.json joins the pair that stands first in its merges. They agree when a
//! token's score falls with the place of its first merge, and every pair of tokens that makes a
//! token is among the merges.

use std::collections::{HashMap, HashSet};

use serde_json::Value as Json;

use super::{Kind, Model, kind_of, merges, steps};
use crate::gguf::NEVER_JOINED;

/// Says which tokens are bytes and which stands for the unknown.
pub(super) fn mark(tokens: &[String], kinds: &mut [Kind], json: &Json) {
    let unknown = json["model"]["unk_token"].as_str().unwrap_or("<unk>");
    for (token, kind) in tokens.iter().zip(kinds) {
        if token == unknown {
            *kind = Kind::Unknown;
        } else if *kind == Kind::Normal && is_byte(token) {
            *kind = Kind::Byte;
        }
    }
}

/// Whether a token stands for one byte, as `<0x0A>` does.
fn is_byte(token: &str) -> bool {
    let digits = token.strip_prefix("<0x").and_then(|t| t.strip_suffix('>'));
    digits.is_some_and(|d| d.len() == 2 && u8::from_str_radix(d, 16).is_ok())
}

/// Scores from the order of the merges, and whether a space is put before the text.
pub(super) fn model(json: &Json, tokens: &[String]) -> Result<Model, String> {
    let normalized = prepends(&steps(&json["normalizer"], "normalizers"), "normalizer")?;
    let cut = prepends(&steps(&json["pre_tokenizer"], "pretokenizers"), "pre_tokenizer")?;
    let merges = merges(json)?;
    refuse_missing(&merges, tokens)?;
    let rank = first_ranks(&merges)?;
    // The highest score is joined first, so the first merge gets it.
    let scores = tokens.iter().map(|token| rank.get(token).map_or(NEVER_JOINED, |&i| -(i as f32))).collect();
    Ok(Model::Scores { scores, add_space_prefix: normalized || cut })
}

/// The place of each token's first merge. That of another token between two merges of one has no
/// score that would say so.
fn first_ranks(merges: &[(&str, &str)]) -> Result<HashMap<String, usize>, String> {
    let mut rank: HashMap<String, usize> = HashMap::new();
    let mut last = 0;
    for (i, (left, right)) in merges.iter().enumerate() {
        let token = format!("{left}{right}");
        let first = *rank.entry(token).or_insert(i);
        // A score puts a token in one place: one that comes back would need two.
        if first < last {
            return Err(format!("its merges come back to \"{left}{right}\" after later tokens"));
        }
        last = first;
    }
    Ok(rank)
}

/// Refuses merges that leave out a pair of tokens which llama.cpp would join.
fn refuse_missing(merges: &[(&str, &str)], tokens: &[String]) -> Result<(), String> {
    let made: HashSet<String> = merges.iter().map(|(left, right)| format!("{left}{right}")).collect();
    let merges: HashSet<&(&str, &str)> = merges.iter().collect();
    let known: HashSet<&str> = tokens.iter().map(String::as_str).collect();
    for token in tokens.iter().filter(|t| made.contains(*t)) {
        let pairs = token.char_indices().skip(1).map(|(i, _)| token.split_at(i));
        let missing = |pair: &(&str, &str)| known.contains(pair.0) && known.contains(pair.1) && !merges.contains(pair);
        if let Some((left, right)) = pairs.into_iter().find(missing) {
            return Err(format!("its merges never join \"{left}\" and \"{right}\", though \"{token}\" is a token"));
        }
    }
    Ok(())
}

/// Whether these steps put a space before the text. Steps that SentencePiece's kind does not have
/// are named in the error.
fn prepends(steps: &[&Json], what: &str) -> Result<bool, String> {
    let mut prepends = false;
    for step in steps {
        match kind_of(step) {
            "Prepend" if step["prepend"] == "▁" => prepends = true,
            "Replace" if step["pattern"]["String"] == " " && step["content"] == "▁" => {}
            "Metaspace" if step["replacement"] == "▁" => {
                prepends |= step["prepend_scheme"] != "never" && step["add_prefix_space"] != false;
            }
            other => return Err(format!("its {what} has the step {other} beside byte_fallback")),
        }
    }
    Ok(prepends)
}
