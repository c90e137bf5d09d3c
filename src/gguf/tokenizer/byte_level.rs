//! Byte-level BPE: the merges are in the file, and the rule that cuts text stands there by its name.

use serde_json::{Value as Json, json};

use super::super::key::tokenizer as key;
use super::super::pre::Rule;
use super::{GgufError, Header, Tokens};

/// The rule of a file.
pub(super) fn rule(header: &Header) -> Result<&'static Rule, GgufError> {
    let refused = |what: String| GgufError::Tokenizer(format!("{what}; known are {}", Rule::names()));
    let name = header.text(key::RULE)?.ok_or_else(|| {
        refused(format!("there is no {} that says how text is cut, as in files of before May 2024", key::RULE))
    })?;
    Rule::named(name).ok_or_else(|| refused(format!("text is cut by the rule \"{name}\", which is not known")))
}

/// The parts of a tokenizer.json that are this kind's own.
pub(super) fn tokenizer(header: &Header, tokens: &Tokens<'_>) -> Result<Json, GgufError> {
    let rule = rule(header)?;
    Ok(json!({
        "normalizer": null,
        "pre_tokenizer": rule.pre_tokenizer(),
        "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true },
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "ignore_merges": rule.ignores_merges, "vocab": tokens.vocabulary(),
            // Two tokens with a space between them, which every release reads.
            "merges": header.texts(key::MERGES)?,
        },
    }))
}
