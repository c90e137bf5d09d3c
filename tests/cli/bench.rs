//! `bench`: its figures on the shipped model, and what it says of contexts that are too short.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::{path, program, run, shipped, temporary};

const SHORT: [&str; 8] = ["--device", "cpu", "--prompt-tokens", "16", "--new-tokens", "8", "--repeats", "3"];

#[test]
fn dense_and_pruned_stand_side_by_side() {
    let folder = temporary();
    let (dense, pruned) = (shipped(), path(&folder.path().join("pruned")));
    let small = ["--target", "0.5", "--device", "cpu", "--samples", "8", "--seq-len", "64"];
    run(&[&["prune", &dense, "--out", &pruned], &small[..]].concat()).with(0);
    let object = run(&[&["bench", &dense, &pruned, "--json"], &SHORT[..]].concat()).with(0).json();
    let [first, second] = [0, 1].map(|i| &object["models"][i]);
    for count in ["parameters", "bytes_on_disk", "multiply_adds_total", "weight_bytes", "cache_bytes_per_token"] {
        assert!(first[count].as_u64() > second[count].as_u64(), "{count}: {object}");
    }
    for model in [first, second] {
        assert_eq!(model["speed"]["latency"]["each"].as_array().unwrap().len(), 3);
        assert!(model["prefill_tokens_per_second"].as_f64() > Some(0.0));
        assert!(model["decode_tokens_per_second"].as_f64() > Some(0.0));
        assert!(model["peak"]["host_bytes"].as_u64() > model["weight_bytes"].as_u64(), "{model}");
        assert!(model["peak"]["device_bytes"].is_null(), "{model}");
    }
    let size = std::fs::metadata(format!("{dense}/model.safetensors")).unwrap().len();
    assert_eq!(first["bytes_on_disk"], size);
    let shown = run(&[&["bench", &dense, &pruned], &SHORT[..]].concat()).with(0);
    for word in ["prefill tokens/s", "decode tokens/s", "latency", "±", "peak on the host", "(1.00×)", "on cpu"] {
        assert!(shown.out.contains(word), "{word}: {}", shown.out);
    }
}

#[test]
fn a_gpu_tells_what_its_allocator_holds() {
    let model = shipped();
    let arguments = [
        "bench",
        &model,
        "--json",
        "--device",
        "llvmpipe",
        "--prompt-tokens",
        "4",
        "--new-tokens",
        "2",
        "--repeats",
        "1",
    ];
    let object = run(&arguments).with(0).json();
    let cost = &object["models"][0];
    assert!(cost["peak"]["device_bytes"].as_u64() >= cost["weight_bytes"].as_u64(), "{cost}");
}

#[test]
fn a_context_that_is_too_short_shortens_and_says_so() {
    let model = shipped();
    let arguments =
        ["bench", &model, "--device", "cpu", "--prompt-tokens", "600", "--new-tokens", "2", "--repeats", "1"];
    let printed = run(&[&arguments[..], &["--json"]].concat()).with(0);
    assert_eq!(printed.json()["timed"]["prompt_tokens"], 512);
    assert!(printed.err.contains("only 512 tokens"), "{}", printed.err);
}

#[test]
fn wrong_use_is_told() {
    run(&["bench"]).with(2).saying(&["MODEL"]);
    run(&["bench", "no/such/folder"]).with(1).saying(&["no/such/folder"]);
    run(&["bench", &shipped(), "--repeats", "0"]).with(2).saying(&["--repeats"]);
}

#[test]
fn a_pruned_models_report_has_the_memory_it_took() {
    let folder = temporary();
    for device in ["cpu", "llvmpipe"] {
        let (model, out) = (shipped(), path(&folder.path().join(device)));
        let small = ["--target", "0.3", "--device", device, "--samples", "4", "--seq-len", "32"];
        let printed = run(&[&["prune", &model, "--out", &out], &small[..]].concat()).with(0);
        assert!(
            printed.out.contains("most memory in use") && printed.out.contains("planned on the host"),
            "{}",
            printed.out
        );
        let timing = &run(&["inspect", &out, "--json"]).with(0).json()["report"]["timing"];
        assert!(timing["peak_host_bytes"].as_u64() > Some(1 << 20), "{timing}");
        assert_eq!(timing["peak_device_bytes"].as_u64() > Some(0), device != "cpu", "{timing}");
    }
}

#[test]
#[cfg(unix)]
fn ctrl_c_ends_a_measurement() {
    let model = shipped();
    let mut command = program(&["bench", &model, "--device", "cpu", "--repeats", "100000"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.by_ref().any(|line| line.contains(&model)), "the measurement begins");
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let said: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said:?}");
    assert!(
        said.iter().any(|line| line.contains("stopping")) && !said.iter().any(|line| line.contains("error")),
        "{said:?}"
    );
}
