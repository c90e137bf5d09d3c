//! tokenizer.json, and what stands beside it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use slimgpt::text::{ChatTemplate, Message, Tokenizer, TokenizerSettings};

use crate::{Format, Outcome};

const TEXTS: [&str; 4] =
    ["", "a cat  sat on the mat.\n\n\tIt's 12345!", "é\u{301}😀\u{0}ﬁ 中文", "<s>user</s> a a a a a a a a"];
const VOCABULARY: usize = 64;

/// Letters, a few pairs of them, and tokens with a meaning.
fn vocabulary(letters: &str, more: &[&str]) -> BTreeMap<String, usize> {
    let letters = letters.chars().map(String::from);
    ["<unk>", "<s>", "</s>"]
        .map(String::from)
        .into_iter()
        .chain(letters)
        .chain(more.iter().map(|s| (*s).to_owned()))
        .zip(0..)
        .collect()
}

fn added() -> Value {
    let token = |id: usize, content: &str| {
        json!({ "id": id, "content": content, "single_word": false, "lstrip": false,
        "rstrip": false, "normalized": false, "special": true })
    };
    json!([token(0, "<unk>"), token(1, "<s>"), token(2, "</s>")])
}

fn template() -> Value {
    let of = |id: &str| json!({ "SpecialToken": { "id": id, "type_id": 0 } });
    let text = |id: &str| json!({ "Sequence": { "id": id, "type_id": 0 } });
    json!({ "type": "TemplateProcessing", "single": [of("<s>"), text("A")], "pair": [of("<s>"), text("A"), text("B")],
        "special_tokens": { "<s>": { "id": "<s>", "ids": [1], "tokens": ["<s>"] } } })
}

/// As LLaMA's: one word, with bytes to fall back to.
fn sentence_piece() -> Value {
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added(),
        "normalizer": { "type": "Sequence", "normalizers": [
            { "type": "Prepend", "prepend": "▁" }, { "type": "Replace", "pattern": { "String": " " }, "content": "▁" }] },
        "pre_tokenizer": null, "post_processor": template(),
        "decoder": { "type": "Sequence", "decoders": [
            { "type": "Replace", "pattern": { "String": "▁" }, "content": " " }, { "type": "ByteFallback" },
            { "type": "Fuse" }, { "type": "Strip", "content": " ", "start": 1, "stop": 0 }] },
        "model": { "type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
            "vocab": vocabulary("▁acehimnorstu.", &["<0x0A>", "<0xC3>", "at", "▁c", "▁cat", "th", "the"]),
            "merges": ["a t", "▁ c", "▁c at", "t h", "th e"] }
    })
}

/// As GPT-2's and Qwen's: letters of bytes, words by a pattern.
fn byte_level() -> Value {
    json!({
        "version": "1.0", "truncation": { "direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0 },
        "padding": { "strategy": { "Fixed": 16 }, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
            "pad_type_id": 0, "pad_token": "<unk>" },
        "added_tokens": added(), "normalizer": { "type": "NFC" },
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": [
            { "type": "Split", "pattern": { "Regex": "(?i:'s|'t)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|\\s+(?!\\S)|\\s+" },
              "behavior": "Isolated", "invert": false },
            { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false }] },
        "post_processor": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true },
        "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true },
        "model": { "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "",
            "end_of_word_suffix": "", "fuse_unk": false, "byte_fallback": false, "ignore_merges": true,
            "vocab": vocabulary("Ġacehimnorstu.Ċ", &["at", "Ġc", "Ġcat"]), "merges": [["a", "t"], ["Ġ", "c"], ["Ġc", "at"]] }
    })
}

/// As T5's: pieces with their scores.
fn unigram() -> Value {
    let pieces = [
        ("<unk>", 0.0),
        ("<s>", 0.0),
        ("</s>", 0.0),
        ("▁", -2.0),
        ("a", -2.5),
        ("t", -3.0),
        ("at", -3.5),
        ("▁cat", -4.0),
    ];
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added(),
        "normalizer": { "type": "Sequence", "normalizers": [
            { "type": "Strip", "strip_left": false, "strip_right": true }, { "type": "Lowercase" }, { "type": "NFKC" },
            { "type": "Replace", "pattern": { "Regex": " {2,}" }, "content": " " }] },
        "pre_tokenizer": { "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true },
        "post_processor": template(),
        "decoder": { "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true },
        "model": { "type": "Unigram", "unk_id": 0, "byte_fallback": false, "vocab": pieces }
    })
}

/// As BERT's: words from the beginning, then what follows.
fn word_piece() -> Value {
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added(),
        "normalizer": { "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true },
        "pre_tokenizer": { "type": "BertPreTokenizer" },
        "post_processor": { "type": "BertProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1] },
        "decoder": { "type": "WordPiece", "prefix": "##", "cleanup": true },
        "model": { "type": "WordPiece", "unk_token": "<unk>", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocabulary("acehimnorstu.", &["##a", "##t", "cat", "##s"]) }
    })
}

/// Cuts texts into tokens and makes them texts again.
fn used(tokenizer: &Tokenizer, settings: &TokenizerSettings) -> Outcome {
    let mut refused = false;
    for text in TEXTS {
        for tokens in [tokenizer.encode(text), tokenizer.encode_with_specials(text)] {
            match tokens.and_then(|tokens| tokenizer.decode(&tokens)) {
                Ok(_) => {}
                Err(_) => refused = true,
            }
        }
    }
    let all: Vec<u32> = (0..VOCABULARY as u32).collect();
    refused |= tokenizer.decode(&all).is_err() || tokenizer.begin(settings).is_err();
    if refused { Outcome::Refused } else { Outcome::Used }
}

pub fn formats() -> Vec<Format> {
    let text = |json: Value| json.to_string().into_bytes();
    let tokenizer = Format {
        name: "tokenizer.json",
        share: 30,
        seeds: [sentence_piece(), byte_level(), unigram(), word_piece()].map(text).into(),
        is_json: true,
        parts: &[],
        read: Box::new(|json| match Tokenizer::from_bytes(json, VOCABULARY) {
            Ok(tokenizer) => used(&tokenizer, &TokenizerSettings::default()),
            Err(_) => Outcome::Refused,
        }),
    };
    vec![tokenizer, settings()]
}

/// The files beside it, as one object of the three.
fn settings() -> Format {
    let config = json!({ "bos_token": "<s>", "eos_token": { "content": "</s>", "lstrip": false }, "add_bos_token": true,
        "chat_template": [{ "name": "default", "template": "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}" }],
        "added_tokens_decoder": { "40": { "content": "<new>", "special": true }, "41": { "content": "<newer>", "special": false } } });
    let map = json!({ "bos_token": "<s>", "pad_token": { "content": "<pad>" }, "additional_special_tokens": ["<a>"] });
    let added = json!({ "<new>": 40, "<pad>": 41 });
    let older = json!({ "bos_token": "<s>", "chat_template": "{{ messages[0].content }}" });
    let both = [json!([config, map, added]), json!([older, map, added])];
    let tokenizer = sentence_piece().to_string().into_bytes();
    Format {
        name: "tokenizer_config.json, special_tokens_map.json, added_tokens.json",
        share: 6,
        seeds: both.map(|json| json.to_string().into_bytes()).into(),
        is_json: true,
        parts: &[],
        read: Box::new(move |json| {
            let Ok(all) = serde_json::from_slice::<Value>(json) else { return Outcome::Refused };
            let settings = TokenizerSettings::new(all[0].clone(), all[1].clone(), &all[2]);
            let Ok(tokenizer) = Tokenizer::from_bytes(&tokenizer, VOCABULARY) else { return Outcome::Refused };
            let said = [Message { role: "user", content: "hello".into() }];
            let _ = ChatTemplate::new(settings.json(), None, None).and_then(|template| template.render(&said));
            let tokenizer = tokenizer.with_added(settings.added());
            let _ = tokenizer.begin(&settings);
            used(&tokenizer, &settings)
        }),
    }
}
