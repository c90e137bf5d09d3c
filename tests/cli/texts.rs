//! Texts as people have them: tables, folders, patterns, and what another program writes to this one.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::{Ended, another_model, path, program, run, shipped, temporary};

/// What measures a text, quickly.
const PPL: [&str; 9] = ["--seq-len", "32", "--windows", "4", "--device", "cpu", "--bos", "each", "--json"];

/// Runs the program with `input` on its standard input.
fn fed(arguments: &[&str], input: &[u8]) -> Ended {
    let mut command = program(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut to, input) = (child.stdin.take().unwrap(), input.to_vec());
    // Whoever refuses a text closes the pipe before it has read all of it.
    let writer = std::thread::spawn(move || drop(to.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended { code: output.status.code().unwrap(), out: text(&output.stdout), err: text(&output.stderr) }
}

fn ppl<'a>(model: &'a str, text: &'a str) -> Vec<&'a str> {
    [&["ppl", model, "--text", text][..], &PPL].concat()
}

/// Rows with the stories that the shipped model is measured on.
fn stories() -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(&shipped()).join("eval.txt")).unwrap();
    text.split("\n\n").map(str::to_owned).take(40).collect()
}

#[test]
fn standard_input_is_read_as_the_file_would_be() {
    let folder = temporary();
    let rows: String = stories().iter().map(|story| format!("{}\n", json!({ "text": story }))).collect();
    let rows_of = folder.path().join("rows.jsonl");
    std::fs::write(&rows_of, &rows).unwrap();
    let perplexity = |ended: Ended| ended.with(0).json()["perplexity"].clone();
    let want: Value = perplexity(run(&ppl(&shipped(), &path(&rows_of))));
    let quoted = |story: &String| format!("\"{}\",x\n", story.replace('"', "\"\""));
    let csv = format!("text,id\n{}", stories().iter().map(quoted).collect::<String>());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(rows.as_bytes()).unwrap();
    let zstd = ruzstd::encoding::compress_to_vec(csv.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest);
    for input in [rows.clone().into_bytes(), csv.clone().into_bytes(), gzip.finish().unwrap(), zstd] {
        assert_eq!(perplexity(fed(&ppl(&shipped(), "-"), &input)), want);
    }
    // A file that the shell put there is no pipe, and passes by like one.
    let mut from_file = program(&ppl(&shipped(), "-"));
    from_file.stdin(std::fs::File::open(&rows_of).unwrap());
    assert_eq!(perplexity(crate::ended(&mut from_file)), want);
    fed(&ppl(&shipped(), "-"), b"{\"text\": 3}").with(1).saying(&["standard input: line 1", "a number", "--text-key"]);
}

#[test]
fn standard_input_is_named_once() {
    let folder = temporary();
    let model = another_model(&folder);
    let out = path(&folder.path().join("out"));
    let twice = ["--calibration", "-", "--calibration", "-", "--samples", "2", "--seq-len", "32", "--device", "cpu"];
    let prune = [&["prune", &model, "--out", &out, "--target", "0.2"][..], &twice].concat();
    let text = stories().join("\n\n");
    fed(&prune, text.as_bytes()).with(1).saying(&["standard input", "a second time", "write it to a file"]);
    let once: Vec<&str> = [&prune[..6], &twice[2..]].concat();
    fed(&once, text.as_bytes()).with(0);
}

#[test]
fn a_folder_and_a_pattern_are_the_files_in_them() {
    let folder = temporary();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    for (i, story) in stories().iter().enumerate() {
        std::fs::write(data.join(format!("{i:02}.csv")), format!("body\n\"{}\"\n", story.replace('"', "\"\"")))
            .unwrap();
    }
    std::fs::write(data.join("README.md"), "What this is.").unwrap();
    let (whole, pattern) = (path(&data), path(&data.join("*.csv")));
    let measured = |text: &str| run(&[&ppl(&shipped(), text)[..], &["--text-key", "body"]].concat()).with(0);
    let (of_folder, of_pattern) = (measured(&whole), measured(&pattern));
    assert_eq!(of_folder.json()["perplexity"], of_pattern.json()["perplexity"]);
    assert!(of_folder.err.contains("40 files are read, without \"README.md\""), "{}", of_folder.err);
    let none = path(&data.join("*.parquet"));
    run(&ppl(&shipped(), &none)).with(1).saying(&["*.parquet", "fits no file"]);
    run(&ppl(&shipped(), &whole)).with(1).saying(&["00.csv", "\"body\"", "--text-key"]);
}
