//! Byte-level BPE, as GPT-2 began it: every byte is a letter, and a regular expression cuts text
//! into words before pairs are joined.
//!
//! llama.cpp knows the expressions by name (`tokenizer.ggml.pre`) and has them built in; one it
//! does not know would cut text otherwise than the model was trained, so it is refused.

use serde_json::Value as Json;

use super::{Model, kind_of, merges, steps};

/// Expressions and the names llama.cpp has for them.
const KNOWN: [(&str, &str); 3] = [
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        "llama-bpe",
    ),
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        "qwen2",
    ),
    (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        "tekken",
    ),
];

/// The rule by which text is cut, and the merges.
pub(super) fn model(json: &Json) -> Result<Model, String> {
    for step in steps(&json["normalizer"], "normalizers") {
        // Qwen composes accents first. llama.cpp does not, and its own conversion of Qwen passes
        // over it: most text is composed already.
        if kind_of(step) != "NFC" {
            return Err(format!("its normalizer has the step {}", kind_of(step)));
        }
    }
    let pre = rule(&steps(&json["pre_tokenizer"], "pretokenizers"))?;
    // A word that is a token is then taken whole, which llama.cpp does for these two rules.
    if json["model"]["ignore_merges"] == true && !["llama-bpe", "tekken"].contains(&pre) {
        return Err(format!("it has ignore_merges, which llama.cpp's \"{pre}\" has not"));
    }
    let merges = merges(json)?.into_iter().map(|(left, right)| format!("{left} {right}")).collect();
    Ok(Model::Merges { pre, merges })
}

fn rule(steps: &[&Json]) -> Result<&'static str, String> {
    let kinds: Vec<&str> = steps.iter().map(|step| kind_of(step)).collect();
    if steps.iter().any(|step| step["add_prefix_space"] == true) {
        return Err("its pre_tokenizer adds a space before the text".into());
    }
    let cuts_words = |step: &Json| step["use_regex"] != false;
    match (&kinds[..], steps) {
        (["ByteLevel"], [byte_level]) if cuts_words(byte_level) => Ok("gpt-2"),
        (["Digits", "ByteLevel"], [digits, byte_level])
            if digits["individual_digits"] == true && cuts_words(byte_level) =>
        {
            Ok("smollm")
        }
        (["Split", "ByteLevel"], [split, byte_level]) if !cuts_words(byte_level) => known(split),
        _ => {
            Err(format!("its pre_tokenizer is {}", if kinds.is_empty() { "missing".into() } else { kinds.join(", ") }))
        }
    }
}

fn known(split: &Json) -> Result<&'static str, String> {
    let pattern = split["pattern"]["Regex"].as_str().unwrap_or_default();
    let isolates = split["behavior"] == "Isolated" && split["invert"] != true;
    let name = KNOWN.iter().find(|(known, _)| *known == pattern && isolates).map(|(_, name)| *name);
    name.ok_or_else(|| format!("its pre_tokenizer cuts text by {}", split["pattern"]))
}
