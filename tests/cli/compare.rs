//! `compare` over seeds, dampings and heads, with tasks and latency; and what a folder of results keeps.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::{Ended, another_model, path, run, shipped, temporary};

const FIXED: [&str; 14] = [
    "--methods",
    "exact",
    "--targets",
    "0.3",
    "--samples",
    "6",
    "--seq-len",
    "64",
    "--windows",
    "4",
    "--eval-seq-len",
    "64",
    "--device",
    "cpu",
];

fn compare(model: &str, out: &str, more: &[&str]) -> Ended {
    let text = format!("{}/eval.txt", shipped());
    let calibration = format!("{}/calibration.txt", shipped());
    let texts = ["--text", &text, "--calibration", &calibration];
    run(&[&["compare", model, "--out", out], &FIXED[..], &texts, more].concat())
}

/// Every file of a folder and of its folders.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        match entry.is_dir() {
            true => all.extend(contents(&entry)),
            false => drop(all.insert(path(&entry), std::fs::read(&entry).unwrap())),
        }
    }
    all
}

fn perplexity(row: &Value) -> f64 {
    row["measured"]["perplexity"].as_f64().unwrap()
}

#[test]
fn seeds_heads_and_dampings_are_lists_and_seeds_have_a_mean() {
    let folder = temporary();
    let out = path(&folder.path().join("out"));
    let lists = ["--seed", "3,1,2", "--damping", "0.01,0.1"];
    let found = compare(&shipped(), &out, &[&lists[..], &["--json"]].concat()).with(0).json();
    let rows = found["rows"].as_array().unwrap();
    let choices: Vec<(u64, f64)> =
        rows.iter().map(|r| (r["seed"].as_u64().unwrap(), r["damping"].as_f64().unwrap())).collect();
    assert_eq!(choices, [(3, 0.01), (3, 0.1), (1, 0.01), (1, 0.1), (2, 0.01), (2, 0.1)], "in the order that was typed");
    let over = &found["over_seeds"];
    assert_eq!(over.as_array().unwrap().len(), 2);
    assert_eq!((&over[1]["seeds"], &over[1]["damping"]), (&json!([3, 1, 2]), &json!(0.1)));
    // Mean and sample deviation, by hand.
    let [a, b, c] = [1, 3, 5].map(|i| perplexity(&rows[i]));
    let mean = (a + b + c) / 3.0;
    let deviation = (((a - mean).powi(2) + (b - mean).powi(2) + (c - mean).powi(2)) / 2.0).sqrt();
    assert!((over[1]["perplexity"]["mean"].as_f64().unwrap() - mean).abs() < 1e-12);
    assert!((over[1]["perplexity"]["standard_deviation"].as_f64().unwrap() - deviation).abs() < 1e-9);
    assert!(deviation > 0.0, "other windows are another figure");
    let shown = compare(&shipped(), &out, &lists).with(0);
    assert_eq!(shown.err.matches("(done before)").count(), 6, "{}", shown.err);
    for word in ["seed", "damping", "seeds", &format!("{mean:.4} ± {deviation:.4}")] {
        assert!(shown.out.contains(word), "{word}: {}", shown.out);
    }
    let heads = compare(&shipped(), &out, &["--heads", "kv,query", "--json"]).with(0).json();
    let sizes = [0, 1].map(|i| heads["rows"][i]["measured"]["relative_error"].as_f64().unwrap());
    assert!(heads["rows"][1]["heads"] == "query" && sizes[0] != sizes[1], "{heads}");
    let csv = std::fs::read_to_string(Path::new(&out).join("compare.csv")).unwrap();
    assert!(csv.lines().nth(3).unwrap().contains(",query,0.01,0,"), "{csv}");
}

#[test]
fn another_comparison_in_the_same_folder_takes_nothing_away() {
    let folder = temporary();
    let out = path(&folder.path().join("out"));
    let first = compare(&shipped(), &out, &["--seed", "0", "--keep-weights", "--json"]).with(0).json();
    let own = first["rows"][0]["folder"].as_str().unwrap();
    assert!(!own.contains("seed") && own.starts_with("exact-0.3-log-calibration-6x64-"), "{own}");
    let kept = Path::new(&out).join(own);
    let before = contents(&kept);
    assert!(before.keys().any(|name| name.ends_with("model.safetensors")));
    let others = compare(&shipped(), &out, &["--seed", "0,5", "--damping", "0.2", "--json"]).with(0).json();
    assert!(others["rows"].as_array().unwrap().iter().all(|row| row["folder"] != *own));
    compare(&shipped(), &out, &["--seed", "0", "--eval-bos", "each"]).with(0);
    // Measured otherwise as well, it has one more figure; its weights and its report are what they were.
    let after = contents(&kept);
    let differing: Vec<&String> = before.keys().filter(|name| before[*name] != after[*name]).collect();
    assert!(
        differing.iter().all(|name| name.ends_with("slimgpt-eval.json") || name.ends_with(".html")),
        "{differing:?}"
    );
    let again = compare(&shipped(), &out, &["--seed", "0", "--json"]).with(0).json();
    assert_eq!((&again["rows"], &again["dense"]), (&first["rows"], &first["dense"]), "nothing is done again");
}

#[test]
fn a_folder_keeps_to_one_model_wherever_that_lies() {
    let folder = temporary();
    let out = path(&folder.path().join("out"));
    compare(&shipped(), &out, &[]).with(0);
    let before = contents(Path::new(&out));
    let other = another_model(&folder);
    compare(&other, &out, &[]).with(2).saying(&["another model", "tiny_model", "--out"]);
    assert_eq!(contents(Path::new(&out)), before);
    // The same files elsewhere are the same model.
    let moved = folder.path().join("moved");
    std::fs::create_dir(&moved).unwrap();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        std::fs::copy(Path::new(&shipped()).join(file), moved.join(file)).unwrap();
    }
    compare(&path(&moved), &out, &[]).with(0);
}

#[test]
fn tasks_and_latency_are_columns_as_eval_and_bench_have_them() {
    let folder = temporary();
    let (out, tasks) = (path(&folder.path().join("out")), path(folder.path()));
    let row =
        |sol: &str| format!("{{\"goal\": \"One day\", \"sol1\": \"{sol}\", \"sol2\": \"qqq zz\", \"label\": 0}}\n");
    std::fs::write(folder.path().join("piqa.jsonl"), ["Mia went out.", "the dog ran.", "x"].map(row).concat()).unwrap();
    let timed = ["--bench", "--prompt-tokens", "4", "--new-tokens", "4", "--repeats", "2"];
    let asked = [&["--tasks", "piqa", "--task-dir", &tasks], &timed[..]].concat();
    let found = compare(&shipped(), &out, &[&asked[..], &["--json", "--keep-weights"]].concat()).with(0).json();
    let pruned = path(&Path::new(&out).join(found["rows"][0]["folder"].as_str().unwrap()));
    for (measured, model) in [(&found["dense"], &shipped()), (&found["rows"][0]["measured"], &pruned)] {
        let eval = ["eval", model, "--tasks", "piqa", "--task-dir", &tasks, "--device", "cpu", "--json"];
        let eval = run(&eval).with(0).json();
        for task in measured["tasks"].as_array().unwrap() {
            let same = &eval["tasks"][0]["metrics"][task["metric"].as_str().unwrap()];
            assert_eq!((&task["value"], &task["stderr"], &task["n"]), (&same["value"], &same["stderr"], &same["n"]));
            assert_eq!(task["what"], eval["tasks"][0]["what"]);
        }
        assert_eq!(measured["tasks"].as_array().unwrap().len(), 3);
        assert!(measured["latency"]["seconds"].as_f64() > Some(0.0) && measured["latency"]["repeats"] == 2);
    }
    let shown = compare(&shipped(), &out, &asked).with(0);
    for word in ["piqa", "latency", "±", "4 tokens written one by one", "(done before)"] {
        assert!(format!("{}{}", shown.out, shown.err).contains(word), "{word}: {}", shown.out);
    }
    let csv = std::fs::read_to_string(Path::new(&out).join("compare.csv")).unwrap();
    let header = csv.lines().next().unwrap();
    assert!(header.ends_with("piqa_acc,piqa_acc_norm,piqa_acc_bytes,latency_seconds,latency_deviation,prefill_tokens_per_second,decode_tokens_per_second"), "{header}");
    assert!(csv.lines().all(|line| !line.ends_with(',')), "{csv}");
    compare(&shipped(), &out, &["--tasks", "trec", "--task-dir", &tasks]).with(1);
    std::fs::write(folder.path().join("piqa.jsonl"), "{\"goal\": 1}\n").unwrap();
    compare(&shipped(), &out, &["--tasks", "piqa", "--task-dir", &tasks]).with(1).saying(&["--skip-bad-rows"]);
}
