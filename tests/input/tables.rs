//! Tables: Parquet as pyarrow writes it and as nobody should, separated values, and what is told of what cannot be read.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use slimgpt::text::{Bos, Documents, Files, Sampling, TextError, Tokenizer, Windows, read_documents};

use crate::support::parquet::{Told, lying, table};
use crate::support::{assert_says, shipped};

/// As in `tables/make.py`, which made the files.
const TEXTS: [Option<&str>; 8] = [
    Some("The cat sat."),
    None,
    Some("Grüße, 😀"),
    Some(""),
    Some("two\nlines, \"quoted\""),
    Some("The cat sat on it."),
    None,
    Some("The cat ran."),
];
/// Those files that hold all of them twice, in row groups of six.
const OF_PYARROW: [&str; 6] = ["plain", "snappy", "gzip", "lengths", "prefixes", "pages"];

fn of_pyarrow(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/input/tables/{name}.parquet"))
}

/// The texts of a file of this name and content.
fn read(name: &str, content: &[u8], key: &str) -> Result<Documents, TextError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    Files { paths: &[path], key, documents: None }.read()
}

/// Every row of a file, with its place.
fn rows(path: PathBuf, columns: Option<&[&str]>) -> Vec<(String, Value)> {
    let mut rows = Vec::new();
    let files = Files { paths: &[path], key: "text", documents: None };
    let each = &mut |row: &Value, place: &str| {
        rows.push((place.to_owned(), row.clone()));
        Ok(())
    };
    files.rows(columns, each).unwrap();
    rows
}

#[test]
fn what_pyarrow_wrote_is_read_however_it_is_written() {
    let want: Vec<&str> = [TEXTS, TEXTS].concat().into_iter().flatten().collect();
    for name in OF_PYARROW {
        let path = of_pyarrow(name);
        let read = Files { paths: std::slice::from_ref(&path), key: "text", documents: None }.read().unwrap();
        assert_eq!(read.texts, want, "{name}");
        assert!(read.notes[0].contains("4 rows") && read.notes[0].contains("row 2 of row group 1"), "{:?}", read.notes);
        let few = Files { paths: &[path], key: "text", documents: Some(5) }.read().unwrap();
        assert_eq!(
            (&few.texts[..], few.notes.len()),
            (&want.iter().map(|&t| t.to_owned()).collect::<Vec<_>>()[..5], 1)
        );
    }
    assert_eq!(read_documents(&of_pyarrow("empty"), "text").unwrap(), [] as [&str; 0]);
}

#[test]
fn rows_have_all_their_columns_or_those_that_are_wanted() {
    for name in OF_PYARROW {
        let found = rows(of_pyarrow(name), None);
        assert_eq!(found.len(), 16);
        for (i, (place, row)) in found.iter().enumerate() {
            assert_eq!(*row, json!({ "id": i, "text": TEXTS[i % 8], "score": i as f64 / 4.0 }), "{name}");
            let group = if name == "pages" { 16 } else { 6 };
            assert_eq!(*place, format!("row {} of row group {}", i % group + 1, i / group + 1));
        }
        let some = rows(of_pyarrow(name), Some(&["score", "none"]));
        assert_eq!(some[9].1, json!({ "score": 2.25 }));
    }
    let second = json!({
        "ind": 25, "activity_label": "Eating", "ctx_a": "A cat eats.", "ctx_b": "",
        "endings": ["Well.", "Fast.", "Not.", "Slowly."], "label": "3", "is_good": false,
    });
    assert_eq!(rows(of_pyarrow("hellaswag"), None)[1].1, second);
}

/// The messages of `tables/make.py`.
fn said() -> [Value; 2] {
    [json!({ "role": "user", "content": "Who sat?" }), json!({ "role": "assistant", "content": "The cat." })]
}

#[test]
fn lists_and_structures_are_what_they_were() {
    let said = said();
    let twice = [said.clone(), said.clone()].concat();
    let messages = [json!(said), Value::Null, json!([]), json!(said[..1]), json!(twice)];
    let deep = [json!([["a"], []]), Value::Null, json!([]), json!([[null, "b"]]), json!([["c", "d"], ["e"]])];
    let found = rows(of_pyarrow("chat"), None);
    for (i, (_, row)) in found.iter().enumerate() {
        let meta = json!({ "note": format!("Note {i}."), "size": i });
        assert_eq!(*row, json!({ "messages": messages[i], "meta": meta, "deep": deep[i] }));
    }
    assert_eq!(found.len(), 5);
}

#[test]
fn a_key_is_a_path_and_messages_are_a_text_by_the_models_template() {
    let chat = of_pyarrow("chat");
    let notes = read_documents(&chat, "meta.note").unwrap();
    assert_eq!((notes.len(), &*notes[4]), (5, "Note 4."));
    assert_says(read_documents(&chat, "meta"), &["a structure", "KEY.PART"]);
    assert_says(read_documents(&chat, "meta.size"), &["row 1 of row group 1", "a number"]);
    assert_says(read_documents(&chat, "deep"), &["a list"]);
    assert_says(read_documents(&chat, "messages"), &["row 1 of row group 1", "chat template"]);
    let model = tempfile::tempdir().unwrap();
    std::fs::copy(shipped().join("tokenizer.json"), model.path().join("tokenizer.json")).unwrap();
    let files = Files { paths: &[chat], key: "messages", documents: None };
    assert_says(files.read_for(Some(model.path())), &["no chat template"]);
    let template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}";
    let settings = json!({ "chat_template": template }).to_string();
    std::fs::write(model.path().join("tokenizer_config.json"), settings).unwrap();
    let found = files.read_for(Some(model.path())).unwrap();
    let (one, two) = ("<user>Who sat?", "<user>Who sat?<assistant>The cat.");
    assert_eq!(found.texts, [two.to_owned(), one.to_owned(), [two, two].concat()]);
    assert!(found.notes[0].contains("2 rows"), "{:?}", found.notes);
    let tokenizer = Tokenizer::open(model.path(), 4096).unwrap();
    let all = Windows { count: None, length: 24, sampling: Sampling::Sequential, bos: Bos::None, seed: 0 };
    let cut = files.windows(None, &tokenizer, None, &all, &mut |_, _| {}).unwrap();
    assert!(tokenizer.decode(&cut.windows[0]).unwrap().starts_with("<user>Who"), "{:?}", cut.windows);
    // Rows of lines are read alike.
    let lines =
        format!("{}\n{}\n", json!({ "a": { "chat": said() } }), json!({ "a": { "chat": [{ "from": "gpt" }] } }));
    assert_says(read("a.jsonl", lines.as_bytes(), "a.chat"), &["line 1", "chat template"]);
    assert_says(read("a.jsonl", lines.lines().last().unwrap().as_bytes(), "a.chat"), &["line 1", "\"content\""]);
}

#[test]
fn what_cannot_be_read_of_a_table_is_named() {
    let wrong = |name: &str, key: &str, words: &[&str]| {
        let file = format!("{name}.parquet");
        assert_says(read_documents(&of_pyarrow(name), key), &[&[&*file][..], words].concat());
    };
    wrong("lz4", "text", &["row group 1", "column \"text\"", "LZ4_RAW", "zstd"]);
    wrong("brotli", "text", &["BROTLI", "snappy"]);
    wrong("plain", "txt", &["\"txt\"", "its columns are \"id\", \"text\", \"score\""]);
    wrong("plain", "score", &["row 1 of row group 1", "\"score\", but a number"]);
    wrong("bytes", "text", &["row group 1", "column \"text\"", "UTF-8"]);
    wrong("bytes", "when", &["\"when\" holds INT32", "no text"]);
    wrong("nothing", "text", &["every row"]);
    let plain = std::fs::read(of_pyarrow("plain")).unwrap();
    assert_says(read("a.parquet", b"{\"text\": \"no table\"}\n", "text"), &["a.parquet", "no Parquet file", "PAR1"]);
    assert_says(read("a.parquet", b"version https://git-lfs.github.com/spec/v1\n", "text"), &["git lfs pull"]);
    let with_end = |end: &[u8; 4]| [&plain[..plain.len() - 4], end].concat();
    assert_says(read("a.parquet", &with_end(b"PARE"), "text"), &["encrypted"]);
    assert_says(read("a.parquet", &with_end(b"PAR2"), "text"), &["not whole"]);
    let mut long = plain.clone();
    let at = plain.len() - 8;
    long[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_says(read("a.parquet", &long, "text"), &["4294967295 bytes, more than the file"]);
    // A checksum is held to.
    let mut damaged = std::fs::read(of_pyarrow("snappy")).unwrap();
    let text = damaged.windows(3).position(|three| three == b"cat").unwrap();
    damaged[text] ^= 1;
    assert_says(read("a.parquet", &damaged, "text"), &["checksum", "column \"text\""]);
}

#[test]
fn a_file_that_ends_early_is_never_read() {
    for name in OF_PYARROW.into_iter().chain(["chat", "bytes"]) {
        let whole = std::fs::read(of_pyarrow(name)).unwrap();
        for length in 0..whole.len() {
            let key = if name == "chat" { "meta.note" } else { "text" };
            assert!(read("a.parquet", &whole[..length], key).is_err(), "{name}: {length} bytes");
        }
    }
}

fn some(texts: &[&'static str]) -> Vec<Option<&'static str>> {
    texts.iter().map(|&text| Some(text)).collect()
}

#[test]
fn every_way_of_packing_is_read_from_files_and_from_packed_files() {
    let groups = [some(&["one", "two"]), vec![None, Some("three")], vec![], some(&["four"; 100])];
    for codec in [0, 1, 2, 6] {
        let file = table(&groups, codec);
        let found = read("a.parquet", &file, "text").unwrap();
        assert_eq!((found.texts.len(), &found.texts[..3]), (103, &["one", "two", "three"].map(String::from)[..]));
        assert!(found.notes[0].contains("row 1 of row group 2"), "{:?}", found.notes);
        let packed = ruzstd::encoding::compress_to_vec(&file[..], ruzstd::encoding::CompressionLevel::Fastest);
        assert_eq!(read("a.parquet.zst", &packed, "text").unwrap().texts, found.texts);
    }
}

#[test]
fn a_lie_about_a_size_is_an_error_at_once() {
    type Lie = fn(&mut Told);
    let lies: [(Lie, &str); 18] = [
        (|told| told.unpacked = i64::from(i32::MAX), "a page"),
        (|told| told.unpacked = i64::MAX, "a page has 9223372036854775807 bytes"),
        (|told| told.unpacked = -1, "negative"),
        (|told| told.unpacked = 3, "a page"),
        (|told| told.packed = 1 << 40, "a page"),
        (|told| told.packed -= 1, "damaged"),
        (|told| told.values[0] = 1000, "more values than the 3"),
        (|told| told.values[0] = 0, "in no page"),
        (|told| told.values[1] = 1 << 50, "tells of"),
        (|told| told.values[1] = 2, "more values than the 2"),
        (|told| told.values[2] = 1 << 50, "tells of"),
        (|told| told.values[2] = 4, "fewer values than rows"),
        (|told| told.values[2] = 2, "more values than rows"),
        (|told| told.bytes = i64::MAX, "beyond the end of the file"),
        (|told| told.start = 1 << 40, "beyond the end of the file"),
        (|told| told.codec = 77, "codec 77"),
        (|told| told.encoding = 9, "BYTE_STREAM_SPLIT"),
        (|told| told.levels = 4, "BIT_PACKED"),
    ];
    for codec in [0, 1, 2, 6] {
        for (i, (lie, word)) in lies.iter().enumerate() {
            let file = lying(&[some(&["one", "two", "three"])], codec, lie);
            let started = std::time::Instant::now();
            match read("a.parquet", &file, "text") {
                Err(error) => assert!(error.to_string().contains(word), "lie {i}, codec {codec}: {error}"),
                Ok(_) => panic!("lie {i} is believed with codec {codec}"),
            }
            assert!(started.elapsed().as_secs() < 2, "lie {i}, codec {codec}: {:?}", started.elapsed());
        }
    }
    let checked = lying(&[some(&["one"])], 0, |told| told.checksum = Some(7));
    assert_says(read("a.parquet", &checked, "text"), &["checksum"]);
}

#[test]
fn separated_values_are_read_as_they_are_specified() {
    let texts = |name: &str, content: &str, key: &str| read(name, content.as_bytes(), key).unwrap().texts;
    assert_eq!(texts("a.csv", "id,text\n1,one\n2,two\n", "text"), ["one", "two"]);
    let quoted = "\u{feff}\"text\",id\r\n\"a, \"\"b\"\"\r\nnext line\",1\r\n,2\r\n\"é😀\",3";
    assert_eq!(texts("a.csv", quoted, "text"), ["a, \"b\"\r\nnext line", "", "é😀"]);
    assert_eq!(texts("a.tsv", "a.b\ttext\n1,5\tone\n", "a.b"), ["1,5"]);
    let packed = ruzstd::encoding::compress_to_vec(&b"text\none\n"[..], ruzstd::encoding::CompressionLevel::Fastest);
    assert_eq!(read("a.csv.zst", &packed, "text").unwrap().texts, ["one"]);
    // Longer than any buffer.
    let long = "word ".repeat(100_000);
    assert_eq!(texts("a.csv", &format!("text\n\"{long}\"\nlast\n"), "text"), [&*long, "last"]);
    let wrong =
        |content: &[u8], words: &[&str]| assert_says(read("a.csv", content, "text"), &[&["a.csv"][..], words].concat());
    wrong(b"", &["no header"]);
    wrong(b"id,body\n1,one\n", &["\"text\"", "its columns are \"id\", \"body\""]);
    wrong(b"id,text\n1,one\n2\n", &["row 2", "1 fields", "header 2", "quotation marks"]);
    wrong(b"text\none\ncaf\xe9\n", &["row 2", "column \"text\"", "UTF-8"]);
    wrong(",".repeat(20_000).as_bytes(), &["the header", "16384"]);
    let found = {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "instruction,input,output\nSay.,,Hi.\n").unwrap();
        rows(path, Some(&["instruction", "output"]))
    };
    assert_eq!(found, [("row 1".to_owned(), json!({ "instruction": "Say.", "output": "Hi." }))]);
}

#[test]
fn a_folder_is_one_text_of_all_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("more")).unwrap();
    std::fs::write(at("a.csv"), "text\nfirst\n").unwrap();
    std::fs::write(at("b.parquet"), table(&[some(&["second"])], 1)).unwrap();
    std::fs::write(at("more/c.jsonl"), "{\"text\": \"third\"}\n").unwrap();
    std::fs::write(at("README.md"), "About these texts.").unwrap();
    std::fs::write(at("weights.bin"), "").unwrap();
    let read = Files { paths: &[folder.path().to_owned()], key: "text", documents: None }.read().unwrap();
    assert_eq!(read.texts, ["first", "second", "third"]);
    assert!(read.notes[0].contains("3 files are read, without \"README.md\", \"weights.bin\""), "{:?}", read.notes);
    let pattern = Files { paths: &[at("*.parquet"), at("a.csv")], key: "text", documents: None }.read().unwrap();
    assert_eq!((pattern.texts, pattern.notes), (vec!["second".into(), "first".into()], vec![]));
    // What is wrong with one is told of that one.
    std::fs::write(at("d.csv"), "body\n").unwrap();
    assert_says(read_documents(folder.path(), "text"), &["d.csv", "\"body\""]);
}

#[test]
fn windows_of_a_table_are_those_of_the_same_rows() {
    let lines: Vec<String> =
        (0..200_000).map(|i| format!("the cat number {i} sat and ran after {}", i * 7 % 1000)).collect();
    let groups: Vec<Vec<Option<&str>>> =
        lines.chunks(30_000).map(|some| some.iter().map(|line| Some(line.as_str())).collect()).collect();
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let rows: String = lines.iter().map(|line| format!("{}\n", json!({ "text": line }))).collect();
    let csv: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let rows = put("a.jsonl", rows.as_bytes());
    let tables = [put("a.parquet", &table(&groups, 6)), put("a.csv", format!("text\n{csv}").as_bytes())];
    let tokenizer = Tokenizer::open(&shipped(), 4096).unwrap();
    let windows = |path: &PathBuf, sampling| {
        let which = Windows { count: Some(20), length: 32, sampling, bos: Bos::None, seed: 5 };
        let files = Files { paths: std::slice::from_ref(path), key: "text", documents: None };
        files.windows(None, &tokenizer, None, &which, &mut |_, _| {}).map(|cut| cut.windows).map_err(|e| e.to_string())
    };
    for sampling in [Sampling::Random, Sampling::Sequential] {
        let want = windows(&rows, sampling).unwrap();
        for table in &tables {
            assert_eq!(windows(table, sampling).unwrap(), want, "{}", table.display());
        }
    }
    // Windows from the beginning need no more than that: nobody finds out what is wrong with a later group.
    let mut damaged = table(&groups, 0);
    let later = damaged.len() / 2;
    damaged[later..later + 64].fill(0xff);
    let damaged = put("b.parquet", &damaged);
    assert!(windows(&damaged, Sampling::Sequential).is_ok());
    assert!(windows(&damaged, Sampling::Random).unwrap_err().contains("row group 4"));
}

#[test]
fn a_quotation_mark_that_stays_open_is_told() {
    for open in ["text\na\n\"b\nc\nd\n", "id,text\n1,a\n2,\"b\n3,c", "text\n\"a\"\"\n"] {
        assert_says(read("open.csv", open.as_bytes(), "text"), &["open.csv", "quotation mark", "closed"]);
    }
    // What is closed at the very end, and a mark that belongs to the text.
    assert_eq!(read("closed.csv", b"text\n\"a\nb\"", "text").unwrap().texts, ["a\nb"]);
    assert_eq!(read("inch.csv", b"text\n3\" pipe", "text").unwrap().texts, ["3\" pipe"]);
}
