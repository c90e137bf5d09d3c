//! Three processes make what three devices of one process make, byte for byte.

use serde_json::Value;
use tempfile::tempdir;

use crate::folders::assert_same;
use crate::{EACH, THREE, alone, ended, processes, shipped, text};

/// A pruning that takes a moment.
fn typed<'a>(model: &'a str, out: &'a str, more: &[&'a str], devices: &[&'a str]) -> Vec<&'a str> {
    let small = ["--target", "0.3", "--samples", "12", "--seq-len", "64"];
    [&["prune", model, "--out", out], &small[..], more, devices].concat()
}

/// Prunes by one process with three devices and twice by three processes, and compares.
#[track_caller]
fn check(more: &[&str]) {
    let folder = tempdir().unwrap();
    let [threads, first, second] = ["threads", "first", "second"].map(|name| text(&folder.path().join(name)));
    let model = shipped();
    ended(alone(&typed(&model, &threads, more, &THREE)), 0);
    for out in [&first, &second] {
        let (said, _) = ended(processes(3, &typed(&model, out, more, &EACH)), 0);
        // Only one of them prints.
        assert_eq!(said.matches("the pruned model is in").count(), 1, "{said}");
        assert_same(&threads, out);
    }
}

#[test]
fn by_optimal_brain_surgeon() {
    check(&[]);
}

#[test]
fn drawn_to_the_dense_model() {
    check(&["--residual", "0.5"]);
}

#[test]
fn by_scores_that_one_of_them_computes_from_gradients() {
    check(&["--method", "llm-pruner"]);
}

/// Some minutes: 200 steps of training, three times.
#[test]
fn by_training_that_one_of_them_does() {
    check(&["--method", "loraprune"]);
}

#[test]
fn by_sizes_that_follow_from_the_windows_of_all() {
    check(&["--method", "flap"]);
}

#[test]
fn with_a_measurement_before_and_after() {
    let text = format!("{}/eval.txt", shipped());
    check(&["--text", &text]);
}

/// One figure of what was printed as JSON.
#[track_caller]
fn figure(printed: &str, name: &str) -> f64 {
    let printed: Value = serde_json::from_str(printed).unwrap_or_else(|e| panic!("{e}: {printed}"));
    printed[name].as_f64().unwrap_or_else(|| panic!("no {name} in {printed}"))
}

#[test]
fn perplexity_is_that_of_three_devices() {
    let (model, eval) = (shipped(), format!("{}/eval.txt", shipped()));
    for protocol in ["window", "rolling", "strided"] {
        let fixed = ["ppl", &model, "--text", &eval, "--seq-len", "64", "--protocol", protocol, "--json"];
        let (threads, _) = ended(alone(&[&fixed[..], &THREE].concat()), 0);
        let (first, _) = ended(processes(3, &[&fixed[..], &EACH].concat()), 0);
        assert_eq!(figure(&first, "perplexity"), figure(&threads, "perplexity"), "{protocol}");
        assert!(first.contains("\"3 × cpu\""), "{first}");
    }
}

#[test]
fn a_comparison_prunes_and_measures_on_all() {
    let folder = tempdir().unwrap();
    let (model, eval) = (shipped(), format!("{}/eval.txt", shipped()));
    let table = |command: fn(&[&str]) -> std::process::Command, devices: &[&'static str], name: &str| {
        let out = text(&folder.path().join(name));
        let fixed = ["compare", &model, "--text", &eval, "--out", &out, "--samples", "4", "--seq-len", "64"];
        let more = ["--windows", "4", "--methods", "magnitude,exact", "--targets", "0.2", "--json"];
        let (printed, _) = ended(command(&[&fixed[..], &more, devices].concat()), 0);
        let rows: Vec<Value> = serde_json::Deserializer::from_str(&printed).into_iter().map(Result::unwrap).collect();
        let mut figures = Vec::new();
        rows.iter().for_each(|row| collect(row, &mut figures));
        assert!(figures.len() >= 2, "{printed}");
        figures
    };
    let threads = table(alone, &THREE, "threads");
    assert_eq!(table(|arguments| processes(3, arguments), &EACH, "processes"), threads);
}

/// Every perplexity in a value, in order.
fn collect(value: &Value, figures: &mut Vec<f64>) {
    match value {
        Value::Object(map) => {
            figures.extend(map.get("perplexity").and_then(Value::as_f64));
            map.values().for_each(|inner| collect(inner, figures));
        }
        Value::Array(list) => list.iter().for_each(|inner| collect(inner, figures)),
        _ => {}
    }
}
