//! `prune --tune` as a user meets it.

use std::path::Path;

use serde_json::{Value, json};

use crate::{path, run, shipped, temporary};

const SMALL: [&str; 10] =
    ["--target", "0.3", "--device", "cpu", "--samples", "8", "--seq-len", "64", "--tune-windows", "8"];

fn read(file: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

fn trials(tuning: &Value) -> Vec<(f64, u64, f64)> {
    let trial = |trial: &Value| {
        let perplexity = trial["perplexity"].as_f64().unwrap_or(f64::INFINITY);
        (trial["damping"].as_f64().unwrap(), trial["windows"].as_u64().unwrap(), perplexity)
    };
    tuning["trials"].as_array().unwrap().iter().map(trial).collect()
}

#[test]
fn the_best_of_the_settings_becomes_the_result() {
    let folder = temporary();
    let (model, slim) = (shipped(), folder.path().join("slim"));
    let out = path(&slim);
    let prune = [&["prune", &model, "--out", &out, "--tune"], &SMALL[..]].concat();
    let told = run(&prune).with(0);
    assert!(told.err.contains("tuning: 7 prunings") && told.err.contains("tuning 7/7"), "{}", told.err);
    let tuning = read(&slim.join("slimgpt-tuning.json"));
    let tried = trials(&tuning);
    assert_eq!(tried.iter().map(|trial| trial.1).collect::<Vec<_>>(), [8, 8, 8, 8, 8, 4, 2]);
    assert_eq!(tried[0].0, 0.01, "what was asked for is the first");
    let &(damping, windows, _) = tried.iter().min_by(|a, b| a.2.total_cmp(&b.2)).unwrap();
    let request = &read(&slim.join("slimgpt-report.json"))["plan"]["request"];
    assert_eq!(request["options"]["damping"].as_f64(), Some(damping));
    assert_eq!(request["windows"].as_u64(), Some(windows));
    assert!(std::fs::read_to_string(slim.join("slimgpt-report.html")).unwrap().contains("What was tried"));
    // Nothing of the trials is left, and the same command has nothing to do.
    assert_eq!(slimgpt::disk::names(folder.path()).unwrap(), ["slim"]);
    let again = run(&prune).with(0);
    assert!(again.err.contains("finished already") && !again.err.contains("tuning 1/7"), "{}", again.err);
    // The same settings, typed, make the same model.
    let typed = folder.path().join("typed");
    let (damping, windows) = (damping.to_string(), windows.to_string());
    let by_hand = ["prune", &model, "--out", &path(&typed), "--target", "0.3", "--device", "cpu", "--seq-len", "64"];
    run(&[&by_hand[..], &["--damping", &damping, "--samples", &windows]].concat()).with(0);
    let weights = |folder: &Path| std::fs::read(folder.join("model.safetensors")).unwrap();
    assert!(weights(&slim) == weights(&typed), "the bytes differ");
    // Other settings are another run, which replaces nothing unasked.
    run(&[&prune[..], &["--damping", "0.02"]].concat()).with(2).saying(&["--overwrite"]);
}

#[test]
fn what_is_known_is_gone_on_from() {
    let folder = temporary();
    let (model, slim) = (shipped(), folder.path().join("slim"));
    let out = path(&slim);
    let prune = [&["prune", &model, "--out", &out, "--tune", "--json"], &SMALL[..]].concat();
    run(&prune).with(0);
    let whole = read(&slim.join("slimgpt-tuning.json"));
    // An earlier command that was stopped after three, of which the third was by far the best.
    let mut begun = whole.clone();
    begun["trials"].as_array_mut().unwrap().truncate(3);
    begun["trials"][2]["perplexity"] = json!(1.25);
    let other = folder.path().join("other");
    std::fs::write(folder.path().join("other.tuning.partial"), begun.to_string()).unwrap();
    let out = path(&other);
    let on = [&["prune", &model, "--out", &out, "--tune"], &SMALL[..]].concat();
    let told = run(&on).with(0);
    assert!(told.err.contains("tuning: 4 prunings") && !told.err.contains("tuning 3/7"), "{}", told.err);
    let tuning = read(&other.join("slimgpt-tuning.json"));
    assert_eq!(tuning["trials"].as_array().unwrap()[..3], begun["trials"].as_array().unwrap()[..]);
    assert_eq!(trials(&tuning)[3..5], trials(&whole)[3..5]);
    let request = &read(&other.join("slimgpt-report.json"))["plan"]["request"];
    assert_eq!(request["options"]["damping"], begun["trials"][2]["damping"]);
    assert_eq!(slimgpt::disk::names(folder.path()).unwrap(), ["other", "slim"]);
}

#[test]
fn a_search_comes_first() {
    let folder = temporary();
    let (model, slim) = (shipped(), folder.path().join("slim"));
    let out = path(&slim);
    let prune = [&["prune", &model, "--out", &out, "--tune", "--schedule", "search"], &SMALL[..]].concat();
    run(&prune).with(0);
    let found = read(&slim.join("slimgpt-search.json"));
    let report = read(&slim.join("slimgpt-report.json"));
    assert_eq!(report["plan"]["request"]["schedule"]["shapes"], found["targets"][0]["layers"]);
    assert_eq!(trials(&read(&slim.join("slimgpt-tuning.json"))).len(), 7);
    run(&["prune", &model, "--out", &out, "--schedule", "search", "--tune", "--max-perplexity-rise", "5%"])
        .with(2)
        .saying(&["--tune"]);
}
