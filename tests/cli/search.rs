//! `slimgpt search` and `prune --schedule search` as a user meets them.

use serde_json::Value;

use crate::{path, run, shipped, temporary};

const SMALL: [&str; 8] = ["--device", "cpu", "--samples", "8", "--seq-len", "64", "--probe-windows", "2"];

fn plan(file: &std::path::Path) -> Value {
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

#[test]
fn a_plan_serves_all_its_targets() {
    let folder = temporary();
    let (model, file) = (shipped(), folder.path().join("plan.json"));
    let out = path(&file);
    let search = [&["search", &model, "--targets", "0.2,0.4", "--out", &out], &SMALL[..]].concat();
    run(&search).with(0);
    let found = plan(&file);
    assert_eq!(found["targets"].as_array().unwrap().len(), 2);
    assert!(!folder.path().join("plan.json.partial").exists());
    // What stands there is kept unless somebody says so; then another target of the same search is quick.
    run(&search).with(2).saying(&["--overwrite"]);
    run(&[&["search", &model, "--targets", "0.3", "--out", &out, "--overwrite"], &SMALL[..]].concat()).with(0);
    assert_eq!(plan(&file)["map"], found["map"]);
    run(&[&search[..], &["--overwrite"]].concat()).with(0);
    let slim = folder.path().join("slim");
    let prune = [
        "prune",
        &model,
        "--schedule",
        &out,
        "--out",
        &path(&slim),
        "--device",
        "cpu",
        "--samples",
        "8",
        "--seq-len",
        "64",
    ];
    run(&prune).with(2).saying(&["several targets", "0.2, 0.4"]);
    run(&[&prune[..], &["--target", "0.25"]].concat()).with(2).saying(&["no sizes for this target"]);
    run(&[&prune[..], &["--target", "0.4"]].concat()).with(0);
    let report = plan(&slim.join("slimgpt-report.json"));
    let sizes = &report["plan"]["request"]["schedule"]["shapes"];
    assert_eq!(sizes, &plan(&file)["targets"][1]["layers"]);
    run(&["plan", &model, "--schedule", &out, "--target", "0.2"]).with(0);
    // The pruned model is another.
    run(&["plan", &path(&slim), "--schedule", &out, "--target", "0.2"]).with(1).saying(&["another model"]);
}

#[test]
fn a_pruning_searches_by_itself_and_once() {
    let folder = temporary();
    let (model, slim) = (shipped(), folder.path().join("slim"));
    let out = path(&slim);
    let prune = ["prune", &model, "--schedule", "search", "--target", "0.3", "--out", &out];
    let size = ["--device", "cpu", "--samples", "8", "--seq-len", "64"];
    let typed = [&prune[..], &size].concat();
    run(&typed).with(0);
    let found = plan(&slim.join("slimgpt-search.json"));
    let report = plan(&slim.join("slimgpt-report.json"));
    assert_eq!(report["plan"]["request"]["schedule"]["shapes"], found["targets"][0]["layers"]);
    assert!(!folder.path().join("slim.search.partial").exists());
    let again = run(&typed).with(0);
    assert!(again.err.contains("finished already"), "{}", again.err);
    run(&["plan", &model, "--schedule", "search", "--target", "0.3"]).with(2).saying(&["slimgpt search"]);
    run(&["prune", &model, "--schedule", "search", "--out", &out]).with(2).saying(&["--target"]);
}

#[test]
fn what_is_no_plan_is_named() {
    let folder = temporary();
    let file = folder.path().join("plan.json");
    std::fs::write(&file, r#"{"targets": []}"#).unwrap();
    run(&["plan", &shipped(), "--schedule", &path(&file), "--target", "0.2"]).with(2).saying(&["no plan of a search"]);
    // Somebody's file stays.
    let out = path(&file);
    let search = ["search", &shipped(), "--targets", "0.2", "--out", &out, "--overwrite"];
    run(&search).with(2).saying(&["is no plan of a search"]);
}
