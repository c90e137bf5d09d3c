//! Data sets by name, and the text that is taken where none is named.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use super::asking;
use super::server::{COMMIT, Server, git_hash};
use crate::{another_model, ended, path, shipped, temporary};

const C4: &str = "allenai/c4/en/c4-train.00000-of-01024.json.gz";

fn evaluation() -> Vec<u8> {
    std::fs::read(Path::new(&shipped()).join("eval.txt")).unwrap()
}

/// The shipped text as rows, packed as those of C4 are.
fn rows() -> Vec<u8> {
    let text = std::fs::read_to_string(Path::new(&shipped()).join("calibration.txt")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for text in text.split("\n\n") {
        writeln!(packed, "{}", serde_json::json!({ "text": text, "url": "" })).unwrap();
    }
    packed.finish().unwrap()
}

fn dataset(files: &[(&str, Vec<u8>)]) -> Server {
    Server::of(files.iter().map(|(file, bytes)| (format!("datasets/{file}"), bytes.clone())).collect())
}

#[test]
fn a_file_of_a_data_set_is_a_text_like_another() {
    let server = dataset(&[("org/texts/en/eval.txt", evaluation()), ("org/texts/README.md", b"# Texts".to_vec())]);
    let (folder, model) = (temporary(), shipped());
    let ppl = |text: &str| {
        let arguments =
            ["ppl", &model, "--text", text, "--seq-len", "64", "--windows", "4", "--device", "cpu", "--json"];
        ended(&mut asking(&server, folder.path(), &arguments)).with(0).json()["perplexity"].clone()
    };
    let want = ppl(&format!("{model}/eval.txt"));
    assert_eq!(ppl("dataset:org/texts/en/eval.txt"), want);
    let repository = folder.path().join("hub/datasets--org--texts");
    let pointer = repository.join("snapshots").join(COMMIT).join("en/eval.txt");
    #[cfg(unix)]
    assert_eq!(
        std::fs::read_link(&pointer).unwrap(),
        Path::new(&format!("../../../blobs/{}", git_hash(&evaluation())))
    );
    assert_eq!(std::fs::read(pointer).unwrap(), evaluation());
    assert_eq!(std::fs::read_to_string(repository.join("refs/main")).unwrap(), COMMIT);
    let asked = server.asked().len();
    assert_eq!(ppl("dataset:org/texts/en/eval.txt"), want);
    assert_eq!(server.asked().len(), asked);
    // The card is none of its texts, so this is the one.
    assert_eq!(ppl("dataset:org/texts"), want);
}

#[test]
fn a_file_comes_once_whatever_its_commit_is_called() {
    let (file, model) = ("org/texts/en/eval.txt", shipped());
    for without_links in ["0", "1"] {
        let (folder, server) = (temporary(), dataset(&[(file, evaluation())]));
        for text in [format!("dataset:org/texts@{COMMIT}/en/eval.txt"), format!("dataset:{file}")] {
            let ppl = ["ppl", &model, "--text", &text, "--seq-len", "64", "--windows", "4", "--device", "cpu"];
            let mut command = asking(&server, folder.path(), &ppl);
            ended(command.env("HF_HUB_DISABLE_SYMLINKS", without_links)).with(0);
        }
        assert_eq!(server.asked().iter().filter(|asked| asked.method == "GET").count(), 1);
    }
}

#[test]
fn which_file_is_meant_is_asked_where_there_are_several() {
    let server = dataset(&[
        ("org/texts/a.jsonl", b"{}".to_vec()),
        ("org/texts/b.jsonl", b"{}".to_vec()),
        ("org/bare/x.png", b"".to_vec()),
    ]);
    let (folder, model) = (temporary(), shipped());
    let ppl =
        |text: &str, code| ended(&mut asking(&server, folder.path(), &["ppl", &model, "--text", text])).with(code);
    ppl("dataset:org/texts", 2).saying(&["2 files", "b.jsonl", "dataset:org/texts/a.jsonl"]);
    ppl("dataset:org/bare", 2).saying(&["dataset:org/bare"]);
    ppl("dataset:org", 2).saying(&["dataset:org", "dataset:org/name"]);
    ppl("dataset:org/texts/c.jsonl", 1).saying(&["c.jsonl", "tree/main"]);
    ppl("dataset:org/none/c.jsonl", 1).saying(&["c.jsonl"]);
}

#[test]
fn without_a_text_the_first_shard_of_c4_is_taken() {
    let server = dataset(&[(C4, rows())]);
    let folder = temporary();
    let (model, out) = (another_model(&folder), path(&folder.path().join("out")));
    let prune =
        ["prune", &model, "--out", &out, "--target", "0.2", "--device", "cpu", "--samples", "4", "--seq-len", "64"];
    // Offline it is told before anything is asked.
    let offline = ended(&mut asking(&server, folder.path(), &[&prune[..], &["--offline"]].concat())).with(2);
    offline.saying(&["dataset:allenai/c4", "--calibration FILE", "--offline", "c4-train.00000-of-01024.json.gz"]);
    assert!(server.asked().is_empty());
    let done = ended(&mut asking(&server, folder.path(), &prune)).with(0);
    assert!(done.err.contains("319 MB") && done.err.contains("downloading dataset:allenai/c4"), "{}", done.err);
    let report = std::fs::read_to_string(Path::new(&out).join("slimgpt-report.json")).unwrap();
    assert!(report.contains("en/c4-train.00000-of-01024.json.gz"), "the report names the text");
    // From the cache it is the same, without a connection.
    let second = format!("{out}-2");
    let again = [&prune[..3], &[second.as_str()], &prune[4..], &["--offline"]].concat();
    ended(&mut asking(&server, folder.path(), &again)).with(0);
    let weights = |out: &str| std::fs::read(Path::new(out).join("model.safetensors")).unwrap();
    assert_eq!(weights(&out), weights(&second));
}

#[test]
fn a_search_takes_the_same_text() {
    let server = dataset(&[(C4, rows())]);
    let folder = temporary();
    let (model, out) = (another_model(&folder), path(&folder.path().join("plan.json")));
    let search = [
        "search",
        &model,
        "--out",
        &out,
        "--targets",
        "0.2",
        "--device",
        "cpu",
        "--samples",
        "2",
        "--seq-len",
        "64",
        "--probe-windows",
        "1",
    ];
    let done = ended(&mut asking(&server, folder.path(), &search)).with(0);
    assert!(done.err.contains("319 MB"), "{}", done.err);
}

#[test]
fn a_text_that_cannot_be_had_names_three_ways_on() {
    let server = Server::of(BTreeMap::new());
    let folder = temporary();
    let (model, out) = (another_model(&folder), path(&folder.path().join("out")));
    let prune = ["prune", &model, "--out", &out, "--target", "0.2", "--device", "cpu"];
    ended(&mut asking(&server, folder.path(), &prune)).with(1).saying(&[
        "--calibration FILE",
        "--offline",
        "another machine",
    ]);
    assert!(!Path::new(&out).exists());
}
