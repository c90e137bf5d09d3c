//! What is refused, with which words and which exit code.

use std::process::Stdio;

use crate::{another_model, ended, path, program, run, shipped, temporary};

/// `prune` of the shipped model into nowhere in particular, with these arguments besides.
fn prune(arguments: &[&str]) -> crate::Ended {
    let folder = temporary();
    let (model, out) = (shipped(), path(&folder.path().join("out")));
    run(&[&["prune", &model, "--out", &out, "--device", "cpu", "--samples", "4", "--seq-len", "64"], arguments]
        .concat())
}

#[test]
fn the_help_names_every_command_and_every_exit_code() {
    let help = run(&["--help"]).with(0).out;
    for word in [
        "prune",
        "ppl",
        "eval",
        "generate",
        "bench",
        "compare",
        "report",
        "inspect",
        "export",
        "plan",
        "devices",
        "demo",
        "completions",
        "130",
    ] {
        assert!(help.contains(word), "{word}");
    }
}

#[test]
fn the_help_of_prune_has_every_spelling_of_the_contract() {
    let help = run(&["prune", "--help"]).with(0).out;
    let spellings = "--out --target --target-params --target-bytes --uniform --max-perplexity-rise --calibration --text-key --samples --seq-len --sampling --bos --seed \
        --schedule --first-ratio --score --channels --heads --channel-multiple --damping --dtype --device --memory --json \
        --overwrite --paper";
    for spelling in spellings.split_whitespace() {
        assert!(help.contains(spelling), "{spelling}");
    }
}

#[test]
fn a_ratio_outside_0_and_1_is_wrong_usage() {
    for wrong in ["0", "1", "1.5", "-0.1", "NaN", "much"] {
        prune(&["--target", wrong]).with(2).saying(&["--target", wrong, "between 0 and 1"]);
    }
}

#[test]
fn a_target_is_given_once() {
    prune(&[]).with(2).saying(&["--target 0.2", "--target-params"]);
    prune(&["--target", "0.2", "--target-params", "1M"]).with(2).saying(&["--target-params"]);
}

#[test]
fn wrong_values_are_wrong_usage() {
    for (flag, value) in [
        ("--memory", "8 apples"),
        ("--target-params", "-3"),
        ("--target-bytes", "-3"),
        ("--max-perplexity-rise", "5"),
        ("--channels", "fixed"),
        ("--schedule", "exponential"),
        ("--score", "best"),
        ("--damping", "-1"),
        ("--samples", "0"),
        ("--seq-len", "1"),
        ("--channel-multiple", "0"),
    ] {
        let arguments = ["prune", "model", "--out", "out", flag, value];
        run(&arguments).with(2).saying(&[flag]);
    }
}

#[test]
fn a_window_longer_than_the_context_is_wrong_usage() {
    let (folder, model) = (temporary(), shipped());
    let out = path(&folder.path().join("out"));
    run(&["prune", &model, "--out", &out, "--target", "0.2", "--seq-len", "4096"]).with(2).saying(&["4096", "512"]);
}

#[test]
fn a_target_that_would_empty_a_layer_is_wrong_usage() {
    let by_layer = ["--target", "0.9", "--schedule", "uniform", "--rounding", "layer"];
    prune(&by_layer).with(2).saying(&["layer", "must stay", "--rounding model"]);
    prune(&by_layer[..4]).with(2).saying(&["cannot be reached", "--target"]);
    prune(&["--target-params", "70k"]).with(2).saying(&["70000", "--target-params"]);
}

#[test]
fn a_schedule_of_another_length_is_wrong_usage() {
    let folder = temporary();
    let file = folder.path().join("ratios.json");
    std::fs::write(&file, "[0.1, 0.2]").unwrap();
    prune(&["--schedule", &path(&file)]).with(2).saying(&["2 entries", "6 layers"]);
}

#[test]
fn a_method_that_says_itself_how_much_each_layer_loses_takes_no_schedule() {
    for method in ["flap", "llm-pruner"] {
        let of = |more: &[&str]| prune(&[&["--method", method], more].concat());
        // The default's own name, too, if it is typed.
        of(&["--target", "0.2", "--schedule", "log"]).with(2).saying(&[method, "leave --schedule out"]);
        of(&["--shape", "channels=64"]).with(2).saying(&[method, "leave --shape out"]);
    }
    let of_flap = |more: &[&str]| prune(&[&["--method", "flap", "--target", "0.2"], more].concat());
    of_flap(&["--head-ratio", "0.5"]).with(2).saying(&["scores", "no ratios beside them"]);
    of_flap(&["--first-ratio", "0.1"]).with(2).saying(&["no ratios beside them"]);
    prune(&["--method", "flap"]).with(2).saying(&["--target"]);
}

#[test]
fn swaps_need_units_that_go_one_by_one() {
    prune(&["--target", "0.2", "--method", "wanda-sp", "--swaps", "2"]).with(2).saying(&["one by one"]);
    prune(&["--target", "0.2", "--swaps", "-1"]).with(2).saying(&["--swaps"]);
}

#[test]
fn a_plan_says_what_it_cannot_know_before_the_text_is_read() {
    let model = shipped();
    let plan = |more: &[&str]| run(&[&["plan", &model, "--method", "flap", "--target", "0.2"], more].concat()).with(0);
    let shown = plan(&[]).out;
    assert!(shown.contains("follows from the calibration text") && shown.contains("→ about"), "{shown}");
    assert!(!shown.contains("K/V heads"), "no table of layers: {shown}");
    let told = plan(&["--json"]).json();
    assert_eq!((&told["layers"], &told["request"]["schedule"]), (&serde_json::json!([]), &"scores".into()));
    assert!((told["parameters_after"].as_f64().unwrap() / 960e3 - 1.0).abs() < 0.1, "{told}");
}

#[test]
fn a_plan_for_several_processes_says_what_they_cost_and_save() {
    let model = shipped();
    let plan = |more: &[&str]| run(&[&["plan", &model, "--target", "0.5"], more].concat()).with(0);
    let shown = plan(&["--processes", "8"]).out;
    for words in ["8 share the windows", "the first of 8 receives sums", "GB/s", "TFLOP/s"] {
        assert!(shown.contains(words), "{shown}");
    }
    assert_eq!(plan(&["--processes", "8", "--json"]).json()["ranks"], 8);
    // One shares with nobody, and its plan is what it was.
    assert_eq!(plan(&["--processes", "1"]).out, plan(&[]).out);
    assert!(!plan(&[]).out.contains("share the windows"));
    run(&["plan", &model, "--target", "0.5", "--processes", "0"]).with(2).saying(&["--processes"]);
}

#[test]
fn a_wrong_path_is_named() {
    for command in ["inspect", "plan"] {
        run(&[command, "no/such/folder"]).with(1).saying(&["no/such/folder"]);
    }
    let model = shipped();
    run(&["ppl", &model, "--text", "no.txt", "--seq-len", "64", "--device", "cpu"]).with(1).saying(&["no.txt"]);
}

#[test]
fn without_a_calibration_text_the_error_says_what_a_good_one_is() {
    let folder = temporary();
    let (model, out) = (another_model(&folder), path(&folder.path().join("out")));
    let ended = run(&["prune", &model, "--out", &out, "--target", "0.2", "--device", "cpu"]).with(2);
    ended.saying(&["--calibration FILE", ".jsonl", "web documents", "tokens"]);
}

#[test]
fn a_text_that_is_too_short_says_how_long_it_is() {
    let folder = temporary();
    let file = folder.path().join("short.txt");
    std::fs::write(&file, "Once upon a time.").unwrap();
    prune(&["--target", "0.2", "--calibration", &path(&file)]).with(1).saying(&["tokens", "--samples"]);
}

#[test]
fn an_output_folder_that_is_not_ours_is_not_touched() {
    let folder = temporary();
    let (model, out) = (shipped(), folder.path().join("out"));
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("letter.txt"), "dear").unwrap();
    for overwrite in [&[][..], &["--overwrite"]] {
        let fixed = [
            "prune",
            &model,
            "--out",
            &path(&out),
            "--target",
            "0.2",
            "--device",
            "cpu",
            "--samples",
            "4",
            "--seq-len",
            "64",
        ];
        run(&[&fixed[..], overwrite].concat()).with(2).saying(&["not made by slimgpt", "--out"]);
    }
    assert_eq!(std::fs::read_to_string(out.join("letter.txt")).unwrap(), "dear");
}

#[test]
fn an_output_folder_that_cannot_be_made_is_named() {
    let folder = temporary();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    // Beneath a file no folder can be made, not even by root, for whom nothing is read-only.
    let (model, out) = (shipped(), path(&file.join("out")));
    let ended = run(&[
        "prune",
        &model,
        "--out",
        &out,
        "--target",
        "0.2",
        "--device",
        "cpu",
        "--samples",
        "4",
        "--seq-len",
        "64",
    ]);
    ended.with(1).saying(&["file", "could not be"]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_read_only_output_is_named() {
    let model = shipped();
    let ended = run(&[
        "prune",
        &model,
        "--out",
        "/proc/slim",
        "--target",
        "0.2",
        "--device",
        "cpu",
        "--samples",
        "4",
        "--seq-len",
        "64",
    ]);
    ended.with(1).saying(&["/proc/slim"]);
}

#[test]
fn an_unknown_adapter_is_answered_with_those_there_are() {
    let model = shipped();
    run(&["generate", &model, "--prompt", "One", "--device", "abacus"]).with(1).saying(&["abacus", "cpu"]);
}

#[test]
fn without_a_driver_auto_says_so_and_gpu_fails() {
    let model = shipped();
    let without_driver = |device: &str| {
        let mut command =
            program(&["generate", &model, "--prompt", "One day", "--max-tokens", "3", "--device", device]);
        ended(command.env("VK_DRIVER_FILES", "/none.json").env("VK_ICD_FILENAMES", "/none.json"))
    };
    let auto = without_driver("auto").with(0);
    assert!(auto.out.starts_with("One day"), "{}", auto.out);
    assert_eq!(auto.err.lines().filter(|l| l.contains("no usable GPU driver")).count(), 1, "{}", auto.err);
    without_driver("gpu").with(1).saying(&["no usable GPU driver", "--device cpu"]);
}

#[test]
fn completions_exist_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = run(&["completions", shell]).with(0).out;
        assert!(script.contains("slimgpt") && script.contains("prune"), "{shell}");
    }
    run(&["completions", "dos"]).with(2).saying(&["dos", "bash"]);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = program(&["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

/// Standard error that takes nothing: a full disk.
#[cfg(target_os = "linux")]
fn full() -> Stdio {
    std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

#[test]
#[cfg(target_os = "linux")]
fn a_log_that_takes_nothing_changes_neither_the_work_nor_the_exit_code() {
    let folder = temporary();
    let (model, out) = (shipped(), path(&folder.path().join("out")));
    let work =
        ["prune", &model, "--out", &out, "--target", "0.2", "--device", "cpu", "--samples", "4", "--seq-len", "64"];
    let code = |arguments: &[&str]| {
        let status = program(arguments).stdout(Stdio::null()).stderr(full()).status().unwrap();
        status.code()
    };
    assert_eq!(code(&work), Some(0));
    assert!(folder.path().join("out/model.safetensors").is_file());
    assert_eq!(code(&["inspect", &path(&folder.path().join("nothing"))]), Some(1));
    assert_eq!(code(&["prune", &model, "--out", &out, "--target", "2"]), Some(2));
}

#[test]
#[cfg(unix)]
fn a_reader_of_the_log_that_goes_away_does_not_stop_the_work() {
    let folder = temporary();
    let (model, out) = (shipped(), path(&folder.path().join("out")));
    let work =
        ["prune", &model, "--out", &out, "--target", "0.2", "--device", "cpu", "--samples", "8", "--seq-len", "64"];
    let mut child = program(&work).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // Closed before the first line was read.
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(folder.path().join("out/model.safetensors").is_file());
}

#[test]
fn a_server_without_a_display_sees_no_errors_of_drivers() {
    let mut command = program(&["devices"]);
    for name in ["XDG_RUNTIME_DIR", "DISPLAY", "WAYLAND_DISPLAY"] {
        command.env_remove(name);
    }
    let ended = ended(&mut command).with(0);
    assert_eq!(ended.err, "");
}
