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

/// The sizes of a list of layers.
fn shapes(layers: &Value) -> Vec<[u64; 3]> {
    let keys = ["num_attention_heads", "num_key_value_heads", "intermediate_size"];
    layers.as_array().unwrap().iter().map(|layer| keys.map(|key| layer[key].as_u64().unwrap())).collect()
}

#[test]
fn one_shape_is_found_for_all_layers() {
    let folder = temporary();
    let (model, file) = (shipped(), folder.path().join("one.json"));
    let out = path(&file);
    let search = [&["search", &model, "--out", &out, "--uniform"], &SMALL[..]].concat();
    run(&[&search[..], &["--targets", "0.2,0.35"]].concat()).with(0);
    for (found, ratio) in plan(&file)["targets"].as_array().unwrap().iter().zip([0.2, 0.35]) {
        let shapes = shapes(&found["layers"]);
        assert!(shapes.iter().all(|shape| *shape == shapes[0]), "{shapes:?}");
        assert!(found["ratio"].as_f64().unwrap() >= ratio - 1e-9, "{found}");
    }
    let slim = folder.path().join("slim");
    let prune = ["prune", &model, "--out", &path(&slim), "--schedule", "search", "--uniform", "--target", "0.3"];
    run(&[&prune[..], &["--device", "cpu", "--samples", "8", "--seq-len", "64"]].concat()).with(0);
    // Every program that knows the dense model's class opens it.
    let config = plan(&slim.join("config.json"));
    assert_eq!(config["architectures"], plan(&std::path::Path::new(&model).join("config.json"))["architectures"]);
    run(&["plan", &model, "--target", "0.2", "--uniform"]).with(2).saying(&["--schedule search", "--schedule uniform"]);
    run(&[&search[..], &["--targets", "0.2", "--keep-layers", "0"]].concat()).with(2).saying(&["--keep-layers"]);
}

#[test]
fn bytes_are_a_budget_of_every_schedule() {
    let folder = temporary();
    let model = shipped();
    let bytes = |folder: &std::path::Path| std::fs::metadata(folder.join("model.safetensors")).unwrap().len();
    let most = bytes(std::path::Path::new(&model)) * 7 / 10;
    let budget = most.to_string();
    for (name, schedule) in
        [("log", vec!["--rounding", "layer"]), ("search", vec!["--schedule", "search", "--uniform"])]
    {
        let slim = folder.path().join(name);
        let prune = ["prune", &model, "--out", &path(&slim), "--target-bytes", &budget, "--device", "cpu"];
        run(&[&prune[..], &["--samples", "8", "--seq-len", "64"], &schedule[..]].concat()).with(0);
        let left = bytes(&slim);
        assert!(left <= most && left > most * 9 / 10, "{name}: {left} of {most}");
    }
    let file = folder.path().join("plan.json");
    let search = ["search", &model, "--out", &path(&file), "--target-bytes", &budget];
    run(&[&search[..], &SMALL[..]].concat()).with(0);
    let by_file =
        run(&["plan", &model, "--schedule", &path(&file), "--target-bytes", &budget, "--json"]).with(0).json();
    assert_eq!(by_file["parameters_after"], plan(&file)["targets"][0]["parameters"]);
    // In a wider type fewer parameters are so large.
    let left = |more: &[&str]| {
        let typed = [&["plan", &model, "--target-bytes", &budget, "--json"], more].concat();
        run(&typed).with(0).json()["parameters_after"].as_u64().unwrap()
    };
    assert!(left(&["--dtype", "bf16"]) == left(&[]) && left(&["--channel-multiple", "1"]) * 2 <= most);
    let plan = |bytes: &str| run(&["plan", &model, "--target-bytes", bytes]).with(2);
    plan("20kB").saying(&["20000 bytes are too few", "embeddings"]);
    plan("1GiB").saying(&["nothing need go", "1073741824"]);
    plan("many").saying(&["--target-bytes"]);
    run(&["plan", &model, "--target-bytes", "2MB", "--target", "0.2"]).with(2).saying(&["--target"]);
}

#[test]
fn the_smallest_model_within_a_rise_is_measured() {
    let folder = temporary();
    let (model, slim) = (shipped(), folder.path().join("slim"));
    let out = path(&slim);
    let prune = ["prune", &model, "--out", &out, "--schedule", "search", "--max-perplexity-rise", "40%"];
    let size = ["--rise-windows", "8", "--device", "cpu", "--samples", "16", "--seq-len", "128"];
    let typed = [&prune[..], &size].concat();
    let told = run(&typed).with(0);
    assert!(told.out.contains("the smallest within a rise of 40.0 %"), "{}", told.out);
    let found = plan(&slim.join("slimgpt-search.json"));
    let rise = &found["rise"];
    let trials = rise["trials"].as_array().unwrap();
    assert!((1..=3).contains(&trials.len()), "{rise}");
    let within = trials
        .iter()
        .filter(|trial| trial["perplexity"].as_f64().unwrap() <= 1.4 * rise["dense"].as_f64().unwrap() * (1.0 + 1e-12));
    let smallest = within.map(|trial| trial["parameters"].as_u64().unwrap()).min().unwrap();
    assert_eq!(plan(&slim.join("slimgpt-report.json"))["parameters_after"], smallest);
    // Nothing of the candidates is left, and the same command has nothing to do.
    let names: Vec<String> = slimgpt::disk::names(folder.path()).unwrap();
    assert_eq!(names, ["slim"]);
    let again = run(&typed).with(0);
    assert!(again.err.contains("finished already") && !again.err.contains("candidate 1"), "{}", again.err);
    let other = [&typed[..prune.len() - 1], &["20%"], &size].concat();
    run(&other).with(2).saying(&["--overwrite"]);
    let file = path(&folder.path().join("plan.json"));
    let search = ["search", &model, "--out", &file, "--max-perplexity-rise", "0.4", "--rise-windows", "8", "--json"];
    let searched = run(&[&search[..], &SMALL[..]].concat()).with(0);
    assert!(searched.out.contains("\"event\":\"candidate\""), "{}", searched.out);
    assert_eq!(slimgpt::disk::names(folder.path()).unwrap(), ["plan.json", "slim"]);
    run(&["plan", &model, "--schedule", &file]).with(0);
    run(&[&prune[..4], &["--max-perplexity-rise", "5%"]].concat()).with(2).saying(&["--schedule search"]);
    run(&[&prune[..], &["--target", "0.2"]].concat()).with(2).saying(&["--target"]);
}

#[test]
fn rounds_begin_where_the_one_before_has_cut_and_leave_nothing() {
    let folder = temporary();
    let (model, slim) = (shipped(), folder.path().join("slim"));
    let out = path(&slim);
    let prune = ["prune", &model, "--schedule", "search", "--target", "0.4", "--out", &out, "--search-rounds", "2"];
    let typed = [&prune[..], &["--device", "cpu", "--samples", "8", "--seq-len", "64"]].concat();
    let told = run(&typed).with(0);
    assert!(told.err.contains("round 2 of 2"), "{}", told.err);
    let found = plan(&slim.join("slimgpt-search.json"))["targets"][0].clone();
    assert_eq!(found["rounds"]["count"], 2);
    assert_eq!(found["rounds"]["layers"], found["layers"]);
    assert!(found["ratio"].as_f64().unwrap() >= 0.4 - 1e-9, "{found}");
    let report = plan(&slim.join("slimgpt-report.json"));
    assert_eq!(report["plan"]["request"]["schedule"]["shapes"], found["layers"]);
    assert_eq!(slimgpt::disk::names(folder.path()).unwrap(), ["slim"]);
    // Known already, it takes no round.
    let again = run(&typed).with(0);
    assert!(again.err.contains("finished already") && !again.err.contains("round 2"), "{}", again.err);
    // Otherwise than at once.
    let file = path(&folder.path().join("plan.json"));
    run(&[&["search", &model, "--targets", "0.4", "--out", &file], &SMALL[..]].concat()).with(0);
    let at_once = plan(std::path::Path::new(&file))["targets"][0]["layers"].clone();
    let rounds = [&["search", &model, "--targets", "0.4", "--search-rounds", "2", "--out", &file], &SMALL[..]].concat();
    let rounds = [&rounds[..], &["--overwrite"]].concat();
    run(&rounds).with(0);
    assert_ne!(plan(std::path::Path::new(&file))["targets"][0]["rounds"]["layers"], at_once);
    run(&[&["prune", &model, "--target", "0.4", "--out", &out], &["--search-rounds", "2"][..]].concat())
        .with(2)
        .saying(&["--schedule search"]);
    for with in [&["--whole-sites"][..], &["--search-steps", "1"]] {
        run(&[&rounds[..], with].concat()).with(2).saying(&[with[0]]);
    }
}

#[test]
fn complete_candidates_are_climbed_and_tell_what_they_reach() {
    let folder = temporary();
    let (model, file) = (shipped(), path(&folder.path().join("plan.json")));
    let search = [&["search", &model, "--targets", "0.3", "--out", &file, "--search-steps", "3"], &SMALL[..]].concat();
    let told = run(&search).with(0);
    assert!(told.out.contains("3 candidates") && told.out.contains("held-out"), "{}", told.out);
    assert!(told.err.contains("candidate 3:"), "{}", told.err);
    let found = plan(std::path::Path::new(&file))["targets"][0].clone();
    let climb = &found["climb"];
    assert_eq!((&climb["steps"], &climb["seed"]), (&Value::from(3), &Value::from(0)));
    assert!(climb["reached"].as_f64().unwrap() <= climb["start"].as_f64().unwrap(), "{climb}");
    assert!(found["ratio"].as_f64().unwrap() >= 0.3 - 1e-9, "{found}");
    // As many steps again find the same, without any work where the file has them.
    let again = run(&[&search[..], &["--overwrite"]].concat()).with(0);
    assert!(!again.err.contains("candidate 3:"), "{}", again.err);
    assert_eq!(plan(std::path::Path::new(&file))["targets"][0], found);
    let other = path(&folder.path().join("other.json"));
    let anew = search.iter().map(|word| if *word == file { other.as_str() } else { *word }).collect::<Vec<_>>();
    run(&anew).with(0);
    assert_eq!(plan(std::path::Path::new(&other))["targets"][0], found);
    // A pruning climbs by itself too, and once.
    let slim = folder.path().join("slim");
    let out = path(&slim);
    let prune = ["prune", &model, "--schedule", "search", "--target", "0.3", "--out", &out, "--search-minutes", "0.02"];
    let typed = [&prune[..], &["--device", "cpu", "--samples", "8", "--seq-len", "64"]].concat();
    let told = run(&typed).with(0);
    assert!(told.out.contains("held-out"), "{}", told.out);
    let found = plan(&slim.join("slimgpt-search.json"));
    let report = plan(&slim.join("slimgpt-report.json"));
    assert_eq!(report["plan"]["request"]["schedule"]["shapes"], found["targets"][0]["layers"]);
    assert!(run(&typed).with(0).err.contains("finished already"));
    // What no climb can begin with.
    run(&[&search[..], &["--overwrite", "--uniform"]].concat()).with(2).saying(&["--uniform"]);
    run(&["prune", &model, "--target", "0.3", "--out", &out, "--search-steps", "2"])
        .with(2)
        .saying(&["--schedule search"]);
}
