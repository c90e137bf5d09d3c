//! `slimgpt eval` and the protocols of `slimgpt ppl`, as a user meets them.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::shipped;

/// Exit code, standard output, standard error.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slimgpt"));
    command.args(arguments).stdin(Stdio::null()).env("XDG_RUNTIME_DIR", std::env::temp_dir());
    let output = command.output().expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("an exit code"), text(&output.stdout), text(&output.stderr))
}

#[track_caller]
fn json_of(arguments: &[&str]) -> Value {
    let (code, out, err) = run(&[arguments, &["--device", "cpu", "--json"]].concat());
    assert_eq!(code, 0, "{err}");
    serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}"))
}

#[track_caller]
fn refused(arguments: &[&str], code: i32, words: &[&str]) {
    let (got, _, err) = run(&[arguments, &["--device", "cpu"]].concat());
    assert_eq!(got, code, "{err}");
    for word in words {
        assert!(err.contains(word), "\"{word}\" is not in: {err}");
    }
}

/// A copy of the shipped model that may be written to.
fn model(folder: &Path) -> String {
    let to = folder.join("model");
    std::fs::create_dir(&to).unwrap();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        std::fs::copy(shipped().join(file), to.join(file)).unwrap();
    }
    to.to_str().unwrap().to_owned()
}

fn write(folder: &Path, name: &str, rows: &[Value]) -> String {
    let file = folder.join(name);
    std::fs::write(&file, rows.iter().map(|row| format!("{row}\n")).collect::<String>()).unwrap();
    file.to_str().unwrap().to_owned()
}

fn piqa_rows() -> [Value; 3] {
    [
        json!({ "goal": "Fly a kite.", "sol1": "Run.", "sol2": "Sit.", "label": 0 }),
        json!({ "goal": "", "sol1": "Run.", "sol2": "Sit.", "label": 0 }),
        json!({ "goal": "Play.", "sol1": "Take the ball.", "sol2": "Sleep.", "label": 2 }),
    ]
}

#[test]
fn bad_rows_stop_the_run_unless_they_are_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let (model, dir) = (model(folder.path()), folder.path().to_str().unwrap());
    write(folder.path(), "piqa_val.jsonl", &piqa_rows());
    let fixed = ["eval", &model, "--tasks", "piqa", "--task-dir", dir];
    refused(
        &fixed,
        1,
        &["2 rows", "piqa_val.jsonl:2: \"goal\" is empty", "piqa_val.jsonl:3: \"label\" is 2", "--skip-bad-rows"],
    );
    let found = json_of(&[&fixed[..], &["--skip-bad-rows"]].concat());
    assert_eq!(found["tasks"][0]["metrics"]["acc"]["n"], 1);
    assert_eq!(found["tasks"][0]["skipped"], 2);
    assert_eq!(found["skipped_rows"][1]["line"], 3);
    let one = json_of(&[&fixed[..], &["--limit", "1"]].concat());
    assert_eq!(one["skipped_rows"], json!([]));
}

#[test]
fn items_and_figures_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (model, dir) = (model(folder.path()), folder.path().to_str().unwrap());
    write(folder.path(), "piqa.jsonl", &piqa_rows()[..1]);
    let items = folder.path().join("items.jsonl");
    let items = items.to_str().unwrap();
    let fixed = ["eval", &model, "--tasks", "piqa", "--task-dir", dir, "--save", "--items", items];
    let found = json_of(&fixed);
    json_of(&fixed);
    let record: Value =
        serde_json::from_slice(&std::fs::read(Path::new(&model).join("slimgpt-eval.json")).unwrap()).unwrap();
    let entries = record["entries"].as_array().unwrap();
    assert_eq!(
        entries.iter().map(|e| e["metric"].as_str().unwrap()).collect::<Vec<_>>(),
        ["acc", "acc_norm", "acc_bytes"]
    );
    assert_eq!(entries[0]["what"], "piqa, piqa.jsonl, zero-shot, no begin-of-sequence token");
    assert_eq!(entries[0]["value"], found["tasks"][0]["metrics"]["acc"]["value"]);
    let lines = std::fs::read_to_string(items).unwrap();
    let line: Value = serde_json::from_str(lines.trim_end()).unwrap();
    assert_eq!((&line["task"], &line["line"], &line["gold"]), (&json!("piqa"), &json!(1), &json!(0)));
    assert_eq!(line["choices"].as_array().unwrap().len(), 2);
    assert!(line["choices"][0]["log_likelihood"].as_f64().unwrap() < 0.0);
}

#[test]
fn a_missing_file_says_what_to_fetch() {
    let folder = tempfile::tempdir().unwrap();
    let (model, dir) = (model(folder.path()), folder.path().to_str().unwrap());
    let eval = |tasks: &'static str| ["eval", &model, "--tasks", tasks, "--task-dir", dir].map(str::to_owned);
    let check = |tasks: &'static str, code: i32, words: &[&str]| {
        let arguments = eval(tasks);
        refused(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), code, words);
    };
    check("zero-shot", 1, &["boolq.jsonl", "fetch", "super_glue/boolq"]);
    check("mmlu", 1, &["mmlu_dev", "mmlu"]);
    check("hotpotqa", 1, &["hotpotqa.jsonl", "LongBench"]);
    check("all", 1, &["no file of all"]);
    check("zeroshot", 2, &["zeroshot", "zero-shot"]);
}

#[test]
fn longbench_is_run_by_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let (model, dir) = (model(folder.path()), folder.path().to_str().unwrap());
    std::fs::create_dir(folder.path().join("longbench")).unwrap();
    let row = json!({ "input": "Who has the ball?", "context": "Tom has the ball.", "answers": ["Tom"], "length": 4,
        "dataset": "hotpotqa", "all_classes": null });
    write(&folder.path().join("longbench"), "hotpotqa.jsonl", &[row]);
    let found = json_of(&["eval", &model, "--tasks", "longbench", "--task-dir", dir]);
    assert_eq!(found["tasks"][0]["task"], "hotpotqa");
    assert!(found["tasks"][0]["metrics"]["f1"]["value"].as_f64().unwrap() >= 0.0);
}

#[test]
fn a_well_known_text_that_is_no_file_says_which_file_to_fetch() {
    let model = shipped();
    let model = model.to_str().unwrap();
    for (name, file) in [("wikitext2", "wiki.test.raw"), ("ptb", "ptb.test.txt"), ("c4", "c4-validation.00000")] {
        refused(&["ppl", model, "--text", name], 2, &[file, "--join", "dataset:org/name/file"]);
    }
}

#[test]
fn every_protocol_names_itself_and_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    let text = folder.path().join("wiki.test.raw");
    let page = |title: &str| format!(" \n = {title} = \n \n Tom has a ball @-@ and Ann , too . \n");
    std::fs::write(&text, page("One") + &page("Two")).unwrap();
    let text = text.to_str().unwrap();
    let ppl = |arguments: &[&str]| json_of(&[&["ppl", &model, "--text", text, "--save"], arguments].concat());
    let window = ppl(&["--seq-len", "16", "--join", "wikitext2"]);
    assert_eq!((&window["protocol"], &window["join"]), (&json!("window"), &json!("wikitext2")));
    let rolling = ppl(&["--protocol", "rolling"]);
    let what = rolling["what"].as_str().unwrap();
    assert!(what.contains("2 WikiText pages, detokenised, rolling windows of 512 tokens after token 1"), "{what}");
    let words = 2 * " \n = One = \n \n Tom has a ball @-@ and Ann , too . ".split_whitespace().count() + 4;
    assert_eq!(rolling["words"], words);
    let (nll, bytes) = (rolling["nll"].as_f64().unwrap(), rolling["bytes"].as_f64().unwrap());
    assert!((rolling["bits_per_byte"].as_f64().unwrap() - nll / bytes / 2f64.ln()).abs() < 1e-12);
    assert!((rolling["word_perplexity"].as_f64().unwrap().ln() - nll / words as f64).abs() < 1e-9);
    let strided = ppl(&["--protocol", "strided", "--seq-len", "16", "--stride", "8", "--bos", "first"]);
    assert!(strided["what"].as_str().unwrap().contains("stride 8"), "{strided}");
    let with_bos = ppl(&["--protocol", "rolling", "--bos", "first"]);
    let tokens = |of: &Value| of["tokens"].as_u64().unwrap();
    assert_eq!(tokens(&with_bos), tokens(&rolling) + 2);
    let record = std::fs::read(Path::new(&model).join("slimgpt-eval.json")).unwrap();
    let entries = serde_json::from_slice::<Value>(&record).unwrap()["entries"].as_array().unwrap().len();
    assert_eq!(entries, 1 + 4 + 1 + 4);
}

#[test]
fn overlapping_windows_leave_no_token_out_unless_they_are_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("few.txt");
    std::fs::write(&text, "Once upon a time there was a dog. ".repeat(60)).unwrap();
    let (model, text) = (model(folder.path()), text.to_str().unwrap());
    let ppl = |protocol| json_of(&["ppl", &model, "--text", text, "--seq-len", "64", "--protocol", protocol]);
    let (window, strided) = (ppl("window"), ppl("strided"));
    assert!(strided["what"].as_str().unwrap().contains("stride 32"), "{strided}");
    let tokens = |of: &Value| of["tokens"].as_u64().unwrap();
    assert!(tokens(&strided) >= tokens(&window), "{strided} {window}");
}

#[test]
fn what_a_protocol_does_not_have_is_wrong_usage() {
    let model = shipped();
    let text = model.join("eval.txt");
    let fixed = ["ppl", model.to_str().unwrap(), "--text", text.to_str().unwrap(), "--protocol"];
    for (wrong, word) in [
        (&["rolling", "--windows", "3"][..], "--windows"),
        (&["rolling", "--join", "ptb"], "--join"),
        (&["strided", "--bos", "each"], "--bos each"),
        (&["strided", "--seq-len", "32", "--stride", "33"], "--stride 32"),
    ] {
        refused(&[&fixed[..], wrong].concat(), 2, &[word]);
    }
}
