//! Rows and texts as examples.

use serde_json::{Value, json};

use super::*;
use crate::support::assert_says;

fn written(folder: &Path, name: &str, rows: &[Value]) -> PathBuf {
    let path = folder.join(name);
    let lines: Vec<String> = rows.iter().map(ToString::to_string).collect();
    std::fs::write(&path, lines.join("\n")).unwrap();
    path
}

fn row(i: usize) -> Value {
    json!({ "instruction": format!("Say {i}."), "input": "", "output": format!("It is {i}.") })
}

#[test]
fn a_response_counts_and_its_prompt_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let subject = Subject::open(&shipped());
    let file = written(folder.path(), "rows.jsonl", &(0..20).map(row).collect::<Vec<_>>());
    let settings = Settings { window: 256, ..Settings::default() };
    let data = subject.data(&[file], None, &settings).unwrap();
    assert_eq!((data.learnt.len(), data.held_out.len()), (18, 2));
    for example in &data.learnt {
        let counted: Vec<u32> =
            example.tokens[1..].iter().zip(&example.counts).filter(|(_, counts)| **counts).map(|(t, _)| *t).collect();
        // The end token is learnt too, and decoding leaves it out.
        assert_eq!(counted.last(), Some(&2));
        let said = subject.tokenizer.decode(&counted).unwrap();
        assert!(said.starts_with("It is ") && said.ends_with('.'), "{said}");
        assert_eq!(example.tokens[0], 1, "a text begins with the begin token");
    }
    let all = Settings { counted: slimgpt::recover::Counted::All, ..settings };
    let all = subject.data(&[folder.path().join("rows.jsonl")], Some(Format::Alpaca), &all).unwrap();
    assert!(all.learnt.iter().all(|example| example.counts.iter().all(|&counts| counts)));
}

#[test]
fn tables_are_the_same_examples_as_lines() {
    let folder = tempfile::tempdir().unwrap();
    let subject = Subject::open(&shipped());
    // The prompt alone is a hundred tokens.
    let settings = Settings { window: 256, hold_out: Some(1), ..Settings::default() };
    let sha256 = |file: &Path| subject.data(&[file.to_owned()], None, &settings).unwrap().sha256();
    let rows: Vec<Value> = (0..20).map(row).collect();
    let lines = written(folder.path(), "rows.jsonl", &rows);
    let fields =
        |row: &Value| format!("\"{}\",,{},3\n", row["instruction"].as_str().unwrap(), row["output"].as_str().unwrap());
    let csv = folder.path().join("rows.csv");
    std::fs::write(&csv, format!("instruction,input,output,n\n{}", rows.iter().map(fields).collect::<String>()))
        .unwrap();
    assert_eq!(sha256(&csv), sha256(&lines));
    let texts: Vec<String> = (0..80).map(|i| format!("Mia went home {i} times.")).collect();
    let lines = texts.iter().map(|text| json!({ "text": text })).collect::<Vec<_>>();
    let lines = written(folder.path(), "texts.jsonl", &lines);
    let parquet = folder.path().join("texts.parquet");
    let groups: Vec<_> = texts.chunks(7).map(|some| some.iter().map(|text| Some(text.as_str())).collect()).collect();
    std::fs::write(&parquet, crate::support::parquet::table(&groups, 1)).unwrap();
    assert_eq!(sha256(&parquet), sha256(&lines));
    std::fs::write(&csv, "id,body\n1,one\n").unwrap();
    assert_says(subject.data(&[csv], None, &settings), &["rows.csv", "\"id\", \"body\""]);
}

#[test]
fn rows_that_are_too_long_are_cut_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let subject = Subject::open(&shipped());
    let long = json!({ "instruction": "Go on.", "output": "on and on ".repeat(200) });
    let without = json!({ "instruction": "word ".repeat(400), "output": "x" });
    let file = written(folder.path(), "rows.jsonl", &[long.clone(), long, without]);
    let settings = Settings { window: 128, hold_out: Some(0), ..Settings::default() };
    let data = subject.data(&[file], None, &settings).unwrap();
    assert_eq!(data.learnt.len(), 2);
    assert!(data.learnt.iter().all(|example| example.tokens.len() == 128 && !example.tokens.contains(&2)));
    assert!(data.notes.iter().any(|note| note.contains("3 rows are longer than 128")), "{:?}", data.notes);
    assert!(data.notes.iter().any(|note| note.contains("1 rows have nothing to learn")), "{:?}", data.notes);
}

#[test]
fn documents_are_packed_and_do_not_see_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let subject = Subject::open(&shipped());
    let texts = ["Mia went home.", "Tom had a red ball. He was happy.", "They ran to the park and played."];
    let none = json!({ "text": null });
    let rows: Vec<Value> = texts.iter().map(|text| json!({ "text": text })).chain([none]).collect();
    let file = written(folder.path(), "texts.jsonl", &rows);
    let settings = Settings { window: 32, hold_out: Some(0), ..Settings::default() };
    let data = subject.data(&[file], None, &settings).unwrap();
    assert!(data.notes.iter().any(|note| note.contains("1 rows with null")), "{:?}", data.notes);
    let named = subject.data(&[folder.path().join("texts.jsonl")], Some(Format::Text), &settings).unwrap();
    assert_eq!(named.sha256(), data.sha256());
    let all: Vec<u32> = data.learnt.iter().flat_map(|example| example.tokens.clone()).collect();
    assert_eq!(all.iter().filter(|&&token| token == 2).count(), 3, "every document ends");
    for example in &data.learnt {
        assert!(example.tokens.len() <= 32 && example.tokens[0] == 1);
        for i in 1..example.tokens.len() {
            // Each begins with the begin token, which nothing predicts.
            assert_eq!(example.counts[i - 1], example.tokens[i] != 1);
        }
        let documents = &example.documents;
        assert!(documents.is_empty() || documents.len() == example.tokens.len());
    }
    // Nothing is lost and nothing is there twice: windows come in the order of the seed.
    let sorted = |mut tokens: Vec<u32>| {
        tokens.retain(|&token| token > 2);
        tokens.sort_unstable();
        tokens
    };
    let whole = texts.iter().flat_map(|text| subject.tokenizer.encode(text).unwrap()).collect();
    assert_eq!(sorted(all), sorted(whole));
}

#[test]
fn conversations_count_what_the_assistant_says() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    std::fs::create_dir(&model).unwrap();
    for entry in std::fs::read_dir(shipped()).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), model.join(entry.file_name())).unwrap();
    }
    let template = "{% for m in messages %}[{{ m.role }}]{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";
    std::fs::write(model.join("chat_template.jinja"), template).unwrap();
    let subject = Subject::open(&model);
    let messages = json!([
        { "role": "user", "content": "Who?" }, { "role": "assistant", "content": "Mia." },
        { "role": "user", "content": "And?" }, { "role": "assistant", "content": "Tom." },
    ]);
    let chat = written(folder.path(), "chat.jsonl", &[json!({ "messages": messages })]);
    let settings = Settings { window: 128, hold_out: Some(0), ..Settings::default() };
    let data = subject.data(std::slice::from_ref(&chat), None, &settings).unwrap();
    let example = &data.learnt[0];
    let counted: Vec<u32> =
        example.tokens[1..].iter().zip(&example.counts).filter(|(_, counts)| **counts).map(|(t, _)| *t).collect();
    let said = subject.tokenizer.decode(&counted).unwrap();
    assert!(said.contains("Mia.") && said.contains("Tom.") && !said.contains("Who"), "{said}");
    // The shipped model has no template of its own.
    assert_says(
        Subject::open(&shipped()).data(&[chat], None, &settings),
        &["chat.jsonl", "line 1", "no chat template"],
    );
    let odd = json!({ "messages": [{ "role": "poet", "content": "x" }] });
    assert_says(
        subject.data(&[written(folder.path(), "odd.jsonl", &[odd])], None, &settings),
        &["odd.jsonl", "line 1", "poet", "assistant"],
    );
}

#[test]
fn what_cannot_be_learnt_from_is_told_with_file_and_row() {
    let folder = tempfile::tempdir().unwrap();
    let subject = Subject::open(&shipped());
    let settings = Settings { window: 64, hold_out: Some(0), ..Settings::default() };
    let refused = |name: &str, rows: &[Value], words: &[&str]| {
        assert_says(subject.data(&[written(folder.path(), name, rows)], None, &settings), words);
    };
    refused("a.jsonl", &[row(1), json!({ "instruction": "x" })], &["a.jsonl", "line 2", "output"]);
    refused("b.jsonl", &[json!({ "instruction": "x", "output": "" })], &["b.jsonl", "line 1", "response is empty"]);
    refused("c.jsonl", &[json!({ "other": 1 })], &["c.jsonl", "line 1", "\"text\""]);
    let settings = Settings { hold_out: Some(5), window: 256, ..settings };
    let few = subject.data(&[written(folder.path(), "d.jsonl", &[row(1), row(2)])], None, &settings);
    assert_says(few, &["2 usable", "5 would be held out"]);
    assert_says(subject.data(&[folder.path().join("none.jsonl")], None, &settings), &["none.jsonl"]);
}
