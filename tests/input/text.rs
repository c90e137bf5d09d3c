//! Texts and tokenizers that cannot be used.

use std::io::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use slimgpt::text::{Files, TextError, Tokenizer, read_documents};

use crate::support::{assert_says, shipped};

/// Reads a file of this name and content.
fn read(name: &str, content: &[u8], key: &str) -> Result<Vec<String>, TextError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    read_documents(&path, key)
}

#[test]
fn a_text_that_is_not_utf_8_is_named() {
    assert_says(read("latin.txt", b"caf\xe9", "text"), &["latin.txt", "UTF-8"]);
    assert_says(read("latin.jsonl", b"{\"text\": \"caf\xe9\"}", "text"), &["latin.jsonl", "UTF-8"]);
}

#[test]
fn a_text_of_another_kind_is_answered_with_those_there_are() {
    assert_says(read("table.xlsx", b"a,b", "text"), &["table.xlsx", ".txt", ".jsonl", ".parquet", ".csv"]);
    assert_says(read_documents(Path::new("no/such.txt"), "text"), &["no/such.txt"]);
}

#[test]
fn a_line_without_its_text_is_counted_from_one() {
    let lines = b"{\"text\": \"one\"}\n\n{\"story\": \"two\"}\n";
    assert_says(read("a.jsonl", lines, "text"), &["a.jsonl", "line 3", "\"text\""]);
    assert_says(read("a.jsonl", lines, "story"), &["line 1", "\"story\""]);
    assert_says(read("a.jsonl", b"{\"text\": 3}", "text"), &["line 1"]);
    assert_says(read("a.jsonl", b"{\"text\": \"one\"}\n{", "text"), &["a.jsonl", "line 2"]);
}

#[test]
fn rows_that_are_no_alpaca_rows_are_counted_from_one() {
    let rows = b"[{\"instruction\": \"a\", \"output\": \"b\"}, {\"instruction\": \"a\"}]";
    assert_says(read("a.json", rows, "text"), &["a.json", "row 2", "instruction"]);
    assert_says(read("a.json", b"[{]", "text"), &["a.json", "list"]);
    assert_says(read("a.json", b"{}", "text"), &["a.json", "line 1", "\"text\""]);
}

fn gzipped(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_shard_of_c4_is_read_as_it_is_downloaded() {
    let lines = b"{\"text\": \"one\", \"url\": \"a\"}\n{\"text\": \"two\"}\n";
    assert_eq!(read("c4-train.00000-of-01024.json.gz", &gzipped(lines), "text").unwrap(), ["one", "two"]);
    assert_eq!(read("a.txt.gz", &gzipped(b"whole"), "text").unwrap(), ["whole"]);
    let cut = &gzipped(&[b'x'; 5000])[..20];
    assert_says(read("a.txt.gz", cut, "text"), &["a.txt.gz", "gzipped"]);
    assert_says(read("a.odt.gz", &gzipped(b"a"), "text"), &["a.odt.gz", ".jsonl"]);
}

/// A file of Zstandard with these frames.
fn zstd(frames: &[&[u8]]) -> Vec<u8> {
    let packed =
        |content: &&[u8]| ruzstd::encoding::compress_to_vec(*content, ruzstd::encoding::CompressionLevel::Fastest);
    // A frame that holds something else stands before them.
    let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"any"].concat();
    std::iter::once(skipped).chain(frames.iter().map(packed)).flatten().collect()
}

#[test]
fn a_text_packed_with_zstd_is_read_to_its_last_frame() {
    let lines = "{\"text\": \"one\"}\n".repeat(30_000);
    let packed = zstd(&[lines.as_bytes(), b"{\"text\": \"last\"}\n"]);
    let found = read("rows.jsonl.zst", &packed, "text").unwrap();
    assert_eq!((found.len(), found.last().map(String::as_str)), (30_001, Some("last")));
    assert_eq!(read("a.txt.zst", &zstd(&[b"wh", b"ole"]), "text").unwrap(), ["whole"]);
    assert_says(read("a.txt.zst", &packed[..packed.len() - 3], "text"), &["a.txt.zst"]);
    assert_says(read("a.txt.zst", b"plain text", "text"), &["a.txt.zst"]);
    let mut damaged = zstd(&[b"whole"]);
    *damaged.last_mut().unwrap() ^= 1;
    assert_says(read("a.txt.zst", &damaged, "text"), &["a.txt.zst", "damaged"]);
}

#[test]
fn a_tokenizer_is_the_models_own() {
    assert_says(Tokenizer::from_bytes(b"{}", 8).map(drop), &["tokenizer.json"]);
    let json = std::fs::read(shipped().join("tokenizer.json")).unwrap();
    let foreign = Tokenizer::from_bytes(&json, 10).unwrap();
    assert_says(foreign.encode("Once upon a time"), &["10 embeddings", "another model"]);
    let nowhere = tempfile::tempdir().unwrap();
    assert_says(Tokenizer::open(nowhere.path(), 8).map(drop), &["tokenizer.json", "tokenizer.model"]);
}

#[test]
fn a_damaged_tokenizer_is_an_error_and_no_panic() {
    let whole: Value = serde_json::from_slice(&std::fs::read(shipped().join("tokenizer.json")).unwrap()).unwrap();
    let replacing = |with: &str| json!({ "type": "Replace", "pattern": { "String": "a" }, "content": with });
    let damage = [
        ("normalizer", json!({ "type": "Precompiled", "precompiled_charsmap": "" })),
        ("normalizer", json!({ "type": "Precompiled", "precompiled_charsmap": "AAAAAA==" })),
        ("normalizer", json!({ "type": "Sequence", "normalizers": vec![replacing("aa"); 40] })),
        ("decoder", json!({ "type": "Sequence", "decoders": vec![replacing("aa"); 40] })),
        (
            "model",
            json!({
                "type": "BPE", "vocab": { "a": 0, "##a": 1, "aa": 2 }, "merges": ["a ##a"],
                "continuing_subword_prefix": "##########"
            }),
        ),
        (
            "post_processor",
            json!({
                "type": "TemplateProcessing", "single": [{ "Sequence": { "id": "B", "type_id": 0 } }], "pair": [],
                "special_tokens": {}
            }),
        ),
    ];
    for (part, wrong) in damage {
        let mut json = whole.clone();
        json[part] = wrong.clone();
        let used = Tokenizer::from_bytes(json.to_string().as_bytes(), 4096).and_then(|tokenizer| {
            tokenizer.encode_with_specials("Once upon a time")?;
            tokenizer.decode(&[300, 301])
        });
        assert_says(used, &["tokenizer.json: "]);
    }
}

#[test]
fn a_mark_before_a_text_is_no_part_of_it() {
    let marked = |text: &str| format!("\u{feff}{text}").into_bytes();
    assert_eq!(read("a.txt", &marked("whole"), "text").unwrap(), ["whole"]);
    assert_eq!(read("a.txt.gz", &gzipped(&marked("whole")), "text").unwrap(), ["whole"]);
    assert_eq!(read("a.jsonl", &marked("{\"text\": \"one\"}\n"), "text").unwrap(), ["one"]);
    assert_eq!(read("a.json", &marked("{\"text\": \"one\"}\n"), "text").unwrap(), ["one"]);
    assert_eq!(read("a.json", &marked(" [{\"text\": \"one\"}]"), "text").unwrap(), ["one"]);
    // Only the first is one: later it is a character like any other.
    assert_eq!(read("a.txt", &marked("\u{feff}b"), "text").unwrap(), ["\u{feff}b"]);
    let tokenizer = std::fs::read_to_string(shipped().join("tokenizer.json")).unwrap();
    let tokenizer = Tokenizer::from_bytes(&marked(&tokenizer), 4096).unwrap();
    assert!(!tokenizer.encode("Once upon a time").unwrap().is_empty());
}

#[test]
fn rows_that_python_wrote_are_used_where_something_is_there() {
    let good = |text: &str| format!("{}\n", json!({ "text": text }));
    let odd = "{\"text\": \"half \\ud83d\", \"score\": NaN}\n";
    let lines = [good("one"), odd.into(), "{\"text\": null}\n".into(), good(""), good("two")].concat();
    assert_eq!(read("a.jsonl", lines.as_bytes(), "text").unwrap(), ["one", "half \u{fffd}", "", "two"]);
    let list = "[{\"text\": \"one\", \"n\": -Infinity}, {\"text\": null}, {\"instruction\": \"a\", \"output\": null}]";
    assert_eq!(read("a.json", list.as_bytes(), "text").unwrap(), ["one"]);
    // A key under which nothing ever stands is not the one that was meant.
    assert_says(read("a.jsonl", b"{\"text\": null}\n{\"text\": null}\n", "text"), &["every row", "\"text\""]);
    assert_says(read("a.jsonl", b"{\"text\": null}\n{\"story\": 1}\n", "text"), &["line 2", "\"text\""]);
}

#[test]
fn what_was_not_taken_as_it_stands_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.jsonl");
    std::fs::write(&path, "{\"text\": \"a\"}\n{\"text\": null}\n{\"text\": null}\n{\"text\": \"b\", \"x\": NaN}\n")
        .unwrap();
    let paths = [path];
    let read = Files { paths: &paths, key: "text", documents: None }.read().unwrap();
    assert_eq!((read.texts, read.notes.len()), (vec!["a".into(), "b".into()], 2));
    assert!(read.notes[0].contains("rows.jsonl: 2 rows") && read.notes[0].contains("line 2"), "{:?}", read.notes);
    assert!(read.notes[1].contains("1 row") && read.notes[1].contains("line 4"), "{:?}", read.notes);
    // Of the first document nothing is to be said.
    let first = Files { paths: &paths, key: "text", documents: Some(1) }.read().unwrap();
    assert_eq!((first.texts, first.notes.len()), (vec!["a".into()], 0));
}

#[test]
fn tokens_beside_tokenizer_json_are_tokens() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(shipped().join("tokenizer.json"), folder.path().join("tokenizer.json")).unwrap();
    let pieces = |vocabulary| {
        let tokenizer = Tokenizer::open(folder.path(), vocabulary).unwrap();
        tokenizer.encode("Hi<|user|>").map(|tokens| tokens.last().copied())
    };
    assert!(pieces(520).unwrap() < Some(512));
    std::fs::write(folder.path().join("added_tokens.json"), r#"{ "<|user|>": 513, "<pad>": 512 }"#).unwrap();
    assert_eq!(pieces(520).unwrap(), Some(513));
    // One without an embedding harms no text that does not have it.
    assert!(Tokenizer::open(folder.path(), 513).unwrap().encode("Hi").is_ok());
    assert!(matches!(pieces(513), Err(TextError::BeyondVocabulary { id: 513, vocab: 513 })));
}
