//! Interrupted and killed runs: the same command goes on, and the result has the same bytes.
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::folders::assert_same;
use crate::{ended, path, program, run, shipped, temporary};

/// A run that takes some seconds, event by event.
fn arguments<'a>(model: &'a str, out: &'a str) -> Vec<&'a str> {
    let fixed = ["--target", "0.3", "--device", "cpu", "--samples", "48", "--seq-len", "256", "--json"];
    [&["prune", model, "--out", out], &fixed[..]].concat()
}

/// Starts a run, waits for the `nth` event of this name, ends it with `signal`, and returns its exit code.
fn end_at(out: &str, event: &str, nth: usize, signal: &str) -> Option<i32> {
    end_run_at(&arguments(&shipped(), out), event, nth, signal)
}

fn end_run_at(arguments: &[&str], event: &str, nth: usize, signal: &str) -> Option<i32> {
    let mut child = program(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let is_it = |line: &String| serde_json::from_str::<Value>(line).unwrap()["event"] == event;
    lines.by_ref().map(Result::unwrap).filter(is_it).nth(nth).expect("the event came");
    send(&child, signal);
    // The program must not wait for a reader.
    lines.for_each(drop);
    child.wait().unwrap().code()
}

fn send(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn an_interrupted_run_exits_with_130_and_goes_on() {
    let folder = temporary();
    let [whole, out] = ["whole", "out"].map(|name| path(&folder.path().join(name)));
    let model = shipped();
    run(&arguments(&model, &whole)).with(0);
    assert_eq!(end_at(&out, "layer_done", 1, "-INT"), Some(130));
    assert!(!Path::new(&out).exists(), "the output appears only when it is whole");
    let resumed = run(&arguments(&model, &out)).with(0);
    let event =
        resumed.out.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()).find(|e| e["event"] == "resumed");
    assert!(event.expect("it goes on")["finished"].as_u64() >= Some(2));
    assert_same(&whole, &out);
}

#[test]
fn a_killed_run_goes_on_and_its_result_has_the_same_bytes() {
    let folder = temporary();
    let [whole, out] = ["whole", "out"].map(|name| path(&folder.path().join(name)));
    let model = shipped();
    run(&arguments(&model, &whole)).with(0);
    // In the middle of a pass, just after a choice, just after a layer was stored, while replaying.
    for (event, nth) in [("batch", 1), ("pruned", 3), ("layer_done", 0), ("batch", 2), ("measured", 2)] {
        assert_eq!(end_at(&out, event, nth, "-KILL"), None);
        assert!(!Path::new(&out).exists());
    }
    run(&arguments(&model, &out)).with(0);
    assert_same(&whole, &out);
}

#[test]
fn an_interrupted_run_refuses_other_settings() {
    let folder = temporary();
    let out = path(&folder.path().join("out"));
    assert_eq!(end_at(&out, "layer_done", 0, "-INT"), Some(130));
    let model = shipped();
    let other = ["--target", "0.4", "--device", "cpu", "--samples", "48", "--seq-len", "256"];
    run(&[&["prune", &model, "--out", &out], &other[..]].concat()).with(1).saying(&["plan.ratio", "--overwrite"]);
}

#[test]
fn a_killed_run_on_several_devices_goes_on_with_as_many() {
    let folder = temporary();
    let [whole, again, out] = ["whole", "again", "out"].map(|name| path(&folder.path().join(name)));
    let model = shipped();
    let on = |out, more: &[&'static str]| [&arguments(&model, out)[..], more].concat();
    let two_more = ["--device", "cpu", "--device", "cpu"];
    run(&on(&whole, &two_more)).with(0);
    run(&on(&again, &two_more)).with(0);
    assert_same(&whole, &again);
    for (event, nth) in [("batch", 1), ("layer_done", 1)] {
        assert_eq!(end_run_at(&on(&out, &two_more), event, nth, "-KILL"), None);
    }
    run(&on(&out, &two_more[..2])).with(1).saying(&["plan.ranks", "--overwrite"]);
    run(&on(&out, &two_more)).with(0);
    assert_same(&whole, &out);
    run(&on(&out, &["--device", "auto"])).with(2).saying(&["--device auto", "alone"]);
}

#[test]
fn devices_that_wait_for_each_other_leave_threads_to_multiply() {
    let folder = temporary();
    let (model, out) = (shipped(), path(&folder.path().join("out")));
    let small = ["--target", "0.2", "--samples", "6", "--seq-len", "64", "--device", "cpu", "--device", "cpu"];
    // As on a machine with one core: the only thread that multiplies for all is the one that waits for the others.
    let mut command = program(&[&["prune", &model, "--out", &out], &small[..]].concat());
    ended(command.env("RAYON_NUM_THREADS", "1")).with(0);
}
