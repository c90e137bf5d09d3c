//! Asked to end by a signal: what is finished is kept, and a second one ends at once.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;

use crate::{path, program, run, shipped, temporary};

/// A run that takes some seconds, told by event.
fn arguments<'a>(model: &'a str, out: &'a str) -> Vec<&'a str> {
    let fixed = ["--target", "0.3", "--device", "cpu", "--samples", "64", "--seq-len", "256", "--json"];
    [&["prune", model, "--out", out], &fixed[..]].concat()
}

fn send(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

/// Starts a command, sends it these signals at its first finished layer, and waits.
fn signalled(mut command: Command, signals: &[&str]) -> (ExitStatus, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let is_it = |line: &String| serde_json::from_str::<Value>(line).unwrap()["event"] == "layer_done";
    lines.by_ref().map(Result::unwrap).find(is_it).expect("a layer was finished");
    signals.iter().for_each(|signal| send(&child, signal));
    lines.for_each(drop);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (child.wait().unwrap(), said)
}

/// Whether a closed terminal was to be ignored already when the tests were started, as by `nohup`: then
/// the program ignores it too.
fn hangups_are_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or("0");
    // The lowest bit is signal 1, SIGHUP.
    u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & 1 == 1)
}

#[test]
fn a_signal_to_end_keeps_what_is_finished_as_ctrl_c_does() {
    let model = shipped();
    let signals = ["-INT", "-TERM", "-HUP"];
    for signal in &signals[..if hangups_are_ignored() { 2 } else { 3 }] {
        let folder = temporary();
        let out = path(&folder.path().join("out"));
        let (ended, said) = signalled(program(&arguments(&model, &out)), &[signal]);
        assert_eq!(ended.code(), Some(130), "{signal}: {said}");
        assert!(said.contains("finished layers are kept"), "{signal}: {said}");
        assert!(!Path::new(&out).exists());
        let resumed = run(&arguments(&model, &out)).with(0);
        assert!(resumed.out.contains("\"resumed\""), "{signal}");
    }
}

#[test]
fn a_second_signal_ends_at_once_with_the_same_code() {
    let (folder, model) = (temporary(), shipped());
    let out = path(&folder.path().join("out"));
    // Many, because signals of one kind that arrive together are one.
    let (ended, _) = signalled(program(&arguments(&model, &out)), &["-TERM", "-INT", "-TERM", "-HUP", "-INT"]);
    assert_eq!(ended.code(), Some(130));
    run(&arguments(&model, &out)).with(0);
}

#[test]
fn nohup_means_what_it_says() {
    let (folder, model) = (temporary(), shipped());
    let out = path(&folder.path().join("out"));
    let mut command = Command::new("nohup");
    command.arg(env!("CARGO_BIN_EXE_slimgpt")).args(arguments(&model, &out)).stdin(Stdio::null()).process_group(0);
    let (ended, said) = signalled(command, &["-HUP"]);
    assert_eq!(ended.code(), Some(0), "{said}");
    assert!(Path::new(&out).join("model.safetensors").is_file());
}
