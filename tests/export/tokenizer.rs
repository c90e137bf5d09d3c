//! Tokenizers as GGUF has them: byte-level BPE, and SentencePiece's kind with scores.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use gguf::GGUFMetadataValue as Found;
use serde_json::{Value, json};
use slimgpt::checkpoint::Checkpoint;
use slimgpt::export::gguf::{Options, export};
use slimgpt::text::Tokenizer;

use crate::gguf::File;
use crate::support::assert_says;
use crate::{DIFFERENT, folder, names, nothing, pruned};

/// A tokenizer of GPT-2's kind with 20 letters, two merges and three special tokens.
pub fn byte_level() -> Value {
    let letters = "abcdefghijklmnopqrst".chars().enumerate().map(|(i, c)| (c.to_string(), json!(i + 3)));
    let mut vocabulary: serde_json::Map<_, _> = letters.collect();
    vocabulary.insert("ab".into(), json!(23));
    vocabulary.insert("abc".into(), json!(24));
    let added = |id: usize, content: &str, special: bool| json!({ "id": id, "content": content, "special": special });
    json!({
        "added_tokens": [added(0, "<unk>", true), added(1, "<s>", true), added(2, "</s>", true), added(25, "[user]", false)],
        "normalizer": null,
        "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false, "use_regex": true },
        "post_processor": null,
        "model": { "type": "BPE", "vocab": vocabulary, "merges": ["a b", ["ab", "c"]], "byte_fallback": false },
    })
}

/// The file made with this tokenizer and tokenizer_config.json.
fn with(tokenizer: &Value, settings: &Value) -> (tempfile::TempDir, PathBuf, Checkpoint) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("model");
    let checkpoint = folder(&path, pruned("llama", &DIFFERENT, &json!({ "eos_token_id": [2, 7] })));
    std::fs::write(path.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    std::fs::write(path.join("tokenizer_config.json"), settings.to_string()).unwrap();
    (place, path, checkpoint)
}

fn written(tokenizer: &Value, settings: &Value) -> File {
    let (place, _, checkpoint) = with(tokenizer, settings);
    let out = place.path().join("model.gguf");
    export(&checkpoint, &out, Options::default(), &mut nothing).unwrap();
    File::read(&out)
}

#[track_caller]
fn refused(tokenizer: &Value, words: &[&str]) {
    let (place, _, checkpoint) = with(tokenizer, &json!({}));
    let result = export(&checkpoint, &place.path().join("model.gguf"), Options::default(), &mut nothing);
    assert_says(result, &[&["tokenizer.json"], words].concat());
    assert_eq!(names(place.path()), ["model"], "nothing is half-written");
}

fn strings(file: &File, key: &str) -> Vec<String> {
    let Found::Array(all) = file.key(key) else { panic!("{key} is no list") };
    all.value.iter().map(|v| format!("{v:?}")).collect()
}

fn with_pre(pre: Value) -> Value {
    let mut tokenizer = byte_level();
    tokenizer["pre_tokenizer"] = pre;
    tokenizer
}

fn split(pattern: &str) -> Value {
    json!({ "type": "Sequence", "pretokenizers": [
        { "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false },
        { "type": "ByteLevel", "add_prefix_space": false, "use_regex": false },
    ] })
}

const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

#[test]
fn byte_level_tokens_keep_their_numbers_and_kinds() {
    let settings = json!({ "bos_token": { "content": "<s>" }, "eos_token": "</s>", "pad_token": "[user]", "chat_template": "{{ x }}" });
    let file = written(&byte_level(), &settings);
    assert_eq!((file.text("tokenizer.ggml.model"), file.text("tokenizer.ggml.pre")), ("gpt2".into(), "gpt-2".into()));
    let tokens = strings(&file, "tokenizer.ggml.tokens");
    assert_eq!((tokens.len(), &*tokens[3], &*tokens[24], &*tokens[31]), (32, "a", "abc", "[PAD31]"));
    let kinds = file.numbers("tokenizer.ggml.token_type");
    // Control, normal, user-defined, unused.
    assert_eq!([kinds[1], kinds[3], kinds[25], kinds[31]], [3, 1, 4, 5]);
    assert_eq!(strings(&file, "tokenizer.ggml.merges"), ["a b", "ab c"]);
    for (key, id) in [("bos", 1), ("eos", 2), ("padding", 25)] {
        assert!(*file.key(&format!("tokenizer.ggml.{key}_token_id")) == Found::Uint32(id), "{key}");
    }
    assert!(*file.key("tokenizer.ggml.add_bos_token") == Found::Bool(false));
    assert_eq!(file.text("tokenizer.chat_template"), "{{ x }}");
}

#[test]
fn without_settings_config_json_names_the_special_tokens() {
    let mut tokenizer = byte_level();
    tokenizer["post_processor"] = json!({
        "type": "TemplateProcessing", "single": [{ "SpecialToken": { "id": "<s>" } }, { "Sequence": {} }],
        "special_tokens": { "<s>": { "id": "<s>", "ids": [1], "tokens": ["<s>"] } },
    });
    let file = written(&tokenizer, &json!({}));
    assert!(*file.key("tokenizer.ggml.bos_token_id") == Found::Uint32(1));
    assert!(*file.key("tokenizer.ggml.eos_token_id") == Found::Uint32(2));
    assert!(*file.key("tokenizer.ggml.add_bos_token") == Found::Bool(true));
}

#[test]
fn tokens_without_an_embedding_end_no_text() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("model");
    let ends = |ids: Value| {
        let checkpoint =
            folder(&path, pruned("llama", &DIFFERENT, &json!({ "eos_token_id": ids, "bos_token_id": 32 })));
        std::fs::write(path.join("tokenizer_config.json"), json!({ "add_eos_token": true }).to_string()).unwrap();
        let out = place.path().join("model.gguf");
        export(&checkpoint, &out, Options { dtype: None, overwrite: true }, &mut nothing).unwrap();
        File::read(&out)
    };
    let file = ends(json!([40, 2]));
    assert!(*file.key("tokenizer.ggml.eos_token_id") == Found::Uint32(2));
    assert!(*file.key("tokenizer.ggml.add_eos_token") == Found::Bool(true));
    assert!(!file.keys.contains_key("tokenizer.ggml.bos_token_id"));
    let file = ends(json!(40));
    assert!(!file.keys.contains_key("tokenizer.ggml.eos_token_id"));
    assert!(*file.key("tokenizer.ggml.add_eos_token") == Found::Bool(false));
}

#[test]
fn the_rule_that_cuts_text_is_known_by_its_expression() {
    let digits = json!({ "type": "Sequence", "pretokenizers": [
        { "type": "Digits", "individual_digits": true }, { "type": "ByteLevel", "use_regex": true },
    ] });
    let llama_3 = QWEN2.replace(r"|\p{N}| ", r"|\p{N}{1,3}| ");
    for (pre, name) in [(split(QWEN2), "qwen2"), (split(&llama_3), "smaug-bpe"), (digits, "smollm")] {
        assert_eq!(written(&with_pre(pre), &json!({})).text("tokenizer.ggml.pre"), name);
    }
    // The same expression, and words that are tokens are taken whole.
    let whole = |pre: Value| {
        let mut tokenizer = with_pre(pre);
        tokenizer["model"]["ignore_merges"] = json!(true);
        tokenizer
    };
    assert_eq!(written(&whole(split(&llama_3)), &json!({})).text("tokenizer.ggml.pre"), "llama-bpe");
    refused(&whole(split(QWEN2)), &["ignore_merges", "qwen2"]);
}

#[test]
fn what_llama_cpp_would_cut_otherwise_is_refused() {
    refused(&with_pre(split(r"\w+|\s")), &["cuts text by", r"\\w+|\\s"]);
    refused(&with_pre(json!({ "type": "Whitespace" })), &["pre_tokenizer", "Whitespace"]);
    refused(&with_pre(Value::Null), &["pre_tokenizer", "missing"]);
    let mut unigram = byte_level();
    unigram["model"]["type"] = json!("Unigram");
    refused(&unigram, &["Unigram", "GGUF"]);
    let mut lower = byte_level();
    lower["normalizer"] = json!({ "type": "Lowercase" });
    refused(&lower, &["normalizer", "Lowercase"]);
    let mut beyond = byte_level();
    beyond["model"]["vocab"]["zz"] = json!(32);
    refused(&beyond, &["zz", "32 embeddings"]);
}

/// SentencePiece's kind with the letters a, b, c, and ab and abc made of them.
fn sentence_piece(merges: Value) -> Value {
    let mut tokenizer = byte_level();
    tokenizer["pre_tokenizer"] =
        json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false });
    tokenizer["model"]["byte_fallback"] = json!(true);
    tokenizer["model"]["unk_token"] = json!("<unk>");
    tokenizer["model"]["vocab"] = json!({ "<0x0A>": 3, "a": 4, "b": 5, "c": 6, "ab": 7, "bc": 8, "abc": 9, "▁": 10 });
    tokenizer["model"]["merges"] = merges;
    tokenizer
}

#[test]
fn scores_fall_with_the_place_of_the_first_merge() {
    let file = written(&sentence_piece(json!(["a b", "b c", "ab c", "a bc"])), &json!({}));
    assert_eq!(file.text("tokenizer.ggml.model"), "llama");
    let scores = strings(&file, "tokenizer.ggml.scores");
    assert_eq!([&*scores[7], &*scores[8], &*scores[9], &*scores[4]], ["-0", "-1", "-2", "-10000000000"]);
    let kinds = file.numbers("tokenizer.ggml.token_type");
    assert_eq!([kinds[0], kinds[1], kinds[3], kinds[4]], [2, 3, 6, 1], "unknown, control, byte, normal");
    assert!(*file.key("tokenizer.ggml.add_space_prefix") == Found::Bool(true));
    assert!(*file.key("tokenizer.ggml.unknown_token_id") == Found::Uint32(0));
}

#[test]
fn merges_that_no_scores_can_say_are_refused() {
    refused(&sentence_piece(json!(["a b", "b c", "ab c"])), &["\"a\" and \"bc\"", "\"abc\""]);
    refused(&sentence_piece(json!(["a b", "ab c", "b c", "a bc"])), &["come back to \"abc\""]);
    let mut lower = sentence_piece(json!(["a b", "b c", "ab c", "a bc"]));
    lower["normalizer"] = json!({ "type": "Lowercase" });
    refused(&lower, &["Lowercase", "byte_fallback"]);
}

/// llama.cpp's way: of all neighbours that make a token, those with the highest score are joined
/// first, the leftmost of equals.
fn join_by_scores(text: &str, tokens: &HashMap<String, (u32, f32)>) -> Vec<u32> {
    let mut parts: Vec<String> = text.chars().map(String::from).collect();
    loop {
        let joined = parts.windows(2).enumerate().filter_map(|(i, two)| Some((i, tokens.get(&two.concat())?.1)));
        let best = joined.fold(None, |best: Option<(usize, f32)>, (i, score)| match best {
            Some((_, highest)) if highest >= score => best,
            _ => Some((i, score)),
        });
        let Some((i, _)) = best else { break };
        let right = parts.remove(i + 1);
        parts[i].push_str(&right);
    }
    let bytes = |part: &String| part.bytes().map(|b| tokens[&format!("<0x{b:02X}>")].0).collect();
    parts.iter().flat_map(|p| tokens.get(p).map_or_else(|| bytes(p), |t| vec![t.0])).collect()
}

#[test]
fn scores_cut_a_text_as_the_tokenizer_does() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if !data.is_dir() {
        return;
    }
    let model = Checkpoint::open(&data.join("models/stories260K")).unwrap();
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("model.gguf");
    export(&model, &out, Options::default(), &mut nothing).unwrap();
    let file = File::read(&out);
    let Found::Array(scores) = file.key("tokenizer.ggml.scores") else { panic!("no scores") };
    let score = |v: &Found| if let Found::Float32(s) = v { *s } else { panic!("no f32") };
    let tokens = strings(&file, "tokenizer.ggml.tokens").into_iter().zip(&scores.value).enumerate();
    let tokens: HashMap<_, _> = tokens.map(|(i, (text, s))| (text, (i as u32, score(s)))).collect();
    let tokenizer = Tokenizer::open(&data.join("models/stories260K"), 512).unwrap();
    let text = std::fs::read_to_string(data.join("text/tinystories-eval.txt")).unwrap();
    for line in text.lines().filter(|l| !l.is_empty()).take(60).chain(["Zürich 北京 12345"]) {
        let spaced = format!("▁{}", line.replace(' ', "▁"));
        assert_eq!(join_by_scores(&spaced, &tokens), tokenizer.encode(line).unwrap(), "{line}");
    }
}

#[test]
fn settings_after_a_mark_are_the_same_settings() {
    let settings = json!({ "chat_template": "{{ x }}", "bos_token": "<s>" });
    let (place, source, checkpoint) = with(&byte_level(), &settings);
    for file in ["tokenizer_config.json", "tokenizer.json"] {
        let path = source.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("\u{feff}{text}")).unwrap();
    }
    let out = place.path().join("model.gguf");
    export(&checkpoint, &out, Options::default(), &mut nothing).unwrap();
    let marked = File::read(&out);
    assert_eq!(marked.text("tokenizer.chat_template"), "{{ x }}");
    assert!(*marked.key("tokenizer.ggml.bos_token_id") == Found::Uint32(1));
}

#[test]
fn what_stands_before_a_text_is_what_the_post_processor_puts_there() {
    let with_flag = |post_processor: &Value, flag: Value| {
        let mut tokenizer = byte_level();
        tokenizer["post_processor"] = post_processor.clone();
        let file = written(&tokenizer, &json!({ "bos_token": "<s>", "add_bos_token": flag }));
        *file.key("tokenizer.ggml.add_bos_token") == Found::Bool(true)
    };
    let template = |single: Value| {
        let special = json!({ "<s>": { "id": "<s>", "ids": [1], "tokens": ["<s>"] } });
        json!({ "type": "TemplateProcessing", "single": single, "pair": [], "special_tokens": special })
    };
    let text = json!({ "Sequence": { "id": "A", "type_id": 0 } });
    let begins = template(json!([{ "SpecialToken": { "id": "<s>", "type_id": 0 } }, text]));
    let plain = template(json!([text]));
    let flags = [Value::Null, json!(false), json!(true)];
    assert_eq!(flags.clone().map(|flag| with_flag(&begins, flag)), [true; 3]);
    assert_eq!(flags.clone().map(|flag| with_flag(&plain, flag)), [false; 3]);
    assert_eq!(flags.map(|flag| with_flag(&Value::Null, flag)), [false, false, true]);
}

#[test]
fn special_and_added_tokens_may_stand_in_files_of_their_own() {
    let (place, path, checkpoint) = with(&byte_level(), &json!({ "bos_token": "<old>" }));
    let map = json!({ "bos_token": "<s>", "unk_token": { "content": "<unk>" }, "pad_token": "<pad>" });
    std::fs::write(path.join("special_tokens_map.json"), map.to_string()).unwrap();
    // One that the model has an embedding for, and one beyond.
    std::fs::write(path.join("added_tokens.json"), json!({ "<pad>": 26, "<far>": 32 }).to_string()).unwrap();
    let out = place.path().join("model.gguf");
    export(&checkpoint, &out, Options::default(), &mut nothing).unwrap();
    let file = File::read(&out);
    for (key, id) in [("bos", 1), ("unknown", 0), ("padding", 26)] {
        assert!(*file.key(&format!("tokenizer.ggml.{key}_token_id")) == Found::Uint32(id), "{key}");
    }
    assert_eq!(&strings(&file, "tokenizer.ggml.tokens")[26], "<pad>");
    assert_eq!(file.numbers("tokenizer.ggml.token_type")[26], 3);
}
