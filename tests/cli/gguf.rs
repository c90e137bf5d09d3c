//! A GGUF file where a folder may be.

use std::path::Path;

use serde_json::{Value, json};

use crate::{ended, path, program, run, shipped, temporary};

/// The shipped model as a GGUF in `folder`.
fn file(folder: &Path) -> String {
    let out = path(&folder.join("tiny.gguf"));
    run(&["export", "gguf", &shipped(), "--out", &out]).with(0);
    out
}

#[test]
fn a_file_is_looked_at_measured_and_continued_like_its_folder() {
    let folder = temporary();
    let file = file(folder.path());
    let seen = run(&["inspect", &file, "--json"]).with(0).json();
    let types: Vec<&Value> = seen["stored_in"].as_array().unwrap().iter().map(|share| &share["type"]).collect();
    assert_eq!(types, [&json!("f16"), &json!("f32")]);
    let text = path(&Path::new(&shipped()).join("eval.txt"));
    let measured = |model: &str| {
        let arguments = ["ppl", model, "--text", &text, "--windows", "4", "--seq-len", "64", "--device", "cpu"];
        let mut json = run(&[&arguments[..], &["--json"]].concat()).with(0).json();
        for differs in ["seconds", "model"] {
            json[differs] = Value::Null;
        }
        json
    };
    assert_eq!(measured(&file), measured(&shipped()));
    let written = |model: &str| {
        let arguments = ["generate", model, "--prompt", "One day Mia", "--max-tokens", "8", "--device", "cpu", "-q"];
        run(&arguments).with(0).out
    };
    assert_eq!(written(&file), written(&shipped()));
    run(&["ppl", &file, "--text", &text, "--save"]).with(2).saying(&["--save", "tiny.gguf", "is a file"]);
}

#[test]
fn its_blocks_are_widened_where_one_thread_multiplies_and_waits_for_them() {
    let folder = temporary();
    let [file, out] = ["tiny.gguf", "out"].map(|name| path(&folder.path().join(name)));
    run(&["export", "gguf", &shipped(), "--out", &file, "--dtype", "q8_0"]).with(0);
    let text = path(&Path::new(&shipped()).join("eval.txt"));
    let small = ["--target", "0.2", "--samples", "6", "--seq-len", "64", "--device", "cpu", "--calibration", &text];
    // As on a machine with one core.
    let mut command = program(&[&["prune", &file, "--out", &out], &small[..]].concat());
    ended(command.env("RAYON_NUM_THREADS", "1")).with(0);
}

#[test]
fn what_is_no_gguf_is_told_so() {
    let folder = temporary();
    let file = path(&folder.path().join("letter.gguf"));
    std::fs::write(&file, "Dear all").unwrap();
    run(&["inspect", &file]).with(1).saying(&["letter.gguf", "does not begin as a GGUF"]);
}
