//! `slimgpt recover` as a user meets it: what it makes, what it refuses, and that a killed run goes on.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::{path, program, run, shipped, temporary};

fn rows(folder: &Path) -> String {
    let file = folder.join("rows.jsonl");
    let row = |i: usize| format!(r#"{{"instruction": "Who has toy {i}?", "input": "", "output": "Mia has toy {i}."}}"#);
    std::fs::write(&file, (0..40).map(row).collect::<Vec<_>>().join("\n")).unwrap();
    path(&file)
}

fn arguments<'a>(model: &'a str, data: &'a str, out: &'a str) -> Vec<&'a str> {
    let fixed = ["--steps", "12", "--batch", "4", "--seq-len", "128", "--eval-every", "3", "--hold-out", "4"];
    [&["recover", model, "--data", data, "--out", out, "--device", "cpu", "--lr", "1e-3"], &fixed[..]].concat()
}

fn weights(folder: &Path) -> BTreeMap<&'static str, Vec<u8>> {
    let names = ["model.safetensors", "adapter/adapter_model.safetensors", "config.json", "README.md"];
    names.map(|name| (name, std::fs::read(folder.join(name)).unwrap())).into()
}

#[test]
fn a_run_that_is_killed_at_any_moment_ends_with_the_same_bytes() {
    let folder = temporary();
    let (model, data) = (shipped(), rows(folder.path()));
    let whole = folder.path().join("whole");
    run(&arguments(&model, &data, &path(&whole))).with(0);
    let want = weights(&whole);
    // After so many lines each: in a look, in a step, between two.
    for (i, lines) in [2, 9, 31, 60, 110].into_iter().enumerate() {
        let out = folder.path().join(format!("out-{i}"));
        let name = path(&out);
        let typed = [&arguments(&model, &data, &name)[..], &["--json"]].concat();
        let mut child = program(&typed).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut told = BufReader::new(child.stdout.take().unwrap()).lines();
        told.by_ref().take(lines).for_each(drop);
        let killed = Command::new("kill").args(["-KILL", &child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        told.for_each(drop);
        child.wait().unwrap();
        run(&typed).with(0);
        let got = weights(&out);
        assert!(want.iter().all(|(name, bytes)| got[name] == *bytes), "killed after {lines} lines");
    }
}

#[test]
fn it_is_told_before_and_after_and_the_folder_is_used_everywhere() {
    let folder = temporary();
    let (model, data) = (shipped(), rows(folder.path()));
    let out = path(&folder.path().join("out"));
    let adapter = path(&folder.path().join("adapter"));
    let text = format!("{model}/eval.txt");
    let more = ["--adapter-out", &adapter, "--text", &text, "--eval-seq-len", "128", "--windows", "4"];
    let ended = run(&[&arguments(&model, &data, &out)[..], &more].concat()).with(0);
    assert!(
        ended.out.contains("held-out loss") && ended.out.contains("perplexity") && ended.out.contains(" → "),
        "{}",
        ended.out
    );
    for command in
        [vec!["inspect", &out], vec!["generate", &out, "--prompt", "One day", "--max-tokens", "4", "--device", "cpu"]]
    {
        run(&command).with(0);
    }
    // The adapter on its model measures as the merged folder does, but for rounding to half precision.
    let measured = |arguments: &[&str]| {
        let common = ["--text", &text, "--seq-len", "128", "--windows", "4", "--device", "cpu", "--json"];
        run(&[&["ppl"], arguments, &common].concat()).with(0).json()["perplexity"].as_f64().unwrap()
    };
    let (merged, added) = (measured(&[&out]), measured(&[&model, "--adapter", &adapter]));
    assert!((merged / added - 1.0).abs() < 2e-3, "{merged} {added}");
    assert_ne!(measured(&[&model]), added);
    let record: Value =
        serde_json::from_slice(&std::fs::read(format!("{out}/slimgpt-recovery.json")).unwrap()).unwrap();
    assert_eq!(record["steps"].as_array().unwrap().len(), 12);
    // Once more nothing is left to do; other settings do not replace it unasked.
    run(&arguments(&model, &data, &out)).with(0);
    let other = [&arguments(&model, &data, &out)[..], &["--seed", "7"]].concat();
    run(&other).with(2).saying(&["exists", "--overwrite"]);
}

#[test]
fn what_means_nothing_is_refused_by_name() {
    let folder = temporary();
    let (model, data, out) = (shipped(), rows(folder.path()), path(&folder.path().join("out")));
    let typed =
        |more: &[&str]| run(&[&["recover", &model, "--data", &data, "--out", &out, "--device", "cpu"], more].concat());
    typed(&["--seq-len", "4096"]).with(2).saying(&["--seq-len 4096", "context of 512"]);
    typed(&["--dropout", "1"]).with(2).saying(&["dropout is 1"]);
    typed(&["--memory", "1MiB"]).with(1).saying(&["may be used"]);
    typed(&["--hold-out", "40"]).with(1).saying(&["40 usable", "nothing is left to learn"]);
    assert_eq!(typed(&["--targets", "q_proj,poem"]).code, 2);
    assert!(!folder.path().join("out").exists());
    let onto_itself = run(&["recover", &model, "--data", &data, "--out", &model, "--device", "cpu"]);
    onto_itself.with(2).saying(&["model itself"]);
}

#[test]
fn what_a_recovery_takes_is_planned_without_a_device() {
    let ended = run(&["plan", &shipped(), "--recover"]).with(0);
    assert!(
        ended.out.contains("a step of 64 × 256 tokens") && ended.out.contains("nothing is computed twice"),
        "{}",
        ended.out
    );
    let json = run(&["plan", &shipped(), "--recover", "--json", "--train", "all"]).with(0).json();
    assert_eq!((json["plan"]["crossings"].as_u64(), json["settings"]["train"].as_str()), (Some(1), Some("all")));
}
