//! `--quiet` and `--verbose`: what is said beside the results, which stay the same.

use crate::{ended, path, program, run, shipped, temporary};

/// A command that says something on standard error, for every command that has something to say.
fn commands(out: &str) -> Vec<Vec<String>> {
    let (model, text) = (shipped(), format!("{}/eval.txt", shipped()));
    let lines = [
        format!("prune {model} --out {out}/p --target 0.2 --device cpu --samples 4 --seq-len 64"),
        format!("ppl {model} --text {text} --seq-len 64 --windows 4 --device cpu"),
        format!("generate {model} --prompt One --max-tokens 4 --device cpu"),
        format!("bench {model} --prompt-tokens 4 --new-tokens 4 --repeats 1 --device cpu"),
        format!("inspect {model}"),
        format!("export padded {model} --out {out}/padded"),
        format!("plan {model} --target 0.2 --device cpu"),
        format!(
            "compare {model} --out {out}/c --methods magnitude --targets 0.2 --samples 4 --seq-len 64 --windows 2 \
             --eval-seq-len 64 --device cpu"
        ),
        format!("report {out}/p --out {out}/page.html"),
        "devices".into(),
        "completions bash".into(),
        "man prune".into(),
    ];
    lines.iter().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

fn run_with(command: &[String], more: &str) -> crate::Ended {
    let arguments: Vec<&str> = command.iter().map(String::as_str).chain([more]).collect();
    run(&arguments).with(0)
}

#[test]
fn quiet_says_nothing_but_results_and_errors() {
    let folder = temporary();
    let out = path(folder.path());
    for command in commands(&out) {
        let quiet = run_with(&command, "--quiet");
        assert_eq!(quiet.err, "", "{command:?}");
        assert!(!quiet.out.is_empty(), "{command:?}");
    }
    // An error is said all the same, and before the command the flag means the same.
    let refused = run(&["-q", "inspect", "no/such/folder"]).with(1);
    assert_eq!(refused.err.lines().count(), 1, "{}", refused.err);
    refused.saying(&["no/such/folder"]);
    run(&["inspect", &shipped(), "-q", "-v"]).with(2).saying(&["--quiet", "--verbose"]);
}

#[test]
fn verbose_says_what_was_chosen_and_how_long_it_took() {
    let folder = temporary();
    let out = path(folder.path());
    for command in commands(&out) {
        let told = run_with(&command, "-v").err;
        assert!(told.lines().last().unwrap().starts_with("took "), "{command:?}: {told}");
        if command.iter().any(|word| word == "--device") {
            assert!(told.contains("device: cpu"), "{command:?}: {told}");
        }
    }
    let prune = ["prune", &shipped(), "--out", &path(&folder.path().join("v")), "--target", "0.2", "-v"];
    let told = run(&[&prune[..], &["--device", "cpu", "--samples", "4", "--seq-len", "64"]].concat()).with(0).err;
    assert!(told.contains("calibration: 4 windows of 64 tokens from the shipped text"), "{told}");
    assert!(told.contains(&format!("model: {}: Llama, 6 layers", shipped())), "{told}");
}

#[test]
fn standard_output_is_the_same_however_much_is_said() {
    let folder = temporary();
    for more in ["-q", "-v"] {
        for command in
            commands(&path(folder.path())).into_iter().filter(|c| ["inspect", "plan", "man"].contains(&&*c[0]))
        {
            let usual = run(&command.iter().map(String::as_str).collect::<Vec<_>>()).with(0).out;
            assert_eq!(run_with(&command, more).out, usual, "{command:?}");
        }
    }
}

#[test]
fn a_failure_says_its_error_first() {
    let model = shipped();
    let first = |arguments: &[&str]| {
        let mut command = program(arguments);
        for name in ["XDG_RUNTIME_DIR", "DISPLAY", "WAYLAND_DISPLAY"] {
            command.env_remove(name);
        }
        ended(&mut command).err.lines().next().unwrap_or_default().to_owned()
    };
    for arguments in [
        &["inspect", "no/such/folder"][..],
        &["prune", &model, "--out", "x"],
        &["generate", &model, "--prompt", "One", "--device", "gpu:7"],
        &["ppl", &model, "--text", "no.txt", "--seq-len", "64", "--device", "cpu"],
        &["export", "gguf", "no/such", "--out", "x.gguf"],
        &["report", "no/such"],
        &["bench", &model, "no/such"],
        &["nonsense"],
    ] {
        let line = first(arguments);
        assert!(line.starts_with("error: "), "{arguments:?}: {line}");
    }
}
