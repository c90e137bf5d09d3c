//! The commands of README.md, run as they stand: only the models and texts they name are small ones.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::{another_model, shipped, temporary};

/// The commands of this program in README.md, without what is said about them.
fn commands() -> Vec<String> {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let blocks = readme.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let lines = blocks.flat_map(|block| block.lines()).filter(|line| line.starts_with("slimgpt "));
    lines.map(|line| line.split(" # ").next().unwrap_or_default().trim().to_owned()).collect()
}

/// What makes a command quick, and changes nothing else: less text, fewer repeats.
fn quick(command: &str) -> &'static str {
    match command.split_whitespace().nth(1).unwrap_or_default() {
        "prune" => "--samples 4 --seq-len 64",
        "search" => "--samples 4 --seq-len 64 --probe-windows 2",
        "bench" => "--prompt-tokens 8 --new-tokens 4 --repeats 1",
        "generate" => "--max-tokens 4",
        "ppl" => "--windows 4",
        "eval" => "--limit 2",
        "recover" => "--steps 2 --batch 2 --hold-out 2",
        "compare" => "--samples 4 --seq-len 64 --windows 4 --methods magnitude,exact --targets 0.2",
        _ => "",
    }
}

/// Rows of the seven tasks, with the fields of their data sets.
const ROWS: [(&str, &str); 7] = [
    ("boolq", r#"{"question": "is a cat a dog", "passage": "A cat is a cat.", "answer": false}"#),
    ("piqa", r#"{"goal": "to eat", "sol1": "a spoon", "sol2": "a boat", "label": 0}"#),
    (
        "hellaswag",
        r#"{"ctx_a": "A boy runs.", "ctx_b": "he", "activity_label": "Running", "endings": ["falls.", "flies.", "sings.", "eats."], "label": "0"}"#,
    ),
    (
        "winogrande",
        r#"{"sentence": "Tom gave Sam a ball because _ liked him.", "option1": "Tom", "option2": "Sam", "answer": "1"}"#,
    ),
    (
        "arc_easy",
        r#"{"question": "What is wet?", "choices": {"text": ["rain", "sand"], "label": ["A", "B"]}, "answerKey": "A"}"#,
    ),
    (
        "arc_challenge",
        r#"{"question": "What is dry?", "choices": {"text": ["rain", "sand"], "label": ["A", "B"]}, "answerKey": "B"}"#,
    ),
    (
        "openbookqa",
        r#"{"question_stem": "The sun is", "choices": {"text": ["hot", "cold"], "label": ["A", "B"]}, "answerKey": "A"}"#,
    ),
];

#[test]
fn every_command_of_the_readme_works_in_its_order() {
    let folder = temporary();
    let at = |name: &str| folder.path().join(name);
    std::fs::rename(another_model(&folder), at("Llama-2-7b-hf")).unwrap();
    let text = std::fs::read_to_string(Path::new(&shipped()).join("calibration.txt")).unwrap();
    let rows = text.split("\n\n").map(|text| format!("{}\n", serde_json::json!({ "text": text })));
    std::fs::write(at("c4.jsonl"), rows.collect::<String>()).unwrap();
    let row =
        |i: usize| serde_json::json!({ "instruction": format!("Who has toy {i}?"), "input": "", "output": "Mia." });
    let alpaca: Vec<_> = (0..40).map(row).collect();
    std::fs::write(at("alpaca_data_cleaned.json"), serde_json::json!(alpaca).to_string()).unwrap();
    std::fs::copy(Path::new(&shipped()).join("eval.txt"), at("wiki.test.raw")).unwrap();
    std::fs::create_dir(at("tasks")).unwrap();
    for (task, row) in ROWS {
        std::fs::write(at("tasks").join(format!("{task}.jsonl")), format!("{row}\n")).unwrap();
    }
    let own = Path::new(env!("CARGO_BIN_EXE_slimgpt")).parent().unwrap();
    let search = format!("{}:{}", own.display(), std::env::var("PATH").unwrap_or_default());
    let commands = commands();
    assert!(commands.len() >= 10, "{commands:?}");
    for command in commands {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{command} {}", quick(&command))]).current_dir(folder.path());
        // The machine of a test need not have a GPU.
        shell.env("PATH", &search).env("SLIMGPT_DEVICE", "cpu").env("HF_HUB_OFFLINE", "1").stdin(Stdio::null());
        let output = shell.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}\n{said}");
        assert!(!output.stdout.is_empty(), "{command}");
    }
    assert!(at("slim/slimgpt-report.html").is_file() && at("slim.gguf").is_file() && at("report.html").is_file());
}
