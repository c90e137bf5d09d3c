//! `bench --times`, and sizes that are searched for a time.

use std::path::Path;

use serde_json::{Value, json};

use crate::{path, run, shipped, temporary};

const MEASURED: [&str; 6] = ["--device", "cpu", "--prompt-tokens", "8", "--new-tokens", "2"];
const SEARCHED: [&str; 8] = ["--device", "cpu", "--samples", "8", "--seq-len", "64", "--probe-windows", "2"];
const PRUNED: [&str; 6] = ["--device", "cpu", "--samples", "8", "--seq-len", "64"];

fn read(file: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or_else(|| panic!("{key}: {value}"))
}

/// A table of the shipped model, measured here, with times that no clock disturbs: a half of a token's 2 ms is outside of
/// the layers, a quarter goes with the query heads, a quarter with the channels.
fn table(folder: &Path) -> (String, Value) {
    let file = folder.join("times.json");
    run(&[&["bench", &shipped(), "--times", &path(&file)], &MEASURED[..]].concat()).with(0);
    let mut table = read(&file);
    let first = table["points"][0].clone();
    for point in table["points"].as_array_mut().unwrap() {
        let share = |key: &str| number(point, key) / number(&first, key);
        let seconds = 1e-3 + 0.5e-3 * share("num_attention_heads") + 0.5e-3 * share("intermediate_size");
        point["seconds"] = json!(seconds);
    }
    std::fs::write(&file, table.to_string()).unwrap();
    (path(&file), table)
}

/// Milliseconds by the rule of the table, from the sizes themselves.
fn milliseconds(layers: &Value, table: &Value) -> f64 {
    let first = &table["points"][0];
    let share = |layer: &Value, key: &str| number(layer, key) / number(first, key);
    let of = |layer: &Value| 0.5 * share(layer, "num_attention_heads") + 0.5 * share(layer, "intermediate_size");
    let layers = layers.as_array().unwrap();
    1.0 + layers.iter().map(of).sum::<f64>() / layers.len() as f64
}

#[test]
fn times_are_measured_into_a_file_of_their_own() {
    let folder = temporary();
    let (model, file) = (shipped(), folder.path().join("times.json"));
    let out = path(&file);
    let bench = [&["bench", &model, "--times", &out], &MEASURED[..]].concat();
    let shown = run(&bench).with(0);
    assert!(shown.out.contains("K/V heads") && shown.out.contains("--target-time"), "{}", shown.out);
    let table = read(&file);
    let points = table["points"].as_array().unwrap();
    assert!(points.len() > 4 && points.iter().all(|point| number(point, "seconds") > 0.0), "{table}");
    assert_eq!(table["context_tokens"], 8);
    // The largest is the model as it is.
    let config = read(&Path::new(&model).join("config.json"));
    for key in ["num_attention_heads", "num_key_value_heads", "intermediate_size"] {
        assert_eq!(points[0][key], config[key]);
    }
    // It is made again at will; somebody's file stays.
    let again = run(&[&bench[..], &["--json"]].concat()).with(0).json();
    assert_eq!(again["model"], table["model"]);
    std::fs::write(&file, "{}").unwrap();
    run(&bench).with(2).saying(&["is no table of times"]);
    run(&["bench", &model, &model, "--times", &path(&folder.path().join("two.json"))]).with(2).saying(&["one model"]);
}

#[test]
fn sizes_are_found_for_a_time() {
    let folder = temporary();
    let (times, table) = table(folder.path());
    let (model, file) = (shipped(), folder.path().join("plan.json"));
    let out = path(&file);
    let search = ["search", &model, "--out", &out, "--times", &times, "--overwrite"];
    for (typed, most) in [("0.8x", 1.6), ("1.5ms", 1.5)] {
        let none: &[&str] = &[];
        for shape in [none, &["--uniform"]] {
            let asked = [&search[..], &["--target-time", typed], &SEARCHED, shape].concat();
            let shown = run(&asked).with(0);
            assert!(shown.out.contains("ms a token"), "{}", shown.out);
            let found = &read(&file)["targets"][0];
            let predicted = 1e3 * number(found, "predicted_seconds");
            assert!((predicted - milliseconds(&found["layers"], &table)).abs() < 1e-6, "{typed}: {predicted}, {found}");
            // Within, and by no more than a step of one layer's heads or channels.
            assert!(predicted <= most + 1e-9, "{typed}: {predicted}");
            assert!(!shape.is_empty() || predicted > most - 0.05, "{typed}: {predicted}");
        }
    }
    // Another target of the same search tells its time too, and a plan is found by the time that it was made for.
    run(&[&search[..], &["--targets", "0.2", "--target-time", "0.8x"], &SEARCHED].concat()).with(0);
    let plan = read(&file);
    assert!(plan["targets"].as_array().unwrap().iter().all(|found| number(found, "predicted_seconds") > 0.0), "{plan}");
    let planned = run(&["plan", &model, "--schedule", &out, "--target-time", "0.8x", "--json"]).with(0).json();
    assert_eq!(planned["parameters_after"], plan["targets"][1]["parameters"]);
    run(&["plan", &model, "--schedule", &out, "--target-time", "0.7x"]).with(2).saying(&["no sizes for this target"]);
}

#[test]
fn a_pruning_tells_predicted_and_measured_time() {
    let folder = temporary();
    let (times, table) = table(folder.path());
    let slim = folder.path().join("slim");
    let prune = ["prune", &shipped(), "--out", &path(&slim), "--schedule", "search", "--times", &times];
    let told = run(&[&prune[..], &["--target-time", "0.8x"], &PRUNED].concat()).with(0);
    assert!(told.err.contains("time for a token behind 8 others: 2.000 ms"), "{}", told.err);
    let figures = read(&slim.join("slimgpt-eval.json"));
    let of = |metric: &str| {
        let entries = figures["entries"].as_array().unwrap();
        number(entries.iter().find(|entry| entry["metric"] == metric).unwrap(), "value")
    };
    let layers = &read(&slim.join("slimgpt-search.json"))["targets"][0]["layers"];
    assert!((of("ms a token, predicted") - milliseconds(layers, &table)).abs() < 1e-6);
    assert!((of("ms a token, dense") - 2.0).abs() < 1e-9 && of("ms a token") > 0.0);
    assert!(std::fs::read_to_string(slim.join("slimgpt-report.html")).unwrap().contains("ms a token, predicted"));
}

#[test]
fn a_layer_that_leaves_the_model_takes_no_time() {
    let folder = temporary();
    let (times, table) = table(folder.path());
    let slim = folder.path().join("slim");
    let prune =
        ["prune", &shipped(), "--out", &path(&slim), "--schedule", "search", "--whole-sites", "--times", &times];
    // A tenth of what layers take is left, and no half that stays takes less than a quarter of its time: of twelve
    // halves four stay at most.
    run(&[&prune[..], &["--target-time", "0.55x"], &PRUNED].concat()).with(0);
    let left = number(&read(&slim.join("config.json")), "num_hidden_layers");
    assert!((1.0..=4.0).contains(&left), "{left}");
    let figures = read(&slim.join("slimgpt-eval.json"));
    let entries = figures["entries"].as_array().unwrap();
    let predicted = entries.iter().find(|entry| entry["metric"] == "ms a token, predicted").unwrap();
    let layers = &read(&slim.join("slimgpt-search.json"))["targets"][0]["layers"];
    assert!((number(predicted, "value") - milliseconds(layers, &table)).abs() < 1e-6, "{predicted} {layers}");
    assert!(number(predicted, "value") <= 1.1 + 1e-9, "{predicted}");
}

#[test]
fn times_of_nothing_and_of_something_else_are_refused() {
    let folder = temporary();
    let (times, table) = table(folder.path());
    let (model, out) = (shipped(), path(&folder.path().join("plan.json")));
    let search = ["search", &model, "--out", &out, "--target-time", "0.8x"];
    run(&search).with(2).saying(&["slimgpt bench MODEL --times FILE"]);
    let prune = ["prune", &model, "--out", &out, "--schedule", "search", "--target-time", "0.8x"];
    run(&prune).with(2).saying(&["slimgpt bench MODEL --times FILE"]);
    // A curve knows no times.
    run(&["plan", &model, "--target-time", "0.8x"]).with(2).saying(&["searched for", "--schedule search"]);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut other = table.clone();
        change(&mut other);
        let file = folder.path().join("other.json");
        std::fs::write(&file, other.to_string()).unwrap();
        run(&[&search[..], &["--times", &path(&file)], &SEARCHED].concat())
    };
    with(&|table| table["device"] = json!("another")).with(1).saying(&["another device (another)", "slimgpt bench"]);
    with(&|table| table["model"] = json!("0")).with(1).saying(&["model of other sizes", "slimgpt bench"]);
    with(&|table| table["points"] = json!([])).with(2).saying(&["no table of times", "other.json"]);
    let asked = |time: &str| run(&[&search[..4], &["--target-time", time, "--times", &times], &SEARCHED[..]].concat());
    asked("5ms").with(2).saying(&["5.000 ms", "2.000 ms as it is"]);
    asked("1.001ms").with(2).saying(&["allow more time"]);
    asked("80%").with(2).saying(&["0.8x"]);
    run(&[&search[..], &["--target", "0.2", "--times", &times]].concat()).with(2).saying(&["--target"]);
}
