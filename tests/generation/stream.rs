//! The pieces of a streamed text together are the text.

use std::path::Path;

use proptest::prelude::*;
use serde_json::json;
use slimgpt::text::{TextStream, Tokenizer};

use crate::support::shipped;

/// A tokenizer as LLaMA's: "▁" for a space, also before the first word; what it has no token for
/// goes as bytes; the decoder takes the first space away again.
fn llama() -> Tokenizer {
    let bytes = (0..=255u8).map(|b| format!("<0x{b:02X}>"));
    let words = ["▁", "a", "b", "▁a", "▁b", "▁▁", "é", "ab"].map(str::to_owned);
    let special = ["<unk>", "<s>", "</s>"].map(str::to_owned);
    let all: Vec<String> = special.into_iter().chain(bytes).chain(words).collect();
    let vocabulary: serde_json::Map<_, _> = all.iter().enumerate().map(|(i, t)| (t.clone(), json!(i))).collect();
    let added = |id: usize, content: &str| {
        json!({ "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true })
    };
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [added(0, "<unk>"), added(1, "<s>"), added(2, "</s>")],
        "normalizer": { "type": "Sequence", "normalizers": [
            { "type": "Prepend", "prepend": "▁" },
            { "type": "Replace", "pattern": { "String": " " }, "content": "▁" },
        ] },
        "pre_tokenizer": null, "post_processor": null,
        "decoder": { "type": "Sequence", "decoders": [
            { "type": "Replace", "pattern": { "String": "▁" }, "content": " " },
            { "type": "ByteFallback" }, { "type": "Fuse" },
            { "type": "Strip", "content": " ", "start": 1, "stop": 0 },
        ] },
        "model": { "type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
            "vocab": vocabulary, "merges": ["▁ a", "▁ b", "▁ ▁", "a b"] },
    });
    Tokenizer::from_bytes(tokenizer.to_string().as_bytes(), all.len()).unwrap()
}

/// The shipped one, LLaMA's, and real ones where they lie beside the checkout.
fn tokenizers() -> Vec<Tokenizer> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let real = ["models/stories260K", "tokenizers/smollm2", "tokenizers/mistral-v03"].map(|f| data.join(f));
    let real = real.iter().filter(|f| f.is_dir()).map(|f| Tokenizer::open(f, 1 << 20).unwrap());
    let mut all = vec![llama(), Tokenizer::open(&shipped(), 1 << 20).unwrap()];
    all.extend(real);
    all
}

fn streamed(tokenizer: &Tokenizer, before: &[u32], tokens: &[u32]) -> String {
    let mut stream = TextStream::after(tokenizer, before);
    let mut text = String::new();
    for &token in tokens {
        text.push_str(&stream.push(token).unwrap().unwrap_or_default());
    }
    text + &stream.finish().unwrap().unwrap_or_default()
}

#[track_caller]
fn check(tokenizer: &Tokenizer, text: &str) {
    let tokens = tokenizer.encode(text).unwrap();
    let whole = tokenizer.decode(&tokens).unwrap();
    assert_eq!(streamed(tokenizer, &[], &tokens), whole, "{text:?}");
    // Going on after any beginning that ends between two characters.
    for cut in 0..tokens.len().min(12) {
        let beginning = tokenizer.decode(&tokens[..cut]).unwrap();
        // A text may itself have the character that stands for half of one; then it does not tell.
        let is_whole = !beginning.is_empty() && !beginning.ends_with('\u{fffd}');
        if let Some(rest) = whole.strip_prefix(&beginning).filter(|_| is_whole) {
            assert_eq!(streamed(tokenizer, &tokens[..cut], &tokens[cut..]), rest, "{text:?} after {cut}");
        }
    }
}

#[test]
fn characters_of_several_tokens_come_whole() {
    for tokenizer in tokenizers() {
        for text in ["a b", "  two  spaces ", "é€😀", "ab 日本語 ab", "line\n\nline\t", "🏳️‍🌈 a", "", " "]
        {
            check(&tokenizer, text);
        }
    }
}

#[test]
fn half_a_character_waits_for_the_other_half() {
    let tokenizer = llama();
    let euro: Vec<u32> = "€".bytes().map(|b| 3 + u32::from(b)).collect();
    let mut stream = TextStream::after(&tokenizer, &tokenizer.encode("a").unwrap());
    assert_eq!(stream.push(euro[0]).unwrap(), None);
    assert_eq!(stream.push(euro[1]).unwrap(), None);
    assert_eq!(stream.push(euro[2]).unwrap().as_deref(), Some("€"));
    assert_eq!(stream.push(euro[0]).unwrap(), None);
    assert_eq!(stream.finish().unwrap().as_deref(), Some("\u{fffd}"));
}

#[test]
fn a_special_token_between_two_words_takes_no_space_away() {
    let tokenizer = llama();
    let word = tokenizer.encode("a").unwrap();
    let tokens = [&word[..], &[2], &word, &[2, 1], &word].concat();
    assert_eq!(streamed(&tokenizer, &[], &tokens), "a a a");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_comes_as_it_is(text in "\\PC{0,40}") {
        check(&llama(), &text);
    }

    #[test]
    fn any_tokens_come_without_loss_of_words(tokens in prop::collection::vec(0u32..267, 0..40)) {
        // Bytes in any order are mostly no characters; the words between them must come all the same.
        let tokenizer = llama();
        let words = |text: &str| text.chars().filter(|c| "ab".contains(*c)).collect::<String>();
        let plain: Vec<u32> = tokens.iter().copied().filter(|&t| !(3 + 97..3 + 99).contains(&t)).collect();
        let whole = tokenizer.decode(&plain).unwrap();
        prop_assert_eq!(words(&streamed(&tokenizer, &[], &plain)), words(&whole));
    }
}
