//! SentencePiece's kind of BPE: llama.cpp joins the two neighbours whose joined token has the highest
//! score, the leftmost of equals. Merges in the order of the scores do the same: every way to cut a
//! token into two others is a merge, those of a higher score first.

use serde_json::{Value as Json, json};

use super::super::key::tokenizer as key;
use super::super::value::Value;
use super::{GgufError, Header, Special, TokenKind, Tokens};

/// The score of a token that is never made by joining; below that of every other: LLaMA's own vocabulary gives runs of
/// spaces −1e9, and they are joined.
pub const NEVER_JOINED: f32 = -1e10;

/// Most bytes of a token that can be joined; SentencePiece's own are at most 16 long.
const LONGEST: usize = 256;
/// Most merges: several times those of the largest vocabulary.
const MOST_MERGES: usize = 1 << 22;
/// Most bytes of all merges; a tokenizer.json that is read has no more.
const MOST_BYTES: usize = 64 << 20;

/// The parts of a tokenizer.json that are this kind's own.
pub(super) fn tokenizer(header: &Header, tokens: &Tokens<'_>, special: &Special<'_>) -> Result<Json, GgufError> {
    let space = header.flag(key::SPACE)?.unwrap_or(true);
    let unknown = tokens.iter().find(|(_, _, kind)| *kind == TokenKind::Unknown).map(|(_, text, _)| text);
    let unknown = special.unknown().or(unknown);
    let replaced = json!({ "type": "Replace", "pattern": { "String": " " }, "content": "▁" });
    let before = space.then(|| json!({ "type": "Prepend", "prepend": "▁" }));
    let normalizers: Vec<Json> = before.into_iter().chain([replaced]).collect();
    let mut decoders = vec![
        json!({ "type": "Replace", "pattern": { "String": "▁" }, "content": " " }),
        json!({ "type": "ByteFallback" }),
        json!({ "type": "Fuse" }),
    ];
    // The space that was put before the text is no part of it.
    decoders.extend(space.then(|| json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 })));
    Ok(json!({
        "normalizer": { "type": "Sequence", "normalizers": normalizers },
        "pre_tokenizer": null,
        "decoder": { "type": "Sequence", "decoders": decoders },
        "model": {
            "type": "BPE", "dropout": null, "unk_token": unknown, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
            "vocab": tokens.vocabulary(), "merges": merges(tokens, &scores(header, tokens)?)?,
        },
    }))
}

fn scores(header: &Header, tokens: &Tokens<'_>) -> Result<Vec<f64>, GgufError> {
    match header.value(key::SCORES) {
        Some(Value::Floats(scores)) if scores.len() == tokens.texts.len() => Ok(scores.clone()),
        _ => Err(GgufError::key(key::SCORES, "is not a list of a number for each token")),
    }
}

/// Every way to cut a token into two, by falling score; those of one token by the numbers of the two.
fn merges(tokens: &Tokens<'_>, scores: &[f64]) -> Result<Vec<String>, GgufError> {
    let numbers = tokens.numbers();
    let joined = tokens.iter().filter(|&(id, text, kind)| {
        // In a merge the two tokens stand with a space between them. No text has one where merges work.
        let is_joined = kind == TokenKind::Normal && scores[id] > f64::from(NEVER_JOINED);
        is_joined && text.len() <= LONGEST && !text.contains(' ')
    });
    let (mut all, mut bytes) = (Vec::new(), 0);
    for (id, text, _) in joined {
        let pairs = text.char_indices().skip(1).map(|(at, _)| text.split_at(at));
        let mut own: Vec<_> =
            pairs.filter_map(|(left, right)| Some((*numbers.get(left)?, *numbers.get(right)?, left.len()))).collect();
        own.sort_unstable();
        bytes += own.len() * (text.len() + 1);
        all.extend(own.into_iter().map(|(_, _, at)| (scores[id], id, at)));
        if all.len() > MOST_MERGES || bytes > MOST_BYTES {
            let what =
                format!("its tokens can be cut into others in more than {MOST_MERGES} ways, as no vocabulary can");
            return Err(GgufError::Tokenizer(what));
        }
    }
    // Stable, so that of equal scores the lower number goes first.
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let merge = |(_, id, at): (f64, usize, usize)| {
        let (left, right) = tokens.texts[id].split_at(at);
        format!("{left} {right}")
    };
    Ok(all.into_iter().map(merge).collect())
}
