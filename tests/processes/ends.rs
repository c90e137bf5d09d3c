//! Whatever ends one process ends all within ten seconds, and the same command goes on.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::tempdir;

use crate::folders::assert_same;
use crate::{EACH, THREE, alone, ended, processes, shipped, text};

/// The most that may pass until all have ended.
const MOST: Duration = Duration::from_secs(10);

/// A run that takes some seconds, event by event.
fn arguments<'a>(model: &'a str, out: &'a str) -> Vec<&'a str> {
    let fixed = ["--target", "0.3", "--samples", "48", "--seq-len", "256", "--json"];
    [&["prune", model, "--out", out], &fixed[..], &EACH].concat()
}

/// The processes that this launcher has started and that still run, with their ranks.
fn started_by(launcher: u32) -> Vec<(usize, u32)> {
    let pids = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let rank_of = |pid: u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let is_child = status.lines().any(|line| line == format!("PPid:\t{launcher}"));
        let environment = std::fs::read(format!("/proc/{pid}/environ")).ok().filter(|_| is_child)?;
        let environment = String::from_utf8_lossy(&environment).into_owned();
        environment.split('\0').find_map(|variable| variable.strip_prefix("OMPI_COMM_WORLD_RANK=")?.parse().ok())
    };
    pids.filter_map(|pid| Some((rank_of(pid)?, pid))).collect()
}

/// Starts a run, kills the process `rank` at the `nth` event of this name, and waits until all have ended.
fn kill_at(out: &str, rank: usize, event: &str, nth: usize) {
    let mut command = processes(3, &arguments(&shipped(), out));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let is_it = |line: &String| serde_json::from_str::<Value>(line).unwrap()["event"] == event;
    lines.by_ref().filter(is_it).nth(nth).expect("the event came");
    let all = started_by(child.id());
    assert_eq!(all.len(), 3, "{all:?}");
    let &(_, pid) = all.iter().find(|(of, _)| *of == rank).unwrap();
    assert!(Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
    let began = Instant::now();
    // The program must not wait for a reader.
    lines.for_each(drop);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(128 + 9), "{said}");
    assert!(began.elapsed() < MOST, "{:?}", began.elapsed());
    assert!(said.contains(&format!("process rank {rank}")), "{said}");
    for (_, pid) in all {
        // The launcher may end a moment before the last of them.
        while runs(pid) {
            assert!(began.elapsed() < MOST, "{pid} still runs");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Whether there is such a process; one that has ended stays until its parent asks for it, or for ever in a container
/// whose first process asks for none.
fn runs(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
    status.is_ok_and(|status| !status.contains("\nState:\tZ"))
}

#[test]
fn a_killed_process_ends_all_and_the_same_command_goes_on() {
    let folder = tempdir().unwrap();
    let [whole, out] = ["whole", "out"].map(|name| text(&folder.path().join(name)));
    ended(processes(3, &arguments(&shipped(), &whole)), 0);
    // In the middle of a pass, after a layer, and the one that writes.
    for (rank, event, nth) in [(1, "batch", 2), (2, "layer_done", 0), (0, "layer_done", 0)] {
        kill_at(&out, rank, event, nth);
        assert!(!std::path::Path::new(&out).exists(), "the output appears only when it is whole");
    }
    let model = shipped();
    let other_number = ended(processes(2, &arguments(&model, &out)), 1).1;
    assert!(other_number.contains("plan.ranks"), "{other_number}");
    let (said, _) = ended(processes(3, &arguments(&model, &out)), 0);
    assert!(said.contains("\"resumed\""), "{said}");
    assert_same(&whole, &out);
    // Three devices of one process are as many.
    let again = text(&folder.path().join("again"));
    kill_at(&again, 1, "layer_done", 1);
    let mut threads = arguments(&model, &again);
    threads.extend(&THREE[2..]);
    assert!(ended(alone(&threads), 0).0.contains("\"resumed\""));
    assert_same(&whole, &again);
}

/// The lines in which the program tells an error.
fn errors(said: &str) -> Vec<&str> {
    said.lines().filter(|line| line.starts_with("error: ")).collect()
}

#[test]
fn what_fails_in_one_is_told_once() {
    let began = Instant::now();
    let devices = ["--device", "cpu", "--device", "cpu", "--device", "no such adapter"];
    let (model, eval) = (shipped(), format!("{}/eval.txt", shipped()));
    let (_, said) = ended(processes(3, &[&["ppl", &model, "--text", &eval], &devices[..]].concat()), 1);
    let told = errors(&said);
    assert!(told.len() == 1 && told[0].contains("process 2") && told[0].contains("no such adapter"), "{said}");
    assert!(began.elapsed() < MOST, "{:?}", began.elapsed());
}

#[test]
fn what_is_typed_wrong_is_told_once() {
    let model = shipped();
    for arguments in [&["ppl", &model, "--text", "no-such-text"][..], &["prune"][..]] {
        let code = alone(arguments).output().unwrap().status.code().unwrap();
        assert_ne!(code, 0);
        let (out, said) = ended(processes(3, arguments), code);
        assert_eq!((out.as_str(), said.matches("error: ").count()), ("", 1), "{said}");
    }
}

#[test]
fn a_command_that_shares_nothing_says_so_and_works() {
    let model = shipped();
    let typed = ["generate", &model, "--prompt", "One day", "--max-tokens", "4"];
    let (alone, _) = ended(alone(&[&typed[..], &EACH].concat()), 0);
    let (first, said) = ended(processes(3, &[&typed[..], &EACH].concat()), 0);
    assert_eq!(first, alone);
    assert!(said.contains("first of the 3 processes alone"), "{said}");
}
