//! Layers without attention or without a feed-forward part, as a user meets them: asked for by a flag, and taken by every
//! command.

use std::path::Path;

use serde_json::{Value, json};

use crate::{path, run, shipped, temporary};

const SMALL: [&str; 6] = ["--device", "cpu", "--samples", "8", "--seq-len", "64"];

/// Sizes of the shipped model's six layers: the second without attention, the third without channels, the fourth without
/// either.
fn sizes(folder: &Path) -> String {
    let layer = |heads: usize, kv_heads: usize, channels: usize| json!({ "heads": heads, "kv_heads": kv_heads, "channels": channels });
    let all = [layer(8, 4, 320), layer(0, 0, 352), layer(6, 3, 0), layer(0, 0, 0), layer(8, 4, 352), layer(4, 2, 64)];
    let file = folder.join("sizes.json");
    std::fs::write(&file, json!(all).to_string()).unwrap();
    path(&file)
}

fn read(file: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

#[test]
fn every_command_takes_a_model_whose_layers_lack_a_half() {
    let folder = temporary();
    let at = |name: &str| path(&folder.path().join(name));
    let (model, sizes, slim) = (shipped(), sizes(folder.path()), at("slim"));
    let prune = [&["prune", &model, "--schedule", &sizes, "--out", &slim], &SMALL[..]].concat();
    run(&prune).with(2).saying(&["layer 1 would lose its whole attention", "--whole-sites"]);
    run(&["plan", &model, "--schedule", &sizes]).with(2).saying(&["--whole-sites"]);
    let planned = run(&["plan", &model, "--schedule", &sizes, "--whole-sites", "--json"]).with(0).json();
    let told = run(&[&prune[..], &["--whole-sites"]].concat()).with(0);
    assert!(told.out.contains("3 → –") && told.out.contains("5 → 4"), "{}", told.out);
    let report = read(&folder.path().join("slim/slimgpt-report.json"));
    assert_eq!(planned["parameters_after"], report["parameters_after"]);
    let inspected = run(&["inspect", &slim, "--json"]).with(0).json();
    assert_eq!(inspected["layers"].as_array().unwrap().len(), 5);
    assert_eq!(inspected["parameters"], report["parameters_after"]);
    run(&["inspect", &slim]).with(0);
    let compat = run(&["inspect", &slim, "--compat", "--json"]).with(0);
    assert!(compat.out.contains("trust_remote_code") && compat.out.contains("export padded"), "{}", compat.out);

    // Plain, with zeros in the place of what is not there, it computes the same.
    run(&["export", "padded", &slim, "--out", &at("padded")]).with(0);
    run(&["export", "gguf", &slim, "--out", &at("slim.gguf")]).with(1).saying(&["feed-forward part", "export padded"]);
    run(&["export", "mlx", &slim, "--out", &at("mlx")]).with(1).saying(&["export padded"]);
    let text = at("text.txt");
    std::fs::write(&text, &slimgpt::shipped::EVALUATION[..3000]).unwrap();
    let ppl = |model: &str| {
        let typed = ["ppl", model, "--text", &text, "--device", "cpu", "--seq-len", "128", "--json"];
        run(&typed).with(0).json()["perplexity"].as_f64().unwrap()
    };
    assert!((ppl(&slim) / ppl(&at("padded")) - 1.0).abs() < 1e-4);
    let written = |model: &str| {
        let typed = ["generate", model, "--prompt", "Once upon a time", "--max-tokens", "16"];
        run(&[&typed[..], &["--device", "cpu", "--json"]].concat()).with(0).json()["text"].clone()
    };
    assert_eq!(written(&slim), written(&at("padded")));

    run(&["report", &slim, "--out", &at("page.html")]).with(0);
    let again = ["prune", &slim, "--target", "0.2", "--calibration", &text, "--out", &at("again")];
    run(&[&again[..], &SMALL[..]].concat()).with(0);
    run(&["plan", &slim, "--target", "0.2"]).with(0);
    let recover = ["recover", &slim, "--data", &text, "--out", &at("recovered"), "--device", "cpu", "--steps", "2"];
    run(&[&recover[..], &["--batch", "2", "--seq-len", "32", "--hold-out", "4"]].concat()).with(0);
    let recovered = run(&["inspect", &at("recovered"), "--json"]).with(0).json();
    let shapes = |inspected: &Value| -> Vec<Value> {
        inspected["layers"].as_array().unwrap().iter().map(|layer| layer["shape"].clone()).collect()
    };
    assert_eq!(shapes(&recovered), shapes(&inspected));
}

#[test]
fn a_search_finds_whole_sites_and_its_plan_needs_the_word_too() {
    let folder = temporary();
    let at = |name: &str| path(&folder.path().join(name));
    let (model, file) = (shipped(), at("plan.json"));
    let search = ["search", &model, "--targets", "0.2,0.9", "--out", &file, "--probe-windows", "2"];
    let refused = [&search[..], &SMALL[..]].concat();
    run(&refused).with(2).saying(&["the largest cuts that were probed"]);
    let told = run(&[&refused[..], &["--whole-sites"]].concat()).with(0);
    assert!(told.out.contains(" whole") && told.out.contains("0.9"), "{}", told.out);
    let found = read(Path::new(&file));
    let layers = found["targets"][1]["layers"].as_array().unwrap();
    let is_halved = |layer: &Value| layer["num_attention_heads"] == 0 || layer["intermediate_size"] == 0;
    assert!(layers.iter().any(is_halved), "{layers:?}");
    assert_eq!(found["map"]["whole"].as_array().unwrap().len(), 12);
    let prune = ["prune", &model, "--schedule", &file, "--target", "0.9", "--out", &at("slim")];
    let prune = [&prune[..], &SMALL[..]].concat();
    run(&prune).with(2).saying(&["--whole-sites"]);
    run(&[&prune[..], &["--whole-sites"]].concat()).with(0);
    let config = read(&folder.path().join("slim/config.json"));
    let is_gone = |layer: &&Value| layer["num_attention_heads"] == 0 && layer["intermediate_size"] == 0;
    assert_eq!(config["num_hidden_layers"], 6 - layers.iter().filter(is_gone).count());
    let both = ["search", &model, "--targets", "0.2", "--out", &at("other.json"), "--uniform", "--whole-sites"];
    run(&both).with(2).saying(&["--uniform"]);
}
