//! How far a command is, where standard error is no terminal: a line now and then.

use std::path::Path;

use crate::{Ended, ended, path, program, shipped, temporary};

/// Runs with a line for each step, or with the usual half minute between two.
fn run(arguments: &[&str], every_step: bool) -> Ended {
    let mut command = program(arguments);
    command.env_remove("SLIMGPT_PROGRESS_SECONDS");
    if every_step {
        command.env("SLIMGPT_PROGRESS_SECONDS", "0");
    }
    ended(&mut command).with(0)
}

/// A line of so many steps of this kind, with the time that is left.
fn has_line(err: &str, label: &str) -> bool {
    err.lines().any(|line| line.starts_with(label) && line.contains(" of ") && line.contains("ETA"))
}

#[test]
fn every_measuring_command_tells_how_far_it_is() {
    let folder = temporary();
    let (model, text) = (shipped(), format!("{}/eval.txt", shipped()));
    let row = "{\"goal\": \"Fly a kite.\", \"sol1\": \"Run.\", \"sol2\": \"Sit down and sleep.\", \"label\": 0}\n";
    std::fs::write(folder.path().join("piqa.jsonl"), row.repeat(2)).unwrap();
    let tasks = path(folder.path());
    let small = ["--prompt-tokens", "4", "--new-tokens", "4", "--repeats", "1"];
    let commands: [(&str, Vec<&str>); 3] = [
        ("perplexity", vec!["ppl", &model, "--text", &text, "--seq-len", "64", "--windows", "64"]),
        ("piqa", vec!["eval", &model, "--tasks", "piqa", "--task-dir", &tasks]),
        ("tokens", [&["bench", &model], &small[..]].concat()),
    ];
    for (label, mut arguments) in commands {
        arguments.extend(["--device", "cpu"]);
        let told = run(&arguments, true);
        assert!(has_line(&told.err, label), "{label}: {}", told.err);
        // Quick work needs no line, and what is asked for stands on standard output alone.
        let quiet = run(&arguments, false);
        assert!(!has_line(&quiet.err, label) && !quiet.out.contains("ETA"), "{label}: {}", quiet.err);
        arguments.push("--json");
        assert!(has_line(&run(&arguments, true).err, label), "{label}");
    }
}

#[test]
fn a_pruning_and_a_comparison_tell_more_than_their_layers_and_cells() {
    let folder = temporary();
    let model = shipped();
    let small = ["--device", "cpu", "--samples", "4", "--seq-len", "64"];
    let at = |name: &str| path(&folder.path().join(name));
    let pruned = run(&[&["prune", &model, "--target", "0.3", "--out", &at("pruned")], &small[..]].concat(), true);
    assert!(pruned.err.lines().any(|l| l.starts_with("layer 2/6 feed-forward") && l.contains("ETA")), "{}", pruned.err);
    let compare = ["compare", &model, "--out", &at("compared"), "--methods", "exact", "--targets", "0.3"];
    let told = run(&[&compare, &small[..], &["--windows", "2"]].concat(), true);
    assert!(told.err.lines().any(|l| l.starts_with("cell 1/1 exact") && l.contains("ETA")), "{}", told.err);
    assert!(Path::new(&at("compared")).join("compare.json").is_file());
}
