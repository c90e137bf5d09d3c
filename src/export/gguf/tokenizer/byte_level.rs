//! Byte-level BPE, as GPT-2 began it: every byte is a letter, and a regular expression cuts text
//! into words before pairs are joined.
//!
//! llama.cpp knows the expressions by name (`tokenizer.ggml.pre`) and has them built in; one it
//! does not know would cut text otherwise than the model was trained, so it is refused.

use serde_json::Value as Json;

use super::{Model, kind_of, merges, steps};
use crate::gguf::{Cut, RULES, Rule};

/// The rule by which text is cut, and the merges.
pub(super) fn model(json: &Json) -> Result<Model, String> {
    for step in steps(&json["normalizer"], "normalizers") {
        // Qwen composes accents first. llama.cpp does not, and its own conversion of Qwen passes
        // over it: most text is composed already.
        if kind_of(step) != "NFC" {
            return Err(format!("its normalizer has the step {}", kind_of(step)));
        }
    }
    let ignores_merges = json["model"]["ignore_merges"] == true;
    let rule = rule(&steps(&json["pre_tokenizer"], "pretokenizers"), ignores_merges)?;
    if ignores_merges && !rule.ignores_merges {
        return Err(format!("it has ignore_merges, which llama.cpp's \"{}\" has not", rule.name));
    }
    let merges = merges(json)?.into_iter().map(|(left, right)| format!("{left} {right}")).collect();
    Ok(Model::Merges { pre: rule.name, merges })
}

/// The rule of these steps; of those with one expression the one that treats merges alike, if there is one.
fn rule(steps: &[&Json], ignores_merges: bool) -> Result<&'static Rule, String> {
    let kinds: Vec<&str> = steps.iter().map(|step| kind_of(step)).collect();
    if steps.iter().any(|step| step["add_prefix_space"] == true) {
        return Err("its pre_tokenizer adds a space before the text".into());
    }
    let cuts_words = |step: &Json| step["use_regex"] != false;
    let of = |wanted: &dyn Fn(Cut) -> bool| {
        let cut_so = RULES.iter().filter(|rule| wanted(rule.cut));
        // Of equals the first.
        cut_so.min_by_key(|rule| rule.ignores_merges != ignores_merges)
    };
    let found = match (&kinds[..], steps) {
        (["ByteLevel"], [byte_level]) if cuts_words(byte_level) => of(&|cut| cut == Cut::Words),
        (["Digits", "ByteLevel"], [digits, byte_level])
            if digits["individual_digits"] == true && cuts_words(byte_level) =>
        {
            of(&|cut| cut == Cut::DigitsAndWords)
        }
        (["Split", "ByteLevel"], [split, byte_level]) if !cuts_words(byte_level) => {
            let pattern = split["pattern"]["Regex"].as_str().unwrap_or_default();
            let isolates = split["behavior"] == "Isolated" && split["invert"] != true;
            let found = of(&|cut| matches!(cut, Cut::Split(known) if known == pattern)).filter(|_| isolates);
            return found.ok_or_else(|| format!("its pre_tokenizer cuts text by {}", split["pattern"]));
        }
        _ => None,
    };
    let kinds = if kinds.is_empty() { "missing".into() } else { kinds.join(", ") };
    found.ok_or_else(|| format!("its pre_tokenizer is {kinds}"))
}
