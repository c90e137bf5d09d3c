//! What the commands do, on the shipped model.

use serde_json::{Value, json};

use crate::{another_model, data, path, run, shipped, temporary};

/// Little text, so that a run takes a second.
const SMALL: [&str; 6] = ["--device", "cpu", "--samples", "8", "--seq-len", "64"];

fn prune(model: &str, out: &str, arguments: &[&str]) -> crate::Ended {
    run(&[&["prune", model, "--out", out], &SMALL[..], arguments].concat())
}

fn evaluation_text() -> String {
    format!("{}/eval.txt", shipped())
}

fn perplexity(model: &str) -> Value {
    let text = evaluation_text();
    let fixed = [
        "ppl",
        model,
        "--text",
        &text,
        "--seq-len",
        "128",
        "--windows",
        "8",
        "--bos",
        "each",
        "--device",
        "cpu",
        "--json",
    ];
    run(&fixed).with(0).json()
}

#[test]
fn perplexity_is_one_object_with_its_protocol() {
    let found = perplexity(&shipped());
    assert_eq!(found["windows"], 8);
    assert_eq!(found["tokens"], 8 * 127);
    assert_eq!(found["bos"], "each");
    assert_eq!(found["seq_len"], 128);
    let perplexity = found["perplexity"].as_f64().unwrap();
    assert!(perplexity > 1.0 && perplexity < 10.0, "the shipped model has learnt its stories: {perplexity}");
}

#[test]
fn the_known_perplexity_of_stories260k() {
    let Some(data) = data() else { return };
    let (model, text) = (path(&data.join("models/stories260K")), path(&data.join("text/tinystories-eval.txt")));
    let fixed = [
        "ppl",
        &model,
        "--text",
        &text,
        "--seq-len",
        "256",
        "--windows",
        "64",
        "--bos",
        "each",
        "--device",
        "cpu",
        "--json",
    ];
    let found = run(&fixed).with(0).json();
    let perplexity = found["perplexity"].as_f64().unwrap();
    assert!((perplexity / 6.3327 - 1.0).abs() < 1e-4, "{perplexity}");
}

#[test]
fn pruning_makes_a_smaller_folder_that_every_command_opens() {
    let folder = temporary();
    let (model, out) = (shipped(), path(&folder.path().join("out")));
    let printed = prune(&model, &out, &["--target", "0.3"]).with(0);
    assert!(printed.out.contains("measured error") && printed.out.contains("→"), "{}", printed.out);
    assert!(printed.err.contains("memory on the host") && printed.err.contains("ETA"), "{}", printed.err);
    let seen = run(&["inspect", &out, "--json"]).with(0).json();
    assert!(seen["parameters"].as_u64().unwrap() < seen["dense_parameters"].as_u64().unwrap());
    assert_eq!(seen["report"]["layers"].as_array().unwrap().len(), seen["layers"].as_array().unwrap().len());
    let shown = run(&["inspect", &out]).with(0).out;
    assert!(shown.contains("less than the") && shown.contains("pruned from"), "{shown}");
    assert!(perplexity(&out)["perplexity"].as_f64() > perplexity(&model)["perplexity"].as_f64());
    let text = run(&["generate", &out, "--prompt", "One day", "--max-tokens", "8", "--device", "cpu"]).with(0).out;
    assert!(text.starts_with("One day") && text.trim_end().len() > "One day".len(), "{text}");
    let again = path(&folder.path().join("again"));
    prune(&out, &again, &["--target", "0.2", "--calibration", &evaluation_text()]).with(0);
}

#[test]
fn a_finished_run_is_told_and_another_needs_overwrite() {
    let folder = temporary();
    let (model, out) = (shipped(), path(&folder.path().join("out")));
    prune(&model, &out, &["--target", "0.2"]).with(0);
    let again = prune(&model, &out, &["--target", "0.2"]).with(0);
    assert!(again.err.contains("finished already"), "{}", again.err);
    prune(&model, &out, &["--target", "0.3"]).with(2).saying(&["--overwrite"]);
    prune(&model, &out, &["--target", "0.3", "--overwrite"]).with(0);
    assert_eq!(run(&["inspect", &out, "--json"]).json()["report"]["plan"]["request"]["target"]["ratio"], 0.3);
}

#[test]
fn the_events_are_json_lines_from_planned_to_finished() {
    let folder = temporary();
    let (model, out) = (shipped(), path(&folder.path().join("out")));
    let printed = prune(&model, &out, &["--target", "0.2", "--json"]).with(0);
    let events: Vec<Value> = printed.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |name: &str| events.iter().filter(|e| e["event"] == name).collect::<Vec<_>>();
    assert_eq!(events[0]["event"], "planned");
    assert_eq!(events.last().unwrap()["event"], "finished");
    assert_eq!(of("layer_done").len(), 6);
    assert!(of("layer_done").iter().all(|e| e["tokens_per_second"].as_f64().unwrap() > 0.0));
    assert!(events.windows(2).all(|e| e[0]["seconds"].as_f64() <= e[1]["seconds"].as_f64()));
}

#[test]
fn a_failure_is_the_last_json_line_too() {
    let folder = temporary();
    let (model, out) = (another_model(&folder), path(&folder.path().join("out")));
    let printed = prune(&model, &out, &["--target", "0.2", "--json"]).with(2);
    assert_eq!(printed.json()["event"], "failed");
    assert_eq!(printed.json()["exit_code"], 2);
}

#[test]
fn a_plan_meets_its_target_without_a_device() {
    let model = shipped();
    let plan = run(&["plan", &model, "--target-params", "900k", "--channel-multiple", "1", "--json"]).with(0).json();
    let after = plan["parameters_after"].as_f64().unwrap();
    assert!((after / 900e3 - 1.0).abs() < 0.01, "{after}");
    let shown = run(&["plan", &model, "--target", "0.2"]).with(0).out;
    assert!(shown.contains("memory on the device") && shown.contains("ratio"), "{shown}");
}

#[test]
fn what_is_given_beside_the_paper_preset_holds() {
    let model = shipped();
    let plan = |arguments: &[&str]| {
        run(&[&["plan", &model, "--target", "0.2", "--json", "--paper"], arguments].concat()).with(0).json()
    };
    let preset = plan(&[]);
    assert_eq!(preset["request"]["options"]["score"], "grouped-cholesky");
    assert_eq!(preset["request"]["channel_steps"]["dynamic"]["floor"], 8);
    assert_eq!(preset["request"]["activations"], "f32");
    let other = plan(&["--channels", "dynamic:64", "--score", "diagonal", "--activations", "f16"]);
    assert_eq!(other["request"]["activations"], "f16");
    assert_eq!(other["request"]["options"]["score"], "diagonal");
    assert_eq!(other["request"]["channel_steps"]["dynamic"]["floor"], 64);
}

#[test]
fn a_list_of_ratios_needs_no_target() {
    let folder = temporary();
    let (model, file) = (shipped(), folder.path().join("ratios.txt"));
    std::fs::write(&file, "0 0.1 0.2 0.2 0.2 0.3\n").unwrap();
    let plan = run(&["plan", &model, "--schedule", &path(&file), "--json"]).with(0).json();
    assert_eq!(plan["layers"][0]["ratio"], json!({ "heads": 0.0, "channels": 0.0 }));
    assert_eq!(plan["layers"][5]["ratio"], json!({ "heads": 0.3, "channels": 0.3 }));
}

#[test]
fn too_little_memory_is_refused_with_numbers_and_a_remedy() {
    let folder = temporary();
    let (model, out) = (shipped(), path(&folder.path().join("out")));
    prune(&model, &out, &["--target", "0.2", "--memory", "1MiB"]).with(1).saying(&["1.00 MiB", "needs"]);
}

#[test]
fn devices_lists_the_cpu_and_the_software_adapter_by_kind() {
    let seen = run(&["devices", "--json"]).with(0).json();
    assert_eq!(seen["cpu"], true);
    let adapters = seen["adapters"].as_array().unwrap();
    assert!(adapters.iter().all(|a| a["name"].is_string() && a["max_binding_bytes"].as_u64() > Some(0)), "{seen}");
    let table = run(&["devices"]).with(0).out;
    assert!(table.contains("CPU executor") && table.contains(" free"), "{table}");
    let software = adapters.iter().find(|a| a["name"].as_str().is_some_and(|name| name.contains("llvmpipe"))).unwrap();
    // It computes in the memory of this machine; older ones do not tell what is free.
    let (all, free) = (software["memory_bytes"].as_u64(), &software["free_bytes"]);
    assert!(all > Some(1 << 28) && (free.is_null() || free.as_u64() <= all), "{software}");
}

#[test]
fn a_plan_needs_no_more_than_the_sizes() {
    let folder = temporary();
    let config = |name: &str, sizes: Value| {
        let common = json!({ "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 32000,
            "max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "tie_word_embeddings": false });
        let [Value::Object(mut config), Value::Object(sizes)] = [common, sizes] else {
            unreachable!("both are objects")
        };
        config.extend(sizes);
        let to = folder.path().join(name);
        std::fs::create_dir(&to).unwrap();
        std::fs::write(to.join("config.json"), Value::Object(config).to_string()).unwrap();
        path(&to)
    };
    let small = config(
        "7b",
        json!({ "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
        "num_attention_heads": 32 }),
    );
    let large = config(
        "70b",
        json!({ "hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80,
        "num_attention_heads": 64, "num_key_value_heads": 8 }),
    );
    let plan = |model: &str, memory: &str| {
        run(&["plan", model, "--target", "0.5", "--samples", "256", "--seq-len", "2048", "--memory", memory, "--json"])
    };
    for (model, memory, most, parameters) in
        [(&small, "6GB", 6_000_000_000, 6_738_415_616u64), (&large, "24GB", 24_000_000_000, 68_976_648_192)]
    {
        let planned = plan(model, memory).with(0);
        assert!(planned.err.contains("weights are not there"), "{}", planned.err);
        let planned = planned.json();
        assert_eq!(planned["parameters_before"].as_u64(), Some(parameters));
        assert!(planned["memory"]["device_bytes"].as_u64() <= Some(most), "{}", planned["memory"]);
    }
    plan(&large, "8GB").with(1).saying(&["the device needs", "--memory"]);
    // Whoever needs the weights is told that they are not there.
    run(&["prune", &small, "--target", "0.5", "--out", &path(&folder.path().join("out"))])
        .with(1)
        .saying(&["no model.safetensors"]);
}

#[test]
fn a_named_software_adapter_keeps_what_the_cpu_keeps() {
    let folder = temporary();
    let kept = |device: &str| {
        let (model, out) = (shipped(), path(&folder.path().join(device)));
        let fixed = [
            "prune",
            &model,
            "--out",
            &out,
            "--samples",
            "8",
            "--seq-len",
            "64",
            "--target",
            "0.3",
            "--device",
            device,
        ];
        run(&fixed).with(0);
        let report = &run(&["inspect", &out, "--json"]).with(0).json()["report"];
        let layers = report["layers"].as_array().unwrap();
        layers.iter().map(|l| l["kept_kv_heads"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(kept("llvmpipe"), kept("cpu"));
}

#[test]
fn the_demo_prints_a_table_and_three_continuations() {
    let printed = run(&["demo", "--device", "cpu"]).with(0).out;
    for word in ["dense", "20 % pruned", "50 % pruned", "perplexity", "seconds", "is continued by"] {
        assert!(printed.contains(word), "{word}: {printed}");
    }
}
