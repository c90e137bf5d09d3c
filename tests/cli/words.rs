//! Help, version, manual pages and completions; devices and sizes as people type them.

use crate::{ended, path, program, run, shipped, temporary};

const COMMANDS: [&str; 12] = [
    "prune",
    "ppl",
    "eval",
    "generate",
    "bench",
    "inspect",
    "plan",
    "devices",
    "compare",
    "report",
    "demo",
    "completions",
];

#[test]
fn a_short_help_is_short_and_a_long_one_has_examples() {
    for command in COMMANDS {
        let (short, long) = (run(&[command, "-h"]).with(0).out, run(&[command, "--help"]).with(0).out);
        assert!(short.lines().count() <= 50, "{command}: {} lines\n{short}", short.lines().count());
        assert!(!short.contains("Examples:"), "{command}");
        assert!(long.contains("Examples:") && long.lines().count() > short.lines().count() + 3, "{command}");
        assert!(short.contains("examples: --help"), "{command}: {short}");
    }
    let short = run(&["-h"]).with(0).out;
    assert!(short.lines().count() <= 35 && short.contains("130") && !short.contains("Examples:"), "{short}");
}

#[test]
fn the_version_names_the_commit_where_there_is_a_history() {
    let said = run(&["--version"]).with(0).out;
    let plain = concat!("slimgpt ", env!("CARGO_PKG_VERSION"));
    assert!(said.starts_with(plain), "{said}");
    let head =
        std::process::Command::new("git").args(["rev-parse", "HEAD"]).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let history = head
        .ok()
        .filter(|head| head.status.success() && std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(".git").exists());
    match history {
        None => assert_eq!(said.trim(), plain),
        Some(head) => {
            let commit = said.trim().strip_prefix(plain).unwrap().trim_matches([' ', '(', ')']);
            assert!(commit.len() >= 7 && String::from_utf8_lossy(&head.stdout).starts_with(commit), "{said}");
        }
    }
    assert_eq!(run(&["-V"]).with(0).out, said);
}

#[test]
fn there_is_a_page_for_man_of_every_command() {
    let page = run(&["man"]).with(0).out;
    assert!(page.contains(".TH slimgpt 1") && page.contains("slimgpt\\-prune"), "{page}");
    for command in COMMANDS {
        let page = run(&["man", command]).with(0).out;
        assert!(page.contains(".SH SYNOPSIS") && page.contains(&format!("slimgpt\\-{command}")), "{page}");
    }
    assert!(run(&["man", "export", "gguf"]).with(0).out.contains("llama.cpp"));
    run(&["man", "abacus"]).with(2).saying(&["abacus"]);
}

#[test]
fn completions_know_the_values() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell]).with(0).out;
        for value in
            ["auto", "log-decrease", "grouped-cholesky", "one-by-one", "bf16", "wanda-sp", "arc_challenge", "rolling"]
        {
            assert!(script.contains(value), "{shell}: {value}");
        }
    }
}

#[test]
fn variables_stand_for_flags_and_are_in_the_help() {
    let (folder, model) = (temporary(), shipped());
    let help = run(&["prune", "--help"]).with(0).out;
    assert!(help.contains("SLIMGPT_DEVICE") && help.contains("SLIMGPT_MEMORY"), "{help}");
    let out = path(&folder.path().join("out"));
    let prune = ["prune", &model, "--out", &out, "--target", "0.2", "--samples", "4", "--seq-len", "64"];
    let with = |name: &str, value: &str, more: &[&str]| ended(program(&[&prune[..], more].concat()).env(name, value));
    with("SLIMGPT_DEVICE", "abacus", &[]).with(1).saying(&["abacus"]);
    with("SLIMGPT_DEVICE", "cuda", &[]).with(2).saying(&["type gpu", "SLIMGPT_DEVICE"]);
    with("SLIMGPT_MEMORY", "1M", &["--device", "cpu"]).with(1).saying(&["host"]);
    // What is set to nothing is not set.
    with("SLIMGPT_MEMORY", "", &["--device", "cpu"]).with(0);
    std::fs::remove_dir_all(&out).unwrap();
    // What is typed goes before what is set.
    with("SLIMGPT_DEVICE", "abacus", &["--device", "cpu"]).with(0);
}

#[test]
fn devices_are_asked_for_in_many_ways_and_all_are_shown() {
    let model = shipped();
    let on =
        |device: &str| run(&["generate", &model, "--prompt", "One", "--max-tokens", "1", "--device", device, "--json"]);
    assert_eq!(on("CPU").with(0).json()["device"], "cpu");
    for (typed, advised) in
        [("cuda", "type gpu "), ("cuda:0", "type gpu:0 "), ("MPS", "type metal "), ("rocm", "type gpu ")]
    {
        on(typed).with(2).saying(&["--device", advised, "slimgpt devices"]);
    }
    let there = run(&["devices", "--json"]).with(0).json();
    let table = run(&["devices"]).with(0).out;
    for adapter in there["adapters"].as_array().unwrap() {
        let words = adapter["device"].as_array().unwrap();
        assert!(!words.is_empty(), "{adapter}");
        for word in words.iter().map(|word| word.as_str().unwrap()) {
            assert!(table.contains(word), "{word}: {table}");
            // Every word that is shown opens what it is shown for.
            let found = on(&word.to_uppercase()).with(0).json();
            assert_eq!(found["device"], adapter["name"], "{word}");
        }
        // A part of the name, with its comma where it has one.
        let name = adapter["name"].as_str().unwrap();
        let part = name.split_once(", ").map_or(name, |(before, _)| &name[before.len() - 3..]);
        assert_eq!(on(&part.to_uppercase()).with(0).json()["device"], adapter["name"], "{part}");
    }
    on("vulkan:99").with(1).saying(&["vulkan:99", "cpu"]);
}

#[test]
fn sizes_are_taken_as_other_programs_take_them() {
    let model = shipped();
    for size in ["8G", "8gb", "8GiB", "512M", "1.5GB"] {
        run(&["plan", &model, "--target", "0.2", "--device", "cpu", "--memory", size]).with(0);
    }
    run(&["plan", &model, "--target", "0.2", "--memory", "8 apples"]).with(2).saying(&["8 apples", "8GiB", "2^30"]);
}
